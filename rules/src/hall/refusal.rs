//! Every polite no: a stable code, a sentence for a person, and the fields that explain it.

use serde::Serialize;

use crate::ids::{MenuId, ServiceId, TicketId, WindowId};
use crate::name::Lang;
use crate::reason;
use crate::time::Timestamp;

/// Why a command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Refusal {
    InvalidField {
        field: String,
        reason: String,
    },
    HallClosed {},
    HallNotClosed {},
    HallBusy {
        windows: Vec<WindowId>,
    },
    IssuingPaused {},
    IssuingNotPaused {},
    NoDay {},
    NoNotice {},
    UnknownService {
        service: ServiceId,
    },
    UnknownWindow {
        window: WindowId,
    },
    UnknownTicket {
        ticket: TicketId,
    },
    UnknownMenu {
        menu: MenuId,
    },
    ServiceInUse {
        service: ServiceId,
    },
    WindowInUse {
        window: WindowId,
    },
    ContingentReached {
        service: ServiceId,
        contingent: u32,
    },
    NumbersExhausted {
        service: ServiceId,
    },
    AppointmentTooEarly {
        from: String,
    },
    AppointmentTooLate {
        until: String,
    },
    AlreadyIssued {
        ticket: TicketId,
    },
    NobodyWaiting {
        window: WindowId,
    },
    WindowClosed {
        window: WindowId,
    },
    WindowNotClosed {
        window: WindowId,
    },
    WindowPaused {
        window: WindowId,
    },
    WindowNotPaused {
        window: WindowId,
    },
    WindowOffline {
        window: WindowId,
    },
    WindowNotOffline {
        window: WindowId,
    },
    WindowBusy {
        window: WindowId,
        ticket: TicketId,
    },
    NotCalling {
        window: WindowId,
    },
    NotServing {
        window: WindowId,
    },
    RecallLimit {
        calls: u32,
        max: u32,
    },
    RecallTooSoon {
        wait_secs: u64,
    },
    NoShowTooEarly {
        calls: u32,
        needed: u32,
    },
    TicketNotWaiting {
        ticket: TicketId,
        state: &'static str,
    },
    TicketNotMissed {
        ticket: TicketId,
        state: &'static str,
    },
    TicketNotHeld {
        ticket: TicketId,
        state: &'static str,
    },
    TicketNotCompleted {
        ticket: TicketId,
        state: &'static str,
    },
    AlreadyRated {
        ticket: TicketId,
    },
    RequeueLimit {
        ticket: TicketId,
        times: u32,
    },
    PostponeOff {},
    PostponeLimit {
        ticket: TicketId,
        times: u32,
    },
    NobodyBehind {
        ticket: TicketId,
    },
    NotForThisWindow {
        window: WindowId,
        ticket: TicketId,
    },
    SameService {
        service: ServiceId,
    },
}

impl Refusal {
    /// A field of the request that cannot be.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidField {
            field: field.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn too_early(rfc3339: String) -> Self {
        Self::AppointmentTooEarly { from: rfc3339 }
    }

