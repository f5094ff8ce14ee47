//! The answers of the control API.

use std::fmt::Display;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// An error of the control API. The text says what is wrong and what would be right.
pub(super) struct ControlError {
    status: StatusCode,
    text: String,
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let error: Value = json!({ "error": self.text });
        (self.status, [(header::CONTENT_TYPE, "application/json")], error.to_string()).into_response()
    }
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ControlError> {
    serde_json::from_slice(body).map_err(|error| bad_request(format!("the body is not valid: {error}")))
}

pub(super) fn json_response(value: &impl Serialize) -> Response {
    let json = serde_json::to_string(value).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

pub(super) fn bad_request(text: impl Display) -> ControlError {
    control_error(StatusCode::BAD_REQUEST, text.to_string())
}

pub(super) fn control_error(status: StatusCode, text: String) -> ControlError {
    ControlError { status, text }
}
