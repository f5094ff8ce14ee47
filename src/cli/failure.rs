//! The reasons why a command fails.

use crate::config::ConfigError;

#[derive(Debug)]
pub(super) enum Failure {
    Config(ConfigError),
    Other(anyhow::Error),
    /// The command has printed the reason already.
    Reported,
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        match anyhow::Error::new(error).downcast::<ConfigError>() {
            Ok(error) => Self::Config(error),
            Err(other) => Self::Other(other),
        }
    }
}
