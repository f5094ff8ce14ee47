//! How much each recipient may be sent, so that WeCom drops nothing in silence.
//!
//! WeCom drops what exceeds 30 messages a minute and 1,000 an hour to one member of one app, and answers
//! errcode 0 all the same. [`Pace`] never lets more than that end in any sliding window, for every recipient
//! that can be named: each user, department and tag by itself, with `@all` charged to everyone.
//!
//! A slot is taken when a send starts and is free again one window after its reply, because a message can be
//! counted by WeCom at any moment in between. A token bucket was rejected: it allows twice the limit in a
//! window that straddles a refill.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use super::Monotonic;
use crate::{
    outbox::{DeliveryId, NotificationId},
    wecom::{Addressee, Recipients},
};

/// Messages to one recipient of one app; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In any [`Windows::minute`].
    pub per_minute: u32,
    /// In any [`Windows::hour`].
    pub per_hour: u32,
}

/// How long the windows are; a parameter so that a test need not last an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// What WeCom calls a minute.
    pub minute: Duration,
    /// What WeCom calls an hour.
    pub hour: Duration,
}

impl Default for Windows {
    fn default() -> Self {
        Self { minute: Duration::from_secs(60), hour: Duration::from_secs(3600) }
    }
}

/// The share of the hour that may be used at the full rate of the minute; what is left is spread.
const FULL_RATE_SHARE: f64 = 0.7;
/// For how many minutes slots are kept for parts to come.
const RESERVED_MINUTES: u32 = 10;
/// How many slots of a full minute are kept for what comes later in it.
const RESERVE: u32 = 5;

/// What a set of recipients may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// No limit applies.
    Unlimited,
    /// So many more messages.
    Slots {
        /// Messages that may start now.
        free: u32,
        /// How many of them are the last ones of this minute, to be spent slowly.
        reserve: u32,
        /// When the last message to any of them started or ended.
        last: Option<Monotonic>,
    },
}

/// The sends of one sender, by recipient.
#[derive(Debug)]
pub struct Pace {
    limits: Limits,
    windows: Windows,
    ledgers: HashMap<Addressee, Ledger>,
    /// Slots kept for the parts still to come of messages that were started.
    reserved: HashMap<NotificationId, Reservation>,
    /// Until when WeCom surely suppresses a copy of a delivery in doubt.
    suppressed: HashMap<DeliveryId, Monotonic>,
    /// When the attempt ended whose slot the one in flight has taken over.
    replaced: HashMap<DeliveryId, Monotonic>,
}

#[derive(Debug)]
struct Reservation {
    /// The part that was started last.
    by: DeliveryId,
    addressees: Vec<Addressee>,
    slots: u32,
    until: Monotonic,
}

#[derive(Debug, Default)]
struct Ledger {
    in_flight: u32,
    reserved: u32,
    /// When each counted send of the last hour ended, the oldest first.
    ended: VecDeque<(Monotonic, DeliveryId)>,
    last: Option<Monotonic>,
}

impl Ledger {
    /// Counts a send that ended in the past.
    fn put(&mut self, ended: Monotonic, delivery: DeliveryId) {
        let at = self.ended.partition_point(|(earlier, _)| *earlier <= ended);
        self.ended.insert(at, (ended, delivery));
    }
}

impl Pace {
    /// Nothing sent so far.
    pub fn new(limits: Limits, windows: Windows) -> Self {
        Self {
            limits,
            windows,
            ledgers: HashMap::new(),
            reserved: HashMap::new(),
            suppressed: HashMap::new(),
            replaced: HashMap::new(),
        }
    }

    /// The limits. Others need another one, since only what these ask for was counted.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether anything is limited at all.
    pub fn is_limited(&self) -> bool {
        self.reach().is_some()
    }

    /// How far back sends count.
    pub fn reach(&self) -> Option<Duration> {
        let Limits { per_minute, per_hour } = self.limits;
        let minute = (per_minute > 0).then_some(self.windows.minute);
        if per_hour > 0 { Some(self.windows.hour) } else { minute }
    }

    /// What `recipients` may be sent at `now`.
    pub fn budget(&self, recipients: &Recipients, now: Monotonic) -> Budget {
        // What is for nobody is refused, and costs nobody a slot.
        if !self.is_limited() || *recipients == Recipients::Nobody {
            return Budget::Unlimited;
        }
        let everyone = self.ledgers.get(&Addressee::All);
        let of = |ledger: Option<&Ledger>, all: Option<&Ledger>| self.ledger_budget(ledger, all, now);
        let mut budgets = match recipients {
            Recipients::All => {
                let each = self.ledgers.iter().filter(|(addressee, _)| **addressee != Addressee::All);
                let mut budgets: Vec<_> = each.map(|(_, ledger)| of(Some(ledger), everyone)).collect();
                budgets.push(of(None, everyone));
                budgets
            }
            Recipients::Nobody | Recipients::Listed(_) => {
                let named = recipients.addressees();
                named.iter().map(|addressee| of(self.ledgers.get(addressee), everyone)).collect()
            }
        };
        budgets.sort_unstable_by_key(|(free, ..)| *free);
        let (free, limit) = budgets.first().map_or((0, 0), |(free, limit, _)| (*free, *limit));
        let last = budgets.iter().filter_map(|(.., last)| *last).max();
        Budget::Slots { free, reserve: RESERVE.min(limit / 6), last }
    }

