//! All routes of the relay and of the sandbox's page, as their routers name them.

use reqwest::Method;

use super::{Browser, Page};

/// The methods that a test tries on each route.
pub(super) const METHODS: [Method; 4] = [Method::GET, Method::POST, Method::PUT, Method::DELETE];

/// Requests that a session may send at once.
pub(super) const SESSION_REQUESTS: usize = 40;

/// Examples for the parameters of paths.
const EXAMPLES: [(&str, &str); 6] = [
    ("{id}", "1"),
    ("receivers/{name}", "receivers/wechat"),
    ("senders/{name}", "senders/ops"),
    ("{version}/{name}", "1/pages.css"),
    ("{number}", "60020"),
    ("{*receiver}", "wechat"),
];

/// The paths of the relay, and some that it does not have.
fn of_relay() -> Vec<String> {
    let mut paths = of_source(include_str!("../../../src/console/router.rs"));
    paths.extend(of_source(include_str!("../../../src/http/router.rs")));
    assert!(paths.len() > 40, "{paths:?}");
    paths.extend(["/gone", "/messages/gone", "/assets/1/gone"].map(str::to_owned));
    paths
}

/// Tries each route with each method, as the reader with this password.
pub(super) async fn visit_all(
    browser: &mut Browser,
    password: Option<&str>,
    mut look: impl FnMut(&Method, &str, &Page),
) {
    // The console limits the requests of a session.
    for paths in of_relay().chunks(SESSION_REQUESTS / METHODS.len()) {
        if let Some(password) = password {
            browser.log_in(password).await;
        }
        // A reader who has logged out sees little.
        for path in paths.iter().filter(|path| *path != "/logout" || password.is_none()) {
            for method in METHODS {
                let page = browser.send(method.clone(), path, &[], &[]).await;
                look(&method, path, &page);
            }
        }
    }
}

/// The paths of the sandbox that a browser uses.
pub(super) fn of_phone() -> Vec<String> {
    let mut paths = of_source(include_str!("../../../src/sandbox/phone/routes.rs"));
    let control = [
        include_str!("../../../src/sandbox/control.rs"),
        include_str!("../../../src/sandbox/control_callbacks.rs"),
    ];
    paths.extend(control.into_iter().flat_map(of_source).map(|path| format!("/sandbox{path}")));
    assert!(paths.len() > 12, "{paths:?}");
    paths
}

fn of_source(source: &str) -> Vec<String> {
    let paths = source.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let filled =
        |path: &str| EXAMPLES.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value));
    paths.map(filled).collect()
}
