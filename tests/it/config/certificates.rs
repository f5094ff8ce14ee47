//! `ca_file` of an app and `SSL_CERT_FILE`.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use wecom_relay::config::{self, Loaded};

use super::{MINIMAL, load_in_folder};

fn certificate(last_year: i32) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 2);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

/// Loads a configuration whose app has a `ca_file` with this text.
fn with_ca_file(text: &str) -> Result<Loaded, String> {
    let config = MINIMAL.replace("    agent_id", "    ca_file: ca.crt\n    agent_id");
    load_in_folder(&[("config.yml", &config), ("ca.crt", text)]).1
}

#[test]
fn a_bad_ca_file_is_named_with_its_problem() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (text, problem) in [
        ("", "it is not PEM"),
        ("MIIB", "it is not PEM"),
        (&key, "it has no certificate"),
        (damaged, "its certificates are damaged"),
    ] {
        let error = with_ca_file(text).unwrap_err();
        assert!(error.contains("apps[0].ca_file: this file cannot be used: "), "{error}");
        assert!(error.contains(problem), "{problem}: {error}");
    }
    let missing = MINIMAL.replace("    agent_id", "    ca_file: no.crt\n    agent_id");
    let error = load_in_folder(&[("config.yml", &missing)]).1.unwrap_err();
    assert!(error.contains("ca_file: no.crt cannot be read: No such file"), "{error}");
}

#[test]
fn an_expired_ca_is_a_warning_with_the_date() {
    let loaded = with_ca_file(&(certificate(2021) + &certificate(2999))).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    let expired = warnings.iter().filter(|warning| warning.contains("expired on 2021-01-02")).count();
    assert_eq!(expired, 1, "{warnings:?}");
    assert_eq!(loaded.config.apps[0].connection.extra_roots.len(), 2);
}

#[test]
fn ssl_cert_file_is_trusted_and_a_bad_one_is_a_warning() {
    let load = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.crt");
        std::fs::write(&path, text).unwrap();
        let path = path.display().to_string();
        let env = |name: &str| (name == "SSL_CERT_FILE").then(|| path.clone());
        config::parse(MINIMAL, Path::new("config.yml"), &env).unwrap()
    };
    assert_eq!(load(&certificate(2999)).config.apps[0].connection.extra_roots.len(), 1);
    for (text, problem) in [
        ("", "SSL_CERT_FILE names this file, but it is not PEM; correct the variable or unset it"),
        (&certificate(2021), "SSL_CERT_FILE names this file, but its last certificate expired on 2021-01-02"),
    ] {
        let loaded = load(text);
        assert!(loaded.config.apps[0].connection.extra_roots.is_empty());
        let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.iter().any(|warning| warning.contains(problem)), "{warnings:?}");
    }
}
