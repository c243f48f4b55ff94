//! What a notice says: templates.

use rules::alerts::rule::Severity;
use rules::desk::messages::{Announcement, Cause, MessageCommand, Template};
use rules::desk::receivers::WayKind;
use rules::name::Name;
use serde_json::json;

use crate::outbox::{Outbox, supervisor, to_supervisors};

#[test]
fn a_template_says_what_it_is_given_in_the_receivers_language() {
    let mut english = supervisor();
    english["lang"] = json!("en");
    let mut outbox = Outbox::new([english], "09:00");
    let standard = outbox.announce(&to_supervisors("A-1/1", Severity::Critical));
    assert_eq!(standard[0].subject, "[critical, raised] Case overdue");
    assert!(
        standard[0].text.contains("Time: 2026-11-02 09:00"),
        "{}",
        standard[0].text
    );
    // Whoever only reads subjects sees that it is over.
    let over = Announcement {
        cause: Cause::Resolved,
        ..to_supervisors("A-1/over", Severity::Critical)
    };
    let over = outbox.announce(&over);
    assert_eq!(over[0].subject, "[critical, resolved] Case overdue");
    let template = Template {
        subject: Name::new("标题", "{alert}\nin {hall}"),
        text: Name::new("{text}", "{text} ({cause}, {department})"),
    };
    let set = MessageCommand::SetTemplate {
        way: WayKind::Email,
        template,
    };
    outbox.ask(&set).unwrap();
    let own = outbox.announce(&to_supervisors("A-1/2", Severity::Critical));
    assert_eq!(own[0].subject, "A-000001 in H1");
    assert_eq!(own[0].text, "Case C1 is 2 days overdue (raised, 住建局)");
    outbox
        .ask(&MessageCommand::ResetTemplate {
            way: WayKind::Email,
        })
        .unwrap();
    let again = outbox.announce(&to_supervisors("A-1/3", Severity::Critical));
    assert_eq!(again[0].subject, "[critical, raised] Case overdue");
}

#[test]
fn a_template_with_a_fault_is_refused_with_the_field() {
    for (text, part) in [
        ("{titel}", "{titel}, which is none of title, text"),
        ("{title", "does not close"),
        (" ", "is empty"),
        ("a\u{7}", "cannot be printed"),
    ] {
        let template = Template {
            subject: Name::same("{title}"),
            text: Name::new("好", text),
        };
        let (field, why) = template.fault().unwrap();
        assert_eq!(field, "text.en");
        assert!(why.contains(part), "{why}");
    }
    for way in WayKind::ALL {
        assert_eq!(Template::standard(way).fault(), None);
    }
}
