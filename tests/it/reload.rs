//! Reloads of the configuration: their effects, and the state that they keep.

use std::{
    fs,
    pin::pin,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{future::join_all, poll};
use reqwest::Method;
use serde_json::Value;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use wecom_relay::{
    app::Tuning,
    outbox::{Outbox as _, State},
    sandbox::{Api, Effect, Fault, Settings},
};

use crate::support::{
    OTHER_AGENT, OTHER_SECRET, Options, Process, Relay, SECRET, Wecom, config_file, eventually,
    members::{self, member},
    payload, short_delays, soon,
};

fn receivers(message: &str) -> Options {
    let receivers = format!("  - {{ name: wechat, to_user: zhangsan, message: '{message}' }}\n");
    Options { receivers, ..Options::default() }
}

impl Relay {
    /// Writes another configuration and reloads it. Returns the status and the text of the answer.
    pub(crate) async fn reload(&self, wecom: &str, options: &Options) -> (u16, String) {
        self.reload_yaml(&options.yaml(wecom, &self.folder)).await
    }

    pub(crate) async fn reload_yaml(&self, yaml: &str) -> (u16, String) {
        fs::write(self.folder.path().join("config.yml"), yaml).unwrap();
        self.request(Method::POST, "/-/reload", "").await
    }

    async fn wait_for_hold(&self) {
        eventually(async || self.outbox.holds().await.unwrap(), |holds| !holds.is_empty()).await;
    }

    async fn metric(&self, name: &str) -> f64 {
        let (_, metrics) = self.request(Method::GET, "/metrics", "").await;
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "the client of the tests; the relay has its own")]
fn tls_client(root: reqwest::Certificate) -> reqwest::Client {
    _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap()
}

fn alert(group: &str) -> Value {
    let mut payload = payload("Down", &[("a", true)]);
    payload["groupKey"] = group.into();
    payload
}

fn gettokens(wecom: &Wecom) -> usize {
    wecom.sandbox.calls().iter().filter(|call| call.api == Api::Gettoken).count()
}

#[tokio::test]
async fn a_reload_changes_later_messages_and_keeps_the_token() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, receivers("old")).await;
    relay.post(&alert("1")).await;
    relay.settled(1).await;
    let (status, answer) = relay.reload(&wecom.url, &receivers("new")).await;
    assert_eq!((status, answer.as_str()), (200, "reloaded: 1 app, 1 receiver\n"));
    relay.post(&alert("2")).await;
    relay.settled(2).await;
    relay.stop().await;
    let texts: Vec<_> = wecom.sandbox.delivered_to("zhangsan").into_iter().map(|seen| seen.text).collect();
    assert_eq!(texts.iter().map(|text| &**text).collect::<Vec<_>>(), ["old", "new"]);
    assert_eq!(gettokens(&wecom), 1);
}

#[tokio::test]
async fn a_wrong_configuration_is_explained_and_the_old_one_stays() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, receivers("old")).await;
    let good = receivers("old").yaml(&wecom.url, &relay.folder);
    for (bad, expected) in [
        (good.replace("old", "{{ none("), "receivers[0].message"),
        (good.replace("to_user", "to_usr"), "did you mean to_user?"),
        ("receivers: [".to_owned(), "config.yml:"),
    ] {
        let (status, answer) = relay.reload_yaml(&bad).await;
        assert_eq!(status, 500);
        assert!(answer.starts_with("not reloaded, the old configuration stays in force:\n"), "{answer}");
        assert!(answer.contains(expected), "{answer}");
        assert_eq!(relay.metric("wecom_relay_config_last_reload_successful").await, 0.0);
    }
    relay.post(&alert("1")).await;
    assert_eq!(&*wecom.sandbox.wait_for_delivered("zhangsan", 1).await[0].text, "old");
    assert_eq!(relay.reload_yaml(&good).await.0, 200);
    assert_eq!(relay.metric("wecom_relay_config_last_reload_successful").await, 1.0);
    relay.stop().await;
}

#[tokio::test]
async fn a_reload_names_the_keys_that_need_a_restart() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, Options::default()).await;
    let yaml = Options::default().yaml(&wecom.url, &relay.folder);
    let (status, answer) = relay.reload_yaml(&yaml.replace("127.0.0.1:0", "127.0.0.1:9")).await;
    assert_eq!(status, 200);
    assert!(answer.contains("needs a restart to change: server.listen\n"), "{answer}");
    let (_, answer) = relay.reload_yaml(&yaml.replace("outbox.db", "other.db")).await;
    assert!(answer.contains("needs a restart to change: outbox.path\n"), "{answer}");
    relay.stop().await;
}

