//! Relay time: the readings of the clocks that it continues from, and the way back to wall-clock time for people.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Row;

use super::{
    columns::{duration, duration_millis, millis, time_column},
    error::EngineResult,
    sql::Sql,
};
use crate::{
    clock::{Reading, ReadingRecord},
    outbox::rules::{self, wall_times::NEGLIGIBLE},
};

pub(super) const LAST: &str =
    "SELECT started_at, id, uptime, read_at, wall FROM boot ORDER BY started_at DESC LIMIT 1";
pub(super) const STORE: &str =
    "REPLACE INTO boot (started_at, id, uptime, read_at, wall) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(super) const ALL: &str = "SELECT started_at, read_at, wall FROM boot ORDER BY started_at DESC";

/// The relay time of `reading`, without recording it.
pub(super) fn relay_time(sql: Sql<'_>, reading: &Reading) -> EngineResult<Timestamp> {
    let last = sql.first(LAST, [], read_record)?;
    Ok(reading.relay_time(last.as_ref()))
}

/// Records the clocks of the owner. Returns the relay time, which is later than that of `present` if the file has later
/// times.
pub(super) fn record(sql: Sql<'_>, present: &ReadingRecord) -> EngineResult<Timestamp> {
    let ReadingRecord { reading, relay_time } = present;
    let last = sql.first(LAST, [], |row| {
        Ok(Boot { started_at: time_column(row, "started_at")?, last: read_record(row)? })
    })?;
    let relay_time = (*relay_time).max(reading.relay_time(last.as_ref().map(|boot| &boot.last)));
    let offset = reading.wall.duration_since(relay_time);
    // One row serves for several boots while the wall clock and relay time go on together.
    let continued = last.filter(|boot| {
        let before = boot.last.reading.wall.duration_since(boot.last.relay_time);
        boot.last.reading.is_same_boot(reading) || offset.saturating_sub(before).abs() < NEGLIGIBLE
    });
    let started_at = continued.map_or(relay_time, |boot| boot.started_at);
    let uptime = duration_millis(reading.uptime);
    sql.run(STORE, (millis(started_at), &reading.boot_id, uptime, millis(relay_time), millis(reading.wall)))?;
    Ok(relay_time)
}

struct Boot {
    started_at: Timestamp,
    last: ReadingRecord,
}

fn read_record(row: &Row<'_>) -> EngineResult<ReadingRecord> {
    let uptime: Duration = duration(row.get("uptime")?);
    let reading = Reading { boot_id: row.get("id")?, uptime, wall: time_column(row, "wall")? };
    Ok(ReadingRecord { reading, relay_time: time_column(row, "read_at")? })
}

/// Converts relay time to wall-clock time. The newest boot is first.
pub(super) struct WallTimes(Vec<Offset>);

/// The difference between the wall clock and relay time since the start of a boot.
struct Offset {
    since: Timestamp,
    offset: SignedDuration,
}

impl WallTimes {
    pub(super) fn read(sql: Sql<'_>) -> EngineResult<Self> {
        let offsets = sql.all(ALL, [], |row| {
            let offset = time_column(row, "wall")?.duration_since(time_column(row, "read_at")?);
            let offset = if offset.abs() < NEGLIGIBLE { SignedDuration::ZERO } else { offset };
            Ok(Offset { since: time_column(row, "started_at")?, offset })
        })?;
        Ok(Self(offsets))
    }
}

impl rules::wall_times::WallTimes for WallTimes {
    fn wall(&self, relay_time: Timestamp) -> Timestamp {
        let boot = self.0.iter().find(|boot| boot.since <= relay_time).or(self.0.last());
        boot.and_then(|boot| relay_time.checked_add(boot.offset).ok()).unwrap_or(relay_time)
    }

    fn relay(&self, wall: Timestamp) -> Timestamp {
        let (mut relay_time, mut end) = (wall, Timestamp::MAX);
        for boot in &self.0 {
            // The time in which the machine was off belongs to the boot before.
            relay_time = wall.checked_sub(boot.offset).unwrap_or(wall).min(end);
            if boot.since <= relay_time {
                break;
            }
            end = boot.since;
        }
        relay_time
    }
}
