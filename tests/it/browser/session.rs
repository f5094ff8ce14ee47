//! Commands of WebDriver and of Chromium's DevTools, as `chromedriver` takes them.
//!
//! A client of these commands is short. The crate `thirtyfour` would change how `serde_json` orders fields in every test, so
//! the tests would run another program than the release.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::chromedriver::Chromedriver;
use crate::support::http_client;

/// A page that does not load must fail its test instead of blocking it.
const PATIENCE: Duration = Duration::from_secs(120);

/// The name of an element in the JSON of WebDriver.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window.
pub(super) struct Session {
    client: Client,
    url: String,
    /// It ends the browser.
    _driver: Chromedriver,
}

/// The text of an error, such as `no such element: …`.
pub(super) type CommandResult = Result<Value, String>;

impl Session {
    /// A browser with further arguments.
    pub(super) async fn start(driver: Chromedriver, arguments: &[String]) -> Self {
        let profile = driver.folder.path().join("profile");
        let usual = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
        ];
        let mut arguments: Vec<String> =
            usual.into_iter().map(str::to_owned).chain(arguments.to_vec()).collect();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let capabilities = json!({ "alwaysMatch": {
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "unhandledPromptBehavior": "ignore",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } });
        let (client, url) = (http_client(), format!("{}/session", driver.url));
        let answer = send(&client, Method::POST, &url, Some(json!({ "capabilities": capabilities }))).await;
        let answer = answer.unwrap_or_else(|error| panic!("Chromium does not start: {error}"));
        let url = format!("{url}/{}", answer["sessionId"].as_str().unwrap());
        Self { client, url, _driver: driver }
    }

    pub(super) async fn get(&self, path: &str) -> CommandResult {
        send(&self.client, Method::GET, &format!("{}/{path}", self.url), None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> CommandResult {
        send(&self.client, Method::POST, &format!("{}/{path}", self.url), Some(body)).await
    }

    /// A command of the DevTools protocol.
    pub(super) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        let answer = self.post("goog/cdp/execute", body).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// The reference of the first element that `selector` matches.
    pub(super) async fn find(&self, selector: &str) -> Result<String, String> {
        let found = self.post("element", json!({ "using": "css selector", "value": selector })).await?;
        Ok(found[ELEMENT].as_str().unwrap().to_owned())
    }
}

async fn send(client: &Client, method: Method, url: &str, body: Option<Value>) -> CommandResult {
    let mut request = client.request(method, url).timeout(PATIENCE);
    if let Some(body) = body {
        request = request.body(body.to_string());
    }
    let answer = request.send().await.unwrap_or_else(|error| panic!("chromedriver: {error}"));
    let text = answer.text().await.unwrap();
    let mut answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("chromedriver: {text}"));
    let value = answer["value"].take();
    match value["error"].as_str() {
        Some(error) => Err(format!("{error}: {}", value["message"].as_str().unwrap_or_default())),
        None => Ok(value),
    }
}
