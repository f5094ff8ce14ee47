//! One look: reads the due deliveries, makes a plan, claims it, and starts the messages.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    dispatcher::{Died, Dispatcher},
    own_message::OwnMessage,
    report,
    service::STORE_PAUSE,
};
use crate::{
    delivery::{
        Monotonic,
        decide::later,
        digest,
        plan::{self, Action, Plan, Wait},
        schedule::{HORIZON, time_until},
    },
    outbox::{Claimed, Claims, Destination, Kind, Lease, Pick, StoreResult, Waiting},
    wecom::WeCom,
};

/// The result of one look.
struct Look {
    /// The time of the look. The next look must be planned by the same time, because the clock may be set back at any
    /// moment.
    clock: Timestamp,
    waiting: Vec<Waiting>,
    plan: Plan,
    claims: Claims,
}

impl<L: Lease, W: WeCom> Dispatcher<L, W> {
    /// Looks at the destinations that are due, and sends up to `slots` messages.
    pub(super) async fn claim_and_send(&mut self, slots: u32) -> Result<(), Died> {
        let now = self.now();
        let limit = usize::try_from(slots).unwrap_or(usize::MAX);
        let destinations = self.state.schedule.take_due(limit, now);
        match self.look(destinations.clone(), slots, now).await {
            Ok(look) => {
                self.state.store_retry_at = None;
                self.reschedule_after(&look, now);
                self.start(look.claims);
                Ok(())
            }
            Err(error) => {
                destinations.into_iter().for_each(|destination| self.state.schedule.touch(destination, now));
                self.store_failed(&error)
            }
        }
    }

    async fn look(
        &mut self,
        destinations: Vec<Destination>,
        slots: u32,
        now: Monotonic,
    ) -> StoreResult<Look> {
        let clock = self.clock.now();
        let count_to = plan::count_to(self.limiter.limits(), slots);
        let waiting = self.lease.waiting(destinations, count_to, clock).await?;
        let due_times = waiting.iter().filter_map(|waiting| waiting.next_due);
        self.make_due_after_clock_change(due_times.max(), clock).await?;
        self.turn = self.turn.wrapping_add(1);
        self.limiter.expire_reservations(now);
        let plan = plan::plan(&waiting, &self.limiter, slots, self.turn, now);
        let picks = self.picks(&plan, &waiting).await?;
        let claims =
            if picks.is_empty() { Claims::default() } else { self.lease.claim(picks, clock).await? };
        Ok(Look { clock, waiting, plan, claims })
    }

    async fn picks(&self, plan: &Plan, waiting: &[Waiting]) -> StoreResult<Vec<Pick>> {
        let mut picks = Vec::with_capacity(plan.actions.len());
        for action in &plan.actions {
            match action {
                Action::Send { destination, receiver, slots } => picks.push(Pick::Heads {
                    destination: *destination,
                    receiver: receiver.clone(),
                    slots: *slots,
                }),
                Action::Fold { destination } => picks.extend(self.digest(*destination, waiting).await?),
            }
        }
        Ok(picks)
    }

    /// A digest of the notifications that wait for `destination`.
    async fn digest(&self, destination: Destination, waiting: &[Waiting]) -> StoreResult<Option<Pick>> {
        let queues = waiting.iter().find(|waiting| waiting.destination == destination);
        let queue = queues.and_then(|waiting| waiting.queues.first());
        let folding = self.lease.foldable(destination, digest::MAX_MEMBERS).await?;
        let (Some(folding), Some(queue)) = (folding, queue) else { return Ok(None) };
        let Some(digest) = digest::digest(&folding.notifications) else { return Ok(None) };
        let message = OwnMessage {
            kind: Kind::Digest,
            receiver: queue.receiver.clone(),
            status: digest.status,
            summary: digest.summary,
            text: digest.text,
        };
        let members = digest.members;
        let digest = Box::new(message.address(self.sender.clone(), folding.recipients));
        Ok(Some(Pick::Digest { members, digest }))
    }

    /// Makes deliveries due that were postponed before the clock was set back.
    pub(super) async fn make_due_after_clock_change(
        &self,
        last_due: Option<Timestamp>,
        clock: Timestamp,
    ) -> StoreResult<()> {
        let horizon = later(clock, HORIZON);
        if last_due.is_some_and(|due| due > horizon) {
            tracing::warn!(app = %self.sender, "the clock was set back; postponed deliveries are tried now");
            self.lease.make_due(horizon, clock).await?;
        }
        Ok(())
    }

    /// Plans the next look at each destination.
    fn reschedule_after(&mut self, look: &Look, now: Monotonic) {
        let mut sent: HashMap<Destination, u32> = HashMap::new();
        for claimed in &look.claims.claimed {
            *sent.entry(self.destination(claimed)).or_default() += 1;
        }
        let waits: HashMap<Destination, Wait> =
            look.plan.waits.iter().map(|wait| (wait.destination, *wait)).collect();
        for Waiting { destination, queues, next_due } in &look.waiting {
            let next_due = next_due.map(|due| now + time_until(due, look.clock));
            let due: u32 = queues.iter().map(|queue| queue.due).sum();
            let sent = sent.get(destination).copied().unwrap_or(0);
            let next = match waits.get(destination) {
                Some(wait) => {
                    self.slot_waits.begin(*destination, now);
                    earliest(wait.until, next_due)
                }
                None if due == 0 => {
                    self.slot_waits.cancel(*destination);
                    next_due
                }
                None if sent >= due => next_due,
                None if sent == 0 && look.is_planned(*destination) => Some(now + STORE_PAUSE),
                None => Some(now),
            };
            if let Some(next) = next {
                self.state.schedule.set(*destination, next);
            }
            if waits.get(destination).is_some_and(|wait| wait.is_blocked) {
                self.state.schedule.block(*destination);
            }
        }
    }

    fn start(&mut self, claims: Claims) {
        for digest in &claims.digests {
            if let Some(claimed) = claims.claimed.iter().find(|claimed| claimed.id == digest.delivery) {
                report::folded(&self.metrics, &self.sender, claimed, &digest.members);
            }
        }
        claims.claimed.into_iter().for_each(|claimed| self.send(claimed));
    }

    pub(super) fn destination(&self, claimed: &Claimed) -> Destination {
        Destination::of(&self.sender, &claimed.all_recipients)
    }
}

impl Look {
    /// True if the plan has an action for `destination`. If nothing was claimed for it, an operator has changed the
    /// queue, and the next look waits a moment.
    fn is_planned(&self, destination: Destination) -> bool {
        self.plan.actions.iter().any(|action| match action {
            Action::Send { destination: to, .. } | Action::Fold { destination: to } => *to == destination,
        })
    }
}

fn earliest(a: Option<Monotonic>, b: Option<Monotonic>) -> Option<Monotonic> {
    [a, b].into_iter().flatten().min()
}
