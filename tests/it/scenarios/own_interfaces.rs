//! The product's own interfaces as channels: counted, judged and alarmed like others.

use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, list, number};

async fn figures(admin: &Client, channel: &str) -> Value {
    let face = admin.get(&format!("/channels/{channel}")).await.expect(200);
    face["figures"][2].clone()
}

async fn counted(admin: &Client, channel: &str, field: &str, least: u64) -> Value {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let figures = figures(admin, channel).await;
        if number(&figures[field]) >= least {
            return figures;
        }
        assert!(std::time::Instant::now() < until, "{channel}: {figures}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// A mistaken request is not our failure, a refused one is refused, and each is counted; the journal is not
/// written for them.
#[actix_web::test]
async fn requests_to_ourselves_are_counted_by_family() {
    let mut server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let figures = counted(&admin, "own-halls", "calls", 1).await;
    assert_eq!(figures["failed"], 0);
    for _ in 0..30 {
        admin.get("/halls/none").await.refused(404, "unknown_hall");
        server.visitor().get("/channels").await;
    }
    let halls = counted(&admin, "own-halls", "calls", 30).await;
    assert_eq!(
        (&halls["failed"], &halls["refused"]),
        (&json!(0), &json!(0))
    );
    let channels = counted(&admin, "own-channels", "refused", 30).await;
    assert_eq!(
        (&channels["failed"], &channels["refused"]),
        (&json!(0), &json!(30))
    );
    let face = admin.get("/channels/own-halls").await.expect(200);
    assert_eq!(face["health"], "healthy");
    // Refusals are in the history as examples, the others are not.
    let until = std::time::Instant::now() + PATIENCE;
    let kept = loop {
        let kept = admin.get("/channels/own-channels/calls").await.expect(200);
        if kept["total"] != 0 {
            break kept;
        }
        assert!(std::time::Instant::now() < until, "{kept}");
    };
    let kept = list(&kept["items"]);
    assert!((1..=10).contains(&kept.len()), "{kept:?}");
    assert!(
        kept.iter()
            .all(|call| call["result"] == "refused" && call["status"] == 401)
    );
    assert_eq!(kept[0]["request"]["path"], "/api/v1/channels");
    let none = admin.get("/channels/own-halls/calls").await.expect(200);
    assert_eq!(none["total"], 0);
    // After a stop in good order it goes on where it was.
    server.stop();
    server.restart();
    let admin = server.admin();
    let after = counted(&admin, "own-channels", "refused", 30).await;
    assert_eq!(after["refused"], 30);
}

/// They are ours: nobody tells of their calls, and nobody makes one.
#[actix_web::test]
async fn own_channels_are_not_told_of_by_others() {
    let server = Server::start().await;
    let admin = server.admin();
    let call = json!({"caller": "A", "at": super::now().rfc3339_utc(), "status": 200});
    let told = admin.post("/channels/own-halls/calls", call).await;
    told.refused(409, "own_channel");
    let setup = json!({"name": {"zh": "x", "en": "x"}, "provider": "x", "direction": "inbound"});
    let made = admin.put("/channels/own-other", setup).await;
    made.refused(422, "invalid_field");
    // Their limits may be set like others'.
    let face = admin.get("/channels/own-halls").await.expect(200);
    let mut setup = face["setup"].clone();
    setup["limits"]["slow_ms"] = json!(500);
    admin.put("/channels/own-halls", setup).await.expect(200);
    let gone = admin.delete("/channels/own-halls").await;
    assert!(gone.status == 404 || gone.status == 405, "{}", gone.text);
}
