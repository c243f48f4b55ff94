//! The kiosk.

use serde_json::json;

use super::{
    HALL, ID_CARD, SOCIAL_CODE, booking_code, issued, open_kiosk, scan, step_is, traces_of,
};
use crate::harness::{CHINA, Server, list};
use crate::print_bridge::{Bridge, PAPER_OUT, Printer, WELL};
use crate::webdriver::Browser;

/// What a touch screen may never do: scroll, cut a word, offer a target under 96 px or a word under 36 px.
const FITS: &str = "(() => {
    const bad = [];
    const page = document.documentElement;
    if (page.scrollWidth > innerWidth || page.scrollHeight > innerHeight) bad.push('the page scrolls');
    for (const node of document.querySelectorAll('button')) {
        if (!node.offsetParent) continue;
        const box = node.getBoundingClientRect();
        const what = node.textContent.slice(0, 20) + ' ' + Math.round(box.width) + '×' + Math.round(box.height);
        if (box.width < 95.5 || box.height < 95.5) bad.push('small: ' + what);
        if (box.left < 0 || box.top < 0 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1) bad.push('outside: ' + what);
        if (node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 1) bad.push('cut: ' + what);
    }
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const at = walk.currentNode.parentElement;
        if (!at.offsetParent || !walk.currentNode.data.trim()) continue;
        const size = parseFloat(getComputedStyle(at).fontSize);
        if (size < 35.5 && !at.closest('.tile b')) bad.push('fine print ' + size + ': ' + walk.currentNode.data);
        const range = document.createRange();
        range.selectNodeContents(walk.currentNode);
        const box = range.getBoundingClientRect();
        if (box.right > innerWidth + 1 || box.bottom > innerHeight + 1) bad.push('word outside: ' + walk.currentNode.data);
    }
    return bad;
})()";
/// AC-A05-1, AC-A05-2, AC-A05-3 at the machine itself.
#[actix_web::test]
async fn a_card_or_code_is_read_at_any_step_and_leaves_no_trace() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall_in(CHINA, HALL, 3).await;
    let printer = Printer::start().await;
    let bridge = Bridge::start(&format!("tcp:{}", printer.address), &server.base);
    let port = bridge.base.rsplit(':').next().unwrap();
    browser.resize(1920, 1080).await;
    open_kiosk(
        &browser,
        &server,
        &admin,
        &format!("&print={port}&paper=58"),
    )
    .await;
    browser.shot("kiosk-start").await;

    // An appointment, twice: one ticket, printed twice.
    let code = booking_code("AP1", 10, 40);
    for prints in 1..=2 {
        scan(&browser, &code).await;
        browser
            .until("document.querySelector('[data-printing=done]')")
            .await;
        assert_eq!(browser.text("#number").await, "B001");
        let paper = String::from_utf8_lossy(&printer.printed()).into_owned();
        assert_eq!(paper.matches("B001").count(), prints);
        assert_eq!(browser.eval(FITS).await, json!([]), "slip");
        browser.shot("kiosk-slip").await;
        browser.click(".done > .key").await;
        // It goes a moment after the finger is off.
        browser.until(&step_is("choose")).await;
    }
    assert_eq!(issued(&admin).await, 1);
    scan(&browser, &booking_code("AP2", 90, 120)).await;
    browser.until(&step_is("refused")).await;
    assert!(browser.text("#main").await.contains("未到签到时间"));
    assert_eq!(browser.eval(FITS).await, json!([]), "refused");
    browser.click("#home").await;

    // An electronic code read first: only its owner knows which, then the service gives the ticket.
    scan(&browser, SOCIAL_CODE).await;
    browser
        .click("[data-choice='kiosk.social_security_code']")
        .await;
    browser
        .until("!document.getElementById('known').hidden")
        .await;
    assert!(browser.text("#known").await.contains("1728"));
    assert_eq!(browser.eval(FITS).await, json!([]), "known");
    browser.click("[data-service=S1]").await;
    browser
        .until("document.querySelector('[data-printing=done]')")
        .await;
    assert_eq!(browser.text("#number").await, "B002");

    // The next visitor scans while the slip still shows; the check digit is wrong, no number is used up.
    scan(&browser, "110105194912310021").await;
    browser.click("[data-service=S1]").await;
    browser.until("document.querySelector('.said.bad')").await;
    assert!(browser.text(".said").await.contains("校验码不符"));
    assert_eq!(issued(&admin).await, 2);
    browser.shot("kiosk-type").await;
    scan(&browser, ID_CARD).await;
    browser
        .until("document.querySelector('[data-printing=done]')")
        .await;
    let listed = admin.get("/halls/H1/tickets?number=B003").await.expect(200);
    assert_eq!(listed["items"][0]["holder"]["kind"], "id_card");

    // Noise is told, or nothing.
    scan(&browser, "http://elsewhere.example/?x=1").await;
    browser.until(&step_is("unread")).await;
    assert_eq!(browser.eval(FITS).await, json!([]), "unread");
    browser.click("#home").await;
    browser.keys("body", "abc").await;
    scan(&browser, &"9".repeat(300)).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(browser.eval(&step_is("choose")).await, json!(true));

    for secret in [ID_CARD, SOCIAL_CODE, "110105194912310021", "AP1"] {
        assert_eq!(
            browser.eval(&traces_of(secret)).await,
            json!([]),
            "{secret}"
        );
        assert!(!server.log().contains(secret), "{secret} is in the log");
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    // The slip as a manager sees it beforehand.
    let sample = admin.get("/halls/H1/services/S1/slip.svg?width=58").await;
    browser.resize(384, 600).await;
    let picture = format!("document.body.innerHTML = {:?}", sample.text);
    browser.eval(&picture).await;
    browser.shot("slip").await;
    browser.stop().await;
}

