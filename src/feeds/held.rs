//! Records that cannot be pushed as they are stand on the problem list, once each.

use actors::desk::SubmitError;
use rules::alerts::rule::Severity;
use rules::channels::feed::FeedSetup;
use rules::desk::Command;
use rules::desk::problems::{NewProblem, ProblemCommand};
use rules::name::Name;
use serde_json::Value;
use tracing::{info, warn};

use super::push::{BY, Pusher};
use super::{FeedError, Holder};
use crate::store::records::FeedRecord;

/// Records listed in one pass.
const PAGE: u32 = 100;

/// What of a wrong value the problem's title shows, in characters.
const VALUE_MAX_CHARS: usize = 60;

/// What of a record the problem shows, in characters.
const RAW_MAX_CHARS: usize = 4_000;

impl Pusher {
    /// Puts what is held back on the problem list.
    pub(super) async fn list_held(
        &self,
        holder: &Holder,
        setup: &FeedSetup,
    ) -> Result<(), FeedError> {
        let records = &self.app.records;
        for record in records.unlisted_feed_records(&holder.id, PAGE).await? {
            let new = Box::new(problem(holder, setup, &record));
            let list = Command::Problem(ProblemCommand::List(new));
            match self.app.desk.submit(list, BY, None).await {
                Ok(_) => {}
                // It stands there already; or the list is full, and the quarantine still has it.
                Err(SubmitError::Refused(refusal)) => {
                    info!(feed = %holder.id, record = record.id, %refusal, "problem not listed");
                }
                Err(cause) => {
                    warn!(feed = %holder.id, %cause, "problem not listed yet");
                    return Ok(());
                }
            }
            records.feed_record_listed(record.place).await?;
        }
        Ok(())
    }
}

fn problem(holder: &Holder, setup: &FeedSetup, record: &FeedRecord) -> NewProblem {
    let fault = &record.faults[0];
    let reason = fault["reason"].as_str().unwrap_or("unreadable");
    let field = fault["field"].as_str().unwrap_or_default();
    let value = fault["value"].as_str().unwrap_or_default();
    let value: String = value.chars().take(VALUE_MAX_CHARS).collect();
    let original = record.original.as_ref();
    let named = original.and_then(|body| body["hall"].as_str());
    let hall = named.and_then(|hall| hall.parse().ok());
    let raw = original.map(Value::to_string).unwrap_or_default();
    NewProblem {
        kind: reason.to_owned(),
        title: Name::new(
            format!("未推送：{} {field} {value}", words(reason).0),
            format!("not pushed: {} {field} {value}", words(reason).1),
        ),
        severity: Severity::Warning,
        source: holder.id.to_string(),
        record: format!("{}/{}", holder.id, record.id),
        raw: raw.chars().take(RAW_MAX_CHARS).collect(),
        trace: vec![format!("{} {}", record.at, record.batch)],
        alert: None,
        rule: None,
        hall: hall.or_else(|| setup.hall.clone()),
        department: Some(setup.party.clone()),
        due_at: None,
    }
}

fn words(reason: &str) -> (&'static str, &'static str) {
    match reason {
        "unknown_window" => ("窗口不在目录中", "the window is not in the directory"),
        "unknown_code" => ("代码未登记", "the code is not known"),
        "missing" => ("缺少必填项", "a field is missing"),
        "above_limit" => ("超过限值", "a limit is exceeded"),
        _ => ("格式不正确", "a field is not of the agreed form"),
    }
}
