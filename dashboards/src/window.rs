//! One window as its strip shows it: topic `window.{h}.{w}`. Every frame is the whole view.

use rules::hall::Hall;
use rules::name::Name;
use rules::window::{Window, WindowKind};
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WindowView {
    pub window: String,
    pub name: Name,
    pub kind: WindowKind,
    /// Names of the services it serves.
    pub services: Vec<Name>,
    pub state: &'static str,
    pub ticket: Option<ShownTicket>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownTicket {
    pub number: String,
    pub service: String,
    pub service_name: Option<Name>,
    pub calls: u32,
    pub at: Option<String>,
}

/// What the window shows now.
pub fn view(hall: &Hall, window: &Window) -> WindowView {
    let config = hall.config();
    let ticket = window.state.ticket().and_then(|id| hall.ticket(id));
    WindowView {
        window: window.id.to_string(),
        name: window.plan.name.clone(),
        kind: window.plan.kind,
        services: (window.plan.services.iter())
            .filter_map(|id| Some(config.services.get(id)?.name.clone()))
            .collect(),
        state: window.state.name(),
        ticket: ticket.map(|ticket| ShownTicket {
            number: ticket.number.clone(),
            service: ticket.service.to_string(),
            service_name: config.services.get(&ticket.service).map(|s| s.name.clone()),
            calls: ticket.calls,
            at: ticket.last_called_at.map(|at| config.time_zone.rfc3339(at)),
        }),
    }
}
