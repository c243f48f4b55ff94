//! Taking numbers at the machine, and who goes first: A05, A12.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{FULL_NAME, ID_CARD, PHONE, appointment};
use crate::harness::{CHINA, Server, list, text};

/// AC-A05-1
#[actix_web::test]
async fn a_slip_carries_exactly_five_things() {
    let server = Server::start().await;
    server.hall("H1", 1).await;
    let kiosk = server.device("kiosk", "kiosk", "H1").await;
    let wish = json!({
        "service": "S1",
        "holder": {"kind": "social_security_code", "id_number": "DE45F6F7F9A8E6A4B1C2D3E4F5061728"},
    });
    let issued = kiosk.post("/halls/H1/tickets", wish).await.expect(201);
    let slip = &issued["slip"];
    let fields: BTreeSet<&str> = slip
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        fields,
        BTreeSet::from(["windows", "service", "number", "ahead", "qr"])
    );
    assert_eq!(slip["number"], "B001");
    assert_eq!(slip["ahead"], 0);
    assert_eq!(
        slip["service"],
        json!({"zh": "社保", "en": "Social security"})
    );
    assert_eq!(
        slip["windows"],
        json!([{"zh": "1号窗口", "en": "Window 1"}])
    );
    let token = text(&issued["token"]);
    assert_eq!(text(&slip["qr"]), format!("/t/{token}"));
    let code = server.visitor().get(&format!("/t/{token}/qr.svg")).await;
    assert_eq!(
        (code.status, code.header("content-type")),
        (200, Some("image/svg+xml"))
    );
}

/// AC-A05-2
#[actix_web::test]
async fn a_foreign_residence_card_gets_a_number_and_an_ill_formed_one_uses_none_up() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let kiosk = server.device("kiosk", "kiosk", "H1").await;
    let wish = |kind: &str, number: &str| json!({"service": "S1", "holder": {"kind": kind, "id_number": number}});
    for (kind, number) in [
        ("foreign_permanent_residence", "USA12345678901"),
        ("foreign_permanent_residence", "US1123456789012"),
        ("foreign_permanent_residence", "911124198108030025"),
        ("id_card", "110105194912310021"),
        ("phone", "23812345678"),
        ("passport", "E1"),
        ("identity_code", "!!!!!!!!"),
        ("none", "123456"),
    ] {
        let refused = kiosk.post("/halls/H1/tickets", wish(kind, number)).await;
        let refused = refused.refused(422, "invalid_identity");
        assert_eq!(refused["field"], "holder.id_number", "{kind} {number}");
        assert!(!text(&refused["reason"]).is_empty());
        assert!(
            !refused.to_string().contains(number),
            "the number is not said again"
        );
    }
    let figures = admin.get("/halls/H1/figures").await.expect(200);
    assert_eq!(figures["figures"]["issued"], 0);
    // Both forms of the card: of 2004 and of 2023.
    let ninth = with_check_digit("91112419810803002");
    for (number, expected) in [("USA123456789012", "B001"), (ninth.as_str(), "B002")] {
        let wish = wish("foreign_permanent_residence", number);
        let issued = kiosk.post("/halls/H1/tickets", wish).await.expect(201);
        assert_eq!(issued["number"], expected);
    }
    let listed = admin.get("/halls/H1/tickets?number=B001").await.expect(200);
    assert_eq!(
        listed["items"][0]["holder"]["kind"],
        "foreign_permanent_residence"
    );
    assert_eq!(listed["items"][0]["holder"]["id_masked"], "USA********9012");
}

/// Seventeen digits with their check digit (GB 11643).
fn with_check_digit(digits: &str) -> String {
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: usize = digits
        .bytes()
        .zip(weights)
        .map(|(digit, weight)| usize::from(digit - b'0') * weight)
        .sum();
    format!("{digits}{}", &"10X98765432"[sum % 11..=sum % 11])
}

