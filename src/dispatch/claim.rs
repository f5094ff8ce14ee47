//! One look: claims what the plan picks among the due deliveries, starts the messages, and schedules the next looks.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    dispatcher::{Died, Dispatcher},
    own_message::OwnMessage,
    report,
};
use crate::{
    clock::Clock,
    delivery::{
        Monotonic, digest,
        languages::Languages,
        plan::{self, Left, Plan},
        rate_limiter::RateLimiter,
        schedule::time_until,
    },
    outbox::{
        Claimed, Claims, Destination, Folding, Kind, Lease, NewDigest, Pick, Planner, SenderName, Waiting,
    },
    wecom::{GroupMentions, WeCom},
};

/// The planner of one look.
struct Look {
    sender: SenderName,
    limiter: Arc<Mutex<RateLimiter>>,
    plan: Plan,
    languages: Languages,
    zone: TimeZone,
    clock: Arc<dyn Clock>,
}

impl Planner for Look {
    fn plan(&mut self, waiting: &Waiting) -> Vec<Pick> {
        self.plan.add(waiting, &self.limiter.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_full(&self) -> bool {
        self.plan.is_full()
    }

    fn digest(&self, folding: &Folding) -> Option<NewDigest> {
        let first = folding.notifications.first()?;
        let time = |accepted_at| {
            let accepted_at = self.clock.wall_time(accepted_at).to_zoned(self.zone.clone());
            accepted_at.strftime("%H:%M").to_string()
        };
        let digest = digest::digest(&folding.notifications, self.languages.of(&first.receiver), time)?;
        let mut mentions = GroupMentions::default();
        if folding.recipients.is_group() {
            let members = folding.notifications.iter().take(digest.members.len());
            members.for_each(|member| mentions.add(&member.mentions));
        }
        let message = OwnMessage {
            kind: Kind::Digest,
            receiver: first.receiver.clone(),
            status: digest.status,
            summary: digest.summary,
            text: digest.text,
            text_form: None,
            mentions,
        };
        let message = message.address(self.sender.clone(), folding.recipients.clone());
        Some(NewDigest { members: digest.members.len(), message })
    }
}

impl<L: Lease, W: WeCom> Dispatcher<L, W> {
    /// Looks at the destinations that are due, and sends up to `slots` messages.
    pub(super) async fn claim_and_send(&mut self, slots: u32) -> Result<(), Died> {
        let (now, clock) = (self.now(), self.clock.now());
        let limit = usize::try_from(slots).unwrap_or(usize::MAX);
        let excluded = self.state.breaker.excluded();
        let destinations = self.state.schedule.take_due(limit, excluded, now);
        let is_excluded = destinations.first().is_some_and(|destination| excluded.contains(destination));
        let slots = if is_excluded { 1 } else { slots };
        self.limiter().expire_reservations(now);
        let count_to = plan::count_to(self.limiter().limits(), slots);
        let look = Look {
            sender: self.sender.clone(),
            limiter: Arc::clone(&self.limiter),
            plan: Plan::new(slots, now),
            languages: self.service.settings.policy.languages.clone(),
            zone: self.service.settings.policy.zone.clone(),
            clock: Arc::clone(&self.clock),
        };
        match self.lease.claim(destinations.clone(), count_to, look, clock).await {
            Ok(claims) => {
                self.state.store_retry_at = None;
                let plan = self.start(claims);
                self.reschedule_after(&plan, &destinations, now, clock);
                Ok(())
            }
            Err(error) => {
                destinations.into_iter().for_each(|destination| self.state.schedule.touch(destination, now));
                self.store_failed(&error)
            }
        }
    }

    fn start(&mut self, claims: Claims<Look>) -> Plan {
        for claimed in claims.claimed {
            if !claimed.members.is_empty() {
                report::folded(&self.metrics, &self.sender, &claimed);
            }
            self.send(claimed);
        }
        claims.planner.plan
    }

    /// Schedules the next look at each of `destinations`.
    fn reschedule_after(
        &mut self,
        plan: &Plan,
        destinations: &[Destination],
        now: Monotonic,
        clock: Timestamp,
    ) {
        // The plan was full before the others were looked at.
        for destination in destinations.iter().skip(plan.rests().len()) {
            self.state.schedule.touch(*destination, now);
        }
        for rest in plan.rests() {
            let next_due = rest.next_due.map(|due| now + time_until(due, clock));
            let next = match rest.left {
                Left::More => Some(now),
                Left::Nothing => {
                    self.slot_waits.cancel(rest.destination);
                    next_due
                }
                Left::Waits { until, .. } => {
                    self.slot_waits.begin(rest.destination, now);
                    [until, next_due].into_iter().flatten().min()
                }
            };
            if let Some(next) = next {
                self.state.schedule.set(rest.destination, next);
            }
            if let Left::Waits { is_blocked: true, .. } = rest.left {
                self.state.schedule.block(rest.destination);
            }
        }
    }

    pub(super) fn destination(&self, claimed: &Claimed) -> Destination {
        Destination::of(&self.sender, &claimed.all_recipients)
    }
}
