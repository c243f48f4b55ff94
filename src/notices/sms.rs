//! SMS through a gateway's HTTP interface, described in the settings: address, body, and what in
//! the answer means success.

use awc::Client;
use awc::http::Method;
use regex::Regex;
use rules::desk::messages::Outcome;

use super::post::{Request, exchange};
use super::settings::Sms;

/// The gateway's own words that a person gets to see, in characters.
const ANSWER_SHOWN_CHARS: usize = 200;

/// One text message.
pub(super) struct Text<'a> {
    pub(super) to: &'a str,
    pub(super) text: &'a str,
    /// The same for each attempt, by which a gateway may know a repeated one.
    pub(super) key: &'a str,
}

pub(super) async fn send(client: &Client, settings: &Sms, message: &Text<'_>) -> Outcome {
    if settings.url.is_empty() {
        let reason = "no SMS gateway is set up (notices.sms.url)".to_owned();
        return Outcome::Refused { reason };
    }
    let url = fill(settings.url.reveal(), message, percent);
    let escape = match settings.content_type.as_str() {
        "application/json" => json,
        _ => percent,
    };
    let method = settings.method.parse().unwrap_or(Method::POST);
    let with_body = method != Method::GET;
    let mut headers: Vec<(String, String)> = settings
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.reveal().to_owned()))
        .collect();
    if with_body {
        headers.push(("Content-Type".to_owned(), settings.content_type.clone()));
    }
    let body = match with_body {
        true => fill(&settings.body, message, escape),
        false => String::new(),
    };
    let request = Request {
        method,
        url: &url,
        headers,
        body,
    };
    match exchange(client, request).await {
        Ok(answer) => judge(settings, &String::from_utf8_lossy(&answer)),
        Err(outcome) => outcome,
    }
}

/// What an answer of success says: gateways report their errors in the body.
fn judge(settings: &Sms, answer: &str) -> Outcome {
    // The patterns were checked at the start.
    let says = |pattern: &str| Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(answer));
    let shown: String = answer
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(ANSWER_SHOWN_CHARS)
        .collect();
    let reason = format!("the gateway answered: {shown}");
    if !settings.refused.is_empty() && says(&settings.refused) {
        Outcome::Refused { reason }
    } else if says(&settings.success) {
        Outcome::Delivered {
            receipt: Some(shown),
        }
    } else {
        Outcome::Failed { reason }
    }
}

fn fill(template: &str, message: &Text<'_>, escape: fn(&str) -> String) -> String {
    // One pass, so that a text that looks like a place is not filled in turn.
    let mut filled = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let places = [
            ("{to}", message.to),
            ("{text}", message.text),
            ("{key}", message.key),
        ];
        match places.iter().find(|(place, _)| from.starts_with(place)) {
            Some((place, value)) => {
                filled.push_str(&escape(value));
                rest = &from[place.len()..];
            }
            None => {
                filled.push('{');
                rest = &from[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// For inside a JSON string.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// For a form or a query: everything but letters, digits and `-._~` as `%XX`.
pub(super) fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_leave_their_place() {
        assert_eq!(json("a\"b\\c\n{to}"), "a\\\"b\\\\c\\n{to}");
        assert_eq!(percent("a b&c=好"), "a%20b%26c%3D%E5%A5%BD");
    }
}
