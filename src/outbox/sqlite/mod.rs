//! The outbox in one SQLite file.
//!
//! - An answer that says "on disk" comes after a commit that waited for the disk (`synchronous = FULL`).
//! - One thread owns the connection ([`desk`]); callers that come together share a commit.
//! - Every statement that runs while alerts come and go is a search in an index: a million waiting deliveries
//!   cost as little as ten (`plans` checks it). What waits longest is searched from where it was found last.
//! - What is asked for by random numbers (is it a copy, was the same body sent just now, is the lane free) is answered
//!   from memory ([`recent`]), which is bounded and read again from the file.
//! - One owner at a time, by a lock that ends with the process ([`open`]); the `outbox` command is a guest beside
//!   it and its changes are noticed within a second.
//!
//! Commits to a log of its own, with the rows written later, were rejected: a trial delivered a sixth more with 64
//! connections, took no more alerts, and leaves two truths on disk to restarts and to whoever looks.
//!
//! Times are kept to the millisecond.

mod bodies;
mod claim;
mod depth;
mod desk;
mod due;
mod enqueue;
mod error;
mod fold;
mod heard;
mod hold;
mod lane;
mod lanes;
mod open;
mod people;
#[cfg(test)]
mod plans;
mod purge;
mod recent;
mod rows;
mod schema;
mod settle;
mod standings;
mod tally;
mod tx;
mod waiting;
mod writer;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::Notify;

pub use self::open::{Access, OpenError, Settings, is_owned};
use self::{open::Database, writer::Writer};
use super::{
    Backlog, Changed, Claimed, DeliveryId, Depth, Destination, Detail, Due, Enqueued, Filter, Folding, Hold,
    Listed, NewNotification, NoticeOf, NotificationId, Outbox, OutboxQuery, Pick, ReceiverName, SenderName,
    Sent, Settlement, Standing, StoreResult, Unnoticed, Waiting, Which,
};
use crate::{clock::Clock, outbox};

/// The most dead letters that are put back in one transaction, so that a daemon beside it is not locked out.
const RETRIED_AT_ONCE: u32 = 500;

/// An outbox in a SQLite file. Clones share it; it closes when the last one is dropped.
#[derive(Debug, Clone)]
pub struct SqliteOutbox {
    writer: Writer,
}

impl SqliteOutbox {
    /// Opens the outbox; blocks on the disk.
    ///
    /// # Errors
    /// [`OpenError`] says what is in the way and what to do.
    pub fn open(settings: Settings, access: Access) -> Result<Self, OpenError> {
        let lock = match access {
            Access::Owner => {
                open::make_directory(&settings.path)?;
                Some(open::lock(&settings)?)
            }
            Access::Guest => None,
        };
        let database = Database::open(&settings, access, access == Access::Owner)?;
        Ok(Self { writer: Writer::start(settings, access, database, lock)? })
    }

    /// Returns when the outbox can no longer work because its thread panicked, and never otherwise. Who runs a
    /// daemon waits for this and ends it.
    pub async fn died(&self) {
        self.writer.died().await;
    }

    /// Finishes what was handed over before, writes everything into the one file and closes it. Other clones get
    /// [`super::StoreError::Closed`] from then on.
    pub async fn close(self) {
        self.writer.close().await;
    }
}

impl Outbox for SqliteOutbox {
    async fn enqueue(&self, notification: NewNotification, now: Timestamp) -> StoreResult<Enqueued> {
        self.writer.write(move |tx| enqueue::enqueue(tx, &notification, now)).await
    }

    async fn waiting(&self, sender: &SenderName, count_to: u32, now: Timestamp) -> StoreResult<Waiting> {
        let sender = sender.clone();
        self.writer.read(move |tx| waiting::waiting(tx, &sender, count_to, now)).await
    }

    async fn foldable(
        &self,
        sender: &SenderName,
        destination: Destination,
        limit: u32,
    ) -> StoreResult<Option<Folding>> {
        let sender = sender.clone();
        self.writer.read(move |tx| fold::foldable(tx, &sender, destination, limit)).await
    }

    async fn claim(
        &self,
        sender: &SenderName,
        picks: Vec<Pick>,
        duplicate_check: Duration,
        now: Timestamp,
    ) -> StoreResult<Vec<Claimed>> {
        let sender = sender.clone();
        self.writer.write(move |tx| claim::claim(tx, &sender, &picks, duplicate_check, now)).await
    }

