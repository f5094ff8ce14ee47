//! Accepting notifications: deduplication, room, and places in ordering keys.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    cards,
    columns::millis,
    error::{EngineError, EngineResult},
    insert::{INSERT, NewRows, Place},
    job::Arrival,
    order::{self, OrderState},
    room::{Room, USE},
    sender::{KnownSenders, PRESENT, PresentSenders},
    session::{Param, TAKE_NUMBERS, Transaction},
};
use crate::outbox::{
    Dedupe, Enqueued, Kind, NewNotification, NotificationId, OrderingKey, SenderName, StoreResult,
    rules::dedup::{self, LastAccepted},
};

pub(super) const STORE_ORDER: &str = "UPDATE wecom_relay.ordering_key k SET heads = u.heads,
     last_key = coalesce(u.last_key, k.last_key), last_notification = coalesce(u.last_notification, k.last_notification),
     last_accepted_at = coalesce(u.last_accepted_at, k.last_accepted_at),
     expires_at = coalesce(u.expires_at, k.expires_at)
     FROM unnest($1::bigint[], $2::integer[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[])
     AS u (id, heads, last_key, last_notification, last_accepted_at, expires_at) WHERE k.id = u.id";

/// Ordering keys that a batch changes, by column.
#[derive(Default)]
struct ChangedKeys {
    id: Vec<i64>,
    heads: Vec<i32>,
    last_key: Vec<Option<Vec<u8>>>,
    last_notification: Vec<Option<i64>>,
    last_accepted_at: Vec<Option<i64>>,
    expires_at: Vec<Option<i64>>,
}

/// A locked ordering key with what the batch has accepted for it.
#[derive(Default)]
struct Key {
    state: OrderState,
    /// The end of the time in which the last accepted notification can be repeated, if the batch has accepted it.
    expires_at: Option<Timestamp>,
    is_changed: bool,
}

/// Stores one [`Arrival`], or fails.
pub(super) async fn accept(tx: &Transaction<'_>, arrival: &Arrival, room: &Room) -> EngineResult<()> {
    let names = sender_names(&[arrival]);
    let senders = KnownSenders::new(PresentSenders::read(tx, &names).await?);
    for answer in accept_all(tx, &[arrival], room, &senders).await? {
        answer?;
    }
    Ok(())
}

/// Stores notifications that were received by webhooks: those of each webhook, or none of them. The inner results are those
/// of each webhook.
pub(super) async fn accept_all(
    tx: &Transaction<'_>,
    batch: &[&Arrival],
    room: &Room,
    senders: &KnownSenders,
) -> EngineResult<Vec<StoreResult<Vec<Enqueued>>>> {
    let all = || batch.iter().flat_map(|one| &one.notifications);
    let names = sender_names(batch);
    let key = |new: &NewNotification| {
        let queue = senders.of(&new.sender).queue;
        OrderingKey::of(&queue, &new.receiver, &new.group_key).0.short()
    };
    let keys: BTreeSet<i64> = all().map(key).collect();
    let keys: Vec<i64> = keys.into_iter().collect();
    let deliveries = all().map(|new| new.deliveries.len()).sum();
    // The numbers are taken under the locks, so those of an ordering key rise with its commits.
    tx.prepare(&[PRESENT, order::MAKE, order::LOCK, TAKE_NUMBERS]).await?;
    let (read, locked, numbers) =
        tokio::join!(PresentSenders::read(tx, &names), order::lock(tx, &keys), tx.take_numbers(deliveries));
    senders.require(&names, &read?)?;
    let locked = locked?.into_iter().map(|(id, state)| (id, Key { state, ..Key::default() }));
    let mut locked: BTreeMap<i64, Key> = locked.collect();
    let (numbers, mut rows, mut answers) = (numbers?, NewRows::default(), Vec::new());
    let mut free = numbers.as_slice();
    // One answer for the whole batch, so that no webhook is stored in part.
    let no_room = room.require().err();
    for Arrival { notifications, now } in batch {
        let mut answer = Ok(Vec::with_capacity(notifications.len()));
        for new in notifications {
            let ordering_key = key(new);
            let Ok(accepted) = &mut answer else { continue };
            let key = locked.get_mut(&ordering_key).ok_or(EngineError::Changed)?;
            let order = &key.state;
            if let Some(dedupe) = &new.dedupe
                && let Some(last) = order.last.filter(|last| last.is_repeated_by(dedupe, *now))
            {
                accepted.push(Enqueued::Duplicate(last.notification));
                continue;
            }
            if new.kind == Kind::Alert
                && let Some(error) = &no_room
            {
                answer = Err(error.clone());
                continue;
            }
            let (numbers, rest) = free.split_at_checked(new.deliveries.len()).ok_or(EngineError::Changed)?;
            free = rest;
            let sender = senders.of(&new.sender);
            let place = Place { sender, ordering_key, numbers, is_occupied: order.heads > 0, now: *now };
            let added = rows.add(tx, new, &place)?;
            key.state.heads += i32::from(added.is_head);
            key.is_changed |= added.is_head || new.dedupe.is_some();
            if let Some(Dedupe { key: repeated, window }) = new.dedupe {
                let notification = added.notification;
                key.state.last = Some(LastAccepted { key: repeated, notification, at: *now });
                key.expires_at = Some(dedup::expires_at(window, *now));
            }
            accepted.push(Enqueued::Accepted(added.notification));
        }
        answers.push(answer);
    }
    let changed = ChangedKeys::of(locked);
    tx.prepare(&[INSERT, cards::INSERT, STORE_ORDER, USE]).await?;
    let (inserted, stored, counted) =
        tokio::join!(rows.insert(tx), changed.store(tx), room.change(tx, rows.bytes()));
    inserted.and(stored).and(counted)?;
    Ok(answers)
}

fn sender_names<'a>(batch: &[&'a Arrival]) -> Vec<&'a SenderName> {
    let all = batch.iter().flat_map(|one| &one.notifications);
    let names: BTreeSet<&SenderName> = all.map(|new| &new.sender).collect();
    names.into_iter().collect()
}