    /// The stable code; programs outside go by it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidField { .. } => "invalid_field",
            Self::HallClosed {} => "hall_closed",
            Self::HallNotClosed {} => "hall_not_closed",
            Self::HallBusy { .. } => "hall_busy",
            Self::IssuingPaused {} => "issuing_paused",
            Self::IssuingNotPaused {} => "issuing_not_paused",
            Self::NoDay {} => "no_day",
            Self::NoNotice {} => "no_notice",
            Self::UnknownService { .. } => "unknown_service",
            Self::UnknownWindow { .. } => "unknown_window",
            Self::UnknownTicket { .. } => "unknown_ticket",
            Self::UnknownMenu { .. } => "unknown_menu",
            Self::ServiceInUse { .. } => "service_in_use",
            Self::WindowInUse { .. } => "window_in_use",
            Self::ContingentReached { .. } => "contingent_reached",
            Self::NumbersExhausted { .. } => "numbers_exhausted",
            Self::AppointmentTooEarly { .. } => "appointment_too_early",
            Self::AppointmentTooLate { .. } => "appointment_too_late",
            Self::AlreadyIssued { .. } => "already_issued",
            Self::NobodyWaiting { .. } => "nobody_waiting",
            Self::WindowClosed { .. } => "window_closed",
            Self::WindowNotClosed { .. } => "window_not_closed",
            Self::WindowPaused { .. } => "window_paused",
            Self::WindowNotPaused { .. } => "window_not_paused",
            Self::WindowOffline { .. } => "window_offline",
            Self::WindowNotOffline { .. } => "window_not_offline",
            Self::WindowBusy { .. } => "window_busy",
            Self::NotCalling { .. } => "not_calling",
            Self::NotServing { .. } => "not_serving",
            Self::RecallLimit { .. } => "recall_limit",
            Self::RecallTooSoon { .. } => "recall_too_soon",
            Self::NoShowTooEarly { .. } => "no_show_too_early",
            Self::TicketNotWaiting { .. } => "ticket_not_waiting",
            Self::TicketNotMissed { .. } => "ticket_not_missed",
            Self::TicketNotHeld { .. } => "ticket_not_held",
            Self::TicketNotCompleted { .. } => "ticket_not_completed",
            Self::AlreadyRated { .. } => "already_rated",
            Self::RequeueLimit { .. } => "requeue_limit",
            Self::PostponeOff {} => "postpone_off",
            Self::PostponeLimit { .. } => "postpone_limit",
            Self::NobodyBehind { .. } => "nobody_behind",
            Self::NotForThisWindow { .. } => "not_for_this_window",
            Self::SameService { .. } => "same_service",
        }
    }

    /// The refusal in words.
    pub fn sentence(&self, lang: Lang) -> String {
        let (zh, en) = self.sentences();
        match lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    fn sentences(&self) -> (String, String) {
        let both = |zh: &str, en: &str| (zh.to_owned(), en.to_owned());
        match self {
            Self::InvalidField { field, reason } => {
                let words = reason::sentence(field, reason);
                (words.zh, words.en)
            }
            Self::HallClosed {} => both("大厅未开放", "the hall is closed"),
            Self::HallNotClosed {} => both("大厅已经开放", "the hall is open already"),
            Self::HallBusy { windows } => {
                let list = windows
                    .iter()
                    .map(WindowId::as_str)
                    .collect::<Vec<_>>()
                    .join(", ");
                (
                    format!("窗口 {list} 仍有业务在办"),
                    format!("people are still being called or served at {list}"),
                )
            }
            Self::IssuingPaused {} => both("已暂停取号", "taking numbers is paused"),
            Self::IssuingNotPaused {} => both("取号没有暂停", "taking numbers is not paused"),
            Self::NoDay {} => both("今天还没有开始", "the day has not begun"),
            Self::NoNotice {} => both("当前没有通知", "there is no notice"),
            Self::UnknownService { service } => (
                format!("没有业务 {service}"),
                format!("there is no service {service}"),
            ),
            Self::UnknownWindow { window } => (
                format!("没有窗口 {window}"),
                format!("there is no window {window}"),
            ),
            Self::UnknownTicket { .. } => both(
                "号码不存在或已失效",
                "the ticket does not exist or is no longer valid",
            ),
            Self::UnknownMenu { menu } => (
                format!("没有菜单项 {menu}"),
                format!("there is no menu entry {menu}"),
            ),
            Self::ServiceInUse { service } => (
                format!("业务 {service} 仍有人等候或仍由窗口办理"),
                format!("service {service} still has open tickets or windows"),
            ),
            Self::WindowInUse { window } => (
                format!("窗口 {window} 仍在使用"),
                format!("window {window} is still in use"),
            ),
            Self::ContingentReached { contingent, .. } => (
                format!("今日自助取号 {contingent} 个已取完，请到咨询台"),
                format!(
                    "today's {contingent} self-service numbers are given out; please ask the staff"
                ),
            ),
            Self::NumbersExhausted { .. } => both(
                "号码已用完，请到咨询台",
                "all numbers of this series are in use",
            ),
            Self::AppointmentTooEarly { from } => (
                format!("预约报到从 {from} 开始"),
                format!("check-in for this appointment opens at {from}"),
            ),
            Self::AppointmentTooLate { until } => (
                format!("预约已过时（{until} 截止）"),
                format!("check-in for this appointment ended at {until}"),
            ),
            Self::AlreadyIssued { .. } => {
                both("该预约已取号", "a ticket was issued for this appointment")
            }
            Self::NobodyWaiting { .. } => both("没有人等候", "nobody is waiting"),
            Self::WindowClosed { .. } => both("窗口未开放", "the window is closed"),
            Self::WindowNotClosed { .. } => both("窗口已有人登录", "the window is open already"),
            Self::WindowPaused { .. } => both("窗口已暂停", "the window is paused"),
            Self::WindowNotPaused { .. } => both("窗口没有暂停", "the window is not paused"),
            Self::WindowOffline { .. } => both("窗口离线", "the window is offline"),
            Self::WindowNotOffline { .. } => both("窗口没有离线", "the window is not offline"),
            Self::WindowBusy { .. } => both("请先结束当前号码", "finish the present ticket first"),
            Self::NotCalling { .. } => {
                both("当前没有正在呼叫的号码", "no ticket is being called here")
            }
            Self::NotServing { .. } => {
                both("当前没有正在办理的号码", "no ticket is being served here")
            }
            Self::RecallLimit { calls, max } => (
                format!("已呼叫 {calls} 次，最多 {max} 次"),
                format!("called {calls} times of at most {max}"),
            ),
            Self::RecallTooSoon { wait_secs } => (
                format!("请 {wait_secs} 秒后再重呼"),
                format!("recall again in {wait_secs} s"),
            ),
            Self::NoShowTooEarly { calls, needed } => (
                format!("呼叫 {calls} 次，满 {needed} 次才能过号"),
                format!("called {calls} times; a no-show needs {needed}"),
            ),
            Self::TicketNotWaiting { .. } => both("该号码不在等候", "the ticket is not waiting"),
            Self::TicketNotMissed { .. } => both("该号码没有过号", "the ticket was not missed"),
            Self::TicketNotHeld { .. } => both("该号码没有挂起", "the ticket is not on hold"),
            Self::TicketNotCompleted { .. } => {
                both("办结后才能评价", "only a completed service can be rated")
            }
            Self::AlreadyRated { .. } => both("已经评价过", "already rated"),
            Self::RequeueLimit { times, .. } => (
                format!("过号最多激活 {times} 次，请重新取号"),
                format!("a missed ticket may return {times} times; take a new number"),
            ),
            Self::PostponeOff {} => {
                both("本大厅不能延后", "numbers cannot be postponed in this hall")
            }
            Self::PostponeLimit { times, .. } => (
                format!("最多延后 {times} 次"),
                format!("a number may be postponed {times} times"),
            ),
            Self::NobodyBehind { .. } => both(
                "后面没有人等候，不需要延后",
                "nobody waits behind this number",
            ),
            Self::NotForThisWindow { .. } => both(
                "本窗口不能呼叫该号码",
                "this window may not call that ticket",
            ),
            Self::SameService { .. } => {
                both("号码已在该业务排队", "the ticket is in that queue already")
            }
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence(Lang::En))
    }
}

impl std::error::Error for Refusal {}

/// How long until `from`, in whole seconds, rounded up.
pub(crate) fn secs_until(now: Timestamp, from: Timestamp) -> u64 {
    from.millis_since(now).div_ceil(1000)
}
