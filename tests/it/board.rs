//! The waiting-hall board in a real browser: each call in its turn, the truth about a lost
//! connection, and a fit on every screen.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::{CHINA, Client, Server, SetClock, list, own_address};
use crate::webdriver::Browser;

const HALL: &str = "H1";

/// Screens that hang in halls, what stands on desks, and a phone.
const SCREENS: [(u32, u32); 9] = [
    (1920, 1080),
    (3840, 1080),
    (1080, 1920),
    (1366, 768),
    (1280, 1024),
    (3840, 2160),
    (7680, 1080),
    (1024, 768),
    (390, 844),
];

/// What a board may never do: scroll, or cut a number, a window or a name. A line of text is judged
/// by the height of its signs, not by the font's generous line.
const CUT_OFF: &str = "(() => {
    const bad = [];
    const page = document.documentElement;
    if (page.scrollWidth > innerWidth || page.scrollHeight > innerHeight) bad.push('the page scrolls');
    for (const node of document.querySelectorAll('.big-no, .big-win, .big-service, .row-no, .row-win, .row-service, .tile-name, .tile-count, .tile-more, .missed-list, .head-name, .head-zone, .head-date, .head-clock, .ribbon, .strip-text, .label, .code-label, .foot p, .closed > *, .emergency > *')) {
        if (!node.getClientRects().length || !node.textContent) continue;
        const box = node.getBoundingClientRect();
        const style = getComputedStyle(node);
        const sign = parseFloat(style.fontSize) * 0.4;
        const middle = (box.top + box.bottom) / 2;
        let frame = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
        const around = node.closest('.big, .row, .tile, .missed, .strip, .code');
        if (around) frame = around.getBoundingClientRect();
        const wide = style.display !== 'inline' && node.scrollWidth > node.clientWidth + 1;
        const outside = box.left < frame.left - 1 || box.right > frame.right + 1 || middle - sign < frame.top || middle + sign > frame.bottom;
        if (wide || outside) bad.push(node.className + ': ' + node.textContent);
    }
    for (const node of document.querySelectorAll('.big-no, .row-no')) if (node.textContent.includes('…')) bad.push('shortened: ' + node.textContent);
    for (const node of document.querySelectorAll('.big-win, .row:not(.guide) .row-win')) if (!/\\d/.test(node.textContent)) bad.push('no number: ' + node.textContent);
    return bad;
})()";

/// Every text on the page whose contrast with what lies behind it is below 7:1.
const PALE: &str = "(() => {
    const pale = [];
    const channels = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
    const light = (colour) => {
        const [r, g, b] = colour.slice(0, 3).map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : Math.pow((c / 255 + 0.055) / 1.055, 2.4)));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const colour = channels(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let seen = 0;
    while (walk.nextNode()) {
        const node = walk.currentNode.parentElement;
        if (!walk.currentNode.data.trim() || !node.getClientRects().length || node.closest('script')) continue;
        seen += 1;
        for (let at = node; at; at = at.parentElement) if (getComputedStyle(at).opacity !== '1') pale.push('see-through: ' + at.className);
        const [a, b] = [light(channels(getComputedStyle(node).color)), light(behind(node))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 7) pale.push(ratio.toFixed(2) + ' ' + node.className + ': ' + walk.currentNode.data);
    }
    if (!seen) pale.push('no text at all');
    return pale;
})()";

/// Notes in the page what came on top and when, when each number was first seen anywhere and when
/// each state began, by the wall clock, so that a slow driver does not count; and all that blinked.
const WATCH: &str = "(() => {
    window.tops = [];
    window.seen = {};
    window.began = {};
    window.blinked = [];
    const look = () => {
        const top = (document.querySelector('#now .big-no') || {}).textContent;
        const last = window.tops[window.tops.length - 1];
        if (top && (!last || last.number !== top)) window.tops.push({ number: top, at: Date.now() });
        for (const node of document.querySelectorAll('.big-no, .row-no')) if (!window.seen[node.textContent]) window.seen[node.textContent] = Date.now();
        const state = document.body.dataset.state;
        if (!window.began[state]) window.began[state] = Date.now();
        for (const node of document.querySelectorAll('.fresh .big-no')) if (!window.blinked.includes(node.textContent)) window.blinked.push(node.textContent);
    };
    if (window.watching) window.watching.disconnect();
    window.watching = new MutationObserver(look);
    window.watching.observe(document.body, { subtree: true, childList: true, attributes: true });
    look();
    return true;
})()";

