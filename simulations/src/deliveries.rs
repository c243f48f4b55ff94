//! Data that a hall is given, for demonstrations: every five minutes the province says what it decided about cases.
//! Once an hour it does not. Most records are right; some dates are written in a way that can mean only one thing,
//! and some records name an item that does not exist, until the next delivery has them right.
//!
//! A delivery follows from the seed and its time alone, so that one made again is the same.

use rules::time::{TimeZone, Timestamp};
use serde_json::{Value, json};

use crate::random::Stream;

/// Seconds from one delivery to the next.
pub const PERIOD_SECS: u32 = 300;

/// Of the deliveries of an hour this one does not come.
const MISSING: i64 = 7;

const AN_HOUR: i64 = 12;

/// Items that cases can be about.
pub const ITEMS: [&str; 4] = ["A1", "A2", "B1", "B2"];

/// Of a thousand records so many have a date in another form, and so many an item that does not exist.
const OTHER_FORMS_PERMILLE: u32 = 30;
const FAULTS_PERMILLE: u32 = 20;

/// Records of one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Names it: the instant it was due, in UTC.
    pub batch: String,
    /// Each with its id.
    pub records: Vec<(String, Value)>,
}

/// The delivery that was due last; none where that one does not come.
pub fn due(seed: u64, now: Timestamp) -> Option<Delivery> {
    let period = i64::from(PERIOD_SECS) * 1000;
    let turn = now.millis().div_euclid(period);
    if turn.rem_euclid(AN_HOUR) == MISSING {
        return None;
    }
    let before = match (turn - 1).rem_euclid(AN_HOUR) {
        MISSING => turn - 2,
        _ => turn - 1,
    };
    let again = records(seed, before).filter(|one| one.faulty);
    let again = again.map(Record::right);
    let fresh = records(seed, turn).map(Record::told);
    let at = Timestamp::from_millis(turn * period).rfc3339_utc();
    Some(Delivery {
        batch: at
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(13)
            .collect(),
        records: again.chain(fresh).collect(),
    })
}

struct Record {
    id: String,
    item: &'static str,
    decided_on: String,
    granted: bool,
    faulty: bool,
}

fn records(seed: u64, turn: i64) -> impl Iterator<Item = Record> {
    let mut chance = Stream::new(seed, "deliveries", &turn.to_string());
    let at = Timestamp::from_millis(turn * i64::from(PERIOD_SECS) * 1000);
    let day = TimeZone::SHANGHAI.date_of(at);
    let count = 20 + chance.below(20);
    (1..=count).map(move |n| {
        let form = match chance.chance(OTHER_FORMS_PERMILLE) {
            true => "%Y/%-m/%-d",
            false => "%Y-%m-%d",
        };
        Record {
            id: format!("{turn}-{n}"),
            item: ITEMS[chance.below(ITEMS.len() as u32) as usize],
            decided_on: day.format(form).to_string(),
            granted: !chance.chance(40),
            faulty: chance.chance(FAULTS_PERMILLE),
        }
    })
}

impl Record {
    /// As it is told at first.
    fn told(self) -> (String, Value) {
        match self.faulty {
            true => Self { item: "Z9", ..self }.right(),
            false => self.right(),
        }
    }

    fn right(self) -> (String, Value) {
        let body = json!({
            "case": format!("SX-{}", self.id),
            "item": self.item,
            "decided_on": self.decided_on,
            "decision": if self.granted { "granted" } else { "refused" },
        });
        (self.id, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NINE: Timestamp = Timestamp::from_millis(1_767_574_800_000);

    fn day() -> impl Iterator<Item = Option<Delivery>> {
        (0..288).map(|turn| due(7, NINE.plus_secs(turn * u64::from(PERIOD_SECS) + 12)))
    }

    #[test]
    fn one_delivery_an_hour_does_not_come_and_no_two_have_one_name() {
        let batches: Vec<String> = day().flatten().map(|one| one.batch).collect();
        assert_eq!(batches.len(), 24 * 11);
        assert!(batches.is_sorted_by(|one, next| one < next), "{batches:?}");
        assert_eq!(due(7, NINE), due(7, NINE.plus_secs(299)));
    }

    #[test]
    fn what_was_wrong_comes_again_and_is_right() {
        let mut wrong: Vec<String> = Vec::new();
        let mut faults = 0;
        for delivery in day().flatten() {
            for id in wrong.drain(..) {
                let again = delivery.records.iter().find(|(told, _)| *told == id);
                let (_, body) = again.expect("told again");
                assert!(
                    ITEMS.contains(&body["item"].as_str().unwrap_or_default()),
                    "{body}"
                );
            }
            let faulty = delivery
                .records
                .iter()
                .filter(|(_, body)| body["item"] == "Z9");
            wrong.extend(faulty.map(|(id, _)| id.clone()));
            faults += wrong.len();
        }
        assert!(faults > 50, "{faults}");
    }
}
