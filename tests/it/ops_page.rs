//! The operations page in a real browser: what breaks in front of the viewer, the way down to one call, calm
//! that keeps its tables, and both languages in both sizes.

use serde_json::{Value, json};

use crate::desk_page::FAULTS;
use crate::desks::enter;
use crate::harness::{CHINA, Client, Server, text};
use crate::ops::{at_now, channel};
use crate::webdriver::Browser;

const HALL: &str = "H1";
const SIZES: [(u32, u32); 2] = [(1366, 768), (1920, 1080)];

async fn at_operations(browser: &Browser, server: Server) -> (Server, Client) {
    let admin = server.hall_in(CHINA, HALL, 3).await;
    server.person("zhao", "engineer", &["*"]).await;
    browser.resize(1366, 768).await;
    enter(browser, &server, "zhao", "/ops").await;
    browser
        .until("document.querySelector('#line').textContent.includes('●')")
        .await;
    (server, admin)
}

/// Eight interfaces of a ministry, all well.
async fn a_ministry(admin: &Client) {
    for n in 1..=8 {
        channel(admin, &format!("m{n}"), None, "部级", (30, 0)).await;
    }
}

async fn fail(admin: &Client, id: &str, times: u32) {
    let calls: Vec<Value> = (0..times)
        .map(|n| {
            json!({"id": format!("f{n}"), "caller": "A", "at": at_now(), "version": "1", "duration_ms": 900 + n, "status": 502,
                "reason": "timeout", "trace_id": format!("trace-{n}"), "request": {"path": format!("/late/{n}"), "phone": "13812345678"}})
        })
        .collect();
    let path = format!("/channels/{id}/calls");
    admin.post(&path, json!(calls)).await.expect(201);
}

