//! Refusals over HTTP: RFC 9457 problems with a stable code, a sentence for a person in the asked
//! language, and the fields that explain it.

use std::fmt;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};
use actors::hall::SubmitError;
use rules::Refusal;
use rules::machine::{RefusalKind, Refuse};
use rules::name::{Lang, Name};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::store::records::StoreError;

/// A refusal as it leaves the server.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Name,
    fields: Map<String, Value>,
}

/// The form of a problem, for the interface description.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "describes the JSON that `Problem::body` builds")]
pub struct ProblemBody {
    /// Always `about:blank`; the code tells what it is.
    r#type: String,
    title: String,
    status: u16,
    /// Stable; programs go by it.
    code: String,
    /// A sentence for a person, in the asked language.
    detail: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, zh: &str, en: &str) -> Self {
        Self {
            status,
            code,
            detail: Name::new(zh, en),
            fields: Map::new(),
        }
    }

    #[must_use]
    pub fn with(mut self, field: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.fields.insert(field.to_owned(), value);
        self
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    pub fn unknown(code: &'static str, zh: &str, en: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, zh, en)
    }

    pub fn unknown_hall(hall: &str) -> Self {
        Self::unknown("unknown_hall", "没有这个大厅", "there is no such hall").with("hall", hall)
    }

    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not_signed_in",
            "请先登录",
            "please sign in",
        )
    }

    pub fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "您没有这项权限",
            "your account may not do this",
        )
    }

    /// A field and why it is refused, in English; [`rules::reason`] has the sentence in both languages.
    pub fn invalid(field: &str, reason: &str) -> Self {
        Refusal::invalid(field, reason).into()
    }

    /// The same in other words.
    #[must_use]
    pub fn saying(mut self, zh: &str, en: &str) -> Self {
        self.detail = Name::new(zh, en);
        self
    }

    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "系统暂时无法保存，请稍后重试",
            "the system cannot save just now; please try again",
        )
    }

    /// The problem as JSON in one language.
    pub fn body(&self, lang: Lang) -> Value {
        let mut body = self.fields.clone();
        body.insert("type".into(), json!("about:blank"));
        body.insert(
            "title".into(),
            json!(self.status.canonical_reason().unwrap_or_default()),
        );
        body.insert("status".into(), json!(self.status.as_u16()));
        body.insert("code".into(), json!(self.code));
        body.insert("detail".into(), json!(self.detail.get(lang)));
        Value::Object(body)
    }

    /// The problem as the answer to a request that does not pass [`finish`].
    pub fn told(&self, request: &HttpRequest) -> HttpResponse {
        let mut response = self.response(lang_of(request));
        be_careful(response.headers_mut());
        response
    }

    fn response(&self, lang: Lang) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, "1"));
        }
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        response.body(self.body(lang).to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail.en)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.response(Lang::default())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::InvalidField { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::UnknownService { .. }
            | Refusal::UnknownWindow { .. }
            | Refusal::UnknownTicket { .. }
            | Refusal::UnknownMenu { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::CONFLICT,
        };
        let fields = match serde_json::to_value(&refusal) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Self {
            status,
            code: refusal.code(),
            detail: Name::new(refusal.sentence(Lang::Zh), refusal.sentence(Lang::En)),
            fields,
        }
    }
}

impl Problem {
    /// A machine's refusal: its code, its sentence, and its own fields.
    pub fn refused(refusal: &impl Refuse) -> Self {
        let fields = match serde_json::to_value(refusal) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Self {
            status: match refusal.kind() {
                RefusalKind::Unknown => StatusCode::NOT_FOUND,
                RefusalKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
                RefusalKind::Conflict => StatusCode::CONFLICT,
                RefusalKind::Stale => StatusCode::PRECONDITION_FAILED,
            },
            code: refusal.code(),
            detail: Name::new(refusal.sentence(Lang::Zh), refusal.sentence(Lang::En)),
            fields,
        }
    }
}

impl<R: Refuse> From<actors::desk::SubmitError<R>> for Problem {
    fn from(error: actors::desk::SubmitError<R>) -> Self {
        use actors::desk::SubmitError as Desk;
        match error {
            Desk::Refused(refusal) => Self::refused(&refusal),
            Desk::KeyReused => SubmitError::KeyReused.into(),
            Desk::Overloaded => SubmitError::Overloaded.into(),
            Desk::Unavailable(cause) => SubmitError::Unavailable(cause).into(),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refusal) => refusal.into(),
            SubmitError::KeyReused => key_reused(),
            SubmitError::Overloaded => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "系统繁忙，请稍后重试",
                "too busy; please try again",
            ),
            SubmitError::Unavailable(cause) => {
                tracing::warn!(%cause, "command not carried out");
                Self::unavailable()
            }
        }
    }
}

/// An idempotency key that belongs to another request.
pub fn key_reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "该幂等键已用于另一个请求",
        "this idempotency key belongs to another request",
    )
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::Taken { what } = &error {
            return Self::new(
                StatusCode::CONFLICT,
                "taken",
                "名称已被使用",
                "the name is taken",
            )
            .with("field", what);
        }
        if matches!(error, StoreError::BadCursor) {
            return Self::invalid("cursor", "does not belong to this list");
        }
        tracing::error!(cause = %error, "store failed");
        Self::unavailable()
    }
}

/// The language a request asks for: `?lang=`, then `Accept-Language`, then Chinese.
pub fn lang_of(request: &HttpRequest) -> Lang {
    let query = request
        .query_string()
        .split('&')
        .find_map(|pair| pair.strip_prefix("lang="));
    let header = || {
        request
            .headers()
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
    };
    query
        .and_then(Lang::from_tag)
        .or_else(|| Lang::from_tag(header()?))
        .unwrap_or_default()
}

/// Gives every problem its language, and every answer the headers of a careful server.
pub async fn finish(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = next.call(request).await?.map_into_boxed_body();
    let problem = response
        .response()
        .error()
        .and_then(|error| error.as_error::<Problem>())
        .cloned();
    if let Some(problem) = problem {
        let lang = lang_of(response.request());
        response = response.into_response(problem.response(lang));
    }
    be_careful(response.headers_mut());
    Ok(response)
}

/// The headers of a careful server.
pub fn be_careful(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
