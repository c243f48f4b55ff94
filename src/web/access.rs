//! Who may do what: one table, read by every route and by the test that walks it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use rules::ids::HallId;
use serde::{Deserialize, Serialize};

/// What somebody is. One may be several things, except that devices are one each.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nobody in particular.
    Visitor,
    Kiosk,
    Screen,
    /// An LED strip over a window.
    Strip,
    /// A hardware pager or a hot-key tool at one window.
    Pager,
    /// What visitors rate with at a window (评价器).
    Rater,
    /// Reads cards and codes.
    Reader,
    /// Prints slips.
    Printer,
    /// Counts people, or a system of cameras that does.
    Camera,
    Clerk,
    /// Keeps interfaces, data and devices going.
    Engineer,
    Manager,
    Supervisor,
    Admin,
}

impl Role {
    pub const ALL: [Self; 14] = [
        Self::Visitor,
        Self::Kiosk,
        Self::Screen,
        Self::Strip,
        Self::Pager,
        Self::Rater,
        Self::Reader,
        Self::Printer,
        Self::Camera,
        Self::Clerk,
        Self::Engineer,
        Self::Manager,
        Self::Supervisor,
        Self::Admin,
    ];

    /// Whether it is a device with a token of its own.
    pub const fn is_device(self) -> bool {
        use Role::{Camera, Kiosk, Pager, Printer, Rater, Reader, Screen, Strip};
        matches!(
            self,
            Kiosk | Screen | Strip | Pager | Rater | Reader | Printer | Camera
        )
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Kiosk => "kiosk",
            Self::Screen => "screen",
            Self::Strip => "strip",
            Self::Pager => "pager",
            Self::Rater => "rater",
            Self::Reader => "reader",
            Self::Printer => "printer",
            Self::Camera => "camera",
            Self::Clerk => "clerk",
            Self::Engineer => "engineer",
            Self::Manager => "manager",
            Self::Supervisor => "supervisor",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or(())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What somebody may want to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// See a hall's public state: boards, queues, strips.
    SeeHall,
    /// See who works at which window.
    SeeFloor,
    /// Take a number for somebody.
    IssueTicket,
    /// Call and serve at windows.
    CallAtWindow,
    /// Speak in a zone, as one of its screens.
    Speak,
    /// See at a window who is there, who is next, and the own day.
    WorkWindow,
    /// See tickets with who holds them, masked.
    ReadTickets,
    ExportTickets,
    /// Open and close, set up services, windows and policy.
    ManageHall,
    ManageDevices,
    /// Say of oneself, as a device, how one is.
    ReportDevice,
    /// Tell how many people are in a hall.
    CountPeople,
    /// Show invitations to rate, as the rater of a window, and send what visitors choose.
    Rate,
    ManageTags,
    /// See one person's way through halls and cases.
    SeeJourneys,
    /// Say something over all of a hall's public screens.
    PostNotice,
    /// Feed cases.
    FeedCases,
    SeeCases,
    /// Ask how far a case is, knowing its number.
    AskProgress,
    /// Accept, return, urge and assign cases.
    HandleCases,
    SeeAlerts,
    /// Acknowledge, assign, shelve and resolve alerts, and silence them.
    HandleAlerts,
    ManageRules,
    /// Work orders and problems.
    HandleOrders,
    /// Receivers of notices and their messages.
    ManageNotices,
    SeeChannels,
    /// Set channels up, publish and withdraw versions, grant and take back.
    ManageChannels,
    /// Tell of calls, and ask whether somebody may call.
    RecordCalls,
    RegisterHall,
    ManageAccounts,
    ReadAudit,
}

impl Action {
    pub const ALL: [Self; 31] = [
        Self::SeeHall,
        Self::SeeFloor,
        Self::IssueTicket,
        Self::CallAtWindow,
        Self::Speak,
        Self::WorkWindow,
        Self::ReadTickets,
        Self::ExportTickets,
        Self::ManageHall,
        Self::ManageDevices,
        Self::ReportDevice,
        Self::CountPeople,
        Self::Rate,
        Self::ManageTags,
        Self::SeeJourneys,
        Self::PostNotice,
        Self::FeedCases,
        Self::SeeCases,
        Self::AskProgress,
        Self::HandleCases,
        Self::SeeAlerts,
        Self::HandleAlerts,
        Self::ManageRules,
        Self::HandleOrders,
        Self::ManageNotices,
        Self::SeeChannels,
        Self::ManageChannels,
        Self::RecordCalls,
        Self::RegisterHall,
        Self::ManageAccounts,
        Self::ReadAudit,
    ];

