//! E-mail by SMTP.
//!
//! The conversation is led step by step, because it matters where it breaks: before the body the
//! server has nothing, after it the mail may be on its way without the answer having reached us.

use std::time::Duration;

use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Mail};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use rules::desk::messages::Outcome;
use sha2::{Digest as _, Sha256};

use super::letter::Letter;
use super::settings::{Email, Security};
use crate::web::auth::hex;

/// Sends one mail. Every step of the conversation may take `timeout`.
pub(super) async fn send(settings: &Email, letter: &Letter, timeout: Duration) -> Outcome {
    if settings.server.is_empty() {
        let reason = "no mail server is set up (notices.email.server)".to_owned();
        return Outcome::Refused { reason };
    }
    let refused = |reason: String| Outcome::Refused { reason };
    let from: Mailbox = match settings.from.parse() {
        Ok(from) => from,
        Err(cause) => return refused(format!("notices.email.from: {cause}")),
    };
    let to: Address = match letter.address.parse() {
        Ok(to) => to,
        Err(cause) => return refused(format!("the address: {cause}")),
    };
    let mail = match compose(&from, &to, letter) {
        Ok(mail) => mail,
        Err(cause) => return refused(format!("the mail: {cause}")),
    };
    let mut connection = match open(settings, timeout, &from).await {
        Ok(connection) => connection,
        Err(cause) => return before_the_body(&cause),
    };
    if let Err(cause) = envelope(&mut connection, from.email, to).await {
        connection.abort().await;
        return before_the_body(&cause);
    }
    let outcome = match connection.message(&mail).await {
        Ok(response) => Outcome::Delivered {
            receipt: response.first_line().map(|line| shortened(line, 200)),
        },
        Err(cause) if cause.is_permanent() => refused(said(&cause)),
        Err(cause) if cause.is_transient() => Outcome::Failed {
            reason: said(&cause),
        },
        Err(cause) => Outcome::Uncertain {
            reason: format!("broke off after the body: {}", said(&cause)),
        },
    };
    connection.abort().await;
    outcome
}

async fn open(
    settings: &Email,
    timeout: Duration,
    from: &Mailbox,
) -> Result<AsyncSmtpConnection, Error> {
    let own_name = ClientId::Domain(from.email.domain().to_owned());
    let tls = || TlsParameters::new_rustls(settings.server.clone());
    let at_once = match settings.security {
        Security::Tls => Some(tls()?),
        Security::None | Security::Starttls => None,
    };
    let server = (settings.server.as_str(), settings.port);
    let mut connection =
        AsyncSmtpConnection::connect_tokio1(server, Some(timeout), &own_name, at_once, None)
            .await?;
    if settings.security == Security::Starttls {
        connection.starttls(tls()?, &own_name).await?;
    }
    if !settings.user.is_empty() {
        let password = settings.password.reveal().to_owned();
        let credentials = Credentials::new(settings.user.clone(), password);
        let known = [Mechanism::Plain, Mechanism::Login];
        connection.auth(&known, &credentials).await?;
    }
    Ok(connection)
}

async fn envelope(
    connection: &mut AsyncSmtpConnection,
    from: Address,
    to: Address,
) -> Result<(), Error> {
    connection
        .command(MailFrom::new(Some(from), Vec::new()))
        .await?;
    connection.command(Rcpt::new(to, Vec::new())).await?;
    connection.command(Data).await?;
    Ok(())
}

/// The server has no mail: it said no for good, or it may take it later.
fn before_the_body(cause: &Error) -> Outcome {
    let reason = said(cause);
    match cause.is_permanent() {
        true => Outcome::Refused { reason },
        false => Outcome::Failed { reason },
    }
}

fn compose(from: &Mailbox, to: &Address, letter: &Letter) -> anyhow::Result<Vec<u8>> {
    let message = &letter.message;
    // The same for every attempt, so that a mailbox can tell a repeat.
    let key = hex(&Sha256::digest(message.key.as_bytes()));
    let id = format!("<{}.{}@{}>", message.id, &key[..16], from.email.domain());
    let mut mail = Mail::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(message.subject.clone())
        .message_id(Some(id))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Hallkeeper-Message", &message.id.to_string()));
    if message.possible_duplicate {
        mail = mail.raw_header(header("X-Hallkeeper-Possible-Duplicate", "true"));
    }
    let mail = mail
        .header(ContentType::TEXT_PLAIN)
        .body(message.text.clone())?;
    Ok(mail.formatted())
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// The whole chain of causes in one line.
fn said(cause: &Error) -> String {
    let mut text = cause.to_string();
    let mut deeper = std::error::Error::source(cause);
    while let Some(cause) = deeper {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        deeper = cause.source();
    }
    shortened(&text, 300)
}

fn shortened(text: &str, chars: usize) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(chars)
        .collect()
}
