//! A sender with a dispatcher.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{dispatch::service, wecom::client::SenderClient};

pub(super) type Service = service::Service<SenderClient>;

/// A sender with a dispatcher.
pub(super) struct ActiveSender {
    pub(super) identity: String,
    /// The credentials and the timeout of the client.
    pub(super) credentials: String,
    pub(super) timeout: Duration,
    pub(super) client: Arc<SenderClient>,
    /// It is closed when the dispatcher has ended.
    pub(super) services: watch::Sender<Arc<Service>>,
    pub(super) stop: CancellationToken,
}
