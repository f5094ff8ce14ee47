//! The rows of leases: who may dispatch a sender, by the clock of the server.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    claim::random,
    columns::column,
    error::EngineResult,
    hold,
    lease_id::LeaseId,
    session::{Change, Param, Transaction},
    settle,
};
use crate::outbox::{Hold, SenderName};

pub(super) const LOOK: &str =
    "SELECT token, owner, offered_to, (extract(epoch FROM until) * 1000000)::bigint AS until,
     (extract(epoch FROM until - clock_timestamp()) * 1000)::bigint AS remaining_ms
     FROM wecom_relay.lease WHERE sender = $1";
// It waits for claims, which lock the row. The last condition is for a clock of the server that was set back.
pub(super) const TAKE: &str = concat!(
    "INSERT INTO wecom_relay.lease AS l (sender, token, owner, epoch, until)
     VALUES ($1, ",
    random!(),
    ", $2, 1, clock_timestamp() + $3 * interval '1 millisecond')
     ON CONFLICT (sender) DO UPDATE SET token = excluded.token, owner = excluded.owner, epoch = l.epoch + 1,
     until = excluded.until, offered_to = NULL
     WHERE (l.until < clock_timestamp() AND (l.offered_to IS NULL OR l.offered_to = $2
            OR l.until < clock_timestamp() - interval '3 s'))
     OR l.owner = $2
     OR (l.token = $4 AND (extract(epoch FROM l.until) * 1000000)::bigint = $5)
     RETURNING token"
);
// Also after it has run out: the same token means that nobody had it in between.
pub(super) const RENEW: &str = "UPDATE wecom_relay.lease l
     SET until = clock_timestamp() + $3 * interval '1 millisecond'
     FROM unnest($1::text[], $2::bigint[]) AS u (sender, token) WHERE l.sender = u.sender AND l.token = u.token
     RETURNING l.sender";
// The next owner may have ended since this process looked, and others would wait for it.
pub(super) const RELEASE: &str = "UPDATE wecom_relay.lease SET token = 0, until = clock_timestamp(),
     offered_to = (SELECT owner FROM wecom_relay.replica WHERE owner = $3 AND until > clock_timestamp())
     WHERE sender = $1 AND token = $2";
pub(super) const ABANDONED: &str = "SELECT d.sender FROM (SELECT DISTINCT sender FROM wecom_relay.delivery
         WHERE state = 2) d
     LEFT JOIN wecom_relay.lease l ON l.sender = d.sender
     WHERE l.until IS NULL OR l.until < clock_timestamp() - interval '60 s'";

/// A process that takes leases.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) owner: String,
    pub(super) ttl: Duration,
}

/// The row of a lease, as a candidate sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeaseRow {
    pub(super) token: i64,
    pub(super) owner: String,
    pub(super) offered_to: Option<String>,
    /// In microseconds of the server's clock.
    pub(super) until: i64,
    /// Negative if the lease is free.
    remaining_ms: i64,
}

impl LeaseRow {
    pub(super) fn is_free(&self) -> bool {
        self.remaining_ms < 0
    }

    /// True if it was given back, and did not run out.
    pub(super) fn was_released(&self) -> bool {
        self.token == 0
    }

    /// The time until it runs out.
    pub(super) fn remaining(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.remaining_ms).unwrap_or(0))
    }

    /// True if the row is the same as `other`: nobody has renewed the lease.
    pub(super) fn is_unchanged(&self, other: &Self) -> bool {
        (self.token, self.until) == (other.token, other.until)
    }
}

/// A lease that was taken, and what an earlier one left.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) lease: LeaseId,
    pub(super) hold: Option<Hold>,
    pub(super) recovered: u32,
}

pub(super) async fn look(tx: &Transaction<'_>, sender: &SenderName) -> EngineResult<Option<LeaseRow>> {
    tx.first(LOOK, &[&sender.0], |row| {
        Ok(LeaseRow {
            token: column(row, "token")?,
            owner: column(row, "owner")?,
            offered_to: column(row, "offered_to")?,
            until: column(row, "until")?,
            remaining_ms: column(row, "remaining_ms")?,
        })
    })
    .await
}

/// Takes the lease if it is free, and makes unconfirmed what an earlier lease left in flight, as a process that starts. A
/// lease whose row stays as `overdue` counts as free.
pub(super) async fn take(
    tx: &Transaction<'_>,
    sender: &SenderName,
    candidate: &Candidate,
    overdue: Option<&LeaseRow>,
    now: Timestamp,
) -> EngineResult<Option<Taken>> {
    let ttl = i64::try_from(candidate.ttl.as_millis()).unwrap_or(i64::MAX) as f64;
    let (token, until) = overdue.map(|row| (row.token, row.until)).unzip();
    let params: [Param<'_>; 5] = [&sender.0, &candidate.owner, &ttl, &token, &until];
    let Some(token) = tx.first(TAKE, &params, |row| column(row, "token")).await? else { return Ok(None) };
    let recovered = settle::recover(tx, sender, now).await?;
    let lease = LeaseId { sender: sender.clone(), token };
    Ok(Some(Taken { lease, hold: hold::hold_of(tx, sender).await?, recovered }))
}

/// Recovers what is in flight for a sender that nobody dispatches.
pub(super) async fn recover(
    tx: &Transaction<'_>,
    sender: &SenderName,
    owner: &str,
    now: Timestamp,
) -> EngineResult<()> {
    if look(tx, sender).await?.is_some_and(|row| !row.is_free()) {
        return Ok(());
    }
    // The lease is taken for no time, so that no claim of an earlier lease comes after this.
    let candidate = Candidate { owner: owner.to_owned(), ttl: Duration::ZERO };
    if let Some(taken) = take(tx, sender, &candidate, None, now).await? {
        release(tx, &taken.lease, None).await?;
    }
    Ok(())
}

/// Gives the lease back. `next_owner` is the process that should have it next.
pub(super) async fn release(
    tx: &Transaction<'_>,
    lease: &LeaseId,
    next_owner: Option<&str>,
) -> EngineResult<()> {
    tx.run(RELEASE, &[&lease.sender.0, &lease.token, &next_owner]).await?;
    tx.mark(Change::Released);
    Ok(())
}

/// Renews leases. Returns the senders whose lease is not lost.
pub(super) async fn renew(
    tx: &Transaction<'_>,
    held: &[LeaseId],
    ttl: Duration,
) -> EngineResult<Vec<SenderName>> {
    let senders: Vec<&str> = held.iter().map(|lease| lease.sender.0.as_str()).collect();
    let tokens: Vec<i64> = held.iter().map(|lease| lease.token).collect();
    let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX) as f64;
    tx.all(RENEW, &[&senders, &tokens, &ttl], |row| Ok(SenderName(column(row, "sender")?))).await
}

/// The senders with deliveries in flight that nobody has dispatched for a minute.
pub(super) async fn abandoned(tx: &Transaction<'_>) -> EngineResult<Vec<SenderName>> {
    tx.all(ABANDONED, &[], |row| Ok(SenderName(column(row, "sender")?))).await
}
