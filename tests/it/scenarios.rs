//! The acceptance scenarios, played from outside. Each test names its own.

mod alerts;
mod boards;
mod calling;
mod cases;
mod channels;
mod city;
mod console;
mod days;
mod device_use;
mod devices;
mod feed_rules;
mod feeds;
mod history;
mod journeys;
mod kiosk;
mod notices;
mod on_postgres;
mod own_interfaces;
mod pushes;
mod raters;
mod records;
mod repeats;
mod telemetry;
mod visitors;
mod voice;

use std::time::{SystemTime, UNIX_EPOCH};

use rules::time::Timestamp;
use serde_json::{Value, json};

use crate::harness::number;

/// A document whose check digit fits, and who holds it.
const ID_CARD: &str = "11010519491231002X";
const FULL_NAME: &str = "张明明";
const PHONE: &str = "13812345678";

fn holder() -> Value {
    json!({"kind": "id_card", "id_number": ID_CARD, "name": FULL_NAME, "phone": PHONE})
}

fn now() -> Timestamp {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(millis.as_millis()).unwrap())
}

/// So many seconds from now.
pub fn later(secs: u64) -> String {
    now().plus_secs(secs).rfc3339_utc()
}

/// An appointment from and to so many minutes from now.
fn appointment(name: &str, from_min: i64, to_min: i64) -> Value {
    let at = |min: i64| Timestamp::from_millis(now().millis() + min * 60_000).rfc3339_utc();
    json!({"number": name, "from": at(from_min), "to": at(to_min)})
}

/// The states of the figures add up to what was issued.
#[track_caller]
fn assert_adds_up(figures: &Value) {
    let states = figures.as_object().unwrap();
    let sum: u64 = states
        .iter()
        .filter(|(state, _)| *state != "issued")
        .map(|(_, count)| number(count))
        .sum();
    assert_eq!(number(&figures["issued"]), sum, "{figures}");
}