/// Plays calls through the page's own module, with times made up; returns what was wrong.
const TURNS: &str = "(() => {
    const { CallShow, BLINK_MS } = window.callshow;
    const wrong = [];
    const is = (what, got, wanted) => { if (JSON.stringify(got) !== JSON.stringify(wanted)) wrong.push(what + ': ' + JSON.stringify(got) + ' instead of ' + JSON.stringify(wanted)); };
    const call = (number, at, calls = 1) => ({ number, window: '1', at: String(at), calls });
    const top = (show) => (show.large(1)[0] || { call: {} }).call.number;
    // Lets time pass in small steps; tells what came on top and how long it stayed.
    const play = (show, from, until) => {
        const stays = [];
        for (let now = from; now <= until; now += 100) {
            show.advance(now);
            const last = stays[stays.length - 1];
            if (!last || last.number !== top(show)) stays.push({ number: top(show), ms: 0 });
            else last.ms += 100;
        }
        return stays;
    };
    const numbers = (list) => list.map((one) => one.number || one.call.number);
    const many = (count) => Array.from({ length: count }, (_, i) => 'A' + String(i).padStart(3, '0'));

    // Ten within a second.
    let show = new CallShow();
    many(10).forEach((number, i) => show.add(call(number, i), 0, i * 100));
    is('all are told of at once', numbers(show.large(2)).concat(numbers(show.rows(2, 20))).sort(), many(10));
    let stays = play(show, 1000, 90000);
    is('ten in order', numbers(stays), many(10));
    for (const stay of stays.slice(1, -1)) if (stay.ms < 3900) wrong.push(stay.number + ' stood for ' + stay.ms);
    is('two large', numbers(show.large(2)), ['A009', 'A008']);
    is('six beside them', numbers(show.rows(2, 6)), ['A007', 'A006', 'A005', 'A004', 'A003', 'A002']);

    // Two, 50 ms apart: the first has its usual time, for only one waits.
    show = new CallShow();
    show.add(call('A1', 0), 0, 0);
    show.add(call('A2', 50), 0, 50);
    is('two in order', play(show, 100, 20000).slice(0, 1), [{ number: 'A1', ms: 7800 }]);
    is('the second on top', top(show), 'A2');

    // Sixty at once: quicker, but nobody is passed over, and not for ever behind.
    show = new CallShow();
    many(60).forEach((number, i) => show.add(call(number, i), 0, 0));
    stays = play(show, 0, 240000);
    is('sixty in order', numbers(stays), many(60));
    for (const stay of stays.slice(0, -1)) if (stay.ms < 500) wrong.push(stay.number + ' flew by: ' + stay.ms);

    // Forty windows that call once in six minutes each, for an hour: all are shown, and none late.
    show = new CallShow();
    let seed = 7;
    const chance = () => { seed = (seed * 48271) % 2147483647; return seed / 2147483647; };
    const hour = many(400).map((number) => ({ number, at: Math.floor(chance() * 3600000) })).sort((a, b) => a.at - b.at);
    const late = {};
    let next = 0;
    stays = [];
    for (let now = 0; now < 3700000; now += 100) {
        for (; next < hour.length && hour[next].at <= now; next += 1) show.add(call(hour[next].number, hour[next].at), 0, now);
        show.advance(now);
        if (!top(show)) continue;
        const last = stays[stays.length - 1];
        if (last && last.number === top(show)) { last.ms += 100; continue; }
        stays.push({ number: top(show), ms: 0 });
        late[top(show)] = now - hour.find((one) => one.number === top(show)).at;
    }
    is('an hour in order', numbers(stays), numbers(hour));
    const latest = Math.max(...Object.values(late));
    const shortest = Math.min(...stays.map((stay) => stay.ms));
    if (latest > 45000 || shortest < 3900) wrong.push('an hour: ' + latest + ' ms late, ' + shortest + ' ms shown');

    // A recall comes on top again and blinks again; of a number that still waits it takes the place.
    show = new CallShow();
    ['A1', 'A2', 'A3'].forEach((number, i) => show.add(call(number, i), 0, i * 10000));
    show.add(call('A1', 9, 2), 0, 40000);
    is('recalled', numbers(show.large(3)), ['A1', 'A3', 'A2']);
    is('recalled just now', show.large(1)[0].since, 40000);
    show.add(call('A8', 10), 0, 40100);
    show.add(call('A9', 11), 0, 40200);
    show.add(call('A8', 12, 2), 0, 40300);
    is('waits once', numbers(show.rows(2, 2)), ['A9', 'A8']);
    is('its latest call', show.rows(2, 2)[1].call.calls, 2);

    // The same call told twice is one; one of half a minute ago is listed without a show.
    show = new CallShow();
    show.add(call('A1', 0), 0, 0);
    show.add(call('A1', 0), 0, 5);
    is('told twice', show.queue.length, 0);
    show = new CallShow();
    show.whole([call('A3', 3), call('A2', 2), call('A1', 1)], () => 31000, 0);
    is('old ones in order', numbers(show.large(9)), ['A3', 'A2', 'A1']);
    is('silently', show.large(9).map((one) => one.since), [null, null, null]);
    is('calm', show.onAir(0), false);
    show.whole([call('A5', 5), call('A4', 4), call('A3', 3)], (one) => (one.number === 'A3' ? 40000 : 2000), 1000);
    is('what the hall forgot is gone', numbers(show.large(9)), ['A4', 'A3']);
    is('the next waits', numbers(show.queue), ['A5']);
    is('on the air', [show.onAir(1000), show.onAir(9500), show.onAir(9500 + BLINK_MS)], [true, true, true]);
    play(show, 1000, 9200);
    is('calm again', [show.onAir(9200), show.onAir(9200 + BLINK_MS)], [true, false]);
    return wrong;
})()";

