//! Opens the outbox that a configuration names.

use crate::{
    config::Config,
    outbox::sqlite::{Access, OpenError, Settings, SqliteOutbox},
};

/// Opens the outbox of `config`.
///
/// # Errors
/// [`OpenError`] says what to do.
pub fn open_outbox(config: &Config, access: Access) -> Result<SqliteOutbox, OpenError> {
    let settings = Settings::new(config.outbox.path.clone(), config.outbox.max_size_bytes);
    SqliteOutbox::open(settings, access)
}
