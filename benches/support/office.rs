//! Setting up: sign in as the first administrator, register and open halls, read their figures.

use crate::support::http::Http;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

const API: &str = "/api/v1";

/// Replaces the one-time password; a kept data directory is opened with it again.
const PASSWORD: &str = "Benchmark-only-passphrase-7";

/// The administrator's connection.
pub(crate) struct Office {
    pub(crate) addr: SocketAddr,
    pub(crate) token: String,
    http: Http,
}

/// Tickets in a hall by what became of them, as the server counts them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) issued: u64,
    pub(crate) waiting: u64,
    pub(crate) called: u64,
    pub(crate) serving: u64,
    pub(crate) completed: u64,
    /// All states together; equal to `issued` or the server's sums are wrong.
    pub(crate) sum_of_states: u64,
}

impl Figures {
    fn read(figures: &Value) -> Result<Self> {
        let of = |name: &str| {
            figures[name]
                .as_u64()
                .with_context(|| format!("figures without {name}: {figures}"))
        };
        let mut sum_of_states = 0;
        for state in [
            "waiting",
            "called",
            "serving",
            "held",
            "completed",
            "missed",
            "cancelled",
            "expired",
        ] {
            sum_of_states += of(state)?;
        }
        Ok(Self {
            issued: of("issued")?,
            waiting: of("waiting")?,
            called: of("called")?,
            serving: of("serving")?,
            completed: of("completed")?,
            sum_of_states,
        })
    }
}

impl Office {
    pub(crate) async fn enter(addr: SocketAddr, data: &Path) -> Result<Self> {
        let one_time = fs::read_to_string(data.join("initial-admin-password")).ok();
        let password = one_time.as_deref().map_or(PASSWORD, str::trim);
        let (mut token, must_change) = sign_in(addr, password).await?;
        if must_change {
            let change = json!({ "old": password, "new": PASSWORD });
            Http::new(addr, Some(&token))
                .done("PUT", &format!("{API}/session/password"), &change)
                .await?;
            token = sign_in(addr, PASSWORD).await?.0;
        }
        let http = Http::new(addr, Some(&token));
        Ok(Self { addr, token, http })
    }

    /// What the administrator signs in with.
    pub(crate) const fn password() -> &'static str {
        PASSWORD
    }

    /// A connection of its own with the same rights.
    pub(crate) fn connection(&self) -> Http {
        Http::new(self.addr, Some(&self.token))
    }

    /// Registers a hall and opens it and all its windows.
    pub(crate) async fn open_hall(
        &mut self,
        hall: &str,
        services: &[Value],
        windows: &[Value],
    ) -> Result<()> {
        let registration = json!({
            "id": hall,
            "name": format!("Hall {hall}"),
            "time_zone": "Asia/Shanghai",
            "services": services,
            "windows": windows,
        });
        self.post("/halls", &registration).await?;
        self.post(&format!("/halls/{hall}/open"), &json!({}))
            .await?;
        for window in windows.iter().filter_map(|window| window["id"].as_str()) {
            self.post(&format!("/halls/{hall}/windows/{window}/open"), &json!({}))
                .await?;
        }
        Ok(())
    }

    /// The token of a new kiosk or screen.
    pub(crate) async fn register_device(
        &mut self,
        kind: &str,
        id: &str,
        hall: &str,
    ) -> Result<String> {
        let device = json!({ "id": id, "name": id, "kind": kind, "hall": hall });
        let answer = self.post("/devices", &device).await?;
        Ok(answer["token"]
            .as_str()
            .context("a device without a token")?
            .to_owned())
    }

    pub(crate) async fn figures(&mut self, hall: &str) -> Result<Figures> {
        let snapshot = self.get(&format!("/halls/{hall}")).await?;
        Figures::read(&snapshot["figures"])
    }

    /// Every hall's id, seq and figures, in the order of their ids.
    pub(crate) async fn all_halls(&mut self) -> Result<Vec<(String, u64, Figures)>> {
        let answer = self.get("/halls").await?;
        let halls = answer["halls"]
            .as_array()
            .context("a directory without halls")?;
        let mut all = Vec::with_capacity(halls.len());
        for hall in halls {
            let id = hall["id"]
                .as_str()
                .context("a hall without an id")?
                .to_owned();
            let seq = hall["seq"].as_u64().context("a hall without a seq")?;
            all.push((id, seq, Figures::read(&hall["figures"])?));
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    pub(crate) async fn put(&mut self, path: &str, body: &Value) -> Result<Value> {
        self.http.done("PUT", &format!("{API}{path}"), body).await
    }

    async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        self.http.done("POST", &format!("{API}{path}"), body).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Value> {
        self.http
            .done("GET", &format!("{API}{path}"), &Value::Null)
            .await
    }
}

async fn sign_in(addr: SocketAddr, password: &str) -> Result<(String, bool)> {
    let credentials = json!({ "username": "admin", "password": password });
    let session = Http::new(addr, None)
        .done("POST", &format!("{API}/session"), &credentials)
        .await?;
    let token = session["token"]
        .as_str()
        .context("a session without a token")?
        .to_owned();
    Ok((
        token,
        session["must_change_password"].as_bool().unwrap_or(false),
    ))
}

/// A service with more numbers than any run uses up.
pub(crate) fn service(id: &str, prefix: &str) -> Value {
    json!({ "id": id, "name": id, "prefix": prefix, "digits": 6, "first": 1, "last": 999_999 })
}

pub(crate) fn window(id: &str, services: &[&str]) -> Value {
    json!({ "id": id, "name": format!("Window {id}"), "services": services })
}

/// AA, AB … ZZ: a different prefix for every service of a hall.
pub(crate) fn prefix(nth: usize) -> String {
    let letter = |n: usize| char::from(b'A' + u8::try_from(n % 26).unwrap_or(0));
    [letter(nth / 26), letter(nth)].iter().collect()
}
