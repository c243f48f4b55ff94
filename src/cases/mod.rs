//! The case desk on this machine: its settings, its start, and the commands that fill and read it.

pub mod at;
pub mod import;
pub mod log;
pub mod urge;

use std::sync::Arc;

use actors::clock::SystemClock;
use actors::desk::Desk;
use anyhow::{Context as _, anyhow, ensure};
use rules::calendar::{Calendar, HOLIDAYS_CN, Years};
use rules::cases::{Case, CaseCommand, CaseDesk, CaseNo, Settings};
use rules::machine::ItemKind;

use crate::config;
use crate::store::Records;
use crate::store::records::StoreError;

/// The settings as limits are counted by.
///
/// # Errors
/// A value cannot be, or the calendar file cannot be read; the message names it.
pub fn settings(from: &config::Cases) -> anyhow::Result<Settings> {
    ensure!(!from.weekdays.is_empty(), "cases.weekdays names no day");
    ensure!(
        (1..=3650).contains(&from.keep_ended_days),
        "cases.keep_ended_days must lie between 1 and 3650"
    );
    ensure!(
        from.near_due_days <= 365 && from.acceptance_limit_days <= 365,
        "cases.near_due_days and cases.acceptance_limit_days must not exceed 365"
    );
    let mut calendar = Calendar {
        zone: from.time_zone,
        weekdays: from.weekdays.clone(),
        closes_at: from.closes_at,
        ..Calendar::default()
    };
    let mut add = |text: &str| Years::read(text).and_then(|years| calendar.add(&years));
    add(HOLIDAYS_CN).map_err(|why| anyhow!("the announced holidays: {why}"))?;
    if !from.calendar.as_os_str().is_empty() {
        let file = from.calendar.display();
        let text = std::fs::read_to_string(&from.calendar)
            .with_context(|| format!("cases.calendar: could not read {file}"))?;
        add(&text).map_err(|why| anyhow!("cases.calendar: {file}: {why}"))?;
    }
    Ok(Settings {
        calendar,
        near_due_days: from.near_due_days,
        acceptance_limit_days: from.acceptance_limit_days,
        keep_ended_days: from.keep_ended_days,
    })
}

/// Starts the desk and tells it what limits are counted by.
///
/// # Errors
/// The store does not answer, or holds what cannot be.
pub async fn start(system: &actors::System, settings: &Settings) -> anyhow::Result<Desk<CaseDesk>> {
    let desk = system
        .start_desk::<CaseDesk>(Arc::new(SystemClock))
        .await
        .context("could not load the cases")?;
    let set = CaseCommand::SetSettings(settings.clone());
    desk.submit(set, "settings", None)
        .await
        .context("could not set how cases are counted")?;
    Ok(desk)
}

/// A case that ended so long ago that the desk no longer holds it, as it was then.
///
/// # Errors
/// The database is not available.
pub async fn put_away(records: &Records, case_no: &CaseNo) -> Result<Option<Case>, StoreError> {
    let item = records.item(ItemKind::Case, case_no.as_str()).await?;
    item.map(|item| read(&item.body)).transpose()
}

/// A case from the body of its row.
///
/// # Errors
/// [`StoreError::Corrupt`].
pub fn read(body: &str) -> Result<Case, StoreError> {
    serde_json::from_str(body).map_err(|cause| StoreError::Corrupt(cause.to_string()))
}
