//! What a channel's gateway and probe are set up with, and the small rules that both go by.

use rules::channels::upstream::{first_segment, leaves_its_place};
use rules::channels::{Channel, ChannelCommand, KeyHash, Probe, Setup, Upstream, trace};
use serde_json::{Value, json};

use crate::support::{Story, key, setup};

fn upstream(more: Value) -> Upstream {
    let mut body = json!({"url": "http://10.0.0.5:8080/api/{version}"});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    serde_json::from_value(body).expect("an upstream")
}

fn set_up(upstream: Upstream) -> Setup {
    Setup {
        upstream: Some(Box::new(upstream)),
        ..setup()
    }
}

#[test]
fn an_upstream_says_what_cannot_be() {
    assert_eq!(upstream(json!({})).fault(), None);
    let faults = [
        (json!({"url": "ftp://a"}), "upstream.url"),
        (json!({"url": "http://"}), "upstream.url"),
        (json!({"url": "http://me:pass@host/"}), "upstream.url"),
        (json!({"url": "http://host/a?b"}), "upstream.url"),
        (json!({"url": "http://host:0/"}), "upstream.url"),
        (json!({"url": "http://{version}/"}), "upstream.url"),
        (json!({"connect_ms": 0}), "upstream.connect_ms"),
        (json!({"idle_ms": 3_600_001}), "upstream.idle_ms"),
        (json!({"total_ms": 0}), "upstream.total_ms"),
        (json!({"max_parallel": 0}), "upstream.max_parallel"),
        (
            json!({"max_request_bytes": 1u64 << 31}),
            "upstream.max_request_bytes",
        ),
        (
            json!({"request_headers": {"set": {"Host": "x"}}}),
            "upstream.request_headers",
        ),
        (
            json!({"request_headers": {"set": {"A": "x\r\nB: y"}}}),
            "upstream.request_headers",
        ),
        (
            json!({"response_headers": {"remove": ["Content-Length"]}}),
            "upstream.response_headers",
        ),
        (
            json!({"response_headers": {"set": {"A": "x".repeat(2048)}}}),
            "upstream.response_headers",
        ),
    ];
    for (more, field) in faults {
        let fault = upstream(more.clone()).fault();
        assert_eq!(fault.map(|(field, _)| field), Some(field), "{more}");
    }
    for url in [
        "https://a.b-c_d/x/{version}/y",
        "http://[::1]:80",
        "http://h/",
    ] {
        assert_eq!(upstream(json!({"url": url})).fault(), None, "{url}");
    }
}

#[test]
fn a_call_goes_to_the_address_with_its_version_and_the_rest_of_its_path() {
    let with = |url: &str| upstream(json!({"url": url}));
    let path = with("http://h/api/{version}/").path("v1", "/a%20b/c", "q=1&r");
    assert_eq!(path, "/api/v1/a%20b/c?q=1&r");
    assert_eq!(with("http://h").path("v1", "", "q"), "/?q");
    assert_eq!(with("https://h:1/x").path("v1", "/", ""), "/x/");
    assert_eq!(with("https://h:1/x").authority(), (true, "h:1"));
    assert_eq!(with("http://[::1]").authority(), (false, "[::1]"));
    assert_eq!(first_segment("/v1/a/b"), ("v1", "/a/b"));
    assert_eq!(first_segment("/v1"), ("v1", ""));
    assert_eq!(first_segment(""), ("", ""));
}

#[test]
fn a_path_does_not_leave_its_place() {
    for path in [
        "/a/../b",
        "/..",
        "/%2e%2E/b",
        "/a/.%2e",
        "/a/./b",
        "/a%2f..%2Fb",
        "/a\\..\\b",
    ] {
        assert!(leaves_its_place(path), "{path}");
    }
    for path in ["/a.b/c..d", "/...", "/a%20b", "/.well-known/x", ""] {
        assert!(!leaves_its_place(path), "{path}");
    }
}

#[test]
fn a_trace_is_kept_or_begun() {
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let good = format!("00-{id}-00f067aa0ba902b7-01");
    assert_eq!(trace::trace_id(&good), Some(id));
    assert_eq!(
        trace::trace_id(&format!("01-{id}-00f067aa0ba902b7-01-more")),
        Some(id)
    );
    let zeros = "0".repeat(32);
    for bad in [
        String::new(),
        format!("{good}-x"),
        format!("ff-{id}-00f067aa0ba902b7-01"),
        format!("00-{zeros}-00f067aa0ba902b7-01"),
        format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()),
    ] {
        assert_eq!(trace::trace_id(&bad), None, "{bad}");
    }
    let made = trace::traceparent(0, 0);
    assert_eq!(trace::trace_id(&made).map(str::len), Some(32), "{made}");
}

