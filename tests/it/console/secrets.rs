//! No page, answer or log line of a relay with a console has a secret.

use std::{collections::BTreeSet, fs};

use reqwest::{Method, Url};
use tempfile::TempDir;
use wecom_relay::sandbox::{Api, BUILTIN_YAML, Directory, Fault};

use super::{Browser, Page, routes};
use crate::support::{CORP, Process, Wecom, payload, process};

/// The secrets of the configuration, each in its own place.
const API_SECRET: &str = "Qm7xT2vLw9RkZp4sNd8yHb3cJf6gUa1e";
const REFUSED_SECRET: &str = "Ws8nE3bVy5MkXt6pGd9rLc2hQj7fZa4u";
const PROXY_PASSWORD: &str = "Hk4wN7cTz2XrPm9vBs5yLd8gQf3jUa6e";
const ROBOT_KEY: &str = "3f8e27d1-96b4-4ac5-8d72-e05c1b7a49f6";
const CALLBACK_TOKEN: &str = "Zr5kW8mXb2TqVn7c";
const CALLBACK_KEY: &str = "Yc6tR9wKp3ZxBn5vMs8dLg2hJq7fUa4eTk6wXr9bNcQ";
const BEARER_TOKEN: &str = "Vt3qL8zKn6XwRc9pBm4sYd7gHf2jUa5e";
const BASIC_PASSWORD: &str = "Dn9sK4tVx7ZqWm2rLb6cYp8gHj3fUa5e";
const OPERATOR_PASSWORD: &str = "Lb2vX9nQs6TkZr4wPm7cYd3gHf8jUa5e";
const VIEWER_PASSWORD: &str = "Xp6mT3kZw8QvNr5bLs9cYd2gHj7fUa4e";
const ALERTMANAGER_PASSWORD: &str = "Kz8rB5wTm2XnVq7sLp4cYd9gHf6jUa3e";

const SECRETS: [&str; 11] = [
    API_SECRET,
    REFUSED_SECRET,
    PROXY_PASSWORD,
    ROBOT_KEY,
    CALLBACK_TOKEN,
    CALLBACK_KEY,
    BEARER_TOKEN,
    BASIC_PASSWORD,
    OPERATOR_PASSWORD,
    VIEWER_PASSWORD,
    ALERTMANAGER_PASSWORD,
];

/// A configuration with every kind of secret that the relay knows.
fn config(wecom: &str, folder: &TempDir) -> String {
    format!(
        "server:
  listen: 127.0.0.1:0
  auth:
    bearer_token: {BEARER_TOKEN}
    basic_auth: {{ username: prometheus, password: {BASIC_PASSWORD} }}
  console: {{ password: {OPERATOR_PASSWORD}, viewer_password: {VIEWER_PASSWORD} }}
outbox: {{ path: {outbox} }}
apps:
  - name: ops
    corp_id: {CORP}
    agent_id: 1000030
    api_secret: {API_SECRET}
    api_url: {wecom}/cgi-bin/
    callback: {{ token: {CALLBACK_TOKEN}, encoding_aes_key: {CALLBACK_KEY} }}
  - name: refused
    corp_id: {CORP}
    agent_id: 1000002
    api_secret: {REFUSED_SECRET}
    api_url: {wecom}/cgi-bin/
  - name: unreachable
    corp_id: {CORP}
    agent_id: 1000003
    api_secret: {API_SECRET}
    api_url: {wecom}/cgi-bin/
    proxy_url: http://relay:{PROXY_PASSWORD}@127.0.0.1:9
robots:
  - {{ name: group, key: '{wecom}/cgi-bin/webhook/send?key={ROBOT_KEY}' }}
alertmanager: {{ url: 'http://127.0.0.1:9', basic_auth: {{ username: relay, password: {ALERTMANAGER_PASSWORD} }} }}
receivers:
  - {{ name: wechat, app: ops, to_user: zhangsan | lisi, message_type: template_card, actions: {{}}, also: [refused, unreachable, group] }}
  - {{ name: refused, app: refused, to_user: zhangsan }}
  - {{ name: unreachable, app: unreachable, to_user: zhangsan }}
  - {{ name: group, robot: group }}
",
        outbox = folder.path().join("outbox.db").display()
    )
}

/// All that a reader was shown.
#[derive(Default)]
struct Shown {
    bodies: String,
    headers: String,
    pages: BTreeSet<String>,
}

impl Shown {
    fn add(&mut self, page: &Page) {
        self.bodies += &page.text;
        self.headers += &format!("{:?}\n", page.headers);
    }

