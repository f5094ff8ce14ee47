//! One look at what waits: what may go out is claimed.

use std::{sync::atomic::Ordering, time::Duration};

use jiff::Timestamp;

use super::{Died, Dispatcher, HORIZON};
use crate::{
    delivery::{
        Monotonic, fold,
        gate::Admission,
        plan::{self, Action},
        step,
    },
    dispatch::{STORE_PAUSE, report, text::Text},
    outbox::{
        Claimed, Destination, Due, Kind, NotificationId, Outbox, Pick, Queue, ReceiverName, StoreError, Used,
    },
    wecom::WeCom,
};

/// A digest to be made, and whose notifications it tells.
type Digest = (Pick, Vec<(NotificationId, ReceiverName)>);

struct Claims {
    claimed: Vec<Claimed>,
    wake: Option<Monotonic>,
    exhausted: bool,
}

impl<O: Outbox, W: WeCom> Dispatcher<O, W> {
    /// Claims and starts what may go out now; says when to look again.
    pub(super) async fn fill(&mut self) -> Result<Option<Monotonic>, Died> {
        let mut wake = None;
        loop {
            self.standing.expect_more();
            self.lend();
            // What is claimed must not wait for several answers of the store: it reaches WeCom within `DUPLICATE_CHECK_MARGIN`.
            while let Some(used) = self.standing.used_so_far() {
                self.used(used, &mut wake).await;
            }
            self.stalled = self.unwritten.load(Ordering::Acquire) > 0;
            if self.stalled {
                // The end of the settling wakes the loop.
                return Ok(wake);
            }
            if self.service.wecom.is_none() || self.stop.is_cancelled() {
                // A reload wakes the loop, or it ends.
                return Ok(wake);
            }
            if self.has_other_limits() {
                // The end of what is in flight lets the loop count anew.
                return Ok(wake);
            }
            let slots = match self.gate.admission(self.in_flight(), self.uptime()) {
                // The commit of this call is one that finds the slots that are lent.
                Admission::Open if self.lends() && self.standing.lent() > 0 => 0,
                Admission::Open if self.free() > 0 => self.free(),
                Admission::Probe => 1,
                // The end of a send makes room.
                Admission::Open | Admission::Probing => return Ok(wake),
                Admission::Wait(at) => return Ok(earliest(wake, Some(at))),
            };
            match self.claim(slots).await {
                Ok(Claims { claimed, wake: next, exhausted }) => {
                    self.failed = false;
                    wake = earliest(wake, next);
                    let none = claimed.is_empty();
                    self.start_all(claimed);
                    if none || exhausted {
                        return Ok(wake);
                    }
                }
                Err(StoreError::Closed) => return Err(Died::Store(StoreError::Closed)),
                Err(error) => {
                    tracing::warn!(app = %self.sender, %error, "the outbox does not answer; trying again");
                    self.failed = true;
                    return Ok(earliest(wake, Some(self.uptime() + STORE_PAUSE)));
                }
            }
        }
    }

    /// Takes back slots, and starts what was claimed for them; `wake` is when to look at the latest. Whether to look now:
    /// the claim came to nothing, or the slots are for others.
    pub(super) async fn used(&mut self, used: Used, wake: &mut Option<Monotonic>) -> bool {
        self.failed |= used.claimed.is_none();
        self.start_all(used.claimed.unwrap_or_default());
        let (now, uptime) = (self.clock.now(), self.uptime());
        *wake = earliest(*wake, self.due_or_soon(used.next_due, now, uptime).await);
        !self.lends()
    }

    async fn claim(&mut self, capacity: u32) -> Result<Claims, StoreError> {
        if self.pace.is_limited() {
            self.claim_planned(capacity).await
        } else {
            self.claim_due(capacity).await
        }
    }

    /// Without limits all goes out that is due.
    async fn claim_due(&mut self, capacity: u32) -> Result<Claims, StoreError> {
        let (now, uptime) = (self.clock.now(), self.uptime());
        self.waits.note(&[], &[], uptime);
        self.turn = self.turn.wrapping_add(1);
        let check = self.service.settings.duplicate_check;
        let Due { claimed, more, next_due } =
            self.outbox.claim_due(&self.sender, capacity, self.turn, check, now).await?;
        let wake = self.due_or_soon(next_due, now, uptime).await;
        Ok(Claims { claimed, wake, exhausted: !more })
    }

