//! Messages on their way out, to real receivers of every kind and manner.

pub mod receivers;

use std::time::{Duration, Instant};

use hallkeeper::config::Settings;
use hallkeeper::notices::Ways;
use hallkeeper::notices::letter::Letter;
use hallkeeper::notices::settings::{Notices, Security};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rules::alerts::rule::{Audience, Severity};
use rules::desk::messages::{Announcement, Cause, MessageEvent, Messages, Outcome};
use rules::desk::receivers::{ReceiverCommand, Receivers};
use rules::name::Name;
use rules::time::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use receivers::{Manner, Receiver, Taken};

const AT: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The first attempt of a message by one way.
fn letter(kind: &str, address: &str) -> Letter {
    let mut receivers = Receivers::default();
    let receiver = json!({
        "id": "duty", "name": "值班", "account": "duty",
        "ways": [{"kind": kind, "address": address}],
    });
    let receiver = serde_json::from_value(receiver).unwrap();
    let put = ReceiverCommand::Put(Box::new(receiver));
    for event in receivers.decide(&put).unwrap() {
        receivers.apply(&event);
    }
    let about = Announcement {
        key: "A-000001/1".to_owned(),
        alert: Some("A-000001".to_owned()),
        cause: Cause::Raised,
        severity: Severity::Critical,
        title: Name::new("办件超期", "Case overdue"),
        text: Name::new(
            "办件 C1 \"已\" 超期 2 天\n.\n请处理 {to}",
            "Case C1 is 2 days overdue",
        ),
        audience: vec![Audience::Receiver("duty".to_owned())],
        handler: None,
        hall: Some("H1".parse().unwrap()),
        department: None,
        narrow: false,
    };
    let events = Messages::default().announce(&[about], &receivers, AT);
    let [MessageEvent::MessageQueued { message }] = events.as_slice() else {
        panic!("{events:?}");
    };
    let mut message = (**message).clone();
    message.attempts = 1;
    Letter::of(&message, &receivers).unwrap()
}

fn settings() -> Notices {
    let mut notices = Settings::load(None).unwrap().notices;
    notices.timeout_secs = 1;
    notices
}

/// Settings with a target of each kind, all the same receiver.
fn for_http(receiver: &Receiver) -> Notices {
    let mut notices = settings();
    let target = json!({"url": receiver.url(), "secret": "S3cret"});
    let target = || serde_json::from_value(target.clone()).unwrap();
    notices.webhooks.insert("ops".to_owned(), target());
    notices.wecom.insert("ops".to_owned(), target());
    notices.dingtalk.insert("ops".to_owned(), target());
    notices.sms.url = serde_json::from_value(json!(receiver.url())).unwrap();
    notices.check().unwrap();
    notices
}

fn for_mail(receiver: &Receiver) -> Notices {
    let mut notices = settings();
    notices.email.server = "127.0.0.1".to_owned();
    notices.email.port = receiver.port;
    notices.email.security = Security::None;
    notices.email.from = "大厅管家 <hallkeeper@example.org>".to_owned();
    notices.check().unwrap();
    notices
}

async fn send(settings: Notices, letter: &Letter) -> Outcome {
    Ways::new(settings).unwrap().send(letter, AT).await
}

fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered { .. } => "delivered",
        Outcome::Uncertain { .. } => "uncertain",
        Outcome::Failed { .. } => "failed",
        Outcome::Refused { .. } => "refused",
    }
}

fn only(taken: &[Taken]) -> &Taken {
    assert_eq!(taken.len(), 1, "{taken:?}");
    &taken[0]
}

