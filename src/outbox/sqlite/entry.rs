//! The columns that decide how a change of one delivery affects others.

use super::{
    columns::{destination_column, kind_column, state_column, status_column},
    error::EngineResult,
    transaction::Transaction,
};
use crate::outbox::{Destination, Kind, ReceiverName, SenderName, State, Status};

pub(super) const LOAD: &str = "SELECT id, state, sender, receiver, destination, ordering_key, notification,
     deliveries, kind, status, msgtype, claim, claimed_at, due_at, tries FROM delivery WHERE id = ?1";

/// The columns that decide how a change of one delivery affects others.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) state: State,
    pub(super) sender: SenderName,
    pub(super) receiver: ReceiverName,
    pub(super) destination: Destination,
    pub(super) ordering_key: i64,
    pub(super) notification: i64,
    pub(super) deliveries: u32,
    pub(super) kind: Kind,
    pub(super) status: Status,
    pub(super) msgtype: String,
    pub(super) claim: Option<i64>,
    pub(super) claimed_at: Option<i64>,
    pub(super) due_at: i64,
    pub(super) tries: i64,
}

pub(super) fn load(tx: &Transaction<'_>, id: i64) -> EngineResult<Option<Entry>> {
    tx.sql.first(LOAD, [id], |row| {
        Ok(Entry {
            id: row.get("id")?,
            state: state_column(row)?,
            sender: SenderName(row.get("sender")?),
            receiver: ReceiverName(row.get("receiver")?),
            destination: destination_column(row)?,
            ordering_key: row.get("ordering_key")?,
            notification: row.get("notification")?,
            deliveries: row.get("deliveries")?,
            kind: kind_column(row)?,
            status: status_column(row)?,
            msgtype: row.get("msgtype")?,
            claim: row.get("claim")?,
            claimed_at: row.get("claimed_at")?,
            due_at: row.get("due_at")?,
            tries: row.get("tries")?,
        })
    })
}
