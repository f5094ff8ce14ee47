//! The data of a directory.

use std::net::IpAddr;

use serde::Serialize;

/// The members of the sandbox, and the apps that send to them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Directory {
    pub(in crate::sandbox) corps: Vec<Corp>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::sandbox) struct Corp {
    pub(in crate::sandbox) corp_id: String,
    pub(in crate::sandbox) departments: Vec<Department>,
    pub(in crate::sandbox) tags: Vec<Tag>,
    pub(in crate::sandbox) members: Vec<Member>,
    pub(in crate::sandbox) apps: Vec<App>,
    pub(in crate::sandbox) robots: Vec<Robot>,
}

/// A department (`toparty`). Its members include those of the departments under it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::sandbox) struct Department {
    pub(in crate::sandbox) id: u64,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) parent: Option<u64>,
}

/// A tag (`totag`): members and whole departments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::sandbox) struct Tag {
    pub(in crate::sandbox) id: u64,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) members: Vec<String>,
    pub(in crate::sandbox) departments: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::sandbox) struct Member {
    pub(in crate::sandbox) userid: String,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) departments: Vec<u64>,
    pub(in crate::sandbox) licensed: bool,
}

/// A self-built application.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::sandbox) struct App {
    pub(in crate::sandbox) agent_id: u64,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) secret: String,
    pub(in crate::sandbox) disabled: bool,
    pub(in crate::sandbox) callback: bool,
    /// `None` means the whole company.
    pub(in crate::sandbox) visible: Option<Visible>,
    /// Empty means every address.
    pub(in crate::sandbox) trusted_ips: Vec<IpAddr>,
}

/// A group robot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::sandbox) struct Robot {
    /// The name of its group.
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) key: String,
    /// The members of its group.
    pub(in crate::sandbox) members: Vec<String>,
    pub(in crate::sandbox) disabled: bool,
    pub(in crate::sandbox) in_group: bool,
}

/// The visible range of an app.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::sandbox) struct Visible {
    pub(in crate::sandbox) members: Vec<String>,
    pub(in crate::sandbox) departments: Vec<u64>,
    pub(in crate::sandbox) tags: Vec<u64>,
}

impl Directory {
    pub(in crate::sandbox) fn corp(&self, corp_id: &str) -> Option<&Corp> {
        self.corps.iter().find(|corp| corp.corp_id == corp_id)
    }
}

impl Corp {
    pub(in crate::sandbox) fn app(&self, agent_id: u64) -> Option<&App> {
        self.apps.iter().find(|app| app.agent_id == agent_id)
    }
}

impl App {
    pub(in crate::sandbox) fn trusts(&self, caller: Option<IpAddr>) -> bool {
        self.trusted_ips.is_empty() || caller.is_some_and(|ip| self.trusted_ips.contains(&ip))
    }
}
