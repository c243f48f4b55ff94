//! What visitors do on their own phones, and the slip on paper: A05, A11.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ID_CARD, appointment};
use crate::harness::{Client, Server, list, text};

async fn lets_visitors_take_numbers(admin: &Client) {
    let options = json!({"options": {"visitor_issuing": true}});
    admin.put("/halls/H1", options).await.expect(200);
}

/// AC-A11-1
#[actix_web::test]
async fn of_300_tickets_120_by_scan_are_a_share_of_40_percent() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    lets_visitors_take_numbers(&admin).await;
    let none = admin.get("/halls/H1/figures").await.expect(200);
    assert!(none["scan_share_pct"].is_null(), "of nothing there is none");
    let kiosk = server.device("kiosk", "kiosk", "H1").await;
    let visitor = server.visitor();
    let by = [
        (120, &visitor, json!({"service": "S1", "channel": "scan"})),
        (60, &visitor, json!({"service": "S1"})),
        (100, &kiosk, json!({"service": "S2"})),
        (20, &admin, json!({"service": "S2"})),
    ];
    for (count, who, wish) in by {
        let taken = (0..count).map(|_| who.post("/halls/H1/tickets", wish.clone()));
        for answer in join_all(taken).await {
            answer.expect(201);
        }
    }
    let figures = admin.get("/halls/H1/figures").await.expect(200);
    assert_eq!(figures["figures"]["issued"], 300);
    assert_eq!(
        figures["channels"],
        json!({"kiosk": 100, "phone": 60, "scan": 120, "staff": 20})
    );
    assert_eq!(figures["scan_share_pct"], 40.0);
}

/// Nobody but a visitor says through what the number was taken.
#[actix_web::test]
async fn a_kiosk_or_clerk_does_not_pass_for_a_visitors_phone() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    lets_visitors_take_numbers(&admin).await;
    let kiosk = server.device("kiosk", "kiosk", "H1").await;
    let scan = |channel: &str| json!({"service": "S1", "channel": channel});
    for who in [&admin, &kiosk] {
        let refused = who.post("/halls/H1/tickets", scan("scan")).await;
        let refused = refused.refused(422, "invalid_field");
        assert_eq!(refused["field"], "channel");
    }
    let refused = server
        .visitor()
        .post("/halls/H1/tickets", scan("staff"))
        .await;
    refused.refused(422, "invalid_field");
}

/// AC-A11-2
#[actix_web::test]
async fn a_citizen_with_an_appointment_scans_and_gets_one_ticket_without_paper() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    lets_visitors_take_numbers(&admin).await;
    let phone = server.visitor();
    let wish = |id_number: &str| {
        json!({
            "service": "S1", "channel": "scan", "appointment": appointment("AP1", 10, 40),
            "holder": {"kind": "id_card", "id_number": id_number},
        })
    };
    let booked =
        json!({"service": "S1", "channel": "scan", "appointment": appointment("AP1", 10, 40)});
    let unnamed = phone.post("/halls/H1/tickets", booked).await;
    unnamed.refused(422, "invalid_identity");
    let wrong = phone
        .post("/halls/H1/tickets", wish("110105194912310021"))
        .await;
    wrong.refused(422, "invalid_identity");

    let first = phone
        .post("/halls/H1/tickets", wish(ID_CARD))
        .await
        .expect(201);
    assert_eq!(first["appointment"]["number"], "AP1");
    let second = phone
        .post("/halls/H1/tickets", wish(ID_CARD))
        .await
        .expect(200);
    assert_eq!(first["token"], second["token"]);
    // Somebody else who knows the appointment's number is not given the ticket.
    let other = phone
        .post("/halls/H1/tickets", wish("440300199001010016"))
        .await;
    let other = other.refused(409, "already_issued");
    assert!(!other.to_string().contains(text(&first["token"])));
    let figures = admin.get("/halls/H1/figures").await.expect(200);
    assert_eq!(figures["figures"]["issued"], 1);
}

#[actix_web::test]
async fn the_visitors_menu_is_open_only_where_phones_may_take_numbers() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let phone = server.visitor();
    let closed = phone.get("/halls/H1/visitor-menu").await;
    closed.refused(403, "visitor_issuing_off");
    lets_visitors_take_numbers(&admin).await;
    admin.issue("H1", "S1").await;
    admin.open_windows("H1", &["1"]).await;
    let service = json!({"name": {"zh": "收费", "en": "Payment"}, "prefix": "F", "contingent": 7});
    admin
        .put("/halls/H1/services/S2", service)
        .await
        .expect(200);
    let menu = phone.get("/halls/H1/visitor-menu").await.expect(200);
    assert_eq!(menu["state"], "open");
    let services = list(&menu["services"]);
    assert_eq!(
        (
            &services[0]["waiting"],
            &services[0]["windows_open"],
            &services[1]["left"]
        ),
        (&json!(1), &json!(1), &json!(7))
    );
    assert!(services[0]["estimate"]["p50_secs"].is_number(), "{menu}");
    let code = phone.get("/take/H1/qr.svg").await;
    assert_eq!(code.header("content-type"), Some("image/svg+xml"));
    phone
        .get("/take/H9/qr.svg")
        .await
        .refused(404, "unknown_hall");
}