    /// When `recipients`, whose budget is used up at `now`, may have room again; `None` when only the end of a
    /// send in flight can make room.
    pub fn next_release(&self, recipients: &Recipients, now: Monotonic) -> Option<Monotonic> {
        let everyone = self.ledgers.get(&Addressee::All);
        let named: Vec<&Ledger> = match recipients {
            Recipients::All => self.ledgers.values().collect(),
            Recipients::Nobody | Recipients::Listed(_) => {
                recipients.addressees().iter().filter_map(|addressee| self.ledgers.get(addressee)).collect()
            }
        };
        let releases = named.into_iter().chain(everyone).flat_map(|ledger| {
            // What no window reaches any more may still stand before it.
            [self.windows.minute, self.windows.hour].map(|window| {
                let oldest = ledger.ended.partition_point(|(ended, _)| now.since(*ended) >= window);
                ledger.ended.get(oldest).map(|(ended, _)| *ended + window)
            })
        });
        let lapses = self.reserved.values().map(|reservation| reservation.until);
        releases.flatten().chain(lapses).filter(|release| *release > now).min()
    }

    /// Lets go what was kept for parts that did not come in a long time: somebody may have discarded them.
    pub fn lapse(&mut self, now: Monotonic) {
        let lapsed: Vec<_> = self.reserved.extract_if(|_, reservation| reservation.until <= now).collect();
        for (_, reservation) in lapsed {
            self.let_go(&reservation);
        }
    }

    fn let_go(&mut self, reservation: &Reservation) {
        for addressee in &reservation.addressees {
            if let Some(ledger) = self.ledgers.get_mut(addressee) {
                ledger.reserved = ledger.reserved.saturating_sub(reservation.slots);
            }
        }
    }

    /// How far apart the last slots of a minute are spent.
    pub fn spacing(&self) -> Duration {
        self.windows.minute / (RESERVE + 1)
    }

    /// Whether `delivery` still has the slot of an earlier attempt, which a resend takes over.
    pub fn has_slot(&self, delivery: DeliveryId, recipients: &Recipients, now: Monotonic) -> bool {
        if !self.is_suppressed(delivery, now) {
            return false;
        }
        let within = |ledger: &Ledger| {
            let mut recent = ledger.ended.iter().rev();
            recent.any(|(ended, id)| *id == delivery && now.since(*ended) < self.windows.minute)
        };
        recipients.addressees().iter().all(|addressee| self.ledgers.get(addressee).is_some_and(within))
    }

    /// Whether a slot is kept for `delivery`, the next part of `notification`; not for the part that was started
    /// last, which has had its slot.
    pub fn has_reserved(&self, notification: NotificationId, delivery: DeliveryId) -> bool {
        self.reserved.get(&notification).is_some_and(|reservation| reservation.by != delivery)
    }

    fn is_suppressed(&self, delivery: DeliveryId, now: Monotonic) -> bool {
        self.suppressed.get(&delivery).is_some_and(|until| now < *until)
    }

    /// A send starts. While WeCom suppresses it if an earlier attempt of the same delivery was taken, both need
    /// one slot only.
    pub fn start(&mut self, delivery: DeliveryId, recipients: &Recipients, now: Monotonic) {
        if !self.is_limited() {
            return;
        }
        let replaces = self.is_suppressed(delivery, now);
        for addressee in recipients.addressees() {
            let ledger = self.ledgers.entry(addressee).or_default();
            if replaces && let Some(at) = ledger.ended.iter().rposition(|(_, id)| *id == delivery) {
                self.replaced.extend(ledger.ended.remove(at).map(|(ended, id)| (id, ended)));
            }
            ledger.in_flight += 1;
            ledger.last = Some(now);
        }
    }

