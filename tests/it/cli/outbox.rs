//! `outbox`, beside a running relay.

use std::fs;

use serde_json::Value;
use wecom_relay::{
    outbox::{CardStore as _, DeliveryId, NewPress, PressVerdict, State},
    sandbox::{Api, Fault},
};

use super::{Workdir, command, run};
use crate::outbox_conformance::{
    cards::{card, send_card},
    fixture::{acquire, at},
    presses::{accept, claim, done, press},
};
use crate::outbox_sqlite;
use crate::support::{Options, Relay, Wecom, eventually, payload, payload_at, redacted};

/// A running relay, and a folder for commands that use its outbox.
struct Setup {
    wecom: Wecom,
    relay: Relay,
    workdir: Workdir,
}

impl Setup {
    async fn start() -> Self {
        let wecom = Wecom::start().await;
        let relay = Relay::start(&wecom.url).await;
        let workdir = Workdir::of(&Options::default().yaml(&wecom.url, &relay.folder));
        Self { wecom, relay, workdir }
    }

    /// Starts with one dead letter, which WeCom refused with 40008.
    async fn with_dead_letter() -> Self {
        let setup = Self::start().await;
        setup.wecom.sandbox.inject(Fault::errcode(40008).on(Api::MessageSend).times(1));
        setup.relay.post(&payload("Down", &[("a", true)])).await;
        setup.relay.settled(1).await;
        setup
    }
}

