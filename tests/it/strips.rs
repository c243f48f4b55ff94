//! LED strips: previews, the page that paints the dots, and hardware strips against emulators.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Client, Server, list, text};
use crate::webdriver::Browser;

const HALL: &str = "H1";

/// The dots of the page's canvas as the server's `strip.txt` writes them.
const PAINTED: &str = "(() => {
    const canvas = document.querySelector('#dots');
    const dot = Math.floor(Math.min(innerWidth / 128, innerHeight / 16));
    const pen = canvas.getContext('2d');
    let all = '';
    for (let y = 0; y < 16; y += 1) {
        for (let x = 0; x < 128; x += 1) {
            const [red, green] = pen.getImageData(x * dot + (dot >> 1), y * dot + (dot >> 1), 1, 1).data;
            all += red > 90 || green > 90 ? '#' : '.';
        }
        all += '\\n';
    }
    return all;
})()";

const LABEL: &str = "document.querySelector('#dots').getAttribute('aria-label')";

fn label_is(text: &str) -> String {
    format!("{LABEL} === {text:?}")
}

async fn called(admin: &Client, window: &str) -> String {
    admin.issue(HALL, "S1").await;
    let answer = admin.at_window(HALL, window, "call-next").await.expect(200);
    text(&answer["ticket"]["number"]).to_owned()
}

#[actix_web::test]
async fn a_strip_is_told_as_data_text_and_pictures_and_bad_sizes_are_refused() {
    let server = Server::start().await;
    let admin = server.hall(HALL, 2).await;
    admin.open_windows(HALL, &["2"]).await;
    called(&admin, "2").await;
    let strip = |form: &str| format!("/halls/{HALL}/windows/2/strip.{form}");
    let data = admin.get(&strip("json?size=96x16")).await.expect(200);
    assert_eq!(data["lines"][0]["text"], "请B001号办理");
    assert_eq!(
        (&data["show"], &data["colour"]),
        (&json!("call"), &json!("yellow"))
    );
    assert_eq!(
        (&data["call"]["number"], &data["call"]["calls"]),
        (&json!("B001"), &json!(1))
    );
    assert_eq!(data["staff"][0]["text"], "请听工作人员");
    let rows = list(&data["lines"][0]["dots"]);
    assert!(rows.len() == 16 && rows.iter().all(|row| text(row).len() == 24));
    let drawn = admin.get(&strip("txt")).await;
    assert!(
        drawn.text.starts_with("请B001号到本窗口\n"),
        "{}",
        drawn.text
    );
    assert_eq!(
        drawn.text.lines().skip(1).map(str::len).collect::<Vec<_>>(),
        [128; 16]
    );
    let english = admin.get(&strip("txt?lang=en")).await;
    assert!(
        english.text.starts_with("B001 please come\n"),
        "{}",
        english.text
    );
    for (form, media_type) in [("pbm", "image/x-portable-bitmap"), ("png", "image/png")] {
        let picture = admin.get(&strip(form)).await;
        assert_eq!(picture.header("content-type"), Some(media_type));
    }
    // Only the window that called shows it.
    let other = admin
        .get(&format!("/halls/{HALL}/windows/1/strip.json"))
        .await
        .expect(200);
    assert_eq!(
        (&other["show"], &other["call"]),
        (&json!("off"), &Value::Null)
    );
    for size in ["64x15", "", "9999x9999"] {
        let refused = admin.get(&strip(&format!("json?size={size}"))).await;
        refused.refused(422, "invalid_field");
    }
    let unknown = admin
        .get(&format!("/halls/{HALL}/windows/none/strip.json"))
        .await;
    unknown.refused(404, "unknown_window");
}

#[actix_web::test]
async fn the_page_paints_the_strips_own_dots_and_wipes_an_old_number() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mut server = Server::start().await;
    let admin = server.hall(HALL, 2).await;
    admin.open_windows(HALL, &["1", "2"]).await;
    let screen = server.device("strip", "screen", HALL).await;
    let token = screen.token.as_deref().unwrap();
    browser.resize(1280, 240).await;
    let page = format!("{}/led/{HALL}/2?size=128x16", server.base);
    browser.open(&format!("{page}&t={token}")).await;
    browser.until(&label_is("2号综合窗口")).await;

    // A call flashes for three seconds and then stands, dot for dot as the server draws it.
    called(&admin, "2").await;
    browser.until(&label_is("请B001号到本窗口")).await;
    browser.until("document.body.dataset.flash === 'yes'").await;
    browser.until("document.body.dataset.flash === 'no'").await;
    let drawn = screen
        .get(&format!("/halls/{HALL}/windows/2/strip.txt"))
        .await;
    let (_, dots) = drawn.text.split_once('\n').unwrap();
    assert_eq!(browser.eval(PAINTED).await, json!(dots));

    // Called again so soon it does not flash anew; later it does.
    admin.at_window(HALL, "2", "recall").await.expect(200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        browser.eval("document.body.dataset.flash").await,
        json!("no")
    );
    tokio::time::sleep(Duration::from_millis(2000)).await;
    admin.at_window(HALL, "2", "recall").await.expect(200);
    browser.until("document.body.dataset.flash === 'yes'").await;

    // A call at another window is none of its business.
    called(&admin, "1").await;
    admin.at_window(HALL, "2", "start").await.expect(200);
    browser.until(&label_is("B001 正在办理中")).await;
    browser
        .eval("location.assign(location.href + '&lang=en')")
        .await;
    browser.until(&label_is("Serving B001")).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    // The server is gone: half a minute later the number is, too.
    server.kill();
    let later = "(() => { const real = performance.now.bind(performance); performance.now = () => \
         real() + 31000; return true; })()";
    browser.eval(later).await;
    browser.until(&label_is("Please ask staff")).await;
    browser.stop().await;
}
