//! `hallkeeper replay`: a recorded day of arrivals through a hall of a running server, over HTTP as
//! any kiosk would, with simulated clerks if asked.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use actix_web::http::StatusCode;
use anyhow::{Context as _, bail};
use chrono::{NaiveDate, NaiveTime};
use clap::Args;
use serde_json::{Value, json};
use simulations::arrivals::{Arrivals, parse};
use simulations::schedule::{Arrival, of_day};
use tokio::time::{Instant, sleep, sleep_until};

use crate::cli::Failure;
use crate::http_client::HttpClient;

/// How long simulated clerks wait before they look for people again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What to replay, and into what.
#[derive(Args)]
pub struct Options {
    /// Arrivals: `at,hall,service`, or counts `timestamp,count` or `timestamp,hall,queue,count`
    file: PathBuf,
    /// The hall that takes them
    #[arg(long)]
    hall: String,
    /// Seconds of the record per second
    #[arg(long, default_value_t = 60.0)]
    speed: f64,
    /// Address of the server
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    target: String,
    /// Account to sign in with; its password is read from HALLKEEPER_PASSWORD
    #[arg(long, default_value = "admin")]
    username: String,
    /// The day of the record to replay [default: its first]
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<NaiveDate>,
    /// Take only the rows of this hall of the record
    #[arg(long, value_name = "NAME")]
    from_hall: Option<String>,
    /// Service for rows that name none, or whose queue the hall does not have
    #[arg(long)]
    service: Option<String>,
    /// Windows to work with simulated clerks
    #[arg(long, default_value_t = 0)]
    clerks: usize,
    /// Seed of the arrivals within their bins
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

struct Server {
    http: HttpClient,
    hall: String,
}

/// Runs the replay.
///
/// # Errors
/// Bad input names file, line and field; a failure names the step.
pub async fn run(options: Options) -> Result<(), Failure> {
    if !(0.01..=100_000.0).contains(&options.speed) {
        return Err(Failure::BadInput(
            "--speed must lie between 0.01 and 100000".to_owned(),
        ));
    }
    let arrivals = read(&options)?;
    let server = Rc::new(Server::sign_in(&options).await?);
    let services = server.services().await?;
    check_services(&options, &arrivals, &services)?;
    server.open_hall().await?;
    let clerks = server.start_clerks(&options).await?;
    let taken = feed(&server, &options, &arrivals, &services).await;
    for clerk in clerks {
        clerk.abort();
    }
    let taken = taken?;
    println!(
        "{} of {} arrivals took a number in hall {}",
        taken,
        arrivals.len(),
        options.hall
    );
    if taken < arrivals.len() {
        return Err(anyhow::anyhow!("{} arrivals were refused", arrivals.len() - taken).into());
    }
    Ok(())
}

fn read(options: &Options) -> Result<Vec<Arrival>, Failure> {
    let file = options.file.display();
    let content = std::fs::read(&options.file)
        .map_err(|error| Failure::BadInput(format!("{file}: {error}")))?;
    let parsed: Arrivals =
        parse(&content).map_err(|error| Failure::BadInput(format!("{file}:\n{error}")))?;
    let day = match options.day {
        Some(day) => day,
        None => *parsed
            .days()
            .first()
            .ok_or_else(|| Failure::BadInput(format!("{file}: holds no arrivals")))?,
    };
    let arrivals = of_day(&parsed, options.from_hall.as_deref(), day, options.seed);
    if arrivals.is_empty() {
        return Err(Failure::BadInput(format!(
            "{file}: nobody arrives on {day}"
        )));
    }
    Ok(arrivals)
}

fn service_for<'a>(
    options: &'a Options,
    services: &BTreeMap<String, u64>,
    wanted: &'a str,
) -> Option<&'a str> {
    if services.contains_key(wanted) {
        Some(wanted)
    } else {
        options.service.as_deref()
    }
}

fn check_services(
    options: &Options,
    arrivals: &[Arrival],
    services: &BTreeMap<String, u64>,
) -> Result<(), Failure> {
    if let Some(given) = &options.service
        && !services.contains_key(given)
    {
        return Err(Failure::BadInput(format!(
            "--service: hall {} has no service {given}",
            options.hall
        )));
    }
    let unknown: BTreeSet<&str> = arrivals
        .iter()
        .map(|arrival| arrival.service.as_str())
        .filter(|service| service_for(options, services, service).is_none())
        .collect();
    match unknown.first() {
        Some(first) => Err(Failure::BadInput(format!(
            "{}: hall {} has no service {first} ({} such); --service names one for them",
            options.file.display(),
            options.hall,
            unknown.len()
        ))),
        None => Ok(()),
    }
}