#[tokio::test]
async fn new_limits_count_messages_that_were_sent_before() {
    let wecom = Wecom::live(Settings::default()).await;
    let limited = |app: &str| Options {
        app: app.to_owned(),
        receivers: "  - { name: wechat, to_user: zhangsan }\n  - { name: other, to_user: lisi }\n".to_owned(),
        ..Options::default()
    };
    let relay = Relay::with(&wecom.url, limited("")).await;
    relay.post(&alert("0")).await;
    relay.settled(1).await;
    // Two messages are in flight while the limits change.
    let slow = Fault::new(Effect::Latency(Duration::from_millis(300))).on(Api::MessageSend);
    wecom.sandbox.inject(slow.times(2));
    relay.post(&alert("1")).await;
    relay.post(&alert("2")).await;
    soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == 3)).await;
    relay.reload(&wecom.url, &limited("    limits: { per_minute: 3, per_hour: 0 }\n")).await;
    relay.post(&alert("waits")).await;
    relay.request(Method::POST, "/webhook/other", alert("goes").to_string()).await;
    wecom.sandbox.wait_for_delivered("lisi", 1).await;
    // The look that found this delivery has also seen the other one.
    assert_eq!(relay.listed(&[State::Ready]).await.len(), 1);
    relay.reload(&wecom.url, &limited("    limits: { per_minute: 9, per_hour: 0 }\n")).await;
    relay.settled(5).await;
    relay.stop().await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 4);
}

#[tokio::test]
async fn a_reload_replaces_the_credentials_and_the_certificate() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let files = tempfile::tempdir().unwrap();
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (files.path().join("tls.crt"), files.path().join("tls.key"));
    fs::write(&cert, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let token = files.path().join("token");
    fs::write(&token, "not-a-real-token\n").unwrap();
    let server = format!(
        ", auth: {{ bearer_token_file: {} }}, tls: {{ cert_file: {}, key_file: {} }}",
        token.display(),
        cert.display(),
        key.display()
    );
    assert_eq!(relay.reload(&wecom.url, &Options { server, ..Options::default() }).await.0, 200);
    let root = reqwest::Certificate::from_pem(pair.cert.pem().as_bytes()).unwrap();
    let client = tls_client(root);
    let url = format!("{}/webhook", relay.url.replace("http:", "https:"));
    let post = || client.post(&url).body(alert("1").to_string());
    assert_eq!(post().send().await.unwrap().status(), 401);
    assert_eq!(post().bearer_auth("not-a-real-token").send().await.unwrap().status(), 200);
    // The file of a secret is read again, even if the configuration is unchanged.
    fs::write(&token, "another-token\n").unwrap();
    let reload = client.post(url.replace("webhook", "-/reload")).bearer_auth("not-a-real-token");
    assert_eq!(reload.send().await.unwrap().status(), 200);
    assert_eq!(post().bearer_auth("not-a-real-token").send().await.unwrap().status(), 401);
    assert_eq!(post().bearer_auth("another-token").send().await.unwrap().status(), 200);
    relay.stop().await;
}

#[tokio::test]
async fn a_corrected_secret_is_used_at_once_and_a_wrong_one_once() {
    let wecom = Wecom::start().await;
    // The delays are the defaults, of at least a minute.
    let bad = Options { secret: "not-the-secret", ..Options::default() };
    let relay = Relay::with(&wecom.url, Options { secret: "not-the-secret", ..Options::default() }).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.wait_for_hold().await;
    for _ in 0..20 {
        relay.reload(&wecom.url, &bad).await;
    }
    assert_eq!(gettokens(&wecom), 1);
    assert_eq!(relay.reload(&wecom.url, &Options { secret: SECRET, ..Options::default() }).await.0, 200);
    wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    relay.stop().await;
}

