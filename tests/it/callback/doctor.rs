//! `doctor` and the callback: in the running relay, as a command, and through a real nginx with TLS.

use std::{fs, net::TcpListener, path::Path, process::Command, sync::Arc};

use serde_json::Value;
use tempfile::TempDir;

use super::{Call, KEY, OTHER_KEY, keys, listener::client_that_trusts, with_callback};
use crate::{
    docs::Page,
    support::{Nginx, Options, Relay, Wecom, eventually, nginx, payload},
};

/// The findings about the app in a run of the console.
async fn findings(relay: &Relay) -> Vec<String> {
    let answer = relay.client.post(format!("{}/api/v1/doctor", relay.url)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    let found = body["findings"].as_array().unwrap().iter();
    let found = found.filter(|finding| finding["check"].as_str().unwrap().contains("callback"));
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    found
        .map(|finding| {
            let parts = ["status", "subject", "check", "message", "help"].map(|key| text(finding, key));
            parts.join(" | ")
        })
        .collect()
}

/// The output of the command about callbacks.
async fn command(folder: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
    command.args(["doctor", "--timeout", "60s"]).current_dir(folder);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| line.contains("callback")).map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn the_running_relay_verifies_its_own_callback() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    let found = findings(&relay).await;
    let address = relay.callback_url.strip_prefix("http://").unwrap();
    assert!(found[0].starts_with("ok | app ops | callback url | "), "{found:?}");
    assert!(found[0].contains(&format!("/callback/ops at {address} in WeCom's console")), "{found:?}");
    assert!(found[1].starts_with("ok | app ops | callback | a verification as WeCom makes it"), "{found:?}");
    assert_eq!(found.len(), 2);
    assert_eq!(relay.called_back("ops", "verified").await, 1);
    relay.stop().await;
}

#[tokio::test]
async fn an_app_without_a_callback_has_no_findings_about_it() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    assert_eq!(findings(&relay).await, [""; 0]);
    relay.stop().await;
}

#[tokio::test]
async fn a_wrong_public_address_is_a_failure() {
    let wecom = Wecom::start().await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let server = format!(", callback_external_url: 'http://127.0.0.1:{port}/wecom'");
    let relay = Relay::with(&wecom.url, Options { server, ..with_callback() }).await;
    let found = findings(&relay).await;
    assert!(found[0].contains(&format!("enter http://127.0.0.1:{port}/wecom/callback/ops in")), "{found:?}");
    let expected =
        format!("failed | app ops | public callback | no answer from http://127.0.0.1:{port}/wecom: ");
    assert!(found[2].starts_with(&expected), "{found:?}");
    relay.stop().await;
}

#[tokio::test]
async fn an_address_that_needs_a_restart_is_a_failure() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    let path = relay.folder.path().join("config.yml");
    let yaml = fs::read_to_string(&path).unwrap();
    fs::write(&path, yaml.replace("'127.0.0.1:0'", "'127.0.0.1:0', callback_listen: '127.0.0.1:1'")).unwrap();
    assert!(relay.reloads.reload().await.unwrap().is_ok());
    let found = findings(&relay).await;
    let address = relay.callback_url.strip_prefix("http://").unwrap();
    let expected = format!(
        "failed | app ops | callback address | it is still on {address}, and not on 127.0.0.1:1 | restart the relay: "
    );
    assert!(found[1].starts_with(&expected), "{found:?}");
    assert!(found[2].starts_with("ok | app ops | callback | "), "{found:?}");
    relay.stop().await;
}

#[tokio::test]
async fn the_command_verifies_the_callback_of_a_running_relay() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config.yml");
    let yaml = fs::read_to_string(relay.folder.path().join("config.yml")).unwrap();
    let address = relay.url.strip_prefix("http://").unwrap().to_owned();
    let yaml = yaml.replace("127.0.0.1:0", &address);
    fs::write(&path, &yaml).unwrap();
    let printed = command(folder.path()).await;
    assert!(printed.contains("ok       app ops: callback: a verification as WeCom makes it"), "{printed}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let apart = format!("'{address}', callback_listen: '{closed}'");
    fs::write(&path, yaml.replace(&format!("'{address}'"), &apart)).unwrap();
    let printed = command(folder.path()).await;
    let expected = format!("failed   app ops: callback: the relay runs, and does not listen on {closed}\n");
    assert!(printed.contains(&expected), "{printed}");
    fs::write(&path, yaml.replace(KEY, OTHER_KEY)).unwrap();
    let printed = command(folder.path()).await;
    assert!(printed.contains(&format!("failed   app ops: callback: {address} answered 403")), "{printed}");
    relay.stop().await;
    let printed = command(folder.path()).await;
    assert!(printed.contains("skipped  app ops: callback: not checked: the relay does not run"), "{printed}");
}

/// The server of nginx in the documentation, with the addresses and files of the test.
fn nginx_config(port: u16, relay: &str, folder: &Path) -> String {
    let page = Page::read("docs/callback.md");
    let mut blocks = page.sections.into_iter().flat_map(|section| section.blocks);
    let block = blocks.find(|block| block.text.contains("ssl_certificate")).unwrap();
    block
        .text
        .replace("listen 443 ssl", &format!("listen 127.0.0.1:{port} ssl"))
        .replace("/etc/nginx/callback.example.com.", &format!("{}/tls.", folder.display()))
        .replace("http://127.0.0.1:8063", relay)
}

#[tokio::test]
async fn the_proxy_of_the_documentation_forwards_only_the_callback() {
    let Some(program) = nginx() else { return };
    let wecom = Wecom::start().await;
    let folder = Arc::new(TempDir::new().unwrap());
    let own =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = own.cert.pem();
    fs::write(folder.path().join("tls.crt"), &certificate).unwrap();
    fs::write(folder.path().join("tls.key"), own.signing_key.serialize_pem()).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = with_callback();
    let options = Options {
        server: format!(
            ", callback_listen: '127.0.0.1:0', callback_external_url: 'https://localhost:{port}'"
        ),
        app: format!("{}    ca_file: tls.crt\n", options.app),
        folder: Some(Arc::clone(&folder)),
        ..options
    };
    let mut relay = Relay::with(&wecom.url, options).await;
    let _nginx =
        Nginx::start(&program, folder.path(), &nginx_config(port, &relay.callback_url, folder.path()));
    let plain = std::mem::replace(&mut relay.client, client_that_trusts(&certificate));
    let public = format!("https://localhost:{port}");
    let get = async |path: &str| {
        let answer = relay.client.get(format!("{public}{path}")).send().await;
        answer.map(|answer| answer.status().as_u16()).unwrap_or_default()
    };
    assert_eq!(eventually(async || get("/callback/ops").await, |status| *status != 0).await, 403);
    for path in ["/", "/webhook", "/metrics", "/-/healthy", "/-/reload"] {
        assert_eq!(get(path).await, 404, "{path}");
    }
    let webhook = relay.client.post(format!("{public}/webhook")).body(payload("Down", &[]).to_string());
    assert_eq!(webhook.send().await.unwrap().status(), 404);
    relay.client = plain;
    let found = findings(&relay).await;
    assert!(found[0].contains(&format!("enter {public}/callback/ops in WeCom's console")), "{found:?}");
    assert!(found[1].starts_with("ok | app ops | callback | "), "{found:?}");
    assert!(found[2].starts_with("ok | app ops | public callback | "), "{found:?}");
    relay.client = client_that_trusts(&certificate);
    relay.callback_url = public;
    assert_eq!(Call::verification(&keys(), "123").send(&relay).await.body, "123");
    relay.stop().await;
}