fn wall_clock_ms() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
        * 1000.0
}

fn state_is(state: &str) -> String {
    format!("document.body.dataset.state === {state:?}")
}

fn on_top(number: &str) -> String {
    format!("(document.querySelector('#now .big-no') || {{}}).textContent === {number:?}")
}

/// Opens the board as a registered screen of its hall.
async fn open_board(browser: &Browser, server: &Server, hall: &str, query: &str) {
    let id = format!("screen-{hall}");
    let body = json!({"id": id, "name": id, "kind": "screen", "hall": hall});
    let answer = server.admin().post("/devices", body).await.expect(201);
    let token = answer["token"].as_str().expect("a token");
    browser
        .open(&format!("{}/board/{hall}?{query}&t={token}", server.base))
        .await;
    browser.until(&state_is("live")).await;
    let address = browser.eval("location.href").await;
    assert!(!address.to_string().contains(token), "the token left");
}

async fn size(browser: &Browser, (width, height): (u32, u32)) {
    browser.resize(width, height).await;
    let there = format!("innerWidth === {width} && innerHeight === {height}");
    browser.until(&there).await;
    // The page lays itself out anew in the frame after.
    let settle = "(window.settled = false, requestAnimationFrame(() => requestAnimationFrame(() => { \
         window.settled = true; })), true)";
    browser.eval(settle).await;
    browser.until("window.settled").await;
}

async fn call_at(admin: &Client, hall: &str, window: &str) -> String {
    let answer = admin.at_window(hall, window, "call-next").await.expect(200);
    let number = answer["ticket"]["number"].as_str().expect("a number");
    number.to_owned()
}

/// The page's watch, as (number, since) of what stood on top.
async fn tops(browser: &Browser) -> Vec<(String, f64)> {
    let tops = browser.eval("window.tops").await;
    list(&tops)
        .iter()
        .map(|top| {
            let number = top["number"].as_str().unwrap().to_owned();
            (number, top["at"].as_f64().unwrap())
        })
        .collect()
}

