//! All routes of the console, in front of those of the HTTP server.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::StatusCode,
    middleware,
    response::Response,
    routing::{get, post},
};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::{
    api,
    bulk::Action,
    change, gate, login, message, messages, overview, playground, prefix, recall,
    settings::ConsoleHandle,
    setup,
    state::{ConsoleParts, ConsoleState},
};
use crate::{outbox::Outbox, pages};

/// The largest form.
const MAX_FORM_BYTES: usize = 64 << 10;

/// The largest form of a reader without a session.
const MAX_LOGIN_BYTES: usize = 4 << 10;

/// The largest draft with its payload.
const MAX_DRAFT_BYTES: usize = 1 << 20;

#[derive(Clone)]
struct Entry {
    settings: ConsoleHandle,
    console: Router,
    rest: Router,
}

/// The console, and `rest` for all other paths.
pub fn router<O: Outbox>(parts: ConsoleParts<O>, rest: Router) -> Router {
    let settings = parts.settings.clone();
    let console = match ConsoleState::new(parts) {
        Ok(state) => routes(Arc::new(state), rest.clone()),
        Err(error) => {
            tracing::error!(%error, "the console is off, because one of its templates is wrong; please report it");
            rest.clone()
        }
    };
    Router::new().fallback(enter).with_state(Entry { settings, console, rest })
}

/// Answers with the headers of pages, because a browser may show any answer.
async fn enter(State(entry): State<Entry>, request: Request) -> Response {
    pages::protected(route(entry, request).await)
}

/// Removes the prefix that a proxy kept, and chooses the router.
async fn route(entry: Entry, mut request: Request) -> Response {
    let settings = entry.settings.current();
    // A webhook is one by the path that was sent, and no prefix may hide it.
    if !is_webhook(&request)
        && let Some(url) = &settings.config.external_url
        && let Some(redirect) = prefix::remove(&mut request, &url.prefix)
    {
        return redirect;
    }
    // A webhook should not wait for the choice among the routes of the console.
    let router = if settings.config.enabled && !is_webhook(&request) { entry.console } else { entry.rest };
    let Ok(response) = TowerToHyperService::new(router).call(request).await;
    response
}

fn is_webhook(request: &Request) -> bool {
    request.uri().path().split('/').nth(1) == Some("webhook")
}

fn routes<O: Outbox>(state: Arc<ConsoleState<O>>, rest: Router) -> Router {
    let with = || Arc::clone(&state);
    let pages = Router::new()
        // A webhook that is sent to the root is counted and logged as one.
        .route("/", get(overview::page::<O>).fallback_service(rest.clone()))
        .route("/messages", get(messages::page::<O>))
        .route("/templates", get(playground::show::<O>))
        .route("/messages/confirm", get(change::confirm_all::<O>))
        .route("/messages/{id}", get(message::page::<O>))
        .route("/messages/{id}/confirm", get(change::confirm_one::<O>))
        .route("/messages/{id}/recall/confirm", get(recall::confirm::<O>))
        .route("/setup", get(setup::page::<O>));
    let changes = Router::new()
        .route("/messages/requeue", post(change::change_all::<O>).layer(Extension(Action::Requeue)))
        .route("/messages/discard", post(change::change_all::<O>).layer(Extension(Action::Discard)))
        .route("/messages/{id}/requeue", post(change::change_one::<O>).layer(Extension(Action::Requeue)))
        .route("/messages/{id}/discard", post(change::change_one::<O>).layer(Extension(Action::Discard)))
        .route("/messages/{id}/recall", post(recall::recall::<O>))
        .route("/senders/{name}/probe", post(change::probe::<O>))
        .route("/setup/test", post(setup::send_test::<O>))
        .route("/setup/doctor", post(setup::doctor_form::<O>))
        .route("/setup/reload", post(setup::reload_form::<O>))
        .route_layer(middleware::from_fn_with_state(with(), gate::change::<O>));
    // The limit is outside of the check, which reads the form.
    let drafts = Router::new()
        .route("/templates", post(playground::preview::<O>))
        .route("/templates/confirm", post(playground::confirm::<O>))
        .route("/templates/send", post(playground::send::<O>))
        .route_layer(middleware::from_fn_with_state(with(), gate::change::<O>))
        .route_layer(DefaultBodyLimit::max(MAX_DRAFT_BYTES));
    // The same path has a page that asks, and a form that sends.
    let confirmation = Router::new().route("/setup/test", get(setup::confirm_test::<O>));
    let pages = pages
        .merge(changes)
        .merge(drafts)
        .merge(confirmation)
        .route_layer(middleware::from_fn_with_state(with(), gate::page::<O>));
    let outside = Router::new()
        .route("/login", get(login::form::<O>).post(login::login::<O>))
        .route("/logout", post(login::logout::<O>))
        .route("/lang", post(login::language))
        .route("/theme", post(login::theme))
        .route_layer(middleware::from_fn_with_state(with(), gate::outside::<O>))
        .route_layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES));
    let api = Router::new()
        .route("/api/v1/overview", get(api::overview::<O>))
        .route("/api/v1/messages", get(api::messages::<O>))
        .route("/api/v1/messages/{id}", get(api::message::<O>))
        .route("/api/v1/messages/requeue", post(api::change_all::<O>).layer(Extension(Action::Requeue)))
        .route("/api/v1/messages/discard", post(api::change_all::<O>).layer(Extension(Action::Discard)))
        .route("/api/v1/messages/{id}/requeue", post(api::change_one::<O>).layer(Extension(Action::Requeue)))
        .route("/api/v1/messages/{id}/discard", post(api::change_one::<O>).layer(Extension(Action::Discard)))
        .route("/api/v1/messages/{id}/recall", post(recall::recall_by_api::<O>))
        .route("/api/v1/render", post(playground::render::<O>).layer(DefaultBodyLimit::max(MAX_DRAFT_BYTES)))
        .route("/api/v1/senders/{name}/probe", post(api::probe::<O>))
        .route("/api/v1/receivers", get(setup::receivers::<O>))
        .route("/api/v1/receivers/{name}/test", post(setup::test::<O>))
        .route("/api/v1/doctor", get(setup::doctor::<O>).post(setup::run_doctor::<O>))
        .route("/api/v1/reload", post(setup::reload::<O>))
        .route("/api/v1/errcodes/{number}", get(setup::errcode))
        .route_layer(middleware::from_fn_with_state(with(), gate::api::<O>));
    pages
        .merge(outside)
        .merge(api)
        .route("/assets/{version}/{name}", get(login::asset::<O>))
        // Browsers ask for it beside JSON. It must not count as unauthorized, and a missing file would be an error of the page.
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .with_state(state)
        .fallback_service(rest)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_webhook_has_webhook_as_its_first_segment() {
        let is_webhook = |path: &str| is_webhook(&Request::post(path).body(Body::empty()).unwrap());
        assert!(["/webhook", "/webhook/", "/webhook/a/b", "/webhook?x=1"].into_iter().all(is_webhook));
        assert!(!["/", "/webhooks", "/wecom/webhook", "/webhook-console/"].into_iter().any(is_webhook));
    }
}