impl ChangedKeys {
    fn of(keys: BTreeMap<i64, Key>) -> Self {
        let mut changed = Self::default();
        for (id, key) in keys.into_iter().filter(|(_, key)| key.is_changed) {
            changed.add(id, &key);
        }
        changed
    }

    fn add(&mut self, id: i64, key: &Key) {
        let last = key.state.last.filter(|_| key.expires_at.is_some());
        self.id.push(id);
        self.heads.push(key.state.heads);
        self.last_key.push(last.map(|last| last.key.0.to_vec()));
        self.last_notification.push(last.map(|last| last.notification.0));
        self.last_accepted_at.push(last.map(|last| millis(last.at)));
        self.expires_at.push(key.expires_at.map(millis));
    }

    async fn store(&self, tx: &Transaction<'_>) -> EngineResult<()> {
        if self.id.is_empty() {
            return Ok(());
        }
        let Self { id, heads, last_key, last_notification, last_accepted_at, expires_at } = self;
        let params: [Param<'_>; 6] = [id, heads, last_key, last_notification, last_accepted_at, expires_at];
        tx.run(STORE_ORDER, &params).await.map(drop)
    }
}

/// Stores a digest or a notice: without deduplication, and even if there is no room.
pub(super) async fn enqueue_own(
    tx: &Transaction<'_>,
    new: &NewNotification,
    ordering_key: i64,
    room: &Room,
    now: Timestamp,
) -> EngineResult<NotificationId> {
    let sender = PresentSenders::read(tx, &[&new.sender]).await?.of(&new.sender);
    let locked = order::lock(tx, &[ordering_key]).await?;
    let numbers = tx.take_numbers(new.deliveries.len()).await?;
    let is_occupied = locked.values().any(|state| state.heads > 0);
    let place = Place { sender, ordering_key, numbers: &numbers, is_occupied, now };
    let mut rows = NewRows::default();
    let added = rows.add(tx, new, &place)?;
    rows.insert(tx).await?;
    room.change(tx, rows.bytes()).await?;
    if added.is_head {
        order::add_heads(tx, &[(ordering_key, 1)].into()).await?;
    }
    Ok(added.notification)
}
