//! The console with an outbox in PostgreSQL.

use std::fs;

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;
use wecom_relay::sandbox::Settings;

use super::browser::PAUSE;
use crate::support::{CORP, Process, SECRET, Wecom, eventually, postgres::shared};

async fn ask(relay: &Process, method: Method, path: &str) -> String {
    let answer = relay.client.request(method, format!("{}/{path}", relay.url)).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.text().await.unwrap()
}

#[tokio::test]
async fn a_test_message_is_followed_on_postgresql() {
    let wecom = Wecom::live(Settings::default()).await;
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("config.yml");
    let yaml = format!(
        "server: {{ listen: '127.0.0.1:0' }}\noutbox: {{ url: '{}' }}\napps:\n  - {{ name: ops, corp_id: {CORP}, \
         agent_id: 1000002, api_secret: {SECRET}, api_url: '{}/cgi-bin/' }}\nreceivers:\n  - {{ name: wechat, to_user: \
         zhangsan }}\n",
        shared().database(),
        wecom.url
    );
    fs::write(&config, yaml).unwrap();
    let relay = Process::start(&config).await;
    let sent: Value =
        serde_json::from_str(&ask(&relay, Method::POST, "api/v1/receivers/wechat/test").await).unwrap();
    let message = format!("api/v1/messages/{}", sent["id"]);
    // The console limits the requests of a reader.
    let look = async |path| {
        tokio::time::sleep(PAUSE).await;
        ask(&relay, Method::GET, path).await
    };
    eventually(async || look(&message).await, |shown| shown.contains("\"state\":\"delivered\"")).await;
    let setup = eventually(async || look("setup").await, |setup| setup.contains("taken by WeCom")).await;
    assert!(setup.contains(&format!("messages/{}", sent["id"])), "{setup}");
    let messages = ask(&relay, Method::GET, "messages?state=dead&q=nothing").await;
    assert!(messages.contains("No message matches."), "{messages}");
}