async fn feed(
    server: &Server,
    options: &Options,
    arrivals: &[Arrival],
    services: &BTreeMap<String, u64>,
) -> anyhow::Result<usize> {
    let start = Instant::now();
    let first_ms = arrivals.first().map_or(0, |arrival| arrival.offset_ms);
    let mut progress = Progress::new(arrivals.len());
    let mut taken = 0;
    for (index, arrival) in arrivals.iter().enumerate() {
        let after = f64::from(arrival.offset_ms - first_ms) / 1000.0 / options.speed;
        sleep_until(start + Duration::from_secs_f64(after)).await;
        let Some(service) = service_for(options, services, &arrival.service) else {
            continue;
        };
        let path = format!("/halls/{}/tickets", server.hall);
        match server.post(&path, &json!({"service": service})).await? {
            (StatusCode::CREATED, _) => taken += 1,
            (status, body) => progress.note(&format!("{status} {}", body["detail"])),
        }
        progress.show(index + 1, arrival.offset_ms);
    }
    progress.end();
    Ok(taken)
}

/// How far the replay is, on a terminal only.
struct Progress {
    total: usize,
    shown: Option<Instant>,
    live: bool,
}

impl Progress {
    fn new(total: usize) -> Self {
        Self {
            total,
            shown: None,
            live: std::io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, done: usize, offset_ms: u32) {
        let fresh = self
            .shown
            .is_some_and(|at| at.elapsed() < Duration::from_millis(200));
        if !self.live || (fresh && done < self.total) {
            return;
        }
        self.shown = Some(Instant::now());
        let at = NaiveTime::MIN + chrono::TimeDelta::milliseconds(i64::from(offset_ms));
        eprint!("\r{} {done}/{} arrivals  ", at.format("%H:%M"), self.total);
        let _ = std::io::stderr().flush();
    }

    fn note(&self, text: &str) {
        eprintln!("{}{text}", if self.live { "\r" } else { "" });
    }

    fn end(&self) {
        if self.live {
            eprintln!();
        }
    }
}

impl Server {
    async fn sign_in(options: &Options) -> anyhow::Result<Self> {
        Ok(Self {
            http: HttpClient::sign_in(&options.target, &options.username).await?,
            hall: options.hall.clone(),
        })
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(StatusCode, Value)> {
        self.http.post(path, body).await
    }

    async fn snapshot(&self) -> anyhow::Result<Value> {
        self.http.get(&format!("/halls/{}", self.hall)).await
    }

    /// The hall's services with their mean service time in seconds.
    async fn services(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let snapshot = self.snapshot().await?;
        let services = snapshot["services"]
            .as_object()
            .context("the hall has no services")?;
        let secs = |service: &Value| service["avg_service_secs"].as_u64().unwrap_or(300);
        Ok(services
            .iter()
            .map(|(id, service)| (id.clone(), secs(service)))
            .collect())
    }

    async fn open_hall(&self) -> anyhow::Result<()> {
        match self
            .post(&format!("/halls/{}/open", self.hall), &json!({}))
            .await?
        {
            (StatusCode::OK, _) => Ok(()),
            (_, body) if body["code"] == "hall_not_closed" => Ok(()),
            (_, body) => bail!("could not open hall {}: {}", self.hall, body["detail"]),
        }
    }

    async fn start_clerks(
        self: &Rc<Self>,
        options: &Options,
    ) -> anyhow::Result<Vec<tokio::task::JoinHandle<()>>> {
        let snapshot = self.snapshot().await?;
        let windows = snapshot["windows"]
            .as_object()
            .map_or(0, serde_json::Map::len);
        if options.clerks > windows {
            bail!(
                "--clerks {}: hall {} has {windows} windows",
                options.clerks,
                self.hall
            );
        }
        let ids = snapshot["windows"]
            .as_object()
            .into_iter()
            .flat_map(serde_json::Map::keys);
        let services = self.services().await?;
        let clerks = ids.take(options.clerks).map(|window| {
            let clerk = Clerk {
                server: Rc::clone(self),
                window: window.clone(),
                services: services.clone(),
                speed: options.speed,
            };
            actix_web::rt::spawn(clerk.work())
        });
        Ok(clerks.collect())
    }
}

/// A simulated clerk: calls, serves for the service's mean time, calls again.
struct Clerk {
    server: Rc<Server>,
    window: String,
    services: BTreeMap<String, u64>,
    speed: f64,
}

impl Clerk {
    async fn work(self) {
        let _ = self.tell("open").await;
        loop {
            match self.tell("call-next").await {
                Ok((StatusCode::OK, body)) => {
                    let service = body["ticket"]["service"].as_str().unwrap_or_default();
                    let secs = self.services.get(service).copied().unwrap_or(300);
                    let _ = self.tell("start").await;
                    sleep(Duration::from_secs_f64(secs as f64 / self.speed)).await;
                    let _ = self.tell("complete").await;
                }
                _ => sleep(LOOK_AGAIN).await,
            }
        }
    }

    async fn tell(&self, verb: &str) -> anyhow::Result<(StatusCode, Value)> {
        let path = format!("/halls/{}/windows/{}/{verb}", self.server.hall, self.window);
        self.server.post(&path, &json!({})).await
    }
}