#[tokio::test]
async fn deliveries_of_a_removed_app_wait_until_it_returns() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, Options { tuning: short_delays(), ..Options::default() }).await;
    let one = Options::default().yaml(&wecom.url, &relay.folder);
    let app = |secret| {
        format!(
            "  - name: late\n    corp_id: ww1234567890abcdef\n    agent_id: {OTHER_AGENT}\n    \
             api_secret: {secret}\n    api_url: {}/cgi-bin/\n",
            wecom.url
        )
    };
    let two = |secret| {
        let to = "  - { name: late, app: late, to_user: lisi }\n  - { name: wechat, app: ops, to_user: zhangsan }\n";
        let (head, _) = one.split_once("receivers:\n").unwrap();
        format!("{head}{}receivers:\n{to}", app(secret))
    };
    assert_eq!(relay.reload_yaml(&two("not-the-secret")).await.0, 200);
    let (status, _) = relay.request(Method::POST, "/webhook/late", alert("1").to_string()).await;
    assert_eq!(status, 200);
    relay.wait_for_hold().await;

    let (status, answer) = relay.reload_yaml(&one).await;
    assert_eq!(status, 200);
    let waits = "warning: 1 delivery waits for the app late, which is not in the configuration";
    assert!(answer.contains(waits), "{answer}");
    let (status, _) = relay.request(Method::POST, "/webhook/late", alert("2").to_string()).await;
    assert_eq!(status, 404);
    relay.post(&alert("3")).await;
    wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    assert_eq!(relay.listed(&[State::Ready]).await.len(), 1);

    assert_eq!(relay.reload_yaml(&two(OTHER_SECRET)).await.0, 200);
    wecom.sandbox.wait_for_delivered("lisi", 1).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_message_of_a_removed_app_that_is_in_flight_is_settled() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, Options::default()).await;
    let one = Options::default().yaml(&wecom.url, &relay.folder);
    let other = one.replace("name: ops", "name: other");
    wecom
        .sandbox
        .inject(Fault::new(Effect::Latency(Duration::from_millis(500))).on(Api::MessageSend).times(1));
    relay.post(&alert("1")).await;
    wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    assert_eq!(relay.listed(&[State::InFlight]).await.len(), 1);
    assert_eq!(relay.reload_yaml(&other).await.0, 200);
    let settled = relay.settled(1).await;
    assert_eq!(settled.first().map(|listed| listed.state), Some(State::Delivered));
    relay.stop().await;
}

/// A relay with a limit of two messages a minute, and its configuration.
async fn limited(wecom: &Wecom) -> (Relay, String) {
    let app = "    limits: { per_minute: 2, per_hour: 0 }\n".to_owned();
    let options = Options {
        app,
        receivers: "  - { name: wechat, app: ops, to_user: zhangsan }\n  - { name: other, app: ops, to_user: lisi }\n"
            .to_owned(),
        tuning: short_delays(),
        ..Options::default()
    };
    let relay = Relay::with(&wecom.url, options).await;
    let yaml = fs::read_to_string(relay.folder.path().join("config.yml")).unwrap();
    (relay, yaml)
}

/// Waits until lisi was sent `count` messages. A look that found them has seen the messages to zhangsan, too.
async fn after_a_look(relay: &Relay, wecom: &Wecom, count: usize) {
    relay.request(Method::POST, "/webhook/other", alert(&format!("look {count}")).to_string()).await;
    wecom.sandbox.wait_for_delivered("lisi", count).await;
}

#[tokio::test]
async fn a_renamed_app_keeps_its_queue_and_its_limits() {
    let wecom = Wecom::live(Settings::default()).await;
    let (relay, yaml) = limited(&wecom).await;
    for group in ["1", "2"] {
        relay.post(&alert(group)).await;
    }
    relay.settled(2).await;
    for group in ["3", "4"] {
        relay.post(&alert(group)).await;
    }
    let renamed = yaml.replace("ops", "ops2");
    let (status, answer) = relay.reload_yaml(&renamed).await;
    assert_eq!((status, answer.contains("the app ops")), (200, false), "{answer}");
    relay.post(&alert("5")).await;
    after_a_look(&relay, &wecom, 1).await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 2);
    let waiting = relay.listed(&[State::Ready]).await;
    assert_eq!(waiting.iter().map(|waits| waits.sender.0.as_str()).collect::<Vec<_>>(), ["ops2"; 3]);
    // The queue follows the name when the agent is corrected, and its limits then begin anew.
    let other = renamed
        .replace("agent_id: 1000002", &format!("agent_id: {OTHER_AGENT}"))
        .replace(SECRET, OTHER_SECRET)
        .replace("per_minute: 2", "per_minute: 9");
    assert_eq!(relay.reload_yaml(&other).await.0, 200);
    relay.settled(6).await;
    relay.stop().await;
}