    /// The roles that may.
    pub const fn roles(self) -> &'static [Role] {
        use Role::{
            Admin, Camera, Clerk, Engineer, Kiosk, Manager, Pager, Printer, Rater, Reader, Screen,
            Strip, Supervisor,
        };
        match self {
            Self::SeeHall => &[
                Kiosk, Screen, Strip, Clerk, Engineer, Manager, Supervisor, Admin,
            ],
            Self::SeeFloor => &[Engineer, Manager, Supervisor, Admin],
            Self::IssueTicket => &[Kiosk, Clerk, Manager, Admin],
            Self::CallAtWindow => &[Pager, Clerk, Manager, Admin],
            Self::Speak => &[Screen],
            Self::WorkWindow => &[Clerk, Manager, Admin],
            Self::ReadTickets => &[Clerk, Manager, Supervisor, Admin],
            Self::ExportTickets => &[Manager, Supervisor, Admin],
            Self::ManageHall | Self::ManageDevices => &[Manager, Admin],
            Self::ReportDevice => &[Kiosk, Screen, Strip, Pager, Rater, Reader, Printer, Camera],
            Self::CountPeople => &[Camera, Engineer, Admin],
            Self::Rate => &[Rater],
            Self::ManageTags => &[Manager, Admin],
            Self::SeeJourneys => &[Supervisor, Admin],
            Self::PostNotice => &[Manager, Supervisor, Admin],
            Self::FeedCases => &[Manager, Admin],
            Self::SeeCases | Self::HandleCases => &[Clerk, Manager, Supervisor, Admin],
            Self::AskProgress => &[Kiosk, Clerk, Manager, Supervisor, Admin],
            Self::SeeAlerts | Self::HandleAlerts | Self::HandleOrders => {
                &[Engineer, Manager, Supervisor, Admin]
            }
            Self::SeeChannels => &[Engineer, Supervisor, Admin],
            Self::ManageChannels | Self::RecordCalls => &[Engineer, Admin],
            Self::ManageRules | Self::ManageNotices => &[Supervisor, Admin],
            Self::RegisterHall | Self::ManageAccounts | Self::ReadAudit => &[Admin],
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::SeeHall => "see_hall",
            Self::SeeFloor => "see_floor",
            Self::IssueTicket => "issue_ticket",
            Self::CallAtWindow => "call_at_window",
            Self::Speak => "speak",
            Self::WorkWindow => "work_window",
            Self::ReadTickets => "read_tickets",
            Self::ExportTickets => "export_tickets",
            Self::ManageHall => "manage_hall",
            Self::ManageDevices => "manage_devices",
            Self::ReportDevice => "report_device",
            Self::CountPeople => "count_people",
            Self::Rate => "rate",
            Self::ManageTags => "manage_tags",
            Self::SeeJourneys => "see_journeys",
            Self::PostNotice => "post_notice",
            Self::FeedCases => "feed_cases",
            Self::SeeCases => "see_cases",
            Self::AskProgress => "ask_progress",
            Self::HandleCases => "handle_cases",
            Self::SeeAlerts => "see_alerts",
            Self::HandleAlerts => "handle_alerts",
            Self::ManageRules => "manage_rules",
            Self::HandleOrders => "handle_orders",
            Self::ManageNotices => "manage_notices",
            Self::SeeChannels => "see_channels",
            Self::ManageChannels => "manage_channels",
            Self::RecordCalls => "record_calls",
            Self::RegisterHall => "register_hall",
            Self::ManageAccounts => "manage_accounts",
            Self::ReadAudit => "read_audit",
        }
    }
}

/// The halls in which somebody's roles count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope(BTreeSet<String>);

impl Scope {
    pub fn of(halls: impl IntoIterator<Item = String>) -> Self {
        Self(halls.into_iter().collect())
    }

    pub fn everywhere(&self) -> bool {
        self.0.contains("*")
    }

    pub fn holds(&self, hall: &HallId) -> bool {
        self.everywhere() || self.0.contains(hall.as_str())
    }

    pub fn halls(&self) -> &BTreeSet<String> {
        &self.0
    }

    /// Whether something of this hall, or of none, may be seen.
    pub fn holds_any(&self, hall: Option<&HallId>) -> bool {
        hall.map_or_else(|| self.everywhere(), |hall| self.holds(hall))
    }

    /// The halls to filter a list by; none when nothing needs to be left out.
    pub fn filter(&self) -> Option<Vec<String>> {
        (!self.everywhere()).then(|| self.0.iter().cloned().collect())
    }

    /// Whether all of `halls` lie within.
    pub fn covers(&self, halls: &[String]) -> bool {
        self.everywhere() || halls.iter().all(|hall| self.0.contains(hall))
    }
}

/// Somebody, as the request proved.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Username, or `device:ID`, or `visitor`.
    pub name: String,
    pub roles: BTreeSet<Role>,
    pub scope: Scope,
    /// May call a ticket out of turn.
    pub call_chosen: bool,
    /// Windows a clerk may work at; empty is any.
    pub windows: BTreeSet<String>,
}

impl Principal {
    /// The device's id, if it is one.
    pub fn device(&self) -> Option<&str> {
        self.name.strip_prefix("device:")
    }

    pub fn visitor() -> Self {
        Self {
            name: "visitor".to_owned(),
            roles: BTreeSet::from([Role::Visitor]),
            scope: Scope::of(["*".to_owned()]),
            call_chosen: false,
            windows: BTreeSet::new(),
        }
    }

    pub fn is_visitor(&self) -> bool {
        self.roles.contains(&Role::Visitor)
    }

    /// Whether one of the roles allows it, wherever.
    pub fn may(&self, action: Action) -> bool {
        action.roles().iter().any(|role| self.roles.contains(role))
    }

    /// Whether one of the roles allows it in this hall.
    pub fn may_in(&self, action: Action, hall: &HallId) -> bool {
        self.may(action) && self.scope.holds(hall)
    }

    /// The most telling role, for the audit.
    pub fn role(&self) -> Role {
        self.roles
            .iter()
            .next_back()
            .copied()
            .unwrap_or(Role::Visitor)
    }
}
