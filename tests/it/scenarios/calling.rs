//! Taking numbers, calling and serving: A01, A02, A03.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use super::{FULL_NAME, ID_CARD, PHONE, appointment, holder};
use crate::harness::{Server, list, number, text};

/// AC-A01-1
#[actix_web::test]
async fn a_fifth_number_has_four_people_ahead_and_every_subscriber_sees_five_wait() {
    let server = Server::start().await;
    let admin = server.hall("H1", 3).await;
    let screen = server.device("board", "screen", "H1").await;
    let mut fourth = json!(null);
    for _ in 0..4 {
        fourth = admin.issue("H1", "S1").await;
    }
    let mut feeds = vec![
        screen.live(&["hall.H1"], json!({})).await,
        admin.live(&["hall.H1"], json!({})).await,
    ];
    for feed in &mut feeds {
        let frames = feed.frames_to("hall.H1", &fourth["seq"]).await;
        assert_eq!(frames[0]["kind"], "snapshot");
        assert_eq!(frames.last().unwrap()["data"]["figures"]["waiting"], 4);
    }
    let fifth = admin.issue("H1", "S1").await;
    assert_eq!(
        (&fifth["number"], &fifth["ahead"], &fifth["state"]),
        (&json!("B005"), &json!(4), &json!("waiting"))
    );
    for feed in &mut feeds {
        let delta = feed.frame("hall.H1").await;
        assert_eq!(
            (&delta["kind"], &delta["seq"]),
            (&json!("delta"), &fifth["seq"])
        );
        assert_eq!(delta["data"]["services"]["S1"]["waiting"], 5);
        assert_eq!(delta["data"]["figures"]["waiting"], 5);
    }
}

/// AC-A01-2
#[actix_web::test]
async fn a_call_shows_the_holder_to_the_clerk_and_the_number_to_everybody() {
    let server = Server::start().await;
    let admin = server.hall("H1", 3).await;
    let clerk = server.person("wang", "clerk", &["H1"]).await;
    let screen = server.device("board", "screen", "H1").await;
    admin.open_windows("H1", &["1"]).await;
    clerk.open_windows("H1", &["3"]).await;
    // An earlier visit.
    let earlier = json!({"service": "S2", "holder": holder()});
    admin.post("/halls/H1/tickets", earlier).await.expect(201);
    assert_eq!(admin.serve_next("H1", "1").await, "F001");

    let wish = json!({
        "service": "S1", "holder": holder(), "tags": ["elderly"],
        "appointment": appointment("AP7", -5, 25),
    });
    admin.post("/halls/H1/tickets", wish).await.expect(201);
    let mut last = json!(null);
    for _ in 0..4 {
        last = admin.issue("H1", "S1").await;
    }
    let mut board = screen.live(&["hall.H1"], json!({})).await;
    board.frames_to("hall.H1", &last["seq"]).await;
    let mut strip = screen.live(&["window.H1.3"], json!({})).await;
    strip.frame("window.H1.3").await;

    let called = clerk.window("H1", "3", "call-next", json!({})).await;
    assert_eq!(called["ticket"]["number"], "B001");
    assert_eq!(called["ticket"]["state"], "called");
    assert_eq!(called["ticket"]["calls"], 1);
    assert_eq!(called["window"]["state"], "calling");
    assert_eq!(called["why"]["code"], "appointment");

    let shown = strip.frame("window.H1.3").await;
    assert_eq!(
        (&shown["data"]["state"], &shown["data"]["ticket"]["number"]),
        (&json!("calling"), &json!("B001"))
    );
    let step = board.frame("hall.H1").await;
    assert_eq!(step["data"]["services"]["S1"]["waiting"], 4);
    let call = &step["data"]["call"];
    assert_eq!(
        (&call["number"], &call["window"]),
        (&json!("B001"), &json!("3"))
    );

    let card = clerk.get("/halls/H1/windows/3/holder").await.expect(200);
    assert_eq!(card["number"], "B001");
    assert_eq!(card["kind"], "id_card");
    assert_eq!(card["class"], "citizen");
    assert_eq!(card["name_masked"], "张*明");
    // Document and phone are a look of their own.
    assert_eq!(
        (
            &card["id_masked"],
            &card["phone_masked"],
            &card["has_contact"]
        ),
        (&Value::Null, &Value::Null, &json!(true))
    );
    let contact = "/halls/H1/windows/3/holder?show=contact";
    let contact = clerk.get(contact).await.expect(200);
    assert_eq!(contact["id_masked"], "110***********002X");
    assert_eq!(contact["phone_masked"], "138****5678");
    assert_eq!(card["tags"], json!(["elderly"]));
    assert_eq!(card["appointment"]["number"], "AP7");
    let visits = list(&card["earlier_visits"]);
    assert_eq!(visits.len(), 1);
    assert_eq!(
        (&visits[0]["number"], &visits[0]["state"]),
        (&json!("F001"), &json!("completed"))
    );
    assert_eq!(visits[0]["service_name"]["en"], "Payment");
    for secret in [ID_CARD, FULL_NAME, PHONE] {
        assert!(!card.to_string().contains(secret), "{card}");
    }

    let trail = admin.get("/audit?action=holder_seen").await.expect(200);
    let looks = list(&trail["items"]);
    let contact: Vec<&Value> = looks
        .iter()
        .map(|look| &look["detail"]["contact"])
        .collect();
    assert_eq!(contact, [&json!(true), &json!(false)]);
    assert_eq!(
        (&looks[0]["actor"], &looks[0]["object"]),
        (&json!("wang"), &json!("H1/B001"))
    );
    assert_eq!(looks[0]["detail"]["window"], "3");
}

