//! The outbox is written before a webhook is answered, and before a message is sent.

use std::{fs, path::Path, sync::Arc, time::Duration};

use wecom_relay::{
    outbox::Outbox,
    sandbox::{Api, Effect, Fault, Settings},
};

use crate::support::{
    Gated, Gates, Options, Process, Relay, Wecom, config_file, eventually, payload, process::serve_traced,
    soon, tools::strace,
};

async fn gated(wecom: &Wecom) -> (Relay, Arc<Gates>) {
    let gates = Arc::new(Gates::default());
    let relay = Relay::with_outbox(&wecom.url, Options::default(), |outbox| Gated::new(outbox, &gates)).await;
    (relay, gates)
}

#[tokio::test]
async fn no_answer_is_given_before_the_outbox_has_the_alert() {
    let wecom = Wecom::live(Settings::default()).await;
    let (relay, gates) = gated(&wecom).await;
    gates.enqueue.hold();
    let alert = payload("Down", &[("a", true)]);
    {
        let posted = relay.try_post(&alert);
        tokio::pin!(posted);
        tokio::select! {
            status = &mut posted => panic!("answered with {status}"),
            () = gates.enqueue.reached(1) => {}
        }
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut posted).await.is_err());
        assert_eq!(wecom.sandbox.send_calls(), 0);
        gates.enqueue.open();
        assert_eq!(soon(posted).await, 200);
    }
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_failed_commit_is_a_503_and_nothing_is_delivered() {
    let wecom = Wecom::live(Settings::default()).await;
    let (relay, gates) = gated(&wecom).await;
    gates.enqueue.fail();
    let alert = payload("Down", &[("a", true)]);
    assert_eq!(relay.try_post(&alert).await, 503);
    assert!(relay.listed(&[]).await.is_empty());
    gates.enqueue.open();
    // Alertmanager repeats the notification in the same way.
    assert!(relay.post(&alert).await.starts_with("accepted"));
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    relay.stop().await;
    assert_eq!(wecom.sandbox.send_calls(), 1);
}

#[tokio::test]
async fn nothing_is_sent_before_it_is_marked_in_flight() {
    let wecom = Wecom::live(Settings::default()).await;
    let (relay, gates) = gated(&wecom).await;
    gates.claim.fail();
    relay.post(&payload("Down", &[("a", true)])).await;
    soon(gates.claim.reached(3)).await;
    assert_eq!(wecom.sandbox.send_calls(), 0);
    gates.claim.open();
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    relay.stop().await;
}

#[tokio::test]
async fn claims_that_reopen_the_database_do_not_spin_the_dispatcher() {
    let wecom = Wecom::live(Settings::default()).await;
    let (relay, gates) = gated(&wecom).await;
    gates.claim.fail();
    relay.post(&payload("Down", &[("a", true)])).await;
    soon(gates.claim.reached(1)).await;
    // A failed claim takes no time, and each post waits for the disk.
    for number in 0..40 {
        relay.post(&payload(&format!("Group{number}"), &[("a", true)])).await;
    }
    assert!(gates.claim.calls() < 40, "{} claims", gates.claim.calls());
    gates.claim.open();
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_failed_settlement_is_kept_and_blocks_further_sends() {
    let wecom = Wecom::live(Settings::default()).await;
    let (relay, gates) = gated(&wecom).await;
    gates.settle.fail();
    relay.post(&payload("First", &[("a", true)])).await;
    soon(gates.settle.reached(1)).await;
    let claims = gates.claim.calls();
    relay.post(&payload("First", &[("a", false)])).await;
    relay.post(&payload("Second", &[("a", true)])).await;
    soon(gates.settle.reached(4)).await;
    assert_eq!((wecom.sandbox.send_calls(), gates.claim.calls()), (1, claims));
    gates.settle.open();
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 3)).await;
    soon(relay.settled(3)).await;
    relay.stop().await;
    assert_eq!(wecom.sandbox.send_calls(), 3);
}

