//! The desk of supervisors in a real browser: an alert from its cause to its handling, calm that is
//! proven, and every tab in both languages and sizes.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::desks::enter;
use crate::harness::{Client, PATIENCE, Server, list, text};
use crate::notices::receivers::{Manner, Receiver};
use crate::webdriver::Browser;

const HALL: &str = "H1";
const SIZES: [(u32, u32); 3] = [(1366, 768), (1920, 1080), (1024, 768)];
const TABS: [&str; 8] = [
    "alerts", "cases", "orders", "problems", "messages", "rules", "silences", "channels",
];

/// A channel that is down, with calls by two callers and a refused one.
async fn a_sick_channel(admin: &Client) {
    let setup = json!({"name": {"zh": "短信平台", "en": "SMS platform"}, "provider": "carrier", "direction": "outbound", "hall": HALL});
    admin.put("/channels/sms", setup).await.expect(200);
    let version = json!({"version": "2.1"});
    admin
        .post("/channels/sms/versions", version)
        .await
        .expect(200);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = rules::Timestamp::from_millis(since.unwrap().as_millis() as i64);
    let calls: Vec<Value> = (0..40)
        .map(|n| {
            json!({
                "id": format!("c{n}"), "caller": if n % 3 == 0 { "kiosk" } else { "desk" }, "at": now.rfc3339_utc(),
                "version": "2.1", "duration_ms": 40 + n * 7, "status": if n < 34 { 200 } else { 502 },
                "request": {"path": format!("/send/{n}"), "phone": "13812345678"}, "response": {"code": n},
            })
        })
        .collect();
    admin
        .post("/channels/sms/calls", json!(calls))
        .await
        .expect(201);
}

/// From the list to one call, and the way back; the call's secrets are not shown.
#[actix_web::test]
async fn a_channel_is_followed_down_to_one_call() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (_server, admin) = at_the_desk(&browser).await;
    a_sick_channel(&admin).await;
    browser.eval("(location.hash = '#channels', true)").await;
    browser.click("tr[data-item=sms] a").await;
    browser
        .until("document.querySelector('#channel-face [data-health=down]') && document.querySelector('#channel-face').textContent.includes('连续失败 5 次')")
        .await;
    browser.click("tr[data-call=c39] a").await;
    browser
        .until("document.querySelector('[data-call-shown=c39]')")
        .await;
    let told = browser
        .eval("document.querySelector('[data-call-shown]').textContent")
        .await;
    let told = text(&told);
    assert!(told.contains("502") && told.contains("/send/39"), "{told}");
    assert!(!told.contains("13812345678"), "{told}");
    browser.click("[data-call-shown] [data-do='form.ok']").await;
    browser
        .until("!document.querySelector('[data-call-shown]')")
        .await;
    browser.shot("desk-channel").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// A rule that holds as soon as three people wait.
const RULE: &str = r#"version = 1

[[rule]]
id = "T01-many-waiting"
name = {zh = "排队积压", en = "Long line"}
topic = "flow"
subject = "queue"
when = "waiting > param.most"
severity = "critical"
param.most = 2
message = {zh = "等待 {waiting} 人，多于 {param.most} 人", en = "{waiting} people wait, more than {param.most}"}
notify = ["role:supervisor"]
remedies = ["open_window", "work_order"]
"#;

/// The page scrolls, a text of the bar, a button or a number is cut off, or a text has no words.
pub const FAULTS: &str = "(() => { const bad = []; const page = document.documentElement; \
    if (page.scrollWidth > innerWidth || page.scrollHeight > innerHeight) bad.push('the page scrolls'); \
    for (const node of document.querySelectorAll('.btn, .chip, .tabs a, .count b, .bar h1, .row .what, .row .state, .load-one')) { \
      if (!node.offsetParent) continue; const box = node.getBoundingClientRect(); \
      if (node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== 'inline') bad.push('cut: ' + node.textContent); \
      if (box.right > innerWidth + 1 && !node.closest('.scroll, .tabs')) bad.push('outside: ' + node.textContent); } \
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); \
    while (walk.nextNode()) if (/^[a-z]+(-[a-z]+)*\\.[a-z_.-]+$/.test(walk.currentNode.data.trim()) && !walk.currentNode.parentElement.closest('code, .variable, textarea, script')) bad.push('no words: ' + walk.currentNode.data); \
    return bad; })()";