/// AC-F03-1 as it is seen, and F08's way down: the group turns to 6/1/1 by itself, the broken stand first, and three steps
/// lead to one call with its masked request.
#[actix_web::test]
async fn a_channel_goes_down_in_front_of_the_viewer_who_follows_it_to_one_call() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (_server, admin) = at_operations(&browser, Server::start().await).await;
    a_ministry(&admin).await;
    let group = |state: &str| format!("[data-group='部级'] [data-health={state}]");
    browser
        .until(&format!(
            "document.querySelector(\"{}\").dataset.count === '8'",
            group("healthy")
        ))
        .await;
    browser
        .until("document.querySelector('#broken.well .calm')")
        .await;
    assert!(browser.text("#broken-body").await.contains("一切正常"));
    browser
        .until("document.querySelectorAll('[data-actor]').length >= 8")
        .await;

    fail(&admin, "m2", 2).await;
    fail(&admin, "m3", 5).await;
    browser
        .until("document.querySelector(\"[data-broken='channel:m3'][data-severity=critical]\")")
        .await;
    browser
        .until("document.querySelector(\"[data-broken='channel:m2'][data-severity=warning]\")")
        .await;
    let counted = |state: &str, n: u32| {
        format!(
            "document.querySelector(\"{}\").dataset.count === '{n}'",
            group(state)
        )
    };
    for (state, n) in [("healthy", 6), ("degraded", 1), ("down", 1)] {
        browser.until(&counted(state, n)).await;
    }
    let first = "document.querySelector('#broken-body li').dataset.broken === 'channel:m3' && document.querySelector('tr[data-channel]').dataset.channel === 'm3'";
    browser.until(first).await;
    assert!(
        browser
            .text("[data-broken='channel:m3']")
            .await
            .contains("连续失败 5 次")
    );
    browser.shot("ops-broken").await;

    browser.click("[data-broken='channel:m3'] a").await;
    browser
        .until("document.querySelector('#channel-face [data-health=down]')")
        .await;
    browser
        .until("document.querySelectorAll('#channel-charts svg').length === 3")
        .await;
    browser
        .until("document.querySelectorAll('tr[data-call]').length === 35")
        .await;
    browser.shot("ops-channel").await;
    // Its calls go on coming in while one looks.
    let more = json!([{"id": "late", "caller": "B", "at": at_now(), "status": 504, "trace_id": "trace-late"}]);
    admin.post("/channels/m3/calls", more).await.expect(201);
    browser
        .until("document.querySelector('tr[data-call=late]')")
        .await;
    browser
        .keys("[data-filter='channel.trace-find']", "trace-4\n")
        .await;
    browser
        .until("document.querySelectorAll('tr[data-call]').length === 1")
        .await;
    browser.click("tr[data-call=f4] a").await;
    browser
        .until("document.querySelector('[data-call-shown=f4]')")
        .await;
    let told = browser
        .eval("document.querySelector('[data-call-shown]').textContent")
        .await;
    let told = text(&told);
    for part in ["502", "/late/4", "trace-4", "904"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert!(!told.contains("13812345678"), "{told}");
    browser.shot("ops-call").await;
    browser.click("[data-call-shown] [data-do='form.ok']").await;
    browser.press("Escape", "Escape", 1).await;
    browser.until("document.querySelector('#broken')").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

async fn looks_well(browser: &Browser, name: &str) {
    for (width, height) in SIZES {
        browser.resize(width, height).await;
        // Two frames: one to lay out, one to look.
        browser.eval("(window.laid = false, requestAnimationFrame(() => requestAnimationFrame(() => { window.laid = true; })), true)").await;
        browser.until("window.laid").await;
        assert_eq!(browser.eval(FAULTS).await, json!([]), "{name} {width}");
        let cut = "Array.from(document.querySelectorAll('#main .body, #main .panel')).filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.id)";
        assert_eq!(browser.eval(cut).await, json!([]), "{name} {width}");
        browser.shot(&format!("{name}-{width}")).await;
    }
}

/// Empty, all well, and with much of everything; in both languages and sizes nothing is cut off and no word is missing.
#[actix_web::test]
async fn the_page_is_whole_in_both_languages_and_sizes_whether_empty_or_full() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (server, admin) = at_operations(&browser, Server::start().await).await;
    browser
        .until("document.querySelectorAll('[data-actor]').length >= 8")
        .await;
    // The product's own interfaces are there from the start.
    browser
        .until("document.querySelectorAll(\"tr[data-channel^='own-'][data-state=healthy]\").length > 5 && document.querySelector('#broken.well')")
        .await;
    browser
        .until("document.querySelector('#orders-body').textContent.includes('没有未结工单')")
        .await;
    looks_well(&browser, "ops-empty-zh").await;

    a_ministry(&admin).await;
    channel(&admin, "rating-report", Some(HALL), "好差评", (300, 9)).await;
    fail(&admin, "m3", 5).await;
    let kiosk = server.device("k1", "kiosk", HALL).await;
    server.device("board-1", "screen", HALL).await;
    let paper = json!({"build": "old", "faults": [{"function": "print", "code": "paper_out"}]});
    kiosk.post("/device/report", paper).await.expect(200);
    let order = json!({"title": "省好差评上报失败，请联系省平台值班", "severity": "critical", "assignee": "zhao", "due_at": "2099-01-01T00:00:00Z"});
    admin.post("/work-orders", order).await.expect(201);
    for lang in ["zh-CN", "en"] {
        browser
            .open(&format!("{}/ops?lang={lang}", server.base))
            .await;
        browser.until("document.querySelector(\"[data-broken='device:k1']\") && document.querySelector('[data-order]') && document.querySelectorAll('tr[data-channel]').length >= 9 && document.querySelector('[data-alarm]')").await;
        looks_well(&browser, &format!("ops-full-{lang}")).await;
        if lang == "en" {
            let data = ".group-sum, td, .what, .who, .bar .btn, #alarms-body, .broken";
            assert_eq!(browser.chinese_outside(data).await, json!([]));
        }
        browser
            .open(&format!("{}/ops?lang={lang}#channels?id=m3", server.base))
            .await;
        browser.until("document.querySelectorAll('#channel-charts svg').length === 3 && document.querySelector('tr[data-call]')").await;
        looks_well(&browser, &format!("ops-channel-{lang}")).await;
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// Whoever sees some halls only is not told that there is nothing where there is something for others.
#[actix_web::test]
async fn a_supervisor_of_one_hall_is_told_that_nothing_is_in_its_halls() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall(HALL, 3).await;
    channel(&admin, "sms", None, "city", (3, 0)).await;
    server.person("chen", "supervisor", &[HALL]).await;
    browser.resize(1366, 768).await;
    enter(&browser, &server, "chen", "/ops?lang=en").await;
    for slot in ["#channels-body", "#batches-body"] {
        let told =
            format!("document.querySelector('{slot}').textContent.includes('None in your halls')");
        browser.until(&told).await;
    }
    for tab in ["channels", "data"] {
        browser.eval(&format!("location.hash = '{tab}'")).await;
        browser
            .until("document.querySelector('.tab-' + location.hash.slice(1)).textContent.includes('None in your halls')")
            .await;
    }
    browser.stop().await;
}

/// A dead server is never calm: the page says so, and every source shows its age.
#[actix_web::test]
async fn when_the_server_is_gone_the_page_says_so_and_its_sources_age() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start_to_come_back().await;
    let (mut server, admin) = at_operations(&browser, server).await;
    channel(&admin, "sms", None, "city", (3, 0)).await;
    browser.until("document.querySelector('tr[data-channel=sms]') && document.querySelector('#machine-age .age') && !document.querySelector('#machine-age .stale')").await;
    server.kill();
    browser
        .until(
            "document.body.classList.contains('frozen') && !document.querySelector('#lost').hidden",
        )
        .await;
    assert!(browser.text("#lost").await.contains("请勿以此为准"));
    browser.until("document.querySelector('#channels-age .stale') && document.querySelector('#machine-age .stale')").await;
    browser
        .until("document.querySelector('tr[data-channel=sms]')")
        .await;
    browser.shot("ops-lost").await;
    server.restart();
    browser.until("!document.body.classList.contains('frozen') && !document.querySelector('#machine-age .stale') && document.querySelector('tr[data-channel=sms]')").await;
    browser.stop().await;
}

