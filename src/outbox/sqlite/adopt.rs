//! Moves what is stored under a former name of a sender to its present name.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{columns::millis, error::EngineResult, hold, sender, settle, transaction::Transaction};
use crate::outbox::{
    ConfiguredSender, Hold, SenderName,
    rules::{
        adoption::{self, Adopted, Move},
        senders::{self, KnownSender},
    },
};

pub(super) const KNOWN: &str = "SELECT name, identity, queue, moved_to FROM sender ORDER BY name";
pub(super) const STORE: &str = "INSERT INTO sender (name, identity, queue, moved_to) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (name) DO UPDATE SET identity = ?2, queue = ?3, moved_to = ?4";
pub(super) const IS_STORED: &str =
    "SELECT 1 FROM sender WHERE name = ?1 AND identity = ?2 AND queue = ?3 AND moved_to IS ?4";
pub(super) const FORWARD: &str = "UPDATE sender SET moved_to = ?2 WHERE moved_to = ?1";
pub(super) const OPEN: &str = "SELECT id FROM delivery INDEXED BY delivery_open
     WHERE settled_at IS NULL AND sender = ?1 LIMIT ?2";
pub(super) const COUNTED: &str = "SELECT id FROM delivery INDEXED BY delivery_counted
     WHERE attempt_counted = 1 AND sender = ?1 AND attempt_ended_at > ?2 LIMIT ?3";
pub(super) const COUNTED_EARLIER: &str = "SELECT delivery FROM attempt INDEXED BY attempt_counted
     WHERE counted = 1 AND sender = ?1 AND ended_at > ?2 LIMIT ?3";

pub(super) const PURGED: &str = "SELECT rowid FROM purged_attempt INDEXED BY purged_attempt_ended
     WHERE sender = ?1 AND ended_at > ?2 LIMIT ?3";
pub(super) const RENAME_PURGED: &str = "UPDATE purged_attempt SET sender = ?2 WHERE rowid = ?1";

/// Moves what waits, counts or is held under former names to the present names of `configured`. A step moves no more than
/// has space in the log, because the file system may be full.
pub(super) fn adopt(
    tx: &mut Transaction<'_>,
    configured: &[ConfiguredSender],
    now: Timestamp,
) -> EngineResult<Adopted> {
    let known = tx.sql.all(KNOWN, [], |row| {
        Ok(KnownSender {
            name: SenderName(row.get("name")?),
            identity: row.get("identity")?,
            queue: SenderName(row.get("queue")?),
            is_former: row.get::<_, Option<String>>("moved_to")?.is_some(),
        })
    })?;
    let names = senders::moves(&known, configured);
    // All of it is read before anything is written.
    let limit = adoption::limit(&names, tx.rows_of_step());
    let moves =
        names.iter().map(|(from, to)| read(tx, from, to, limit, now)).collect::<EngineResult<Vec<_>>>()?;
    for moved in &moves {
        write(tx, moved, now)?;
    }
    let adopted = Adopted::of(moves, limit);
    if adopted.is_complete {
        store_names(tx, &known, configured, &names)?;
    }
    Ok(adopted)
}

fn store_names(
    tx: &Transaction<'_>,
    known: &[KnownSender],
    configured: &[ConfiguredSender],
    names: &BTreeMap<SenderName, SenderName>,
) -> EngineResult<()> {
    for sender in configured {
        let queue = senders::queue(known, configured, sender);
        let present = KnownSender {
            name: sender.name.clone(),
            identity: sender.identity.clone(),
            queue,
            is_former: false,
        };
        store(tx, &present, None)?;
        for (from, _) in names.iter().filter(|(_, to)| **to == sender.name) {
            if configured.iter().all(|other| other.name != *from) {
                let former = KnownSender { name: from.clone(), is_former: true, ..present.clone() };
                store(tx, &former, Some(&sender.name))?;
                tx.sql.run(FORWARD, (&from.0, &sender.name.0))?;
            }
        }
    }
    Ok(())
}

/// Stores what is known of a name, unless it is stored already, so that a start on a full disk writes nothing.
fn store(tx: &Transaction<'_>, sender: &KnownSender, moved_to: Option<&SenderName>) -> EngineResult<()> {
    let KnownSender { name, identity, queue, .. } = sender;
    let row = (&name.0, identity, &queue.0, moved_to.map(|name| &name.0));
    if !tx.sql.exists(IS_STORED, row)? {
        tx.sql.run(STORE, row)?;
    }
    Ok(())
}

fn read(
    tx: &Transaction<'_>,
    from: &SenderName,
    to: &SenderName,
    limit: usize,
    now: Timestamp,
) -> EngineResult<Move> {
    let since = millis(adoption::counted_since(now));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut counted = tx.sql.all(COUNTED, (&from.0, since, limit), |row| Ok(row.get("id")?))?;
    counted.extend(
        tx.sql.all(COUNTED_EARLIER, (&from.0, since, limit), |row| Ok(row.get::<_, i64>("delivery")?))?,
    );
    Ok(Move {
        from: from.clone(),
        to: to.clone(),
        open: tx.sql.all(OPEN, (&from.0, limit), |row| Ok(row.get("id")?))?,
        counted,
        purged: tx.sql.all(PURGED, (&from.0, since, limit), |row| Ok(row.get("rowid")?))?,
        hold: hold::holds(tx, Some(from))?.pop(),
    })
}

fn write(tx: &mut Transaction<'_>, moved: &Move, now: Timestamp) -> EngineResult<()> {
    for id in &moved.open {
        if let Err(error) = sender::rename(tx, *id, &moved.to) {
            sender::rename_damaged(tx, *id, &moved.to)?;
            settle::set_aside(tx, *id, error, now)?;
        }
    }
    for id in &moved.counted {
        match sender::rename(tx, *id, &moved.to) {
            Err(error) if error.is_unreadable_row() => sender::rename_damaged(tx, *id, &moved.to)?,
            renamed => renamed?,
        }
    }
    for id in &moved.purged {
        tx.sql.run(RENAME_PURGED, (id, &moved.to.0))?;
    }
    if let Some(hold) = &moved.hold {
        // A hold that another sender got in this name's place is kept.
        if hold::holds(tx, Some(&moved.from))?.contains(hold) {
            hold::delete(tx, &moved.from)?;
        }
        hold::store(tx, &Hold { sender: moved.to.clone(), ..hold.clone() })?;
    }
    Ok(())
}
