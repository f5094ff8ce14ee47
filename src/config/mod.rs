//! The configuration: from a YAML file to a valid [`Config`], or to a [`ConfigError`] with all mistakes at once.
//!
//! 1. `yaml` reads the file into a tree with positions, and `environment` replaces `${NAME}` in it.
//! 2. `raw` knows the accepted keys and their types.
//! 3. `build` checks values, reads the secrets and templates that the file names, and makes the [`Config`].
//!
//! No diagnostic ever contains a secret. `config.example.yml` documents every key.

mod build;
mod diagnostic;
mod duration;
mod environment;
mod file;
mod foreign_keys;
mod load;
mod model;
mod punctuation;
mod raw;
mod secret_files;
mod size;

pub use diagnostic::{ConfigError, Diagnostic, Location, Position};
pub use duration::parse as parse_duration;
pub use load::{Loaded, environment_variable, find, load, load_outbox, parse, reread_secrets};
pub use model::{
    App, Config, Database, Fallback, Limits, Located, Outbox, Postgres, Receiver, ReceiverName, Robot,
    Sender, SenderName, Server, Template, TemplateFile,
};
pub use raw::accepted_keys;
pub use secret_files::SecretFiles;
