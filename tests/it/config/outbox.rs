//! `outbox`: a file of SQLite or a database of PostgreSQL.

use std::path::Path;

use wecom_relay::config::{self, Database, Postgres};

use super::{MINIMAL, load_in_folder, parse, warnings};

const URL: &str = "postgres://relay:s3cr3t@db1,db2:5433/alerts";

fn with(outbox: &str) -> String {
    format!("outbox: {{ {outbox} }}{MINIMAL}server: {{ listen: '127.0.0.1:8061' }}\n")
}

/// The database of a configuration with this outbox and these files.
fn database(outbox: &str, files: &[(&str, &str)]) -> Result<Postgres, String> {
    let source = with(outbox);
    let files = [&[("config.yml", source.as_str())], files].concat();
    let (_folder, loaded) = load_in_folder(&files);
    match loaded?.config.outbox.database {
        Database::Postgres(database) => Ok(*database),
        Database::File(path) => Err(format!("the file {}", path.display())),
    }
}

#[test]
fn a_url_names_the_outbox_in_three_ways() {
    let from_file = database("url_file: url, replica: relay-1", &[("url", &format!("{URL}\n"))]).unwrap();
    assert_eq!(from_file.url.to_string(), "database alerts on db1,db2:5433");
    assert_eq!(from_file.replica, "relay-1");
    assert!(from_file.extra_roots.is_empty());
    let inline = database(&format!("url: '{URL}'"), &[]).unwrap();
    assert_eq!(inline.url, from_file.url);
    // The default is the name of the machine.
    assert!(!inline.replica.is_empty());
    let env = |name: &str| (name == "OUTBOX_URL").then(|| URL.to_owned());
    let loaded = config::parse(&with("url_env: OUTBOX_URL"), Path::new("config.yml"), &env).unwrap();
    assert!(matches!(loaded.config.outbox.database, Database::Postgres(named) if named.url == inline.url));
}

#[test]
fn a_ca_comes_from_the_configuration_or_from_the_url() {
    let ca = rcgen::generate_simple_self_signed(["db1".to_owned()]).unwrap().cert.pem();
    for outbox in [
        format!("url: '{URL}', ca_file: ca.crt"),
        format!("url: '{URL}?sslrootcert=ca.crt'"),
        format!("url: '{URL}?sslrootcert=ca.crt', ca_file: ca.crt"),
    ] {
        let database = database(&outbox, &[("ca.crt", &ca)]).unwrap();
        assert!(!database.extra_roots.is_empty(), "{outbox}");
    }
    let missing = database(&format!("url: '{URL}?sslrootcert=no.crt'"), &[]).unwrap_err();
    insta::assert_snapshot!(missing, @"config.yml:1:16: outbox.url: no.crt cannot be read: No such file or directory (os error 2); name a PEM file with the certificate of the CA, which starts with -----BEGIN CERTIFICATE-----");
}

#[test]
fn a_mistake_shows_what_would_be_right_and_no_secret() {
    let refused = [
        format!("path: outbox.db, url: '{URL}'"),
        format!("url: '{URL}', url_file: url"),
        format!("path: '{URL}'"),
        format!("url: '{URL}?sslmode=prefer'"),
        format!("url: '{URL}?s3cr3t=1'"),
        "url: 'relay:s3cr3t@db1'".to_owned(),
        "url_env: NO_URL".to_owned(),
        "ca_file: ca.crt".to_owned(),
        "replica: relay-1".to_owned(),
        format!("url: '{URL}', replica: \"a\\nb\""),
        format!("dsn: '{URL}'"),
    ]
    .map(|outbox| parse(&with(&outbox)).unwrap_err().to_string());
    assert!(refused.iter().all(|error| !error.contains("s3cr3t")), "{refused:#?}");
    insta::assert_snapshot!(refused.join("\n"), @r#"
    config.yml:1:17: outbox.path: the outbox has a path and a URL; set path for a file of SQLite, or one of url, url_file and url_env for a database of PostgreSQL
    config.yml:1:73: outbox.url_file: the outbox has more than one URL; set exactly one of url, url_file and url_env
    config.yml:1:17: outbox.path: this is the URL of a PostgreSQL database; write it as outbox.url, or into the file of outbox.url_file
    config.yml:1:16: outbox.url: sslmode prefer and allow use a session without TLS when the server, or an attacker, refuses TLS; write sslmode=verify-full, which is also the default, or sslmode=disable for a network that you trust
    config.yml:1:16: outbox.url: a key after the ? is unknown; the known keys are sslmode, sslrootcert, target_session_attrs, load_balance_hosts, application_name, options, user, password, dbname, host
    config.yml:1:16: outbox.url: the URL does not start with postgres://; write postgres://relay:PASSWORD@db1,db2/relay
    config.yml:1:20: outbox.url_env: the environment variable NO_URL is not set; set it, or use url_file
    config.yml:1:20: outbox.ca_file: this is for a database of PostgreSQL; set outbox.url, url_file or url_env, or remove this key
    config.yml:1:20: outbox.replica: this is for a database of PostgreSQL; set outbox.url, url_file or url_env, or remove this key
    config.yml:1:72: outbox.replica: this is no name; write a name such as relay-1, which no other replica has
    config.yml:1:11: outbox.dsn: unknown key; write the URL of a PostgreSQL database into a file, and name it in outbox.url_file
    "#);
}

#[test]
fn a_network_without_tls_is_a_warning() {
    insta::assert_snapshot!(warnings(&with(&format!("url: '{URL}?sslmode=disable'"))), @"config.yml:1:16: outbox.url: with sslmode=disable, the password and all alerts cross the network without TLS; remove sslmode=disable, and let the server use TLS");
    assert_eq!(warnings(&with("url: 'postgres://relay@localhost/relay'")), "");
}

#[test]
fn replicas_with_the_same_configuration_have_the_same_fingerprint() {
    let fingerprint = |source: &str| parse(source).unwrap().config.fingerprint();
    let of = |replica: &str| {
        fingerprint(
            &with("url: 'postgres://relay@localhost'\n").replace("apps:", &format!("# {replica}\napps:")),
        )
    };
    assert_eq!(of("one"), of("one"));
    assert_ne!(of("one"), of("two"));
    let named = |name: &str| {
        fingerprint(&format!("outbox:\n  url: 'postgres://relay@localhost'\n  replica: {name}{MINIMAL}"))
    };
    assert_eq!(named("one"), named("two"));
}