/// AC-A02-1
#[actix_web::test]
async fn a_walk_in_and_a_booked_visitor_both_get_numbers_and_the_second_carries_the_booking() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let walk_in = admin.issue("H1", "S1").await;
    let wish = json!({"service": "S1", "appointment": appointment("AP42", 10, 40)});
    let booked = admin.post("/halls/H1/tickets", wish).await.expect(201);
    assert_eq!(walk_in["number"], "B001");
    assert_eq!(booked["number"], "B002");
    assert!(walk_in["appointment"].is_null());
    assert_eq!(booked["appointment"]["number"], "AP42");
    let kept = admin
        .get(&format!("/halls/H1/tickets/{}", booked["id"]))
        .await
        .expect(200);
    assert_eq!(kept["appointment"]["number"], "AP42");
}

/// AC-A03-1
#[actix_web::test]
async fn one_ticket_and_two_windows_at_the_same_instant_make_exactly_one_call() {
    const HALLS: usize = 5;
    const ROUNDS: usize = 40;
    let server = Server::start().await;
    let rounds = (1..=HALLS).map(|n| {
        let server = &server;
        async move {
            let hall = format!("H{n}");
            let admin = server.hall(&hall, 2).await;
            let policy = json!({"no_show_after_calls": 1});
            admin
                .put(&format!("/halls/{hall}/policy"), policy)
                .await
                .expect(200);
            admin.open_windows(&hall, &["1", "2"]).await;
            for round in 0..ROUNDS {
                let issued = admin.issue(&hall, "S1").await;
                let (one, two) = join(
                    admin.at_window(&hall, "1", "call-next"),
                    admin.at_window(&hall, "2", "call-next"),
                )
                .await;
                let (winner, won, lost) = match (one.status, two.status) {
                    (200, 409) => ("1", one, two),
                    (409, 200) => ("2", two, one),
                    both => panic!("round {round}: {both:?}\n{}\n{}", one.text, two.text),
                };
                assert_eq!(won.body["ticket"]["number"], issued["number"]);
                lost.refused(409, "nobody_waiting");
                admin.window(&hall, winner, "no-show", json!({})).await;
            }
            let figures = admin
                .get(&format!("/halls/{hall}/figures"))
                .await
                .expect(200);
            assert_eq!(figures["figures"]["missed"], ROUNDS);
            assert_eq!(figures["figures"]["issued"], ROUNDS);
        }
    });
    join_all(rounds).await;
}

