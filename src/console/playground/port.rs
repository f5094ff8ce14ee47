//! The port through which the page sees the templates in use. `app` implements it.

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::{
    intake::{Draft, DraftError, DraftOutcome},
    outbox::NotificationId,
};

/// The templates of the running relay.
pub trait TemplateDesk: Send + Sync + 'static {
    /// The receiver with its templates, without a payload. `None` if the configuration does not have it.
    fn draft(&self, receiver: &str) -> Option<Draft>;

    /// Renders a draft without disturbing the relay.
    fn render(&self, draft: Draft) -> BoxFuture<'static, Result<DraftOutcome, DraftError>>;

    /// The last webhooks that were accepted, the latest first.
    fn payloads(&self) -> Vec<KeptPayload>;

    /// The [`KeptPayload::id`] of the webhook that caused `notification`, if it is still kept.
    fn payload_of(&self, notification: NotificationId) -> Option<u64>;
}

/// A webhook that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPayload {
    /// Differs between the payloads of one run of the relay.
    pub id: u64,
    pub at: Timestamp,
    pub receiver: String,
    pub body: String,
}
