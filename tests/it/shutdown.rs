//! Shutdown: by one signal, by two signals, and by the failure of a task.

use std::{convert::Infallible, time::Duration};

use wecom_relay::{
    lifecycle::{Lifecycle, Shutdown, Signals},
    outbox::{
        State,
        sqlite::{Access, Settings, SqliteOutbox},
    },
    sandbox::{self, Api, Effect, Fault},
};

use crate::outbox_conformance::fixture::list;
use crate::support::{Options, Process, Wecom, config_file, payload, process::serve, soon};

const STOPPING: &str = "stopping: finishing the sends in flight";

async fn states(folder: &tempfile::TempDir) -> Vec<State> {
    let settings = Settings::new(folder.path().join("outbox.db"), u64::MAX);
    let outbox = SqliteOutbox::open(settings, Access::Guest).unwrap();
    let listed = list(&outbox).await;
    listed.into_iter().map(|delivery| delivery.state).collect()
}

#[tokio::test]
async fn a_signal_finishes_sends_in_flight_and_begins_no_other() {
    for signal in ["TERM", "INT"] {
        let wecom = Wecom::live(sandbox::Settings::default()).await;
        let (folder, config) = config_file(&wecom.url, &Options::default());
        let mut relay = Process::start(&config).await;
        let slow = Effect::Latency(Duration::from_millis(500));
        wecom.sandbox.inject(Fault::new(slow).on(Api::MessageSend));
        assert_eq!(relay.post(&payload("Down", &[("a", true)])).await, Some(200));
        assert_eq!(relay.post(&payload("Down", &[("a", false)])).await, Some(200));
        soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
        relay.signal(signal);
        relay.logged(STOPPING).await;
        assert!(matches!(relay.post(&payload("Late", &[("a", true)])).await, None | Some(503)));
        assert!(relay.ended().await.success(), "{:?}", relay.log);
        assert_eq!(wecom.sandbox.send_calls(), 1);
        assert_eq!(states(&folder).await, [State::Delivered, State::Ready]);
    }
}

#[tokio::test]
async fn a_second_signal_stops_at_once_and_the_restart_resends() {
    let wecom = Wecom::live(sandbox::Settings::default()).await;
    let (folder, config) = config_file(&wecom.url, &Options::default());
    let mut relay = Process::start(&config).await;
    wecom.sandbox.inject(Fault::new(Effect::Hang { taken: true }).on(Api::MessageSend).times(1));
    assert_eq!(relay.post(&payload("Down", &[("a", true)])).await, Some(200));
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    relay.signal("TERM");
    relay.logged(STOPPING).await;
    relay.signal("TERM");
    let ended = tokio::time::timeout(Duration::from_secs(5), relay.ended()).await.unwrap();
    assert_eq!(ended.code(), Some(1));
    let mut relay = Process::start(&config).await;
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == 2)).await;
    relay.signal("TERM");
    assert!(relay.ended().await.success());
    assert_eq!(states(&folder).await, [State::Delivered]);
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 1);
}

#[tokio::test]
async fn a_second_relay_on_the_same_outbox_is_refused() {
    let wecom = Wecom::live(sandbox::Settings::default()).await;
    let (_folder, config) = config_file(&wecom.url, &Options::default());
    let mut first = Process::start(&config).await;
    let mut second = Process::launch(serve(&config));
    assert_eq!(second.ended().await.code(), Some(1));
    let log = second.log.join("\n");
    assert!(log.contains("another `serve` uses this outbox") && log.contains("outbox.db.lock"), "{log}");
    // The first one keeps working.
    assert_eq!(first.post(&payload("Down", &[("a", true)])).await, Some(200));
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    first.signal("TERM");
    assert!(first.ended().await.success());
}

async fn panics() -> Result<(), Infallible> {
    panic!("a defect")
}

#[tokio::test]
async fn a_failed_task_ends_the_process_with_its_reason() {
    let failure_of = |end: Shutdown| match end {
        Shutdown::TaskFailed(failure) => failure,
        end => panic!("{end:?}"),
    };
    let drain = Duration::from_secs(10);

    let lifecycle = Lifecycle::default();
    let stop = lifecycle.tasks().stop();
    lifecycle.tasks().spawn("loyal", async move {
        stop.cancelled().await;
        Ok::<_, Infallible>(())
    });
    lifecycle.tasks().spawn("brittle", panics());
    let failure = failure_of(soon(lifecycle.run(Signals::listen().unwrap(), drain)).await);
    assert!(failure.starts_with("brittle: ") && failure.contains("a defect"), "{failure}");

    let lifecycle = Lifecycle::default();
    lifecycle.tasks().spawn("lazy", async { Ok::<_, Infallible>(()) });
    assert_eq!(
        failure_of(soon(lifecycle.run(Signals::listen().unwrap(), drain)).await),
        "lazy: exited before the stop"
    );

    let lifecycle = Lifecycle::default();
    lifecycle.tasks().spawn("unlucky", async { Err("no luck") });
    assert_eq!(failure_of(soon(lifecycle.run(Signals::listen().unwrap(), drain)).await), "unlucky: no luck");
}

#[tokio::test]
async fn tasks_that_miss_the_deadline_are_aborted() {
    let lifecycle = Lifecycle::default();
    let (alive, dropped) = tokio::sync::oneshot::channel::<()>();
    lifecycle.tasks().spawn("stubborn", async move {
        std::future::pending::<()>().await;
        drop(alive);
        Ok::<_, Infallible>(())
    });
    assert_eq!(soon(lifecycle.finish(Duration::from_millis(50))).await, Shutdown::TimedOut(1));
    assert!(soon(dropped).await.is_err());
}
