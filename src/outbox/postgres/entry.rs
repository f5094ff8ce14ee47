//! The columns that decide how a change of one delivery affects others.

use tokio_postgres::Row;

use super::{
    columns::{column, destination, kind, state, status},
    error::EngineResult,
    session::Transaction,
};
use crate::outbox::{Destination, Key, Kind, ReceiverName, SenderName, State, Status};

macro_rules! entry {
    ($rest:literal) => {
        concat!(
            "SELECT id, state, sender, receiver, destination, ordering_key, notification, siblings, kind, status, msgtype, claim,
             claimed_at, due_at FROM wecom_relay.delivery WHERE ",
            $rest
        )
    };
}
pub(super) const LOAD: &str = entry!("id = ANY($1) ORDER BY id FOR UPDATE");
pub(super) const LOAD_IN_FLIGHT: &str = entry!("state = 2 AND sender = $1 FOR UPDATE");

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
    /// All deliveries of the notification.
    pub(super) siblings: Vec<i64>,
    pub(super) kind: Kind,
    pub(super) status: Status,
    pub(super) msgtype: String,
    pub(super) claim: Option<i64>,
    pub(super) claimed_at: Option<i64>,
    pub(super) due_at: i64,
}

impl Entry {
    pub(super) fn read(row: &Row) -> EngineResult<Self> {
        state(row)?;
        kind(row)?;
        status(row)?;
        destination(row)?;
        column::<Option<Vec<i64>>>(row, "siblings")?;
        Self::read_damaged(row)
    }

    /// Reads a row although some values have no valid form. Others take their place, which only concern the row itself.
    pub(super) fn read_damaged(row: &Row) -> EngineResult<Self> {
        let id = column(row, "id")?;
        let siblings = column::<Option<Vec<i64>>>(row, "siblings").ok().flatten();
        Ok(Self {
            id,
            state: state(row).unwrap_or(State::Dead),
            sender: SenderName(column(row, "sender")?),
            receiver: ReceiverName(column(row, "receiver")?),
            destination: destination(row).unwrap_or(Destination(Key([0; 16]))),
            ordering_key: column(row, "ordering_key")?,
            notification: column(row, "notification")?,
            siblings: siblings.unwrap_or_else(|| vec![id]),
            kind: kind(row).unwrap_or(Kind::Alert),
            status: status(row).unwrap_or(Status::Firing),
            msgtype: column(row, "msgtype")?,
            claim: column(row, "claim")?,
            claimed_at: column(row, "claimed_at")?,
            due_at: column(row, "due_at")?,
        })
    }

    /// True if others wait behind it.
    pub(super) fn is_head(&self) -> bool {
        matches!(self.state, State::Ready | State::InFlight | State::Folded)
    }
}

/// Loads deliveries, and locks their rows.
pub(super) async fn load(tx: &Transaction<'_>, ids: &[i64]) -> EngineResult<Vec<Entry>> {
    tx.all(LOAD, &[&ids], Entry::read).await
}
