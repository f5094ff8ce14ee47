//! Sessions with a real PostgreSQL: the socket, TLS, and what is refused.

use rcgen::{CertificateParams, KeyPair};
use wecom_relay::{
    outbox::postgres::{PostgresUrl, Tls},
    secret::Secret,
    tls::ExtraRoots,
};

use crate::support::{
    postgres::{Cluster, shared},
    soon,
};

/// Opens a session, and returns the protocol of its TLS, or the error with its cause.
async fn session(url: &str, roots: &ExtraRoots) -> Result<String, String> {
    let url = PostgresUrl::parse(&Secret::new(url)).unwrap();
    let connected = soon(url.config().connect(Tls::new(roots).unwrap())).await;
    let (client, connection) = connected.map_err(|error| match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })?;
    let query = async {
        let query = "SELECT coalesce(version, 'none') FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let row = client.query_one(query, &[]).await.unwrap();
        drop(client);
        row.get::<_, String>(0)
    };
    let (version, ended) = tokio::join!(query, connection);
    ended.unwrap();
    Ok(version)
}

#[tokio::test]
async fn a_session_uses_a_socket_without_tls() {
    let url = shared().database();
    assert_eq!(session(&url, &ExtraRoots::default()).await, Ok("none".to_owned()));
}

#[tokio::test]
async fn a_server_must_prove_its_name() {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let files = [("tls.crt", certificate.as_str()), ("tls.key", &key.serialize_pem())];
    let settings =
        ["listen_addresses=127.0.0.1", "ssl=on", "ssl_cert_file=../tls.crt", "ssl_key_file=../tls.key"];
    let cluster = Cluster::with_files(&settings, &files);
    let port = cluster.port;
    let trusted = ExtraRoots::from_pem(&certificate).unwrap();
    let by = |host: &str, mode: &str| format!("postgres://relay@{host}:{port}/postgres?sslmode={mode}");
    assert_eq!(session(&by("localhost", "verify-full"), &trusted).await, Ok("TLSv1.3".to_owned()));
    assert_eq!(session(&by("localhost", "disable"), &trusted).await, Ok("none".to_owned()));
    for mode in ["require", "verify-ca", "verify-full"] {
        let unknown_issuer = session(&by("localhost", mode), &ExtraRoots::default()).await.unwrap_err();
        assert!(unknown_issuer.contains("invalid peer certificate: UnknownIssuer"), "{unknown_issuer}");
        let wrong_name = session(&by("127.0.0.1", mode), &trusted).await.unwrap_err();
        assert!(wrong_name.contains("invalid peer certificate"), "{wrong_name}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused() {
    let cluster = Cluster::start(&["listen_addresses=127.0.0.1"]);
    let url = format!("postgres://relay@localhost:{}/postgres?sslmode=require", cluster.port);
    let refused = session(&url, &ExtraRoots::default()).await.unwrap_err();
    assert!(refused.contains("server does not support TLS"), "{refused}");
}