async fn list(workdir: &Workdir, args: &[&str]) -> Vec<Value> {
    let args: Vec<&str> = ["outbox", "list", "--json"].iter().chain(args).copied().collect();
    let out = workdir.run(&args).await.success();
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_dead_letter_is_listed_shown_and_requeued() {
    let setup = Setup::with_dead_letter().await;
    let Setup { wecom, relay, workdir } = &setup;
    let table = workdir.run(&["outbox", "list", "--state", "dead", "--receiver", "wechat"]).await.success();
    let rows = table.lines().map(|line| {
        let mut cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        // The age depends on the time.
        cells.remove(3);
        cells.join(" | ")
    });
    insta::assert_snapshot!(redacted(&rows.collect::<Vec<_>>().join("\n")), @"
    ID | STATE | RECEIVER | ATTEMPTS | PART | SUMMARY
    1 | dead | wechat | 1 | 1/1 | [FIRING:1] Down (critical) a — WeCom refused message/send (40008): WeCom does not know the message type. WeCom…
    ");

    let shown = workdir.run(&["outbox", "show", "1"]).await.success();
    insta::assert_snapshot!(redacted(&shown), @r#"
    delivery:           1, part 1 of 1 of notification 1 (alert, firing)
    state:              dead since TIME
    reason:             WeCom refused message/send (40008): WeCom does not know the message type. WeCom's text: invalid message type, hint: [HINT], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=40008
    receiver:           wechat, through app ops
    group:              {}:{alertname="Down"}
    to:                 user zhangsan
    accepted:           TIME
    summary:            [FIRING:1] Down (critical) a
    attempts:           1
      TIME  DURATION s  errcode 40008  message/send answered errcode 40008: invalid message type, hint: [HINT], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=40008
    message (text, 242 bytes):
      | [FIRING:1] Down (critical)
      | 
      | Alerts Firing:
      | Labels:
      |  - alertname = Down
      |  - instance = a
      |  - severity = critical
      | Annotations:
      | Source: http://prometheus.example.com/graph
      | 
      | 
      | AlertmanagerUrl:
      | http://alertmanager.example.com/#/alerts?receiver=wechat
    "#);
    let json: Value =
        serde_json::from_str(&workdir.run(&["outbox", "show", "1", "--json"]).await.success()).unwrap();
    assert_eq!((&json["state"], &json["touser"]), (&Value::from("dead"), &Value::from("zhangsan")));
    assert_eq!(json["history"][0]["errcode"], 40008);
    assert_eq!(json["accepted_at"].as_str().unwrap().len(), "2026-11-21T08:00:00Z".len());

    let out = workdir.run(&["outbox", "requeue", "1"]).await.success();
    assert_eq!(
        out,
        "delivery 1 requeued; the relay sends it while it runs and its app is not held, and `wecom-relay outbox show 1` \
         shows the result\n"
    );
    let seen = wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    assert!(seen[0].text.starts_with("[FIRING:1] Down "));
    relay.settled(1).await;
    let shown = workdir.run(&["outbox", "show", "1"]).await.success();
    insta::assert_snapshot!(redacted(&shown.replace(&*seen[0].msgid, "MSGID")), @r#"
    delivery:           1, part 1 of 1 of notification 1 (alert, firing)
    state:              delivered since TIME
    reason:             accepted
    receiver:           wechat, through app ops
    group:              {}:{alertname="Down"}
    to:                 user zhangsan
    accepted:           TIME
    msgid:              MSGID
    summary:            [FIRING:1] Down (critical) a
    attempts:           2, of which 1 counts: attempts before a requeue, and failures of the app or of WeCom, do not
      TIME  DURATION s  errcode 40008  message/send answered errcode 40008: invalid message type, hint: [HINT], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=40008
      TIME  DURATION s  errcode 0  accepted
    message (text, 242 bytes):
      | [FIRING:1] Down (critical)
      | 
      | Alerts Firing:
      | Labels:
      |  - alertname = Down
      |  - instance = a
      |  - severity = critical
      | Annotations:
      | Source: http://prometheus.example.com/graph
      | 
      | 
      | AlertmanagerUrl:
      | http://alertmanager.example.com/#/alerts?receiver=wechat
    "#);
    let err = workdir.run(&["outbox", "requeue", "1"]).await.failure(1);
    assert_eq!(
        err,
        "delivery 1 is not requeued: it is delivered; WeCom has accepted it, and nothing is sent twice\n"
    );
    setup.relay.stop().await;
}

#[tokio::test]
async fn all_dead_letters_are_requeued_at_once() {
    let setup = Setup::start().await;
    let Setup { wecom, relay, workdir } = &setup;
    assert_eq!(
        workdir.run(&["outbox", "requeue", "--all-dead"]).await.success(),
        "there are no dead letters with a recipient\n"
    );
    wecom.sandbox.inject(Fault::errcode(40008).on(Api::MessageSend).times(2));
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.post(&payload("Slow", &[("a", true)])).await;
    relay.settled(2).await;
    let out = workdir.run(&["outbox", "requeue", "--all-dead"]).await.success();
    assert_eq!(
        out,
        "2 dead letters requeued; the relay sends them while it runs, and `wecom-relay outbox list` shows the results\n"
    );
    wecom.sandbox.wait_for_delivered("zhangsan", 2).await;
    setup.relay.stop().await;
}

#[tokio::test]
async fn retry_is_a_hidden_alias_of_requeue() {
    let setup = Setup::start().await;
    let out = setup.workdir.run(&["outbox", "retry", "--all-dead"]).await.success();
    assert_eq!(out, "there are no dead letters with a recipient\n");
    let help = setup.workdir.run(&["outbox", "--help"]).await.success();
    insta::assert_snapshot!(help, @"
    Show, requeue and discard deliveries

    Usage: wecom-relay outbox [OPTIONS] <COMMAND>

    Commands:
      list     List deliveries, newest first
      show     Show everything about one delivery
      requeue  Send dead or discarded deliveries again, and try a ready delivery now
      discard  Discard a delivery that is waiting or dead
      recall   Take back messages that WeCom delivered within the last 24 hours
      move     Move the outbox from a file of SQLite into the PostgreSQL database of the configuration
      help     Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help

    Global options:
      -c, --config <FILE>            Use this configuration [default: config.yml here, then
                                     /etc/wecom-relay/config.yml] [env: WECOM_RELAY_CONFIG=]
          --log-level <LEVEL>        Log at this level: error, warn, info, debug, trace, or by module as
                                     in wecom_relay=debug,warn [env: WECOM_RELAY_LOG=]
          --log-format <LOG_FORMAT>  Write log lines in this format [env: WECOM_RELAY_LOG_FORMAT=]
                                     [default: text] [possible values: text, json]
          --log-time <LOG_TIME>      Write the times of log lines in UTC, or in the zone of TZ or the
                                     system [env: WECOM_RELAY_LOG_TIME=] [default: utc] [possible
                                     values: utc, local]

    Examples:
      wecom-relay outbox list --state dead
      wecom-relay outbox list --receiver wechat --newer-than 1h --json
      wecom-relay outbox show 42
      wecom-relay outbox requeue --all-dead
      wecom-relay outbox recall 42 43
      wecom-relay outbox move --from /var/lib/wecom-relay/outbox.db
    ");
    setup.relay.stop().await;
}

#[tokio::test]
async fn a_waiting_delivery_shows_why_it_waits() {
    let setup = Setup::start().await;
    let Setup { wecom, relay, workdir } = &setup;
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.post(&payload("Down", &[("a", false)])).await;
    let is_held = |shown: &String| shown.contains("app held:");
    let shown = eventually(async || workdir.run(&["outbox", "show", "1"]).await.success(), is_held).await;
    let line = |shown: &str, name: &str| {
        let line = shown.lines().find(|line| line.starts_with(name));
        redacted(line.unwrap_or_else(|| panic!("{name}: {shown}")))
    };
    assert_eq!(line(&shown, "state:"), "state:              ready, and waits until its app is released");
    let held = line(&shown, "app held:");
    assert!(
        held.contains("since TIME, and the next attempt is at TIME: ") && held.contains("60020"),
        "{held}"
    );
    let attempts = "attempts:           1, of which 0 count: attempts before a requeue, and failures of the app or of WeCom, do not";
    assert_eq!(line(&shown, "attempts:"), attempts);
    let newest = list(workdir, &["--limit", "1"]).await[0]["id"].to_string();
    let shown = workdir.run(&["outbox", "show", &newest]).await.success();
    let state = "state:              queued behind an earlier delivery of its group";
    assert_eq!(line(&shown, "state:"), state);
    let requeued = workdir.run(&["outbox", "requeue", "1"]).await;
    assert!(requeued.out.starts_with("delivery 1 requeued; "), "{requeued:?}");
    assert!(requeued.err.starts_with("app ops is held since "), "{requeued:?}");
    setup.relay.stop().await;
}

#[tokio::test]
async fn a_dead_letter_is_discarded_once() {
    let setup = Setup::with_dead_letter().await;
    let workdir = &setup.workdir;
    let out = workdir.run(&["outbox", "discard", "1"]).await.success();
    assert_eq!(out, "delivery 1 discarded; undo this with `wecom-relay outbox requeue 1`\n");
    let err = workdir.run(&["outbox", "discard", "1"]).await.failure(1);
    assert_eq!(err, "delivery 1 is not changed: it is discarded; nothing is left to do\n");
    assert_eq!(list(workdir, &["--state", "discarded"]).await.len(), 1);
    assert!(list(workdir, &["--state", "dead"]).await.is_empty());
    setup.relay.stop().await;
}

/// An operator may look at the outbox without the right to read the secret of an app.
#[tokio::test]
async fn only_the_outbox_of_a_configuration_must_be_valid() {
    let Setup { wecom: _wecom, relay, workdir } = Setup::start().await;
    relay.post(&payload("Down", &[("a", true)])).await;
    let _folder = relay.stop().await;
    let config = workdir.folder.path().join("config.yml");
    let outbox = fs::read_to_string(&config).unwrap();
    let outbox = outbox.lines().find(|line| line.contains("outbox.db")).unwrap().to_owned();
    let apps = "apps: [{ name: ops, api_secret_file: /no/such/file, corp_id: '${NOT_SET}' }]";
    fs::write(&config, format!("outbox:\n  {}\n{apps}\nreceivers: wrong\n", outbox.trim())).unwrap();
    assert_eq!(list(&workdir, &[]).await.len(), 1);
    fs::write(&config, "outbox: { file: x, max_size: 1 }\n").unwrap();
    let error = workdir.run(&["outbox", "list"]).await.failure(64);
    assert_eq!(error.lines().count(), 2, "{error}");
}

#[tokio::test]
async fn an_unknown_delivery_is_an_error() {
    let setup = Setup::start().await;
    let mut errors = String::new();
    for command in ["show", "requeue", "discard"] {
        errors += &setup.workdir.run(&["outbox", command, "77"]).await.failure(1);
    }
    insta::assert_snapshot!(errors, @"
    there is no delivery 77; `wecom-relay outbox list` shows the existing ones (settled deliveries are deleted after outbox.retention)
    there is no delivery 77; `wecom-relay outbox list` shows the existing ones (settled deliveries are deleted after outbox.retention)
    there is no delivery 77; `wecom-relay outbox list` shows the existing ones (settled deliveries are deleted after outbox.retention)
    ");
    let ended = setup.workdir.run(&["outbox", "list"]).await;
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "", "the outbox is empty\n"));
    let ended = setup.workdir.run(&["outbox", "list", "--state", "dead"]).await;
    assert_eq!(ended.err, "no delivery matches\n");
    setup.relay.stop().await;
}

#[tokio::test]
async fn a_list_has_all_pages_and_obeys_its_filters() {
    let Setup { wecom, relay, workdir } = Setup::start().await;
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    let posts = (0..1201).map(|number| {
        let relay = &relay;
        async move {
            relay.post(&payload_at(&format!("Group{number}"), &[("a", true)], "2026-11-21T08:00:00Z")).await
        }
    });
    futures_util::future::join_all(posts).await;
    // The command works without a running relay too.
    let _folder = relay.stop().await;
    let all = list(&workdir, &[]).await;
    let ids: Vec<i64> = all.iter().map(|one| one["id"].as_i64().unwrap()).collect();
    assert!(ids.len() >= 1201 && ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    assert_eq!(list(&workdir, &["--limit", "700"]).await, all[..700]);
    assert_eq!(list(&workdir, &["--newer-than", "1h"]).await, all);
    assert_eq!(list(&workdir, &["--receiver", "wechat"]).await, all);
    assert!(list(&workdir, &["--older-than", "1h"]).await.is_empty());
    assert!(list(&workdir, &["--receiver", "another"]).await.is_empty());
    let listed = workdir.run(&["outbox", "list"]).await;
    let newest = format!("{} ", ids[0]);
    assert!(listed.out.lines().nth(1).unwrap().starts_with(&newest), "{listed:?}");
    assert_eq!(listed.out.lines().count(), 51);
    insta::assert_snapshot!(listed.err.lines().next().unwrap(), @"these are the newest 50; see more with --limit, or fewer with --state dead");
    let mut count = 0;
    for state in State::ALL {
        let listed = list(&workdir, &["--state", state.name()]).await;
        assert!(listed.iter().all(|one| one["state"] == state.name()));
        count += listed.len();
    }
    assert_eq!(count, ids.len());
    let states: Vec<&str> = State::ALL.iter().flat_map(|state| ["--state", state.name()]).collect();
    assert_eq!(list(&workdir, &states).await, all);
}

#[tokio::test]
async fn folded_deliveries_are_listed_by_their_digest() {
    let Setup { wecom: _wecom, relay, workdir } = Setup::start().await;
    let posts = (0..60).map(|number| {
        let relay = &relay;
        async move {
            relay.post(&payload_at(&format!("Group{number}"), &[("a", true)], "2026-11-21T08:00:00Z")).await
        }
    });
    futures_util::future::join_all(posts).await;
    relay.settled(61).await;
    let all = list(&workdir, &[]).await;
    let digest = all.iter().find(|one| one["kind"] == "digest").unwrap()["id"].as_i64().unwrap();
    let folded = list(&workdir, &["--digest", &digest.to_string()]).await;
    assert!(!folded.is_empty() && folded.iter().all(|one| one["digest"] == digest), "{folded:?}");
    let table = workdir.run(&["outbox", "list", "--digest", &digest.to_string()]).await.success();
    let reason = format!("folded into digest {digest}");
    assert!(table.lines().skip(1).all(|line| line.ends_with(&reason)), "{table}");
    let shown = workdir.run(&["outbox", "show", &folded[0]["id"].to_string()]).await.success();
    assert!(shown.contains(&format!("digest:             folded into delivery {digest}\n")), "{shown}");
    relay.stop().await;
}

#[tokio::test]
async fn a_list_may_be_cut_off_by_its_reader() {
    let setup = Setup::with_dead_letter().await;
    let mut list = command(&["outbox", "list"]);
    list.current_dir(setup.workdir.folder.path()).stdout(std::process::Stdio::piped());
    let mut child = list.spawn().unwrap();
    drop(child.stdout.take());
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    setup.relay.stop().await;
}

#[tokio::test]
async fn a_missing_outbox_is_an_error_with_its_path() {
    let workdir = Workdir::with(&Options::default(), "http://127.0.0.1:9");
    let err = workdir.run(&["outbox", "list"]).await.failure(1);
    insta::assert_snapshot!(redacted(&err), @"wecom-relay: there is no outbox at FOLDER/outbox.db; `serve` creates it: is `outbox.path` the daemon's?");
    assert!(!workdir.folder.path().join("outbox.db").exists());
    let config = workdir.folder.path().join("config.yml");
    let in_other_folder = command(&["outbox", "list", "--config", config.to_str().unwrap()]);
    assert_eq!(run(in_other_folder, String::new()).await.failure(1), err);
}

#[tokio::test]
async fn the_presses_of_a_card_are_shown_with_their_results() {
    let (outbox, folder) = outbox_sqlite::fresh();
    let lease = acquire(&outbox, at(0)).await;
    send_card(&outbox, &lease, card("a", "t1"), "c1", at(1)).await;
    accept(&outbox, press("t1", 2), at(2)).await;
    let claimed = claim(&outbox, at(2)).await.unwrap();
    outbox.settle_press(claimed.id, claimed.claim, done("acknowledged"), at(3)).await.unwrap();
    accept(&outbox, NewPress { button: "silence:3600".to_owned(), ..press("t1", 4) }, at(4)).await;
    let failed = claim(&outbox, at(4)).await.unwrap();
    let reason = "Alertmanager does not respond".to_owned();
    let retry = PressVerdict::Retry { at: at(9), reason: reason.clone() };
    outbox.settle_press(failed.id, failed.claim, retry, at(4)).await.unwrap();
    accept(&outbox, NewPress { button: "silence:7200".to_owned(), ..press("t1", 5) }, at(5)).await;
    outbox.recalled(DeliveryId(1), at(5)).await.unwrap();
    outbox.close().await;

    let workdir = Workdir::of(&Options::default().yaml("http://127.0.0.1:9", &folder));
    let shown = workdir.run(&["outbox", "show", "1"]).await.success();
    let lines = |name: &str| {
        let lines = shown.lines().filter(|line| line.starts_with(name));
        redacted(&lines.collect::<Vec<_>>().join("\n"))
    };
    insta::assert_snapshot!(lines("pressed:"), @"
    pressed:            TIME  ack by zhang: acknowledged
    pressed:            TIME  silence:3600 by zhang: will retry: Alertmanager does not respond
    pressed:            TIME  silence:7200 by zhang: accepted, the relay is working on it
    ");
    insta::assert_snapshot!(lines("recalled:"), @"recalled:           TIME");
    let json: Value =
        serde_json::from_str(&workdir.run(&["outbox", "show", "1", "--json"]).await.success()).unwrap();
    assert_eq!(json["presses"][0]["result"], "acknowledged");
    assert_eq!(json["presses"][1]["result"], Value::Null);
    assert_eq!(json["presses"][1]["button"], "silence:3600");
    assert_eq!(json["presses"][1]["last_failure"], reason);
    assert_eq!(json["presses"][2]["last_failure"], Value::Null);
    assert!(json["recalled_at"].is_string());
}