/// AC-A03-2
#[actix_web::test]
async fn a_ticket_is_missed_after_three_calls_and_not_after_one() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let series = json!({"name": "社保", "prefix": "B", "first": 7});
    admin.put("/halls/H1/services/S1", series).await.expect(200);
    let policy = json!({"no_show_after_calls": 3});
    admin.put("/halls/H1/policy", policy).await.expect(200);
    admin.open_windows("H1", &["1"]).await;
    admin.issue("H1", "S1").await;
    let called = admin.window("H1", "1", "call-next", json!({})).await;
    assert_eq!(called["ticket"]["number"], "B007");
    let early = admin.at_window("H1", "1", "no-show").await;
    let early = early.refused(409, "no_show_too_early");
    assert_eq!((&early["calls"], &early["needed"]), (&json!(1), &json!(3)));
    for calls in [2, 3] {
        let recalled = admin.window("H1", "1", "recall", json!({})).await;
        assert_eq!(recalled["ticket"]["calls"], calls);
    }
    let missed = admin.window("H1", "1", "no-show", json!({})).await;
    let ticket = &missed["ticket"];
    assert_eq!(
        (&ticket["number"], &ticket["state"], &ticket["calls"]),
        (&json!("B007"), &json!("missed"), &json!(3))
    );
    assert_eq!(
        missed["window"],
        json!({"id": "1", "state": "idle", "ticket": null})
    );
    let hall = admin.get("/halls/H1").await.expect(200);
    assert_eq!(hall["windows"]["1"]["state"], "idle");
    assert_eq!(hall["missed"], json!(["B007"]));
}

/// AC-A03-3
#[actix_web::test]
async fn a_late_return_stands_fourth_keeps_its_issue_time_and_may_happen_once() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let policy = json!({"no_show_after_calls": 1, "requeue": {"times": 1, "after": 3}});
    admin.put("/halls/H1/policy", policy).await.expect(200);
    admin.open_windows("H1", &["1"]).await;
    let late = admin.issue("H1", "S1").await;
    let requeue = format!("/halls/H1/tickets/{}/requeue", late["id"]);
    admin
        .post(&requeue, json!({}))
        .await
        .refused(409, "ticket_not_missed");
    admin.window("H1", "1", "call-next", json!({})).await;
    admin.window("H1", "1", "no-show", json!({})).await;
    for _ in 0..6 {
        admin.issue("H1", "S1").await;
    }
    let back = admin.post(&requeue, json!({})).await.expect(200);
    let ticket = &back["ticket"];
    assert_eq!(
        (&ticket["state"], &ticket["ahead"]),
        (&json!("waiting"), &json!(3))
    );
    assert_eq!(ticket["issued_at"], late["issued_at"]);
    let mut order = Vec::new();
    for _ in 0..3 {
        order.push(admin.serve_next("H1", "1").await);
    }
    assert_eq!(order, ["B002", "B003", "B004"]);
    let fourth = admin.window("H1", "1", "call-next", json!({})).await;
    assert_eq!(fourth["ticket"]["number"], "B001");
    admin.window("H1", "1", "no-show", json!({})).await;
    let refused = admin
        .post(&requeue, json!({}))
        .await
        .refused(409, "requeue_limit");
    assert_eq!(refused["times"], 1);
}

