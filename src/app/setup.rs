//! The running relay as the Setup page of the console sees it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

use super::receivers;
use crate::{
    config::{Config, Receiver},
    console::{Credentials, ReceiverSetup, RelaySetup, TestRefusal},
    http::{ReloadHandle, RenderPool},
    intake::{Address, MessageType},
    outbox::{NewNotification, ReceiverName},
    wecom::{Content, Recipients, check_user_ids},
};

pub(super) struct LiveSetup {
    pub(super) config: watch::Receiver<Arc<Config>>,
    pub(super) render_pool: Arc<ArcSwap<RenderPool>>,
    pub(super) reloads: ReloadHandle,
}

impl RelaySetup for LiveSetup {
    fn receivers(&self) -> Vec<ReceiverSetup> {
        let config = self.config.borrow();
        config.receivers.iter().map(|receiver| setup_of(receiver, &config)).collect()
    }

    fn test_message(&self, receiver: &str, now: Timestamp) -> Result<NewNotification, TestRefusal> {
        let pool = self.render_pool.load();
        let found = pool.intake().receiver(receiver).map_err(|_| TestRefusal::UnknownReceiver)?;
        pool.intake().test_message(found, now).ok_or(TestRefusal::RecipientsFromTemplates)
    }

    fn draft_message(
        &self,
        receiver: &str,
        to: &str,
        contents: Vec<Content>,
    ) -> Result<NewNotification, TestRefusal> {
        let pool = self.render_pool.load();
        let found = pool.intake().receiver(receiver).map_err(|_| TestRefusal::UnknownReceiver)?;
        if matches!(&found.address, Address::Literal(recipients) if recipients.is_group()) {
            return Err(TestRefusal::Group);
        }
        check_user_ids(to).map_err(|error| TestRefusal::Members(error.to_string()))?;
        match Recipients::checked(to, "", "") {
            Ok(Recipients::All) => Err(TestRefusal::Members("@all is everybody".to_owned())),
            Ok(recipients) => Ok(pool.intake().draft_message(found, recipients, contents)),
            Err(error) => Err(TestRefusal::Members(error.to_string())),
        }
    }

    fn credentials(&self) -> Credentials {
        let access = &self.config.borrow().server.security.access;
        match access.takes_bearer() {
            _ if access.is_open() => Credentials::None,
            true => Credentials::Bearer,
            false => Credentials::Basic,
        }
    }

    fn reload(&self) -> BoxFuture<'static, Option<Result<String, String>>> {
        let reloads = self.reloads.clone();
        Box::pin(async move { reloads.reload().await })
    }
}

fn setup_of(receiver: &Receiver, config: &Config) -> ReceiverSetup {
    ReceiverSetup {
        name: receivers::receiver_name(receiver),
        sender: receivers::sender_name(&receiver.sender, config),
        is_robot: matches!(receiver.sender, crate::config::Sender::Robot(_)),
        message_type: match receiver.message_type {
            MessageType::Text => "text",
            MessageType::Markdown => "markdown",
            MessageType::MarkdownV2 => "markdown_v2",
            MessageType::TextCard { .. } => "textcard",
            MessageType::TemplateCard(_) => "template_card",
        },
        recipients: match &receiver.recipients {
            Address::Literal(recipients) => Some(recipients.clone()),
            Address::Template { .. } => None,
        },
        max_parts: receiver.max_parts,
        send_resolved: receiver.send_resolved,
        fallback: receiver
            .fallback
            .as_ref()
            .map(|fallback| ReceiverName(fallback.receiver.as_str().to_owned())),
    }
}