#[actix_web::test]
async fn a_mail_arrives_whole_in_a_conversation_by_the_book() {
    let server = Receiver::smtp(&[Manner::Accept]).await;
    let mut letter = letter("email", "duty@example.org");
    letter.message.possible_duplicate = true;
    let outcome = send(for_mail(&server), &letter).await;
    let Outcome::Delivered { receipt } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(receipt.unwrap().contains("queued as 4711"));
    let taken = server.taken();
    let mail = only(&taken);
    assert_eq!(mail.to, "duty@example.org");
    assert_eq!(mail.headers["x-hallkeeper-message"], "M-000001");
    assert_eq!(mail.headers["x-hallkeeper-possible-duplicate"], "true");
    assert_eq!(mail.headers["auto-submitted"], "auto-generated");
    assert!(mail.headers["message-id"].starts_with("<M-000001."));
    assert!(
        mail.headers["subject"].starts_with("=?utf-8?b?"),
        "{mail:?}"
    );
    assert!(mail.body.is_ascii());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.faults(), Vec::<String>::new());
}

#[actix_web::test]
async fn what_a_mail_server_does_decides_what_is_known_of_the_mail() {
    for (manner, expected, taken) in [
        (Manner::Answer(550, "unknown user"), "refused", 0),
        (Manner::Answer(451, "try later"), "failed", 0),
        (Manner::DropAtOnce, "failed", 0),
        (Manner::Garbage, "failed", 0),
        (Manner::DropAfterBody, "uncertain", 1),
        (Manner::Hang, "uncertain", 1),
    ] {
        let server = Receiver::smtp(std::slice::from_ref(&manner)).await;
        let outcome = send(for_mail(&server), &letter("email", "duty@example.org")).await;
        assert_eq!(kind(&outcome), expected, "{manner:?}: {outcome:?}");
        assert_eq!(server.taken().len(), taken, "{manner:?}");
        assert!(
            !format!("{outcome:?}").contains("duty@"),
            "the address is told: {outcome:?}"
        );
    }
    let mut nobody = settings();
    nobody.email.server = "127.0.0.1".to_owned();
    nobody.email.port = 1;
    nobody.email.security = Security::None;
    let outcome = send(nobody, &letter("email", "duty@example.org")).await;
    assert_eq!(kind(&outcome), "failed", "{outcome:?}");
    let outcome = send(settings(), &letter("email", "duty@example.org")).await;
    assert_eq!(
        kind(&outcome),
        "refused",
        "no server is set up: {outcome:?}"
    );
}

#[actix_web::test]
async fn a_mail_server_without_encryption_gets_nothing_when_encryption_is_asked_for() {
    let server = Receiver::smtp(&[Manner::Accept]).await;
    for security in [Security::Starttls, Security::Tls] {
        let mut settings = for_mail(&server);
        settings.email.security = security;
        let outcome = send(settings, &letter("email", "duty@example.org")).await;
        assert_eq!(kind(&outcome), "failed", "{outcome:?}");
    }
    assert!(server.taken().is_empty());
}

#[actix_web::test]
async fn a_webhook_is_signed_and_says_which_message_it_is() {
    let receiver = Receiver::http(&[Manner::Accept]).await;
    let mut letter = letter("webhook", "ops");
    letter.message.possible_duplicate = true;
    let outcome = send(for_http(&receiver), &letter).await;
    assert_eq!(kind(&outcome), "delivered", "{outcome:?}");
    let taken = receiver.taken();
    let post = only(&taken);
    assert_eq!(post.to, "POST /in");
    assert_eq!(post.headers["idempotency-key"], "A-000001/1/duty/webhook");
    assert_eq!(post.headers["x-hallkeeper-attempt"], "1");
    assert_eq!(post.headers["x-hallkeeper-possible-duplicate"], "true");
    let timestamp = &post.headers["x-hallkeeper-timestamp"];
    assert_eq!(timestamp, "1800000000");
    let mut mac = Hmac::<Sha256>::new_from_slice(b"S3cret").unwrap();
    mac.update(format!("{timestamp}.{}", post.body).as_bytes());
    let digits: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        post.headers["x-hallkeeper-signature"],
        format!("sha256={digits}")
    );
    let body: Value = serde_json::from_str(&post.body).unwrap();
    assert_eq!(body["alert"], "A-000001");
    assert_eq!(body["severity"], "critical");
    assert_eq!(body["hall"], "H1");
    assert_eq!(body["possible_duplicate"], true);
}

