//! `server.auth` and `server.tls`: accepted values, errors and warnings.

use std::{fs, os::unix::fs::symlink};

use wecom_relay::{config, http::AccessControl, secret::Secret};

use super::{MINIMAL, env, load_in_folder, warnings};

/// [`MINIMAL`] with these keys below `server`.
fn with(server: &str) -> String {
    format!("server:\n  listen: 127.0.0.1:8061\n{server}{MINIMAL}")
}

fn access(source: &str) -> AccessControl {
    super::parse(source).unwrap_or_else(|problems| panic!("{problems}")).config.server.security.access
}

fn problems(source: &str) -> String {
    super::parse(source).unwrap_err().to_string()
}

#[test]
fn credentials_come_from_the_file_or_the_environment() {
    let token = AccessControl::new(Some(&Secret::new("not-a-real-secret")), None);
    assert_eq!(access(&with("  auth: { bearer_token: not-a-real-secret }\n")), token);
    assert_eq!(access(&with("  auth: { bearer_token_env: OPS_SECRET }\n")), token);
    let basic = AccessControl::new(None, Some(("am", &Secret::new("not-a-real-secret"))));
    assert_eq!(
        access(&with("  auth: { basic_auth: { username: am, password: not-a-real-secret } }\n")),
        basic
    );
    assert_eq!(access(&with("  auth: { basic_auth: { username: am, password_env: OPS_SECRET } }\n")), basic);
    assert!(access(MINIMAL).is_open());
}

#[test]
fn a_mounted_kubernetes_secret_is_read_again_after_a_change() {
    let config_yml = with("  auth: { bearer_token_file: secrets/token }\n");
    let (folder, _) = load_in_folder(&[("config.yml", &config_yml), ("secrets/..1/token", "first\n")]);
    let secrets = folder.path().join("secrets");
    symlink("..1", secrets.join("..data")).unwrap();
    symlink("..data/token", secrets.join("token")).unwrap();
    let loaded = || {
        let loaded = config::load(&folder.path().join("config.yml"), &env).unwrap();
        loaded.config.server.security.access
    };
    assert_eq!(loaded(), AccessControl::new(Some(&Secret::new("first")), None));
    fs::create_dir(secrets.join("..2")).unwrap();
    fs::write(secrets.join("..2/token"), "second\r\n").unwrap();
    symlink("..2", secrets.join("..new")).unwrap();
    fs::rename(secrets.join("..new"), secrets.join("..data")).unwrap();
    assert_eq!(loaded(), AccessControl::new(Some(&Secret::new("second")), None));
}

