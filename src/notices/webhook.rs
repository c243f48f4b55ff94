//! Signed POSTs to other systems.
//!
//! `X-Hallkeeper-Signature` is `sha256=` and the HMAC-SHA-256, in hexadecimal digits, of
//! `TIMESTAMP.BODY` with the target's secret, where TIMESTAMP is `X-Hallkeeper-Timestamp`: seconds
//! since 1970. A receiver that also refuses old timestamps cannot be fooled by a recorded message.

use awc::Client;
use awc::http::Method;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rules::desk::messages::Outcome;
use rules::time::Timestamp;
use sha2::Sha256;

use super::letter::Letter;
use super::post::{Request, exchange};
use super::settings::Target;
use crate::web::auth::hex;

pub(super) async fn send(
    client: &Client,
    target: &Target,
    letter: &Letter,
    now: Timestamp,
) -> Outcome {
    let body = letter.json(now).to_string();
    let timestamp = (now.millis() / 1000).to_string();
    let signature = sign(
        target.secret.reveal(),
        format!("{timestamp}.{body}").as_bytes(),
    );
    let message = &letter.message;
    let mut headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        // Header values are ASCII; keys are made of ids, which are.
        ("Idempotency-Key".to_owned(), message.key.clone()),
        ("X-Hallkeeper-Timestamp".to_owned(), timestamp),
        (
            "X-Hallkeeper-Signature".to_owned(),
            format!("sha256={}", hex(&signature)),
        ),
        (
            "X-Hallkeeper-Attempt".to_owned(),
            message.attempts.to_string(),
        ),
    ];
    if message.possible_duplicate {
        let marked = "X-Hallkeeper-Possible-Duplicate".to_owned();
        headers.push((marked, "true".to_owned()));
    }
    let request = Request {
        method: Method::POST,
        url: target.url.reveal(),
        headers,
        body,
    };
    match exchange(client, request).await {
        Ok(_) => Outcome::Delivered { receipt: None },
        Err(outcome) => outcome,
    }
}

/// HMAC-SHA-256.
pub(crate) fn sign(secret: &str, what: &[u8]) -> Vec<u8> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
    mac.update(what);
    mac.finalize().into_bytes().to_vec()
}
