//! Looking back: lists, exports, figures of the day: A06.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use super::{appointment, holder};
use crate::harness::{Client, Server, list, number, text};

/// Issues `count` tickets as fast as `clients` at once can, over the services in turn.
async fn issue_many(admin: &Client, count: usize, services: &[&str]) {
    const CLIENTS: usize = 32;
    join_all((0..CLIENTS).map(async |client| {
        for n in (client..count).step_by(CLIENTS) {
            admin.issue("H1", services[n % services.len()]).await;
        }
    }))
    .await;
}

/// AC-A06-1
#[actix_web::test]
async fn a_query_of_2350_tickets_has_24_pages_and_fifty_on_the_last() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    // Many short queues: each number is placed in its own.
    let services: Vec<String> = (b'C'..=b'E').map(|c| char::from(c).to_string()).collect();
    for id in &services {
        let service = json!({"name": id, "prefix": id, "digits": 4});
        admin
            .put(&format!("/halls/H1/services/{id}"), service)
            .await
            .expect(200);
    }
    let mut ids: Vec<&str> = services.iter().map(String::as_str).collect();
    ids.push("S1");
    issue_many(&admin, 2350, &ids).await;
    for sort in ["issued_at", "-number"] {
        let path = format!("/halls/H1/tickets?limit=100&sort={sort}");
        let mut page = admin.get(&path).await.expect(200);
        let mut pages = 1;
        let mut seen: BTreeSet<u64> = BTreeSet::new();
        let mut keys: Vec<String> = Vec::new();
        loop {
            assert_eq!((&page["total"], &page["pages"]), (&json!(2350), &json!(24)));
            seen.extend(
                list(&page["items"])
                    .iter()
                    .map(|ticket| number(&ticket["id"])),
            );
            let key = sort.trim_start_matches('-');
            keys.extend(
                list(&page["items"])
                    .iter()
                    .map(|ticket| text(&ticket[key]).to_owned()),
            );
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            assert_eq!(list(&page["items"]).len(), 100, "page {pages}");
            page = admin
                .get(&format!("{path}&cursor={cursor}"))
                .await
                .expect(200);
            pages += 1;
        }
        assert_eq!((pages, list(&page["items"]).len()), (24, 50), "{sort}");
        assert_eq!(seen.len(), 2350, "each ticket once");
        let in_order = if sort.starts_with('-') {
            keys.is_sorted_by(|a, b| a >= b)
        } else {
            keys.is_sorted()
        };
        assert!(in_order, "{sort}");
    }
}

/// AC-A06-2
#[actix_web::test]
async fn a_ticket_its_appointment_and_its_rating_stand_in_one_answer() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    admin.open_windows("H1", &["1"]).await;
    let wish =
        json!({"service": "S1", "holder": holder(), "appointment": appointment("AP7", -1, 29)});
    let issued = admin.post("/halls/H1/tickets", wish).await.expect(201);
    admin.serve_next("H1", "1").await;
    let rating = format!("/tickets/{}/rating", text(&issued["token"]));
    server
        .visitor()
        .post(&rating, json!({"stars": 5}))
        .await
        .expect(200);
    let found = admin.get("/halls/H1/tickets?number=B001").await.expect(200);
    assert_eq!(found["total"], 1);
    let ticket = &found["items"][0];
    assert_eq!(ticket["number"], "B001");
    assert_eq!(ticket["appointment"]["number"], "AP7");
    assert_eq!(ticket["rating"]["stars"], 5);
    assert_eq!(ticket["loop"]["complete"], true);
    assert_eq!(ticket["holder"]["name_masked"], "张*明");
}