/// AC-A10-2: without paper everything but printing goes on, and the desk knows.
#[actix_web::test]
async fn a_printer_without_paper_keeps_the_number_shows_the_code_and_tells_the_manager() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall(HALL, 1).await;
    let printer = Printer::start().await;
    let bridge = Bridge::start(&format!("tcp:{}", printer.address), &server.base);
    let port = bridge.base.rsplit(':').next().unwrap();
    browser.resize(1080, 1920).await;
    open_kiosk(&browser, &server, &admin, &format!("&print={port}")).await;
    browser
        .until("document.getElementById('no-print').hidden")
        .await;
    printer.becomes(PAPER_OUT);
    browser.click("[data-service=S1]").await;
    browser.click("[data-choice='kiosk.skip']").await;
    browser
        .until("document.querySelector('[data-printing=failed]')")
        .await;
    let said = browser.text(".paper").await;
    assert!(
        said.contains("缺纸") && said.contains("号码已保留"),
        "{said}"
    );
    assert_eq!(browser.text("#number").await, "B001");
    browser
        .until("document.querySelector('.slip img').naturalWidth > 0")
        .await;
    let wide = browser
        .eval("document.querySelector('.slip img').clientWidth")
        .await;
    assert!(wide.as_f64().unwrap() >= 400.0, "the code is large: {wide}");
    assert_eq!(browser.eval(FITS).await, json!([]), "without paper");
    browser.shot("kiosk-no-paper").await;
    browser.click(".done > .key").await;
    browser
        .until("!document.getElementById('no-print').hidden")
        .await;
    assert!(browser.text("#no-print").await.contains("打印机缺纸"));
    assert_eq!(browser.eval(FITS).await, json!([]), "start without paper");

    let deadline = std::time::Instant::now() + crate::harness::PATIENCE;
    loop {
        let devices = admin.get("/halls/H1/devices").await.expect(200);
        let faults = &list(&devices["items"])[0]["report"]["faults"];
        if faults.to_string().contains("paper_out") {
            assert_eq!(faults[0]["function"], "print");
            assert_eq!(faults.as_array().unwrap().len(), 1, "only printing is gone");
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{devices}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }

    printer.becomes(WELL);
    browser
        .open(browser.page.current_url().await.unwrap().as_ref())
        .await;
    browser
        .until("document.querySelector('[data-service=S1]')")
        .await;
    browser
        .until("document.getElementById('no-print').hidden")
        .await;
    browser.click("[data-service=S1]").await;
    browser.click("[data-choice='kiosk.skip']").await;
    browser
        .until("document.querySelector('[data-printing=done]')")
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

#[actix_web::test]
async fn a_kiosk_left_alone_forgets_its_visitor_and_a_double_tap_gives_one_ticket() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mut server = Server::start().await;
    let admin = server.hall(HALL, 1).await;
    browser.resize(1920, 1080).await;
    open_kiosk(&browser, &server, &admin, "&idle=5").await;
    browser.click("#elder").await;
    browser.click("#lang").await;
    browser.click("[data-service=S1]").await;
    browser.click("[data-choice='kiosk.id_card']").await;
    browser.keys("body", "1101").await;
    browser
        .until("(document.querySelector('output') || {}).textContent === '1101'")
        .await;
    browser
        .until("/[1-5] s left/.test(document.getElementById('countdown').textContent)")
        .await;
    browser.until(&step_is("choose")).await;
    assert_eq!(browser.eval(&traces_of("1101")).await, json!([]));
    assert_eq!(
        browser
            .eval("document.documentElement.classList.contains('elder')")
            .await,
        json!(false)
    );
    assert_eq!(browser.eval("document.documentElement.lang").await, "zh-CN");

    // Two taps at one place, as quick as a trembling finger: the second chooses nothing.
    let twice = |selector: &str| {
        format!(
            "(() => {{ for (const detail of [1, 2]) {{ const box = document.querySelector({selector:?}); \
         const at = box && box.getBoundingClientRect(); window.spot = window.spot || [at.left + 5, at.top + 5]; \
         document.elementFromPoint(window.spot[0], window.spot[1]).closest('button, main')\
         .dispatchEvent(new MouseEvent('click', {{bubbles: true, detail}})); }} window.spot = null; return true; }})()"
        )
    };
    browser.eval(&twice("[data-service=S1]")).await;
    browser.until(&step_is("identify")).await;
    browser.eval(&twice("[data-choice='kiosk.skip']")).await;
    browser.until(&step_is("slip")).await;
    assert_eq!(issued(&admin).await, 1);
    browser.until(&step_is("choose")).await; // forgotten as well, by itself
    assert_eq!(browser.eval(&traces_of("/t/H1.")).await, json!([]));

    // Without the server it refuses in words and does not hang.
    server.kill();
    browser
        .until("document.getElementById('main').textContent.includes('网络中断')")
        .await;
    assert_eq!(
        browser
            .eval("document.querySelectorAll('.tile').length")
            .await,
        json!(0)
    );
    browser.shot("kiosk-offline").await;
    browser.stop().await;
}

