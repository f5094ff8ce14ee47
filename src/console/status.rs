//! The port through which the console sees the running relay. `app` implements it.

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::{
    outbox::{ReceiverName, SenderName},
    wecom::WecomError,
};

/// The running relay, beside its outbox. The methods do not wait.
pub trait RelayStatus: Send + Sync + 'static {
    /// The apps and robots of the configuration in use.
    fn senders(&self) -> Vec<SenderStatus>;

    /// The receivers of the configuration in use.
    fn receivers(&self) -> Vec<ReceiverStatus>;

    fn config(&self) -> ConfigStatus;

    /// The last webhooks that were refused, the latest first.
    fn refused(&self) -> Refused;

    /// Probes a held sender soon, as a reload does. False if this process does not dispatch it.
    fn probe(&self, sender: &SenderName) -> bool;
}

/// The apps of the running relay, for taking messages back.
pub trait Recaller: Send + Sync + 'static {
    /// Takes back a message of `sender`. `None` if the configuration does not have this app.
    fn recall(
        &self,
        sender: &SenderName,
        msgid: String,
    ) -> Option<BoxFuture<'static, Result<(), WecomError>>>;
}

/// An app or a robot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderStatus {
    pub name: SenderName,
    pub is_robot: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverStatus {
    pub name: ReceiverName,
    pub sender: SenderName,
}

/// The configuration in use, and the last attempt to reload it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigStatus {
    pub path: String,
    pub started_at: Timestamp,
    /// The last start or reload that succeeded.
    pub loaded_at: Timestamp,
    /// The mistakes of the last reload, if it failed.
    pub problems: Option<String>,
}

/// Webhooks that were refused since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refused {
    pub count: u64,
    /// The last ones, the latest first.
    pub last: Vec<RefusedWebhook>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedWebhook {
    pub at: Timestamp,
    pub peer: String,
    pub path: String,
    pub status: u16,
    /// The text that the sender of the webhook got.
    pub answer: String,
}