#[actix_web::test]
async fn what_an_http_receiver_does_decides_what_is_known_of_the_message() {
    for (manner, expected) in [
        (Manner::Answer(204, ""), "delivered"),
        (Manner::Answer(500, ""), "failed"),
        (Manner::Answer(429, ""), "failed"),
        (Manner::Answer(502, ""), "uncertain"),
        (Manner::Answer(400, ""), "refused"),
        (Manner::Answer(302, ""), "refused"),
        (Manner::DropAfterBody, "uncertain"),
        (Manner::Hang, "uncertain"),
        (Manner::Garbage, "uncertain"),
    ] {
        let receiver = Receiver::http(std::slice::from_ref(&manner)).await;
        let outcome = send(for_http(&receiver), &letter("webhook", "ops")).await;
        assert_eq!(kind(&outcome), expected, "{manner:?}: {outcome:?}");
        assert_eq!(receiver.taken().len(), 1, "{manner:?}");
    }
    let mut nobody = settings();
    let target = json!({"url": "http://127.0.0.1:1/", "secret": "x"});
    nobody
        .webhooks
        .insert("ops".to_owned(), serde_json::from_value(target).unwrap());
    let outcome = send(nobody, &letter("webhook", "ops")).await;
    assert_eq!(kind(&outcome), "failed", "{outcome:?}");
    let outcome = send(settings(), &letter("webhook", "ops")).await;
    assert_eq!(kind(&outcome), "refused", "no such target: {outcome:?}");
}

#[actix_web::test]
async fn an_sms_gateway_is_spoken_to_as_the_settings_say() {
    let sms = letter("sms", "+8613800000001");
    let receiver = Receiver::http(&[Manner::Accept]).await;
    let outcome = send(for_http(&receiver), &sms).await;
    assert_eq!(kind(&outcome), "delivered", "{outcome:?}");
    let taken = receiver.taken();
    let body: Value = serde_json::from_str(&only(&taken).body).unwrap();
    assert_eq!(body["mobile"], "+8613800000001");
    assert_eq!(body["request_id"], "A-000001/1/duty/sms");
    assert!(
        body["content"]
            .as_str()
            .unwrap()
            .contains("\"已\" 超期 2 天\n.\n请处理 {to}")
    );

    let receiver = Receiver::http(&[Manner::Accept]).await;
    let mut form = for_http(&receiver);
    form.sms.content_type = "application/x-www-form-urlencoded".to_owned();
    form.sms.body = "to={to}&text={text}".to_owned();
    form.sms.headers = serde_json::from_value(json!({"X-App-Key": "k"})).unwrap();
    send(form, &sms).await;
    let taken = receiver.taken();
    assert!(
        only(&taken)
            .body
            .starts_with("to=%2B8613800000001&text=%E3%80%90")
    );
    assert_eq!(only(&taken).headers["x-app-key"], "k");

    let receiver = Receiver::http(&[Manner::Accept]).await;
    let mut get = for_http(&receiver);
    let url = format!("{}?to={{to}}&text={{text}}", receiver.url());
    get.sms.url = serde_json::from_value(json!(url)).unwrap();
    get.sms.method = "GET".to_owned();
    get.check().unwrap();
    send(get, &sms).await;
    let taken = receiver.taken();
    assert!(
        only(&taken)
            .to
            .starts_with("GET /in?to=%2B8613800000001&text=%E3")
    );
}

#[actix_web::test]
async fn a_gateways_answer_is_read_by_the_patterns_of_the_settings() {
    for (answer, expected) in [
        ("{\"code\": 0}", "delivered"),
        ("{\"code\": 7, \"msg\": \"busy +8613800000001\"}", "failed"),
        ("{\"code\": 12, \"msg\": \"no such number\"}", "refused"),
    ] {
        let receiver = Receiver::http(&[Manner::Answer(200, answer)]).await;
        let mut settings = for_http(&receiver);
        settings.sms.success = r#""code":\s*0\b"#.to_owned();
        settings.sms.refused = r#""code":\s*1[0-9]\b"#.to_owned();
        settings.check().unwrap();
        let outcome = send(settings, &letter("sms", "+8613800000001")).await;
        assert_eq!(kind(&outcome), expected, "{answer}: {outcome:?}");
        assert!(!format!("{outcome:?}").contains("86138"), "{outcome:?}");
    }
}

