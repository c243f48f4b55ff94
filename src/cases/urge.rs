//! An urge on its way to whoever has the case in hand.

use actors::desk::{Desk, SubmitError};
use rules::alerts::rule::{Audience, Severity};
use rules::cases::{Case, CaseEvent, StepKind};
use rules::desk::messages::{Announcement, Cause, MessageCommand};
use rules::desk::{AlertDesk, Command, Refusal};
use rules::machine::Recorded;
use rules::name::Name;

/// Tells the case's handler, or who coordinates it if it has none, that somebody urges. One urge is
/// told once, however often it is handed in.
///
/// # Errors
/// The desk cannot save it.
pub async fn tell_handler(
    desk: &Desk<AlertDesk>,
    case: &Case,
    recorded: &[Recorded<CaseEvent>],
) -> Result<(), SubmitError<Refusal>> {
    let person = case.handler.as_ref().or(case.told.coordinator.as_ref());
    let Some(person) = person else {
        return Ok(());
    };
    for one in recorded {
        let CaseEvent::StepTold { step, .. } = &one.event else {
            continue;
        };
        if step.kind != StepKind::Urged {
            continue;
        }
        let about = Announcement {
            key: format!("case:{}/urged-{}", case.case_no, one.seq),
            alert: None,
            cause: Cause::Urged,
            severity: Severity::Warning,
            title: Name::new("办件催办", "Case urged"),
            text: sentence(case, &one.by, step.note.as_deref()),
            audience: vec![Audience::Account(person.clone())],
            handler: None,
            hall: case.told.hall.clone(),
            department: Some(case.told.department.as_str().into()),
            narrow: false,
        };
        let announce = MessageCommand::Announce(Box::new(about));
        desk.submit(Command::Message(announce), &one.by, None)
            .await?;
    }
    Ok(())
}

fn sentence(case: &Case, by: &str, note: Option<&str>) -> Name {
    let (item, no) = (&case.told.item, &case.case_no);
    let note = |before: &str| note.map_or_else(String::new, |note| format!("{before}{note}"));
    Name::new(
        format!("{by} 催办 {item} {no}{}", note("："))
            .trim()
            .to_owned(),
        format!("{by} urges {item} {no}{}", note(": "))
            .trim()
            .to_owned(),
    )
}
