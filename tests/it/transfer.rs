//! `outbox move`: from a file of SQLite into PostgreSQL.

use std::{fs, path::Path, process::Command};

use wecom_relay::sandbox::{Api, Fault, Settings};

use wecom_relay::outbox::{CardStore as _, OutboxQuery as _, postgres::LeaseTimes};

use crate::outbox_conformance::{
    cards::{card, labels, resolved, send_card},
    fixture::{acquire, at, claim_one, enqueue, list},
    presses::{accept, claim, done, press},
};
use crate::outbox_postgres;
use crate::outbox_sqlite;
use crate::support::{
    CORP, Options, Process, Relay, SECRET, Wecom, payload,
    postgres::{database_of, shared},
    short_delays, soon,
};

/// Runs `outbox move`, and returns whether it succeeded, with all that it printed.
fn move_from(file: &Path, config: &Path) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
    command.args(["outbox", "move", "--from"]).arg(file).arg("--config").arg(config);
    let ran = command.output().unwrap();
    let text = [ran.stdout, ran.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (ran.status.success(), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_waits_is_sent_after_the_move() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, Options { tuning: short_delays(), ..Options::default() }).await;
    relay.post(&payload("Sent", &[("a", true)])).await;
    soon(relay.settled(1)).await;
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    let long: Vec<(String, bool)> =
        (0..60).map(|n| (format!("a long name of an instance, number {n}"), true)).collect();
    let long: Vec<(&str, bool)> = long.iter().map(|(name, fires)| (name.as_str(), *fires)).collect();
    relay.post(&payload("Parts", &long)).await;
    relay.post(&payload("Waits", &[("a", true)])).await;
    relay.post(&payload("Waits", &[("a", false)])).await;
    let before = relay.listed(&[]).await;

    let url = shared().database();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yml");
    let api = format!("{}/cgi-bin/", wecom.url);
    let yaml = format!(
        "server: {{ listen: '127.0.0.1:0' }}\noutbox: {{ url: '{url}', replica: a }}\napps:\n  - {{ name: ops, corp_id: \
         {CORP}, agent_id: 1000002, api_secret: {SECRET}, api_url: '{api}' }}\nreceivers:\n  - {{ name: wechat, to_user: \
         zhangsan }}\ntimezone: UTC\n"
    );
    fs::write(&config, yaml).unwrap();
    let file = relay.folder.path().join("outbox.db");
    let (ok, text) = move_from(&file, &config);
    assert!(!ok && text.contains("another `serve` uses this outbox"), "{text}");
    let old = relay.stop().await;

    let (ok, text) = move_from(&file, &config);
    assert!(ok && text.contains(&format!("delivery: {} rows", before.len())), "{text}");
    assert!(!file.exists() && old.path().join("outbox.db.moved").exists());
    let (ok, text) = move_from(&file, &config);
    assert!(!ok && text.contains("there is no outbox"), "{text}");

    wecom.sandbox.clear_faults();
    let mut relay = Process::start(&config).await;
    // A duplicate of what the file has accepted is still one.
    assert_eq!(relay.post(&payload("Waits", &[("a", false)])).await, Some(200));
    let seen = soon(wecom.sandbox.wait_for_delivered("zhangsan", before.len())).await;
    let order: Vec<_> = seen.iter().map(|seen| seen.text.lines().next().unwrap().to_owned()).collect();
    let place =
        |text: &str| order.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{order:?}"));
    assert!(place("[FIRING:1] Waits") < place("[RESOLVED] Waits"), "{order:?}");
    assert!(place("(1/") < place("(2/"), "{order:?}");
    relay.signal("TERM");
    assert!(relay.ended().await.success());
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), before.len());
    let states = shared().sql(database_of(&url), "SELECT DISTINCT state FROM wecom_relay.delivery");
    assert_eq!(states, "4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_cards_and_presses_are_moved() {
    let (outbox, directory) = outbox_sqlite::fresh();
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    send_card(&outbox, &lease, card("b", "t2"), "c2", at(1)).await;
    let settled = accept(&outbox, press("t1", 2), at(2)).await;
    let claimed = claim(&outbox, at(2)).await.unwrap();
    outbox.settle_press(settled, claimed.claim, done("acknowledged"), at(3)).await.unwrap();
    let waiting = accept(&outbox, press("t2", 3), at(3)).await;
    drop(lease);
    outbox.close().await;

    let url = shared().database();
    let config = directory.path().join("config.yml");
    let yaml = format!(
        "outbox: {{ url: '{url}', replica: a }}\napps:\n  - {{ name: ops, corp_id: {CORP}, agent_id: 1000002, api_secret: \
         {SECRET} }}\nreceivers:\n  - {{ name: team, to_user: zhang }}\n"
    );
    fs::write(&config, yaml).unwrap();
    let (ok, text) = move_from(&directory.path().join("outbox.db"), &config);
    assert!(ok && text.contains("card: 2 rows") && text.contains("press: 2 rows"), "{text}");

    let outbox = outbox_postgres::open(&url, LeaseTimes::default());
    let first = list(&outbox).await[0].id;
    assert_eq!(outbox.presses(first).await.unwrap()[0].result.as_deref(), Some("acknowledged"));
    let claimed = claim(&outbox, at(4)).await.unwrap();
    assert_eq!((claimed.id, claimed.card.unwrap().labels), (waiting, labels()));
    assert_eq!(claim(&outbox, at(4)).await, None);
    enqueue(&outbox, resolved("a"), at(5)).await;
    let lease = acquire(&outbox, at(5)).await;
    assert_eq!(claim_one(&lease, at(5)).await.open_cards[0].response_code, "c1");
    outbox.close().await;
}