#[actix_web::test]
async fn each_call_is_seen_at_once_and_comes_on_top_in_its_turn() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall(HALL, 6).await;
    admin
        .open_windows(HALL, &["1", "2", "3", "4", "5", "6"])
        .await;
    for _ in 0..6 {
        admin.issue(HALL, "S1").await;
    }
    size(&browser, (1920, 1080)).await;
    open_board(&browser, &server, HALL, "").await;
    let empty = "document.querySelector('#cover').textContent.includes('暂无叫号')";
    browser.until(empty).await;
    assert_eq!(browser.text("#recent .row-service").await, "社保");

    let module = "(import(document.querySelector('script[type=module]').src.replace('board.js', \
         'lib/callshow.js')).then((m) => { window.callshow = m; }), true)";
    browser.eval(module).await;
    browser.until("window.callshow").await;
    assert_eq!(browser.eval(TURNS).await, json!([]));

    // Two calls 50 ms apart, and a third: each is on the board within a second, and on top for its
    // time, in order.
    browser.eval(WATCH).await;
    let mut called = Vec::new();
    for window in ["1", "2", "3"] {
        let number = call_at(&admin, HALL, window).await;
        called.push((number, wall_clock_ms()));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (number, answered) in &called {
        browser.until(&format!("window.seen[{number:?}]")).await;
        let seen = browser.eval(&format!("window.seen[{number:?}]")).await;
        let after = seen.as_f64().unwrap() - answered;
        assert!(
            after < 1000.0,
            "{number} was seen {after} ms after its call"
        );
    }
    let numbers: Vec<&str> = called.iter().map(|(number, _)| number.as_str()).collect();
    assert_eq!(
        browser.text("#recent .row.waits .row-no").await,
        numbers[2],
        "the latest waits for its show on the first row"
    );
    browser.until(&on_top(numbers[2])).await;
    let tops = tops(&browser).await;
    let order: Vec<&str> = tops.iter().map(|(number, _)| number.as_str()).collect();
    assert_eq!(order, numbers);
    for two in tops.windows(2) {
        let stood = two[1].1 - two[0].1;
        assert!(stood >= 3900.0, "{} stood for {stood} ms", two[0].0);
    }
    assert_eq!(browser.eval("window.blinked").await, json!(numbers));
    assert!(browser.text("#now .big-win").await.contains('3'));
    assert_eq!(browser.text("#waiting-all").await, "3");

    // A recall puts an older number on top again, once.
    admin.at_window(HALL, "1", "recall").await.expect(200);
    browser.until(&on_top(numbers[0])).await;
    let shown = "Array.from(document.querySelectorAll('.big-no, .row-no'), (n) => n.textContent)";
    assert_eq!(
        browser.eval(shown).await,
        json!([numbers[0], numbers[2], numbers[1]])
    );
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// Server killed during calls; what was missed, old or fresh, after it is back.
#[actix_web::test]
async fn a_board_says_that_it_is_out_of_date_and_comes_back_without_replaying_what_is_old() {
    let (Some(browser), Some(clock)) = (Browser::start().await, SetClock::new()) else {
        return;
    };
    let mut settings = clock.settings();
    let address = own_address().to_string();
    settings.push(("HALLKEEPER__SERVER__ADDR".to_owned(), address));
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut server = Server::start_with(&settings, &[]).await;
    let admin = server.hall(HALL, 7).await;
    let windows = ["1", "2", "3", "4", "5", "6", "7"];
    admin.open_windows(HALL, &windows).await;
    for _ in 0..7 {
        admin.issue(HALL, "S1").await;
    }
    size(&browser, (1920, 1080)).await;
    open_board(&browser, &server, HALL, "").await;
    let first = call_at(&admin, HALL, "1").await;
    browser.until(&on_top(&first)).await;
    browser.until("!document.querySelector('.fresh')").await;

    // The server dies: the board says so in time and keeps its number.
    browser.eval(WATCH).await;
    let away = "(window.RealSocket = WebSocket, window.WebSocket = class { constructor() { \
         setTimeout(() => this.onclose && this.onclose(), 20); } close() {} get readyState() { \
         return 3; } }, window.WebSocket.OPEN = 1, true)";
    browser.eval(away).await;
    let died = wall_clock_ms();
    server.kill();
    browser.until(&state_is("stale")).await;
    let stale = browser.eval("window.began.stale").await.as_f64().unwrap() - died;
    assert!(stale < 4000.0, "stale after {stale} ms");
    assert!(browser.text("#line").await.contains("连接中断 数据截至"));
    assert_eq!(browser.text("#now .big-no").await, first);
    assert_eq!(browser.eval(PALE).await, json!([]), "out of date");

    // It is back, and calls three while this board still hears nothing; then 40 s go by.
    server.restart();
    let admin = server.admin();
    let mut missed = Vec::new();
    for window in ["2", "3", "4"] {
        missed.push(call_at(&admin, HALL, window).await);
    }
    clock.set_ahead(40);
    browser
        .eval("(window.began = {}, window.WebSocket = window.RealSocket, true)")
        .await;
    let back = wall_clock_ms();
    browser.until(&state_is("live")).await;
    let live = browser.eval("window.began.live").await.as_f64().unwrap() - back;
    assert!(live < 5000.0, "live after {live} ms");
    browser.until(&on_top(&missed[2])).await;
    let shown = "Array.from(document.querySelectorAll('.big-no, .row-no'), (n) => n.textContent)";
    assert_eq!(
        browser.eval(shown).await,
        json!([missed[2], missed[1], missed[0], first]),
        "all three, in order"
    );
    assert_eq!(browser.eval("window.blinked").await, json!([]));

    // Three more right after another restart: they are fresh, so each has its show.
    server.kill();
    server.restart();
    let admin = server.admin();
    let mut fresh = Vec::new();
    for window in ["5", "6", "7"] {
        fresh.push(call_at(&admin, HALL, window).await);
    }
    browser.until(&on_top(&fresh[2])).await;
    assert_eq!(browser.eval("window.blinked").await, json!(fresh));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// A hall that is hard on a board: many windows, long names, numbers of six signs.
async fn hard_hall(server: &Server) -> Client {
    let admin = server.admin();
    let long = json!({
        "zh": "社会保险关系转移接续与待遇核定（含异地就医备案）",
        "en": "Transfer of social insurance, assessment of benefits, treatment elsewhere",
    });
    let services: Vec<Value> = (0..14_u8)
        .map(|n| {
            let name = match n % 3 {
                0 => long.clone(),
                1 => json!({"zh": "不动产登记", "en": "Real estate registration"}),
                _ => json!({"zh": "医保", "en": "Medical insurance"}),
            };
            let prefix = format!("W{}", char::from(b'A' + n));
            json!({"id": format!("S{n}"), "name": name, "prefix": prefix, "digits": 4})
        })
        .collect();
    let windows: Vec<Value> = (1..=40)
        .map(|n| {
            let serves = [format!("S{}", n % 14), format!("S{}", (n + 5) % 14)];
            match n % 3 {
                0 => json!({"id": n.to_string(), "services": serves}),
                _ => json!({"id": n.to_string(), "services": serves, "name": {
                    "zh": format!("{n}号社保医保综合受理窗口"),
                    "en": format!("Window {n} for social and medical insurance"),
                }}),
            }
        })
        .collect();
    let hall = json!({
        "id": "H9",
        "name": {
            "zh": "粤港澳大湾区广州南沙新区（自贸片区）政务服务中心第一分中心",
            "en": "Nansha New Area (Free Trade Zone) Government Service Center, First Branch Hall",
        },
        "services": services, "windows": windows, "options": {"visitor_issuing": true},
        "policy": {"no_show_after_calls": 1},
    });
    admin.post("/halls", hall).await.expect(201);
    admin.post("/halls/H9/open", json!({})).await.expect(200);
    for n in 0..14 {
        for _ in 0..3 {
            admin.issue("H9", &format!("S{n}")).await;
        }
    }
    for n in 1..=24 {
        let window = n.to_string();
        admin.open_windows("H9", &[window.as_str()]).await;
        call_at(&admin, "H9", &window).await;
        if n <= 8 {
            admin.at_window("H9", &window, "no-show").await.expect(200);
        }
    }
    admin
}

/// Sizes of what one reads from afar, in px at 1920×1080.
async fn can_be_read_from_afar(browser: &Browser) {
    for (what, least) in [(".big-no", 170.0), (".row-no", 72.0)] {
        let px = format!("parseFloat(getComputedStyle(document.querySelector({what:?})).fontSize)");
        let px = browser.eval(&px).await.as_f64().unwrap();
        assert!(px >= least, "{what}: {px} px");
    }
}

#[actix_web::test]
async fn the_board_fits_every_screen_in_both_languages_and_can_be_read() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start_with(&[("HALLKEEPER__DEMO__SPEED", "60")], &["--demo"]).await;
    let admin = hard_hall(&server).await;
    let notice = json!({"level": "notice", "text": {
        "zh": "社保业务等候较长，已增开9号窗口，请已取号的群众留意叫号",
        "en": "Long waits for social security: window 9 is open too, please watch for your number",
    }});
    admin.put("/halls/H9/notice", notice).await.expect(200);
    for hall in ["demo", "H9"] {
        size(&browser, (1920, 1080)).await;
        open_board(&browser, &server, hall, "lang=zh").await;
        browser
            .until("document.querySelectorAll('.row-no').length > 3")
            .await;
        for lang in ["zh", "en"] {
            if lang == "en" {
                browser
                    .open(&format!("{}/board/{hall}?lang=en", server.base))
                    .await;
                browser
                    .until("document.querySelector('#now .big-no')")
                    .await;
            }
            for screen in SCREENS {
                size(&browser, screen).await;
                let at = format!("{hall} in {lang} at {screen:?}");
                assert_eq!(browser.eval(CUT_OFF).await, json!([]), "{at}");
            }
            size(&browser, (1920, 1080)).await;
            assert_eq!(browser.eval(PALE).await, json!([]), "{hall} in {lang}");
            if hall == "demo" {
                can_be_read_from_afar(&browser).await;
            }
            if lang == "en" {
                assert_eq!(browser.chinese_outside("none").await, json!([]), "{hall}");
            }
        }
        assert_eq!(browser.complaints().await, Vec::<String>::new());
    }
    browser.stop().await;
}

#[actix_web::test]
async fn a_board_tells_of_notices_emergencies_hours_and_its_own_zone() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall_in(CHINA, HALL, 4).await;
    let week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let day = json!([{"from": "00:01", "to": "00:02"}]);
    let hours: serde_json::Map<_, _> = week
        .map(|name| (name.to_owned(), day.clone()))
        .into_iter()
        .collect();
    let zones =
        json!([{"id": "A", "name": {"zh": "A区", "en": "Zone A"}}, {"id": "B", "name": "B"}]);
    let mut options = json!({"options": {"zones": zones, "hours": hours, "visitor_issuing": true}});
    admin
        .put(&format!("/halls/{HALL}"), options.clone())
        .await
        .expect(200);
    for (window, zone, service) in [("1", "A", "S1"), ("2", "B", "S2")] {
        let plan = json!({"services": [service], "zone": zone});
        let path = format!("/halls/{HALL}/windows/{window}");
        admin.put(&path, plan).await.expect(200);
    }
    admin.open_windows(HALL, &["1", "2"]).await;
    admin.issue(HALL, "S1").await;
    admin.issue(HALL, "S2").await;

    // One zone's board, on a box whose clock is an hour off and whose user wants nothing to move.
    let hour_off = "const Right = Date; window.Date = class extends Right { constructor(...a) { \
         if (a.length) super(...a); else super(Right.now() + 3600000); } static now() { return \
         Right.now() + 3600000; } };";
    browser
        .devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({"source": hour_off}),
        )
        .await;
    let calm = json!({"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]});
    browser.devtools("Emulation.setEmulatedMedia", calm).await;
    size(&browser, (1920, 1080)).await;
    open_board(&browser, &server, HALL, "zone=A").await;
    browser.until("document.querySelector('.tile')").await;
    assert_eq!(browser.text("#zone").await, "A区");
    assert_eq!(
        browser
            .eval("Array.from(document.querySelectorAll('.tile'), (n) => n.dataset.service)")
            .await,
        json!(["S1"])
    );
    let minutes = |text: &str| -> i64 {
        let (hours, minutes) = text.split_once(':').expect("HH:MM");
        hours.parse::<i64>().unwrap() * 60 + minutes.parse::<i64>().unwrap()
    };
    let shanghai = (wall_clock_ms() / 60_000.0) as i64 + 8 * 60;
    let off = (minutes(&browser.text("#clock").await) - shanghai).rem_euclid(1440);
    assert!(off <= 1 || off >= 1439, "{off} min off the server's clock");
    let other = call_at(&admin, HALL, "2").await;
    let own = call_at(&admin, HALL, "1").await;
    browser.until(&on_top(&own)).await;
    assert_eq!(
        browser
            .eval(&format!("document.body.textContent.includes({other:?})"))
            .await,
        json!(false)
    );
    let still = "(() => { const s = getComputedStyle(document.querySelector('#now .fresh')); return \
         [s.animationName, s.backgroundColor]; })()";
    assert_eq!(
        browser.eval(still).await,
        json!(["none", "rgb(255, 213, 74)"])
    );
    browser
        .until("document.querySelector('#code-picture').naturalWidth > 0")
        .await;

    // A notice is a line, an emergency is everything, in both languages.
    let path = format!("/halls/{HALL}/notice");
    let words = json!({"zh": "已增开9号窗口", "en": "Window 9 is open too"});
    admin
        .put(&path, json!({"level": "notice", "text": words}))
        .await
        .expect(200);
    browser
        .until("document.querySelector('#strip').textContent.includes('已增开9号窗口')")
        .await;
    assert!(
        browser
            .text("#strip")
            .await
            .contains("Window 9 is open too")
    );
    for long in [false, true] {
        let text = if long {
            json!({"zh": "请立即从最近的安全出口有序离开。".repeat(12), "en": "Please leave now. ".repeat(11)})
        } else {
            words.clone()
        };
        let emergency = json!({"level": "emergency", "text": text});
        admin.put(&path, emergency).await.expect(200);
        let zh: String = text["zh"].as_str().unwrap().to_owned();
        browser
            .until(&format!(
                "document.querySelector('.emergency-zh')?.textContent === {zh:?}"
            ))
            .await;
        for screen in SCREENS {
            size(&browser, screen).await;
            assert_eq!(browser.eval(CUT_OFF).await, json!([]), "{screen:?}");
        }
        let whole = "(() => { const b = document.querySelector('.emergency').getBoundingClientRect(); \
             return [b.left, b.top, b.right - innerWidth, b.bottom - innerHeight]; })()";
        assert_eq!(browser.eval(whole).await, json!([0, 0, 0, 0]));
        assert!(browser.text(".emergency").await.contains("Emergency"));
    }
    assert_eq!(browser.eval(PALE).await, json!([]), "in an emergency");
    admin.delete(&path).await.expect(200);
    browser.until("!document.querySelector('.emergency')").await;

    // Closed: nearly black, with the hours and what comes next.
    for window in ["1", "2"] {
        for verb in ["start", "complete", "close"] {
            admin.at_window(HALL, window, verb).await.expect(200);
        }
    }
    admin
        .post(&format!("/halls/{HALL}/close"), json!({}))
        .await
        .expect(200);
    browser
        .until("!document.querySelector('#closed').hidden")
        .await;
    for screen in SCREENS {
        size(&browser, screen).await;
        assert_eq!(
            browser.eval(CUT_OFF).await,
            json!([]),
            "closed at {screen:?}"
        );
    }
    let said = browser.text("#closed").await;
    assert!(
        said.contains("星期一至星期日") && said.contains("00:01–00:02"),
        "{said}"
    );
    assert!(said.contains("下次开放"), "{said}");
    assert_eq!(browser.eval(PALE).await, json!([]), "closed");
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    // Without a token one sees nothing, unless the hall shows its board to everybody.
    browser.page.delete_all_cookies().await.unwrap();
    let anybody = format!("{}/board/{HALL}", server.base);
    browser.open(&anybody).await;
    browser.until(&state_is("denied")).await;
    assert!(!browser.text("body").await.contains("社保"));
    options["options"]["public_board"] = json!(true);
    admin
        .put(&format!("/halls/{HALL}"), options)
        .await
        .expect(200);
    browser.open(&anybody).await;
    browser.until(&state_is("live")).await;
    assert_eq!(browser.text("#hall-name").await, "政务服务中心");
    browser.stop().await;
}
