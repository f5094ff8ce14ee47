//! The tools of a scene: post webhooks, wait and show the progress, show phones, count.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    sync::broadcast::{Receiver, error::TryRecvError},
    time::{Instant, sleep},
};

use super::{
    language::Language,
    relay::{AGENT, Relay},
    webhook::Group,
};
use crate::{
    cli::{output::Output, phone::phone, runtime::http_client},
    clock::{Clock as _, SystemClock},
    outbox::{Filter, Kind, ListOrder, NotificationId, OutboxQuery as _, PageRequest, State},
    sandbox::{Arrival, MemberOutcome, Message},
    wecom::look::{Appearance, Audience, Viewer},
};

/// The longest time until all messages of a scene have arrived.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Stage<'o> {
    pub(super) relay: Relay,
    pub(super) language: Language,
    output: &'o mut Output,
    client: reqwest::Client,
    arrivals: Receiver<Arrival>,
    started: Instant,
    tally: Tally,
}

/// The counts of the scenes so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Notifications that the relay accepted.
    pub(super) accepted: usize,
    /// Messages that a member was shown.
    pub(super) messages: usize,
    /// Calls of the relay that failed.
    pub(super) failed_calls: usize,
    /// Messages that WeCom dropped.
    dropped: usize,
}

impl<'o> Stage<'o> {
    pub(super) fn new(relay: Relay, language: Language, output: &'o mut Output) -> anyhow::Result<Self> {
        let arrivals = relay.sandbox.arrivals();
        let (client, started) = (http_client()?.build()?, Instant::now());
        Ok(Self { relay, language, output, client, arrivals, started, tally: Tally::default() })
    }

    pub(super) fn say(&mut self, zh: &str, en: &str) -> anyhow::Result<()> {
        Ok(self.output.line(self.language.pick(zh, en))?)
    }

