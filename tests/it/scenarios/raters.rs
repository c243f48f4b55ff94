//! Raters at windows: AC-A09-1, with a real gateway of text messages.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, list, number, text};
use crate::notices::receivers::{Manner, Receiver};

use super::PHONE;

/// A server with a gateway of text messages; raters have `answer_secs` to answer.
async fn with_gateway(gateway: &Receiver, answer_secs: &str) -> Server {
    let url = gateway.url();
    let settings = [
        ("HALLKEEPER__NOTICES__SMS__URL", url.as_str()),
        ("HALLKEEPER__RATERS__ANSWER_SECS", answer_secs),
        ("HALLKEEPER__NOTICES__TIMEOUT_SECS", "2"),
    ];
    Server::start_with(&settings, &[]).await
}

/// The rater of a window.
async fn rater(admin: &Client, base: &str, id: &str, window: &str) -> Client {
    let body = json!({"id": id, "kind": "rater", "hall": "H1", "window": window});
    let added = admin.post("/devices", body).await.expect(201);
    assert!(text(&added["address"]).contains("/rater?t="), "{added}");
    Client::new(base, added["token"].as_str().map(str::to_owned))
}

/// Takes a number with or without a phone, and serves it; the ticket.
async fn serve(admin: &Client, window: &str, phone: Option<&str>) -> Value {
    let holder = phone.map(|phone| json!({"kind": "phone", "phone": phone}));
    let wish = json!({"service": "S1", "holder": holder});
    let ticket = admin.post("/halls/H1/tickets", wish).await.expect(201);
    assert_eq!(
        admin.serve_next("H1", window).await,
        text(&ticket["number"])
    );
    ticket
}

