//! [`Robot`]: sends the messages of one group robot.

use std::sync::Arc;

use reqwest::Url;

use super::{call::Caller, settings::RobotSettings};
use crate::{
    http_client::SetupError,
    secret::Secret,
    wecom::{Api, Message, Outcome, WeCom, message::request_body},
};

/// Sends the messages of one group robot to its group. Clones share connections.
///
/// The key of the robot is its only credential: there is no token, and no duplicate check.
#[derive(Debug, Clone)]
pub struct Robot {
    pub(super) caller: Arc<Caller>,
    key: Secret,
}

impl Robot {
    /// # Errors
    /// [`SetupError`] when TLS or the proxy cannot be set up.
    pub fn new(settings: RobotSettings) -> Result<Self, SetupError> {
        let RobotSettings { key, connection } = settings;
        Ok(Self { caller: Arc::new(Caller::new(connection, &key)?), key })
    }

    /// Sends a text without content, which WeCom refuses (44004) and shows to nobody. WeCom looks at the key first.
    pub async fn probe(&self) -> Outcome {
        let body = r#"{"msgtype":"text","text":{"content":""}}"#;
        self.caller.send(Api::WebhookSend, self.url(), body.to_owned(), None).await
    }

    fn url(&self) -> Url {
        self.caller.url(Api::WebhookSend, ("key", self.key.expose()))
    }
}

impl WeCom for Robot {
    async fn send(&self, message: &Message) -> Outcome {
        self.caller.send(Api::WebhookSend, self.url(), request_body(None, message), None).await
    }
}
