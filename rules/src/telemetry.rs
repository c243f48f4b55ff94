//! What on-line services tell of their use (服务埋点): visits of pages and cases handed in.
//!
//! An item that is handled counts visits and cases; an item to query or to read, and a page that is
//! no item, count visits only. An event that cannot be is refused by the name of its field; the
//! others of the same delivery stand. What is kept is masked before anybody sees it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::channels::masking::Masking;
use crate::time::Timestamp;

/// Events of one delivery.
pub const EVENTS_MAX: usize = 200;

/// Largest log of an event, in bytes as it is told.
const LOG_MAX_BYTES: usize = 16 * 1024;

const TEXT_MAX_CHARS: usize = 128;

/// A clock of a visitor's device may be so much ahead of ours.
const AHEAD_SECS: u64 = 300;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// 访问: somebody came to the page.
    Visit,
    /// 办件: somebody handed something in.
    Case,
}

/// What it happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// 办理类
    Handling,
    /// 查询类
    Query,
    /// 公示类
    Publication,
    /// 非事项: a page that is no item.
    Page,
}

impl Happened {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Visit => "visit",
            Self::Case => "case",
        }
    }
}

impl Class {
    pub const ALL: [Self; 4] = [Self::Handling, Self::Query, Self::Publication, Self::Page];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Handling => "handling",
            Self::Query => "query",
            Self::Publication => "publication",
            Self::Page => "page",
        }
    }

    /// Whether cases are counted of it.
    pub const fn counts_cases(self) -> bool {
        matches!(self, Self::Handling)
    }
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// One event has one id, however often it is told.
    pub id: String,
    pub at: Timestamp,
    pub happened: Happened,
    pub class: Class,
    /// The item's code; of a page that is no item the code of its application.
    pub code: String,
    pub name: String,
    pub department: Option<String>,
    pub region: String,
    /// All that was told, masked.
    pub told: Value,
}

/// Why an event is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub field: &'static str,
    pub zh: &'static str,
    pub en: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the field {} {}", self.field, self.en)
    }
}

const FIELDS: [&str; 18] = [
    "id",
    "event",
    "class",
    "item_code",
    "item_name",
    "app_code",
    "page_url",
    "department",
    "region_code",
    "region_name",
    "user_id",
    "location",
    "at",
    "device_type",
    "result",
    "log",
    "session_id",
    "trace_id",
];

const fn fault(field: &'static str, zh: &'static str, en: &'static str) -> Fault {
    Fault { field, zh, en }
}

const fn missing(field: &'static str) -> Fault {
    fault(field, "缺失或为空", "is missing or empty")
}

struct Told<'a>(&'a Map<String, Value>);

impl Told<'_> {
    /// A text that may be left out.
    fn text(&self, field: &'static str) -> Result<Option<&str>, Fault> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => {
                let text = text.trim();
                if text.chars().count() > TEXT_MAX_CHARS || text.chars().any(char::is_control) {
                    let en = "has at most 128 characters on one line";
                    return Err(fault(field, "应为一行，至多 128 个字符", en));
                }
                Ok((!text.is_empty()).then_some(text))
            }
            Some(_) => Err(fault(field, "应为文本", "is a text")),
        }
    }

    fn needed(&self, field: &'static str) -> Result<&str, Fault> {
        self.text(field)?.ok_or(missing(field))
    }
}

impl Event {
    /// Checks what was told and hides what nobody shall see.
    ///
    /// # Errors
    /// The first field that cannot be.
    pub fn told(value: &Value, masking: &Masking, now: Timestamp) -> Result<Self, Fault> {
        let not_an_object = fault("event", "每个事件应为一个对象", "is an object");
        let fields = value.as_object().ok_or(not_an_object)?;
        if fields.keys().any(|name| !FIELDS.contains(&name.as_str())) {
            return Err(fault(
                "event",
                "含有未知的字段",
                "has a field that is not known",
            ));
        }
        let told = Told(fields);
        let (happened, class) = (happened(&told)?, class(&told)?);
        if happened == Happened::Case && !class.counts_cases() {
            let en = "is a visit: cases are counted of handling items only";
            return Err(fault("event", "只有办理类事项统计办件", en));
        }
        let (code, name) = match class {
            Class::Page => (told.needed("app_code")?, told.needed("page_url")?),
            _ => (told.needed("item_code")?, told.needed("item_name")?),
        };
        for field in ["region_name", "user_id", "location", "device_type"] {
            told.needed(field)?;
        }
        if happened == Happened::Case {
            told.needed("result")?;
        }
        let log = fields.get("log").map_or(0, |log| log.to_string().len());
        if log > LOG_MAX_BYTES {
            return Err(fault("log", "至多 16 KiB", "has 16 KiB at most"));
        }
        Ok(Self {
            id: told.needed("id")?.to_owned(),
            at: instant(&told, now)?,
            happened,
            class,
            code: code.to_owned(),
            name: masking.text(name),
            department: told.text("department")?.map(str::to_owned),
            region: told.needed("region_code")?.to_owned(),
            told: masked(value, masking),
        })
    }
}

