//! One HTTP exchange, and what it says about a message.

use std::time::Duration;

use awc::error::{ConnectError, SendRequestError};
use awc::http::header::{HeaderName, HeaderValue};
use awc::http::{Method, StatusCode};
use awc::{Client, Connector};
use bytes::Bytes;
use rules::desk::messages::Outcome;

/// Largest answer that is read.
const ANSWER_MAX: usize = 64 * 1024;

/// A request to be sent.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// A client that trusts what the machine trusts, follows no redirects and waits `timeout` for
/// anything.
///
/// # Errors
/// The encryption cannot be set up.
pub(crate) fn client(timeout: Duration) -> anyhow::Result<Client> {
    let tls = crate::tls::client_config()?;
    let connector = Connector::new()
        .rustls_0_23(tls.into())
        .timeout(timeout)
        .handshake_timeout(timeout);
    Ok(Client::builder()
        .connector(connector)
        .timeout(timeout)
        .disable_redirects()
        .finish())
}

/// Sends it, and reads the answer; or tells what became of the message.
///
/// # Errors
/// The outcome, when there is no answer of success.
pub(super) async fn exchange(client: &Client, request: Request<'_>) -> Result<Bytes, Outcome> {
    let mut sending = client.request(request.method, request.url);
    for (name, value) in request.headers {
        let pair = (name.parse::<HeaderName>(), HeaderValue::from_str(&value));
        let (Ok(name), Ok(value)) = pair else {
            let reason = "a header of the settings cannot be sent".to_owned();
            return Err(Outcome::Refused { reason });
        };
        sending = sending.insert_header((name, value));
    }
    let mut answer = match sending.send_body(request.body).await {
        Ok(answer) => answer,
        Err(cause) => return Err(unanswered(&cause)),
    };
    let status = answer.status();
    if !status.is_success() {
        return Err(by_status(status));
    }
    answer
        .body()
        .limit(ANSWER_MAX)
        .await
        .map_err(|cause| Outcome::Uncertain {
            reason: format!("answered {status}, then broke off: {cause}"),
        })
}

/// Only a failed connection is sure to have carried nothing.
pub(crate) fn unanswered(cause: &SendRequestError) -> Outcome {
    match cause {
        // The client's word for a connection that ended in place of an answer.
        SendRequestError::Connect(ConnectError::Disconnected) => Outcome::Uncertain {
            reason: "closed without an answer".to_owned(),
        },
        SendRequestError::Connect(ConnectError::Timeout) => Outcome::Failed {
            reason: "no connection in time".to_owned(),
        },
        SendRequestError::Connect(cause) => Outcome::Failed {
            reason: format!("no connection: {cause}"),
        },
        SendRequestError::Url(cause) => Outcome::Refused {
            reason: format!("the address of the target: {cause}"),
        },
        SendRequestError::Timeout => Outcome::Uncertain {
            reason: "no answer in time".to_owned(),
        },
        cause => Outcome::Uncertain {
            reason: format!("broke off before the answer: {cause}"),
        },
    }
}

pub(crate) fn by_status(status: StatusCode) -> Outcome {
    let reason = format!("answered {status}");
    match status.as_u16() {
        // A gateway that lost its server in between cannot know.
        502 | 504 => Outcome::Uncertain { reason },
        408 | 425 | 429 | 500..=599 => Outcome::Failed { reason },
        _ => Outcome::Refused { reason },
    }
}