    /// A send ended; `counted` unless WeCom surely did not take it. When it is to be sent again, WeCom suppresses
    /// the copy until `suppressed_until`.
    pub fn end(
        &mut self,
        delivery: DeliveryId,
        recipients: &Recipients,
        counted: bool,
        suppressed_until: Option<Monotonic>,
        now: Monotonic,
    ) {
        if !self.is_limited() {
            return;
        }
        if let Some(until) = suppressed_until {
            // The first attempt may have been the one that was taken.
            let first = self.suppressed.entry(delivery).or_insert(until);
            *first = if *first <= now { until } else { *first };
        }
        // A refused copy says nothing of the attempt before it.
        let before = self.replaced.remove(&delivery);
        for addressee in recipients.addressees() {
            let ledger = self.ledgers.entry(addressee).or_default();
            ledger.in_flight = ledger.in_flight.saturating_sub(1);
            if counted {
                ledger.ended.push_back((now, delivery));
                ledger.last = Some(now);
            } else if let Some(before) = before {
                ledger.put(before, delivery);
            }
        }
        self.prune(now);
    }

    /// Charges a send that ended `age` ago and is not counted yet.
    pub fn charge(&mut self, recipients: &Recipients, age: Duration, now: Monotonic) {
        if self.reach().is_none_or(|reach| age >= reach) {
            return;
        }
        let ended = now.before(age);
        for addressee in recipients.addressees() {
            let ledger = self.ledgers.entry(addressee).or_default();
            ledger.put(ended, DeliveryId(0));
        }
    }

    /// Keeps `slots` for the parts of `notification` that are still to come after `by`, as far as they are free; 0
    /// lets them go.
    pub fn reserve(
        &mut self,
        notification: NotificationId,
        by: DeliveryId,
        recipients: &Recipients,
        slots: u32,
        now: Monotonic,
    ) {
        if let Some(before) = self.reserved.remove(&notification) {
            self.let_go(&before);
        }
        let slots = match self.budget(recipients, now) {
            Budget::Unlimited => 0,
            Budget::Slots { free, .. } => slots.min(free),
        };
        if slots == 0 {
            return;
        }
        let addressees = recipients.addressees();
        for addressee in &addressees {
            self.ledgers.entry(addressee.clone()).or_default().reserved += slots;
        }
        let until = now + RESERVED_MINUTES * self.windows.minute;
        self.reserved.insert(notification, Reservation { by, addressees, slots, until });
    }

    /// Free slots, the limit of this minute and the last send of one recipient, everyone's sends included.
    fn ledger_budget(
        &self,
        ledger: Option<&Ledger>,
        everyone: Option<&Ledger>,
        now: Monotonic,
    ) -> (u32, u32, Option<Monotonic>) {
        let both = || ledger.into_iter().chain(everyone);
        let pending: u32 = both().map(|ledger| ledger.in_flight + ledger.reserved).sum();
        let within = |window: Duration| -> u32 {
            let counted = both().map(|ledger| {
                let old = ledger.ended.partition_point(|(ended, _)| now.since(*ended) >= window);
                ledger.ended.len() - old
            });
            u32::try_from(counted.sum::<usize>()).unwrap_or(u32::MAX)
        };
        let used_hour = within(self.windows.hour).saturating_add(pending);
        let used_minute = within(self.windows.minute).saturating_add(pending);
        let limit = self.minute_limit(used_hour);
        let free_hour = match self.limits.per_hour {
            0 => u32::MAX,
            per_hour => per_hour.saturating_sub(used_hour),
        };
        let free = limit.saturating_sub(used_minute).min(free_hour);
        (free, limit, both().filter_map(|ledger| ledger.last).max())
    }

    /// The limit of a minute when `used` messages of the hour are used: beyond the share at full rate it falls
    /// in proportion to what is left, so that the hour does not end in a blackout.
    fn minute_limit(&self, used: u32) -> u32 {
        let per_minute = if self.limits.per_minute == 0 { u32::MAX } else { self.limits.per_minute };
        if self.limits.per_hour == 0 {
            return per_minute;
        }
        let per_hour = f64::from(self.limits.per_hour);
        let left = (per_hour - f64::from(used)).max(0.0) / (per_hour * (1.0 - FULL_RATE_SHARE));
        if left >= 1.0 {
            return per_minute;
        }
        let full = f64::from(per_minute.min(self.limits.per_hour));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and a u32's value"
        )]
        let tapered = (full * left).ceil() as u32;
        tapered.min(per_minute)
    }

    /// Forgets what no window reaches any more.
    fn prune(&mut self, now: Monotonic) {
        self.suppressed.retain(|_, until| now < *until);
        let keep = self.reach().unwrap_or_default();
        self.ledgers.retain(|_, ledger| {
            while ledger.ended.front().is_some_and(|(ended, _)| now.since(*ended) >= keep) {
                ledger.ended.pop_front();
            }
            ledger.in_flight > 0 || ledger.reserved > 0 || !ledger.ended.is_empty()
        });
    }
}

#[cfg(test)]
mod tests;
