//! Who is told: receivers, their roles and halls.

use rules::alerts::rule::Audience;
use rules::desk::receivers::{ReceiverCommand, ReceiverEvent, ReceiverRefusal, Receivers};
use serde_json::{Value, json};

use crate::outbox::{receiver, receivers, supervisor};

#[test]
fn roles_reach_only_those_whose_scope_holds_the_hall() {
    let of = |id: &str, halls: Value, enabled: bool| {
        json!({
            "id": id, "name": "x", "account": id, "roles": ["supervisor"], "halls": halls,
            "enabled": enabled, "ways": [{"kind": "desk"}],
        })
    };
    let all = receivers([
        of("city", json!(["*"]), true),
        of("h1", json!(["H1"]), true),
        of("h2", json!(["H2"]), true),
        of("gone", json!(["*"]), false),
    ]);
    let role = [Audience::Role("supervisor".to_owned())];
    let ids = |audience: &[Audience], handler, hall: Option<&str>| -> Vec<String> {
        let hall = hall.map(|hall| hall.parse().unwrap());
        let found = all.resolve(audience, handler, hall.as_ref());
        found.iter().map(|r| r.id.to_string()).collect()
    };
    assert_eq!(ids(&role, None, Some("H1")), ["city", "h1"]);
    assert_eq!(ids(&role, None, None), ["city"]);
    assert_eq!(ids(&[Audience::Handler], Some("h2"), Some("H1")), ["h2"]);
    assert_eq!(
        ids(&[Audience::Handler], None, Some("H1")),
        Vec::<String>::new()
    );
    let named = [
        Audience::Receiver("h2".to_owned()),
        Audience::Receiver("gone".to_owned()),
    ];
    assert_eq!(ids(&named, None, Some("H1")), ["h2"]);
}

#[test]
fn a_receiver_that_cannot_be_is_refused_with_the_field() {
    let cases = [
        (json!({"ways": []}), "ways"),
        (
            json!({"ways": [{"kind": "email", "address": "nobody"}]}),
            "ways[0].address",
        ),
        (
            json!({"ways": [{"kind": "email", "address": "a b@c"}]}),
            "ways[0].address",
        ),
        (
            json!({"ways": [{"kind": "sms", "address": "12ab"}]}),
            "ways[0].address",
        ),
        (
            json!({"ways": [{"kind": "webhook", "address": "http://x/"}]}),
            "ways[0].address",
        ),
        (json!({"ways": [{"kind": "desk"}]}), "ways[0].kind"),
        (
            json!({"ways": [
                {"kind": "sms", "address": "13800000001"}, {"kind": "sms", "address": "13800000002"},
            ]}),
            "ways[1].kind",
        ),
        (
            json!({"ways": [{"kind": "sms", "address": "13800000001", "fallback": true}]}),
            "ways",
        ),
        (json!({"halls": ["H 1"]}), "halls"),
        (json!({"account": ""}), "account"),
        (
            json!({"quiet": {"from": "07:00", "until": "07:00"}}),
            "quiet",
        ),
    ];
    for (change, field) in cases {
        let mut one = json!({
            "id": "r1", "name": "x", "ways": [{"kind": "sms", "address": "13800000001"}],
        });
        for (key, value) in change.as_object().unwrap() {
            one[key] = value.clone();
        }
        let put = ReceiverCommand::Put(Box::new(receiver(one)));
        match Receivers::default().decide(&put).unwrap_err() {
            ReceiverRefusal::InvalidField { field: found, .. } => assert_eq!(found, field),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn receivers_come_and_go_and_their_addresses_are_masked() {
    let mut all = receivers([supervisor()]);
    let same = ReceiverCommand::Put(Box::new(receiver(supervisor())));
    assert_eq!(all.decide(&same).unwrap(), []);
    let face = serde_json::to_string(&all.iter().next().unwrap().face()).unwrap();
    assert!(
        face.contains("s***@example.org") && face.contains("***001"),
        "{face}"
    );
    assert!(!face.contains("sup@") && !face.contains("138000"), "{face}");
    let remove = ReceiverCommand::Remove("sup".parse().unwrap());
    for event in all.decide(&remove).unwrap() {
        assert_eq!(event.kind(), "receiver_removed");
        all.apply(&event);
    }
    assert_eq!(all.decide(&remove).unwrap_err().code(), "unknown_receiver");
    let unknown: Result<ReceiverEvent, _> = serde_json::from_str("{\"kind\": \"x\"}");
    assert!(unknown.is_err());
}
