//! Records of calls: what is accepted, how it is judged, and that nothing stays that should be hidden.

use rules::channels::masking::MASKED;
use rules::channels::seen::{Body, Keeping, Seen};
use rules::channels::{CallRefusal, ChannelRefusal, Limits, Masking, NewCall, Outcome};
use rules::testing::clock;
use serde_json::{Value, json};

fn checked(told: Value) -> Result<rules::channels::Call, String> {
    let new: NewCall = serde_json::from_value(told).map_err(|error| error.to_string())?;
    let channel = "sms".parse().expect("an id");
    new.checked(
        &channel,
        || "made".to_owned(),
        &Limits::default(),
        &Masking::default(),
        clock("09:05"),
    )
    .map_err(|fault| fault.to_string())
}

fn told(more: &[(&str, Value)]) -> Value {
    let mut call = json!({"caller": "app", "at": "2026-11-02T09:00:00+08:00"});
    for (field, value) in more {
        call[*field] = value.clone();
    }
    call
}

#[test]
fn a_call_is_judged_by_its_status_unless_it_says_itself() {
    for (more, result, reason) in [
        (vec![("status", json!(200))], Outcome::Ok, None),
        (vec![("status", json!(302))], Outcome::Ok, None),
        (
            vec![("status", json!(404))],
            Outcome::Failed,
            Some("status_404"),
        ),
        (vec![], Outcome::Failed, Some("no_answer")),
        (
            vec![("reason", json!("timeout"))],
            Outcome::Failed,
            Some("timeout"),
        ),
        (
            vec![
                ("status", json!(200)),
                ("result", json!("failed")),
                ("reason", json!("code 7")),
            ],
            Outcome::Failed,
            Some("code 7"),
        ),
        (
            vec![("result", json!("refused")), ("reason", json!("wrong_key"))],
            Outcome::Refused,
            Some("wrong_key"),
        ),
    ] {
        let call = checked(told(&more)).expect("a call");
        assert_eq!(
            (call.result, call.reason.as_deref()),
            (result, reason),
            "{more:?}"
        );
        assert_eq!(call.refusal().is_some(), result == Outcome::Refused);
    }
    let refused = [
        ("result", json!("refused")),
        ("reason", json!("version_revoked")),
    ];
    let call = checked(told(&refused)).expect("a call");
    assert_eq!(call.refusal(), Some(CallRefusal::VersionRevoked));
    let whole = told(&[("duration_ms", json!(12.3456)), ("version", json!("v1"))]);
    let call = checked(whole).expect("a call");
    assert_eq!((call.micros, call.id.as_str()), (Some(12_346), "made"));
    assert_eq!(call.measured().version, "v1");
    assert_eq!(call.face()["duration_ms"], json!(12.346));
    let text = serde_json::to_string(&call).expect("JSON");
    assert_eq!(
        serde_json::from_str::<rules::channels::Call>(&text).expect("a call"),
        call
    );
}

#[test]
fn a_field_that_cannot_be_is_named() {
    for (field, value, complaint) in [
        ("id", json!("a b"), "the field id"),
        ("id", json!(""), "the field id"),
        ("caller", json!(" "), "the field caller"),
        ("caller", json!("x".repeat(65)), "the field caller"),
        ("version", json!("v/1"), "the field version"),
        ("at", json!("2026-11-02T09:10:01+08:00"), "the field at"),
        ("at", json!("2026-11-02 09:00"), "RFC 3339"),
        ("duration_ms", json!(-0.001), "the field duration_ms"),
        ("duration_ms", json!(1e9), "the field duration_ms"),
        ("status", json!(99), "the field status"),
        ("status", json!(600), "the field status"),
        ("reason", json!("a\nb"), "the field reason"),
        ("trace_id", json!("x".repeat(65)), "the field trace_id"),
        ("result", json!("good"), "unknown variant `good`"),
        ("staus", json!(200), "unknown field `staus`"),
    ] {
        let told = checked(told(&[(field, value.clone())])).expect_err("a refusal");
        assert!(told.contains(complaint), "{field} = {value}: {told}");
    }
    let said = ChannelRefusal::invalid("status", "is from 100 to 599").to_string();
    assert_eq!(
        checked(told(&[("status", json!(7))])).expect_err("a refusal"),
        said
    );
}

#[test]
fn a_long_part_is_cut_after_it_was_masked() {
    let long = format!("{}13812345678{}", "办".repeat(2725), "x".repeat(90_000));
    let call = checked(told(&[("request", json!({ "body": long }))])).expect("a call");
    let request = call.request.expect("a request");
    assert!(!request.text().contains("12345"));
    let request: Value = serde_json::from_str(request.text()).expect("JSON");
    assert!(request["bytes"].as_u64().expect("a number") > 90_000);
    assert!(request["cut"].as_str().expect("a text").len() <= 8192);
}

