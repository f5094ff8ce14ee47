//! Relay time: the clock of the server, so that all replicas agree, with an offset for the times when it was set back.

use jiff::{SignedDuration, Timestamp};

use super::{
    columns::{column, millis},
    error::EngineResult,
    session::Transaction,
};
use crate::{
    clock::ReadingRecord,
    outbox::{Detail, Filter, Listed, rules::stored},
};

macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint + offset_ms"
    };
}
pub(super) const NOW: &str = concat!("SELECT ", now!(), " AS now FROM wecom_relay.relay_clock WHERE id = 1");
pub(super) const CATCH_UP: &str = concat!(
    "UPDATE wecom_relay.relay_clock SET offset_ms = offset_ms + $1 - (",
    now!(),
    ")
     WHERE id = 1 AND ",
    now!(),
    " < $2"
);
pub(super) const OFFSET: &str = "SELECT offset_ms FROM wecom_relay.relay_clock WHERE id = 1";

/// A difference that no two clocks reach by their rates. The clock of the server was set back.
const STEP: SignedDuration = SignedDuration::from_secs(10);
/// Smaller differences between relay time and the wall clock are not shown.
const NEGLIGIBLE: SignedDuration = SignedDuration::from_secs(1);

/// The present relay time.
pub(super) async fn now(tx: &Transaction<'_>) -> EngineResult<Timestamp> {
    let now = tx.only(NOW, &[], |row| column(row, "now")).await?;
    Ok(stored::timestamp(now)?)
}

/// Lets relay time go on when the clock of the server was set back. Returns the present relay time.
pub(super) async fn record(tx: &Transaction<'_>, present: &ReadingRecord) -> EngineResult<Timestamp> {
    let relay_time = millis(present.relay_time);
    let behind = relay_time.saturating_sub(STEP.as_millis().try_into().unwrap_or(i64::MAX));
    tx.run(CATCH_UP, &[&relay_time, &behind]).await?;
    now(tx).await
}

/// Converts relay time to wall-clock time.
pub(super) struct WallTimes(SignedDuration);

impl WallTimes {
    pub(super) async fn read(tx: &Transaction<'_>) -> EngineResult<Self> {
        let offset = SignedDuration::from_millis(tx.only(OFFSET, &[], |row| column(row, "offset_ms")).await?);
        Ok(Self(if offset.abs() < NEGLIGIBLE { SignedDuration::ZERO } else { offset }))
    }

    fn wall(&self, relay_time: Timestamp) -> Timestamp {
        relay_time.checked_sub(self.0).unwrap_or(relay_time)
    }

    fn relay(&self, wall: Timestamp) -> Timestamp {
        wall.checked_add(self.0).unwrap_or(wall)
    }

    /// The filter with relay times in place of wall-clock times.
    pub(super) fn filter(&self, filter: &Filter) -> Filter {
        Filter {
            accepted_before: filter.accepted_before.map(|at| self.relay(at)),
            accepted_since: filter.accepted_since.map(|at| self.relay(at)),
            ..filter.clone()
        }
    }

    pub(super) fn listed(&self, listed: Listed) -> Listed {
        Listed {
            accepted_at: self.wall(listed.accepted_at),
            due_at: listed.due_at.map(|at| self.wall(at)),
            settled_at: listed.settled_at.map(|at| self.wall(at)),
            ..listed
        }
    }

    pub(super) fn detail(&self, mut detail: Detail) -> Detail {
        for attempt in &mut detail.attempts {
            attempt.started_at = self.wall(attempt.started_at);
        }
        let unconfirmed_since = detail.unconfirmed_since.map(|at| self.wall(at));
        Detail { listed: self.listed(detail.listed), unconfirmed_since, ..detail }
    }
}
