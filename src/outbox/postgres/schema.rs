//! The schema and its migrations.
//!
//! `migration` has a row for each one that was applied. Migrations are applied in order, each once, in one transaction.
//! A migration only adds, so that programs of the version before go on beside it; what is gone goes one version later. A
//! program refuses a schema that is not compatible with it any more.

use std::time::Duration;

use super::{
    columns::column,
    error::{EngineError, EngineResult, within},
    schema_problem::SchemaProblem,
    session::Session,
    settings::Access,
};

/// Migration `n` is at index `n - 1`.
const MIGRATIONS: [&str; 7] = [
    include_str!("migrations/0001_outbox.sql"),
    include_str!("migrations/0002_recorded_time.sql"),
    include_str!("migrations/0003_cards.sql"),
    include_str!("migrations/0004_console.sql"),
    include_str!("migrations/0005_changed_cards.sql"),
    include_str!("migrations/0006_update_of_code.sql"),
    include_str!("migrations/0007_absences.sql"),
];
/// The version that this program reads and writes.
pub(super) const VERSION: i32 = MIGRATIONS.len() as i32;
/// The oldest version of the program that can use this schema.
const COMPATIBLE_FROM: i32 = 1;

const EXISTS: &str = "SELECT to_regclass('wecom_relay.migration') IS NOT NULL AS exists";
// CREATE SCHEMA needs a right on the database, also with IF NOT EXISTS, and a role may have the schema only.
const CREATE: &str =
    "DO $$ BEGIN IF to_regnamespace('wecom_relay') IS NULL THEN CREATE SCHEMA wecom_relay; END IF; END $$;
     CREATE TABLE IF NOT EXISTS wecom_relay.migration (
     version integer PRIMARY KEY, compatible_from integer NOT NULL, applied_at timestamptz NOT NULL)";
// Others fail soon while one replica migrates, because callers wait for them.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '3s'; LOCK TABLE wecom_relay.migration IN ACCESS EXCLUSIVE MODE; \
     SET LOCAL statement_timeout = '60s'";
const FOUND: &str =
    "SELECT version, compatible_from FROM wecom_relay.migration ORDER BY version DESC LIMIT 1";

/// The longest time in which a replica creates or migrates the schema.
const MIGRATION_LIMIT: Duration = Duration::from_secs(60);

/// True if this program can use the schema as it is, and false if a replica must create or migrate it.
pub(super) async fn is_ready(session: &Session, access: Access) -> EngineResult<bool> {
    match (found(session).await?, access) {
        (VERSION, _) => Ok(true),
        (_, Access::Replica) => Ok(false),
        (0, Access::Guest) => Err(EngineError::Schema(SchemaProblem::Missing)),
        (found, Access::Guest) => Err(EngineError::Schema(SchemaProblem::Older(found))),
    }
}

/// Creates or migrates the schema.
pub(super) async fn prepare(session: &Session) -> EngineResult<()> {
    within(MIGRATION_LIMIT, create(session)).await
}

async fn create(session: &Session) -> EngineResult<()> {
    // Another replica may create the same objects at this moment; then it is complete when that one has committed.
    if let Err(error) = session.execute(CREATE).await
        && !error.is_duplicate_object()
    {
        return Err(error);
    }
    session.execute(BEGIN).await?;
    let migrated = migrate(session).await;
    session.execute(if migrated.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    migrated
}

async fn migrate(session: &Session) -> EngineResult<()> {
    let found = found(session).await?;
    let missing = (1..).zip(MIGRATIONS).filter(|(version, _)| *version > found);
    for (version, migration) in missing {
        session.execute(migration).await?;
        let applied = format!(
            "INSERT INTO wecom_relay.migration VALUES ({version}, {COMPATIBLE_FROM}, clock_timestamp())"
        );
        session.execute(&applied).await?;
    }
    Ok(())
}

/// The version of the schema; 0 if there is none. A newer one that is compatible counts as the version of this program.
async fn found(session: &Session) -> EngineResult<i32> {
    let exists = session.query(EXISTS, &[]).await?;
    let exists = exists.first().map_or(Ok(false), |row| column(row, "exists"))?;
    if !exists {
        return Ok(0);
    }
    let found = session.query(FOUND, &[]).await?;
    let Some(row) = found.first() else { return Ok(0) };
    let (version, compatible_from): (i32, i32) = (column(row, "version")?, column(row, "compatible_from")?);
    if compatible_from > VERSION {
        return Err(EngineError::Schema(SchemaProblem::Newer(version)));
    }
    Ok(version.min(VERSION))
}
