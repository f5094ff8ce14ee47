//! Keeps each recipient below WeCom's limits.
//!
//! WeCom drops messages silently beyond 30 a minute and 1,000 an hour to one member of one app; it still answers errcode
//! 0. [`RateLimiter`] keeps every sliding window below the limit, for each user, department and tag that a delivery
//! names. A message to `@all` counts for everyone. A message to a group chat counts for the chat, and for all chats of the
//! app together.
//!
//! A message takes a slot when it starts. The slot is free again one window after WeCom's answer, because WeCom may count
//! the message at any moment in between.

mod ledgers;

use std::{collections::HashMap, time::Duration};

use self::ledgers::{Ledger, Ledgers};
use super::Monotonic;
use crate::{
    outbox::{DeliveryId, NotificationId},
    wecom::{Addressee, Recipients},
};

/// The largest number of messages to one recipient of one app; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In any [`Windows::minute`].
    pub per_minute: u32,
    /// In any [`Windows::hour`].
    pub per_hour: u32,
}

/// The lengths of the windows. Tests use shorter ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// WeCom's minute.
    pub minute: Duration,
    /// WeCom's hour.
    pub hour: Duration,
}

impl Default for Windows {
    fn default() -> Self {
        Self { minute: Duration::from_secs(60), hour: Duration::from_secs(3600) }
    }
}

/// The share of the hour's limit that may be used at the full rate of a minute. The rest is spread over the hour.
const FULL_RATE_SHARE: f64 = 0.7;
/// The last messages of an hour are sent one a minute, so that the hour does not end in silence.
const LAST_MESSAGES: f64 = 60.0;
/// The largest numbers of messages to all group chats of one app. WeCom silently drops more than 200 a minute or 10,000 a
/// day to a member of its chats, and the relay does not know the members, so somebody may be in all of them.
const CHATS: Limits = Limits { per_minute: 200, per_hour: 400 };
/// Slots for later parts are reserved for this number of minutes.
const RESERVED_MINUTES: u32 = 10;
/// The number of slots of a minute that are kept for later messages of that minute.
const RESERVE: u32 = 5;

/// The number of messages that a set of recipients may get now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// No limit applies.
    Unlimited,
    /// A number of messages.
    Slots {
        /// Messages that may start now.
        free: u32,
        /// The last slots of a minute among them, which are spent slowly.
        reserve: u32,
        /// The last start or end of a message to any recipient that has only the reserve left, or the fewest slots.
        last: Option<Monotonic>,
    },
}

/// The recent messages of one sender, by recipient.
#[derive(Debug)]
pub struct RateLimiter {
    limits: Limits,
    windows: Windows,
    ledgers: Ledgers,
    /// The slots that are reserved for later parts of notifications.
    reserved: HashMap<NotificationId, Reservation>,
    /// For unconfirmed deliveries, the time until which WeCom surely suppresses a resend.
    suppressed: HashMap<DeliveryId, Monotonic>,
    /// The end of the earlier attempt whose slot the attempt in flight uses.
    replaced: HashMap<DeliveryId, Monotonic>,
    last_sweep: Monotonic,
}

#[derive(Debug)]
struct Reservation {
    by: DeliveryId,
    addressees: Vec<Addressee>,
    slots: u32,
    until: Monotonic,
}

/// The messages that count for one recipient: its own, and those to `@all`.
#[derive(Debug, Clone, Copy)]
struct Counts<'a> {
    limits: Limits,
    own: Option<&'a Ledger>,
    everyone: Option<&'a Ledger>,
}

impl<'a> Counts<'a> {
    fn ledgers(self) -> impl Iterator<Item = &'a Ledger> {
        self.own.into_iter().chain(self.everyone)
    }
}

/// The messages that one recipient may get now.
#[derive(Debug, Clone, Copy)]
struct BudgetOfOne {
    free: u32,
    /// The limit of this minute.
    limit: u32,
    last: Option<Monotonic>,
}

impl RateLimiter {
    /// A limiter without past messages.
    pub fn new(limits: Limits, windows: Windows) -> Self {
        Self {
            limits,
            windows,
            ledgers: Ledgers::default(),
            reserved: HashMap::new(),
            suppressed: HashMap::new(),
            replaced: HashMap::new(),
            last_sweep: Monotonic::default(),
        }
    }

    /// The limits. New limits need a new limiter, because this one only keeps the messages that its own limits need.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// True if there is any limit.
    pub fn is_limited(&self) -> bool {
        self.reach().is_some()
    }

    /// The age up to which past messages count.
    pub fn reach(&self) -> Option<Duration> {
        let Limits { per_minute, per_hour } = self.limits;
        let minute = (per_minute > 0).then_some(self.windows.minute);
        if per_hour > 0 { Some(self.windows.hour) } else { minute }
    }