#[tokio::test]
async fn an_app_renamed_while_the_relay_is_stopped_keeps_its_queue() {
    let wecom = Wecom::live(Settings::default()).await;
    let options = |app: &str| Options {
        app: format!("    limits: {{ per_minute: {}, per_hour: 0 }}\n", if app == "ops" { 1 } else { 2 }),
        receivers: format!("  - {{ name: wechat, app: {app}, to_user: zhangsan }}\n"),
        name: app.to_owned(),
        ..Options::default()
    };
    let relay = Relay::with(&wecom.url, options("ops")).await;
    relay.post(&alert("1")).await;
    relay.settled(1).await;
    relay.post(&alert("2")).await;
    let folder = relay.stop().await;
    let relay = Relay::with(&wecom.url, Options { folder: Some(folder), ..options("dev") }).await;
    relay.settled(2).await;
    relay.post(&alert("3")).await;
    let folder = relay.stop().await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 2, "the first message counts");
    let relay = Relay::with(&wecom.url, Options { folder: Some(folder), ..options("ops") }).await;
    let waiting = relay.listed(&[State::Ready]).await;
    assert_eq!(waiting.iter().map(|waits| waits.sender.0.as_str()).collect::<Vec<_>>(), ["ops"]);
    relay.stop().await;
}

#[tokio::test]
async fn two_entries_of_one_app_share_its_limits() {
    let wecom = Wecom::live(Settings::default()).await;
    let (relay, yaml) = limited(&wecom).await;
    let (head, _) = yaml.split_once("receivers:\n").unwrap();
    let app = head.split_once("apps:\n").unwrap().1;
    let twin = app.replace("name: ops", "name: twin").replace("per_minute: 2", "per_minute: 3");
    let receivers =
        "  - { name: wechat, app: twin, to_user: zhangsan }\n  - { name: other, app: ops, to_user: lisi }\n";
    relay.post(&alert("1")).await;
    relay.settled(1).await;
    let (status, _) = relay.reload_yaml(&format!("{head}{twin}receivers:\n{receivers}")).await;
    assert_eq!(status, 200);
    relay.post(&alert("2")).await;
    relay.post(&alert("3")).await;
    after_a_look(&relay, &wecom, 1).await;
    relay.settled(3).await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 2);
    relay.stop().await;
}

#[tokio::test]
async fn sighup_reloads_and_an_early_one_does_not_end_the_process() {
    let wecom = Wecom::start().await;
    let (folder, path) = config_file(&wecom.url, &receivers("old"));
    let mut process = Process::start(&path).await;
    fs::write(&path, receivers("new").yaml(&wecom.url, &folder)).unwrap();
    process.signal("HUP");
    process.logged("configuration reloaded").await;
    process.post(&alert("1")).await;
    assert_eq!(&*wecom.sandbox.wait_for_delivered("zhangsan", 1).await[0].text, "new");
    fs::write(&path, "apps: 1").unwrap();
    process.signal("HUP");
    let line = "reload failed, the old configuration stays in use; fix the errors and reload again";
    process.logged(line).await;
    assert!(
        process.logged("configuration error").await["problem"].as_str().unwrap().contains("config.yml:1")
    );
    process.signal("TERM");
    assert!(process.ended().await.success());
}

/// A configuration file that the relay reads only after a permit of the test.
struct SlowFile {
    reading_began: mpsc::UnboundedReceiver<()>,
    /// Each value permits one reading. When this is dropped, every reading is permitted.
    permits: std::sync::mpsc::Sender<()>,
}

/// A relay that reads a [`SlowFile`] at each reload.
async fn slow_file(options: Options) -> (Relay, SlowFile) {
    let (begin, reading_began) = mpsc::unbounded_channel();
    let (permits, permitted) = std::sync::mpsc::channel();
    let permitted = Mutex::new(permitted);
    let before_reading = Arc::new(move || {
        _ = begin.send(());
        _ = permitted.lock().unwrap().recv();
    });
    let relay = Relay::with("http://127.0.0.1:9", Options { before_reading, ..options }).await;
    (relay, SlowFile { reading_began, permits })
}

#[tokio::test]
async fn requests_during_a_reload_share_the_next_reload() {
    let (relay, mut file) = slow_file(Options::default()).await;
    let reloads = relay.reloads.clone();
    let mut first = pin!(reloads.reload());
    assert!(poll!(&mut first).is_pending());
    file.reading_began.recv().await.unwrap();
    let mut more = pin!(join_all((0..40).map(|_| reloads.reload())));
    assert!(poll!(&mut more).is_pending());
    drop(file.permits);
    let answer = first.await.unwrap().unwrap();
    for other in more.await {
        assert_eq!(other.unwrap().unwrap(), answer);
    }
    file.reading_began.recv().await.unwrap();
    assert!(file.reading_began.try_recv().is_err(), "there were more than two reloads");
    relay.stop().await;
}

