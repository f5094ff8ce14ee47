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
    /// The faults for the next press.
    pub(super) press_faults: Vec<ButtonView>,
    /// The fault of the next press.
    pub(super) next_press: Option<&'static str>,
    /// Newest first.
    pub(super) presses: Vec<PressView>,
    pub(super) has_callbacks: bool,
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
    /// The name of a card with buttons that call back.
    pub(super) task_id: Option<String>,
    pub(super) has_buttons: bool,
    /// The looks that updates have replaced, newest first. Escaped by `wecom::look`.
    pub(super) earlier: Vec<String>,
}

/// A press, with the results of its requests.
#[derive(Debug, Serialize)]
pub(super) struct PressView {
    pub(super) at: Moment,
    pub(super) member: String,
    pub(super) key: String,
    pub(super) fault: Option<&'static str>,
    /// Such as `no answer · 200`.
    pub(super) results: String,
    pub(super) is_settled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fate {
    Shown,
    Dropped,
    Duplicate,
    Recalled,
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