    /// The number of messages that `recipients` may get at `now`.
    pub fn budget(&self, recipients: &Recipients, now: Monotonic) -> Budget {
        // WeCom rejects a message to nobody, so it costs no slot.
        if !self.is_limited() || *recipients == Recipients::Nobody {
            return Budget::Unlimited;
        }
        let budgets: Vec<_> =
            self.counts(recipients).iter().map(|counts| self.budget_of_one(*counts, now)).collect();
        let least = budgets.iter().min_by_key(|budget| budget.free);
        let (free, limit) = least.map_or((0, 0), |least| (least.free, least.limit));
        let reserve = RESERVE.min(limit / 6);
        // Messages to recipients with more free slots need no spacing.
        let scarce = budgets.iter().filter(|budget| budget.free <= free.max(reserve));
        let last = scarce.filter_map(|budget| budget.last).max();
        Budget::Slots { free, reserve, last }
    }

    /// The counts of each of `recipients`.
    fn counts(&self, recipients: &Recipients) -> Vec<Counts<'_>> {
        let everyone = self.ledgers.get(&Addressee::All);
        let with_everyone = |own| Counts { limits: self.limits, own, everyone };
        let named = recipients.addressees();
        let named = named.iter().map(|addressee| (addressee, self.ledgers.get(addressee)));
        match recipients {
            Recipients::All => self
                .ledgers
                .members()
                .map(|ledger| with_everyone(Some(ledger)))
                .chain([with_everyone(None)])
                .collect(),
            // A message to members does not count for a chat.
            Recipients::Chat(_) => named
                .map(|(addressee, own)| Counts { limits: self.limits_of(addressee), own, everyone: None })
                .collect(),
            Recipients::Nobody | Recipients::Listed(_) | Recipients::Group => {
                named.map(|(_, own)| with_everyone(own)).collect()
            }
        }
    }

    /// Without limits of the app, its chats have none either.
    fn limits_of(&self, addressee: &Addressee) -> Limits {
        let Limits { per_minute, per_hour } = self.limits;
        match addressee {
            Addressee::Chats => Limits {
                per_minute: if per_minute > 0 { CHATS.per_minute } else { 0 },
                per_hour: if per_hour > 0 { CHATS.per_hour } else { 0 },
            },
            _ => self.limits,
        }
    }

    /// The time at which `recipients`, which may get nothing at `now`, may have a free slot again. `None` if only the end
    /// of a message in flight can free one.
    pub fn next_release(&self, recipients: &Recipients, now: Monotonic) -> Option<Monotonic> {
        let counts = self.counts(recipients);
        let full: Vec<_> =
            counts.iter().filter(|counts| self.budget_of_one(**counts, now).free == 0).collect();
        // The last of the full recipients decides.
        let release = full.iter().filter_map(|counts| self.first_release(**counts, now)).max();
        let has_reserved = full.iter().any(|counts| counts.ledgers().any(|ledger| ledger.reserved > 0));
        let expiries = self.reserved.values().filter(|_| has_reserved).map(|reservation| reservation.until);
        release.into_iter().chain(expiries).filter(|release| *release > now).min()
    }

    /// The time at which the first counted message to one recipient leaves a window.
    fn first_release(&self, counts: Counts<'_>, now: Monotonic) -> Option<Monotonic> {
        let hour = (self.limits.per_hour > 0).then_some(self.windows.hour);
        let windows = [Some(self.windows.minute), hour];
        let releases = counts.ledgers().flat_map(|ledger| {
            windows.into_iter().flatten().filter_map(|window| ledger.first_release(window, now))
        });
        releases.min()
    }

    /// True if the end of a message may free a slot: one of `recipients` has no free slot, and a message in flight or a
    /// reservation takes one of its slots.
    pub fn may_free_slot(&self, recipients: &Recipients, now: Monotonic) -> bool {
        let counts = self.counts(recipients);
        let mut full = counts.iter().filter(|counts| self.budget_of_one(**counts, now).free == 0);
        full.any(|counts| counts.ledgers().any(|ledger| ledger.in_flight > 0 || ledger.reserved > 0))
    }

    /// Frees slots that were reserved for parts which did not follow for a long time. An operator may have discarded them.
    pub fn expire_reservations(&mut self, now: Monotonic) {
        let expired: Vec<_> = self.reserved.extract_if(|_, reservation| reservation.until <= now).collect();
        for (_, reservation) in expired {
            self.free_reservation(&reservation);
        }
    }

    fn free_reservation(&mut self, reservation: &Reservation) {
        for addressee in &reservation.addressees {
            self.ledgers.update(addressee, |ledger| {
                ledger.reserved = ledger.reserved.saturating_sub(reservation.slots);
            });
        }
    }

    /// The time between two messages from the reserve of a minute.
    pub fn spacing(&self) -> Duration {
        self.windows.minute / (RESERVE + 1)
    }

    /// True if `delivery` still has the slot of an earlier attempt, which its resend may use.
    pub fn has_slot(&self, delivery: DeliveryId, recipients: &Recipients, now: Monotonic) -> bool {
        if !self.is_suppressed(delivery, now) {
            return false;
        }
        let within = |ledger: &Ledger| ledger.has(delivery, self.windows.minute, now);
        recipients.addressees().iter().all(|addressee| self.ledgers.get(addressee).is_some_and(within))
    }

    /// True if a slot is reserved for `delivery`, the next part of `notification`. The part that was sent last has used
    /// its reserved slot.
    pub fn has_reserved(&self, notification: NotificationId, delivery: DeliveryId) -> bool {
        self.reserved.get(&notification).is_some_and(|reservation| reservation.by != delivery)
    }

    fn is_suppressed(&self, delivery: DeliveryId, now: Monotonic) -> bool {
        self.suppressed.get(&delivery).is_some_and(|until| now < *until)
    }

    /// Records the start of a message. While WeCom suppresses a resend, both attempts together need only one slot.
    pub fn start(&mut self, delivery: DeliveryId, recipients: &Recipients, now: Monotonic) {
        if !self.is_limited() {
            return;
        }
        let replaces = self.is_suppressed(delivery, now);
        for addressee in recipients.addressees() {
            let taken = self.ledgers.update(&addressee, |ledger| {
                ledger.in_flight += 1;
                ledger.last = Some(now);
                if replaces { ledger.take(delivery) } else { None }
            });
            self.replaced.extend(taken.map(|ended| (delivery, ended)));
        }
    }

    /// Records the end of a message. It is `counted` unless WeCom surely did not accept it. If it will be sent again, WeCom
    /// suppresses the resend until `suppressed_until`.
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
            // WeCom may have accepted the first attempt.
            let first = self.suppressed.entry(delivery).or_insert(until);
            *first = if *first <= now { until } else { *first };
        }
        // A rejected resend says nothing about the attempt before it.
        let before = self.replaced.remove(&delivery);
        let addressees = recipients.addressees();
        if let Some(at) = if counted { Some(now) } else { before } {
            self.ledgers.count(delivery, &addressees, at);
        }
        for addressee in &addressees {
            self.ledgers.update(addressee, |ledger| ledger.in_flight = ledger.in_flight.saturating_sub(1));
        }
        self.forget(now);
    }

    /// Counts a message of an earlier lease that ended `age` ago.
    pub fn charge(&mut self, recipients: &Recipients, age: Duration, now: Monotonic) {
        if self.reach().is_none_or(|reach| age >= reach) {
            return;
        }
        self.ledgers.count(DeliveryId(0), &recipients.addressees(), now.before(age));
        self.forget(now);
    }

    /// Reserves `slots` for the parts of `notification` that follow `by`, as far as they are free. 0 ends the
    /// reservation.
    pub fn reserve(
        &mut self,
        notification: NotificationId,
        by: DeliveryId,
        recipients: &Recipients,
        slots: u32,
        now: Monotonic,
    ) {
        if let Some(before) = self.reserved.remove(&notification) {
            self.free_reservation(&before);
        }
        if slots == 0 {
            return;
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
            self.ledgers.update(addressee, |ledger| ledger.reserved += slots);
        }
        let until = now + RESERVED_MINUTES * self.windows.minute;
        self.reserved.insert(notification, Reservation { by, addressees, slots, until });
    }

    fn budget_of_one(&self, counts: Counts<'_>, now: Monotonic) -> BudgetOfOne {
        let pending: u32 = counts.ledgers().map(|ledger| ledger.in_flight + ledger.reserved).sum();
        let within =
            |window: Duration| -> u32 { counts.ledgers().map(|ledger| ledger.within(window, now)).sum() };
        let used_hour = within(self.windows.hour).saturating_add(pending);
        let used_minute = within(self.windows.minute).saturating_add(pending);
        let limit = minute_limit(counts.limits, used_hour);
        let free_hour = match counts.limits.per_hour {
            0 => u32::MAX,
            per_hour => per_hour.saturating_sub(used_hour),
        };
        let free = limit.saturating_sub(used_minute).min(free_hour);
        BudgetOfOne { free, limit, last: counts.ledgers().filter_map(|ledger| ledger.last).max() }
    }

    /// Forgets what does not count any more.
    fn forget(&mut self, now: Monotonic) {
        self.ledgers.forget(self.reach().unwrap_or_default(), now);
        if now.since(self.last_sweep) >= self.windows.minute {
            self.last_sweep = now;
            self.suppressed.retain(|_, until| now < *until);
        }
    }
}

/// The limit of a minute when `used` messages of the hour are used. Beyond [`FULL_RATE_SHARE`] the limit falls in
/// proportion to the rest of the hour's messages, down to one for the [`LAST_MESSAGES`].
fn minute_limit(limits: Limits, used: u32) -> u32 {
    let per_minute = if limits.per_minute == 0 { u32::MAX } else { limits.per_minute };
    if limits.per_hour == 0 {
        return per_minute;
    }
    let per_hour = f64::from(limits.per_hour);
    let spread = per_hour * (1.0 - FULL_RATE_SHARE);
    let last = LAST_MESSAGES.min(spread / 2.0);
    let left = (per_hour - f64::from(used) - last).max(0.0) / (spread - last);
    if left >= 1.0 {
        return per_minute;
    }
    let full = f64::from(per_minute.min(limits.per_hour));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and a u32's value"
    )]
    let tapered = ((full * left).ceil() as u32).max(1);
    tapered.min(per_minute)
}

#[cfg(test)]
mod tests;
