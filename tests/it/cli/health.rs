//! `health`

use std::{fs, net::TcpListener};

use super::Workdir;
use crate::support::{Options, Relay, Wecom, redacted};

/// A port without a listener.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A configuration with `server.listen`.
fn listening(listen: &str) -> Workdir {
    serving(listen, "")
}

/// A configuration with `server.listen` and `more` keys, each after a comma.
fn serving(listen: &str, more: &str) -> Workdir {
    Workdir::of(&format!(
        "server: {{ listen: '{listen}'{more} }}\napps:\n  - name: ops\n    corp_id: ww1234567890abcdef\n    agent_id: 1000002\n    \
         api_secret: sandbox-secret-1000002\nreceivers:\n  - {{ name: wechat, to_user: zhangsan }}\n"
    ))
}

#[tokio::test]
async fn health_asks_the_configured_relay() {
    let relay = Relay::start(NOWHERE).await;
    let port = relay.url.rsplit(':').next().unwrap();
    // A relay on all addresses is asked on the loopback address.
    for listen in [format!("0.0.0.0:{port}"), format!("127.0.0.1:{port}")] {
        let workdir = listening(&listen);
        let out = workdir.run(&["health"]).await.success();
        assert_eq!(out, format!("alive (http://127.0.0.1:{port}/-/healthy)\n"));
        let out = workdir.run(&["health", "--ready"]).await.success();
        assert_eq!(out, format!("ready (http://127.0.0.1:{port}/-/ready)\n"));
    }
    let err = listening(&format!("[::]:{port}")).run(&["health"]).await.failure(1);
    insta::assert_snapshot!(redacted(&err), @"wecom-relay: no answer from http://[::1]:PORT/-/healthy: is the relay running, and is this where it listens?: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)");
    relay.stop().await;
}

#[tokio::test]
async fn health_accepts_every_certificate_of_the_configured_relay() {
    let pair = rcgen::generate_simple_self_signed(["relay.example.com".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (cert, key) = (files.path().join("tls.crt"), files.path().join("tls.key"));
    fs::write(&cert, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let tls = format!(", tls: {{ cert_file: {}, key_file: {} }}", cert.display(), key.display());
    let relay = Relay::with(NOWHERE, Options { server: tls.clone(), ..Options::default() }).await;
    let address = relay.url.strip_prefix("https://").unwrap();
    let workdir = serving(address, &tls);
    let out = workdir.run(&["health"]).await.success();
    assert_eq!(out, format!("alive (https://{address}/-/healthy)\n"));
    relay.stop().await;
}

#[tokio::test]
async fn health_can_use_a_client_certificate() {
    let pair = rcgen::generate_simple_self_signed(["relay.example.com".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).display().to_string();
    let (cert, key) = (path("tls.crt"), path("tls.key"));
    fs::write(&cert, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    // A self-signed certificate is its own CA.
    let tls = format!(", tls: {{ cert_file: {cert}, key_file: {key}, client_ca_file: {cert} }}");
    let relay = Relay::with(NOWHERE, Options { server: tls.clone(), ..Options::default() }).await;
    let address = relay.url.strip_prefix("https://").unwrap();
    let workdir = serving(address, &tls);
    workdir.run(&["health"]).await.failure(1);
    let out = workdir.run(&["health", "--cert", &cert, "--key", &key]).await.success();
    assert_eq!(out, format!("alive (https://{address}/-/healthy)\n"));
    // With --url the certificate of the relay is checked too, and this one has no known CA.
    let args = ["health", "--url", relay.url.as_str(), "--cert", &cert, "--key", &key];
    insta::assert_snapshot!(redacted(&workdir.run(&args).await.failure(1)), @"wecom-relay: no answer from https://127.0.0.1:PORT/-/healthy: is the relay running, and is this where it listens?: error sending request: client error (Connect): invalid peer certificate: UnknownIssuer");
    let err = workdir.run(&["health", "--cert", &key, "--key", &key]).await.failure(1);
    insta::assert_snapshot!(redacted(&err), @"wecom-relay: use --cert and --key: both must be PEM, the key without a passphrase: builder error: unexpected error: private key or certificate not found");
    let err = workdir.run(&["health", "--cert", "no/such", "--key", &key]).await.failure(1);
    insta::assert_snapshot!(err, @"wecom-relay: cannot read no/such: No such file or directory (os error 2)");
    relay.stop().await;
}

#[tokio::test]
async fn health_trusts_a_private_ca_if_it_is_named() {
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (cert, key) = (files.path().join("tls.crt"), files.path().join("tls.key"));
    fs::write(&cert, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let server = format!(", tls: {{ cert_file: {}, key_file: {} }}", cert.display(), key.display());
    let relay = Relay::with(NOWHERE, Options { server, ..Options::default() }).await;
    let workdir = Workdir::of("no configuration");
    let url = relay.url.as_str();
    let err = workdir.run(&["health", "--url", url]).await.failure(1);
    assert!(err.contains("invalid peer certificate: UnknownIssuer"), "{err}");
    let out = workdir.run(&["health", "--url", url, "--ca", cert.to_str().unwrap()]).await.success();
    assert_eq!(out, format!("alive ({url}/-/healthy)\n"));
    let err = workdir.run(&["health", "--url", url, "--ca", key.to_str().unwrap()]).await.failure(1);
    assert!(err.contains("tls.key cannot be used: it has no certificate"), "{err}");
    relay.stop().await;
}

#[tokio::test]
async fn health_with_a_url_needs_no_configuration() {
    let relay = Relay::start(NOWHERE).await;
    let workdir = Workdir::of("no configuration");
    let url = format!("{}/", relay.url);
    let out = workdir.run(&["health", "--url", &url]).await.success();
    assert_eq!(out, format!("alive ({}/-/healthy)\n", relay.url));
    relay.stop().await;
}

#[tokio::test]
async fn health_reports_a_relay_that_does_not_answer() {
    let workdir = Workdir::of("no configuration");
    let err = workdir.run(&["health", "--url", NOWHERE]).await.failure(1);
    insta::assert_snapshot!(err, @"wecom-relay: no answer from http://127.0.0.1:9/-/healthy: is the relay running, and is this where it listens?: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)");
    // Another program listens there.
    let wecom = Wecom::start().await;
    let err = workdir.run(&["health", "--url", &wecom.url]).await.failure(1);
    insta::assert_snapshot!(redacted(&err), @"wecom-relay: http://127.0.0.1:PORT/-/healthy answered 404:");
    let err = listening("127.0.0.1:0").run(&["health"]).await.failure(1);
    insta::assert_snapshot!(err, @"wecom-relay: server.listen lets the system choose the port (0), so the port is not known: use --url");
    workdir.run(&["health"]).await.failure(64);
}

#[tokio::test]
async fn health_gives_up_on_a_silent_relay() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let err = Workdir::of("").run(&["health", "--url", &url]).await.failure(1);
    insta::assert_snapshot!(redacted(&err), @"wecom-relay: no answer from http://127.0.0.1:PORT/-/healthy: is the relay running, and is this where it listens?: error sending request: operation timed out");
}
