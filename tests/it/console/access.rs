//! Who may see the console: login, sessions, viewers, and the rule of openness.

use reqwest::{Method, header};
use tokio::task::JoinSet;

use super::{Browser, PASSWORD, VIEWER, WITH_PASSWORDS, options};
use crate::support::{Options, Relay, Wecom, payload, soon};

const PAGES: [&str; 4] = ["/", "/messages", "/messages/1", "/messages/confirm?do=requeue&state=dead"];

#[tokio::test]
async fn a_reader_without_a_session_is_led_to_the_login() {
    let relay = Relay::with("http://127.0.0.1:9", options(WITH_PASSWORDS)).await;
    let mut browser = Browser::new(&relay);
    for path in PAGES {
        let page = browser.get(path).await;
        assert!(page.location().ends_with(&format!("login?next={}", next(path))), "{}", page.location());
        assert_eq!(browser.follow(&page).await.status, 200);
    }
    let (_, metrics) = relay.request(Method::GET, "/metrics", "").await;
    assert!(metrics.contains("\nwecom_relay_unauthorized_requests_total 0\n"), "{metrics}");
    relay.stop().await;
}

fn next(path: &str) -> String {
    wecom_relay::text::percent_encode(path.trim_start_matches('/'))
}

#[tokio::test]
async fn the_right_password_opens_the_page_that_was_asked_for() {
    let relay = Relay::with("http://127.0.0.1:9", options(WITH_PASSWORDS)).await;
    let mut browser = Browser::new(&relay);
    let login = browser.get("/login?next=messages%3Fstate%3Ddead").await;
    let mut fields = login.form("login").unwrap().fields;
    fields.push(("password".to_owned(), "wrong-password".to_owned()));
    let wrong = browser.send(Method::POST, "/login", &fields, &[]).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text.contains("This password is wrong") && browser.cookies().is_empty());
    fields.pop();
    fields.push(("password".to_owned(), PASSWORD.to_owned()));
    let right = browser.send(Method::POST, "/login", &fields, &[]).await;
    assert_eq!(right.location(), "./messages?state=dead");
    let cookie = right.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("wecom_relay_") && cookie.ends_with("; HttpOnly; SameSite=Lax"), "{cookie}");
    assert_eq!(browser.follow(&right).await.status, 200);
    let (_, metrics) = relay.request(Method::GET, "/metrics", "").await;
    assert!(metrics.contains("\nwecom_relay_unauthorized_requests_total 1\n"), "{metrics}");
    relay.stop().await;
}

