//! `sandbox`

use serde_json::json;
use wecom_relay::sandbox::FAULTS_HELP;

use super::{command, run};
use crate::support::{AGENT, CORP, Printing, SECRET, http_client};

const DOCS: &str = include_str!("../../../docs/sandbox.md");

/// Starts a sandbox, and returns it with its address.
async fn sandbox(options: &[&str]) -> (Printing, String) {
    let options = [&["sandbox", "--listen", "127.0.0.1:0"], options].concat();
    let mut sandbox = Printing::start(command(&options));
    let line = sandbox.line_with("/cgi-bin/").await;
    let address = line.split_once("http://").unwrap().1.split_once('/').unwrap().0.to_owned();
    sandbox.line_with("Faults").await;
    (sandbox, address)
}

/// Sends `content` to zhangsan with `token`.
async fn send(address: &str, token: &str, content: &str) {
    let url = format!("http://{address}/cgi-bin/message/send?access_token={token}");
    let body = json!({ "touser": "zhangsan", "msgtype": "text", "agentid": AGENT, "enable_duplicate_check": 1,
                       "text": { "content": content } });
    http_client().post(url).body(body.to_string()).send().await.unwrap();
}

async fn token(address: &str) -> String {
    let url = format!("http://{address}/cgi-bin/gettoken?corpid={CORP}&corpsecret={SECRET}");
    let reply: serde_json::Value = http_client().get(url).send().await.unwrap().json().await.unwrap();
    reply["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_sandbox_prints_each_message_and_each_error() {
    let (mut sandbox, address) = sandbox(&[]).await;
    let token = token(&address).await;
    send(&address, &token, "磁盘满\non db-1").await;
    let line = sandbox.line_with("zhangsan").await;
    assert!(line.ends_with(" zhangsan: shown (text of app 1000002)"), "{line}");
    sandbox.line_with("    磁盘满").await;
    sandbox.line_with("    on db-1").await;
    send(&address, &token, "磁盘满\non db-1").await;
    sandbox.line_with("zhangsan: duplicate, not shown again (text of app 1000002): 磁盘满").await;
    send(&address, "wrong", "x").await;
    sandbox.line_with("message/send: error: errcode 40014, invalid access_token").await;
    for number in 0..30 {
        send(&address, &token, &number.to_string()).await;
    }
    sandbox.line_with("zhangsan: dropped by WeCom's rate limit (text of app 1000002): 29").await;
    assert!(sandbox.interrupt().await.success());
}

#[tokio::test]
async fn a_quiet_sandbox_prints_no_messages() {
    let (mut sandbox, address) = sandbox(&["--quiet"]).await;
    send(&address, &token(&address).await, "磁盘满").await;
    assert!(sandbox.interrupt().await.success());
    assert!(!sandbox.out.join("\n").contains("磁盘满"), "{:?}", sandbox.out);
}

#[tokio::test]
async fn the_sandbox_explains_itself_to_a_browser() {
    let (_sandbox, address) = sandbox(&[]).await;
    let answer = http_client().get(format!("http://{address}/")).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    let text = answer.text().await.unwrap();
    assert!(text.contains(&format!("http://{address}/cgi-bin/")), "{text}");
    assert!(text.ends_with(FAULTS_HELP), "{text}");
}

#[tokio::test]
async fn every_field_of_a_fault_is_documented() {
    let (_sandbox, address) = sandbox(&[]).await;
    let help = run(command(&["sandbox", "--help"]), String::new()).await.success();
    for wrong in [json!({ "x": 1 }), json!({ "fault": { "x": 1 } })] {
        let request = http_client().post(format!("http://{address}/sandbox/faults")).body(wrong.to_string());
        let error: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        let fields = error["error"].as_str().unwrap().split_once("expected one of").unwrap().1;
        for field in fields.split('`').skip(1).step_by(2) {
            for text in [FAULTS_HELP, &help] {
                assert!(text.contains(&format!("\"{field}\"")), "{field} is not in {text}");
            }
        }
    }
    assert!(DOCS.contains(FAULTS_HELP));
}

#[tokio::test]
async fn a_callback_is_set_for_the_usual_and_for_other_apps() {
    let url = "http://127.0.0.1:9/callback?a=b";
    let other = format!("1000030={url}");
    let (_sandbox, address) = sandbox(&["--callback", url, "--callback", &other]).await;
    let callbacks = http_client().get(format!("http://{address}/sandbox/callbacks")).send().await.unwrap();
    let callbacks: serde_json::Value = callbacks.json().await.unwrap();
    let expected = json!([{ "agent_id": 1000002, "url": url }, { "agent_id": 1000030, "url": url }]);
    assert_eq!(callbacks, expected);
    for (options, problem) in [
        (["--callback", "relay.example.com"], "the callback URL is \"relay.example.com\""),
        (["--callback", "1=http://127.0.0.1:9/"], "there is no app 1 in the directory"),
    ] {
        let options = [&["sandbox"], &options[..]].concat();
        let text = run(command(&options), String::new()).await.failure(1);
        assert!(text.contains(problem), "{text}");
    }
}