fn happened(told: &Told<'_>) -> Result<Happened, Fault> {
    match told.needed("event")? {
        "visit" => Ok(Happened::Visit),
        "case" => Ok(Happened::Case),
        _ => Err(fault("event", "应为 visit 或 case", "is visit or case")),
    }
}

fn class(told: &Told<'_>) -> Result<Class, Fault> {
    let wanted = told.needed("class")?;
    let found = Class::ALL.into_iter().find(|class| class.name() == wanted);
    let en = "is handling, query, publication or page";
    found.ok_or(fault(
        "class",
        "应为 handling、query、publication 或 page",
        en,
    ))
}

fn instant(told: &Told<'_>, now: Timestamp) -> Result<Timestamp, Fault> {
    let at = Timestamp::parse_rfc3339(told.needed("at")?);
    let at = at.ok_or(fault(
        "at",
        "应为 RFC 3339 时间",
        "is a time as in RFC 3339",
    ))?;
    match at > now.plus_secs(AHEAD_SECS) {
        true => Err(fault("at", "在未来", "lies in the future")),
        false => Ok(at),
    }
}

/// The whole event without what could name a person: who it was keeps two signs at the end.
fn masked(value: &Value, masking: &Masking) -> Value {
    let mut told = masking.value(value.clone());
    if let Some(user) = value.get("user_id").and_then(Value::as_str) {
        let signs = user.chars().count();
        let tail: String = user.chars().skip(signs.saturating_sub(2)).collect();
        let kept = if signs > 4 { tail.as_str() } else { "" };
        told["user_id"] = format!("***{kept}").into();
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn told(change: Value) -> Result<Event, Fault> {
        let mut event = json!({
            "id": "e1", "event": "visit", "class": "handling", "item_code": "430100-01",
            "item_name": "社保登记", "region_code": "430100", "region_name": "长沙市",
            "user_id": "u-123456", "location": "28.2,112.9", "at": NOW.rfc3339_utc(),
            "device_type": "phone",
        });
        for (name, value) in change.as_object().unwrap_or(&Map::new()) {
            event[name] = value.clone();
        }
        Event::told(&event, &Masking::default(), NOW)
    }

    #[test]
    fn each_required_field_is_named_when_it_is_missing() {
        for field in [
            "id",
            "event",
            "class",
            "item_code",
            "item_name",
            "region_code",
            "region_name",
            "user_id",
            "location",
            "at",
            "device_type",
        ] {
            let refused = told(json!({field: null})).expect_err(field);
            assert_eq!(refused.field, field);
            let refused = told(json!({field: " "})).expect_err(field);
            assert_eq!(refused.field, field);
        }
        for (field, wrong) in [
            ("event", json!("click")),
            ("class", json!("other")),
            ("at", json!("noon")),
            ("at", json!("2999-01-01T00:00:00Z")),
            ("item_code", json!(7)),
            ("region_name", json!("x".repeat(129))),
            ("log", json!("x".repeat(17_000))),
        ] {
            assert_eq!(told(json!({field: wrong})).expect_err(field).field, field);
        }
        assert_eq!(
            told(json!({"colour": "red"})).expect_err("unknown").field,
            "event"
        );
        assert_eq!(
            Event::told(&json!(7), &Masking::default(), NOW)
                .expect_err("7")
                .field,
            "event"
        );
    }

    #[test]
    fn cases_belong_to_handling_items_and_have_a_result() {
        assert_eq!(
            told(json!({"event": "case"})).expect_err("no result").field,
            "result"
        );
        let case = told(json!({"event": "case", "result": "accepted"})).expect("a case");
        assert_eq!(
            (case.happened, case.class),
            (Happened::Case, Class::Handling)
        );
        for class in ["query", "publication", "page"] {
            let case = json!({"event": "case", "result": "ok", "class": class});
            assert_eq!(told(case).expect_err(class).field, "event");
        }
        // A page is no item: it has an application and an address.
        assert_eq!(
            told(json!({"class": "page"})).expect_err("page").field,
            "app_code"
        );
        let page = json!({"class": "page", "app_code": "app", "page_url": "https://x/home", "item_code": null});
        assert_eq!(told(page).expect("a page").code, "app");
    }

    #[test]
    fn what_is_kept_names_nobody() {
        let log = json!({"input": "身份证 11010519491231002X 手机 13812345678", "idNumber": "11010519491231002X"});
        let event = told(json!({"log": log})).expect("an event");
        let kept = event.told.to_string();
        for secret in ["11010519491231002X", "13812345678", "u-123456"] {
            assert!(!kept.contains(secret), "{kept}");
        }
        assert_eq!(event.told["user_id"], "***56");
        assert_eq!(event.told["item_code"], "430100-01");
    }
}
