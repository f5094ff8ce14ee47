//! Parses and answers.

use axum::{Router, body::Bytes, routing::post};

use super::parsed::Parsed;

pub(super) fn router() -> Router {
    Router::new().route("/webhook/{receiver}", post(take))
}

async fn take(body: Bytes) -> String {
    let parsed = Parsed::of(&body);
    format!("{} alerts of {} for {}\n", parsed.alerts.len(), parsed.group_key, parsed.receiver)
}
