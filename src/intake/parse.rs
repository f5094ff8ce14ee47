//! From a body to a payload for a receiver.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    receiver::{Address, Receiver},
    recipients::RenderedRecipients,
};
use crate::{
    alertmanager::{self, Payload, PayloadError, Repairs},
    outbox::ReceiverName,
    render::{RenderTime, RenderValues, Templates},
    text::percent_encode,
};

/// Receivers, templates and settings: everything that turns a body into a notification.
#[derive(Debug)]
pub struct Intake {
    receivers: BTreeMap<String, Arc<Receiver>>,
    pub(super) templates: Templates,
    pub(super) settings: Settings,
}

/// Settings for all receivers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The time within which a duplicate is ignored; `None` accepts every duplicate.
    pub dedupe_window: Option<Duration>,
    /// The time zone in templates.
    pub timezone: TimeZone,
}

/// A payload and the receiver that gets it.
#[derive(Debug)]
pub struct ParsedWebhook {
    pub(super) receiver: Arc<Receiver>,
    pub(super) payload: Payload,
    pub(super) time: RenderTime,
    pub(super) values: OnceLock<RenderValues>,
    /// Set as soon as the recipients are known, so that a caller can use them if the message takes too long.
    pub(super) recipients: OnceLock<RenderedRecipients>,
    body_bytes: usize,
}

/// The result of parsing a valid body.
#[derive(Debug)]
pub enum Parsed {
    Webhook(Arc<ParsedWebhook>),
    Nothing { why: NothingToSend, repairs: Repairs },
}

/// The reason why a valid body causes no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NothingToSend {
    #[error("nothing to send: all alerts are resolved and receiver {0} has send_resolved: false")]
    Resolved(ReceiverName),
    #[error("nothing to send to receiver {0}: the payload has no alerts, no labels and no text")]
    NoAlerts(ReceiverName),
}

impl NothingToSend {
    pub fn receiver(&self) -> &ReceiverName {
        match self {
            Self::Resolved(receiver) | Self::NoAlerts(receiver) => receiver,
        }
    }
}

/// The reason why a body is rejected. The text says what is wrong and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error(transparent)]
    Payload(#[from] PayloadError),
    #[error("there is no receiver {name:?}; {advice}the configuration has: {}", known.join(", "))]
    UnknownReceiver { name: String, advice: String, known: Vec<String> },
    #[error(
        "the payload names no receiver; post it to /webhook/{{receiver}}; the configuration has: {}",
        known.join(", ")
    )]
    NoReceiver { known: Vec<String> },
}

impl ParsedWebhook {
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// True if the recipients are literal or were rendered.
    pub fn has_recipients(&self) -> bool {
        self.recipients.get().is_some()
    }

    /// The repairs that were made in the payload.
    pub fn repairs(&self) -> Repairs {
        self.payload.repairs
    }

    /// The size of the body.
    pub fn body_bytes(&self) -> usize {
        self.body_bytes
    }
}

impl Intake {
    /// `templates` contains every template of `receivers`.
    pub fn new(
        receivers: impl IntoIterator<Item = Receiver>,
        templates: Templates,
        settings: Settings,
    ) -> Self {
        let by_name = |receiver: Receiver| (receiver.name.0.clone(), Arc::new(receiver));
        Self { receivers: receivers.into_iter().map(by_name).collect(), templates, settings }
    }

    /// All receivers, by name.
    pub fn receivers(&self) -> impl Iterator<Item = &Receiver> {
        self.receivers.values().map(AsRef::as_ref)
    }

    /// The receiver with this name.
    ///
    /// # Errors
    /// [`ParseError::UnknownReceiver`]
    pub fn receiver(&self, name: &str) -> Result<&Receiver, ParseError> {
        self.find(name).map(AsRef::as_ref)
    }

    /// Differs between intakes with different templates.
    pub fn templates_fingerprint(&self) -> u64 {
        self.templates.fingerprint()
    }

    /// Parses a body. `receiver` is the name in the path; without one, the payload names the receiver. See
    /// [`alertmanager::parse_within`] for `memory`.
    ///
    /// # Errors
    /// [`ParseError`]
    pub fn parse(
        &self,
        receiver: Option<&str>,
        body: &[u8],
        memory: alertmanager::PayloadMemory,
        now: Timestamp,
    ) -> Result<Parsed, ParseError> {
        // The path is checked first, because a wrong path is wrong for every body.
        let from_path = receiver.map(|name| self.find(name)).transpose()?;
        let payload = alertmanager::parse_within(body, memory, now)?;
        let receiver = match from_path {
            Some(receiver) => receiver,
            None => self.find_quoted(&payload.receiver)?,
        };
        let repairs = payload.repairs;
        if payload.alerts.is_empty() && payload.truncated_alerts == 0 {
            return Ok(Parsed::Nothing { why: NothingToSend::NoAlerts(receiver.name.clone()), repairs });
        }
        let payload = if receiver.send_resolved { Some(payload) } else { payload.without_resolved() };
        let Some(payload) = payload else {
            return Ok(Parsed::Nothing { why: NothingToSend::Resolved(receiver.name.clone()), repairs });
        };
        let recipients = match &receiver.address {
            Address::Literal(recipients) => OnceLock::from(RenderedRecipients::Valid(recipients.clone())),
            Address::Template { .. } => OnceLock::new(),
        };
        Ok(Parsed::Webhook(Arc::new(ParsedWebhook {
            receiver: Arc::clone(receiver),
            payload,
            values: OnceLock::new(),
            time: RenderTime { now, zone: self.settings.timezone.clone(), language: receiver.language },
            recipients,
            body_bytes: body.len(),
        })))
    }

    fn find(&self, name: &str) -> Result<&Arc<Receiver>, ParseError> {
        self.receivers.get(name).ok_or_else(|| ParseError::UnknownReceiver {
            name: name.to_owned(),
            advice: self.advice(name).unwrap_or_default(),
            known: self.known(),
        })
    }

    /// The receiver that a payload names, quoted as Alertmanager does it or not quoted.
    fn find_quoted(&self, name: &str) -> Result<&Arc<Receiver>, ParseError> {
        match self.receivers.get(name) {
            Some(receiver) => Ok(receiver),
            None if name.is_empty() => Err(ParseError::NoReceiver { known: self.known() }),
            None => self.find(&alertmanager::unquote(name)),
        }
    }

    fn known(&self) -> Vec<String> {
        self.receivers.keys().cloned().collect()
    }

    /// The Prometheus Operator names receivers `namespace/object/receiver`, of which users know the last part only.
    fn advice(&self, name: &str) -> Option<String> {
        let (_, last) = name.rsplit_once('/')?;
        let receiver = self.receivers.get(last)?;
        Some(format!(
            "post to /webhook/{}, or give receiver {} its full name in the configuration; ",
            percent_encode(last),
            receiver.name
        ))
    }
}
