//! One person's way through halls, windows and cases: D03.

use serde_json::{Value, json};

use super::{ID_CARD, holder, now};
use crate::harness::{Client, Server, list, number, text};

const PATH: &str = "/journeys?kind=id_card&id_number=";

fn instant() -> String {
    now().rfc3339_utc()
}

async fn served(admin: &Client, hall: &str, window: &str, more: Value) -> Value {
    let mut wish = json!({"service": "S1", "holder": holder()});
    let fields = more.as_object().expect("fields").clone();
    wish.as_object_mut().expect("a wish").extend(fields);
    let path = format!("/halls/{hall}/tickets");
    let ticket = admin.post(&path, wish).await.expect(201);
    assert_eq!(
        admin.serve_next(hall, window).await,
        text(&ticket["number"])
    );
    ticket
}

fn aspects(journey: &Value) -> Vec<&str> {
    let stops = list(&journey["stops"]).iter();
    stops.map(|stop| text(&stop["aspect"])).collect()
}

/// AC-D03-4: consulted in one hall, booked, took a number, applied, got approval and rated in another:
/// six aspects in the order of time, each with its ids; in one hall's scope, that hall's alone.
#[actix_web::test]
async fn the_way_of_one_person_shows_six_aspects_in_order_of_time() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    server.hall("H2", 1).await;
    let window = json!({"services": ["S1", "S2"], "kind": "consultation"});
    let path = "/halls/H2/windows/1";
    admin.put(path, window).await.expect(200);
    admin.open_windows("H1", &["1"]).await;
    admin.open_windows("H2", &["1"]).await;

    let consulted = served(&admin, "H2", "1", json!({})).await;
    let mut appointment = super::appointment("AP-7", -5, 30);
    appointment["booked_at"] = json!(instant());
    let ticket = served(&admin, "H1", "1", json!({"appointment": appointment})).await;
    let person = json!({"kind": "id_card", "id_number": ID_CARD});
    let case = json!({
        "case_no": "K1", "item": "开店", "department": "住建", "hall": "H1", "holder": person,
        "tickets": [ticket["id"]], "received_at": instant(), "accepted_at": instant(),
    });
    admin.post("/cases", case).await.expect(201);
    let granted = json!({"kind": "closed", "at": instant()});
    admin.post("/cases/K1/steps", granted).await.expect(201);
    let rating = format!("/halls/H1/tickets/{}/rating", ticket["id"]);
    admin.post(&rating, json!({"stars": 5})).await.expect(200);
    // Somebody else's ticket is not on the way.
    admin.issue("H1", "S1").await;

    let chief = server.person("zhou", "supervisor", &["*"]).await;
    let journey = chief.get(&format!("{PATH}{ID_CARD}")).await.expect(200);
    let wanted = [
        "consultation",
        "booking",
        "number",
        "application",
        "approval",
        "rating",
    ];
    assert_eq!(aspects(&journey), wanted);
    assert_eq!(journey["missing"], json!([]));
    let stops = list(&journey["stops"]);
    let at = |place: usize, field: &str| stops[place][field].clone();
    assert_eq!(
        (at(0, "hall"), at(0, "ticket")),
        (json!("H2"), consulted["id"].clone())
    );
    assert_eq!(at(1, "appointment"), "AP-7");
    assert_eq!(
        (at(2, "number"), at(2, "window")),
        (ticket["number"].clone(), json!("1"))
    );
    assert_eq!(
        (at(3, "case_no"), at(4, "case_no")),
        (json!("K1"), json!("K1"))
    );
    assert_eq!(
        (at(4, "state"), at(5, "stars")),
        (json!("closed"), json!(5))
    );
    let times: Vec<&str> = stops.iter().map(|stop| text(&stop["at"])).collect();
    assert!(times.is_sorted(), "{times:?}");

    let own = server.person("li", "supervisor", &["H1"]).await;
    let journey = own.get(&format!("{PATH}{ID_CARD}")).await.expect(200);
    assert_eq!(aspects(&journey), wanted[1..]);
    assert_eq!(journey["missing"], json!(["consultation"]));
    let nobody = own.get("/journeys?kind=phone&id_number=13912345678").await;
    assert_eq!(list(&nobody.expect(200)["missing"]).len(), 6);
    let wrong = own.get("/journeys?kind=id_card&id_number=1").await;
    assert_eq!(wrong.refused(422, "invalid_field")["field"], "id_number");
    let clerk = server.person("qian", "clerk", &["H1"]).await;
    let refused = clerk.get(&format!("{PATH}{ID_CARD}")).await;
    refused.refused(403, "forbidden");
    let audit = admin.get("/audit?action=journey_seen").await.expect(200);
    assert_eq!(list(&audit["items"]).len(), 3);
    assert!(!audit.to_string().contains(ID_CARD), "{audit}");
    let shown = journey.to_string();
    assert!(
        !shown.contains(ID_CARD) && !shown.contains(super::FULL_NAME),
        "{shown}"
    );
    assert!(number(&ticket["id"]) > 0);
}