fn wall_clock_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs_f64() * 1000.0
}

/// Signs chen in at the desk, with a rule that waits for a long line.
async fn at_the_desk(browser: &Browser) -> (Server, Client) {
    at_the_desk_of(browser, Server::start().await).await
}

async fn at_the_desk_of(browser: &Browser, server: Server) -> (Server, Client) {
    let admin = server.hall(HALL, 3).await;
    server.person("chen", "supervisor", &["*"]).await;
    admin
        .put("/rules/T01-many-waiting", json!({"source": RULE}))
        .await
        .expect(200);
    browser.resize(1366, 768).await;
    enter(browser, &server, "chen", "/").await;
    browser.click("#to-desk").await;
    browser.until("document.querySelector('#checked')").await;
    (server, admin)
}

async fn the_alert(admin: &Client) -> Value {
    let found = admin.get("/alerts").await.expect(200);
    let of_rule = |alert: &&Value| alert["rule"] == "T01-many-waiting";
    let alert = list(&found["items"]).iter().find(of_rule);
    alert.unwrap_or_else(|| panic!("{found}")).clone()
}

/// From its cause to the one who takes it on, without a reload and by keys; then the server dies.
#[actix_web::test]
async fn an_alert_comes_by_itself_is_taken_on_by_a_key_and_a_dead_server_is_never_calm() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (mut server, admin) = at_the_desk(&browser).await;
    assert!(browser.text(".nothing").await.contains("当前无告警"));
    let checked = browser.text("#checked").await;
    assert!(checked.contains(':'), "{checked}");

    for _ in 0..3 {
        admin.issue(HALL, "S1").await;
    }
    let alert = "[data-alert][data-rule=T01-many-waiting]";
    browser
        .until(&format!(
            "document.querySelector('{alert}[data-state=firing]')"
        ))
        .await;
    let row = browser.text(alert).await;
    assert!(
        row.contains("排队积压") && row.contains("等待 3 人"),
        "{row}"
    );
    browser
        .until("document.querySelector('table.why td')")
        .await;
    let why = browser.text(".detail").await;
    for part in ["waiting > param.most", "3 > 2", "发生", "增开窗口"] {
        assert!(why.contains(part), "{part} is not in {why}");
    }
    browser
        .until("document.querySelectorAll('[data-advice] .tag').length === 3")
        .await;
    browser.click(alert).await;
    browser.keys("body", "a").await;
    browser
        .until(&format!(
            "document.querySelector('{alert}[data-state=acknowledged]')"
        ))
        .await;
    let seen = the_alert(&admin).await;
    assert_eq!(
        (&seen["state"], &seen["acked_by"]),
        (&json!("acknowledged"), &json!("chen"))
    );
    let timeline = "document.querySelector('.history').textContent.includes('确认')";
    browser.until(timeline).await;

    // A work order and a shelf, by their keys.
    browser.keys("body", "w").await;
    browser.until("document.querySelector('dialog form')").await;
    browser.keys("dialog [name=assignee]", "zhao").await;
    browser.click("dialog .btn.go").await;
    browser
        .until(&format!(
            "document.querySelector('{alert}').textContent.includes('WO-')"
        ))
        .await;
    browser.keys("body", "s").await;
    browser
        .until("document.querySelector('dialog [data-minutes]')")
        .await;
    browser.keys("dialog [name=reason]", "已安排增开窗口").await;
    browser.click("dialog .btn.go").await;
    browser
        .until("document.querySelector('[data-chip=shelved] b').textContent === '1'")
        .await;
    browser.click("[data-chip=shelved]").await;
    browser
        .until(&format!("document.querySelector('{alert}')"))
        .await;
    browser.shot("desk-real").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    let watch = "(window.frozenAt = 0, new MutationObserver(() => { if (document.body.classList.contains('frozen') \
        && !window.frozenAt) window.frozenAt = Date.now(); }).observe(document.body, {attributes: true}), true)";
    browser.eval(watch).await;
    let killed = wall_clock_ms();
    server.kill();
    browser.until("window.frozenAt").await;
    let after = browser.eval("window.frozenAt").await.as_f64().unwrap() - killed;
    assert!(after <= 4000.0, "red after {after} ms");
    let words = browser.text("#lost").await;
    assert!(
        words.contains("连接中断") && words.contains("最后更新"),
        "{words}"
    );
    let wide = "document.querySelector('#lost').getBoundingClientRect().width === innerWidth \
        && Array.from(document.querySelectorAll('main button')).every((b) => b.matches(':disabled'))";
    assert_eq!(browser.eval(wide).await, json!(true));
    browser.stop().await;
}

