//! Who sends a request, and the key under which they may send it again.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, HttpRequest, web};
use actors::ports::IdempotencyKey;
use rules::ids::HallId;
use rules::name::Lang;
use sha2::{Digest as _, Sha256};

use crate::web::App;
use crate::web::access::{Action, Principal};
use crate::web::auth::{Proof, hex, proofs};
use crate::web::body::Body;
use crate::web::error::{Problem, lang_of};

/// Longest idempotency key accepted, in characters.
const KEY_MAX_CHARS: usize = 200;

/// The sender of a request.
#[derive(Debug, Clone)]
pub struct Caller {
    pub principal: Principal,
    pub lang: Lang,
    pub address: String,
    /// The token that proved it, to be ended at sign-out.
    pub token: Option<String>,
    path: String,
    key: Option<String>,
}

impl Caller {
    /// Demands a right that is not bound to a hall.
    ///
    /// # Errors
    /// `not_signed_in` or `forbidden`; the refusal is audited.
    pub fn require(&self, app: &App, action: Action) -> Result<(), Problem> {
        if self.principal.may(action) {
            return Ok(());
        }
        Err(self.refuse(app, action, "-"))
    }

    /// Demands a right in a hall.
    ///
    /// # Errors
    /// `not_signed_in` or `forbidden`; the refusal is audited.
    pub fn require_in(&self, app: &App, action: Action, hall: &HallId) -> Result<(), Problem> {
        if self.principal.may_in(action, hall) {
            return Ok(());
        }
        Err(self.refuse(app, action, hall.as_str()))
    }

    pub fn refuse(&self, app: &App, action: Action, object: &str) -> Problem {
        if self.principal.is_visitor() {
            return Problem::unauthorized();
        }
        app.audit_refusal(&self.principal, &self.address, action.name(), object);
        Problem::forbidden().with("action", action.name())
    }

    /// The request's idempotency key, bound to the sender, path and body.
    ///
    /// # Errors
    /// `invalid_field` when the key is too long.
    pub fn key(&self, body: &Body) -> Result<Option<IdempotencyKey>, Problem> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        if key.is_empty() || key.chars().count() > KEY_MAX_CHARS {
            return Err(Problem::invalid("Idempotency-Key", "1 to 200 characters"));
        }
        Ok(Some(self.keyed(key, body)))
    }

    /// A key of this sender, bound to path and body.
    pub fn keyed(&self, key: &str, body: &Body) -> IdempotencyKey {
        let mut fingerprint = Sha256::new();
        fingerprint.update(self.path.as_bytes());
        fingerprint.update([0]);
        fingerprint.update(&body.0);
        IdempotencyKey {
            key: format!("{}:{key}", self.keeper()),
            fingerprint: hex(&fingerprint.finalize()),
        }
    }

    /// Whose keys these are. Visitors have no name; two of them at one address share theirs, which
    /// a key of any length makes harmless.
    fn keeper(&self) -> String {
        if self.principal.is_visitor() {
            format!("{}@{}", self.principal.name, self.address)
        } else {
            self.principal.name.clone()
        }
    }

    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let app = request
            .app_data::<web::Data<App>>()
            .ok_or_else(Problem::unavailable)?;
        let (principal, proof) = recognise(request, app)?;
        Ok(Self {
            principal,
            lang: lang_of(request),
            address: address_of(request),
            token: proof.map(|proof| proof.token().to_owned()),
            path: format!("{} {}", request.method(), request.path()),
            key: request
                .headers()
                .get("idempotency-key")
                .map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned()),
        })
    }
}

/// The peer's address, without its port.
pub fn address_of(request: &HttpRequest) -> String {
    request
        .peer_addr()
        .map_or_else(String::new, |peer| peer.ip().to_string())
}

fn recognise(request: &HttpRequest, app: &App) -> Result<(Principal, Option<Proof>), Problem> {
    for proof in proofs(request) {
        match app.auth.recognise(proof.token(), app.now()) {
            Some(principal) => {
                if proof.is_cookie() {
                    check_origin_of_change(request)?;
                }
                return Ok((principal, Some(proof)));
            }
            None if !proof.is_cookie() => return Err(Problem::unauthorized()),
            // A cookie outlives its session; whoever has one is a visitor again.
            None => {}
        }
    }
    Ok((Principal::visitor(), None))
}

/// A browser sends cookies with another page's form too, but not this header.
fn check_origin_of_change(request: &HttpRequest) -> Result<(), Problem> {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if reads || request.headers().contains_key("x-hallkeeper") {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "foreign_request",
        "请从本系统页面操作",
        "a change proved by a cookie needs the header X-Hallkeeper",
    ))
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}
