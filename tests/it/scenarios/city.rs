//! Many halls: A07.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::assert_adds_up;
use crate::harness::{Live, Server, list, number, text};

/// What a wall knows of the city: totals, and each hall's face.
#[derive(Default)]
struct Wall {
    totals: Value,
    halls: BTreeMap<String, Value>,
}

impl Wall {
    /// Takes the next frame of the city, and checks that its totals are the sum of its halls.
    async fn follow(&mut self, feed: &mut Live) {
        let frame = feed.frame("city").await;
        if frame["kind"] == "snapshot" {
            self.halls.clear();
        }
        let halls = frame["data"]["halls"].as_object().unwrap();
        self.halls
            .extend(halls.iter().map(|(id, face)| (id.clone(), face.clone())));
        self.totals = frame["data"]["totals"].clone();
        assert_adds_up(&self.totals);
        let faces: Vec<&Value> = self.halls.values().map(|face| &face["figures"]).collect();
        assert_sum(&self.totals, &faces);
    }
}

#[track_caller]
fn assert_sum(totals: &Value, halls: &[&Value]) {
    for (state, total) in totals.as_object().unwrap() {
        let sum: u64 = halls.iter().map(|figures| number(&figures[state])).sum();
        assert_eq!(number(total), sum, "{state} of {totals}");
    }
}

/// AC-A07-1
#[actix_web::test]
async fn the_city_is_the_sum_of_its_halls_at_every_step() {
    let server = Server::start().await;
    let admin = server.admin();
    for n in 1..=5 {
        server.hall(&format!("H{n}"), 1).await;
    }
    let mut feed = admin.live(&["city"], json!({})).await;
    let issuing = join_all((1..=5).map(async |n| {
        let hall = format!("H{n}");
        join_all((0..4).map(async |_| {
            for _ in 0..50 {
                admin.issue(&hall, "S1").await;
            }
        }))
        .await
    }));
    let watching = async {
        let mut wall = Wall::default();
        wall.follow(&mut feed).await;
        while number(&wall.totals["issued"]) < 1000 {
            wall.follow(&mut feed).await;
        }
        wall
    };
    let (_, wall) = futures_util::future::join(issuing, watching).await;
    let listed = admin.get("/halls").await.expect(200);
    assert_eq!(listed["totals"]["issued"], 1000);
    assert_eq!(listed["totals"], wall.totals);
    let halls: Vec<&Value> = list(&listed["halls"])
        .iter()
        .map(|hall| &hall["figures"])
        .collect();
    assert_sum(&listed["totals"], &halls);
    for row in list(&listed["halls"]) {
        let id = text(&row["id"]);
        let hall = admin.get(&format!("/halls/{id}")).await.expect(200);
        assert_eq!(
            (&hall["seq"], &hall["figures"]),
            (&row["seq"], &row["figures"]),
            "{id}"
        );
        let shown = &wall.halls[id];
        assert_eq!(
            (&shown["seq"], &shown["figures"]),
            (&row["seq"], &row["figures"]),
            "{id}"
        );
    }
}

/// AC-A07-2
#[actix_web::test]
async fn a_sixth_hall_is_on_the_city_wall_without_restart_and_its_numbers_are_its_own() {
    let server = Server::start().await;
    let admin = server.admin();
    for n in 1..=5 {
        server.hall(&format!("H{n}"), 1).await;
    }
    let mut feed = admin.live(&["city"], json!({})).await;
    let mut wall = Wall::default();
    wall.follow(&mut feed).await;
    let before = admin.issue("H1", "S1").await;
    server.hall("H6", 8).await;
    let new = admin.issue("H6", "S1").await;
    while wall
        .halls
        .get("H6")
        .is_none_or(|face| face["figures"]["issued"] != 1)
    {
        wall.follow(&mut feed).await;
    }
    assert_eq!(wall.halls.len(), 6);
    let hall = admin.get("/halls/H6").await.expect(200);
    assert_eq!(hall["windows"].as_object().unwrap().len(), 8);
    // Both are B001 and ticket 1, and nobody mixes them up.
    assert_eq!(
        (&before["number"], &new["number"]),
        (&json!("B001"), &json!("B001"))
    );
    assert_ne!(before["token"], new["token"]);
    let visitor = server.visitor();
    for (ticket, hall) in [(&before, "H1"), (&new, "H6")] {
        let phone = format!("/tickets/{}", text(&ticket["token"]));
        assert_eq!(visitor.get(&phone).await.expect(200)["hall"], hall);
    }
    let secret = text(&new["token"]).trim_start_matches("H6").to_owned();
    visitor
        .get(&format!("/tickets/H1{secret}"))
        .await
        .refused(404, "unknown_ticket");
    admin.open_windows("H6", &["8"]).await;
    assert_eq!(admin.serve_next("H6", "8").await, "B001");
    let other = admin
        .get(&format!("/halls/H1/tickets/{}", before["id"]))
        .await
        .expect(200);
    assert_eq!(other["state"], "waiting");
    let twice = admin
        .post("/halls", json!({"id": "H6", "name": "另一个"}))
        .await;
    twice.refused(409, "hall_exists");
}

/// AC-A07-3, as far as it can be seen from outside: the whole process dies.
#[actix_web::test]
async fn thirty_seven_waiting_people_stand_in_the_same_order_after_a_crash() {
    let mut server = Server::start().await;
    let admin = server.hall("H3", 2).await;
    let policy = json!({
        "no_show_after_calls": 1, "green": {"tags": ["elderly"]}, "requeue": {"after": 7},
    });
    admin.put("/halls/H3/policy", policy).await.expect(200);
    admin.open_windows("H3", &["1"]).await;
    // One that comes back, one from another queue, green ones between: no plain order of issue.
    let returning = admin.issue("H3", "S1").await;
    admin.window("H3", "1", "call-next", json!({})).await;
    admin.window("H3", "1", "no-show", json!({})).await;
    let moved = admin.issue("H3", "S2").await;
    for n in 0..35 {
        let tags: &[&str] = if n % 9 == 4 { &["elderly"] } else { &[] };
        let wish = json!({"service": "S1", "tags": tags});
        admin.post("/halls/H3/tickets", wish).await.expect(201);
    }
    admin
        .window("H3", "1", "call", json!({"ticket": moved["id"]}))
        .await;
    admin.window("H3", "1", "start", json!({})).await;
    admin
        .window("H3", "1", "transfer", json!({"service": "S1"}))
        .await;
    let back = format!("/halls/H3/tickets/{}/requeue", returning["id"]);
    admin.post(&back, json!({})).await.expect(200);

    let before = line(&server).await;
    assert_eq!(before.len(), 37);
    server.kill();
    server.restart();
    assert_eq!(line(&server).await, before);
    let admin = server.admin();
    for expected in before.iter().take(12) {
        assert_eq!(admin.serve_next("H3", "1").await, *expected);
    }
}

/// The numbers that wait for S1 in H3, by their places.
async fn line(server: &Server) -> Vec<String> {
    let admin = server.admin();
    let waiting = admin
        .get("/halls/H3/tickets?state=waiting&limit=1000")
        .await
        .expect(200);
    let mut places = BTreeMap::new();
    for ticket in list(&waiting["items"]) {
        let kept = admin
            .get(&format!("/halls/H3/tickets/{}", ticket["id"]))
            .await
            .expect(200);
        let taken = places.insert(number(&kept["ahead"]), text(&kept["number"]).to_owned());
        assert_eq!(taken, None, "two in one place");
    }
    assert!(
        places.keys().copied().eq(0..places.len() as u64),
        "{places:?}"
    );
    places.into_values().collect()
}
