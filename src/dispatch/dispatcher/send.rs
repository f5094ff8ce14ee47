//! One send: from its claim to the writing down of its end.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::Instrument;

use super::{Dispatcher, Service};
use crate::{
    delivery::step::{self, Health},
    dispatch::{
        STORE_PAUSE,
        report::{self, End, story},
        unwritten::Unwritten,
    },
    outbox::{Attempt, Claimed, DUPLICATE_CHECK_MARGIN, Destination, Outbox, Settlement, StoreError},
    wecom::{Outcome, WeCom},
};

/// A send that ended.
pub(super) struct Ended<W> {
    service: Arc<Service<W>>,
    claimed: Claimed,
    outcome: Outcome,
    started_at: Timestamp,
    duration: Duration,
}

impl<O: Outbox, W: WeCom> Dispatcher<O, W> {
    /// Sends what is in flight on disk.
    pub(super) fn start_all(&mut self, claimed: Vec<Claimed>) {
        // Nothing is claimed of a sender that never had an app.
        let Some(wecom) = self.wecom.clone() else { return };
        claimed.into_iter().for_each(|claimed| self.start(claimed, Arc::clone(&wecom)));
    }

    fn start(&mut self, claimed: Claimed, wecom: Arc<W>) {
        let uptime = self.uptime();
        let recipients = &claimed.message.recipients;
        let repeats = claimed.unconfirmed_since.is_some_and(|since| {
            let age = Duration::try_from(claimed.claimed_at.duration_since(since)).unwrap_or_default();
            claimed.message.duplicate_check.is_some_and(|interval| age < interval)
        });
        self.pace.start(claimed.id, recipients, uptime);
        let destination = || Destination::of(&self.sender, &claimed.all_recipients);
        let waited = self.waits.end(destination, uptime);
        self.metrics.rate_limit_wait(&self.sender.0, waited);
        let parts = claimed.part.of.saturating_sub(claimed.part.number);
        // This part may be to come for other batches of the recipients.
        let parts_left = claimed.to_come.min(u32::from(parts) + 1);
        self.pace.reserve(claimed.notification, claimed.id, &claimed.all_recipients, parts_left, uptime);
        if let Some(since) = claimed.unconfirmed_since
            && !repeats
        {
            story!(
                warn, self.sender, claimed, %since,
                "sent again although an earlier attempt may have delivered it, later than WeCom's duplicate check \
                 reaches; a copy is possible"
            );
        }
        story!(debug, self.sender, claimed, attempts = claimed.attempts, "sending");
        let span = tracing::debug_span!(
            "send", app = %self.sender, receiver = %claimed.receiver, group = claimed.group_key,
            notification = %claimed.notification, delivery = %claimed.id,
        );
        let (service, clock) = (Arc::clone(&self.service), Arc::clone(&self.clock));
        let send = async move {
            let (started_at, started) = (clock.now(), Instant::now());
            let outcome = wecom.send(&claimed.message).await;
            Ended { service, claimed, outcome, started_at, duration: started.elapsed() }
        };
        self.sends.spawn(send.instrument(span));
    }

    /// Writes down how a send ended. Whether another may go out for it.
    pub(super) fn ended(&mut self, ended: Ended<W>) -> bool {
        let Ended { service, claimed, outcome, started_at, duration } = ended;
        let (now, uptime) = (self.clock.now(), self.uptime());
        let step = step::step(&claimed, &outcome, &self.service.settings.policy, now, &mut self.rng);
        // Reckoned from the start, and so that the copy arrives before.
        let interval = claimed.message.duplicate_check.filter(|_| matches!(outcome, Outcome::Unknown(_)));
        let suppressed_until = interval
            .map(|interval| uptime.before(duration) + interval.saturating_sub(DUPLICATE_CHECK_MARGIN));
        let recipients = &claimed.message.recipients;
        self.pace.end(claimed.id, recipients, step.counted, suppressed_until, uptime);
        // What older credentials met says nothing of those that a reload brought meanwhile.
        let is_news = service.settings.credentials == self.service.settings.credentials
            || !matches!(step.health, Health::Blocked(_));
        let change = is_news.then(|| self.gate.note(&step.health, now, uptime, &mut self.rng)).flatten();
        if let Some(change) = change {
            report::gate(&self.metrics, &change, &step.health);
            let result = self.holding.change(change);
            self.write(result);
        }
        let (sender, cause) = (&self.sender, step.cause);
        let end = End { sender, claimed: &claimed, outcome: &outcome, verdict: &step.verdict, cause };
        report::attempt(&self.metrics, &end, duration, now);
        let (errcode, detail) = (report::errcode(&outcome), step::describe(&outcome));
        let attempt = Attempt { started_at, duration, errcode, detail, counted: step.counted };
        let settlement = Settlement { delivery: claimed.id, attempt, verdict: step.verdict };
        // Before the end is written, so that what waits for the slot is claimed with it.
        self.lend();
        self.write(Unwritten::Settlement(settlement, now));
        !self.lends()
    }

    /// Writes `result` down, however long the outbox does not take it.
    fn write(&mut self, result: Unwritten) {
        let (unwritten, sender) = (Arc::clone(&self.unwritten), self.sender.clone());
        let outbox = self.outbox.clone();
        self.settles.spawn(async move {
            let Err(error) = result.write(&outbox).await else { return };
            unwritten.fetch_add(1, Ordering::AcqRel);
            // The loop lends no more slots.
            outbox.changed().notify_waiters();
            let delivery = result.delivery().map(tracing::field::display);
            tracing::error!(
                app = %sender, delivery, %error,
                "a result cannot be written to the outbox; it is kept in memory and nothing more is sent until it is"
            );
            loop {
                tokio::time::sleep(STORE_PAUSE).await;
                match result.write(&outbox).await {
                    Ok(()) => break,
                    Err(StoreError::Closed) => return,
                    Err(_) => {}
                }
            }
            unwritten.fetch_sub(1, Ordering::AcqRel);
            tracing::info!(app = %sender, "the outbox takes results again");
        });
    }
}