#[test]
fn calls_of_one_kind_have_one_path_family_without_numbers_of_persons() {
    let request = json!({"path": "/person/350102199001011234/cases?token=abc"});
    let call = checked(told(&[("request", request)])).expect("a call");
    assert_eq!(call.path_family.as_deref(), Some("/person/{n}/cases"));
    let request = json!({"path": "/p/a13812345678b"});
    let call = checked(told(&[("request", request)])).expect("a call");
    assert!(!call.path_family.expect("a family").contains("12345"));
}

/// A secret in every form that was thought of: none of its digits or letters may be left.
#[test]
fn nothing_unmasked_stays() {
    const ID: &str = "350102199001011234";
    const ID_X: &str = "11010519491231002X";
    const OLD_ID: &str = "350102900101123";
    const PHONE: &str = "13812345678";
    const CARD: &str = "6222020200112233446";
    let texts = [
        ID.to_owned(),
        format!("证件{ID}，电话{PHONE}。"),
        format!("id={ID}&x=1"),
        format!("a{ID_X}b"),
        format!("A{}", ID_X.to_lowercase()),
        format!("old {OLD_ID} old"),
        format!("+86{PHONE}"),
        format!("+86 {PHONE}"),
        format!("0086-{PHONE}"),
        "138 1234 5678".to_owned(),
        "138-1234-5678 at noon".to_owned(),
        "138.1234.5678".to_owned(),
        "on 2026-11-02 13812345678 called".to_owned(),
        "2026-11-02-13812345678".to_owned(),
        "１３８１２３４５６７８".to_owned(),
        "350102 19900101 1234".to_owned(),
        "350102-19900101-123X".to_owned(),
        format!("card {CARD}"),
        "6222 0202 0011 2233 446".to_owned(),
        format!("{ID}{PHONE}"),
        format!("{PHONE}{PHONE}"),
        "%31%33%38%31%32%33%34%35%36%37%38".to_owned(),
        "phone%3D138%31%32345678".to_owned(),
        format!("<sfz>{ID}</sfz>"),
        format!("{{\"a\": \"{{\\\"b\\\": \\\"{PHONE}\\\"}}\"}}"),
        "\"\\u0031\\u0033812345678\"".to_owned(),
        format!("http://h/person/{ID}?a=1"),
    ];
    let middle = [
        "0102199001011",
        "01051949123100",
        "01029001011",
        "12345",
        "1234 5",
        "2020200112233",
        "１２３４",
        "0202",
        "19900101",
        "%31%32",
    ];
    let masking = Masking::default();
    for text in &texts {
        for masked in [
            masking.text(text),
            masking.value(json!({"deep": [{"note": text}]})).to_string(),
            masking.value(json!({ text.as_str(): 1 })).to_string(),
        ] {
            for left in middle {
                assert!(!masked.contains(left), "{text} -> {masked} has {left}");
            }
        }
    }
    assert_eq!(masking.value(json!(13812345678_u64)), json!("138****5678"));
    assert_eq!(masking.text(ID_X), "110***********002X");
}

#[test]
fn named_fields_are_hidden_whatever_they_hold_and_wherever_they_stand() {
    let masking = Masking::default();
    let value = json!({
        "password": "hunter2", "user": {"Access_Token": ["hunter2", 7], "real-name": "欧阳明敏"},
        "name": "欧阳明敏", "手机号": 7, "headers": {"Authorization": "Basic aHVudGVyMg==", "Set-Cookie": "hunter2"},
        "list": [{"name": "password", "value": "hunter2"}, {"key": "mobile", "value": 5550199}],
        "inner": "{\"pwd\": \"hunter2\", \"n\": [\"欧阳明敏\", {\"xm\": \"欧阳明敏\"}]}",
        "form": "user=a&password=hunter2&x=1", "raw": "a; Cookie: sid=hunter2; b=hunter2\r\nAccept: */*",
        "xml": "<a><ns:Password type=\"x\">hunter2</ns:Password><姓名>欧阳明敏</姓名></a>",
        "quoted": "{password: 'hunter2 hunter2', token : \"hunter2\"", "phone": null, "has_phone": true,
    });
    let masked = masking.value(value);
    let text = masked.to_string();
    for secret in ["hunter2", "aHVudGVyMg", "5550199"] {
        assert!(!text.contains(secret), "{text}");
    }
    // One name stands in a list without a field's name; nothing tells what it is.
    assert_eq!(text.matches("欧阳明敏").count(), 1, "{text}");
    assert_eq!(masked["form"], json!("user=a&password=***&x=1"));
    assert_eq!(
        (&masked["phone"], &masked["has_phone"]),
        (&Value::Null, &json!(true))
    );
    assert_eq!(masked["list"][0]["name"], json!("password"));
    assert_eq!(masked["password"], json!(MASKED));
    assert_eq!(
        masking.text("write to zhang.san@example.gov.cn today"),
        "write to z********@example.gov.cn today"
    );
}

#[test]
fn hostile_texts_take_no_longer_than_others() {
    let masking = Masking::default();
    for sign in [
        "=", ":", ">", "<", "\"", "[", "%31", "1 ", "1-", "@", "a@", "{\"a\":", "phone=", "１",
    ] {
        let text = sign.repeat(65_536 / sign.len());
        assert!(!masking.text(&text).is_empty());
        assert!(!masking.value(json!({ "a": text })).is_null());
    }
}