#[tokio::test]
async fn a_hold_that_ended_before_its_write_is_never_stored() {
    let wecom = Wecom::live(Settings::default()).await;
    let (relay, gates) = gated(&wecom).await;
    gates.hold.hold();
    // One send is in flight when the other one is answered with the errcode of the limit. The first one succeeds.
    let slow = Fault::new(Effect::Latency(Duration::from_millis(300))).on(Api::MessageSend);
    wecom.sandbox.inject(slow.times(1));
    relay.post(&payload("Slow", &[("a", true)])).await;
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == 1)).await;
    wecom.sandbox.inject(Fault::errcode(45009).on(Api::MessageSend).times(1));
    relay.post(&payload("Limited", &[("a", true)])).await;
    soon(gates.hold.reached(1)).await;
    soon(relay.settled(2)).await;
    gates.hold.open();
    relay.post(&payload("Next", &[("a", true)])).await;
    soon(relay.settled(3)).await;
    eventually(async || relay.outbox.holds().await.unwrap(), Vec::is_empty).await;
    relay.stop().await;
}

/// The system calls of the relay, one per line.
#[derive(Debug)]
struct Trace(Vec<String>);

impl Trace {
    fn read(path: &Path) -> Self {
        Self(fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect())
    }

    /// The line of the next call with one of these names and with `what`. If another thread interrupts a call, strace
    /// shows the data of a read in the line that resumes it, and the data of a write in its first line.
    fn next(&self, from: usize, names: &[&str], what: &str) -> Option<usize> {
        let calls = |name: &&str| [format!("{name}("), format!("<... {name} resumed>")];
        let calls: Vec<String> = names.iter().flat_map(calls).collect();
        let is = |line: &String| line.contains(what) && calls.iter().any(|call| line.contains(call));
        self.0.iter().skip(from).position(is).map(|at| from + at)
    }

    /// The line in which the next flush of the write-ahead log has ended.
    fn next_sync(&self, from: usize) -> Option<usize> {
        let began = self.next(from, &["fdatasync", "fsync"], "outbox.db-wal")?;
        let line = &self.0[began];
        if line.ends_with("= 0") {
            return Some(began);
        }
        let thread = line.split_whitespace().next()?;
        let ended = |line: &String| {
            line.starts_with(thread) && line.contains("sync resumed>") && line.ends_with("= 0")
        };
        self.0.iter().skip(began).position(ended).map(|at| began + at)
    }
}

#[tokio::test]
async fn the_database_log_is_synced_between_a_post_and_its_200() {
    let Some(strace) = strace() else { return };
    let wecom = Wecom::live(Settings::default()).await;
    let (folder, config) = config_file(&wecom.url, &Options::default());
    let traced = folder.path().join("trace");
    let calls = ["-s", "40", "-e", "trace=fdatasync,fsync,recvfrom,read,write,writev,sendto,sendmsg"];
    let command = serve_traced(&strace, &calls, &traced, &config);
    let mut relay = Process::launch(command);
    relay.ready().await;
    for group in ["First", "Second", "Third"] {
        assert_eq!(relay.post(&payload(group, &[("a", true)])).await, Some(200));
        soon(wecom.sandbox.wait_until(|_| wecom.sandbox.send_calls() > 0)).await;
    }
    relay.signal("TERM");
    assert!(relay.ended().await.success());
    let pid = relay.pid().to_string();
    let is_end = |line: &String| line.starts_with(&pid) && line.ends_with("+++ exited with 0 +++");
    let trace = eventually(async || Trace::read(&traced), |trace| trace.0.iter().any(is_end)).await;
    let mut at = 0;
    for _ in 0..3 {
        let posted = trace.next(at, &["recvfrom", "read"], "\"POST /webhook").unwrap();
        at = trace.next(posted, &["write", "writev", "sendto", "sendmsg"], "HTTP/1.1 200 OK").unwrap();
        let synced = trace.next_sync(posted).unwrap();
        assert!(synced < at, "{}", trace.0[posted..=at].join("\n"));
    }
}

#[tokio::test]
async fn the_directories_of_a_new_outbox_are_flushed() {
    let Some(strace) = strace() else { return };
    let (folder, config) = config_file("http://127.0.0.1:9", &Options::default());
    let yaml = fs::read_to_string(&config).unwrap();
    fs::write(&config, yaml.replace("outbox.db", "a/b/outbox.db")).unwrap();
    let traced = folder.path().join("trace");
    let calls = ["-e", "trace=fdatasync,fsync"];
    let mut relay = Process::launch(serve_traced(&strace, &calls, &traced, &config));
    relay.ready().await;
    relay.signal("TERM");
    assert!(relay.ended().await.success());
    for directory in ["", "/a", "/a/b"] {
        let directory = format!("{}{directory}>", folder.path().display());
        let trace = async || Trace::read(&traced);
        eventually(trace, |trace| trace.next(0, &["fsync", "fdatasync"], &directory).is_some()).await;
    }
}
