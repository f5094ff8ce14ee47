//! Presses of buttons, through the running relay and a real Alertmanager.

mod cards;
mod client;
mod doctor;
mod failures;
mod life;
mod parallel;
mod pressed;
mod proxy;
mod replicas;
mod rounds;

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use wecom_relay::{
    actions::Timing,
    clock::{Clock, SystemClock},
    outbox::{NewPress, Outbox, OutboxQuery, PressRecord, SenderName, State},
    sandbox::{AttemptResult, Callback, Settings},
};

use crate::{
    callback::{KEY, TOKEN},
    support::{
        OTHER_AGENT, OTHER_SECRET, Options, Relay, Wecom,
        daemon::Daemon,
        eventually, http_client,
        log::{LogGuard, Written, log_to},
        payload, short_delays, soon,
        tools::{ALERTMANAGER, find},
    },
};

/// An Alertmanager that gets its alerts from the test, and sends none.
const ALERTMANAGER_CONFIG: &str = "route: { receiver: none }\nreceivers: [{ name: none }]\n";

/// [`Timing`] of fractions of a second.
pub(crate) fn short_timing() -> Timing {
    Timing {
        retries: vec![Duration::from_millis(100); 5],
        patience: Duration::from_secs(600),
        claim: Duration::from_secs(600),
        poll: Duration::from_millis(50),
        watch: Duration::from_millis(200),
        absence: Duration::from_millis(300),
        warm_up: Duration::ZERO,
    }
}

/// A relay whose cards have buttons, the WeCom that it sends to, and the address of its Alertmanager.
struct Stage {
    wecom: Wecom,
    relay: Relay,
}

/// The configuration of a relay with buttons. `actions` is the value of the key.
fn options(alertmanager: &str, actions: &str) -> Options {
    let receivers = format!(
        "  - {{ name: wechat, to_user: zhangsan | lisi, message_type: template_card, actions: {actions} }}\n"
    );
    let tuning = wecom_relay::app::Tuning { actions: short_timing(), ..short_delays() };
    Options {
        agent: OTHER_AGENT,
        secret: OTHER_SECRET,
        app: format!("    callback: {{ token: {TOKEN}, encoding_aes_key: {KEY} }}\n"),
        more: format!("alertmanager: {{ url: '{alertmanager}', timeout: 2s }}\n"),
        receivers,
        tuning,
        ..Options::default()
    }
}

impl Stage {
    async fn start(alertmanager: &str, actions: &str) -> Self {
        Self::with(options(alertmanager, actions)).await
    }

    async fn with(options: Options) -> Self {
        let wecom = Wecom::live(Settings::default()).await;
        let relay = Relay::with(&wecom.url, options).await;
        Self { wecom, relay }
    }

    /// Posts a firing notification of `group`, waits until its card is delivered, and returns its task id.
    async fn card(&self, group: &str) -> String {
        self.card_of(&payload(group, &[("db-1", true)])).await
    }

    async fn card_of(&self, payload: &Value) -> String {
        let before = self.relay.listed(&[]).await.len();
        self.relay.post(payload).await;
        let delivered = async || self.relay.listed(&[State::Delivered]).await;
        let id = eventually(delivered, |listed| listed.len() > before).await.last().unwrap().id;
        self.relay.shown(id.0).await.content.task_id().unwrap()
    }

    /// Presses a button, as the callback does.
    async fn press(&self, task_id: &str, user: &str, button: &str) {
        press(&self.relay.outbox, task_id, user, button, "").await;
    }

    /// Presses a button on the phone of a member. WeCom reports it to the callback of the relay.
    async fn press_on_phone(&self, task_id: &str, user: &str, button: &str) {
        let url = format!("{}/callback/ops", self.relay.url);
        let callback = Callback::new(&url, TOKEN, KEY).unwrap();
        self.wecom.sandbox.set_callback(OTHER_AGENT, callback).unwrap();
        let id = self.wecom.sandbox.press(user, task_id, button, None).unwrap();
        let pressed = soon(self.wecom.sandbox.pressed(id)).await.unwrap();
        let last = &pressed.attempts.last().unwrap().result;
        assert!(matches!(last, AttemptResult::Answered { status: 200, .. }), "{pressed:?}");
    }

    /// The result of the only press, once it is handled.
    async fn result(&self) -> String {
        self.results(1).await.pop().unwrap()
    }

    /// The results of this many presses, in the order of their acceptance.
    async fn results(&self, count: usize) -> Vec<String> {
        let results =
            async || self.presses().await.into_iter().filter_map(|press| press.result).collect::<Vec<_>>();
        eventually(results, |results| results.len() >= count).await
    }

    /// All presses, in the order of their acceptance.
    async fn presses(&self) -> Vec<PressRecord> {
        let mut presses = Vec::new();
        for listed in self.relay.listed(&[]).await {
            presses.extend(self.relay.outbox.presses(listed.id).await.unwrap());
        }
        presses.sort_by_key(|press| press.accepted_at);
        presses
    }

