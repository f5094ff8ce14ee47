//! The routes of the callback.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    response::Response,
    routing::{self, MethodRouter},
};

use super::{answer, handler, state::CallbackState};
use crate::{http::answer::plain_text, outbox::Outbox};

/// `/callback/{app}`. All other paths below `/callback` are refused in the same way as an unknown app.
pub fn callback_router<O: Outbox>(state: Arc<CallbackState<O>>) -> Router {
    let wrong_method = async || answer::wrong_method();
    // Without a handler of its own, HEAD is answered by that of GET.
    let methods = routing::get(handler::verify::<O>)
        .head(wrong_method)
        .post(handler::accept::<O>)
        .fallback(wrong_method);
    paths(methods).with_state(state)
}

/// The paths of [`callback_router`] where another listener has it: they are unknown.
pub fn elsewhere() -> Router {
    paths(routing::any(async |_: Request| -> Response { plain_text(StatusCode::NOT_FOUND, "not found") }))
}

fn paths<S: Clone + Send + Sync + 'static>(methods: MethodRouter<S>) -> Router<S> {
    Router::new()
        .route("/callback", methods.clone())
        .route("/callback/", methods.clone())
        .route("/callback/{*app}", methods)
}