/// AC-A03-4
#[actix_web::test]
async fn a_transferred_ticket_is_first_in_the_other_queue_by_its_issue_time() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let payment = json!({"services": ["S2"]});
    admin.put("/halls/H1/windows/9", payment).await.expect(200);
    admin.open_windows("H1", &["1", "9"]).await;
    let first = admin.issue("H1", "S1").await;
    for _ in 0..2 {
        admin.issue("H1", "S2").await;
    }
    let called = admin.window("H1", "1", "call-next", json!({})).await;
    assert_eq!(called["ticket"]["number"], "B001");
    admin.window("H1", "1", "start", json!({})).await;
    let moved = admin
        .window("H1", "1", "transfer", json!({"service": "S2"}))
        .await;
    let ticket = &moved["ticket"];
    assert_eq!(
        (&ticket["service"], &ticket["state"], &ticket["ahead"]),
        (&json!("S2"), &json!("waiting"), &json!(0))
    );
    assert_eq!(ticket["issued_at"], first["issued_at"]);
    assert_eq!(moved["window"]["state"], "idle");
    let next = admin.get("/halls/H1/windows/9/next").await.expect(200);
    let next = list(&next["items"]);
    let numbers: Vec<&str> = next.iter().map(|item| text(&item["number"])).collect();
    assert_eq!(numbers, ["B001", "F001", "F002"]);
    let waited: Vec<u64> = next
        .iter()
        .map(|item| number(&item["waited_secs"]))
        .collect();
    assert!(waited.is_sorted_by(|a, b| a >= b), "{waited:?}");
    assert_eq!(admin.serve_next("H1", "9").await, "B001");
}

/// A01: hold and resume, also at another window; a transfer to one window.
#[actix_web::test]
async fn a_held_ticket_is_not_called_and_resumes_where_somebody_serves_it() {
    let server = Server::start().await;
    let admin = server.hall("H1", 3).await;
    admin.open_windows("H1", &["1", "2", "3"]).await;
    let ticket = admin.issue("H1", "S1").await;
    admin.window("H1", "1", "call-next", json!({})).await;
    admin.window("H1", "1", "start", json!({})).await;
    let held = admin.window("H1", "1", "hold", json!({})).await;
    assert_eq!(
        (&held["ticket"]["state"], &held["window"]["state"]),
        (&json!("held"), &json!("idle"))
    );
    admin
        .at_window("H1", "2", "call-next")
        .await
        .refused(409, "nobody_waiting");
    let listed = admin.get("/halls/H1/windows/2/held").await.expect(200);
    assert_eq!(listed["items"][0]["number"], "B001");
    let which = json!({"ticket": ticket["id"]});
    let resumed = admin
        .window("H1", "2", "resume-ticket", which.clone())
        .await;
    assert_eq!(resumed["window"]["ticket"]["number"], "B001");
    assert_eq!(resumed["ticket"]["state"], "serving");
    let elsewhere = admin.post("/halls/H1/windows/1/resume-ticket", which).await;
    elsewhere.refused(409, "ticket_not_held");

    // From window 2 to window 3 alone.
    let to = json!({"service": "S1", "window": "3"});
    admin.window("H1", "2", "transfer", to).await;
    admin
        .at_window("H1", "1", "call-next")
        .await
        .refused(409, "nobody_waiting");
    let called = admin.window("H1", "3", "call-next", json!({})).await;
    assert_eq!(called["ticket"]["number"], "B001");
    let figures = admin.get("/halls/H1/figures").await.expect(200);
    assert_eq!(
        (&figures["figures"]["issued"], &figures["figures"]["called"]),
        (&json!(1), &json!(1))
    );
}

/// A01: a chosen ticket is called by permission only, and the journal says so.
#[actix_web::test]
async fn only_a_clerk_with_the_permission_calls_a_chosen_ticket() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    let plain = server.person("plain", "clerk", &["H1"]).await;
    let chooser = server
        .account(json!({"username": "chooser", "roles": ["clerk"], "halls": ["H1"], "call_chosen": true}))
        .await;
    plain.open_windows("H1", &["1"]).await;
    chooser.open_windows("H1", &["2"]).await;
    let tickets: Vec<Value> = [admin.issue("H1", "S1").await, admin.issue("H1", "S1").await].into();
    let second = json!({"ticket": tickets[1]["id"]});
    let refused = plain.post("/halls/H1/windows/1/call", second.clone()).await;
    refused.refused(403, "forbidden");
    let called = chooser.window("H1", "2", "call", second.clone()).await;
    assert_eq!(called["ticket"]["number"], "B002");
    assert_eq!(called["why"]["code"], "chosen_by_clerk");
    assert_eq!(called["why"]["en"], "chosen by the clerk");
    chooser.window("H1", "2", "start", json!({})).await;
    chooser.window("H1", "2", "complete", json!({})).await;
    let again = chooser.post("/halls/H1/windows/2/call", second).await;
    again.refused(409, "ticket_not_waiting");
}