/// Each step in both languages, both ways up, as usual and in large print.
#[actix_web::test]
async fn every_step_of_the_kiosk_fits_its_screens() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall(HALL, 6).await;
    for (n, zh, en) in [
        (
            3,
            "企业职工基本养老保险关系转移接续申请",
            "Transfer of a basic pension insurance relation",
        ),
        (4, "不动产登记", "Real estate registration"),
        (5, "公积金提取与贷款", "Housing fund"),
        (6, "出入境", "Exit and entry"),
        (7, "税务", "Tax"),
    ] {
        let prefix = ["C", "D", "E", "G", "H"][n - 3];
        let mut service = json!({"name": {"zh": zh, "en": en}, "prefix": prefix});
        if n == 4 {
            service["contingent"] = json!(0);
        }
        admin
            .put(&format!("/halls/H1/services/S{n}"), service)
            .await
            .expect(200);
    }
    for window in ["1", "2", "3"] {
        let all = json!({"services": ["S1", "S2", "S3", "S4", "S5", "S6"]});
        admin
            .put(&format!("/halls/H1/windows/{window}"), all)
            .await
            .expect(200);
    }
    admin.open_windows(HALL, &["1", "2"]).await;
    for _ in 0..12 {
        admin.issue(HALL, "S1").await;
    }
    let case = json!({
        "case_no": "K9", "item": "企业设立登记", "department": "市场监管局", "hall": HALL, "applicant_masked": "张明明",
        "received_at": "2026-01-05T10:00:00+08:00", "due_at": "2026-01-20T17:30:00+08:00",
    });
    admin.post("/cases", case).await.expect(201);
    open_kiosk(&browser, &server, &admin, "").await;
    for (width, height) in [(1920, 1080), (1080, 1920)] {
        browser.resize(width, height).await;
        for lang in ["zh-CN", "en"] {
            for elder in [false, true] {
                let name = format!(
                    "{width}x{height} {lang} {}",
                    if elder { "elder" } else { "usual" }
                );
                let address = format!("{}/kiosk/{HALL}?lang={lang}", server.base);
                browser.open(&address).await;
                browser
                    .until("document.querySelector('[data-service=S1] .facts')")
                    .await;
                if elder {
                    browser.click("#elder").await;
                }
                let most = if elder { 4 } else { 6 };
                let tiles = format!("document.querySelectorAll('.tile').length === {most}");
                browser.until(&tiles).await;
                let look = async |step: &str| {
                    assert_eq!(browser.eval(FITS).await, json!([]), "{name}: {step}");
                    browser
                        .shot(&format!("{name} {step}").replace(' ', "-"))
                        .await;
                };
                look("choose").await;
                if !elder {
                    let grey = "document.querySelector('[data-service=S4]').disabled && \
                        document.querySelector('[data-service=S4] .why').textContent.length > 3";
                    assert_eq!(browser.eval(grey).await, json!(true), "{name}");
                }
                // AC-A02-3: how far a case is, and nothing of whose it is.
                browser.click("#case").await;
                browser.until(&step_is("type")).await;
                look("case-number").await;
                scan(&browser, "K7").await;
                browser
                    .until("document.querySelector('.said.bad').textContent.includes('K7')")
                    .await;
                browser.click("#back").await;
                browser.click("#case").await;
                scan(&browser, "K9").await;
                browser.until(&step_is("case")).await;
                look("case").await;
                let told = browser.text("#main").await;
                assert!(
                    told.contains("市场监管局") && told.contains("2026-01-20"),
                    "{told}"
                );
                assert!(!told.contains('张'), "{told}");
                browser.click("#back").await;
                browser.until(&step_is("choose")).await;
                browser.click("[data-service=S1]").await;
                browser.until(&step_is("identify")).await;
                look("identify").await;
                browser.click("[data-choice='kiosk.id_card']").await;
                browser.until(&step_is("type")).await;
                look("type").await;
                browser.click("#back").await;
                browser
                    .click("[data-choice='kiosk.social_security_code']")
                    .await;
                browser.until(&step_is("type")).await;
                look("letters").await;
                browser.click("#back").await;
                browser.click("[data-choice='kiosk.skip']").await;
                browser.until(&step_is("slip")).await;
                browser
                    .until("document.querySelector('.slip img').naturalWidth > 0")
                    .await;
                look("slip").await;
                if lang == "en" {
                    let left = browser.chinese_outside("button").await;
                    assert_eq!(left, json!([]), "{name}");
                }
            }
        }
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}
