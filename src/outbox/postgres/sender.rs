//! The present names of senders. WeCom counts by the identity of a sender; deliveries are stored under its present name.

use std::{cell::RefCell, collections::HashMap};

use super::{
    columns::{all_recipients, column, content, recipients},
    error::{EngineError, EngineResult},
    session::Transaction,
};
use crate::outbox::{BodyHash, Destination, SenderName};

// A rename locks the table, so a name stays present until the end of the transaction.
pub(super) const PRESENT: &str = "SELECT s.name AS former, p.name, p.queue FROM wecom_relay.sender s
     JOIN wecom_relay.sender p ON p.name = coalesce(s.moved_to, s.name) WHERE s.name = ANY($1)";
pub(super) const LOAD: &str =
    "SELECT to_users, to_parties, to_tags, all_users, all_parties, all_tags, msgtype,
     content FROM wecom_relay.delivery WHERE id = $1";
pub(super) const RENAME: &str =
    "UPDATE wecom_relay.delivery SET sender = $2, destination = $3, body = $4 WHERE id = $1";
pub(super) const RENAME_DAMAGED: &str = "UPDATE wecom_relay.delivery SET sender = $2 WHERE id = $1";
pub(super) const RENAME_ATTEMPTS: &str = "UPDATE wecom_relay.attempt SET sender = $2 WHERE delivery = $1";

/// A sender under its present name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) name: SenderName,
    /// It stands for the sender in ordering keys, and stays when the sender is renamed.
    pub(super) queue: SenderName,
}

/// The senders that names meant last.
#[derive(Default)]
pub(super) struct PresentSenders(HashMap<String, Present>);

impl PresentSenders {
    pub(super) async fn read(tx: &Transaction<'_>, names: &[&SenderName]) -> EngineResult<Self> {
        let names: Vec<&str> = names.iter().map(|name| name.0.as_str()).collect();
        let known = tx
            .all(PRESENT, &[&names], |row| {
                let (name, queue) = (SenderName(column(row, "name")?), SenderName(column(row, "queue")?));
                Ok((column::<String>(row, "former")?, Present { name, queue }))
            })
            .await?;
        Ok(Self(known.into_iter().collect()))
    }

    /// The sender that `name` meant last. A request that began before a reload has a former name.
    pub(super) fn of(&self, name: &SenderName) -> Present {
        let unknown = || Present { name: name.clone(), queue: name.clone() };
        self.0.get(&name.0).cloned().unwrap_or_else(unknown)
    }
}

/// The senders as they were read last, so that an acceptance need not wait for them.
#[derive(Default)]
pub(super) struct KnownSenders(RefCell<PresentSenders>);

impl KnownSenders {
    pub(super) fn new(senders: PresentSenders) -> Self {
        Self(RefCell::new(senders))
    }

    pub(super) fn of(&self, name: &SenderName) -> Present {
        self.0.borrow().of(name)
    }

    /// Fails if one of `names` means another sender by now. It is known from then on, so the transaction can run again.
    pub(super) fn require(&self, names: &[&SenderName], present: &PresentSenders) -> EngineResult<()> {
        let is_known = names.iter().all(|name| self.of(name) == present.of(name));
        if is_known {
            return Ok(());
        }
        let present = names.iter().map(|name| (name.0.clone(), present.of(name)));
        self.0.borrow_mut().0.extend(present);
        Err(EngineError::Changed)
    }
}

/// Stores a delivery and its attempts under another name.
pub(super) async fn rename(tx: &Transaction<'_>, id: i64, to: &SenderName) -> EngineResult<()> {
    let renamed = tx
        .first(LOAD, &[&id], |row| {
            let renamed = || -> EngineResult<(Destination, BodyHash)> {
                let body = BodyHash::of(to, &recipients(row)?, &content(row)?);
                Ok((Destination::of(to, &all_recipients(row)?), body))
            };
            Ok(renamed().ok())
        })
        .await?;
    match renamed {
        None => return Ok(()),
        // A claim sets a row aside that cannot be read.
        Some(None) => {
            tx.run(RENAME_DAMAGED, &[&id, &to.0]).await?;
        }
        Some(Some((destination, body))) => {
            tx.run(RENAME, &[&id, &to.0, &destination.0.0.as_slice(), &body.0]).await?;
            tx.mark_changed(to, destination);
        }
    }
    tx.run(RENAME_ATTEMPTS, &[&id, &to.0]).await?;
    Ok(())
}