/// A03: a changed policy holds from the next command on, and has a new version.
#[actix_web::test]
async fn a_changed_policy_is_in_force_at_once() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    admin.open_windows("H1", &["1"]).await;
    for _ in 0..2 {
        admin.issue("H1", "S1").await;
    }
    let tagged = json!({"service": "S1", "tags": ["elderly"]});
    let before = admin
        .post("/halls/H1/tickets", tagged.clone())
        .await
        .expect(201);
    assert_eq!(
        (&before["green"], &before["ahead"]),
        (&json!(false), &json!(2))
    );
    let versions = admin.get("/halls/H1/policy").await.expect(200);
    let policy = json!({"no_show_after_calls": 1, "calls_max": 2, "green": {"tags": ["elderly"]}});
    let set = admin.put("/halls/H1/policy", policy).await.expect(200);
    assert_eq!(number(&set["version"]), number(&versions["version"]) + 1);
    assert_eq!(
        number(&set["green"]["version"]),
        number(&versions["green"]["version"]) + 1
    );
    let after = admin.post("/halls/H1/tickets", tagged).await.expect(201);
    assert_eq!(
        (&after["green"], &after["ahead"]),
        (&json!(true), &json!(0))
    );
    let called = admin.window("H1", "1", "call-next", json!({})).await;
    assert_eq!(called["ticket"]["number"], after["number"]);
    admin.window("H1", "1", "recall", json!({})).await;
    let limit = admin
        .at_window("H1", "1", "recall")
        .await
        .refused(409, "recall_limit");
    assert_eq!((&limit["calls"], &limit["max"]), (&json!(2), &json!(2)));
    let slower = json!({"no_show_after_calls": 1, "recall_interval_secs": 600});
    admin.put("/halls/H1/policy", slower).await.expect(200);
    let soon = admin
        .at_window("H1", "1", "recall")
        .await
        .refused(409, "recall_too_soon");
    assert!((1..=600).contains(&number(&soon["wait_secs"])), "{soon}");
    admin.window("H1", "1", "no-show", json!({})).await;
}

/// A01: the sentence of a refusal is Chinese unless English is asked for.
#[actix_web::test]
async fn a_refusal_speaks_the_asked_language() {
    use awc::http::Method;
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    admin.open_windows("H1", &["1"]).await;
    let path = "/halls/H1/windows/1/call-next";
    let english = format!("{path}?lang=en");
    let chinese = format!("{path}?lang=zh-CN");
    for (path, header, sentence) in [
        (path, None, "没有人等候"),
        (path, Some("en-GB,en;q=0.9"), "nobody is waiting"),
        (path, Some("zh-CN"), "没有人等候"),
        (english.as_str(), None, "nobody is waiting"),
        (english.as_str(), Some("zh-CN"), "nobody is waiting"),
        (chinese.as_str(), Some("en"), "没有人等候"),
    ] {
        let headers: Vec<(&str, &str)> =
            header.map(|h| ("Accept-Language", h)).into_iter().collect();
        let answer = admin
            .send(Method::POST, path, Some("{}".to_owned()), &headers)
            .await;
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        let body = answer.refused(409, "nobody_waiting");
        assert_eq!(body["detail"], sentence, "{path} {header:?}");
        assert_eq!(
            (&body["type"], &body["status"]),
            (&json!("about:blank"), &json!(409))
        );
    }
}
