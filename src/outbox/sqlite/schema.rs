//! The schema and its migrations.
//!
//! `user_version` has the number of the last migration. Migrations are applied in order, each once, in a transaction. A
//! migration that was released is never edited. A database of a newer version is refused.

use rusqlite::{Connection, functions::FunctionFlags};

use crate::outbox::{OrderingKey, ReceiverName, SenderName};

/// Marks the file as an outbox (`application_id`): "WcRl".
pub(super) const APPLICATION_ID: i64 = 0x5763_526c;

/// Migration `n` is at index `n - 1`.
const MIGRATIONS: [&str; 12] = [
    include_str!("migrations/0001_outbox.sql"),
    include_str!("migrations/0002_one_row_per_delivery.sql"),
    include_str!("migrations/0003_one_queue_per_destination.sql"),
    include_str!("migrations/0004_relay_time.sql"),
    include_str!("migrations/0005_room.sql"),
    include_str!("migrations/0006_undone_digests.sql"),
    include_str!("migrations/0007_senders.sql"),
    include_str!("migrations/0008_cards.sql"),
    include_str!("migrations/0009_console.sql"),
    include_str!("migrations/0010_changed_cards.sql"),
    include_str!("migrations/0011_update_of_code.sql"),
    include_str!("migrations/0012_absences.sql"),
];

/// The version that this program reads and writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// The content of a database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It has no tables.
    Empty,
    /// It is an outbox of this schema version.
    Outbox(i64),
    /// It is not an outbox.
    Foreign,
}

pub(super) fn look(conn: &Connection) -> rusqlite::Result<Found> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let id: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (id, version, tables) {
        (0, 0, 0) => Found::Empty,
        (APPLICATION_ID, version, _) if version > 0 => Found::Outbox(version),
        _ => Found::Foreign,
    })
}

/// Migrates the database from `version` (0 for an empty one) to [`VERSION`].
pub(super) fn migrate(conn: &mut Connection, version: i64) -> rusqlite::Result<()> {
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_scalar_function("ordering_key_of", 3, pure, |arguments| {
        let (sender, receiver) = (SenderName(arguments.get(0)?), ReceiverName(arguments.get(1)?));
        let group_key: String = arguments.get(2)?;
        Ok(OrderingKey::of(&sender, &receiver, &group_key).0.short())
    })?;
    let steps = (1_i64..).zip(MIGRATIONS).filter(|(number, _)| *number > version);
    for (number, sql) in steps {
        let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}