#[test]
fn a_secret_header_is_shown_hidden_and_stays_when_the_set_up_is_sent_back() {
    let secret = upstream(
        json!({"request_headers": {"set": {"Authorization": "Basic c2VjcmV0", "X-Site": "A"}}}),
    );
    let mut story = Story::new(set_up(secret.clone()));
    let face = story.channel.face();
    let shown = &face["setup"]["upstream"]["request_headers"]["set"];
    assert_eq!(shown, &json!({"Authorization": "***", "X-Site": "A"}));
    let sent_back: Setup = serde_json::from_value(face["setup"].clone()).expect("a set-up");
    story.does(ChannelCommand::SetUp {
        channel: story.channel.id().expect("an id").clone(),
        setup: sent_back,
        revision: None,
    });
    let standing = story
        .channel
        .setup()
        .and_then(|setup| setup.upstream.clone());
    assert_eq!(standing.as_deref(), Some(&secret));
}

#[test]
fn a_key_tells_whose_it_is() {
    let mut story = Story::new(setup());
    let grant = |caller: &str, key_hash: KeyHash| ChannelCommand::Grant {
        caller: caller.to_owned(),
        version: None,
        key_hash,
        since: None,
    };
    story.does(grant("app", key(1))).does(grant("web", key(2)));
    let of = |story: &Story, n: u8| {
        let access = story.channel.access();
        access.caller_of(&key(n)).map(str::to_owned)
    };
    assert_eq!(of(&story, 2).as_deref(), Some("web"));
    assert_eq!(of(&story, 3), None);
    let id = story.channel.access().grants()[0].id;
    story.does(ChannelCommand::RevokeGrant {
        grant: id,
        reason: None,
    });
    assert_eq!(of(&story, 1).as_deref(), Some("app"));
}

/// A snapshot of a program that knew fewer reasons is read.
#[test]
fn counts_of_an_earlier_program_are_read() {
    let story = Story::new(setup());
    let mut kept = serde_json::to_value(&story.channel).expect("JSON");
    kept["refusals"] = json!([1, 2, 3, 4, 5, 6, 7, 8]);
    let channel: Channel = serde_json::from_value(kept).expect("a channel");
    let counts: Vec<u64> = channel.refusals().map(|(_, count)| count).collect();
    assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7, 8, 0, 0]);
}

#[test]
fn a_probe_says_what_cannot_be() {
    let probe = |body: Value| serde_json::from_value::<Probe>(body);
    let fault = |body: Value| {
        probe(body)
            .expect("a probe")
            .fault()
            .map(|(field, _)| field)
    };
    let http = |more: Value| {
        let mut body = json!({"kind": "http", "url": "http://h:1/x?y=1"});
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    };
    assert_eq!(fault(http(json!({}))), None);
    assert_eq!(fault(http(json!({"url": "h"}))), Some("probe.url"));
    assert_eq!(
        fault(http(json!({"url": "http://h/{version}"}))),
        Some("probe.url")
    );
    assert_eq!(
        fault(http(json!({"status": [300, 200]}))),
        Some("probe.status")
    );
    assert_eq!(fault(http(json!({"text": ""}))), Some("probe.text"));
    assert_eq!(
        fault(http(json!({"every_secs": 0}))),
        Some("probe.every_secs")
    );
    assert_eq!(fault(json!({"kind": "tcp", "address": "h:1"})), None);
    assert_eq!(fault(json!({"kind": "tcp", "address": "[::1]:1"})), None);
    for address in ["h", "h:0", "h:x", "[::1]", ":1"] {
        let fault = fault(json!({"kind": "tcp", "address": address}));
        assert_eq!(fault, Some("probe.address"), "{address}");
    }
    assert!(probe(http(json!({"method": "POST"}))).is_err());
    let mut bad = setup();
    bad.probe = Some(Box::new(
        probe(json!({"kind": "tcp", "address": "h"})).expect("a probe"),
    ));
    assert_eq!(bad.fault().map(|(field, _)| field), Some("probe.address"));
    let refused = Story::new(setup()).refuses(ChannelCommand::SetUp {
        channel: "sms".parse().expect("an id"),
        setup: bad,
        revision: None,
    });
    assert!(!refused.code().is_empty());
}
