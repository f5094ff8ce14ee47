//! Moves what is stored under a former name of a sender to its present name.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    columns::{column, millis},
    error::EngineResult,
    hold, sender,
    session::{Param, Transaction},
};
use crate::outbox::{
    ConfiguredSender, Hold, SenderName, StoreError,
    rules::{
        adoption::{self, Adopted, Move},
        senders::{self, KnownSender},
    },
};

// Acceptances read the table, so they wait, and see the new names afterwards.
pub(super) const LOCK: &str = "LOCK TABLE wecom_relay.sender IN ACCESS EXCLUSIVE MODE";
pub(super) const KNOWN: &str = "SELECT name, identity, queue, moved_to FROM wecom_relay.sender ORDER BY name";
pub(super) const STORE: &str =
    "INSERT INTO wecom_relay.sender AS s (name, identity, queue, moved_to) VALUES ($1, $2, $3, $4)
     ON CONFLICT (name) DO UPDATE SET identity = $2, queue = $3, moved_to = $4
     WHERE (s.identity, s.queue) <> ($2, $3) OR s.moved_to IS DISTINCT FROM $4";
pub(super) const FORWARD: &str = "UPDATE wecom_relay.sender SET moved_to = $2 WHERE moved_to = $1";
pub(super) const LEASED: &str = "SELECT l.sender, l.owner FROM wecom_relay.lease l
     WHERE l.sender = ANY($1) AND l.until > clock_timestamp() AND l.token <> 0 AND l.owner <> $2 LIMIT 1";
pub(super) const OPEN: &str =
    "SELECT id FROM wecom_relay.delivery WHERE settled_at IS NULL AND sender = $1 LIMIT $2";
pub(super) const COUNTED: &str = "SELECT id FROM wecom_relay.delivery
     WHERE attempt_counted AND sender = $1 AND attempt_ended_at > $2 LIMIT $3";
pub(super) const COUNTED_EARLIER: &str = "SELECT delivery AS id FROM wecom_relay.attempt
     WHERE counted AND sender = $1 AND ended_at > $2 LIMIT $3";
pub(super) const PURGED: &str = "SELECT id FROM wecom_relay.purged_attempt
     WHERE sender = $1 AND ended_at > $2 LIMIT $3";
pub(super) const RENAME_PURGED: &str = "UPDATE wecom_relay.purged_attempt SET sender = $2 WHERE id = ANY($1)";

/// The maximum number of rows of a kind in one transaction, so that acceptance never waits long.
const ROWS_OF_STEP: usize = 500;

/// Moves what waits, counts or is held under former names to the present names of `configured`.
pub(super) async fn adopt(
    tx: &Transaction<'_>,
    configured: &[ConfiguredSender],
    owner: &str,
    now: Timestamp,
) -> EngineResult<Adopted> {
    tx.run(LOCK, &[]).await?;
    let known = tx
        .all(KNOWN, &[], |row| {
            Ok(KnownSender {
                name: SenderName(column(row, "name")?),
                identity: column(row, "identity")?,
                queue: SenderName(column(row, "queue")?),
                is_former: column::<Option<String>>(row, "moved_to")?.is_some(),
            })
        })
        .await?;
    let names = senders::moves(&known, configured);
    // All of it is read before anything is written.
    let limit = adoption::limit(&names, ROWS_OF_STEP);
    let mut moves = Vec::new();
    for (from, to) in &names {
        moves.push(read(tx, from, to, limit, now).await?);
    }
    require_free(tx, &moves, &known, owner).await?;
    for moved in &moves {
        write(tx, moved).await?;
    }
    let adopted = Adopted::of(moves, limit);
    if adopted.is_complete {
        store_names(tx, &known, configured, &names).await?;
    }
    Ok(adopted)
}

/// Fails while another process dispatches a sender that moves, because its configuration has the former name. Names that
/// moved earlier, and new ones, have no rows; then nothing moves, and the leases of others do not matter.
async fn require_free(
    tx: &Transaction<'_>,
    moves: &[Move],
    known: &[KnownSender],
    owner: &str,
) -> EngineResult<()> {
    let is_present = |name: &SenderName| known.iter().any(|known| known.name == *name && !known.is_former);
    let moving = moves.iter().filter(|moved| !moved.is_empty() || is_present(&moved.from));
    let moving: Vec<&str> = moving.flat_map(|moved| [moved.from.0.as_str(), moved.to.0.as_str()]).collect();
    let leased = tx
        .first(LEASED, &[&moving, &owner], |row| {
            Ok((column::<String>(row, "sender")?, column::<String>(row, "owner")?))
        })
        .await?;
    let Some((sender, owner)) = leased else { return Ok(()) };
    Err(StoreError::Unavailable(format!(
        "the replica {owner} still sends for {sender} under its former configuration; give all replicas the same \
         configuration"
    ))
    .into())
}

async fn store_names(
    tx: &Transaction<'_>,
    known: &[KnownSender],
    configured: &[ConfiguredSender],
    names: &BTreeMap<SenderName, SenderName>,
) -> EngineResult<()> {
    for sender in configured {
        let queue = senders::queue(known, configured, sender);
        store(tx, &sender.name, &sender.identity, &queue, None).await?;
        for (from, _) in names.iter().filter(|(_, to)| **to == sender.name) {
            if configured.iter().all(|other| other.name != *from) {
                store(tx, from, &sender.identity, &queue, Some(&sender.name)).await?;
                tx.run(FORWARD, &[&from.0, &sender.name.0]).await?;
            }
        }
    }
    Ok(())
}

async fn store(
    tx: &Transaction<'_>,
    name: &SenderName,
    identity: &str,
    queue: &SenderName,
    moved_to: Option<&SenderName>,
) -> EngineResult<()> {
    let moved_to = moved_to.map(|name| name.0.as_str());
    let params: [Param<'_>; 4] = [&name.0, &identity, &queue.0, &moved_to];
    tx.run(STORE, &params).await.map(drop)
}

async fn read(
    tx: &Transaction<'_>,
    from: &SenderName,
    to: &SenderName,
    limit: usize,
    now: Timestamp,
) -> EngineResult<Move> {
    let since = millis(adoption::counted_since(now));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let params: [Param<'_>; 3] = [&from.0, &since, &limit];
    let mut counted: Vec<i64> = tx.all(COUNTED, &params, |row| column(row, "id")).await?;
    counted.extend(tx.all(COUNTED_EARLIER, &params, |row| column::<i64>(row, "id")).await?);
    Ok(Move {
        from: from.clone(),
        to: to.clone(),
        open: tx.all(OPEN, &[&from.0, &limit], |row| column(row, "id")).await?,
        counted,
        purged: tx.all(PURGED, &params, |row| column(row, "id")).await?,
        hold: hold::hold_of(tx, from).await?,
    })
}

async fn write(tx: &Transaction<'_>, moved: &Move) -> EngineResult<()> {
    for id in moved.open.iter().chain(&moved.counted) {
        sender::rename(tx, *id, &moved.to).await?;
    }
    tx.run(RENAME_PURGED, &[&moved.purged, &moved.to.0]).await?;
    if let Some(hold) = &moved.hold {
        // A hold that another sender got in this name's place is kept.
        if hold::hold_of(tx, &moved.from).await?.as_ref() == Some(hold) {
            hold::delete(tx, &moved.from).await?;
        }
        hold::store(tx, &Hold { sender: moved.to.clone(), ..hold.clone() }).await?;
    }
    Ok(())
}