fn case(no: &str, more: &Value) -> Value {
    let mut case = json!({"case_no": no, "item": "building permit", "department": "housing", "handler": "wang",
        "received_at": "2026-01-05T09:00:00+08:00"});
    let fields = more.as_object().expect("fields").clone();
    case.as_object_mut().expect("a case").extend(fields);
    case
}

/// Alerts of one cause are one row; it opens and folds, and one key takes all of them on.
#[actix_web::test]
async fn alerts_of_one_cause_are_one_row_that_opens_and_is_taken_on_as_a_whole() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (_server, admin) = at_the_desk(&browser).await;
    let over =
        json!({"accepted_at": "2026-01-05T10:00:00+08:00", "due_at": "2026-01-20T17:30:00+08:00"});
    for no in ["K1", "K2", "K3"] {
        admin.post("/cases", case(no, &over)).await.expect(201);
    }
    let rows = "document.querySelectorAll('[data-rule=R02-overdue-case]').length";
    let folded = "[data-row^='group:']";
    let whole = format!(
        "({rows} === 1 && document.querySelector(\"{folded}\").textContent.includes('影响 3'))"
    );
    browser.until(&whole).await;
    assert!(browser.text(folded).await.contains("3 条未确认"));
    // It stands first, so it is chosen: its gravest alert is told beside it.
    browser
        .until("document.querySelector('.detail table.why td')")
        .await;
    browser.click(folded).await;
    browser.until(&format!("{rows} === 4")).await;
    browser.shot("desk-group").await;
    browser.click(folded).await;
    browser.until(&format!("{rows} === 1")).await;
    browser.keys("body", "a").await;
    browser
        .until(&format!(
            "document.querySelector(\"{folded}[data-state=acknowledged]\")"
        ))
        .await;
    let found = admin.get("/alerts?rule=R02-overdue-case").await.expect(200);
    let by: Vec<&Value> = list(&found["items"])
        .iter()
        .map(|one| &one["acked_by"])
        .collect();
    assert_eq!(by, [&json!("chen"); 3]);
    // The number of evaluations goes on while one looks.
    let count = "Array.from(document.querySelectorAll('.detail dt')).filter((dt) => dt.textContent === '判定次数')\
        .map((dt) => Number(dt.nextElementSibling.textContent))[0]";
    browser.until(&format!("{count} > 1")).await;
    let before = browser.eval(count).await.as_f64().unwrap_or_default();
    browser.until(&format!("{count} > {before}")).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// AC-C06-3: a case that nobody accepted is accepted from its alert, another returned; both alerts end.
