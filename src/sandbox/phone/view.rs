//! The page as the template sees it.

use serde::Serialize;

use crate::{pages::Moment, sandbox::record::Totals};

#[derive(Debug, Serialize)]
pub(super) struct PhoneView {
    pub(super) members: Vec<PhoneTab>,
    pub(super) groups: Vec<PhoneTab>,
    /// The member or the group whose phone is shown.
    pub(super) owner: String,
    pub(super) is_group: bool,
    /// Newest first.
    pub(super) messages: Vec<MessageView>,
    pub(super) older: usize,
    pub(super) totals: Totals,
    pub(super) faults: Vec<ButtonView>,
    pub(super) in_force: Vec<String>,
    pub(super) calls: Vec<CallView>,
    pub(super) console: Option<String>,
    /// Buttons that send alerts; empty without a relay.
    pub(super) sends: Vec<ButtonView>,
}

/// A link to a phone.
#[derive(Debug, Serialize)]
pub(super) struct PhoneTab {
    pub(super) name: String,
    /// Relative to the root.
    pub(super) path: String,
    pub(super) shown: usize,
    pub(super) is_current: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct MessageView {
    pub(super) sender: String,
    pub(super) at: Moment,
    /// Escaped by `wecom::look`.
    pub(super) html: String,
    pub(super) fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fate {
    Shown,
    Dropped,
    Duplicate,
}

#[derive(Debug, Serialize)]
pub(super) struct ButtonView {
    /// The value in the form.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct CallView {
    pub(super) api: &'static str,
    /// Such as `0 × 27 · 45009 × 3`.
    pub(super) results: String,
}
