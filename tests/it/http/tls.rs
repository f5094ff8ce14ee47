//! `server.tls`: encrypted connections and changes of the certificate.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use reqwest::Client;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wecom_relay::{
    http::{AccessControl, ServerSecurity, TlsConfig},
    secret::Secret,
};

use super::raw;
use crate::support::{Options, Relay, Wecom, payload, soon};

/// A CA of the test.
struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for `localhost` or for a client, and its key.
    fn issue(&self, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// The files of a relay with TLS.
struct Site {
    ca: Ca,
    folder: Arc<TempDir>,
}

impl Site {
    fn new() -> Self {
        let site = Self { ca: Ca::new(), folder: Arc::new(TempDir::new().unwrap()) };
        let (certificate, key) = site.ca.issue(ExtendedKeyUsagePurpose::ServerAuth);
        site.write("tls.crt", &certificate);
        site.write("tls.key", &key);
        site.write("ca.crt", &site.ca.pem);
        site
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    async fn relay(&self, wecom: &str, more: &str) -> Relay {
        let server = format!(", tls: {{ cert_file: tls.crt, key_file: tls.key{more} }}");
        let folder = Some(self.folder.clone());
        Relay::with(wecom, Options { server, folder, ..Options::default() }).await
    }
}

/// A client that trusts `ca`, with a certificate of its own if one is given.
#[expect(clippy::disallowed_methods, reason = "the client of the tests; the relay has its own")]
fn client(
    ca: &Ca,
    own: Option<(String, String)>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Client {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    Client::builder().no_proxy().tls_backend_preconfigured(config).build().unwrap()
}

const ANY: &[&rustls::SupportedProtocolVersion] = &[&TLS12, &TLS13];

#[tokio::test]
async fn alerts_are_accepted_by_tls_1_2_and_1_3_only() {
    let wecom = Wecom::start().await;
    let site = Site::new();
    let relay = site.relay(&wecom.url, "").await;
    for (number, version) in [&TLS12, &TLS13].into_iter().enumerate() {
        let body = payload(&format!("Down{number}"), &[("a", true)]).to_string();
        let post = client(&site.ca, None, &[version]).post(format!("{}/webhook", relay.url)).body(body);
        assert_eq!(post.send().await.unwrap().status(), 200);
    }
    wecom.sandbox.wait_for_delivered("zhangsan", 2).await;
    let mut plain = raw::connect(&relay.url.replace("https:", "http:")).await;
    plain.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: relay\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    assert!(client(&Ca::new(), None, ANY).get(format!("{}/-/ready", relay.url)).send().await.is_err());
    relay.stop().await;
}

#[tokio::test]
async fn with_a_client_ca_only_its_certificates_are_accepted() {
    let wecom = Wecom::start().await;
    let site = Site::new();
    let relay = site.relay(&wecom.url, ", client_ca_file: ca.crt").await;
    let ready = format!("{}/-/ready", relay.url);
    let good = site.ca.issue(ExtendedKeyUsagePurpose::ClientAuth);
    assert_eq!(client(&site.ca, Some(good), ANY).get(&ready).send().await.unwrap().status(), 200);
    assert!(client(&site.ca, None, ANY).get(&ready).send().await.is_err());
    let stranger = Ca::new().issue(ExtendedKeyUsagePurpose::ClientAuth);
    assert!(client(&site.ca, Some(stranger), ANY).get(&ready).send().await.is_err());
    relay.stop().await;
}

#[tokio::test]
async fn a_new_certificate_closes_connections_of_the_old_one() {
    let site = Site::new();
    let relay = site.relay("http://127.0.0.1:9", "").await;
    let ready = format!("{}/-/ready", relay.url);
    let old = client(&site.ca, None, ANY);
    assert_eq!(old.get(&ready).send().await.unwrap().status(), 200);
    let other = Ca::new();
    let (certificate, key) = other.issue(ExtendedKeyUsagePurpose::ServerAuth);
    let tls = TlsConfig::new(certificate.as_bytes(), &Secret::new(key), None).unwrap();
    relay.security.replace(ServerSecurity { access: AccessControl::default(), tls: Some(tls) });
    assert_eq!(client(&other, None, ANY).get(&ready).send().await.unwrap().status(), 200);
    assert!(client(&site.ca, None, ANY).get(&ready).send().await.is_err());
    assert!(old.get(&ready).send().await.is_err(), "the connection of the old certificate is still used");
    relay.stop().await;
}

#[tokio::test]
async fn an_unfinished_handshake_is_closed() {
    let site = Site::new();
    let relay = site.relay("http://127.0.0.1:9", "").await;
    let mut stream = raw::connect(&relay.url.replace("https:", "http:")).await;
    stream.write_all(&[22, 3, 1]).await.unwrap();
    _ = soon(stream.read_to_end(&mut Vec::new())).await;
    relay.stop().await;
}
