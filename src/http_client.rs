//! What the commands speak to a running server with: signed in, and patient with an answer that does
//! not come, because a request that is sent again under its key is carried out once.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use anyhow::{Context as _, bail};
use awc::Client;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::web::auth::random_hex;

/// A request that did not get through is sent again so often, under the same key.
const TRIES: u32 = 5;

/// Largest answer read, in bytes.
const ANSWER_MAX: usize = 16 << 20;

pub(crate) struct HttpClient {
    http: Client,
    base: String,
    token: String,
}

impl HttpClient {
    /// Signs in with the password in `HALLKEEPER_PASSWORD`.
    pub(crate) async fn sign_in(target: &str, username: &str) -> anyhow::Result<Self> {
        let password = std::env::var("HALLKEEPER_PASSWORD")
            .context("HALLKEEPER_PASSWORD holds no password for the account")?;
        let mut client = Self {
            http: Client::builder().timeout(Duration::from_secs(10)).finish(),
            base: format!("{}/api/v1", target.trim_end_matches('/')),
            token: String::new(),
        };
        let credentials = json!({"username": username, "password": password});
        match client.post("/session", &credentials).await? {
            (StatusCode::OK, body) => {
                client.token = body["token"].as_str().unwrap_or_default().to_owned();
                Ok(client)
            }
            (_, body) => bail!("could not sign in as {username}: {}", body["detail"]),
        }
    }

    /// Posts until the server has answered; the key makes a repeat harmless.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let body = Bytes::from(body.to_string());
        self.post_as("application/json", path, body).await
    }

    /// The same of a body of another kind.
    pub(crate) async fn post_as(
        &self,
        kind: &str,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let key = random_hex(12)?;
        let url = format!("{}{path}", self.base);
        for tried in 1.. {
            let mut request = self
                .http
                .post(&url)
                .insert_header((CONTENT_TYPE, kind))
                .insert_header(("Idempotency-Key", key.clone()))
                .insert_header(("Accept-Language", "en"));
            if !self.token.is_empty() {
                request = request.bearer_auth(&self.token);
            }
            match request.send_body(body.clone()).await {
                Ok(mut answer) if answer.status() != StatusCode::SERVICE_UNAVAILABLE => {
                    let body = answer.json::<Value>().await.unwrap_or(Value::Null);
                    return Ok((answer.status(), body));
                }
                _ if tried < TRIES => sleep(Duration::from_millis(200 * u64::from(tried))).await,
                Ok(answer) => bail!("{url}: {}", answer.status()),
                Err(cause) => bail!("{url}: {cause}"),
            }
        }
        bail!("{url}: no answer")
    }

    /// Reads what must be there.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.base);
        let request = self.http.get(&url).bearer_auth(&self.token);
        let mut answer = request
            .send()
            .await
            .map_err(|cause| anyhow::anyhow!("{url}: {cause}"))?;
        if answer.status() != StatusCode::OK {
            bail!("{url}: {}", answer.status());
        }
        answer
            .json::<Value>()
            .limit(ANSWER_MAX)
            .await
            .map_err(|cause| anyhow::anyhow!("{url}: {cause}"))
    }
}
