//! Statements and rows. Columns are read by name.

use rusqlite::{Connection, Params, Row};

use super::error::EngineResult;

/// Runs statements on one connection. Each statement is prepared once.
#[derive(Clone, Copy)]
pub(super) struct Sql<'c>(&'c Connection);

impl<'c> Sql<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self(connection)
    }

    /// Runs a statement and returns the number of rows that it changed.
    pub(super) fn run(self, sql: &str, params: impl Params) -> EngineResult<usize> {
        Ok(self.0.prepare_cached(sql)?.execute(params)?)
    }

    /// Reads the first row, if there is one.
    pub(super) fn first<T>(
        self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> EngineResult<T>,
    ) -> EngineResult<Option<T>> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        rows.next()?.map(read).transpose()
    }

    /// Reads the one row that an aggregate or a `RETURNING` clause always produces.
    pub(super) fn only<T>(
        self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> EngineResult<T>,
    ) -> EngineResult<T> {
        let row = self.first(sql, params, read)?;
        row.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    /// Reads all rows.
    pub(super) fn all<T>(
        self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> EngineResult<T>,
    ) -> EngineResult<Vec<T>> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(row)?);
        }
        Ok(all)
    }

    /// True if the query has a row.
    pub(super) fn exists(self, sql: &str, params: impl Params) -> EngineResult<bool> {
        Ok(self.0.prepare_cached(sql)?.exists(params)?)
    }
}