#[test]
fn a_systemd_credential_is_read_by_its_absolute_path() {
    let folder = tempfile::tempdir().unwrap();
    let credential = folder.path().join("credentials/wecom-relay.service/token");
    fs::create_dir_all(credential.parent().unwrap()).unwrap();
    fs::write(&credential, "not-a-real-token\n").unwrap();
    fs::set_permissions(&credential, std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    let source = with(&format!("  auth: {{ bearer_token_file: {} }}\n", credential.display()));
    assert_eq!(access(&source), AccessControl::new(Some(&Secret::new("not-a-real-token")), None));
    assert_eq!(warnings(&source), "");
}

#[test]
fn incomplete_credentials_are_refused() {
    let two = "bearer_token: a, bearer_token_file: b";
    for (auth, expected) in [
        ("", "server.auth: auth has no credentials; set bearer_token, "),
        ("{}", "server.auth: auth has no credentials; set bearer_token, "),
        ("{ bearer_token: }", "server.auth: auth has no credentials; "),
        (
            "{ bearer_token: '' }",
            "server.auth.bearer_token: this is empty; write the token here, or use bearer_token_file",
        ),
        (
            "{ bearer_token: a b }",
            "server.auth.bearer_token: the token has spaces, line breaks or control characters in it",
        ),
        (
            &format!("{{ {two} }}"),
            "server.auth.bearer_token_file: this has more than one token; set exactly one of bearer_token, bearer_token_file and bearer_token_env",
        ),
        (
            "{ bearer_token_env: NO_SECRET }",
            "server.auth.bearer_token_env: the environment variable NO_SECRET is not set; set it, or use bearer_token_file",
        ),
        (
            "{ bearer_token_file: no/such }",
            "server.auth.bearer_token_file: no/such cannot be read: No such file",
        ),
        (
            "{ basic_auth: }",
            "server.auth.basic_auth.username: this is missing; write the user name that Alertmanager sends",
        ),
        (
            "{ basic_auth: { username: am } }",
            "server.auth.basic_auth.password: the user has no password; set exactly one of password, password_file and password_env",
        ),
        (
            "{ basic_auth: { username: 'a:b', password: c } }",
            "server.auth.basic_auth.username: a user name cannot have colons",
        ),
        ("{ basic: { username: a, password: c } }", "server.auth.basic: unknown key; the keys here are "),
        (
            "{ bearer_token: a, basic_auth: { username: am, password: } }",
            "server.auth.basic_auth.password: the user has no password",
        ),
    ] {
        let shown = problems(&with(&format!("  auth: {auth}\n")));
        assert!(shown.contains(expected), "{auth}: {shown}");
    }
}

#[test]
fn bad_tls_files_are_refused_at_their_keys() {
    let key = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (one, other) = (key("one"), key("other"));
    let files = [
        ("one.crt", one.cert.pem()),
        ("one.key", one.signing_key.serialize_pem()),
        ("other.key", other.signing_key.serialize_pem()),
        ("broken.crt", one.cert.pem().replace("MII", "MIJ")),
        ("encrypted.key", one.signing_key.serialize_pem().replace("PRIVATE", "ENCRYPTED PRIVATE")),
        ("none", String::new()),
    ];
    for (tls, expected) in [
        ("cert_file: one.crt, key_file: one.key", None),
        ("cert_file: one.crt, key_file: one.key, client_ca_file: one.crt", None),
        (
            "cert_file: one.crt, key_file: other.key",
            Some(
                "key_file: this file cannot be used: it is not the key of the certificate in cert_file; name the private key of ",
            ),
        ),
        (
            "cert_file: one.key, key_file: one.key",
            Some("cert_file: this file cannot be used: it has no certificate in PEM; it must start with "),
        ),
        (
            "cert_file: broken.crt, key_file: one.key",
            Some("cert_file: this file cannot be used: its first certificate cannot be used: "),
        ),
        (
            "cert_file: one.crt, key_file: one.crt",
            Some("key_file: this file cannot be used: it has no unencrypted private key in PEM; "),
        ),
        (
            "cert_file: one.crt, key_file: encrypted.key",
            Some("key_file: this file cannot be used: it has no unencrypted private key in PEM; "),
        ),
        (
            "cert_file: one.crt, key_file: none",
            Some("key_file: this file cannot be used: it has no unencrypted private key in PEM; "),
        ),
        ("cert_file: no.crt, key_file: no.key", Some("cert_file: no.crt cannot be read: No such file")),
        ("cert_file: no.crt, key_file: no.key", Some("key_file: no.key cannot be read: No such file")),
        (
            "cert_file: one.crt",
            Some("key_file: this is missing; name a PEM file with the private key of the certificate"),
        ),
        (
            "cert_file: one.crt, key_file: one.key, client_ca_file: none",
            Some("client_ca_file: this file cannot be used: it has no certificate in PEM; "),
        ),
        ("cert_file: one.crt, key_file: one.key, client_ca_file:", Some("client_ca_file: this is missing; ")),
        ("", Some("cert_file: this is missing; name a PEM file with the certificate of the relay")),
    ] {
        let config_yml = with(&format!("  tls: {{ {tls} }}\n"));
        let mut files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        files.push(("config.yml", &config_yml));
        let (_folder, loaded) = load_in_folder(&files);
        match (loaded, expected) {
            (Ok(loaded), None) => {
                assert!(loaded.config.server.security.tls.is_some() && loaded.warnings.is_empty());
            }
            (Ok(_), Some(expected)) => panic!("{tls} is accepted instead of refused with {expected}"),
            (Err(shown), expected) => {
                let expected = expected.unwrap_or_else(|| panic!("{tls}: {shown}"));
                assert!(shown.contains(&format!("server.tls.{expected}")), "{tls}: {shown}");
                assert!(!shown.contains("-----BEGIN PRIVATE") && !shown.contains("MII"), "{shown}");
            }
        }
    }
}

#[test]
fn an_open_port_on_the_network_is_a_warning() {
    let listening =
        |address: &str, more: &str| warnings(&format!("server:\n  listen: '{address}'\n{more}{MINIMAL}"));
    for address in ["127.0.0.1:8061", "127.1.2.3:1", "[::1]:8061", "[::ffff:127.0.0.1]:8061"] {
        assert_eq!(listening(address, ""), "", "{address}");
    }
    for address in ["0.0.0.0:8061", "[::]:8061", "192.0.2.1:8061"] {
        assert_eq!(
            listening(address, ""),
            format!(
                "config.yml:2:11: server.listen: anyone who can reach {address} can send messages through the \
                 apps; set server.auth, or listen on 127.0.0.1:8061 only"
            )
        );
        assert_eq!(listening(address, "  auth: { bearer_token: x }\n"), "");
    }
}

#[test]
fn the_memory_for_webhooks_has_bounds() {
    let refused = |memory: &str| problems(&with(&format!("  max_memory: {memory}\n")));
    let texts = ["64MiB", "1000GiB", "much"].map(refused).join("\n");
    insta::assert_snapshot!(texts, @r#"
    config.yml:3:15: server.max_memory: this is too small; write at least 256MiB; a body may have 32 MiB, and its values need more
    config.yml:3:15: server.max_memory: this is too large; write at most 64GiB
    config.yml:3:15: server.max_memory: "much" is not a size; write it as 384MiB or 1GiB
    "#);
}
