//! Rules on feeds whose limits are minutes and days: cases on their way to the province, licences.

use serde_json::{Value, json};

use super::feeds::{alerts, by, feed, record, setup, show, take, until_daily};
use super::pushes::{Trouble, Upstream, serve, until};
use crate::harness::{Server, SetClock, list, text};

/// AC-C02-2, for cases that this server pushes: of a hundred two are not acknowledged after ten minutes:
/// 98.0 %, one alert, and the two are listed; sent again, it is over.
#[actix_web::test]
pub(super) async fn pushed_cases_that_the_province_does_not_acknowledge_alarm_until_it_does() {
    let Some(clock) = SetClock::new() else { return };
    let upstream = Upstream::with([(10, Trouble::Fails), (50, Trouble::Fails)]);
    let (url, handle) = serve(&upstream);
    let server = by(&clock).await;
    let admin = server.admin();
    let target = json!({"url": url, "attempts_max": 1});
    feed(
        &admin,
        "province",
        setup("push", "cases", json!({"target": target})),
    )
    .await;
    let cases: Vec<Value> = (1..=100).map(|n| record(n, json!({"n": n}))).collect();
    take(&admin, "province", "today", &cases).await;
    let tried = |all: &Value| (&all["acknowledged"], &all["failed"]) == (&json!(98), &json!(2));
    until(&admin, "province", tried).await;
    assert_eq!(show(&admin, "province").await["success_percent"], 98.0);
    alerts(&admin, "R22-province-feed", 0).await;
    clock.set_ahead(11 * 60);
    let alert = alerts(&admin, "R22-province-feed", 1).await.remove(0);
    assert_eq!(alert["subject"]["id"], "province", "{alert}");
    assert!(text(&alert["text"]["zh"]).contains("2 条未确认"), "{alert}");
    let failed = "/feeds/province/records?state=failed";
    let failed = admin.get(failed).await.expect(200);
    assert_eq!(list(&failed["items"]).len(), 2, "{failed}");
    let again = "/feeds/province/batches/today/retry";
    admin.post(again, json!({})).await.expect(201);
    until(&admin, "province", |all| all["acknowledged"] == 100).await;
    alerts(&admin, "R22-province-feed", 0).await;
    drop(handle.stop(false));
}

/// A case that was not acknowledged is sent in another batch as it is by now: the earlier contents are
/// not pushed any more, and only what came last counts as owed.
#[actix_web::test]
pub(super) async fn contents_that_were_replaced_before_they_arrived_are_not_owed_any_more() {
    let Some(clock) = SetClock::new() else { return };
    let server = by(&clock).await;
    let admin = server.admin();
    feed(&admin, "province", setup("push", "cases", json!({}))).await;
    take(&admin, "province", "b1", &[record(1, json!({"n": 1}))]).await;
    clock.set_ahead(11 * 60);
    alerts(&admin, "R22-province-feed", 1).await;
    take(&admin, "province", "b2", &[record(1, json!({"n": 2}))]).await;
    alerts(&admin, "R22-province-feed", 0).await;
    let waiting = "/feeds/province/records?state=waiting";
    let waiting = admin.get(waiting).await.expect(200);
    let batches: Vec<&str> = list(&waiting["items"])
        .iter()
        .map(|one| text(&one["batch"]))
        .collect();
    assert_eq!(batches, ["b2"], "{waiting}");
}

/// R25: licences due each night at 02:00 do not come; a day later there is an alert, until they do.
#[actix_web::test]
pub(super) async fn licences_that_are_not_brought_up_to_date_alarm_after_a_day() {
    let Some(clock) = SetClock::new() else { return };
    let night = until_daily(1, 50);
    clock.set_ahead(night);
    let server = by(&clock).await;
    let admin = server.admin();
    let daily = json!({"schedule": {"when": "daily", "at": "02:00"}, "limit_secs": 3600});
    feed(&admin, "licences", setup("receive", "licences", daily)).await;
    take(&admin, "licences", "d1", &[record(1, json!({"n": 1}))]).await;
    // Two hours late: of that the general rule tells.
    clock.set_ahead(night + 86_400 + 2 * 3600);
    alerts(&admin, "R14-data-late", 1).await;
    alerts(&admin, "R25-licence-update", 0).await;
    clock.set_ahead(night + 2 * 86_400 + 900);
    let alert = alerts(&admin, "R25-licence-update", 1).await.remove(0);
    assert_eq!(alert["subject"]["id"], "licences", "{alert}");
    alerts(&admin, "R14-data-late", 0).await;
    take(&admin, "licences", "d2", &[record(2, json!({"n": 2}))]).await;
    alerts(&admin, "R25-licence-update", 0).await;
}

/// R25: a delivery that comes in time with licences that changed two days ago is late all the same.
#[actix_web::test]
pub(super) async fn licences_that_changed_long_ago_and_come_only_now_alarm() {
    let server = Server::start_with(&[("HALLKEEPER__ALERTS__PASS_MS", "100")], &[]).await;
    let admin = server.admin();
    feed(&admin, "licences", setup("receive", "licences", json!({}))).await;
    let changed = |n: usize, days: u64| {
        let at = super::now().minus_secs(days * 86_400).rfc3339_utc();
        json!({"id": format!("L{n}"), "changed_at": at, "body": {"n": n}})
    };
    take(&admin, "licences", "b1", &[changed(1, 0), changed(2, 2)]).await;
    let alert = alerts(&admin, "R25-licence-update", 1).await.remove(0);
    assert!(text(&alert["text"]["zh"]).contains("2880"), "{alert}");
    take(&admin, "licences", "b2", &[changed(3, 0)]).await;
    alerts(&admin, "R25-licence-update", 0).await;
}