/// AC-A05-3
#[actix_web::test]
async fn an_appointment_scanned_twice_gives_one_ticket_and_prints_it_again() {
    let server = Server::start().await;
    let admin = server.hall_in(CHINA, "H1", 1).await;
    let kiosk = server.device("kiosk", "kiosk", "H1").await;
    let wish = |booked: Value| json!({"service": "S1", "appointment": booked});
    let scan = wish(appointment("AP1", 15, 45));
    let first = kiosk
        .post("/halls/H1/tickets", scan.clone())
        .await
        .expect(201);
    let second = kiosk.post("/halls/H1/tickets", scan).await.expect(200);
    for field in ["id", "number", "token", "issued_at", "slip", "appointment"] {
        assert_eq!(first[field], second[field], "{field}");
    }
    let early = kiosk
        .post("/halls/H1/tickets", wish(appointment("AP2", 45, 75)))
        .await;
    let early = early.refused(409, "appointment_too_early");
    assert!(
        text(&early["from"]).contains("+08:00"),
        "in the hall's time: {early}"
    );
    let late = kiosk
        .post("/halls/H1/tickets", wish(appointment("AP3", -120, -60)))
        .await;
    late.refused(409, "appointment_too_late");
    let figures = admin.get("/halls/H1/figures").await.expect(200);
    assert_eq!(figures["figures"]["issued"], 1);
}

/// AC-A05-4
#[actix_web::test]
async fn a_slip_names_all_windows_of_the_business_and_the_call_names_one() {
    let server = Server::start().await;
    let admin = server.hall("H1", 7).await;
    for window in ["1", "2", "4", "6"] {
        let payment = json!({"services": ["S2"]});
        admin
            .put(&format!("/halls/H1/windows/{window}"), payment)
            .await
            .expect(200);
    }
    let issued = admin.issue("H1", "S1").await;
    assert_eq!(issued["windows"], json!(["3", "5", "7"]));
    let names: Vec<&str> = list(&issued["slip"]["windows"])
        .iter()
        .map(|name| text(&name["en"]))
        .collect();
    assert_eq!(names, ["Window 3", "Window 5", "Window 7"]);
    assert!(issued["window"].is_null());
    admin.open_windows("H1", &["5"]).await;
    admin.window("H1", "5", "call-next", json!({})).await;
    let kept = admin
        .get(&format!("/halls/H1/tickets/{}", issued["id"]))
        .await
        .expect(200);
    assert_eq!(kept["window"], "5");
    let phone = format!("/tickets/{}", text(&issued["token"]));
    let view = server.visitor().get(&phone).await.expect(200);
    assert_eq!(
        (&view["window"], &view["window_name"]["zh"]),
        (&json!("5"), &json!("5号窗口"))
    );
    assert_eq!(view["state"], "called");
}

/// A05: what was issued at one instant by many machines.
#[actix_web::test]
async fn sixteen_kiosks_give_400_distinct_consecutive_numbers() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let mut kiosks = Vec::new();
    for n in 0..16 {
        kiosks.push(server.device(&format!("kiosk-{n}"), "kiosk", "H1").await);
    }
    let given = join_all(kiosks.iter().map(async |kiosk| {
        let mut given = Vec::new();
        for _ in 0..25 {
            let issued = kiosk.issue("H1", "S1").await;
            given.push((
                text(&issued["number"]).to_owned(),
                issued["id"].as_u64().unwrap(),
            ));
        }
        given
    }))
    .await
    .concat();
    let numbers: BTreeSet<String> = given.iter().map(|(number, _)| number.clone()).collect();
    let expected: BTreeSet<String> = (1..=400).map(|n| format!("B{n:03}")).collect();
    assert_eq!(numbers, expected);
    let ids: BTreeSet<u64> = given.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.len(), 400);
    let hall = admin.get("/halls/H1").await.expect(200);
    assert_eq!(hall["services"]["S1"]["waiting"], 400);
}

/// A05: the day's contingent of a service binds kiosks and phones, not the staff.
#[actix_web::test]
async fn staff_may_pass_the_contingent_that_stops_the_kiosk() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let kiosk = server.device("kiosk", "kiosk", "H1").await;
    let clerk = server.person("guide", "clerk", &["H1"]).await;
    let service = json!({"name": "社保", "prefix": "B", "contingent": 2});
    admin
        .put("/halls/H1/services/S1", service)
        .await
        .expect(200);
    clerk.issue("H1", "S1").await;
    for _ in 0..2 {
        kiosk.issue("H1", "S1").await;
    }
    let refused = kiosk
        .post("/halls/H1/tickets", json!({"service": "S1"}))
        .await;
    assert_eq!(refused.refused(409, "contingent_reached")["contingent"], 2);
    kiosk.issue("H1", "S2").await;
    assert_eq!(clerk.issue("H1", "S1").await["number"], "B004");
    // A cancelled ticket gives its place of the contingent to nobody.
    let raised = json!({"name": "社保", "prefix": "B", "contingent": 3});
    admin.put("/halls/H1/services/S1", raised).await.expect(200);
    assert_eq!(kiosk.issue("H1", "S1").await["number"], "B005");
}

