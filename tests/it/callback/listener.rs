//! `server.callback_listen`: a listener for the callback alone.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use reqwest::Method;
use tempfile::TempDir;

use super::{Call, keys, with_callback};
use crate::support::{Options, Process, Relay, Wecom, config_file, payload, process::serve};

fn apart() -> Options {
    Options { server: ", callback_listen: '127.0.0.1:0'".to_owned(), ..with_callback() }
}

#[tokio::test]
async fn the_log_says_where_the_callback_is_served() {
    let wecom = Wecom::start().await;
    let (_folder, config) = config_file(&wecom.url, &apart());
    let mut process = Process::launch(serve(&config));
    let ready = process.logged("ready").await;
    let url = format!("http://{}/callback/ops", ready["callback"].as_str().unwrap());
    assert_eq!(process.client.get(url).send().await.unwrap().status(), 403);
    process.signal("TERM");
    assert!(process.ended().await.success(), "{}", process.last_lines());
}

#[tokio::test]
async fn a_listener_of_its_own_serves_only_the_callback() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, apart()).await;
    assert_ne!(relay.url, relay.callback_url);
    assert_eq!(Call::verification(&keys(), "123").send(&relay).await.body, "123");
    let call = Call::verification(&keys(), "123");
    for path in [call.path.as_str(), "/callback", "/callback/", "/callback/ops"] {
        assert_eq!(relay.request(Method::GET, path, "").await.0, 404, "{path}");
        assert_eq!(relay.request(Method::POST, path, "").await.0, 404, "{path}");
    }
    let paths =
        ["/", "/webhook", "/metrics", "/-/healthy", "/-/ready", "/-/reload", "/messages", "/api/v1/overview"];
    for path in paths {
        for method in [Method::GET, Method::POST] {
            let request = relay.client.request(method.clone(), format!("{}{path}", relay.callback_url));
            assert_eq!(request.send().await.unwrap().status(), 404, "{method} {path}");
        }
    }
    assert_eq!(relay.try_post(&payload("Down", &[("a", true)])).await, 200);
    relay.stop().await;
}

#[tokio::test]
async fn without_a_callback_nobody_is_answered_but_with_403() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    assert_eq!(Call::verification(&keys(), "123").send(&relay).await.status, 403);
    relay.stop().await;
}

/// WeCom has no certificate of the CA that the relay trusts.
#[tokio::test]
async fn its_tls_asks_for_no_certificate_of_clients() {
    let wecom = Wecom::start().await;
    let folder = Arc::new(TempDir::new().unwrap());
    let own =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let clients = rcgen::generate_simple_self_signed(vec!["clients".to_owned()]).unwrap();
    let files = [
        ("tls.crt", own.cert.pem()),
        ("tls.key", own.signing_key.serialize_pem()),
        ("clients.crt", clients.cert.pem()),
    ];
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let tls = ", tls: { cert_file: tls.crt, key_file: tls.key, client_ca_file: clients.crt }";
    let options = Options { server: apart().server + tls, folder: Some(folder), ..with_callback() };
    let mut relay = Relay::with(&wecom.url, options).await;
    relay.client = client_that_trusts(&own.cert.pem());
    assert!(relay.callback_url.starts_with("https:"), "{}", relay.callback_url);
    assert_eq!(Call::verification(&keys(), "123").send(&relay).await.body, "123");
    let webhook = relay.client.post(format!("{}/webhook", relay.url)).body("{}").send().await;
    assert!(webhook.is_err(), "{webhook:?}");
    relay.stop().await;
}

#[expect(clippy::disallowed_methods, reason = "the client of the tests; the relay has its own")]
pub(super) fn client_that_trusts(pem: &str) -> reqwest::Client {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(config).build().unwrap()
}
