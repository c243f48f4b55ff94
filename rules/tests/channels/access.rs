//! Versions and grants: who may call what, since when, and what a refused caller is told.

use rules::channels::{CallRefusal, ChannelCommand, KeyHash, Measured, Outcome, VersionState};
use rules::machine::{RefusalKind, Refuse as _};
use rules::name::Lang;
use rules::testing::clock;

use crate::support::{Story, call, key, setup};

fn draft(version: &str) -> ChannelCommand {
    ChannelCommand::DraftVersion {
        version: version.to_owned(),
        notes: Some("first".to_owned()),
    }
}

fn publish(version: &str) -> ChannelCommand {
    ChannelCommand::PublishVersion {
        version: version.to_owned(),
    }
}

fn withdraw(version: &str) -> ChannelCommand {
    ChannelCommand::RevokeVersion {
        version: version.to_owned(),
        reason: None,
    }
}

fn grant(caller: &str, version: Option<&str>, key_hash: KeyHash) -> ChannelCommand {
    ChannelCommand::Grant {
        caller: caller.to_owned(),
        version: version.map(str::to_owned),
        key_hash,
        since: None,
    }
}

fn published() -> Story {
    let mut story = Story::new(setup());
    story.does(draft("v1")).does(publish("v1"));
    story
}

#[test]
fn a_version_is_drafted_published_and_withdrawn_and_never_comes_back() {
    let mut story = Story::new(setup());
    assert_eq!(story.refuses(publish("v1")).code(), "unknown_version");
    story.does(draft("v1"));
    assert_eq!(story.refuses(draft("v1")).code(), "version_exists");
    assert_eq!(story.refuses(withdraw("v1")).code(), "version_state");
    story.at("09:10").does(publish("v1"));
    assert_eq!(story.refuses(publish("v1")).code(), "version_state");
    story.at("09:20").does(draft("v2")).does(publish("v2"));
    let access = story.channel.access();
    assert_eq!(access.current().map(|one| &*one.version), Some("v2"));
    story.at("09:30").does(withdraw("v1"));
    assert_eq!(story.refuses(publish("v1")).code(), "version_state");
    let version = story.channel.access().version("v1").expect("v1");
    assert_eq!(version.state, VersionState::Revoked);
    assert_eq!(
        [
            Some(version.drafted_at),
            version.published_at,
            version.revoked_at
        ],
        ["09:00", "09:10", "09:30"].map(|at| Some(clock(at)))
    );
    assert_eq!(story.refuses(draft("v 1")).code(), "invalid_field");
}

#[test]
fn a_caller_may_call_what_was_granted_with_its_key_from_the_granted_instant_on() {
    let mut story = published();
    story.does(grant("app", Some("v1"), key(1)));
    story
        .does(draft("v2"))
        .does(publish("v2"))
        .does(draft("v3"));
    story.does(ChannelCommand::Grant {
        caller: "later".to_owned(),
        version: None,
        key_hash: key(2),
        since: Some(clock("10:00")),
    });
    let permit = |story: &Story, caller: &str, with: KeyHash, version: &str| {
        story.channel.permit(caller, &with, version, story.now)
    };
    assert_eq!(permit(&story, "app", key(1), "v1"), Ok(()));
    for (caller, with, version, refusal) in [
        ("other", key(1), "v1", CallRefusal::UnknownCaller),
        ("app", key(9), "v1", CallRefusal::WrongKey),
        ("app", key(1), "v2", CallRefusal::VersionNotGranted),
        ("app", key(1), "v3", CallRefusal::VersionNotPublished),
        ("app", key(1), "v9", CallRefusal::UnknownVersion),
        ("later", key(2), "v1", CallRefusal::GrantNotYet),
    ] {
        assert_eq!(
            permit(&story, caller, with, version),
            Err(refusal),
            "{caller} {version}"
        );
    }
    story.at("10:00");
    assert_eq!(permit(&story, "later", key(2), "v2"), Ok(()));
    // Withdrawn and revoked at once.
    story.does(withdraw("v1"));
    assert_eq!(
        permit(&story, "app", key(1), "v1"),
        Err(CallRefusal::VersionRevoked)
    );
    story.does(ChannelCommand::RevokeGrant {
        grant: 1,
        reason: None,
    });
    assert_eq!(
        permit(&story, "app", key(1), "v1"),
        Err(CallRefusal::GrantRevoked)
    );
}

#[test]
fn a_key_is_changed_without_a_pause() {
    let mut story = published();
    story.does(grant("app", None, key(1)));
    assert_eq!(
        story.refuses(grant("app", None, key(1))).code(),
        "already_granted"
    );
    story.does(grant("app", None, key(2)));
    for with in [key(1), key(2)] {
        assert_eq!(story.channel.permit("app", &with, "v1", story.now), Ok(()));
    }
    story.does(ChannelCommand::RevokeGrant {
        grant: 1,
        reason: None,
    });
    let twice = ChannelCommand::RevokeGrant {
        grant: 1,
        reason: None,
    };
    assert_eq!(story.refuses(twice).code(), "grant_revoked");
    assert_eq!(
        story.channel.permit("app", &key(2), "v1", story.now),
        Ok(())
    );
    let old = story.channel.permit("app", &key(1), "v1", story.now);
    assert_eq!(old, Err(CallRefusal::GrantRevoked));
}

