//! Two versions of the schema: what an older program does beside a newer one.

use std::time::Duration;

use super::site::Site;
use crate::support::{
    Process, eventually, http_client,
    members::{member, payload_for},
    process::post,
};

/// The migration of a newer program, which only adds: an older one can live with it.
const ADDS: &str = "BEGIN; LOCK TABLE wecom_relay.migration IN ACCESS EXCLUSIVE MODE; \
     ALTER TABLE wecom_relay.delivery ADD COLUMN added text NOT NULL DEFAULT 'none'; \
     CREATE TABLE wecom_relay.added (id bigint PRIMARY KEY); \
     INSERT INTO wecom_relay.migration VALUES (100, 1, clock_timestamp()); COMMIT";
/// The migration of a program that is newer still, with which the present one cannot live.
const REMOVES: &str = "INSERT INTO wecom_relay.migration VALUES (101, 101, clock_timestamp())";
/// The replicas connect anew, and look at the schema.
const DISCONNECT: &str =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'relay'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_upgrade_loses_and_doubles_nothing() {
    let mut site = Site::start(&[]).await;
    let load = site.load();
    site.owned().await;
    // Both replicas go on with the sessions that they have, and with new ones.
    site.sql(ADDS);
    tokio::time::sleep(Duration::from_secs(1)).await;
    site.sql(DISCONNECT);
    for _ in 0..2 {
        let (owner, epoch) = (site.owned().await, site.epoch());
        site.stop(owner).await;
        site.taken_over(&epoch).await;
        site.launch(owner).await;
    }
    site.check(load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_too_old_for_the_schema_refuses_it() {
    let mut site = Site::start(&[]).await;
    site.stop(0).await;
    site.sql(REMOVES);
    let mut refused = Process::launch(site.command(0));
    assert!(!refused.ended().await.success());
    let log = refused.log.join("\n");
    assert!(log.contains("has schema version 101, this program knows "), "{log}");
    assert!(log.contains(": run the newer program"), "{log}");
    // A replica that runs already stores nothing more when it connects anew.
    site.sql(DISCONNECT);
    let (client, url) = (http_client(), &site.urls[1]);
    let alert = payload_for(&member(0), "Group", &[("a", true)]);
    eventually(async || post(&client, url, &alert).await, |status| *status == Some(503)).await;
    let ready = async || {
        let answer = client.get(format!("{url}/-/ready")).send().await.unwrap();
        answer.text().await.unwrap()
    };
    let is_explained =
        |reason: &String| reason.contains("the schema has version 101, which needs a newer program");
    eventually(ready, is_explained).await;
    // The newer program is taken back.
    site.sql("DELETE FROM wecom_relay.migration WHERE version = 101");
    eventually(async || post(&client, url, &alert).await, |status| *status == Some(200)).await;
    site.stop(1).await;
}