#[test]
fn what_is_no_secret_stays_as_it_is() {
    let masking = Masking::default();
    for text in [
        "2026-11-02T09:00:00.123+08:00",
        "1762045500123",
        "20261102091500123",
        "WO-000123",
        "order 20261102000017",
        "GET /api/v1/halls/H1/tickets?after=100&limit=20",
        "192.168.1.20:8080",
        "12:30",
        "sha 4bf92f3577b34da6a3ce929d0e0e4736",
        "filename=report.pdf",
        "{not json",
        "a: b",
        "",
        "100% sure",
    ] {
        assert_eq!(masking.text(text), text);
    }
    let value =
        json!({"count": 1762045500123_u64, "ratio": 0.125, "items": [1, 2, 3], "state": "ok"});
    assert_eq!(masking.value(value.clone()), value);
    let bare = Masking::new(["secret"], false);
    let text = r#"{"fields": ["Sec_ret"], "patterns": false}"#;
    let read: Masking = serde_json::from_str(text).expect("masking");
    assert_eq!(read, bare);
    assert_eq!(bare.text("13812345678"), "13812345678");
    assert!(bare.hides("SECRET") && !bare.hides("secrets"));
}

/// The same call told as JSON, as whoever makes one by hand would.
fn as_told(seen: &Seen<'_>) -> NewCall {
    let body = |body: &Body<'_>, told: &mut Value| {
        if let Some(bytes) = body.bytes {
            told["bytes"] = bytes.into();
        }
        if !body.text.is_empty() {
            let json = serde_json::from_slice(body.text).ok();
            told["body"] = json.unwrap_or_else(|| String::from_utf8_lossy(body.text).into());
        }
    };
    let mut request = json!({"method": seen.method, "path": seen.path});
    if let Some(query) = seen.query {
        request["query"] = query.into();
    }
    body(&seen.request, &mut request);
    let mut response = json!({});
    body(&seen.response, &mut response);
    NewCall {
        id: Some(seen.id.clone()),
        caller: seen.caller.to_owned(),
        version: seen.version.map(str::to_owned),
        at: seen.at,
        duration_ms: seen.micros.map(|micros| micros as f64 / 1000.0),
        status: seen.status,
        result: seen.result,
        reason: seen.reason.map(str::to_owned),
        trace_id: seen.trace_id.clone(),
        request: Some(request),
        response: Some(response).filter(|response| *response != json!({})),
    }
}

#[test]
fn a_call_that_was_seen_is_kept_like_one_that_is_told() {
    let long = format!("/{}13812345678", "long/".repeat(2000));
    let texts = [
        "",
        "true",
        "13812345678",
        "/cases/350102/steps",
        "/person/11010519491231002X?page=3",
        "phone=13812345678&page=2",
        "a%3D13812345678",
        "  {\"a\": 1}",
        "[1, 2]",
        r#""quoted""#,
        r#"{"phone":"13812345678","list":[1,{"name":"phone","value":"x"},62220210011111111112]}"#,
        r#"{"text":"{\"password\":\"x\"}","张三的手机":"13812345678"}"#,
        "zhang.san@example.gov.cn",
        "办事大厅 １３８１２３４５６７８",
        "Cookie: a=b",
        "<phone>1</phone>",
        &long,
    ];
    let maskings = [
        Masking::default(),
        Masking::new(["method", "path", "bytes", "body"], true),
        Masking::new(["query", "secret"], false),
    ];
    let channel = "sms".parse().expect("an id");
    for masking in &maskings {
        let keeping = Keeping::new(masking.clone());
        for (n, text) in texts.iter().enumerate() {
            let other = texts[(n * 7 + 3) % texts.len()];
            let seen = Seen {
                id: "L1".to_owned(),
                caller: if n == 0 { "" } else { "app" },
                version: (n % 2 == 0).then_some("v1"),
                at: clock("09:00"),
                micros: Some(1_234 * n as u64),
                status: Some(if n == 3 {
                    700
                } else {
                    200 + 50 * (n as u16 % 7)
                }),
                result: (n % 5 == 0).then_some(Outcome::Refused),
                reason: (n % 3 == 0).then_some(" status of 13812345678 "),
                trace_id: (n % 2 == 1).then(|| "0af7651916cd43dd8448eb211c80319c".to_owned()),
                method: (n != 4).then_some("GET"),
                path: text,
                path_family: None,
                query: (n % 3 == 1).then_some(other),
                request: Body {
                    bytes: (n % 2 == 0).then_some(13_812_345_678),
                    text: other.as_bytes(),
                },
                response: Body {
                    bytes: (n % 4 == 1).then_some(0),
                    text: if n % 2 == 1 { text.as_bytes() } else { b"" },
                },
            };
            let told = as_told(&seen);
            let limits = Limits::default();
            let told = told.checked(&channel, String::new, &limits, masking, clock("09:05"));
            let from = limits.fails_from_status;
            let seen = keeping.call(seen, &channel, from, clock("09:05"));
            assert_eq!(seen, told, "{text}");
        }
    }
}