#[test]
fn refused_calls_are_counted_with_their_reason_and_are_no_failures() {
    let mut story = published();
    for _ in 0..30 {
        let refused = call(Outcome::Refused, 0);
        story
            .channel
            .record(&refused, Some(CallRefusal::WrongKey), story.now);
    }
    assert!(!story.channel.withdrawn_version_called(story.now));
    let withdrawn = Measured {
        caller: "old",
        ..call(Outcome::Refused, 0)
    };
    story
        .channel
        .record(&withdrawn, Some(CallRefusal::VersionRevoked), story.now);
    story.calls("S");
    let counted: Vec<(&str, u64)> = story
        .channel
        .refusals()
        .filter(|(_, count)| *count > 0)
        .map(|(refusal, count)| (refusal.code(), count))
        .collect();
    assert_eq!(counted, [("wrong_key", 30), ("version_revoked", 1)]);
    let figures = story.channel.figures(rules::channels::Window::FiveMinutes);
    assert_eq!((figures.times.calls, figures.times.refused), (1, 31));
    assert_eq!(figures.times.success_percent, Some(100.0));
    assert_eq!(figures.times.max_ms, Some(100.0));
    assert!(story.channel.withdrawn_version_called(story.now));
    assert!(story.turns().is_empty());
    story.at("09:06");
    assert!(!story.channel.withdrawn_version_called(story.now));
}

#[test]
fn what_is_remembered_of_versions_and_grants_has_a_limit() {
    let mut story = Story::new(setup());
    for number in 0..24 {
        story.does(draft(&format!("v{number}")));
    }
    assert_eq!(story.refuses(draft("v24")).code(), "versions_full");
    story
        .does(publish("v3"))
        .does(withdraw("v3"))
        .does(draft("v24"));
    assert!(story.channel.access().version("v3").is_none());
    for number in 0..64 {
        story.does(grant(&format!("app{number}"), None, key(number)));
    }
    assert_eq!(
        story.refuses(grant("one-more", None, key(99))).code(),
        "grants_full"
    );
    story.does(ChannelCommand::RevokeGrant {
        grant: 5,
        reason: None,
    });
    story.does(grant("one-more", None, key(99)));
    // Numbers of grants are not given twice.
    assert_eq!(
        story.channel.access().grant(65).map(|one| &*one.caller),
        Some("one-more")
    );
}

#[test]
fn every_refusal_has_a_code_of_its_own_and_words_in_both_languages() {
    let codes: std::collections::BTreeSet<&str> = CallRefusal::ALL
        .iter()
        .map(|refusal| refusal.code())
        .collect();
    assert_eq!(codes.len(), CallRefusal::ALL.len());
    for (place, refusal) in CallRefusal::ALL.into_iter().enumerate() {
        assert_eq!(refusal as usize, place);
        assert_eq!(CallRefusal::from_code(refusal.code()), Some(refusal));
        assert_ne!(refusal.sentence(Lang::Zh), refusal.sentence(Lang::En));
    }
}

#[test]
fn a_set_up_that_cannot_be_is_refused_with_its_field() {
    let story = Story::new(setup());
    let again = |change: &dyn Fn(&mut rules::channels::Setup)| {
        let mut setup = setup();
        change(&mut setup);
        let channel = "sms".parse().expect("an id");
        story
            .refuses(ChannelCommand::SetUp {
                channel,
                setup,
                revision: None,
            })
            .to_string()
    };
    for (complaint, told) in [
        (
            "the field provider",
            again(&|setup| setup.provider = " ".to_owned()),
        ),
        (
            "the field endpoint",
            again(&|setup| setup.endpoint = Some("a b".to_owned())),
        ),
        (
            "limits.consecutive_failures",
            again(&|setup| setup.limits.consecutive_failures = 0),
        ),
        (
            "limits.slow_percent",
            again(&|setup| setup.limits.slow_percent = f64::NAN),
        ),
        (
            "limits.odd_times",
            again(&|setup| setup.limits.odd_times = 1.0),
        ),
        (
            "expected_every_secs",
            again(&|setup| setup.expected_every_secs = Some(0)),
        ),
    ] {
        assert!(told.contains(complaint), "{told}");
    }
    let channel = "other".parse().expect("an id");
    let other = ChannelCommand::SetUp {
        channel,
        setup: setup(),
        revision: None,
    };
    assert_eq!(story.refuses(other).code(), "other_channel");
}

#[test]
fn a_set_up_made_from_an_old_one_is_refused_and_changes_nothing() {
    let mut story = Story::new(setup());
    let provided = |provider: &str, revision: u64| {
        let mut setup = setup();
        provider.clone_into(&mut setup.provider);
        let channel = "sms".parse().expect("an id");
        let revision = Some(revision);
        ChannelCommand::SetUp {
            channel,
            setup,
            revision,
        }
    };
    story.does(provided("first", 1));
    let refused = story.refuses(provided("second", 1));
    assert_eq!(refused.code(), "changed_meanwhile");
    assert_eq!(refused.kind(), RefusalKind::Stale);
    let provider = |story: &Story| story.channel.setup().expect("a set-up").provider.clone();
    assert_eq!(provider(&story), "first");
    // The same again, because the answer was lost, is no conflict.
    story.does(provided("first", 1));
    story.does(provided("second", story.channel.revision()));
    assert_eq!(provider(&story), "second");
}
