//! Zones of a hall, and what is said in them.

use serde_json::json;

use crate::harness::{Server, list, text};

/// Zones are set up with the hall's options, windows stand in them, and screens are told.
#[actix_web::test]
async fn windows_stand_in_zones_and_an_unknown_zone_is_refused() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    let in_zone = |zone: &str| json!({"services": ["S1"], "zone": zone});
    let refused = admin.put("/halls/H1/windows/1", in_zone("A")).await;
    let refused = refused.refused(422, "invalid_field");
    assert_eq!(refused["field"], "windows.1.zone");
    let zones = json!([{"id": "A", "name": {"zh": "A区", "en": "Zone A"}}]);
    let options = json!({"options": {"zones": zones}});
    admin.put("/halls/H1", options).await.expect(200);
    admin
        .put("/halls/H1/windows/1", in_zone("A"))
        .await
        .expect(200);
    let hall = admin.get("/halls/H1").await.expect(200);
    assert_eq!(list(&hall["zones"])[0], zones[0]);
    assert_eq!(text(&hall["windows"]["1"]["zone"]), "A");
    assert!(hall["windows"]["2"]["zone"].is_null());
    let emptied = admin.put("/halls/H1", json!({"options": {}})).await;
    assert_eq!(
        emptied.refused(422, "invalid_field")["field"],
        "options.zones"
    );
}
