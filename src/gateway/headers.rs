//! Headers on their way through: what belongs to one connection stays behind, what tells of the caller
//! goes along, and a channel's own rules are kept.

use actix_web::http::header as ours;
use hyper::header::{CONNECTION, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};
use rules::channels::upstream::{HeaderRules, OWN_HEADERS};

/// The caller's key; never forwarded.
pub(super) static KEY: ours::HeaderName = ours::HeaderName::from_static("x-api-key");

/// Which version is called.
pub(super) static VERSION: Both = Both::of("x-api-version");

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who calls, as the key says: for the upstream.
static CALLER: Both = Both::of("x-api-caller");

pub(super) static TRACEPARENT: Both = Both::of("traceparent");

/// A name as the server's side and as the upstream's side have it, made once: a map that is asked by
/// a text makes a name of it first.
pub(super) struct Both {
    pub(super) ours: ours::HeaderName,
    pub(super) theirs: HeaderName,
}

impl Both {
    const fn of(name: &'static str) -> Self {
        Self {
            ours: ours::HeaderName::from_static(name),
            theirs: HeaderName::from_static(name),
        }
    }
}

/// What the upstream is told of a call beside the caller's own headers.
pub(super) struct About<'a> {
    pub(super) host: &'a HeaderValue,
    pub(super) caller: &'a str,
    pub(super) version: &'a str,
    pub(super) traceparent: &'a str,
    /// The caller's address.
    pub(super) peer: &'a str,
}

/// A rule of headers, ready for use.
pub(super) struct Changes<N, V> {
    set: Vec<(N, V)>,
    remove: Vec<N>,
}

impl<N: for<'a> TryFrom<&'a str>, V: for<'a> TryFrom<&'a str>> Changes<N, V> {
    pub(super) fn new(rules: &HeaderRules) -> Self {
        let pair = |(name, value): (&String, &String)| {
            let pair = (N::try_from(name), V::try_from(value));
            Some((pair.0.ok()?, pair.1.ok()?))
        };
        let removed = rules.remove.iter();
        Self {
            set: rules.set.iter().filter_map(pair).collect(),
            remove: removed.filter_map(|name| N::try_from(name).ok()).collect(),
        }
    }
}

/// Whether a header belongs to one connection, by its name or because the connection's own says so.
fn stays(name: &str, connection: &str) -> bool {
    let named = |one: &str| one.trim().eq_ignore_ascii_case(name);
    OWN_HEADERS.contains(&name) || (!connection.is_empty() && connection.split(',').any(named))
}

/// Headers of the request as the upstream gets them.
pub(super) fn request(
    came: &ours::HeaderMap,
    about: &About<'_>,
    changes: &Changes<HeaderName, HeaderValue>,
) -> HeaderMap {
    let connection = text(came, &ours::CONNECTION);
    let mut headers = HeaderMap::with_capacity(came.len() + 8);
    for (name, value) in came {
        let told = [&VERSION, &CALLER, &TRACEPARENT];
        let own = *name == ours::EXPECT || told.iter().any(|one| one.ours == *name);
        if own || stays(name.as_str(), connection) {
            continue;
        }
        let pair = (
            HeaderName::from_bytes(name.as_str().as_bytes()),
            HeaderValue::from_bytes(value.as_bytes()),
        );
        if let (Ok(name), Ok(value)) = pair {
            headers.append(name, value);
        }
    }
    headers.insert(HOST, about.host.clone());
    let host = text(came, &ours::HOST);
    let proto = match text(came, &ours::X_FORWARDED_PROTO) {
        "" => "http",
        proto => proto,
    };
    let behind = |name: &ours::HeaderName, last: &[&str]| match text(came, name) {
        "" => last.concat(),
        before => [&[before, ", "], last].concat().concat(),
    };
    let (open, close) = match about.peer.contains(':') {
        true => ("for=\"[", "]\";host=\""),
        false => ("for=", ";host=\""),
    };
    let forwarded = [open, about.peer, close, host, "\";proto=", proto];
    let told = [
        (&FORWARDED, behind(&ours::FORWARDED, &forwarded)),
        (
            &X_FORWARDED_FOR,
            behind(&ours::X_FORWARDED_FOR, &[about.peer]),
        ),
        (&X_FORWARDED_HOST, host.to_owned()),
        (&X_FORWARDED_PROTO, proto.to_owned()),
        (&CALLER.theirs, about.caller.to_owned()),
        (&VERSION.theirs, about.version.to_owned()),
        (&TRACEPARENT.theirs, about.traceparent.to_owned()),
    ];
    for (name, value) in told {
        if let Ok(value) = HeaderValue::from_maybe_shared(bytes::Bytes::from(value)) {
            headers.insert(name.clone(), value);
        }
    }
    for name in &changes.remove {
        headers.remove(name);
    }
    for (name, value) in &changes.set {
        headers.insert(name.clone(), value.clone());
    }
    headers
}

/// Headers of the answer as the caller gets them.
pub(super) fn response(
    came: &HeaderMap,
    keep_length: bool,
    changes: &Changes<ours::HeaderName, ours::HeaderValue>,
    headers: &mut ours::HeaderMap,
) {
    let connection = came.get(CONNECTION).and_then(|one| one.to_str().ok());
    let connection = connection.unwrap_or_default();
    for (name, value) in came {
        let length = keep_length && name.as_str() == "content-length";
        if !length && stays(name.as_str(), connection) {
            continue;
        }
        let pair = (
            ours::HeaderName::from_bytes(name.as_str().as_bytes()),
            ours::HeaderValue::from_bytes(value.as_bytes()),
        );
        if let (Ok(name), Ok(value)) = pair {
            headers.append(name, value);
        }
    }
    for name in &changes.remove {
        headers.remove(name);
    }
    for (name, value) in &changes.set {
        headers.insert(name.clone(), value.clone());
    }
}

/// The value of a header that is plain text; else nothing.
pub(super) fn text<'a>(headers: &'a ours::HeaderMap, name: &ours::HeaderName) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}
