//! Wake-ups of dispatchers: within this process at once, to other processes by NOTIFY.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, futures::Notified};

use super::{
    error::EngineResult,
    session::{Change, Transaction},
};
use crate::outbox::{Changes, Destination, Key, LeaseTerm, SenderName, TermState};

pub(super) const NOTIFY: &str =
    "SELECT pg_notify('wecom_relay', payload) FROM unnest($1::text[]) AS u (payload)";
pub(super) const LISTEN: &str = "LISTEN wecom_relay";
/// The payload after a lease was released.
const RELEASED: &str = "lease";
/// Above this number of destinations, one wake-up for all of them costs less.
const MAX_PAYLOADS: usize = 64;

/// The wake-ups of all leases of this process. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Wakeups(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    leased: Mutex<Leased>,
    released: Notify,
}

#[derive(Debug, Default)]
struct Leased {
    subscriptions: HashMap<SenderName, Subscribed>,
    last: u64,
}

#[derive(Debug)]
struct Subscribed {
    number: u64,
    changes: Changes,
    /// `None` until the lease begins.
    term: Option<LeaseTerm>,
}

impl Subscribed {
    /// True if no other process can have the lease, so none must be told.
    fn is_leased(&self) -> bool {
        let state = self.term.as_ref().map(LeaseTerm::state);
        matches!(state, Some(TermState::Valid | TermState::Offered))
    }
}

impl Leased {
    fn changes(&self, sender: &SenderName) -> Option<&Changes> {
        self.subscriptions.get(sender).map(|subscribed| &subscribed.changes)
    }
}

/// The wake-ups of one lease. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    wakeups: Wakeups,
    sender: SenderName,
    number: u64,
    pub(super) changes: Changes,
}

impl Subscription {
    /// The lease has begun.
    pub(super) fn begin(&self, term: &LeaseTerm) {
        let mut leased = self.wakeups.leased();
        let subscribed = leased.subscriptions.get_mut(&self.sender);
        if let Some(subscribed) = subscribed.filter(|subscribed| subscribed.number == self.number) {
            subscribed.term = Some(term.clone());
        }
    }

    /// From now on another process has the sender.
    pub(super) fn end(&self) {
        let mut leased = self.wakeups.leased();
        // A later lease of this process may have taken its place.
        if leased.subscriptions.get(&self.sender).is_some_and(|other| other.number == self.number) {
            leased.subscriptions.remove(&self.sender);
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.end();
    }
}

impl Wakeups {
    fn leased(&self) -> MutexGuard<'_, Leased> {
        self.0.leased.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wake-ups of a lease that begins.
    pub(super) fn subscribe(&self, sender: &SenderName) -> Subscription {
        let (mut leased, changes) = (self.leased(), Changes::default());
        leased.last += 1;
        let number = leased.last;
        leased
            .subscriptions
            .insert(sender.clone(), Subscribed { number, changes: changes.clone(), term: None });
        drop(leased);
        Subscription { wakeups: self.clone(), sender: sender.clone(), number, changes }
    }

    /// Returns after a lease was released somewhere.
    pub(super) fn released(&self) -> Notified<'_> {
        self.0.released.notified()
    }

    /// Wakes the dispatchers of this process. Returns what other processes must hear.
    pub(super) fn mark(&self, changes: Vec<Change>) -> Vec<String> {
        let leased = self.leased();
        let (mut payloads, mut senders) = (BTreeSet::new(), BTreeSet::new());
        for change in changes {
            match change {
                Change::Claimable(sender, destination) => {
                    let subscribed = leased.subscriptions.get(&sender);
                    if let Some(subscribed) = subscribed {
                        subscribed.changes.mark([destination]);
                    }
                    if !subscribed.is_some_and(Subscribed::is_leased) {
                        payloads.insert(format!("{:?} {sender}", destination.0));
                        senders.insert(sender);
                    }
                }
                // Only the claim of its owner finds a damaged row.
                Change::Damaged(sender, receiver) => {
                    if let Some(changes) = leased.changes(&sender) {
                        changes.mark_damaged(receiver);
                    }
                }
                Change::Released => {
                    self.0.released.notify_waiters();
                    payloads.insert(RELEASED.to_owned());
                }
            }
        }
        if payloads.len() <= MAX_PAYLOADS {
            return payloads.into_iter().collect();
        }
        let is_released = payloads.contains(RELEASED).then(|| RELEASED.to_owned());
        senders.into_iter().map(|sender| format!("* {sender}")).chain(is_released).collect()
    }