    /// Opens every page to which links lead, and sends each of their forms once.
    async fn crawl(&mut self, browser: &mut Browser) {
        let (mut left, mut forms) = (vec!["/".to_owned()], BTreeSet::new());
        while let Some(address) = left.pop() {
            if !self.pages.insert(address.clone()) {
                continue;
            }
            // The console limits the requests of a session.
            if self.pages.len().is_multiple_of(routes::SESSION_REQUESTS / 4) {
                browser.log_in(OPERATOR_PASSWORD).await;
            }
            let page = browser.get(&address).await;
            assert_ne!(page.status, 429, "{address}");
            self.add(&page);
            let targets = page.attributes("href").into_iter().chain(page.attributes("src"));
            let targets = targets
                .filter_map(|link| page.url.join(&link).ok())
                .filter(|target| is_own(&page.url, target));
            left.extend(targets.map(|mut target: Url| {
                target.set_fragment(None);
                target.to_string()
            }));
            for action in page.attributes("action") {
                if !action.ends_with("logout") && forms.insert(action.clone()) {
                    let form = page.form(&action).unwrap();
                    self.add(&browser.send(Method::POST, &form.path, &form.fields, &[]).await);
                }
            }
        }
    }
}

/// The first eight characters.
fn prefix(secret: &str) -> &str {
    secret.get(..8).unwrap()
}

fn is_own(page: &Url, target: &Url) -> bool {
    (page.host_str(), page.port()) == (target.host_str(), target.port())
}

#[tokio::test]
async fn no_page_no_answer_and_no_log_has_a_secret() {
    let wecom = Wecom::start().await;
    let directory = BUILTIN_YAML
        .replace("sandbox-secret-1000030", API_SECRET)
        .replace("sandbox-robot-key-ops", ROBOT_KEY);
    wecom.sandbox.replace_directory(Directory::from_yaml(&directory).unwrap());
    let access_token = wecom.token_of(API_SECRET).await;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config.yml");
    fs::write(&path, config(&wecom.url, &folder)).unwrap();
    let mut command = process::serve(&path);
    command.args(["--log-level", "trace"]);
    let mut relay = Process::launch(command);
    relay.ready().await;
    wecom.sandbox.inject(Fault::errcode(42001).on(Api::MessageSend).times(1));
    let webhook = relay.client.post(format!("{}/webhook/wechat", relay.url)).bearer_auth(BEARER_TOKEN);
    let alert = payload("DiskFull", &[("node-7", true)]);
    assert_eq!(webhook.body(alert.to_string()).send().await.unwrap().status(), 200);

    let mut browser = Browser::at(&relay.url);
    let almost = browser.log_in(&format!("{OPERATOR_PASSWORD}x")).await;
    assert_eq!((almost.status, browser.log_in(OPERATOR_PASSWORD).await.status), (401, 303));
    // The senders have tried what they cannot do.
    let is_held = |page: &Page| {
        ["refused", "unreachable"].iter().all(|name| page.text.contains(&format!("{name} is held")))
    };
    browser.wait_for("/", is_held).await;
    let mut shown = Shown::default();
    shown.add(&almost);
    shown.crawl(&mut browser).await;
    assert!(shown.pages.len() > 30, "{:?}", shown.pages);
    let cookie = browser.cookies().values().find(|value| value.starts_with("operator.")).unwrap().clone();
    for authorization in [BEARER_TOKEN, OPERATOR_PASSWORD, VIEWER_PASSWORD, API_SECRET] {
        let authorization = format!("Bearer {authorization}");
        for path in
            ["/webhook", "/metrics", "/api/v1/overview", "/callback/ops?msg_signature=a&timestamp=1&nonce=2"]
        {
            let headers = [("authorization", authorization.as_str())];
            shown.add(&browser.send(Method::GET, path, &[], &headers).await);
        }
    }
    routes::visit_all(&mut browser, Some(OPERATOR_PASSWORD), |_, _, page| shown.add(page)).await;
    for of_console in ["Receivers", "Messages", "DiskFull", "wecom_relay_", "\"items\""] {
        assert!(shown.bodies.contains(of_console), "the test did not read {of_console}");
    }
    relay.signal("TERM");
    assert!(relay.ended().await.success());
    let log = relay.log.join("\n");
    assert!(log.contains("\"TRACE\"") && log.contains("console: logged in"), "{log}");
    let console_secret = {
        let outbox = rusqlite::Connection::open(folder.path().join("outbox.db")).unwrap();
        outbox.query_row("SELECT secret FROM console", [], |row| row.get::<_, String>(0)).unwrap()
    };
    let everywhere = SECRETS.into_iter().chain([access_token.as_str(), console_secret.as_str()]);
    for secret in everywhere {
        let prefix = prefix(secret);
        for (place, text) in [("a body", &shown.bodies), ("a header", &shown.headers), ("the log", &log)] {
            let line = text.lines().find(|line| line.contains(prefix));
            assert_eq!(line, None, "{secret} is in {place}");
        }
    }
    // A session is in its cookie only.
    for part in cookie.split('.').skip(2) {
        assert!(!shown.bodies.contains(prefix(part)) && !log.contains(prefix(part)), "{cookie}");
    }
}
