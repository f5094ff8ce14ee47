//! The schema and its migrations.
//!
//! `migration` has a row for each one that was applied. Migrations are applied in order, each once, in one transaction.
//! A migration only adds, so that programs of the version before go on beside it; what is gone goes one version later. A
//! program refuses a schema that is not compatible with it any more.

use super::{
    columns::column,
    error::{EngineError, EngineResult},
    schema_problem::SchemaProblem,
    session::Session,
    settings::Access,
};

/// Migration `n` is at index `n - 1`.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001_outbox.sql")];
/// The version that this program reads and writes.
pub(super) const VERSION: i32 = MIGRATIONS.len() as i32;
/// The oldest version of the program that can use this schema.
const COMPATIBLE_FROM: i32 = 1;

const EXISTS: &str = "SELECT to_regclass('wecom_relay.migration') IS NOT NULL AS exists";
const CREATE: &str =
    "CREATE SCHEMA IF NOT EXISTS wecom_relay; CREATE TABLE IF NOT EXISTS wecom_relay.migration (
     version integer PRIMARY KEY, compatible_from integer NOT NULL, applied_at timestamptz NOT NULL)";
const FOUND: &str =
    "SELECT version, compatible_from FROM wecom_relay.migration ORDER BY version DESC LIMIT 1";

/// Makes sure that this program can use the schema. A replica creates or migrates it.
pub(super) async fn prepare(session: &Session, access: Access) -> EngineResult<()> {
    let found = found(session).await?;
    if found == VERSION {
        return Ok(());
    }
    if access == Access::Guest {
        let problem = if found == 0 { SchemaProblem::Missing } else { SchemaProblem::Older(found) };
        return Err(EngineError::Schema(problem));
    }
    // Another replica may create the same objects at this moment; then it is complete when that one has committed.
    if let Err(error) = session.execute(CREATE).await
        && !error.is_duplicate_object()
    {
        return Err(error);
    }
    session.execute("BEGIN; LOCK TABLE wecom_relay.migration IN ACCESS EXCLUSIVE MODE").await?;
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