    /// Passes on what another process has said.
    pub(super) fn hear(&self, payload: &str) {
        if payload == RELEASED {
            self.0.released.notify_waiters();
            return;
        }
        let Some((destination, sender)) = payload.split_once(' ') else { return };
        if let Some(changes) = self.leased().changes(&SenderName(sender.to_owned())) {
            match parse(destination) {
                Some(destination) => changes.mark([destination]),
                None => changes.mark_everything(),
            }
        }
    }

    /// Looks for everything, because something may not have been heard.
    pub(super) fn mark_everything(&self) {
        let leased = self.leased();
        leased.subscriptions.values().for_each(|subscribed| subscribed.changes.mark_everything());
        drop(leased);
        self.0.released.notify_waiters();
    }
}

/// Tells other processes. It is not worth a wait for the disk, because they also look by themselves.
pub(super) async fn notify(tx: &Transaction<'_>, payloads: &[String]) -> EngineResult<()> {
    tx.run("SET LOCAL synchronous_commit = off", &[]).await?;
    tx.run(NOTIFY, &[&payloads]).await.map(drop)
}

fn parse(hex: &str) -> Option<Destination> {
    let mut key = [0; 16];
    if hex.len() != 2 * key.len() {
        return None;
    }
    for (n, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(Destination(Key(key)))
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::outbox::Validity;

    fn ops() -> SenderName {
        SenderName("ops 运维".to_owned())
    }

    fn destination(n: u8) -> Destination {
        Destination(Key([n; 16]))
    }

    #[test]
    fn another_process_hears_which_destination_changed() {
        let (here, there) = (Wakeups::default(), Wakeups::default());
        let there_subscribed = there.subscribe(&ops());
        let changes = &there_subscribed.changes;
        let payloads = here.mark(vec![Change::Claimable(ops(), destination(0xab))]);
        payloads.iter().for_each(|payload| there.hear(payload));
        assert_eq!(changes.take().destinations, [destination(0xab)].into());
        there.hear("* other");
        there.hear("nonsense");
        assert_eq!(changes.take(), Default::default());
    }

    #[test]
    fn many_destinations_make_one_wake_up() {
        let (here, there) = (Wakeups::default(), Wakeups::default());
        let there_subscribed = there.subscribe(&ops());
        let changes = &there_subscribed.changes;
        let all = (0..=u8::MAX).map(|n| Change::Claimable(ops(), destination(n)));
        let payloads = here.mark(all.collect());
        assert_eq!(payloads.len(), 1);
        there.hear(&payloads[0]);
        assert!(changes.take().everything);
    }

    #[test]
    fn a_sender_of_this_process_needs_no_notification() {
        let here = Wakeups::default();
        let subscription = here.subscribe(&ops());
        subscription.begin(&LeaseTerm::default());
        assert_eq!(here.mark(vec![Change::Claimable(ops(), destination(1))]), [""; 0]);
        assert_eq!(subscription.changes.take().destinations, [destination(1)].into());
    }

    #[test]
    fn a_lease_that_ended_does_not_keep_notifications_back() {
        let here = Wakeups::default();
        let (first, second) = (here.subscribe(&ops()), here.subscribe(&ops()));
        second.begin(&LeaseTerm::default());
        drop(first);
        assert_eq!(here.mark(vec![Change::Claimable(ops(), destination(1))]), [""; 0]);
        drop(second);
        assert_eq!(here.mark(vec![Change::Claimable(ops(), destination(1))]).len(), 1);
    }

    #[test]
    fn others_are_told_before_the_lease_and_after_its_loss() {
        let here = Wakeups::default();
        let subscription = here.subscribe(&ops());
        let change = || vec![Change::Claimable(ops(), destination(1))];
        assert_eq!(here.mark(change()).len(), 1, "another process may still have the lease");
        let (validity, term) = watch::channel(Validity::Lost);
        subscription.begin(&LeaseTerm::new(term));
        assert_eq!(here.mark(change()).len(), 1);
        assert_eq!(subscription.changes.take().destinations, [destination(1)].into());
        drop(validity);
    }
}