/// The invitation for a ticket once it is in this state.
async fn invitation(admin: &Client, ticket: &Value, state: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let all = admin.get("/halls/H1/invitations").await.expect(200);
        let mut all = list(&all["items"]).iter();
        let own = all.find(|one| one["ticket"] == ticket["id"]).cloned();
        if let Some(own) = own.as_ref().filter(|own| own["state"] == state) {
            return own.clone();
        }
        assert!(Instant::now() < until, "not {state}: {own:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Calls of the raters' channel: answered and failed.
async fn counted(admin: &Client) -> (usize, usize) {
    let mut counts = [0, 0];
    for (n, result) in ["ok", "failed"].into_iter().enumerate() {
        let path = format!("/channels/rater/calls?result={result}");
        let page = admin.get(&path).await.expect(200);
        counts[n] = list(&page["items"]).len();
    }
    (counts[0], counts[1])
}

/// Waits until so many were counted: a call that failed is told of after the invitation it was for.
async fn counted_to(admin: &Client, calls: (usize, usize)) {
    let until = Instant::now() + PATIENCE;
    while counted(admin).await != calls {
        assert!(Instant::now() < until, "not {calls:?}");
    }
}

/// Nothing that the server keeps holds these signs.
fn kept_nowhere(server: &Server, signs: &str) {
    for entry in std::fs::read_dir(server.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(signs.len()).any(|at| at == signs.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}

/// AC-A09-1
#[actix_web::test]
pub(super) async fn a_silent_rater_becomes_one_text_message_and_one_failure_of_its_channel() {
    let gateway = Receiver::http(&[Manner::Accept]).await;
    let server = with_gateway(&gateway, "1").await;
    let admin = server.hall("H1", 3).await;
    admin.open_windows("H1", &["3"]).await;
    let rater = rater(&admin, &server.base, "rater-3", "3").await;
    let mut live = rater.live(&["rating.rater-3"], json!({})).await;
    assert_eq!(
        live.frame("rating.rater-3").await["data"]["invitation"],
        Value::Null
    );
    let ticket = serve(&admin, "3", Some(PHONE)).await;
    // The rater is told; it says nothing.
    let shown = live
        .find(|frame| frame["data"]["invitation"]["ticket"] == ticket["id"])
        .await;
    assert_eq!(shown["data"]["invitation"]["number"], ticket["number"]);
    kept_nowhere(&server, PHONE);
    let sent = gateway.wait_for(1).await;
    let body: Value = serde_json::from_str(&sent[0].body).unwrap();
    assert_eq!(body["mobile"], PHONE);
    let said = text(&body["content"]);
    let link = format!("{}/t/{}", server.base, text(&ticket["token"]));
    assert!(
        said.contains(text(&ticket["number"])) && said.contains(&link),
        "{said}"
    );
    let told = invitation(&admin, &ticket, "texted").await;
    assert!(!told.to_string().contains(PHONE), "{told}");
    assert_eq!(counted(&admin).await, (0, 1));
    let channel = admin.get("/channels/rater").await.expect(200);
    assert!(channel.to_string().contains("评价器"), "{channel}");
    let call = admin.get("/channels/rater/calls").await.expect(200);
    assert_eq!(call["items"][0]["reason"], "no_answer");

    // The link leads to the phone's page, which rates; the rater is too late then.
    let path = format!("/tickets/{}/rating", text(&ticket["token"]));
    let visitor = server.visitor();
    visitor.post(&path, json!({"stars": 4})).await.expect(200);
    invitation(&admin, &ticket, "rated").await;
    let late = format!("/rater/invitations/{}/rating", ticket["id"]);
    rater
        .post(&late, json!({"stars": 1}))
        .await
        .refused(409, "already_rated");
    assert_eq!(gateway.taken().len(), 1);
    kept_nowhere(&server, PHONE);
}

/// A09-1, the other way: the rater answers, and nobody is told otherwise.
#[actix_web::test]
pub(super) async fn a_rating_on_the_rater_is_kept_once_and_no_message_goes_out() {
    let gateway = Receiver::http(&[Manner::Accept]).await;
    let mut server = with_gateway(&gateway, "2").await;
    let admin = server.hall("H1", 3).await;
    admin.open_windows("H1", &["1", "3"]).await;
    let own = rater(&admin, &server.base, "rater-3", "3").await;
    let other = rater(&admin, &server.base, "rater-1", "1").await;
    let ticket = serve(&admin, "3", Some(PHONE)).await;
    let shown = own.get("/rater/invitation").await.expect(200);
    assert_eq!(shown["invitation"]["ticket"], ticket["id"]);
    let none = other.get("/rater/invitation").await.expect(200);
    assert_eq!(none["invitation"], Value::Null);
    let path = |verb: &str| format!("/rater/invitations/{}/{verb}", ticket["id"]);
    other
        .post(&path("answer"), json!({}))
        .await
        .refused(404, "unknown_invitation");
    for _ in 0..2 {
        let answered = own.post(&path("answer"), json!({})).await.expect(200);
        assert_eq!(answered["state"], "answered");
    }
    let wrong = own.post(&path("rating"), json!({"stars": 6})).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    for _ in 0..2 {
        let rated = own
            .post_keyed(&path("rating"), "r1", json!({"stars": 5}))
            .await;
        assert_eq!(rated.expect(200)["state"], "rated");
    }
    own.post(&path("rating"), json!({"stars": 1}))
        .await
        .refused(409, "already_rated");
    let none = own.get("/rater/invitation").await.expect(200);
    assert_eq!(none["invitation"], Value::Null);
    invitation(&admin, &ticket, "rated").await;
    assert_eq!(counted(&admin).await, (1, 0));
    server.kill();
    server.restart();
    let admin = Client::new(&server.base, admin.token);
    let path = format!("/halls/H1/tickets/{}", ticket["id"]);
    let kept = admin.get(&path).await.expect(200);
    assert_eq!(kept["rating"]["stars"], 5, "{kept}");
    invitation(&admin, &ticket, "rated").await;
    // Longer than a rater has to answer.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(gateway.taken().len(), 0);
    assert_eq!(counted(&admin).await, (1, 0));
}

/// What is asked outlives a crash; what cannot be sent is said.
#[actix_web::test]
pub(super) async fn an_invitation_outlives_a_crash_and_one_without_a_phone_is_left_to_the_slip() {
    let gateway = Receiver::http(&[Manner::Accept]).await;
    let mut server = with_gateway(&gateway, "3").await;
    let admin = server.hall("H1", 1).await;
    admin.open_windows("H1", &["1"]).await;
    rater(&admin, &server.base, "rater-1", "1").await;
    let with_phone = serve(&admin, "1", Some(PHONE)).await;
    let without = serve(&admin, "1", None).await;
    server.kill();
    server.restart();
    let admin = Client::new(&server.base, admin.token);
    let sent = gateway.wait_for(1).await;
    assert!(sent[0].body.contains(PHONE), "{sent:?}");
    invitation(&admin, &with_phone, "texted").await;
    let left = invitation(&admin, &without, "left").await;
    assert_eq!(left["reason"], "no_phone");
    counted_to(&admin, (0, 2)).await;
    assert_eq!(gateway.taken().len(), 1);
    // A window without a rater invites nobody.
    admin.delete("/devices/rater-1").await;
    let alone = serve(&admin, "1", Some(PHONE)).await;
    let all = admin.get("/halls/H1/invitations").await.expect(200);
    let count = list(&all["items"]).len();
    assert_eq!((count, number(&alone["id"])), (2, 3), "{all}");
    kept_nowhere(&server, PHONE);
}

/// A gateway that refuses a number is asked once, one that is busy three times; each time it is said.
#[actix_web::test]
pub(super) async fn a_number_that_the_gateway_refuses_is_not_tried_again() {
    let gateway = Receiver::http(&[Manner::Answer(400, "no such number")]).await;
    let server = with_gateway(&gateway, "1").await;
    let admin = server.hall("H1", 1).await;
    admin.open_windows("H1", &["1"]).await;
    rater(&admin, &server.base, "rater-1", "1").await;
    let ticket = serve(&admin, "1", Some(PHONE)).await;
    let left = invitation(&admin, &ticket, "left").await;
    assert_eq!(left["attempts"], 1);
    assert!(text(&left["reason"]).contains("400"), "{left}");
    assert!(!left.to_string().contains(PHONE), "{left}");
    assert_eq!(gateway.taken().len(), 1);
}
