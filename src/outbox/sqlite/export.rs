//! Reads whole tables, to move an outbox into another engine.

use std::{fmt::Write as _, path::Path};

use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde_json::{Map, Value};

/// The tables of an outbox that another engine needs.
pub const TABLES: [&str; 10] = [
    "delivery",
    "attempt",
    "purged_attempt",
    "card",
    "press",
    "ordering_key",
    "sender",
    "discarded",
    "hold",
    "hold_noticed",
];

/// Columns that are true or false.
const BOOLEANS: [&str; 4] = ["noticed", "attempt_counted", "counted", "closed"];

/// A file of an outbox that nobody writes.
pub struct Export(Connection);

impl Export {
    /// Opens the file of an outbox with the present schema. Its owner must be this process.
    ///
    /// # Errors
    /// SQLite's error.
    pub fn open(path: &Path) -> Result<Self, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(path, flags).map(Self).map_err(|error| error.to_string())
    }

    /// The last number of a delivery, a place or a claim.
    ///
    /// # Errors
    /// SQLite's error.
    pub fn last_number(&self) -> Result<i64, String> {
        let last = self.0.query_row("SELECT coalesce(max(last), 0) FROM numbers", [], |row| row.get(0));
        last.map_err(|error| error.to_string())
    }

    /// The number of rows of one of [`TABLES`].
    ///
    /// # Errors
    /// SQLite's error.
    pub fn count(&self, table: &str) -> Result<i64, String> {
        let count = self.0.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
        count.map_err(|error| error.to_string())
    }

    /// Reads the rows of one of [`TABLES`] as JSON objects, and gives them to `take` in batches. Bytes are `\x` with
    /// hexadecimal digits.
    ///
    /// # Errors
    /// SQLite's error, or that of `take`.
    pub async fn rows(
        &self,
        table: &str,
        batch: usize,
        mut take: impl AsyncFnMut(Vec<Value>) -> Result<(), String>,
    ) -> Result<(), String> {
        let shown = |error: rusqlite::Error| error.to_string();
        let mut statement = self.0.prepare(&format!("SELECT * FROM {table}")).map_err(shown)?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([]).map_err(shown)?;
        let mut objects = Vec::with_capacity(batch);
        while let Some(row) = rows.next().map_err(shown)? {
            let mut object = Map::new();
            for (number, name) in names.iter().enumerate() {
                let value = json(name, row.get_ref(number).map_err(shown)?)?;
                object.insert(name.clone(), value);
            }
            objects.push(Value::Object(object));
            if objects.len() == batch {
                take(std::mem::take(&mut objects)).await?;
            }
        }
        if objects.is_empty() { Ok(()) } else { take(objects).await }
    }
}

fn json(name: &str, value: ValueRef<'_>) -> Result<Value, String> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) if BOOLEANS.contains(&name) => Value::Bool(number != 0),
        ValueRef::Integer(number) => number.into(),
        // PostgreSQL stores no U+0000.
        ValueRef::Text(text) => String::from_utf8_lossy(text).replace('\0', "\u{FFFD}").into(),
        ValueRef::Blob(bytes) => {
            let mut text = String::from("\\x");
            for byte in bytes {
                // Writing to a string cannot fail.
                _ = write!(text, "{byte:02x}");
            }
            text.into()
        }
        ValueRef::Real(_) => return Err(format!("the column {name} has a fraction")),
    })
}
