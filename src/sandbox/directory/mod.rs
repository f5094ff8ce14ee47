//! Who exists in the sandbox: corps, and in each its departments, tags, members and apps.
//!
//! A directory is always consistent: ids are unique, what is referred to exists, departments form a tree,
//! userids are in lower case.

mod fields;
mod recipients;
mod yaml;

pub(super) use recipients::{Named, Recipients, Sight, id};
pub use yaml::DirectoryError;

use std::net::IpAddr;

use serde::Serialize;

/// The YAML of [`Directory::builtin`]: an example of the format.
pub const BUILTIN_YAML: &str = include_str!("builtin.yml");

/// The members that the sandbox knows and the apps that may write to them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Directory {
    pub(super) corps: Vec<Corp>,
}

/// One company.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Corp {
    pub(super) corp_id: String,
    pub(super) departments: Vec<Department>,
    pub(super) tags: Vec<Tag>,
    pub(super) members: Vec<Member>,
    pub(super) apps: Vec<App>,
}

/// A department (`toparty`); its members include those of the departments under it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Department {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) parent: Option<u64>,
}

/// A tag (`totag`): members and whole departments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Tag {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) members: Vec<String>,
    pub(super) departments: Vec<u64>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Member {
    pub(super) userid: String,
    pub(super) name: String,
    pub(super) departments: Vec<u64>,
    pub(super) licensed: bool,
}

/// A self-built application.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct App {
    pub(super) agent_id: u64,
    pub(super) name: String,
    pub(super) secret: String,
    pub(super) disabled: bool,
    pub(super) callback: bool,
    /// `None`: the whole company.
    pub(super) visible: Option<Visible>,
    /// Empty: every address.
    pub(super) trusted_ips: Vec<IpAddr>,
}

/// The visible range of an app.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Visible {
    pub(super) members: Vec<String>,
    pub(super) departments: Vec<u64>,
    pub(super) tags: Vec<u64>,
}

impl Directory {
    /// The directory that [`BUILTIN_YAML`] describes.
    #[expect(clippy::expect_used, reason = "the text is a constant of this program and a test reads it")]
    pub fn builtin() -> Self {
        Self::from_yaml(BUILTIN_YAML).expect("the built-in directory is valid")
    }

    /// Reads a directory.
    ///
    /// # Errors
    ///
    /// The text is no YAML, has an unknown or missing key, or contradicts itself. The first fault found is told, with
    /// its line and column.
    pub fn from_yaml(text: &str) -> Result<Self, DirectoryError> {
        yaml::read(text)
    }

    pub(super) fn corp(&self, corp_id: &str) -> Option<&Corp> {
        self.corps.iter().find(|corp| corp.corp_id == corp_id)
    }
}

impl Corp {
    pub(super) fn app(&self, agent_id: u64) -> Option<&App> {
        self.apps.iter().find(|app| app.agent_id == agent_id)
    }
}

impl App {
    pub(super) fn trusts(&self, caller: Option<IpAddr>) -> bool {
        self.trusted_ips.is_empty() || caller.is_some_and(|ip| self.trusted_ips.contains(&ip))
    }
}
