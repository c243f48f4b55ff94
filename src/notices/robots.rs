//! Group robots of WeCom 企业微信 and DingTalk 钉钉, by their documented webhooks.
//!
//! Both take `{"msgtype": "text", "text": {"content": …}}` and answer `{"errcode": 0}`, with HTTP
//! status 200 for errors, too. DingTalk wants the address signed if the robot has a secret.

use awc::Client;
use awc::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rules::desk::messages::Outcome;
use rules::time::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::letter::Letter;
use super::post::{Request, exchange};
use super::settings::Target;
use super::sms::percent;
use super::webhook::sign;

/// Longest text of a WeCom robot, in bytes; DingTalk takes more.
const TEXT_MAX_BYTES: usize = 2048;

/// Codes after which the same message may be taken later: busy, or too many in a minute (WeCom
/// 45009; DingTalk 130101 and 410100).
const LATER: [i64; 4] = [-1, 45_009, 130_101, 410_100];

pub(super) async fn wecom(client: &Client, target: &Target, letter: &Letter) -> Outcome {
    tell(client, target.url.reveal(), letter).await
}

pub(super) async fn dingtalk(
    client: &Client,
    target: &Target,
    letter: &Letter,
    now: Timestamp,
) -> Outcome {
    let url = signed(target, now);
    tell(client, &url, letter).await
}

/// The address with `timestamp` and `sign`: the HMAC-SHA-256 of `TIMESTAMP\nSECRET`, in Base64.
fn signed(target: &Target, now: Timestamp) -> String {
    let url = target.url.reveal();
    let secret = target.secret.reveal();
    if secret.is_empty() {
        return url.to_owned();
    }
    let timestamp = now.millis();
    let sign = STANDARD.encode(sign(secret, format!("{timestamp}\n{secret}").as_bytes()));
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}timestamp={timestamp}&sign={}", percent(&sign))
}

async fn tell(client: &Client, url: &str, letter: &Letter) -> Outcome {
    let content = cut(&letter.message.text, TEXT_MAX_BYTES);
    let request = Request {
        method: Method::POST,
        url,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: json!({"msgtype": "text", "text": {"content": content}}).to_string(),
    };
    match exchange(client, request).await {
        Ok(answer) => judge(&answer),
        Err(outcome) => outcome,
    }
}

fn judge(answer: &[u8]) -> Outcome {
    #[derive(Deserialize)]
    struct Answer {
        errcode: i64,
        #[serde(default)]
        errmsg: String,
    }
    let Ok(Answer { errcode, errmsg }) = serde_json::from_slice(answer) else {
        // Somebody answered, and not the robot.
        let reason = "the answer is none of a robot".to_owned();
        return Outcome::Failed { reason };
    };
    let words: String = errmsg.chars().take(200).collect();
    let reason = format!("the robot answered {errcode}: {words}");
    match errcode {
        0 => Outcome::Delivered { receipt: None },
        code if LATER.contains(&code) => Outcome::Failed { reason },
        _ => Outcome::Refused { reason },
    }
}

/// At most so many bytes, with whole characters and an ellipsis where something is missing.
fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let mut end = bytes_max - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_robot_answers_decides() {
        let delivered = judge(br#"{"errcode":0,"errmsg":"ok"}"#);
        assert_eq!(delivered, Outcome::Delivered { receipt: None });
        let busy = judge(br#"{"errcode":45009,"errmsg":"api freq out of limit"}"#);
        assert!(matches!(busy, Outcome::Failed { .. }));
        let unknown = judge(br#"{"errcode":93000,"errmsg":"invalid webhook url"}"#);
        assert!(matches!(unknown, Outcome::Refused { .. }));
        assert!(matches!(judge(b"<html>"), Outcome::Failed { .. }));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let short = cut(&"好".repeat(1000), TEXT_MAX_BYTES);
        assert!(
            short.len() <= TEXT_MAX_BYTES && short.ends_with("好…"),
            "{}",
            short.len()
        );
    }
}
