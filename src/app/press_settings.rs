//! The parts of a configuration that presses need.

use std::{collections::BTreeMap, sync::Arc};

use super::{active_sender::ActiveSender, receivers};
use crate::{
    actions,
    alertmanager::client::AlertmanagerClient,
    config::Config,
    outbox::SenderName,
    wecom::client::{Client, SenderClient},
};

pub(super) type PressSettings = actions::PressSettings<AlertmanagerClient, Client>;

pub(super) fn press_settings(
    config: &Config,
    silences: Option<Arc<AlertmanagerClient>>,
    senders: &BTreeMap<SenderName, ActiveSender>,
) -> PressSettings {
    let receivers = config.receivers.iter().map(|receiver| {
        let settings = actions::ReceiverSettings {
            sender: receivers::sender_name(&receiver.sender, config),
            allowed: receiver.actions.as_ref().map(|actions| actions.allowed.clone()),
            language: receiver.language,
            send_resolved: receiver.send_resolved,
        };
        (receivers::receiver_name(receiver), settings)
    });
    let contacts = senders.iter().filter_map(|(name, active)| match active.client.as_ref() {
        SenderClient::App(client) => Some((name.clone(), Arc::new(client.clone()))),
        SenderClient::Robot(_) => None,
    });
    actions::PressSettings {
        silences,
        receivers: receivers.collect(),
        contacts: contacts.collect(),
        zone: config.timezone.clone(),
    }
}