/// The manager's page neither looks alive nor takes anything while the server is gone.
#[actix_web::test]
async fn when_the_server_is_gone_the_managers_page_says_so_and_takes_nothing() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mut server = Server::start().await;
    server.hall(HALL, 3).await;
    server.person("qian", "manager", &[HALL]).await;
    browser.resize(1366, 768).await;
    enter(&browser, &server, "qian", "/manage?lang=zh-CN").await;
    browser
        .until("document.querySelector('.figures') && !document.querySelector('#work').disabled")
        .await;
    server.kill();
    browser
        .until(
            "document.body.classList.contains('frozen') && document.querySelector('#work').disabled",
        )
        .await;
    assert!(browser.text("#lost").await.contains("暂时无法操作"));
    browser.shot("manage-lost").await;
    browser.stop().await;
}

/// A desk whose machine is set to another part of the world: the page shows and takes times of the halls' zone, in
/// its lists, in its charts, and in what is typed; a person of one hall has that hall's.
#[actix_web::test]
async fn times_are_those_of_the_halls_wherever_the_desk_stands() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let away = json!({"timezoneId": "America/New_York"});
    browser
        .devtools("Emulation.setTimezoneOverride", away)
        .await;
    let (server, admin) = at_operations(&browser, Server::start().await).await;
    channel(&admin, "sms", None, "g", (0, 0)).await;
    let hour_ago = rules::Timestamp::parse_rfc3339(&at_now())
        .unwrap()
        .minus_secs(3600);
    let call = json!([
        {"id": "c1", "caller": "A", "at": hour_ago.rfc3339_utc(), "status": 200},
        {"id": "c2", "caller": "A", "at": at_now(), "status": 200},
    ]);
    admin.post("/channels/sms/calls", call).await.expect(201);
    let shanghai = |at: rules::Timestamp| {
        let at = rules::time::TimeZone::SHANGHAI.moment(at);
        [
            at.format("%H:%M:%S").to_string(),
            at.format("%Y-%m-%dT%H:%M").to_string(),
        ]
    };
    browser.eval("location.hash = 'channels?id=sms'").await;
    browser
        .until("document.querySelector('tr[data-call=c1]')")
        .await;
    // The one told an hour late is in the list and not in the figures, which say so.
    let late = browser.text("#told-late").await;
    assert!(late.contains("有 1 次"), "{late}");
    let [time, _] = shanghai(hour_ago);
    let row = browser.text("tr[data-call=c1]").await;
    assert!(row.contains(&time), "{time} is not in {row}");
    let now = shanghai(rules::Timestamp::parse_rfc3339(&at_now()).unwrap());
    let says_the_hour = "new RegExp(' ' + new Intl.DateTimeFormat('en-GB', \
        {timeZone: 'Asia/Shanghai', hour: '2-digit', hourCycle: 'h23'}).format() + ':\\\\d\\\\d:\\\\d\\\\d') \
        .test(document.querySelector('.bar .live').textContent)";
    browser.until(says_the_hour).await;
    browser
        .until("document.querySelectorAll('#channel-charts svg').length === 3")
        .await;
    let drawn = browser.text("#channel-charts [data-chart=calls]").await;
    let hours = [&time[..3], &now[0][..3]];
    assert!(
        hours.iter().any(|hour| drawn.contains(hour)),
        "{hours:?} are not in {drawn}"
    );
    // What is typed is of the same zone.
    browser.click("[data-do='channel.maintain']").await;
    browser
        .until("document.querySelector('dialog input[name=until]')")
        .await;
    let until = "document.querySelector('dialog input[name=until]').value";
    let offered = browser.eval(until).await;
    let begun = shanghai(hour_ago.plus_secs(2 * 3600));
    let by_now = shanghai(
        rules::Timestamp::parse_rfc3339(&at_now())
            .unwrap()
            .plus_secs(3600),
    );
    assert!(
        [&begun[1][..13], &by_now[1][..13]].contains(&&text(&offered)[..13]),
        "{offered} is not an hour from now"
    );
    let day_on = shanghai(hour_ago.plus_secs(86_400));
    browser.eval(&format!("{until} = '{}'", day_on[1])).await;
    browser.keys("dialog input[name=reason]", "换机\n").await;
    browser
        .until("document.querySelector('#channel-face [data-health=maintenance]')")
        .await;
    let face = admin.get("/channels/sms").await.expect(200);
    let until = rules::Timestamp::parse_rfc3339(text(&face["maintenance"]["until"])).unwrap();
    assert_eq!(shanghai(until)[1], day_on[1], "{face}");
    browser.open(&format!("{}/", server.base)).await;
    browser.until("document.querySelector('.bar .live')").await;
    browser.until(says_the_hour).await;

    let other = json!({
        "id": "U1", "name": "U1", "time_zone": "Asia/Urumqi",
        "services": [{"id": "S1", "name": "业务", "prefix": "A", "digits": 3}],
        "windows": [{"id": "1", "name": "1号窗口", "services": ["S1"]}],
    });
    admin.post("/halls", other).await.expect(201);
    let one = server.person("li", "engineer", &["U1"]).await;
    assert_eq!(
        one.get("/session").await.expect(200)["time_zone"],
        "Asia/Urumqi"
    );
    let both = server.person("xu", "engineer", &["U1", HALL]).await;
    assert_eq!(
        both.get("/session").await.expect(200)["time_zone"],
        "Asia/Shanghai"
    );
    admin
        .get("/channels/sms/charts/calls.svg?time_zone=Moon")
        .await
        .refused(422, "invalid_field");
}

/// A painting waits while a finger is on the page; when the tab is left meanwhile, it is left with it.
#[actix_web::test]
async fn a_painting_that_waits_for_a_finger_is_dropped_with_its_tab() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (_server, admin) = at_operations(&browser, Server::start().await).await;
    let touch = |kind: &str| format!("document.dispatchEvent(new Event('{kind}'))");
    browser.eval(&touch("pointerdown")).await;
    channel(&admin, "sms", None, "g", (0, 0)).await;
    browser
        .until("document.querySelector('tr[data-channel=sms]')")
        .await;
    browser.eval("location.hash = 'channels'").await;
    browser
        .until("document.querySelector('#channel-list tr')")
        .await;
    browser.eval(&touch("pointerup")).await;
    // The next painting that waits for nobody.
    channel(&admin, "pay", None, "g", (0, 0)).await;
    browser
        .until("document.querySelector('tr[data-item=pay]')")
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
