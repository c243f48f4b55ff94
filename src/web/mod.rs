//! HTTP and WebSocket: parse, check rights, hand over, answer. No rule of a hall lives here.

pub mod access;
pub mod auth;
pub mod body;
pub mod caller;
pub mod connection;
pub mod error;
pub mod once;
pub mod openapi;
mod pump;
pub mod routes;
pub mod screen_socket;

use std::sync::Arc;
use std::time::Instant;

use actix_web::error::QueryPayloadError;
use actix_web::web::{self, ServiceConfig};
use actors::clock::SystemClock;
use actors::desk::Desk;
use actors::ports::Clock as _;
use actors::strip::Strips;
use actors::supervisor::HallHandle;
use rules::cases::{CaseDesk, Settings as CaseSettings};
use rules::desk::AlertDesk;
use rules::ids::HallId;
use rules::time::Timestamp;

use dashboards::voice::Clips;

use crate::alerting::Alerting;
use crate::channels::Channels;
use crate::channels::own::Own;
use crate::config::Settings;
use crate::devices::Devices;
use crate::directory::Directory;
use crate::feeds::Feeds;
use crate::gateway::Gateway;
use crate::metrics::spans::Spans;
use crate::notices::driver::Lanes;
use crate::notices::push::DeskPush;
use crate::occupancy::Occupancies;
use crate::ops::Ops;
use crate::raters::Raters;
use crate::store::Records;
use crate::store::records::{AuditEntry, StoreError};
use crate::vitals::Collector;
use crate::web::access::Principal;
use crate::web::auth::Auth;
use crate::web::caller::Caller;
use crate::web::error::Problem;

/// What every route works with.
pub struct App {
    pub system: actors::System,
    pub records: Records,
    pub auth: Auth,
    pub devices: Arc<Devices>,
    /// How many people cameras count in each hall.
    pub occupancies: Arc<Occupancies>,
    /// Invitations to rate.
    pub raters: Arc<Raters>,
    pub strips: Strips,
    /// All cases of all departments.
    pub cases: Desk<CaseDesk>,
    /// What their limits are counted by.
    pub case_settings: Arc<CaseSettings>,
    /// The API channels.
    pub channels: Channels,
    /// Data received and pushed by agreement.
    pub feeds: Feeds,
    /// Organisations and windows.
    pub directory: Directory,
    /// Requests to ourselves that wait to be counted.
    pub own: Own,
    /// Requests that wait to be told of as spans.
    pub spans: Spans,
    /// What forwards calls to them.
    pub gateway: Gateway,
    /// What drives the alert desk.
    pub alerting: Alerting,
    /// Alerts, work orders, problems and notices.
    pub desk: Desk<AlertDesk>,
    /// The desk pages that people have open.
    pub push: DeskPush,
    /// How the servers fare that notices go to.
    pub lanes: Lanes,
    /// How the process and what it leans on do.
    pub vitals: Collector,
    /// The live topics of the operations centre.
    pub ops: Ops,
    /// What is spoken with.
    pub clips: Clips,
    pub settings: Settings,
    pub started: Instant,
}

impl App {
    pub fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    /// A live hall.
    ///
    /// # Errors
    /// `unknown_hall`.
    pub fn hall(&self, id: &str) -> Result<(HallId, HallHandle), Problem> {
        let known = id.parse::<HallId>().ok().and_then(|hall| {
            let handle = self.system.halls.get(&hall)?;
            Some((hall, handle))
        });
        known.ok_or_else(|| Problem::unknown_hall(id))
    }

    /// Notes who did or saw what. The row must be there before the answer where personal data is
    /// shown or taken out.
    ///
    /// # Errors
    /// The database is not available.
    pub async fn audit(
        &self,
        caller: &Caller,
        action: &str,
        object: &str,
        detail: serde_json::Value,
    ) -> Result<(), Problem> {
        let entry = self.audit_entry(&caller.principal, &caller.address, action, object, &detail);
        Ok(self.records.insert_audit(&entry).await?)
    }

    /// Notes a refusal, without making the refused wait.
    pub fn audit_refusal(&self, who: &Principal, address: &str, action: &str, object: &str) {
        let detail = serde_json::json!({"action": action});
        let entry = self.audit_entry(who, address, "refused", object, &detail);
        let records = self.records.clone();
        actix_web::rt::spawn(async move {
            if let Err(cause) = records.insert_audit(&entry).await {
                tracing::warn!(%cause, "refusal not audited");
            }
        });
    }

    /// Notes an event of a device, in the device's own name.
    async fn audit_device(
        &self,
        device: &str,
        what: &str,
        detail: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let entry = AuditEntry {
            at: self.now(),
            actor: format!("device:{device}"),
            role: "device".to_owned(),
            action: what.to_owned(),
            object: device.to_owned(),
            detail: detail.to_string(),
            ip: String::new(),
        };
        self.records.insert_audit(&entry).await
    }

    fn audit_entry(
        &self,
        who: &Principal,
        address: &str,
        action: &str,
        object: &str,
        detail: &serde_json::Value,
    ) -> AuditEntry {
        AuditEntry {
            at: self.now(),
            actor: who.name.clone(),
            role: who.role().name().to_owned(),
            action: action.to_owned(),
            object: object.to_owned(),
            detail: detail.to_string(),
            ip: address.to_owned(),
        }
    }
}

/// All routes but the gateway's, which are traffic of others.
pub fn configure(config: &mut ServiceConfig) {
    let no_such_path = |_, _: &_| routes::no_such_path().into();
    let query =
        |error: QueryPayloadError, _: &_| Problem::invalid("query", &error.to_string()).into();
    config
        .app_data(web::PathConfig::default().error_handler(no_such_path))
        .app_data(web::QueryConfig::default().error_handler(query))
        .service(
            web::scope("/api")
                .configure(openapi::configure)
                .service(
                    web::scope("/v1")
                        // Paths are tried in this order: what comes most often stands first.
                        .configure(routes::tickets::configure)
                        .configure(routes::windows::configure)
                        .configure(routes::session::configure)
                        .configure(routes::strips::configure)
                        .configure(routes::ticket_lists::configure)
                        .configure(routes::visitors::configure)
                        .configure(routes::voice::configure)
                        .configure(routes::halls::configure)
                        .configure(routes::notice::configure)
                        .configure(routes::accounts::configure)
                        .configure(routes::devices::configure)
                        .configure(routes::occupancy::configure)
                        .configure(routes::telemetry::configure)
                        .configure(routes::raters::configure)
                        .configure(routes::floor::configure)
                        .configure(routes::people::configure)
                        .configure(routes::journeys::configure)
                        .configure(routes::cases::configure)
                        .configure(routes::work_orders::configure)
                        .configure(routes::problems::configure)
                        .configure(routes::messages::configure)
                        .configure(routes::receivers::configure)
                        .configure(routes::alerts::configure)
                        .configure(routes::silences::configure)
                        .configure(routes::ops::configure)
                        .configure(routes::channels::configure)
                        .configure(routes::feeds::configure)
                        .configure(routes::rules::configure)
                        .configure(routes::audit::configure),
                )
                .default_service(web::to(routes::unknown_path)),
        )
        .configure(screen_socket::configure)
        .configure(routes::health::configure)
        .configure(routes::metrics::configure)
        .configure(routes::pages::configure);
}