    /// The updated cards, oldest first.
    async fn updates(&self) -> Vec<String> {
        let mut updates = Vec::new();
        for listed in self.relay.listed(&[State::Delivered]).await {
            let content = self.relay.shown(listed.id.0).await.content;
            updates.extend(content.as_card_update().map(|update| update.template_card.json().to_owned()));
        }
        updates
    }

    /// Reloads the configuration after `change`.
    async fn reload(&self, change: impl Fn(&str) -> String) {
        let path = self.relay.folder.path().join("config.yml");
        let config = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, change(&config)).unwrap();
        self.relay.reloads.reload().await;
    }

    /// The texts that a member has read, without the cards.
    fn texts(&self, user: &str) -> Vec<String> {
        let seen = self.wecom.sandbox.delivered_to(user);
        seen.iter().filter(|seen| seen.msgtype == "text").map(|seen| seen.text.to_string()).collect()
    }

    /// The presses on the Chinese page of the first message, as text.
    async fn pressed_in_chinese(&self) -> String {
        let page = self.relay.client.get(format!("{}/messages/1", self.relay.url));
        let page = page.header("accept-language", "zh-CN").send().await.unwrap().text().await.unwrap();
        let list = page.split("按钮点击记录").nth(1).unwrap_or_else(|| panic!("{page}"));
        // The times stand before the first `br`.
        let presses = list.split("</ol>").next().unwrap().split("<li>").skip(1);
        let presses = presses.map(|press| press.split_once("<br>").unwrap().1.replace("<br>", " "));
        presses.map(|press| text_of(&press)).collect::<Vec<_>>().join("\n")
    }

    /// Waits until the member has read a text that `is_reached` accepts.
    async fn notified(&self, user: &str, is_reached: impl Fn(&str) -> bool) -> String {
        let texts = async || self.texts(user);
        let texts = eventually(texts, |texts| texts.iter().any(|text| is_reached(text))).await;
        texts.into_iter().find(|text| is_reached(text)).unwrap()
    }

    async fn stop(self) {
        self.relay.stop().await;
    }
}

/// The text of HTML without its tags.
fn text_of(html: &str) -> String {
    let mut parts = html.split('<');
    let first = parts.next().unwrap_or_default();
    let text: String = parts.filter_map(|part| Some(part.split_once('>')?.1)).collect();
    let text = format!("{first}{text}").replace("&#39;", "'").replace("&#x27;", "'").replace("&#x2F;", "/");
    text.trim().to_owned()
}

/// Stores a press of a button. Another `code` makes another press.
async fn press(outbox: &impl Outbox, task_id: &str, user: &str, button: &str, code: &str) {
    let press = NewPress {
        sender: SenderName("ops".to_owned()),
        task_id: task_id.to_owned(),
        user: user.to_owned(),
        button: button.to_owned(),
        response_code: format!("code of {user} {button} {code}"),
        pressed_at: now(),
    };
    let accepted_at = now();
    outbox.accept_press(press, accepted_at).await.unwrap();
    // Presses are handled in the order of their acceptance, which has milliseconds.
    eventually(async || now().as_millisecond(), |at| *at > accepted_at.as_millisecond()).await;
}

/// Captures the warnings of this thread.
fn warnings() -> (Written, LogGuard) {
    log_from(tracing::Level::WARN)
}

/// Captures the log of this thread from a level on.
fn log_from(level: tracing::Level) -> (Written, LogGuard) {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_ansi(false);
    let guard = log_to(subscriber.with_writer(move || writer.clone()).finish());
    (written, guard)
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// A real Alertmanager.
struct Alertmanager {
    daemon: Daemon,
}

/// `None` skips the test.
fn binary() -> Option<PathBuf> {
    find(&ALERTMANAGER)
}

impl Alertmanager {
    async fn start() -> Option<Self> {
        let daemon = Daemon::alertmanager(&binary()?, ALERTMANAGER_CONFIG, &[]).await;
        Some(Self { daemon })
    }

    fn url(&self) -> &str {
        &self.daemon.url
    }

    async fn silences(&self) -> Vec<Value> {
        let url = format!("{}/api/v2/silences", self.daemon.url);
        let text = http_client().get(url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The only silence.
    async fn silence(&self) -> Value {
        let mut silences = self.silences().await;
        assert_eq!(silences.len(), 1, "{silences:?}");
        silences.remove(0)
    }

    /// Ends a silence, as a person does in Alertmanager.
    async fn expire(&self, id: &str) {
        let url = format!("{}/api/v2/silence/{id}", self.daemon.url);
        let answer = http_client().delete(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// Sends the alert of a group, firing or resolved.
    async fn alert(&self, group: &str, fires: bool) {
        let mut alert =
            json!({ "labels": { "alertname": group, "instance": "db-1", "severity": "critical" } });
        alert["startsAt"] = json!("2026-01-01T00:00:00Z");
        if !fires {
            alert["endsAt"] = json!("2026-01-01T00:00:01Z");
        }
        let url = format!("{}/api/v2/alerts", self.daemon.url);
        let body = json!([alert]).to_string();
        let request = http_client().post(url).header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }
}