    async fn claim_due(
        &self,
        sender: &SenderName,
        slots: u32,
        turn: usize,
        duplicate_check: Duration,
        now: Timestamp,
    ) -> StoreResult<Due> {
        let sender = sender.clone();
        self.writer.write(move |tx| due::claim(tx, &sender, (slots, turn), duplicate_check, now)).await
    }

    fn stand(&self, sender: &SenderName, duplicate_check: Duration, clock: Arc<dyn Clock>) -> Standing {
        let (standing, lent) = outbox::standing(sender.clone(), duplicate_check, clock);
        self.writer.stand(lent);
        standing
    }

    async fn settle(&self, settlement: Settlement, now: Timestamp) -> StoreResult<()> {
        self.writer.write(move |tx| settle::settle(tx, &settlement, now)).await
    }

    async fn recover(&self, now: Timestamp) -> StoreResult<u32> {
        self.writer.write(move |tx| settle::recover(tx, now)).await
    }

    async fn hasten(&self, sender: &SenderName, horizon: Timestamp, now: Timestamp) -> StoreResult<()> {
        let sender = sender.clone();
        self.writer.write(move |tx| settle::hasten(tx, &sender, horizon, now)).await
    }

    async fn sent_since(&self, sender: &SenderName, since: Timestamp) -> StoreResult<Vec<Sent>> {
        let sender = sender.clone();
        self.writer.read(move |tx| waiting::sent_since(tx, &sender, since)).await
    }

    async fn senders(&self) -> StoreResult<Vec<SenderName>> {
        self.writer.read(waiting::senders).await
    }

    async fn holds(&self) -> StoreResult<Vec<Hold>> {
        self.writer.read(hold::holds).await
    }

    async fn hold(&self, hold: Hold) -> StoreResult<()> {
        self.writer.write(move |tx| hold::hold(tx, &hold)).await
    }

    async fn release(&self, sender: &SenderName) -> StoreResult<()> {
        let sender = sender.clone();
        self.writer.write(move |tx| hold::release(tx, &sender)).await
    }

    async fn unnoticed(
        &self,
        receiver: &ReceiverName,
        since: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Unnoticed>> {
        let receiver = receiver.clone();
        self.writer.read(move |tx| hold::unnoticed(tx, &receiver, since, limit)).await
    }

    async fn held_backlog(
        &self,
        sender: &SenderName,
        receiver: &ReceiverName,
        lines: u32,
        count_to: u32,
    ) -> StoreResult<Option<Backlog>> {
        let (sender, receiver) = (sender.clone(), receiver.clone());
        self.writer.read(move |tx| hold::held_backlog(tx, &sender, &receiver, lines, count_to)).await
    }

    async fn notice(
        &self,
        notice: NewNotification,
        of: NoticeOf,
        now: Timestamp,
    ) -> StoreResult<NotificationId> {
        self.writer.write(move |tx| hold::notice(tx, &notice, &of, now)).await
    }

    async fn purge(&self, before: Timestamp, limit: u32) -> StoreResult<u32> {
        self.writer.write(move |tx| purge::purge(tx, before, limit)).await
    }

    async fn probe(&self, now: Timestamp) -> StoreResult<()> {
        self.writer.write(move |tx| purge::probe(tx, now)).await
    }

    fn changed(&self) -> Arc<Notify> {
        self.writer.changed()
    }
}

impl OutboxQuery for SqliteOutbox {
    async fn list(&self, filter: Filter) -> StoreResult<Vec<Listed>> {
        self.writer.read(move |tx| people::list(tx, &filter)).await
    }

    async fn show(&self, id: DeliveryId) -> StoreResult<Option<Detail>> {
        self.writer.read(move |tx| people::show(tx, id)).await
    }

    async fn depths(&self) -> StoreResult<Vec<Depth>> {
        self.writer.read(depth::depths).await
    }

    async fn retry(&self, which: Which, now: Timestamp) -> StoreResult<Changed> {
        let mut after = match which {
            Which::One(id) => return self.writer.write(move |tx| people::retry(tx, id, now)).await,
            Which::AllDead => i64::MIN,
        };
        let mut total = 0;
        loop {
            let batch = move |tx: &tx::Tx<'_>| people::retry_dead(tx, after, RETRIED_AT_ONCE, now);
            let (last, count) = self.writer.write(batch).await?;
            total += count;
            if last == after {
                return Ok(Changed::Deliveries(total));
            }
            after = last;
        }
    }

    async fn discard(&self, id: DeliveryId, now: Timestamp) -> StoreResult<Changed> {
        self.writer.write(move |tx| people::discard(tx, id, now)).await
    }
}
