//! Requests as a person, a device or a stranger sends them, and what is answered.

use std::time::Duration;

use awc::Client as Http;
use awc::http::Method;
use serde_json::{Value, json};

use super::live::Live;
use super::{PATIENCE, text};

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
    /// `Null` when the answer is no JSON.
    pub body: Value,
}

impl Answer {
    /// The body, if the status is the expected one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// Checks a refusal by status and code; its fields.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.text
        );
        assert!(
            self.body["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{}",
            self.text
        );
        self.body
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// One who sends requests.
#[derive(Clone)]
pub struct Client {
    http: Http,
    base: String,
    pub token: Option<String>,
}

impl Client {
    pub fn new(base: &str, token: Option<String>) -> Self {
        // The server closes what is idle for five seconds; a request must not meet that.
        let connector = awc::Connector::new().conn_keep_alive(Duration::from_secs(4));
        let http = Http::builder()
            .connector(connector)
            .timeout(PATIENCE)
            .finish();
        Self {
            http,
            base: base.to_owned(),
            token,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body.to_string()), &[])
            .await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body.to_string()), &[])
            .await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, &[]).await
    }

    /// Posts under an idempotency key.
    pub async fn post_keyed(&self, path: &str, key: &str, body: Value) -> Answer {
        self.send(
            Method::POST,
            path,
            Some(body.to_string()),
            &[("Idempotency-Key", key)],
        )
        .await
    }

    /// Sends anything; paths without `/api` or another root lie under `/api/v1`.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.try_send(method, path, body, headers)
            .await
            .expect("an answer")
    }

    /// Sends; `None` when the server does not answer.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> Option<Answer> {
        let outside = [
            "/api", "/ws", "/healthz", "/readyz", "/metrics", "/board", "/t/", "/kiosk",
            "/console", "/manage", "/gateway", "/floor", "/led", "/assets", "/loader", "/take",
            "/desk",
        ];
        let url = if path == "/" || outside.iter().any(|root| path.starts_with(root)) {
            format!("{}{path}", self.base)
        } else {
            format!("{}/api/v1{path}", self.base)
        };
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if body.is_some() {
            request = request.content_type("application/json");
        }
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        let sent = match body {
            Some(body) => request.send_body(body).await,
            None => request.send().await,
        };
        let mut response = sent.ok()?;
        let bytes = response.body().limit(64 << 20).await.ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Some(Answer {
            status: response.status().as_u16(),
            headers: response
                .headers()
                .iter()
                .map(|(name, value)| {
                    (
                        name.to_string(),
                        value.to_str().unwrap_or_default().to_owned(),
                    )
                })
                .collect(),
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        })
    }

    /// Takes a number for a service.
    pub async fn issue(&self, hall: &str, service: &str) -> Value {
        self.post(
            &format!("/halls/{hall}/tickets"),
            json!({"service": service}),
        )
        .await
        .expect(201)
    }

    /// A window's command.
    pub async fn at_window(&self, hall: &str, window: &str, verb: &str) -> Answer {
        self.post(&format!("/halls/{hall}/windows/{window}/{verb}"), json!({}))
            .await
    }

    /// A window's command that must succeed.
    #[track_caller]
    pub fn window<'a>(
        &'a self,
        hall: &'a str,
        window: &'a str,
        verb: &'a str,
        body: Value,
    ) -> impl Future<Output = Value> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let path = format!("/halls/{hall}/windows/{window}/{verb}");
            let answer = self.post(&path, body).await;
            assert_eq!(answer.status, 200, "{verb} at {place}: {}", answer.text);
            answer.body
        }
    }

    /// Opens windows.
    pub async fn open_windows(&self, hall: &str, windows: &[&str]) {
        for window in windows {
            self.window(hall, window, "open", json!({})).await;
        }
    }

    /// Calls the next ticket, serves it and completes it; its number.
    pub async fn serve_next(&self, hall: &str, window: &str) -> String {
        let called = self.window(hall, window, "call-next", json!({})).await;
        self.window(hall, window, "start", json!({})).await;
        self.window(hall, window, "complete", json!({})).await;
        text(&called["ticket"]["number"]).to_owned()
    }

    /// Opens the live feed and subscribes.
    pub async fn live(&self, topics: &[&str], since: Value) -> Live {
        let mut live = self.socket("/ws").await.expect("a socket");
        live.say(&json!({"subscribe": topics, "since": since}))
            .await;
        live
    }

    /// Opens a socket; the status when it is refused.
    pub async fn socket(&self, path: &str) -> Result<Live, u16> {
        let mut request = self.http.ws(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        match request.connect().await {
            Ok((_, socket)) => Ok(Live { socket }),
            Err(awc::error::WsClientError::InvalidResponseStatus(status)) => Err(status.as_u16()),
            Err(error) => panic!("no socket: {error}"),
        }
    }
}
