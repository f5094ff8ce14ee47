//! `health`

use std::{fs, net::TcpListener};

use super::Place;
use crate::support::{Options, Relay, Wecom};

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9";

/// The folder of a relay that listens on `listen`.
fn listening(listen: &str) -> Place {
    serving(listen, "")
}

/// The same with further keys of the server, each with a comma before it.
fn serving(listen: &str, more: &str) -> Place {
    Place::of(&format!(
        "server: {{ listen: '{listen}'{more} }}\napps:\n  - name: ops\n    corp_id: ww1234567890abcdef\n    agent_id: 1000002\n    \
         api_secret: sandbox-secret-1000002\nreceivers:\n  - {{ name: wechat, to_user: zhangsan }}\n"
    ))
}

#[tokio::test]
async fn the_relay_of_the_configuration_is_asked() {
    let relay = Relay::start(NOWHERE).await;
    let port = relay.url.rsplit(':').next().unwrap();
    // All addresses of the machine are asked by its loopback.
    for listen in [format!("0.0.0.0:{port}"), format!("127.0.0.1:{port}")] {
        let place = listening(&listen);
        let told = place.run(&["health"]).await.success();
        assert_eq!(told, format!("alive (http://127.0.0.1:{port}/-/healthy)\n"));
        let told = place.run(&["health", "--ready"]).await.success();
        assert_eq!(told, format!("ready (http://127.0.0.1:{port}/-/ready)\n"));
    }
    let told = listening(&format!("[::]:{port}")).run(&["health"]).await.failure(1);
    assert!(told.contains(&format!("http://[::1]:{port}/-/healthy")), "{told}");
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_with_tls_is_asked_whatever_names_its_certificate_has() {
    let pair = rcgen::generate_simple_self_signed(["relay.example.com".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (cert, key) = (files.path().join("tls.crt"), files.path().join("tls.key"));
    fs::write(&cert, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let tls = format!(", tls: {{ cert_file: {}, key_file: {} }}", cert.display(), key.display());
    let relay = Relay::with(NOWHERE, Options { server: tls.clone(), ..Options::default() }).await;
    let address = relay.url.strip_prefix("https://").unwrap();
    let place = serving(address, &tls);
    let told = place.run(&["health"]).await.success();
    assert_eq!(told, format!("alive (https://{address}/-/healthy)\n"));
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_that_asks_for_certificates_is_asked_with_one() {
    let pair = rcgen::generate_simple_self_signed(["relay.example.com".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).display().to_string();
    let (cert, key) = (path("tls.crt"), path("tls.key"));
    fs::write(&cert, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    // A certificate that signs itself is its own CA.
    let tls = format!(", tls: {{ cert_file: {cert}, key_file: {key}, client_ca_file: {cert} }}");
    let relay = Relay::with(NOWHERE, Options { server: tls.clone(), ..Options::default() }).await;
    let address = relay.url.strip_prefix("https://").unwrap();
    let place = serving(address, &tls);
    place.run(&["health"]).await.failure(1);
    let told = place.run(&["health", "--cert", &cert, "--key", &key]).await.success();
    assert_eq!(told, format!("alive (https://{address}/-/healthy)\n"));
    // By --url the relay's own certificate is looked at as well, and this one is of no known CA.
    let args = ["health", "--url", relay.url.as_str(), "--cert", &cert, "--key", &key];
    assert!(place.run(&args).await.failure(1).contains("no answer"));
    let told = place.run(&["health", "--cert", &key, "--key", &key]).await.failure(1);
    assert!(told.contains("--cert"), "{told}");
    let told = place.run(&["health", "--cert", "no/such", "--key", &key]).await.failure(1);
    assert!(told.contains("read no/such"), "{told}");
    relay.stop().await;
}

#[tokio::test]
async fn a_url_is_asked_without_a_configuration() {
    let relay = Relay::start(NOWHERE).await;
    let place = Place::of("no configuration");
    let url = format!("{}/", relay.url);
    let told = place.run(&["health", "--url", &url]).await.success();
    assert_eq!(told, format!("alive ({}/-/healthy)\n", relay.url));
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_that_is_not_there_or_not_well_is_told() {
    let place = Place::of("no configuration");
    let told = place.run(&["health", "--url", NOWHERE]).await.failure(1);
    assert!(told.contains("no answer from http://127.0.0.1:9/-/healthy: is the relay running"), "{told}");
    // Something else listens there.
    let wecom = Wecom::start().await;
    let told = place.run(&["health", "--url", &wecom.url]).await.failure(1);
    assert!(told.contains("/-/healthy answered 404"), "{told}");
    let told = listening("127.0.0.1:0").run(&["health"]).await.failure(1);
    assert!(told.contains("say with --url where the relay listens"), "{told}");
    place.run(&["health"]).await.failure(64);
}

#[tokio::test]
async fn a_relay_that_says_nothing_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let asked = tokio::time::Instant::now();
    let told = Place::of("").run(&["health", "--url", &url]).await.failure(1);
    assert!(told.contains("no answer from") && told.contains("timed out"), "{told}");
    assert!(asked.elapsed().as_secs() < 30);
}