/// AC-A06-3
#[actix_web::test]
async fn an_export_of_412_rows_leaves_one_audit_row_with_user_filter_and_count() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let manager = server.person("li", "manager", &["H1"]).await;
    issue_many(&admin, 412, &["S1"]).await;
    issue_many(&admin, 20, &["S2"]).await;
    let filter = "service=S1&state=waiting";
    let export = manager
        .get(&format!("/halls/H1/tickets.csv?{filter}"))
        .await;
    assert_eq!(
        (export.status, export.header("content-type")),
        (200, Some("text/csv; charset=utf-8"))
    );
    let mut csv = csv::Reader::from_reader(export.text.trim_start_matches('\u{feff}').as_bytes());
    let columns = csv.headers().unwrap().clone();
    let column = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 412);
    let numbers: BTreeSet<&str> = rows.iter().map(|row| &row[column("number")]).collect();
    assert_eq!(numbers.len(), 412);
    assert!(rows.iter().all(|row| &row[column("service")] == "S1"));
    let trail = admin
        .get("/audit?action=tickets_exported")
        .await
        .expect(200);
    let trail = list(&trail["items"]);
    assert_eq!(trail.len(), 1);
    assert_eq!(
        (&trail[0]["actor"], &trail[0]["object"]),
        (&json!("li"), &json!("H1"))
    );
    assert_eq!(trail[0]["detail"], json!({"filter": filter, "rows": 412}));
}

/// A06: the figures of a day, whole and by service, and after the day has ended.
#[actix_web::test]
async fn the_days_figures_add_up_by_service_and_stay_when_the_day_has_ended() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    let policy = json!({"no_show_after_calls": 1});
    admin.put("/halls/H1/policy", policy).await.expect(200);
    admin.open_windows("H1", &["1", "2"]).await;
    for _ in 0..4 {
        admin.issue("H1", "S1").await;
    }
    for _ in 0..3 {
        admin.issue("H1", "S2").await;
    }
    admin.serve_next("H1", "1").await;
    admin.window("H1", "1", "call-next", json!({})).await;
    admin.window("H1", "1", "no-show", json!({})).await;
    admin.window("H1", "1", "call-next", json!({})).await;
    admin.window("H1", "1", "start", json!({})).await;
    admin.window("H1", "1", "hold", json!({})).await;
    let today = admin.get("/halls/H1/figures").await.expect(200);
    let figures =
        |issued: u64, waiting: u64, held: u64, completed: u64, missed: u64, expired: u64| {
            json!({
                "issued": issued, "waiting": waiting, "called": 0, "serving": 0, "held": held,
                "completed": completed, "missed": missed, "cancelled": 0, "expired": expired,
            })
        };
    assert_eq!(today["figures"], figures(7, 4, 1, 1, 1, 0));
    let by_service = json!([
        {"service": "S1", "figures": figures(4, 1, 1, 1, 1, 0)},
        {"service": "S2", "figures": figures(3, 3, 0, 0, 0, 0)},
    ]);
    assert_eq!(today["by_service"], by_service);
    let day = text(&today["day"]).to_owned();
    let empty = admin
        .get("/halls/H1/figures?day=2001-01-01")
        .await
        .expect(200);
    assert_eq!(
        (&empty["figures"]["issued"], &empty["by_service"]),
        (&json!(0), &json!([]))
    );

    admin
        .post("/halls/H1/end-day", json!({}))
        .await
        .refused(409, "hall_not_closed");
    let ticket = admin.window("H1", "2", "call-next", json!({})).await["ticket"].clone();
    let busy = admin
        .post("/halls/H1/close", json!({}))
        .await
        .refused(409, "hall_busy");
    assert_eq!(busy["windows"], json!(["2"]));
    admin.window("H1", "2", "no-show", json!({})).await;
    let closed = admin.post("/halls/H1/close", json!({})).await.expect(200);
    assert_eq!(closed["state"], "closed");
    admin.post("/halls/H1/end-day", json!({})).await.expect(200);
    let ended = admin
        .get(&format!("/halls/H1/figures?day={day}"))
        .await
        .expect(200);
    assert_eq!(ended["figures"], figures(6, 0, 0, 1, 0, 5));
    // Who was put on hold is not done with, and belongs to the new day.
    let live = admin.get("/halls/H1").await.expect(200);
    assert_eq!(live["figures"], figures(1, 0, 1, 0, 0, 0));
    // A ticket of the day that ended is found by its id, as it ended.
    let path = format!("/halls/H1/tickets/{}", ticket["id"]);
    assert_eq!(admin.get(&path).await.expect(200)["state"], "expired");
    // The new day begins with number one again.
    admin.post("/halls/H1/open", json!({})).await.expect(200);
    assert_eq!(admin.issue("H1", "S1").await["number"], "B001");
}
