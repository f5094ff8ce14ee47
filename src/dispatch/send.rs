//! One message: from its claim to the storing of its result.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::Instrument;

use super::{
    calls::{Called, Calls},
    dispatcher::Dispatcher,
    ended::Ended,
    pending_write::PendingWrite,
    report::{self, AttemptReport, delivery_event},
    service::Service,
};
use crate::{
    delivery::{
        card_calls::{has_duplicate_check, without_open_card},
        circuit_breaker::EndedMessage,
        decide,
        duplicate_check::DUPLICATE_CHECK_MARGIN,
        evidence::{Evidence, Scope, evidence},
    },
    outbox::{Attempt, Claimed, Lease, Settlement, Verdict},
    wecom::{Content, Outcome, WeCom},
};

impl<L: Lease, W: WeCom> Dispatcher<L, W> {
    /// Starts the message of a claim.
    pub(super) fn send(&mut self, mut claimed: Claimed) {
        let now = self.now();
        let check = self.duplicate_check.start(claimed.id, claimed.body, now);
        claimed.message.duplicate_check = check.filter(|_| has_duplicate_check(&claimed));
        if let Some(content) = without_open_card(&claimed) {
            delivery_event!(debug, self.sender, claimed, "no card is open; a message is sent instead");
            claimed.message.content = content;
        }
        self.limiter().start(claimed.id, &claimed.message.recipients, now);
        let destination = self.destination(&claimed);
        self.metrics.rate_limit_wait(&self.sender.0, self.slot_waits.end(destination, now));
        let later_parts = claimed.part.total.saturating_sub(claimed.part.number);
        // With several batches of recipients, this part may still have to go to another batch.
        let reserved = claimed.unsettled_others.min(u32::from(later_parts) + 1);
        self.limiter().reserve(claimed.notification, claimed.id, &claimed.all_recipients, reserved, now);
        self.report_start(&claimed);
        self.state.breaker.start(destination);
        self.hold_back_destinations();
        let span = tracing::debug_span!(
            "send", app = %self.sender, receiver = %claimed.receiver, group = claimed.group_key,
            notification = claimed.notification.0, delivery = claimed.id.0,
        );
        let (service, clock) = (Arc::clone(&self.service), Arc::clone(&self.clock));
        let (term, draining) = (self.lease.term().clone(), self.draining.clone());
        let send = async move {
            let (started_at, started) = (clock.now(), Instant::now());
            let calls = Calls { wecom: service.wecom.as_ref(), term, draining };
            let Called { outcome, is_cut_off, tried_cards } = calls.make(&claimed).await;
            let duration = started.elapsed();
            Ended { service, claimed, outcome, is_cut_off, tried_cards, started_at, duration }
        };
        self.sends.spawn(send.instrument(span));
        self.state.in_flight = self.sends.len();
    }

    fn report_start(&self, claimed: &Claimed) {
        // A code protects the update of a card from a copy.
        let is_card_update = matches!(claimed.message.content, Content::CardUpdate(_));
        if let Some(since) = claimed.unconfirmed_since.filter(|_| !is_card_update) {
            let age = Duration::try_from(claimed.claimed_at.duration_since(since)).unwrap_or_default();
            let is_suppressed = claimed.message.duplicate_check.is_some_and(|interval| age < interval);
            if !is_suppressed {
                let since = self.clock.wall_time(since);
                delivery_event!(
                    warn, self.sender, claimed, %since,
                    "sent again, although an earlier attempt may have delivered it; WeCom's duplicate check does not \
                     cover it, so a copy is possible"
                );
            }
        }
        delivery_event!(debug, self.sender, claimed, attempts = claimed.attempts, "sending");
    }

    /// Decides about an outcome, and stores the result.
    pub(super) fn settle(&mut self, ended: Ended<W>) {
        let Ended { service, claimed, outcome, is_cut_off, tried_cards, started_at, duration } = ended;
        let (now, clock) = (self.now(), self.clock.now());
        let scope = match is_cut_off {
            // It says nothing about WeCom.
            true => {
                self.state.breaker.ignore(self.destination(&claimed));
                Scope::Sender { retry_in: Duration::ZERO }
            }
            false => self.weigh(&service, &claimed, &outcome, clock),
        };
        let policy = &self.service.settings.policy;
        let decision = decide::decide(&claimed, &outcome, scope, policy, clock, &mut self.rng);
        // WeCom's interval counts from the start of the first attempt, and the resend must arrive before its end.
        let interval = claimed.message.duplicate_check.filter(|_| matches!(outcome, Outcome::Unknown(_)));
        let suppressed_until =
            interval.map(|interval| now.before(duration) + interval.saturating_sub(DUPLICATE_CHECK_MARGIN));
        let recipients = &claimed.message.recipients;
        self.limiter().end(claimed.id, recipients, decision.counted, suppressed_until, now);
        self.state.schedule.unblock(now);
        match decision.verdict {
            Verdict::Delivered(_) | Verdict::Dead(_) | Verdict::Undo(_) => {
                self.duplicate_check.settle(claimed.id);
                self.state.breaker.settle(claimed.id, self.destination(&claimed));
            }
            // Other messages may use the slots of later parts until this part goes on.
            Verdict::Retry { .. } => {
                self.limiter().reserve(claimed.notification, claimed.id, &claimed.all_recipients, 0, now);
            }
            Verdict::Replace { .. } => {}
        }
        self.hold_back_destinations();
        let report = AttemptReport {
            sender: &self.sender,
            claimed: &claimed,
            outcome: &outcome,
            decision: &decision,
            clock: self.clock.as_ref(),
        };
        report::attempt(&self.metrics, &report, duration, clock);
        let attempt = Attempt {
            started_at,
            duration,
            errcode: report::errcode(&outcome),
            detail: decide::describe(&outcome),
            counted: decision.counted,
        };
        let Claimed { id: delivery, claim, .. } = claimed;
        let verdict = decision.verdict;
        let settlement = Settlement { delivery, claim, attempt, verdict, tried_cards };
        self.store(PendingWrite::Settlement(settlement, clock));
    }

    /// Attributes an outcome to the sender or to the message, and stores a change of the hold.
    fn weigh(
        &mut self,
        service: &Service<W>,
        claimed: &Claimed,
        outcome: &Outcome,
        clock: Timestamp,
    ) -> Scope {
        let (now, destination, evidence) = (self.now(), self.destination(claimed), evidence(outcome));
        // A failure with old credentials says nothing about the new credentials of a reload.
        let is_outdated = service.settings.credentials != self.service.settings.credentials;
        if is_outdated && matches!(evidence, Evidence::Blocks(_)) {
            self.state.breaker.ignore(destination);
            return Scope::Sender { retry_in: Duration::ZERO };
        }
        let ended = EndedMessage { delivery: claimed.id, destination, evidence };
        let recorded = self.state.breaker.record(&ended, clock, now);
        if let Some(change) = recorded.change {
            report::hold_change(&self.metrics, &change, self.clock.as_ref());
            let write = self.hold_changes.next(change);
            self.store(write);
        }
        recorded.scope
    }

    /// Applies the circuit breaker to the schedule.
    pub(super) fn hold_back_destinations(&mut self) {
        let (waiting, now) = (self.state.breaker.waiting(), self.now());
        self.state.schedule.hold_back(waiting, now);
    }
}
