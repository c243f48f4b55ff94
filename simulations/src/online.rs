//! On-line services in use, for demonstrations: people look things up and hand cases in by phone. One service
//! was left by its people two days ago, and is silent since.
//!
//! The events of a turn follow from the seed and the turn alone, so that told again they are the same.

use rules::time::{TimeZone, Timestamp};
use serde_json::{Value, json};

use crate::random::Stream;

/// Seconds of a turn.
pub const TURN_SECS: u64 = 30;

struct Service {
    class: &'static str,
    code: &'static str,
    name: &'static str,
    department: &'static str,
    /// Of a thousand turns it is visited in so many.
    visits_permille: u32,
    /// Of a thousand visits so many hand a case in.
    cases_permille: u32,
}

const SERVICES: [Service; 5] = [
    Service {
        class: "handling",
        code: "WW-01",
        name: "社保登记 Social insurance",
        department: "人社局",
        visits_permille: 300,
        cases_permille: 350,
    },
    Service {
        class: "handling",
        code: "WW-02",
        name: "居住证 Residence permit",
        department: "公安局",
        visits_permille: 220,
        cases_permille: 300,
    },
    Service {
        class: "query",
        code: "WW-03",
        name: "办件进度 Progress of a case",
        department: "政务数据局",
        visits_permille: 500,
        cases_permille: 0,
    },
    Service {
        class: "publication",
        code: "WW-04",
        name: "办事指南 Guide",
        department: "政务数据局",
        visits_permille: 180,
        cases_permille: 0,
    },
    Service {
        class: "handling",
        code: SILENT,
        name: "公积金提取 Housing fund",
        department: "公积金中心",
        visits_permille: 0,
        cases_permille: 0,
    },
];

const SILENT: &str = "WW-05";

const RESULTS: [&str; 3] = ["accepted", "accepted", "rejected"];

const REGIONS: [(&str, &str); 2] = [("0101", "东区 East"), ("0102", "西区 West")];

/// The events of the turn that an instant lies in, as the services tell of them.
pub fn events(seed: u64, at: Timestamp) -> Vec<Value> {
    let turn_ms = TURN_SECS as i64 * 1000;
    let turn = at.millis().div_euclid(turn_ms);
    let at = Timestamp::from_millis(turn * turn_ms);
    let mut chance = Stream::new(seed, "online", &turn.to_string());
    let mut events = Vec::new();
    for service in &SERVICES {
        if !chance.chance(service.visits_permille) {
            continue;
        }
        let region = REGIONS[chance.below(REGIONS.len() as u32) as usize];
        let id = format!("{}-{turn}", service.code);
        events.push(event(service, region, at, &id, None));
        if chance.chance(service.cases_permille) {
            let result = RESULTS[chance.below(RESULTS.len() as u32) as usize];
            events.push(event(
                service,
                region,
                at,
                &format!("{id}-case"),
                Some(result),
            ));
        }
    }
    events
}

/// What the silent service told last.
pub fn last_words(now: Timestamp) -> Vec<Value> {
    const TWO_DAYS_MS: i64 = 2 * 86_400_000;
    let at = Timestamp::from_millis(now.millis() - TWO_DAYS_MS);
    let silent = SERVICES.iter().filter(|service| service.code == SILENT);
    let told = silent.map(|service| event(service, REGIONS[0], at, SILENT, None));
    told.collect()
}

fn event(
    service: &Service,
    (region_code, region_name): (&str, &str),
    at: Timestamp,
    id: &str,
    result: Option<&str>,
) -> Value {
    let mut event = json!({
        "id": id, "event": "visit", "class": service.class,
        "item_code": service.code, "item_name": service.name,
        "region_code": region_code, "region_name": region_name,
        "user_id": "demo", "location": "0,0", "device_type": "phone",
        "at": TimeZone::SHANGHAI.rfc3339(at), "department": service.department,
    });
    if let Some(result) = result {
        event["event"] = "case".into();
        event["result"] = result.into();
    }
    event
}

#[cfg(test)]
mod tests {
    use rules::channels::Masking;
    use rules::telemetry::{Event, Happened};

    use super::*;

    const NINE: Timestamp = Timestamp::from_millis(1_767_574_800_000);

    #[test]
    fn all_can_be_kept_and_each_has_its_own_id() {
        let turns = (0..2880).map(|turn| NINE.plus_secs(turn * TURN_SECS));
        let told: Vec<Value> = turns.flat_map(|at| events(7, at)).collect();
        let later = NINE.plus_secs(86_400);
        let known = |told: &Value| Event::told(told, &Masking::default(), later);
        let mut ids = std::collections::BTreeSet::new();
        let mut cases = 0;
        for told in told.iter().chain(&last_words(later)) {
            let event = known(told).unwrap_or_else(|fault| panic!("{told}: {fault}"));
            cases += u32::from(event.happened == Happened::Case);
            assert!(ids.insert(event.id), "{told}");
        }
        assert!(cases > 100 && told.iter().all(|one| one["item_code"] != SILENT));
        assert_eq!(events(7, NINE), events(7, NINE.plus_secs(TURN_SECS - 1)));
    }
}