    /// Prints a text that is the same in each language.
    pub(super) fn print(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.output.line(text)?)
    }

    /// Says a sentence after the time since the start of the demo.
    pub(super) fn say_with_time(&mut self, zh: &str, en: &str) -> anyhow::Result<()> {
        let seconds = self.started.elapsed().as_secs_f64();
        Ok(self.output.line(&format!("{seconds:5.1} s  {}", self.language.pick(zh, en)))?)
    }

    pub(super) fn heading(&mut self, zh: &str, en: &str) -> anyhow::Result<()> {
        self.output.line("")?;
        Ok(self.output.heading(self.language.pick(zh, en))?)
    }

    pub(super) fn show(&mut self, message: &Message, max_rows: usize) -> anyhow::Result<()> {
        let shown = message.members.iter().filter(|(_, outcome)| *outcome == MemberOutcome::Shown);
        let owners: Vec<&str> = shown.map(|(userid, _)| userid.as_str()).collect();
        let seen =
            Appearance::of_object(&message.msgtype, &message.content, Audience::Members, Viewer::Wecom);
        let seen = seen.unwrap_or_else(|| Appearance::of_plain(&message.text, Viewer::Wecom));
        Ok(self.output.line(&phone(&owners.join(", "), &seen, self.language.of_members(), max_rows))?)
    }

    pub(super) async fn post(&mut self, receiver: &str, group: &Group<'_>) -> anyhow::Result<()> {
        let url = format!("{}/{receiver}", self.relay.webhook);
        let request = self.client.post(url).header("Content-Type", "application/json");
        let answer = request.body(group.webhook(SystemClock.now())).send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("the relay answered {status}: {}", answer.text().await?);
        }
        self.tally.accepted += 1;
        Ok(())
    }

    /// Waits until the queue is empty, and returns the messages that arrived meanwhile.
    pub(super) async fn until_delivered(&mut self) -> anyhow::Result<Vec<Message>> {
        let deadline = Instant::now() + PATIENCE;
        let mut messages = self.watch(Duration::ZERO).await?;
        while self.waiting().await? > 0 {
            if Instant::now() > deadline {
                bail!("not everything was delivered within {} s", PATIENCE.as_secs());
            }
            messages.extend(self.watch(Duration::from_secs(1)).await?);
        }
        messages.extend(self.arrived()?);
        Ok(messages)
    }

    /// Waits for this time, or until the queue is empty, and shows the counts. Returns the messages that arrived
    /// meanwhile.
    pub(super) async fn watch(&mut self, time: Duration) -> anyhow::Result<Vec<Message>> {
        let end = Instant::now() + time;
        while Instant::now() < end && self.waiting().await? > 0 {
            sleep(Duration::from_millis(5)).await;
        }
        let messages = self.arrived()?;
        let waiting = self.waiting().await?;
        if waiting > 0 && !time.is_zero() {
            let Tally { accepted, messages: shown, failed_calls, .. } = self.tally;
            self.say_with_time(
                &format!("已接收 {accepted}，排队 {waiting}，手机收到 {shown} 条，失败调用 {failed_calls}"),
                &format!(
                    "{accepted} accepted, {waiting} queued, {shown} on the phone, {failed_calls} failed calls"
                ),
            )?;
        }
        Ok(messages)
    }

    async fn waiting(&self) -> anyhow::Result<u64> {
        Ok(self.relay.outbox.depths().await?.iter().map(|depth| depth.deliveries).sum())
    }

    /// Counts the calls of the relay since the last look, and returns their messages, shown or dropped.
    pub(super) fn arrived(&mut self) -> anyhow::Result<Vec<Message>> {
        let mut messages = Vec::new();
        loop {
            let Arrival { call, message, .. } = match self.arrivals.try_recv() {
                Ok(arrival) => arrival,
                Err(TryRecvError::Empty) => return Ok(messages),
                Err(error) => return Err(error).context("cannot watch the sandbox"),
            };
            if call.app != Some(AGENT) {
                continue;
            }
            self.tally.failed_calls += usize::from(!call.taken);
            if let Some(message) = message {
                let is_shown = message.members.iter().all(|(_, outcome)| *outcome == MemberOutcome::Shown);
                self.tally.messages += usize::from(is_shown);
                self.tally.dropped += usize::from(!is_shown);
                messages.push(message);
            }
        }
    }

    /// The next message of the relay, as soon as it arrives. `None` if something else has arrived.
    pub(super) async fn next_message(&mut self) -> anyhow::Result<Option<Message>> {
        let Arrival { message, .. } = self.arrivals.recv().await?;
        Ok(message.filter(|message| message.agent_id == AGENT))
    }

    /// Says how the demo ended. Returns false if an alert was lost.
    pub(super) async fn verdict(&mut self) -> anyhow::Result<bool> {
        let delivered = self.delivered().await?;
        let Tally { accepted, messages, dropped, .. } = self.tally;
        let lost = accepted.saturating_sub(delivered) + dropped;
        self.heading(
            &format!("结果：接收 {accepted}，送达 {delivered}，丢失 {lost}"),
            &format!("Verdict: {accepted} accepted, {delivered} delivered, {lost} lost"),
        )?;
        self.say(
            &format!("手机上是 {messages} 条消息，而不是 {accepted} 条。"),
            &format!("The phones show {messages} messages instead of {accepted}."),
        )?;
        Ok(lost == 0)
    }

    /// The number of notifications of which every delivery was delivered, alone or in a digest.
    async fn delivered(&self) -> anyhow::Result<usize> {
        let mut is_delivered: BTreeMap<NotificationId, bool> = BTreeMap::new();
        let mut page = PageRequest { order: ListOrder::OldestFirst, after: None, limit: 1_000 };
        loop {
            let found = self.relay.outbox.list(Filter::default(), page.clone()).await?;
            for one in found.deliveries.into_iter().filter(|one| one.kind == Kind::Alert) {
                *is_delivered.entry(one.notification).or_insert(true) &= one.state == State::Delivered;
            }
            if found.next.is_none() {
                return Ok(is_delivered.into_values().filter(|delivered| *delivered).count());
            }
            page = PageRequest { after: found.next, ..page };
        }
    }
}
