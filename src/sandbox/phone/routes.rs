//! The routes of the page, and the checks of requests that change something.

use std::sync::LazyLock;

use axum::{
    Router,
    extract::{Form, Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{
    extras::DemoPress,
    faults::FaultButton,
    gather::{self, Asked},
    words::Words,
};
use crate::{
    pages::{
        Asset, Assets, Foreign, Frame, LANGUAGE_COOKIE, Mark, Moments, OwnOrigin, Pages, THEME_COOKIE,
        Visitor, names_foreign_host, protected, redirect,
    },
    sandbox::{callback::PressFault, control, instance::Sandbox},
    wecom::look,
};

const SITE: &str = "wecom-relay sandbox";
const OLD_FORM: &str = "This form is from an earlier run of the sandbox. Load the page again.";

static PAGES: LazyLock<Result<Pages, tera::Error>> = LazyLock::new(|| {
    let assets = [
        Asset { name: "look.css", text: look::STYLES },
        Asset { name: "phone.css", text: include_str!("phone.css") },
    ];
    Pages::new(&[("phone.html", include_str!("phone.html"))], Assets::new(&assets))
});

pub(in crate::sandbox) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/", get(help_or_page))
        .route("/press", post(press))
        .route("/card", post(press_card))
        .route("/lang", post(choose))
        .route("/theme", post(choose))
        .route("/help", get(control::explain))
        .route("/assets/{version}/{name}", get(asset))
        // Browsers ask for it beside plain text.
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
        .layer(map_response(async |response| protected(response)))
}

#[derive(Deserialize)]
struct Phone {
    member: Option<String>,
    group: Option<String>,
}

/// `GET /`: the page for a browser, and the help for other programs.
async fn help_or_page(
    State(sandbox): State<Sandbox>,
    query: Query<Phone>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let is_browser = headers.get_all(header::ACCEPT).iter().any(|accept| {
        let accept = accept.to_str().unwrap_or_default();
        accept.contains("text/html")
    });
    if !is_browser {
        return control::explain(headers).await.into_response();
    }
    let Query(Phone { member, group }) = query;
    page(&sandbox, &Asked { member, group }, &uri, &headers)
}

fn page(sandbox: &Sandbox, asked: &Asked, uri: &Uri, headers: &HeaderMap) -> Response {
    if let Some(refusal) = foreign_host(uri, headers) {
        return refusal;
    }
    let pages = match &*PAGES {
        Ok(pages) => pages,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    };
    let visitor = Visitor::of(headers, uri.path(), uri.query());
    let now = sandbox.now();
    let moments = Moments { now, zone: TimeZone::system(), language: visitor.language };
    let words = Words::of(visitor.language);
    let (view, token) = {
        let mut state = sandbox.state();
        (gather::view(&mut state, asked, &moments, words), state.form_token.clone())
    };
    let frame = Frame {
        site: SITE,
        title: if view.owner.is_empty() { words.title.to_owned() } else { view.owner.clone() },
        count: view.in_force.len(),
        mark: if view.in_force.is_empty() { Mark::Ok } else { Mark::Warn },
        nav: Vec::new(),
        role: None,
        token,
        now,
    };
    pages.html("phone.html", &visitor, &frame, words, &view)
}

async fn asset(Path(path): Path<AssetPath>) -> Response {
    match &*PAGES {
        Ok(pages) => pages.assets.answer(&path.version, &path.name),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

#[derive(Deserialize)]
struct AssetPath {
    version: String,
    name: String,
}

#[derive(Deserialize)]
struct PressForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    press: String,
    #[serde(default)]
    next: String,
}

/// A button of the page.
async fn press(
    State(sandbox): State<Sandbox>,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form<PressForm>,
) -> Response {
    if let Some(refusal) = foreign_host(&uri, &headers).or_else(|| foreign_page(&uri, &headers)) {
        return refusal;
    }
    if form.token != sandbox.state().form_token {
        return refused(OLD_FORM);
    }
    let fault = FaultButton::ALL.into_iter().find(|fault| fault.name() == form.press);
    if let Some(fault) = PressFault::ALL.into_iter().find(|fault| fault.name() == form.press) {
        sandbox.change(|state| state.presses.next_fault = Some(fault));
        return redirect("./", &form.next);
    }
    let send = DemoPress::ALL.into_iter().find(|send| send.name() == form.press);
    match (form.press.as_str(), fault, send) {
        ("end-faults", ..) => {
            sandbox.clear_faults();
            sandbox.change(|state| state.presses.next_fault = None);
        }
        ("clear", ..) => sandbox.clear_messages(),
        (_, Some(fault), _) => fault.press(&sandbox),
        (_, _, Some(send)) => sandbox.press_of_demo(send),
        (unknown, ..) => {
            return (StatusCode::BAD_REQUEST, format!("there is no button {unknown:?}\n")).into_response();
        }
    }
    redirect("./", &form.next)
}

#[derive(Deserialize)]
struct CardForm {
    #[serde(default)]
    token: String,
    member: String,
    task_id: String,
    key: String,
    #[serde(default)]
    next: String,
}

/// A button of a card.
async fn press_card(
    State(sandbox): State<Sandbox>,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form<CardForm>,
) -> Response {
    if let Some(refusal) = foreign_host(&uri, &headers).or_else(|| foreign_page(&uri, &headers)) {
        return refusal;
    }
    if form.token != sandbox.state().form_token {
        return refused(OLD_FORM);
    }
    let fault = sandbox.change(|state| state.presses.next_fault.take());
    match sandbox.press(&form.member, &form.task_id, &form.key, fault) {
        Ok(_) => redirect("./", &form.next),
        Err(error) => (StatusCode::CONFLICT, format!("{error}\n")).into_response(),
    }
}

#[derive(Deserialize)]
struct ChoiceForm {
    lang: Option<String>,
    theme: Option<String>,
    #[serde(default)]
    next: String,
}

/// Keeps the language or the theme of a reader in a cookie.
async fn choose(uri: Uri, headers: HeaderMap, Form(form): Form<ChoiceForm>) -> Response {
    if let Some(refusal) = foreign_host(&uri, &headers).or_else(|| foreign_page(&uri, &headers)) {
        return refusal;
    }
    let mut response = redirect("./", &form.next);
    let chosen = [(LANGUAGE_COOKIE, form.lang), (THEME_COOKIE, form.theme)];
    for (name, value) in chosen.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        let is_word = value.chars().all(|c| c.is_ascii_lowercase());
        let cookie = format!("{name}={value}; Max-Age=31536000; SameSite=Lax; HttpOnly");
        if let Some(cookie) = HeaderValue::try_from(cookie).ok().filter(|_| is_word) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// Answers a request for a host whose name anybody can let resolve to this machine.
fn foreign_host(uri: &Uri, headers: &HeaderMap) -> Option<Response> {
    names_foreign_host(uri, headers).then(|| {
        let host = headers.get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
        let host = host.unwrap_or_default();
        refused(&format!(
            "The page is not shown under the name {host:?}, because a foreign site may have it. Use localhost or the address."
        ))
    })
}

/// Answers a form that a page of another site sent.
fn foreign_page(uri: &Uri, headers: &HeaderMap) -> Option<Response> {
    let foreign = OwnOrigin::OfHost.check(uri, headers).err()?;
    Some(refused(&match foreign {
        Foreign::Site { site } => {
            format!(
                "The browser sent this form for another site (Sec-Fetch-Site: {site:?}). Use the page of the sandbox."
            )
        }
        Foreign::Origin { origin, expected } => format!(
            "The form comes from the origin {origin:?}, and this is {expected:?}. Use the page of the sandbox."
        ),
    }))
}

fn refused(text: &str) -> Response {
    (StatusCode::FORBIDDEN, format!("{text}\n")).into_response()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_compiles() {
        assert!(super::PAGES.is_ok());
    }
}