    /// Within limits the plan says what goes out.
    async fn claim_planned(&mut self, capacity: u32) -> Result<Claims, StoreError> {
        let now = self.clock.now();
        // More than a minute's limit need not be told apart.
        let limit = self.service.settings.limits.per_minute;
        let count_to = match limit {
            0 => fold::MAX_MEMBERS,
            _ => limit.max(capacity).saturating_add(1).min(fold::MAX_MEMBERS),
        };
        let waiting = self.outbox.waiting(&self.sender, count_to, now).await?;
        self.turn = self.turn.wrapping_add(1);
        let uptime = self.uptime();
        self.pace.lapse(uptime);
        let plan = plan::plan(&waiting.queues, &self.pace, capacity, self.turn, uptime);
        self.waits.note(&plan.waits, &waiting.queues, uptime);
        let mut picks = Vec::with_capacity(plan.actions.len());
        let mut digests = Vec::new();
        for action in plan.actions {
            match action {
                Action::Send { destination, receiver, slots } => {
                    picks.push(Pick::Heads { destination, receiver, slots });
                }
                Action::Fold { destination } => {
                    if let Some((pick, members)) = self.fold(destination, &waiting.queues).await? {
                        picks.push(pick);
                        digests.push((destination, members));
                    }
                }
            }
        }
        let due = self.due(waiting.next_due, now, uptime).await?;
        let wake = earliest(plan.wake, due);
        if picks.is_empty() {
            return Ok(Claims { claimed: Vec::new(), wake, exhausted: false });
        }
        let claimed =
            self.outbox.claim(&self.sender, picks, self.service.settings.duplicate_check, now).await?;
        for (destination, members) in digests {
            // Not an older one that is sent again.
            let is_it = |one: &&Claimed| {
                one.kind == Kind::Digest
                    && one.attempts == 0
                    && one.claimed_at == now
                    && self.destination(one) == destination
            };
            if let Some(digest) = claimed.iter().find(is_it) {
                report::folded(&self.metrics, &self.sender, digest, &members);
            }
        }
        // What was planned was not there: look again, though nothing may happen that says so.
        let again = claimed.is_empty().then(|| uptime + STORE_PAUSE);
        Ok(Claims { claimed, wake: earliest(wake, again), exhausted: false })
    }

    /// [`Self::due`], or soon when the store does not answer: what is claimed is in flight and must go out all the same.
    async fn due_or_soon(
        &self,
        next_due: Option<Timestamp>,
        now: Timestamp,
        uptime: Monotonic,
    ) -> Option<Monotonic> {
        self.due(next_due, now, uptime).await.unwrap_or_else(|error| {
            tracing::warn!(app = %self.sender, %error, "the outbox does not answer; trying again");
            Some(uptime + STORE_PAUSE)
        })
    }

    /// When what becomes due next is due by the clock of the loop.
    async fn due(
        &self,
        next_due: Option<Timestamp>,
        now: Timestamp,
        uptime: Monotonic,
    ) -> Result<Option<Monotonic>, StoreError> {
        let Some(due) = next_due else { return Ok(None) };
        let horizon = step::later(now, HORIZON);
        if due > horizon {
            tracing::warn!(app = %self.sender, "the clock was set back; what waits is tried now");
            self.outbox.hasten(&self.sender, horizon, now).await?;
        }
        let wait = Duration::try_from(due.duration_since(now)).unwrap_or_default();
        // A due time is stored in whole milliseconds.
        Ok(Some(uptime + wait + Duration::from_millis(1)))
    }

    /// A digest of what waits for `destination`.
    async fn fold(&self, destination: Destination, queues: &[Queue]) -> Result<Option<Digest>, StoreError> {
        let folding = self.outbox.foldable(&self.sender, destination, fold::MAX_MEMBERS).await?;
        let (Some(folding), Some(queue)) =
            (folding, queues.iter().find(|queue| queue.destination == destination))
        else {
            return Ok(None);
        };
        let Some(digest) = fold::digest(&folding.messages) else { return Ok(None) };
        let members = digest.members;
        let told = folding.messages.into_iter().take(members.len());
        let told = told.map(|message| (message.notification, message.receiver)).collect();
        let message = Text {
            kind: Kind::Digest,
            receiver: queue.receiver.clone(),
            status: digest.status,
            summary: digest.summary,
            text: digest.text,
        };
        let digest = Box::new(message.to(self.sender.clone(), folding.recipients));
        Ok(Some((Pick::Digest { members, digest }, told)))
    }

    pub(super) fn destination(&self, claimed: &Claimed) -> Destination {
        Destination::of(&self.sender, &claimed.all_recipients)
    }
}

fn earliest(a: Option<Monotonic>, b: Option<Monotonic>) -> Option<Monotonic> {
    [a, b].into_iter().flatten().min()
}
