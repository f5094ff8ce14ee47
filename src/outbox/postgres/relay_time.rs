//! Relay time: the clock of the server, so that all replicas agree, with an offset for the times when it was set back.

use jiff::{SignedDuration, Timestamp};

use super::{
    columns::{column, millis},
    error::EngineResult,
    session::Transaction,
};
use crate::{
    clock::ReadingRecord,
    outbox::rules::{self, stored, wall_times::NEGLIGIBLE},
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
}

impl rules::wall_times::WallTimes for WallTimes {
    fn wall(&self, relay_time: Timestamp) -> Timestamp {
        relay_time.checked_sub(self.0).unwrap_or(relay_time)
    }

    fn relay(&self, wall: Timestamp) -> Timestamp {
        wall.checked_add(self.0).unwrap_or(wall)
    }
}