#[tokio::test]
async fn a_reload_that_hangs_is_answered_and_blocks_no_later_one() {
    let tuning = Tuning { reload_limit: Duration::from_millis(100), ..Options::default().tuning };
    let (relay, file) = slow_file(Options { tuning, ..Options::default() }).await;
    let error = relay.reloads.reload().await.unwrap().unwrap_err();
    assert!(error.starts_with("reading the configuration takes longer than 100ms"), "{error}");
    let error = relay.reloads.reload().await.unwrap().unwrap_err();
    assert!(error.starts_with("the previous reload still reads the configuration"), "{error}");
    drop(file.permits);
    // The reading ends by itself, without an answer to anybody.
    _ = eventually(async || relay.reloads.reload().await.unwrap(), Result::is_ok).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_reload_that_reads() {
    let (relay, mut file) = slow_file(Options::default()).await;
    let reloads = relay.reloads.clone();
    let mut request = pin!(reloads.reload());
    assert!(poll!(&mut request).is_pending());
    file.reading_began.recv().await.unwrap();
    relay.stop().await;
    assert_eq!(request.await, None);
    drop(file.permits);
}

#[tokio::test]
async fn a_secret_in_a_pipe_is_refused_and_not_waited_for() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    let pipe = relay.folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for server in [", auth: { bearer_token_file: pipe }", ", tls: { cert_file: pipe, key_file: pipe }"] {
        let options = Options { server: server.to_owned(), ..Options::default() };
        let (status, answer) = relay.reload("http://127.0.0.1:9", &options).await;
        assert_eq!(status, 500);
        assert!(answer.contains("it is a pipe or a device, and must be a regular file"), "{answer}");
    }
    assert_eq!(relay.reload("http://127.0.0.1:9", &Options::default()).await.0, 200);
    relay.stop().await;
}

/// The relay is reloaded under load for this long.
const LOAD: Duration = Duration::from_secs(30);
const POSTERS: usize = 8;
/// Enough members, so that none of them reaches the default limits.
const MEMBERS: usize = 2500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frequent_reloads_under_load_lose_and_refuse_nothing() {
    let wecom = Wecom::with_members(MEMBERS).await;
    let options = |message: &str| {
        let receivers = format!(
            "  - {{ name: wechat, to_user: '{{{{ commonLabels.member }}}}', message: '{message}' }}\n"
        );
        Options { receivers, ..Options::default() }
    };
    let relay = Relay::with(&wecom.url, options("{{ groupKey }} 0")).await;
    let ends = Instant::now() + LOAD;
    let mut posters = JoinSet::new();
    for poster in 0..POSTERS {
        let (client, url) = (relay.client.clone(), format!("{}/webhook", relay.url));
        posters.spawn(async move {
            let mut posted = Vec::new();
            while Instant::now() < ends {
                let group = format!("{poster}-{}", posted.len());
                let mut body = alert(&group);
                body["commonLabels"]["member"] = member((posted.len() * POSTERS + poster) % MEMBERS).into();
                let body = body.to_string();
                let status = client.post(&url).body(body).send().await.unwrap().status();
                assert_eq!(status, 200, "{group}");
                posted.push(group);
            }
            posted
        });
    }
    let stop = AtomicBool::new(false);
    let mut every = tokio::time::interval(Duration::from_millis(100));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reloads = 0;
    let reloading = async {
        while !stop.load(Ordering::Acquire) {
            every.tick().await;
            reloads += 1;
            let (status, answer) =
                relay.reload(&wecom.url, &options(&format!("{{{{ groupKey }}}} {reloads}"))).await;
            assert_eq!(status, 200, "{answer}");
        }
    };
    let posting = async {
        let posted: Vec<String> = posters.join_all().await.into_iter().flatten().collect();
        stop.store(true, Ordering::Release);
        posted
    };
    let ((), posted) = tokio::join!(reloading, posting);
    assert!(reloads > 30 && posted.len() > 100, "{reloads} reloads, {} posts", posted.len());
    let settled = relay.settled(posted.len()).await;
    assert!(settled.iter().all(|listed| listed.state == State::Delivered));
    assert_eq!(gettokens(&wecom), 1);
    relay.stop().await;
    let mut seen: Vec<String> = members::shown(&wecom.sandbox)
        .iter()
        .map(|text| text.split(' ').next().unwrap().to_owned())
        .collect();
    let mut posted = posted;
    seen.sort_unstable();
    posted.sort_unstable();
    assert_eq!(seen, posted);
}