fn patience(places: u32, times: u32) -> Value {
    json!({"postpone": {"places_max": places, "times_max": times}})
}

#[actix_web::test]
async fn a_holder_lets_others_go_first_as_far_as_the_hall_allows() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let mut tickets = Vec::new();
    for _ in 0..5 {
        tickets.push(admin.issue("H1", "S1").await);
    }
    let phone = server.visitor();
    let view = format!("/tickets/{}", text(&tickets[0]["token"]));
    let path = format!("{view}/postpone");
    let by = |places: u32| json!({"places": places});
    assert!(phone.get(&view).await.expect(200)["postpone"].is_null());
    phone.post(&path, by(1)).await.refused(409, "postpone_off");

    admin
        .put("/halls/H1/policy", patience(3, 1))
        .await
        .expect(200);
    let seen = phone.get(&view).await.expect(200);
    assert_eq!(seen["postpone"], json!({"places_max": 3, "times_left": 1}));
    let far = phone.post(&path, by(4)).await.refused(422, "invalid_field");
    assert_eq!(far["field"], "places");
    // A lost answer is asked for again under the same key: it counts once.
    let first = phone.post_keyed(&path, "once", by(2)).await.expect(200);
    let again = phone.post_keyed(&path, "once", by(2)).await.expect(200);
    assert_eq!(
        (&first["ticket"]["ahead"], &first["seq"]),
        (&json!(2), &again["seq"])
    );
    assert_eq!(first["ticket"]["number"], tickets[0]["number"]);
    phone
        .post(&path, by(1))
        .await
        .refused(409, "postpone_limit");
    let seen = phone.get(&view).await.expect(200);
    assert_eq!(
        (&seen["ahead"], &seen["postpone"]["times_left"]),
        (&json!(2), &json!(0))
    );

    // The console says beforehand whom it will call, and calls so.
    admin.open_windows("H1", &["1"]).await;
    let next = admin.get("/halls/H1/windows/1/next").await.expect(200);
    let shown: Vec<&str> = list(&next["items"])
        .iter()
        .map(|one| text(&one["number"]))
        .collect();
    assert_eq!(shown, ["B002", "B003", "B001"]);
    let mut called = Vec::new();
    for _ in 0..3 {
        called.push(admin.serve_next("H1", "1").await);
    }
    assert_eq!(called, shown);
    phone
        .post(&path, by(1))
        .await
        .refused(409, "ticket_not_waiting");
    let nobody = phone.post("/tickets/H1.0/postpone", by(1)).await;
    nobody.refused(404, "unknown_ticket");
}

/// AC-A05-1, AC-A05-4: on paper, whoever has the slip's token.
#[actix_web::test]
async fn the_slip_is_printed_for_both_papers_and_shown_to_the_manager() {
    let server = Server::start().await;
    let admin = server.hall("H1", 3).await;
    let issued = admin.issue("H1", "S1").await;
    let visitor = server.visitor();
    let token = text(&issued["token"]);
    let of = |rest: &str| format!("/tickets/{token}/slip.{rest}");
    for width in [58, 80] {
        let bytes = visitor.get(&of(&format!("escpos?width={width}"))).await;
        assert_eq!(bytes.status, 200);
        assert_eq!(
            bytes.header("content-type"),
            Some("application/octet-stream")
        );
        assert!(bytes.text.contains("B001"));
        let picture = visitor
            .get(&of(&format!("svg?width={width}&lang=en")))
            .await;
        assert!(
            picture.text.contains("Go to: Window 1, Window 2,"),
            "{}",
            picture.text
        );
    }
    let wide = visitor.get(&of("escpos?width=100")).await;
    assert_eq!(wide.refused(422, "invalid_field")["field"], "width");
    let nobody = visitor.get("/tickets/H1.0/slip.escpos").await;
    nobody.refused(404, "unknown_ticket");
    let sample = admin.get("/halls/H1/services/S2/slip.svg?width=58").await;
    assert!(sample.text.contains("F001"), "{}", sample.text);
    let unknown = admin.get("/halls/H1/services/S9/slip.svg").await;
    unknown.refused(404, "unknown_service");
}

/// The reasons are for the person at the machine, in the language of the page.
#[actix_web::test]
async fn a_wrong_number_is_refused_with_its_reason_in_both_languages() {
    let server = Server::start().await;
    server.hall("H1", 1).await;
    let kiosk = server.device("kiosk", "kiosk", "H1").await;
    for (number, zh, en) in [
        ("110105194912310021", "校验码不符", "check digit"),
        ("110105194902300020", "出生日期不存在", "date of birth"),
        (
            "911124198108030024",
            "外国人永久居留身份证",
            "permanent-residence",
        ),
    ] {
        let wish = json!({"service": "S1", "holder": {"kind": "id_card", "id_number": number}});
        for (lang, words) in [("zh-CN", zh), ("en", en)] {
            let answer = kiosk
                .send(
                    awc::http::Method::POST,
                    "/halls/H1/tickets",
                    Some(wish.to_string()),
                    &[("Accept-Language", lang)],
                )
                .await;
            let refused = answer.refused(422, "invalid_identity");
            assert!(text(&refused["detail"]).contains(words), "{refused}");
        }
    }
}
