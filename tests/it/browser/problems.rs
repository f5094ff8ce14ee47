//! What a browser complains about: errors on the console, violations of the Content-Security-Policy, failed requests.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::session::Session;

/// What the browser asked for and complained about since the last look.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Errors and warnings of the console, violations of the policy, and requests that failed.
    pub(crate) problems: Vec<String>,
    /// The URLs of all requests.
    pub(crate) requests: Vec<String>,
}

pub(super) async fn traffic(session: &Session) -> Traffic {
    let mut traffic = Traffic::default();
    let mut urls = BTreeMap::new();
    for entry in log(session, "browser").await {
        let level = entry["level"].as_str().unwrap_or_default();
        if matches!(level, "SEVERE" | "WARNING") {
            traffic.problems.push(entry["message"].as_str().unwrap_or_default().to_owned());
        }
    }
    for entry in log(session, "performance").await {
        let text = entry["message"].as_str().unwrap_or_default();
        let event: Value = serde_json::from_str(text).unwrap();
        let (method, parameters) = (&event["message"]["method"], &event["message"]["params"]);
        match method.as_str() {
            Some("Network.requestWillBeSent") => {
                let url = parameters["request"]["url"].as_str().unwrap_or_default().to_owned();
                urls.insert(parameters["requestId"].to_string(), url.clone());
                traffic.requests.push(url);
            }
            // A page that is left cancels its requests.
            Some("Network.loadingFailed") if parameters["canceled"] != true => {
                // Chromium looks for its own start page before the test begins.
                if let Some(url) = urls.get(&parameters["requestId"].to_string()) {
                    traffic.problems.push(format!("request of {url} failed: {}", parameters["errorText"]));
                }
            }
            _ => {}
        }
    }
    traffic
}

async fn log(session: &Session, kind: &str) -> Vec<Value> {
    let entries = session.post("se/log", json!({ "type": kind })).await.unwrap();
    entries.as_array().unwrap().clone()
}
