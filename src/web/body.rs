//! Reading request bodies: bounded, and refused with a problem that says where.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;

use crate::web::error::Problem;

/// A body, read whole.
pub struct Body(pub web::Bytes);

impl Body {
    /// Whether it is a JSON array.
    pub fn is_list(&self) -> bool {
        self.0.trim_ascii_start().first() == Some(&b'[')
    }

    /// Parses the JSON; an empty body is `{}`.
    ///
    /// # Errors
    /// `malformed_json` with line and column, or `invalid_field` naming what does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let bytes = if self.0.is_empty() {
            &b"{}"[..]
        } else {
            &self.0[..]
        };
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            malformed(error.inner(), &path)
        })?;
        json.end().map_err(|error| malformed(&error, "."))?;
        Ok(parsed)
    }
}

/// Why JSON cannot be read, and where.
pub fn malformed(error: &serde_json::Error, path: &str) -> Problem {
    let problem = if error.is_data() {
        Problem::invalid(if path == "." { "body" } else { path }, &error.to_string())
    } else {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "malformed_json",
            "请求内容不是正确的 JSON",
            "the body is not well-formed JSON",
        )
        .with("reason", error.to_string())
    };
    problem
        .with("line", error.line())
        .with("column", error.column())
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            bytes
                .await
                .map(Self)
                .map_err(|error| too_large_or_cut(&error))
        })
    }
}

fn too_large_or_cut(error: &actix_web::Error) -> Problem {
    if matches!(
        error.as_error::<PayloadError>(),
        Some(PayloadError::Overflow)
    ) {
        return body_too_large();
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "body_incomplete",
        "请求内容不完整",
        "the body could not be read",
    )
}

pub fn body_too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        "请求内容过大",
        "the body is too large",
    )
}
