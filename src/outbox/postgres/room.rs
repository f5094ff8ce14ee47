//! The room for new alerts: `outbox.max_size` limits the bytes of all deliveries.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use super::{columns::column, error::EngineResult, session::Transaction};
use crate::outbox::{OutboxSize, StoreResult, rules::room};

pub(super) const USED: &str = "SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM wecom_relay.usage";
pub(super) const USE: &str = "INSERT INTO wecom_relay.usage (bytes) VALUES ($1)";
pub(super) const FOLD: &str = "WITH folded AS (DELETE FROM wecom_relay.usage RETURNING bytes)
     INSERT INTO wecom_relay.usage (bytes) SELECT coalesce(sum(bytes), 0)::bigint FROM folded";

/// The size as it was read last, with what this process has stored since. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Room {
    used: Arc<AtomicI64>,
    max_bytes: u64,
}

impl Room {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self { used: Arc::default(), max_bytes }
    }

    pub(super) fn size(&self) -> OutboxSize {
        let bytes = u64::try_from(self.used.load(Ordering::Relaxed)).unwrap_or(0);
        OutboxSize { bytes, max_bytes: self.max_bytes }
    }

    /// True if settled deliveries should be purged before `retention` has passed.
    pub(super) fn is_short(&self) -> bool {
        self.size().bytes > room::wanted_bytes(self.max_bytes)
    }

    /// Fails when a new alert cannot be stored.
    pub(super) fn require(&self) -> StoreResult<()> {
        let OutboxSize { bytes, max_bytes } = self.size();
        if bytes < max_bytes { Ok(()) } else { Err(room::full(bytes, max_bytes)) }
    }

    /// Counts bytes that were stored or, if negative, deleted.
    pub(super) async fn change(&self, tx: &Transaction<'_>, bytes: i64) -> EngineResult<()> {
        if bytes != 0 {
            tx.run(USE, &[&bytes]).await?;
            // It counts although the transaction may fail: the next look corrects it.
            self.used.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Reads the size.
    pub(super) async fn look(&self, tx: &Transaction<'_>) -> EngineResult<OutboxSize> {
        let used: i64 = tx.only(USED, &[], |row| column(row, "bytes")).await?;
        self.used.store(used, Ordering::Relaxed);
        Ok(self.size())
    }
}
