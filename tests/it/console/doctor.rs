//! `doctor` in a running relay.

use std::{fs, os::unix::fs::MetadataExt, path::Path, process};

use serde_json::{Value, json};
use wecom_relay::{
    outbox::Outbox,
    sandbox::{Api, CallResponse, Fault},
};

use super::{PASSWORD, WITH_PASSWORDS, options};
use crate::support::{Options, Relay, Wecom, eventually, payload};

/// The findings of a new run.
async fn findings(relay: &Relay) -> Vec<Value> {
    let request = relay.client.post(format!("{}/api/v1/doctor", relay.url)).bearer_auth(PASSWORD);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    body["findings"].as_array().unwrap().clone()
}

fn finding<'f>(findings: &'f [Value], subject: &str, check: &str) -> &'f Value {
    let found = findings.iter().find(|finding| finding["subject"] == subject && finding["check"] == check);
    found.unwrap_or_else(|| panic!("no {check} of {subject}: {findings:?}"))
}

/// True if this process has a lock of SQLite on the file. It has one for as long as the database is open.
fn is_locked(path: &Path) -> bool {
    let (inode, own) = (format!(":{}", fs::metadata(path).unwrap().ino()), process::id().to_string());
    let locks = fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|lock| {
        let fields: Vec<_> = lock.split_whitespace().collect();
        let is_on_file = fields.iter().any(|field| field.ends_with(&inode));
        is_on_file && fields.contains(&"POSIX") && fields.contains(&own.as_str())
    })
}

#[tokio::test]
async fn doctor_keeps_the_locks_of_the_outbox_and_knows_its_own_relay() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options(WITH_PASSWORDS)).await;
    let path = relay.folder.path().join("outbox.db");
    assert!(is_locked(&path));
    let found = findings(&relay).await;
    // A process that closes any descriptor of a file gives up all its locks on the file.
    assert!(is_locked(&path));
    let outbox = finding(&found, "server", "outbox");
    assert_eq!(
        (&outbox["status"], &outbox["message"]),
        (&json!("ok"), &json!(format!("{}, in use by this relay", path.display())))
    );
    let address = relay.url.strip_prefix("http://").unwrap();
    let listen = finding(&found, "server", "listen");
    assert_eq!(
        (&listen["status"], &listen["message"]),
        (&json!("ok"), &json!(format!("this relay listens on {address}")))
    );
    relay.stop().await;
}

/// The findings of `doctor --json`, without those about the server, which another process uses.
async fn findings_of_the_command(config: &Path) -> Vec<Value> {
    let mut command = process::Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
    command.arg("--config").arg(config).args(["doctor", "--json"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    comparable(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Findings without those about the server, and without durations.
fn comparable(mut findings: Vec<Value>) -> Vec<Value> {
    findings.retain(|finding| finding["subject"] != "server");
    for finding in &mut findings {
        let message = finding["message"].as_str().unwrap();
        let message: Vec<&str> =
            message.split(' ').filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect();
        finding["message"] = json!(message.join(" "));
    }
    findings
}

#[tokio::test]
async fn a_run_gets_one_token_and_another_one_must_wait() {
    let wecom = Wecom::live(Default::default()).await;
    let relay = Relay::with(&wecom.url, options(WITH_PASSWORDS)).await;
    let found = findings(&relay).await;
    let results = || {
        let calls = wecom.sandbox.calls();
        calls.iter().filter(|call| call.api == Api::Gettoken).map(|call| call.response).collect::<Vec<_>>()
    };
    // The call without parameters checks the way to WeCom. The other one gets the token.
    let of_run = results();
    assert_eq!(
        of_run.iter().filter(|errcode| **errcode == CallResponse::Errcode(0)).count(),
        1,
        "{of_run:?}"
    );
    assert_eq!(of_run.len(), 2, "{of_run:?}");
    let again =
        relay.client.post(format!("{}/api/v1/doctor", relay.url)).bearer_auth(PASSWORD).send().await.unwrap();
    let wait: u64 = again.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!((again.status().as_u16(), (1..=30).contains(&wait)), (429, true), "{wait}");
    assert_eq!(results(), of_run);
    assert_eq!(wecom.sandbox.send_calls(), 0);
    let of_command = findings_of_the_command(&relay.folder.path().join("config.yml")).await;
    assert_eq!(comparable(found), of_command);
    relay.stop().await;
}

#[tokio::test]
async fn doctor_shows_the_hold_of_a_robot() {
    let wecom = Wecom::live(Default::default()).await;
    let key = "sandbox-robot-key-ops";
    let more = format!("robots:\n  - name: group\n    key: {}/cgi-bin/webhook/send?key={key}\n", wecom.url);
    let receivers = "  - { name: wechat, robot: group }\n".to_owned();
    let relay = Relay::with(&wecom.url, Options { more, receivers, ..options(WITH_PASSWORDS) }).await;
    wecom.sandbox.inject(Fault::errcode(93000).on(Api::WebhookSend));
    relay.post(&payload("a", &[("db1", true)])).await;
    eventually(async || relay.outbox.holds().await.unwrap(), |holds| !holds.is_empty()).await;
    let found = findings(&relay).await;
    assert_eq!(finding(&found, "robot group", "hold")["status"], "warning");
    relay.stop().await;
}
