//! Labels and the lists of their values. Values are names of the configuration or one of these words.

use prometheus_client::encoding::EncodeLabelSet;

/// `reason` of a dead delivery in `wecom_relay_deliveries_total`.
pub const DEAD_REASONS: [&str; 6] = ["rejected", "nobody", "unknown_code", "expired", "discarded", DAMAGED];
/// The reason of a dead letter whose row in the outbox cannot be read.
pub const DAMAGED: &str = "damaged";
/// `reason` of `wecom_relay_sender_held`, beside [`NOT_IN_CONFIGURATION`].
pub const HELD_REASONS: [&str; 4] = ["configuration", "rate_limited", "failing", "unanswered"];
/// `reason` of `wecom_relay_sender_held` while deliveries are queued for an app that is not configured.
pub(super) const NOT_IN_CONFIGURATION: &str = "not_in_configuration";
/// `result` of `wecom_relay_notifications_received_total` when the receiver is known.
pub const RESULTS: [&str; 4] = ["accepted", "duplicate", "filtered", "storage_error"];
/// `result` of `wecom_relay_notifications_received_total` when the receiver is not known.
pub const RESULTS_WITHOUT_RECEIVER: [&str; 4] = ["rejected", "incomplete", "overload", "draining"];
/// `result` of `wecom_relay_callbacks_total` for an app with a callback.
pub const CALLBACK_RESULTS: [&str; 17] = [
    "verified",
    "press",
    "duplicate",
    "unused",
    "parameters",
    "body",
    "signature",
    "stale",
    "encryption",
    "receive_id",
    "agent_id",
    "message",
    "too_large",
    "incomplete",
    "storage_error",
    "overload",
    "draining",
];
/// `result` of `wecom_relay_callbacks_total` for a path without such an app.
pub const CALLBACK_RESULTS_WITHOUT_APP: [&str; 3] = ["unknown_app", "overload", "draining"];
/// Fields of WeCom's reply that name recipients who did not get the message.
pub const INVALID_KINDS: [&str; 4] = ["invaliduser", "invalidparty", "invalidtag", "unlicenseduser"];
/// Kinds of odd values that were repaired in a payload.
pub const REPAIR_KINDS: [&str; 9] = [
    "encoding",
    "syntax",
    "control_character",
    "type",
    "status",
    "time",
    "alert",
    "repeated_field",
    "too_much",
];
/// `result` of `wecom_relay_token_refreshes_total`.
pub const REFRESH_RESULTS: [&str; 3] = ["ok", "refused", "failed"];
/// `errcode` of an attempt without a reply of WeCom.
pub const NO_ERRCODE: &str = "none";
/// `errcode` of replies that are not in the table of errcodes.
pub const OTHER_ERRCODE: &str = "other";

/// `action` of `wecom_relay_console_changes_total`.
pub const CONSOLE_ACTIONS: [&str; 8] =
    ["requeue", "discard", "recall", "probe", "test", "send_draft", "doctor", "reload"];

macro_rules! labels {
    ($($name:ident { $($label:ident: $type:ty),+ })+) => {
        $(
            #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
            pub(super) struct $name {
                $(pub(super) $label: $type),+
            }
        )+
    };
}

labels! {
    ByReceiver { receiver: String }
    ByApp { app: String }
    Received { receiver: String, result: &'static str }
    Settled { receiver: String, state: &'static str, reason: &'static str }
    Attempted { app: String, errcode: String }
    Held { app: String, reason: &'static str }
    Refreshed { app: String, result: &'static str }
    Invalid { app: String, kind: &'static str }
    Repaired { kind: &'static str }
    CalledBack { app: String, result: &'static str }
    ByCall { call: &'static str }
    ByClass { class: &'static str }
    ByAction { action: &'static str }
    Pressed { action: &'static str, result: &'static str }
    TakenOver { app: String, reason: &'static str }
}

impl ByReceiver {
    pub(super) fn new(receiver: &str) -> Self {
        Self { receiver: receiver.to_owned() }
    }
}

impl ByApp {
    pub(super) fn new(app: &str) -> Self {
        Self { app: app.to_owned() }
    }
}

impl Received {
    pub(super) fn new(receiver: &str, result: &'static str) -> Self {
        Self { receiver: receiver.to_owned(), result }
    }
}

impl Settled {
    pub(super) fn delivered(receiver: &str) -> Self {
        Self { receiver: receiver.to_owned(), state: "delivered", reason: "" }
    }

    pub(super) fn dead(receiver: &str, reason: &'static str) -> Self {
        Self { receiver: receiver.to_owned(), state: "dead", reason }
    }
}

impl Attempted {
    pub(super) fn new(app: &str, errcode: String) -> Self {
        Self { app: app.to_owned(), errcode }
    }
}

impl Held {
    pub(super) fn new(app: &str, reason: &'static str) -> Self {
        Self { app: app.to_owned(), reason }
    }
}

impl Refreshed {
    pub(super) fn new(app: &str, result: &'static str) -> Self {
        Self { app: app.to_owned(), result }
    }
}

impl Invalid {
    pub(super) fn new(app: &str, kind: &'static str) -> Self {
        Self { app: app.to_owned(), kind }
    }
}

/// `action` of `wecom_relay_presses_total`.
pub const PRESS_ACTIONS: [&str; 3] = ["acknowledge", "silence", "other"];

/// `result` of `wecom_relay_presses_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PressResult {
    Done,
    /// The member may not press.
    NotAllowed,
    /// Somebody did the same before.
    AlreadyDone,
    /// The card is resolved, unknown, or the press is too old.
    Late,
    /// The card or the configuration does not allow the action.
    Impossible,
    /// Alertmanager or WeCom refused or did not answer.
    Failed,
}

impl PressResult {
    pub const ALL: [Self; 6] =
        [Self::Done, Self::NotAllowed, Self::AlreadyDone, Self::Late, Self::Impossible, Self::Failed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NotAllowed => "not_allowed",
            Self::AlreadyDone => "already_done",
            Self::Late => "late",
            Self::Impossible => "impossible",
            Self::Failed => "failed",
        }
    }
}
