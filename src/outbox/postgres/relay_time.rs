//! Relay time: the clock of the server, so that all replicas agree, with an offset for the times when it was set.
//!
//! Running replicas record relay time each minute. It is never more than [`MAX_STEP`] after the last record, so a clock of
//! the server that is set forward by days does not let everything expire. Nor does it count how long all replicas were off,
//! as [`crate::clock`] does not for a machine.

use jiff::{SignedDuration, Timestamp};

use super::{
    columns::{column, millis, optional_time, time},
    error::EngineResult,
    session::Transaction,
};
use crate::{
    clock::ReadingRecord,
    outbox::rules::{self, wall_times::NEGLIGIBLE},
};

macro_rules! read {
    ($lock:literal) => {
        concat!(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS server, offset_ms, recorded_ms
             FROM wecom_relay.relay_clock WHERE id = 1",
            $lock
        )
    };
}
pub(super) const READ: &str = read!("");
pub(super) const READ_AND_LOCK: &str = read!(" FOR UPDATE");
pub(super) const RECORD: &str =
    "UPDATE wecom_relay.relay_clock SET offset_ms = $1, recorded_ms = $2 WHERE id = 1";
pub(super) const OFFSET: &str = "SELECT offset_ms FROM wecom_relay.relay_clock WHERE id = 1";

/// A difference that no two clocks reach by their rates. The clock of the server was set back.
const SET_BACK: SignedDuration = SignedDuration::from_secs(10);
/// The longest time from the last record to the present.
const MAX_STEP: SignedDuration = SignedDuration::from_hours(4);

/// The clock of the server, with the row that makes it relay time.
struct ServerClock {
    server: Timestamp,
    offset: SignedDuration,
    /// The relay time of the last record, if there is one.
    recorded: Option<Timestamp>,
}

impl ServerClock {
    async fn read(tx: &Transaction<'_>, sql: &str) -> EngineResult<Self> {
        tx.only(sql, &[], |row| {
            Ok(Self {
                server: time(row, "server")?,
                offset: SignedDuration::from_millis(column(row, "offset_ms")?),
                recorded: optional_time(row, "recorded_ms")?,
            })
        })
        .await
    }

    fn now(&self) -> Timestamp {
        let now = self.server.checked_add(self.offset).unwrap_or(self.server);
        let latest = self.recorded.and_then(|recorded| recorded.checked_add(MAX_STEP).ok());
        latest.map_or(now, |latest| now.min(latest))
    }

    /// The relay time to record, by a replica whose clock shows `present`.
    fn now_beside(&self, present: Timestamp) -> Timestamp {
        let now = self.now();
        if present.duration_since(now) > SET_BACK { present } else { now }
    }
}

/// The present relay time.
pub(super) async fn now(tx: &Transaction<'_>) -> EngineResult<Timestamp> {
    Ok(ServerClock::read(tx, READ).await?.now())
}

/// Records the present relay time, and returns it. It goes on from that of `present` when the clock of the server was set
/// back.
pub(super) async fn record(tx: &Transaction<'_>, present: &ReadingRecord) -> EngineResult<Timestamp> {
    let clock = ServerClock::read(tx, READ_AND_LOCK).await?;
    let now = clock.now_beside(present.relay_time);
    let offset = millis(now).saturating_sub(millis(clock.server));
    tx.run(RECORD, &[&offset, &millis(now)]).await?;
    Ok(now)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
    }

    fn clock(server: i64, recorded: Option<i64>) -> ServerClock {
        ServerClock { server: hour(server), offset: SignedDuration::ZERO, recorded: recorded.map(hour) }
    }

    #[test]
    fn a_step_of_the_server_moves_relay_time_by_hours_at_most() {
        assert_eq!(clock(25, Some(1)).now(), hour(5), "the server was set forward");
        assert_eq!(clock(25, Some(1)).now_beside(hour(1)), hour(5));
        assert_eq!(clock(25, Some(1)).now_beside(hour(25)), hour(25), "the server was away");
        assert_eq!(clock(25, Some(24)).now_beside(hour(1)), hour(25), "this replica stood still");
        assert_eq!(clock(-25, Some(1)).now_beside(hour(1)), hour(1), "the server was set back");
        assert_eq!(clock(25, None).now_beside(hour(1)), hour(25), "this is the first record");
        let near = hour(1) + SignedDuration::from_secs(9);
        assert_eq!(clock(1, Some(1)).now_beside(near), hour(1), "clocks differ by their rates");
    }
}