#[actix_web::test]
async fn an_overdue_acceptance_is_settled_from_its_alert() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (_server, admin) = at_the_desk(&browser).await;
    for (no, verb, state) in [("A1", "accept", "accepted"), ("A2", "return", "returned")] {
        admin.post("/cases", case(no, &json!({}))).await.expect(201);
        let row = "[data-rule=R03-overdue-acceptance][data-state=firing]";
        browser
            .until(&format!("document.querySelector('{row}')"))
            .await;
        browser.click(row).await;
        browser
            .until("document.querySelector('.detail ol.history')")
            .await;
        browser
            .click(&format!(".detail [data-do='case.do-{verb}']"))
            .await;
        browser.keys("dialog textarea", "逾期，督办处理").await;
        browser.click("dialog .btn.go").await;
        browser
            .until(&format!("!document.querySelector('{row}')"))
            .await;
        let shown = admin.get(&format!("/cases/{no}")).await.expect(200);
        assert_eq!(shown["state"], state);
        let last = list(&shown["steps"]).last().expect("a step");
        assert_eq!(
            (&last["by"], &last["note"]),
            (&json!("chen"), &json!("逾期，督办处理"))
        );
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// Loads the list again until something is so.
async fn again_until(browser: &Browser, so: &str) {
    let deadline = Instant::now() + PATIENCE;
    while browser.eval(so).await != json!(true) {
        assert!(Instant::now() < deadline, "never: {so}");
        browser.click("[data-do='list.again']").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What was sent to whom, and a dead letter that is sent again.
#[actix_web::test]
async fn messages_are_listed_with_their_states_and_a_dead_letter_goes_out_again() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mail = Receiver::smtp(&[Manner::Answer(550, "unknown user"), Manner::Accept]).await;
    let port = mail.port.to_string();
    let settings = [
        ("HALLKEEPER__NOTICES__EMAIL__SERVER", "127.0.0.1"),
        ("HALLKEEPER__NOTICES__EMAIL__PORT", &*port),
        ("HALLKEEPER__NOTICES__EMAIL__SECURITY", "none"),
        ("HALLKEEPER__NOTICES__EMAIL__FROM", "hallkeeper@example.org"),
    ];
    let server = Server::start_with(&settings, &[]).await;
    let (_server, admin) = at_the_desk_of(&browser, server).await;
    let duty = json!({"name": "值班员", "roles": ["engineer"], "halls": ["*"],
        "ways": [{"kind": "email", "address": "duty@example.org"}]});
    admin.put("/receivers/duty", duty).await.expect(200);
    browser.eval("(location.hash = '#messages', true)").await;
    browser
        .click("[data-receiver=duty] [data-do='receiver.test']")
        .await;
    browser
        .until("document.querySelector('tr[data-message]')")
        .await;
    let dead = "document.querySelector(\"[data-do='message.resend']\")";
    again_until(&browser, &format!("Boolean({dead})")).await;
    let row = browser.text("tr[data-message]").await;
    assert!(row.contains("死信") && row.contains("邮件"), "{row}");
    let shown = browser.text("[data-receiver=duty]").await;
    assert!(
        shown.contains("d***@example.org") && !shown.contains("duty@"),
        "{shown}"
    );
    browser.click("[data-do='message.resend']").await;
    let arrived = "document.querySelector('tr[data-message]').textContent.includes('已送达')";
    again_until(&browser, arrived).await;
    assert_eq!(mail.taken().len(), 1);
    browser.shot("desk-messages-real").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// The rules' text is judged while it is typed; what is off is run over the past before it is on.
#[actix_web::test]
async fn a_rule_is_judged_while_it_is_typed_and_tried_before_it_is_switched_on() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (_server, admin) = at_the_desk(&browser).await;
    browser.eval("(location.hash = '#rules', true)").await;
    let row = "[data-rule='T01-many-waiting']";
    browser
        .until(&format!(
            "document.querySelector(\"{row}[data-enabled=true]\")"
        ))
        .await;
    browser.click(&format!("{row} [data-do='form.edit']")).await;
    browser
        .until("document.querySelector('#faults .good')")
        .await;
    let wrong = "(() => { const area = document.querySelector('#source'); \
        area.value = area.value.replace('waiting > ', 'waitng > '); area.dispatchEvent(new Event('input')); return true; })()";
    browser.eval(wrong).await;
    browser
        .until("document.querySelector('#faults .fault')")
        .await;
    let fault = browser.text("#faults").await;
    assert!(
        fault.contains("第 8 行第 9 列") && fault.contains("waiting"),
        "{fault}"
    );
    assert_eq!(
        browser
            .eval("document.querySelector('[data-do=save]').disabled")
            .await,
        json!(true)
    );
    let right = "(() => { const area = document.querySelector('#source'); \
        area.value = area.value.replace('waitng > ', 'waiting > ').replace('most = 2', 'most = 9'); \
        area.dispatchEvent(new Event('input')); return true; })()";
    browser.eval(right).await;
    browser.click("[data-do=save]:enabled").await;
    browser
        .until("document.querySelectorAll('.versions li').length === 2")
        .await;

    let off = "/rules/T01-many-waiting/disable";
    admin.post(off, json!({})).await.expect(200);
    browser.eval("(location.hash = '#rules', true)").await;
    browser
        .until(&format!(
            "document.querySelector(\"{row}[data-enabled=false]\")"
        ))
        .await;
    browser
        .click(&format!("{row} [data-do='rule.enable']"))
        .await;
    browser
        .until("document.querySelector('[data-do=go-on]').disabled")
        .await;
    browser.click("dialog form .btn.go").await;
    browser.click("[data-do=go-on]:enabled").await;
    browser
        .until(&format!(
            "document.querySelector(\"{row}[data-enabled=true]\")"
        ))
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// Cases from the board to a step; then every tab fits its screens and speaks both languages.
#[actix_web::test]
async fn every_tab_fits_its_screens_and_speaks_both_languages() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (server, admin) = at_the_desk(&browser).await;
    let case = json!({"case_no": "2026-0001", "item": "building permit", "department": "housing",
        "handler": "wang", "received_at": "2026-01-05T09:00:00+08:00", "due_at": "2026-01-20T17:30:00+08:00"});
    admin.post("/cases", case).await.expect(201);
    for _ in 0..4 {
        admin.issue(HALL, "S1").await;
    }
    let order = json!({"title": {"zh": "更换屏幕", "en": "Replace the screen"}, "severity": "warning", "hall": HALL, "due_at": "2030-01-20T17:30:00+08:00"});
    admin.post("/work-orders", order).await.expect(201);
    a_sick_channel(&admin).await;
    browser.eval("(location.hash = '#cases', true)").await;
    browser.click("[data-count=overdue]").await;
    browser.click("tr[data-case='2026-0001'] a").await;
    browser
        .click("[data-detail='2026-0001'] [data-do='case.do-urge']")
        .await;
    browser.keys("dialog textarea", "soon please").await;
    browser.click("dialog .btn.go").await;
    browser
        .until("document.querySelector('.history').textContent.includes('催办')")
        .await;

    for lang in ["zh-CN", "en"] {
        for (width, height) in SIZES {
            browser.resize(width, height).await;
            for tab in TABS {
                let page = format!("{}/desk?lang={lang}&n={width}{tab}#{tab}", server.base);
                browser.open(&page).await;
                browser
                    .until("document.querySelector('#main').textContent.length > 20 && !document.body.classList.contains('frozen')")
                    .await;
                tokio::time::sleep(Duration::from_millis(300)).await;
                let name = format!("{tab} {lang} {width}×{height}");
                browser.shot(&format!("desk-{tab}-{lang}-{width}")).await;
                assert_eq!(browser.eval(FAULTS).await, json!([]), "{name}");
                if lang == "en" {
                    let left = browser.chinese_outside(".bar .btn, textarea").await;
                    assert_eq!(left, json!([]), "{name}");
                }
            }
        }
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}
