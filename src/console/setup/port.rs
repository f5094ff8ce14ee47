//! The port through which the Setup page sees and uses the running relay. `app` implements it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::Credentials;
use crate::{
    doctor::DoctorHandle,
    outbox::{NewNotification, ReceiverName, SenderName},
    wecom::{Content, Recipients},
};

/// The relay as the Setup page uses it.
#[derive(Clone)]
pub struct SetupParts {
    pub relay: Arc<dyn RelaySetup>,
    pub doctor: DoctorHandle,
}

/// The configuration in use, as far as operators connect it.
pub trait RelaySetup: Send + Sync + 'static {
    /// The receivers of the configuration, by name.
    fn receivers(&self) -> Vec<ReceiverSetup>;

    /// The test message of a receiver.
    ///
    /// # Errors
    /// There is no such receiver, or templates choose its recipients.
    fn test_message(&self, receiver: &str, now: Timestamp) -> Result<NewNotification, TestRefusal>;

    /// The messages of a draft of a receiver, for the members `to`.
    ///
    /// # Errors
    /// There is no such receiver, its messages go to a group, or `to` names no member.
    fn draft_message(
        &self,
        receiver: &str,
        to: &str,
        contents: Vec<Content>,
    ) -> Result<NewNotification, TestRefusal>;

    /// The credentials that Alertmanager must send.
    fn credentials(&self) -> Credentials;

    /// Reloads the configuration. Returns its summary, or the reason why nothing changed; `None` if the relay is stopping.
    fn reload(&self) -> BoxFuture<'static, Option<Result<String, String>>>;
}

/// A receiver of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverSetup {
    pub name: ReceiverName,
    pub sender: SenderName,
    pub is_robot: bool,
    /// As in the configuration: `text`, `markdown`, …
    pub message_type: &'static str,
    /// `None` if templates choose them for each payload.
    pub recipients: Option<Recipients>,
    pub max_parts: u16,
    pub send_resolved: bool,
    pub fallback: Option<ReceiverName>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestRefusal {
    UnknownReceiver,
    /// Templates choose the recipients for each payload.
    RecipientsFromTemplates,
    /// The messages of the receiver go to a group.
    Group,
    /// The members are not named, or not all of them can be user ids.
    Members(String),
}
