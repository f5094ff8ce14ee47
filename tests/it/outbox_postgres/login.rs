//! The URL in a file that changes while the relay runs.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::support::{
    CORP, Process, SECRET, eventually, payload,
    postgres::{Cluster, database_of},
};

/// The log line after a change of a secret file.
const IN_USE: &str = "secret files changed, the new secrets are in use";
const NEEDS_RESTART: &str = "these keys changed and need a restart; the old values stay in use until then";

/// A server whose role `relay` needs a password.
fn cluster() -> Cluster {
    let cluster = Cluster::start(&[]);
    let rules = "VALUES ('local all postgres trust'), ('local all all scram-sha-256')";
    let file = cluster.socket().join("data/pg_hba.conf");
    cluster.sql("postgres", &format!("COPY ({rules}) TO '{}'", file.display()));
    cluster.sql("postgres", "SELECT pg_reload_conf()");
    cluster
}

fn set_password(cluster: &Cluster, password: &str) {
    cluster.sql("postgres", &format!("ALTER ROLE relay PASSWORD '{password}'"));
}

fn write_url(file: &Path, url: &str, password: &str) {
    fs::write(file, url.replacen("relay@", &format!("relay:{password}@"), 1)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_sessions_use_a_changed_password() {
    let cluster = cluster();
    let url = cluster.database();
    let folder = TempDir::new().unwrap();
    let (config, file) = (folder.path().join("config.yml"), folder.path().join("url"));
    let yaml = format!(
        "server: {{ listen: '127.0.0.1:0' }}\noutbox: {{ url_file: url }}\napps:\n  - {{ name: ops, corp_id: {CORP}, \
         agent_id: 1000002, api_secret: {SECRET}, api_url: 'http://127.0.0.1:9/cgi-bin/' }}\n\
         receivers: [{{ name: wechat, to_user: zhangsan }}]\n"
    );
    fs::write(&config, yaml).unwrap();
    set_password(&cluster, "first");
    write_url(&file, &url, "first");
    let mut relay = Process::start(&config).await;
    assert_eq!(relay.post(&payload("First", &[("a", true)])).await, Some(200));

    set_password(&cluster, "second");
    write_url(&file, &url, "second");
    relay.logged(IN_USE).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'relay'";
    cluster.sql(database_of(&url), end);
    let second = payload("Second", &[("a", true)]);
    eventually(async || relay.post(&second).await, |status| *status == Some(200)).await;

    write_url(&file, &cluster.database(), "second");
    let keys = relay.logged(NEEDS_RESTART).await["keys"].clone();
    assert_eq!(keys, "outbox.url");
    relay.signal("TERM");
    assert!(relay.ended().await.success());
    assert_eq!(cluster.sql(database_of(&url), "SELECT count(*) FROM wecom_relay.delivery"), "2");
}