#[tokio::test]
async fn spaces_around_a_pasted_password_do_not_matter() {
    let relay = Relay::with("http://127.0.0.1:9", options(WITH_PASSWORDS)).await;
    for (password, status) in [(format!(" {PASSWORD}\n"), 303), (PASSWORD.replacen('-', " ", 1), 401)] {
        assert_eq!(Browser::new(&relay).log_in(&password).await.status, status, "{password}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_login_has_a_small_form() {
    let relay = Relay::with("http://127.0.0.1:9", options(WITH_PASSWORDS)).await;
    let password = ("password".to_owned(), PASSWORD.to_owned());
    let many = (0..20).map(|number| (format!("a{number}"), "x".to_owned())).collect();
    for more in [vec![("next".to_owned(), "m".repeat(5 << 10))], many] {
        let mut browser = Browser::new(&relay);
        let fields = [vec![password.clone()], more].concat();
        assert_eq!(browser.send(Method::POST, "/login", &fields, &[]).await.status, 400);
        assert!(browser.cookies().is_empty());
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_login_leads_to_no_other_site() {
    let relay = Relay::with("http://127.0.0.1:9", options(WITH_PASSWORDS)).await;
    for next in ["//evil.example", "https://evil.example", "/messages", "javascript:alert(1)", "..//x"] {
        let mut browser = Browser::new(&relay);
        let fields = [("next".to_owned(), next.to_owned()), ("password".to_owned(), PASSWORD.to_owned())];
        assert_eq!(browser.send(Method::POST, "/login", &fields, &[]).await.location(), "./", "{next}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn wrong_passwords_wait_and_the_right_one_gets_in() {
    let relay = Relay::with("http://127.0.0.1:9", options(WITH_PASSWORDS)).await;
    for _ in 0..60 {
        assert_eq!(Browser::new(&relay).log_in("wrong-password").await.status, 401);
    }
    // From now on, attempts have turns of a second.
    let mut guesses = JoinSet::new();
    for _ in 0..30 {
        let mut browser = Browser::new(&relay);
        guesses.spawn(async move { browser.log_in("wrong-password").await.status });
    }
    assert_eq!(soon(guesses.join_next()).await.unwrap().unwrap(), 401);
    // Pages do not wait, and most guesses still do.
    assert_eq!(Browser::new(&relay).get("/login").await.status, 200);
    assert!(guesses.len() > 20, "{}", guesses.len());
    guesses.shutdown().await;
    assert_eq!(soon(Browser::new(&relay).log_in(PASSWORD)).await.status, 303);
    relay.stop().await;
}

#[tokio::test]
async fn a_log_out_ends_the_session_of_the_browser() {
    let relay = Relay::with("http://127.0.0.1:9", options(WITH_PASSWORDS)).await;
    let mut browser = Browser::new(&relay);
    browser.log_in(PASSWORD).await;
    assert_eq!(browser.get("/").await.status, 200);
    assert_eq!(browser.send(Method::POST, "/logout", &[], &[]).await.location(), "./login");
    assert_eq!(browser.get("/").await.status, 303);
    relay.stop().await;
}

#[tokio::test]
async fn a_viewer_reads_everything_and_changes_nothing() {
    let wecom = Wecom::start().await;
    let relay = super::with_dead_letters(&wecom, WITH_PASSWORDS, &["Down"]).await;
    let mut browser = Browser::new(&relay);
    browser.log_in(VIEWER).await;
    for path in ["/", "/messages", "/messages/1"] {
        assert_eq!(browser.get(path).await.status, 200, "{path}");
    }
    let token = ("token".to_owned(), browser.get("/").await.form("logout").unwrap().fields[0].1.clone());
    for path in ["/messages/1/requeue", "/messages/1/discard", "/messages/requeue", "/senders/ops/probe"] {
        let page = browser.send(Method::POST, path, std::slice::from_ref(&token), &[]).await;
        assert_eq!(page.status, 403, "{path}");
        assert!(page.text.contains("server.console.password"), "{}", page.text);
    }
    assert_eq!(relay.listed(&[wecom_relay::outbox::State::Dead]).await.len(), 1);
    relay.stop().await;
}

#[tokio::test]
async fn a_session_survives_a_restart_but_no_new_password() {
    let relay = Relay::with("http://127.0.0.1:9", options(WITH_PASSWORDS)).await;
    let mut browser = Browser::new(&relay);
    browser.log_in(PASSWORD).await;
    let cookies = browser.cookies().clone();
    let folder = relay.stop().await;
    for (server, status) in [(WITH_PASSWORDS, 200), (", console: { password: quite-another-password }", 303)]
    {
        let again = Options { folder: Some(folder.clone()), ..options(server) };
        let relay = Relay::with("http://127.0.0.1:9", again).await;
        let cookie: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let page = Browser::new(&relay).send(Method::GET, "/", &[], &[("cookie", &cookie.join("; "))]).await;
        assert_eq!(page.status, status, "{server}");
        relay.stop().await;
    }
}

#[tokio::test]
async fn the_credentials_of_the_server_open_the_console() {
    let server = ", auth: { bearer_token: not-a-real-token }";
    let relay = Relay::with("http://127.0.0.1:9", options(server)).await;
    let mut browser = Browser::new(&relay);
    assert_eq!(browser.get("/").await.status, 303);
    assert_eq!(browser.log_in("not-a-real-token").await.status, 303);
    assert_eq!(browser.get("/").await.status, 200);
    relay.stop().await;
    // A password of its own replaces them.
    let server = ", auth: { bearer_token: not-a-real-token }, console: { password: a-long-unreal-password }";
    let relay = Relay::with("http://127.0.0.1:9", options(server)).await;
    assert_eq!(Browser::new(&relay).log_in("not-a-real-token").await.status, 401);
    relay.stop().await;
}

#[tokio::test]
async fn without_passwords_this_machine_may_read_and_no_proxy() {
    let relay = Relay::with("http://127.0.0.1:9", options("")).await;
    let mut browser = Browser::new(&relay);
    assert_eq!(browser.get("/").await.status, 200);
    for (name, value, text) in [
        ("host", "evil.example", "evil.example"),
        ("x-forwarded-for", "192.0.2.7", "x-forwarded-for"),
        ("via", "1.1 proxy", "via"),
    ] {
        let page = browser.send(Method::GET, "/", &[], &[(name, value)]).await;
        assert_eq!(page.status, 403, "{name}");
        assert!(page.text.contains(text) && page.text.contains("password_file"), "{}", page.text);
    }
    relay.stop().await;
}

#[tokio::test]
async fn without_passwords_the_http_of_a_proxy_is_refused() {
    for (server, login, api) in [("", 403, 403), (WITH_PASSWORDS, 200, 401)] {
        let relay = Relay::with("http://127.0.0.1:9", options(server)).await;
        for (path, status) in [("/login", login), ("/api/v1/overview", api)] {
            let request = relay.client.get(format!("{}{path}", relay.url));
            let answer = request.version(reqwest::Version::HTTP_10).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{server} {path}");
            let text = answer.text().await.unwrap();
            let is_clear = text.contains("HTTP/1.0") && text.contains("server.console.password_file");
            assert_eq!(is_clear, status == 403, "{text}");
        }
        relay.stop().await;
    }
}

#[tokio::test]
async fn a_console_in_a_network_is_closed_without_a_password() {
    let relay = Relay::with("http://127.0.0.1:9", Options { listen: "0.0.0.0:0", ..options("") }).await;
    let mut browser = Browser::new(&relay);
    for path in PAGES.into_iter().chain(["/login"]) {
        let page = browser.get(path).await;
        assert_eq!(page.status, 403, "{path}");
        assert!(page.text.contains("password_file: /etc/wecom-relay/console-password"), "{}", page.text);
    }
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_disabled_console_has_no_pages() {
    let relay = Relay::with("http://127.0.0.1:9", options(", console: { enabled: false }")).await;
    let mut browser = Browser::new(&relay);
    for path in ["/", "/messages", "/login", "/api/v1/overview"] {
        let page = browser.get(path).await;
        assert_eq!((page.status, page.text.contains("not found")), (404, true), "{path}");
    }
    relay.stop().await;
}