#[actix_web::test]
async fn group_robots_get_their_documented_form() {
    let receiver = Receiver::http(&[Manner::Accept]).await;
    let outcome = send(for_http(&receiver), &letter("wecom", "ops")).await;
    assert_eq!(kind(&outcome), "delivered", "{outcome:?}");
    let taken = receiver.taken();
    let body: Value = serde_json::from_str(&only(&taken).body).unwrap();
    assert_eq!(body["msgtype"], "text");
    let content = body["text"]["content"].as_str().unwrap();
    assert!(
        content.starts_with("【严重】办件超期（发生）\n"),
        "{content}"
    );
    assert_eq!(only(&taken).to, "POST /in");

    let receiver = Receiver::http(&[Manner::Accept]).await;
    send(for_http(&receiver), &letter("dingtalk", "ops")).await;
    let taken = receiver.taken();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"S3cret").unwrap();
    mac.update(b"1800000000000\nS3cret");
    let sign = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
    };
    let sign = sign
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let signed = format!("POST /in?timestamp=1800000000000&sign={sign}");
    assert_eq!(only(&taken).to, signed);

    let busy = "{\"errcode\":45009,\"errmsg\":\"api freq out of limit\"}";
    let receiver = Receiver::http(&[Manner::Answer(200, busy)]).await;
    let outcome = send(for_http(&receiver), &letter("wecom", "ops")).await;
    assert_eq!(kind(&outcome), "failed", "{outcome:?}");
}

#[actix_web::test]
async fn no_receiver_holds_an_attempt_up_for_longer_than_the_settings_allow() {
    let mail = Receiver::smtp(&[Manner::Hang]).await;
    let http = Receiver::http(&[Manner::Hang]).await;
    let began = Instant::now();
    send(for_mail(&mail), &letter("email", "duty@example.org")).await;
    send(for_http(&http), &letter("webhook", "ops")).await;
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn settings_that_cannot_be_are_refused_by_name_and_secrets_are_not_printed() {
    let faulty = |change: &dyn Fn(&mut Notices)| {
        let mut notices = settings();
        change(&mut notices);
        format!("{:#}", notices.check().unwrap_err())
    };
    let target = |json: Value| serde_json::from_value(json).unwrap();
    let wants = faulty(&|notices| {
        let entry = target(json!({"url": "ftp://x/"}));
        notices.wecom.insert("ops".to_owned(), entry);
    });
    assert!(wants.contains("notices.wecom.ops.url"), "{wants}");
    let wants = faulty(&|notices| {
        let entry = target(json!({"url": "http://x/"}));
        notices.webhooks.insert("ops".to_owned(), entry);
    });
    assert!(wants.contains("notices.webhooks.ops.secret"), "{wants}");
    let wants = faulty(&|notices| notices.timeout_secs = 0);
    assert!(wants.contains("notices.timeout_secs"), "{wants}");
    let wants = faulty(&|notices| {
        notices.email.server = "mail".to_owned();
        notices.email.user = "u".to_owned();
        notices.email.security = Security::None;
    });
    assert!(wants.contains("notices.email.user"), "{wants}");
    let wants = faulty(&|notices| {
        notices.sms.url = serde_json::from_value(json!("http://x/")).unwrap();
        notices.sms.success = "(".to_owned();
    });
    assert!(wants.contains("notices.sms.success"), "{wants}");
    let mut notices = settings();
    let entry = target(json!({"url": "http://x/?key=KEY", "secret": "S3cret"}));
    notices.webhooks.insert("ops".to_owned(), entry);
    let printed = format!("{notices:?}");
    assert!(
        !printed.contains("KEY") && !printed.contains("S3cret"),
        "{printed}"
    );
}