/// A05: a menu of three levels, and what cannot be one.
#[actix_web::test]
async fn a_menu_of_several_levels_is_set_up_and_a_broken_one_refused() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let entry = |id: &str, parent: Option<&str>| json!({"id": id, "name": {"zh": id, "en": id}, "parent": parent});
    let menu = json!({"options": {"menu": [
        entry("life", None), entry("insurance", Some("life")), entry("pension", Some("insurance")),
    ]}});
    let hall = admin.put("/halls/H1", menu.clone()).await.expect(200);
    assert_eq!(hall["menu"], menu["options"]["menu"]);
    let service = json!({"name": "社保", "prefix": "B", "menu": "pension"});
    admin
        .put("/halls/H1/services/S1", service)
        .await
        .expect(200);
    let kiosk = server.device("kiosk", "kiosk", "H1").await;
    let hall = kiosk.get("/halls/H1").await.expect(200);
    assert_eq!(hall["services"]["S1"]["menu"], "pension");
    assert!(hall["services"]["S2"]["menu"].is_null());
    assert_eq!(list(&hall["menu"])[2]["parent"], "insurance");
    for (broken, field) in [
        (
            json!([entry("a", Some("b")), entry("b", Some("a"))]),
            "options.menu.a.parent",
        ),
        (json!([entry("a", None), entry("a", None)]), "options.menu"),
        (json!([entry("life", None)]), "options.menu"),
        (json!([entry("", None)]), "options.menu[0].id"),
    ] {
        let refused = admin
            .put("/halls/H1", json!({"options": {"menu": broken}}))
            .await;
        assert_eq!(refused.refused(422, "invalid_field")["field"], field);
    }
    let lost = json!({"name": "收费", "prefix": "F", "menu": "nowhere"});
    admin
        .put("/halls/H1/services/S2", lost)
        .await
        .refused(422, "invalid_field");
}

/// A05: a visitor's own phone may take a number where the hall allows it.
#[actix_web::test]
async fn a_visitors_phone_takes_a_number_only_where_the_hall_allows_it() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let visitor = server.visitor();
    let wish = json!({"service": "S1"});
    visitor
        .post("/halls/H1/tickets", wish.clone())
        .await
        .refused(401, "not_signed_in");
    admin
        .put("/halls/H1", json!({"options": {"visitor_issuing": true}}))
        .await
        .expect(200);
    let issued = visitor.post("/halls/H1/tickets", wish).await.expect(201);
    assert_eq!(issued["number"], "B001");
    let tagged = json!({"service": "S1", "tags": ["elderly"]});
    visitor
        .post("/halls/H1/tickets", tagged)
        .await
        .refused(401, "not_signed_in");
    let cancel = format!("/tickets/{}/cancel", text(&issued["token"]));
    let cancelled = visitor.post(&cancel, json!({})).await.expect(200);
    assert_eq!(cancelled["ticket"]["state"], "cancelled");
    visitor
        .post(&cancel, json!({}))
        .await
        .refused(409, "ticket_not_waiting");
    let listed = admin.get("/halls/H1/tickets").await.expect(200);
    assert_eq!(listed["items"][0]["channel"], "phone");
}

fn green_policy(tags: &[&str]) -> Value {
    json!({"green": {"tags": tags}})
}

/// AC-A12-1, AC-A12-2
#[actix_web::test]
async fn green_tickets_are_called_before_ordinary_ones_and_in_the_order_of_issue() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    admin
        .put("/halls/H1/policy", green_policy(&["elderly", "disabled"]))
        .await
        .expect(200);
    admin.open_windows("H1", &["1"]).await;
    for _ in 0..10 {
        admin.issue("H1", "S1").await;
    }
    for (tag, ahead) in [("elderly", 0), ("disabled", 1), ("tourist", 12)] {
        let wish = json!({"service": "S1", "tags": [tag]});
        let issued = admin.post("/halls/H1/tickets", wish).await.expect(201);
        assert_eq!(
            (&issued["green"], &issued["ahead"]),
            (&json!(tag != "tourist"), &json!(ahead))
        );
    }
    let next = admin.get("/halls/H1/windows/1/next").await.expect(200);
    let reasons: Vec<&str> = list(&next["items"])
        .iter()
        .map(|one| text(&one["why"]["code"]))
        .collect();
    assert_eq!(reasons, ["green", "green", "longest_waiting"]);
    let called = admin.window("H1", "1", "call-next", json!({})).await;
    assert_eq!(
        (&called["ticket"]["number"], &called["why"]["code"]),
        (&json!("B011"), &json!("green"))
    );
    assert_eq!(called["ticket"]["green"], true);
    admin.window("H1", "1", "start", json!({})).await;
    admin.window("H1", "1", "complete", json!({})).await;
    let order = [
        admin.serve_next("H1", "1").await,
        admin.serve_next("H1", "1").await,
    ];
    assert_eq!(order, ["B012", "B001"]);
}

