//! One channel in detail: as its page has it, with the use of its versions and its last calls.

use std::collections::BTreeMap;

use rules::channels::callers::CallerFigures;
use rules::channels::{Call, Channel};
use rules::machine::Machine as _;
use serde::Serialize;
use serde_json::{Value, json};

use crate::channels::Watched;
use crate::web::App;
use crate::web::routes::channels::setup;

/// Calls told with a channel; its history has all.
const LAST_CALLS: u32 = 20;

/// What a version was used for in the last 24 hours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct VersionUse {
    calls: u64,
    failed: u64,
    refused: u64,
    callers: usize,
}

/// A channel that is set up; none while it is being rebuilt or its history does not answer.
pub async fn of(app: &App, watched: &Watched) -> Option<Value> {
    let read = watched.desk.update(|channel: &mut Channel, now| {
        channel.advance(now);
        channel.setup()?;
        let mut face = setup::detail(channel, now);
        // What is the same is told once: the instant alone changes nothing.
        if let Some(fields) = face.as_object_mut() {
            fields.remove("as_of");
        }
        face["by_version"] = json!(by_version(&channel.statistics().callers().figures()));
        Some(face)
    });
    let mut face = read.await??;
    let calls = app.records.last_calls(&watched.id, LAST_CALLS).await.ok()?;
    face["last_calls"] = calls.iter().map(line).collect();
    Some(face)
}

/// A call without what was asked and answered.
fn line(call: &Call) -> Value {
    let mut face = call.face();
    if let Some(fields) = face.as_object_mut() {
        fields.remove("request");
        fields.remove("response");
    }
    face
}

/// The use of each version; calls that named none, and callers without a line of their own, under "".
fn by_version(lines: &[CallerFigures]) -> BTreeMap<String, VersionUse> {
    let mut all: BTreeMap<String, VersionUse> = BTreeMap::new();
    for line in lines {
        let own = all
            .entry(line.version.clone().unwrap_or_default())
            .or_default();
        own.calls += u64::from(line.day.calls);
        own.failed += u64::from(line.day.failed);
        own.refused += u64::from(line.day.refused);
        own.callers += 1;
    }
    all
}
