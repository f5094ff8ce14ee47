//! The configuration: from a YAML file to a [`Config`] in which nothing is left to check, or to all its
//! [`Problems`] at once.
//!
//! Three steps: `yaml` reads the file into a tree with positions, `raw` says which keys there are, `build` makes the
//! model and looks at what the file refers to (secrets, templates). Nothing of a secret gets into a problem.
//! `config.example.yml` is the manual of the keys.

mod build;
mod duration;
mod file;
mod load;
mod model;
mod nearest;
mod problem;
mod raw;
mod size;

pub use duration::parse as parse_duration;
pub use load::{Loaded, find, load, parse};
pub use model::{
    App, AppName, Config, Fallback, Limits, Located, Outbox, Receiver, ReceiverName, Server, TemplateFile,
};
pub use problem::{Place, Position, Problem, Problems};
pub use raw::accepted_keys;