/// AC-A12-3
#[actix_web::test]
async fn a_tag_taken_away_makes_the_next_ticket_ordinary_and_leaves_the_issued_one_green() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let manager = server.person("li", "manager", &["H1"]).await;
    let kiosk = server.device("kiosk", "kiosk", "H1").await;
    admin
        .put("/halls/H1/policy", green_policy(&["elderly"]))
        .await
        .expect(200);
    let tag = json!({"person": {"kind": "id_card", "id_number": ID_CARD}, "tag": "elderly"});
    manager.post("/tags", tag.clone()).await.expect(201);
    let known = format!("/tags?kind=id_card&id_number={}", ID_CARD.to_lowercase());
    assert_eq!(
        manager.get(&known).await.expect(200),
        json!({"tags": ["elderly"]})
    );
    let wish = json!({
        "service": "S1",
        "holder": {"kind": "id_card", "id_number": ID_CARD, "name": FULL_NAME, "phone": PHONE},
    });
    let green = kiosk
        .post("/halls/H1/tickets", wish.clone())
        .await
        .expect(201);
    assert_eq!(green["green"], true);
    let removed = manager
        .send(
            awc::http::Method::DELETE,
            "/tags",
            Some(tag.to_string()),
            &[],
        )
        .await;
    assert_eq!(removed.status, 204);
    assert_eq!(manager.get(&known).await.expect(200), json!({"tags": []}));
    let again = manager
        .send(
            awc::http::Method::DELETE,
            "/tags",
            Some(tag.to_string()),
            &[],
        )
        .await;
    again.refused(404, "unknown_tag");
    let ordinary = kiosk.post("/halls/H1/tickets", wish).await.expect(201);
    assert_eq!(ordinary["green"], false);
    let kept = admin
        .get(&format!("/halls/H1/tickets/{}", green["id"]))
        .await
        .expect(200);
    assert_eq!(kept["green"], true);
    // Who gave, took and looked stands in the audit, without the document's number.
    let trail = admin.get("/audit?actor=li").await.expect(200);
    let actions: Vec<&str> = list(&trail["items"])
        .iter()
        .map(|row| text(&row["action"]))
        .collect();
    for action in ["tag_added", "tag_removed", "tags_seen"] {
        assert!(actions.contains(&action), "{action} in {actions:?}");
    }
    assert!(!trail.to_string().contains(ID_CARD), "{trail}");
}

/// A12: a new green rule has a new version and does not touch tickets already issued.
#[actix_web::test]
async fn a_changed_green_rule_leaves_the_tickets_already_issued_as_they_were() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    admin.open_windows("H1", &["1"]).await;
    let wish = json!({"service": "S1", "tags": ["elderly"]});
    let first = admin
        .put("/halls/H1/policy", green_policy(&["elderly"]))
        .await
        .expect(200);
    let green = admin
        .post("/halls/H1/tickets", wish.clone())
        .await
        .expect(201);
    let second = admin
        .put("/halls/H1/policy", green_policy(&["disabled"]))
        .await
        .expect(200);
    assert_ne!(first["green"]["version"], second["green"]["version"]);
    let same = admin
        .put("/halls/H1/policy", green_policy(&["disabled"]))
        .await
        .expect(200);
    assert_eq!(same["green"]["version"], second["green"]["version"]);
    let ordinary = admin.post("/halls/H1/tickets", wish).await.expect(201);
    assert_eq!(
        (&green["green"], &ordinary["green"]),
        (&json!(true), &json!(false))
    );
    let called = admin.window("H1", "1", "call-next", json!({})).await;
    let version = first["green"]["version"].to_string();
    assert_eq!(called["ticket"]["number"], green["number"]);
    assert!(
        text(&called["why"]["en"]).contains(&version),
        "{}",
        called["why"]
    );
}
