//! From a webhook's body to a notification that can be put into the outbox: parse, address, render, split.
//!
//! What is stored is rendered, not the payload, so that a retry is byte-identical and an edited template cannot
//! break what is queued. A template that fails never costs an alert: the built-in text goes out in its place,
//! with a first line that says so.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use crate::{
    alertmanager::{self, Payload, PayloadError},
    outbox::{
        AlertRef, Channel, Dedupe, Key, Kind, NewDelivery, NewNotification, Part, ReceiverName, Status,
    },
    render::{self, Limits, Markup, Moment, RenderError, Rendered, Rendering, Templates},
    wecom::{Content, Recipients},
};

/// A receiver as the configuration describes it.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Its name.
    pub name: ReceiverName,
    /// The app that sends for it.
    pub channel: Channel,
    /// Whom its messages are for.
    pub recipients: Recipients,
    /// What its messages are.
    pub format: Format,
    /// The name of the template that writes them.
    pub template: String,
    /// Whether resolved alerts are sent.
    pub send_resolved: bool,
}

/// `message_type`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text`
    Text,
    /// `markdown`
    Markdown,
}

impl Format {
    fn markup(self) -> Markup {
        match self {
            Self::Text => Markup::Plain,
            Self::Markdown => Markup::Markdown,
        }
    }
}

/// All that is needed to take a webhook.
#[derive(Debug)]
pub struct Intake {
    receivers: BTreeMap<String, Receiver>,
    templates: Templates,
    dedupe_window: Option<Duration>,
}

/// What a body came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// Something to deliver.
    Notification {
        /// To be put into the outbox.
        notification: Box<NewNotification>,
        /// Templates that failed, and were replaced by the built-in ones.
        failures: Vec<TemplateFailure>,
    },
    /// The receiver does not want it: all alerts are resolved and `send_resolved` is false.
    Unwanted(ReceiverName),
}

/// Why a template's text is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFailure {
    /// It failed.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// It wrote nothing that would be shown.
    #[error("template {0} wrote an empty message")]
    Empty(String),
}

/// Why a body is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is not Alertmanager's.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// It is for a receiver that is not in the configuration.
    #[error("there is no receiver {name:?}; the configuration has: {}", known.join(", "))]
    UnknownReceiver {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
}

impl Intake {
    /// An intake for `receivers`, whose templates are all among `templates`.
    pub fn new(
        receivers: impl IntoIterator<Item = Receiver>,
        templates: Templates,
        dedupe_window: Option<Duration>,
    ) -> Self {
        let receivers = receivers.into_iter().map(|receiver| (receiver.name.0.clone(), receiver)).collect();
        Self { receivers, templates, dedupe_window }
    }

    /// Takes a body for the receiver that the path names, or else for the one that the payload names.
    ///
    /// # Errors
    /// [`Rejected`] says what is wrong and what would be right.
    pub fn take(&self, receiver: Option<&str>, body: &[u8], moment: &Moment) -> Result<Taken, Rejected> {
        // The path is looked at first: a wrong one is wrong whatever the body is.
        let named = receiver.map(|name| self.named(name)).transpose()?;
        let payload = alertmanager::parse(body)?;
        let receiver = match named {
            Some(receiver) => receiver,
            None => self.addressed(&payload.receiver)?,
        };
        Ok(self.notification(receiver, &payload, moment))
    }

    /// The receiver of this name.
    ///
    /// # Errors
    /// [`Rejected::UnknownReceiver`]
    pub fn named(&self, name: &str) -> Result<&Receiver, Rejected> {
        self.receivers.get(name).ok_or_else(|| Rejected::UnknownReceiver {
            name: name.to_owned(),
            known: self.receivers.keys().cloned().collect(),
        })
    }

    fn addressed(&self, quoted: &str) -> Result<&Receiver, Rejected> {
        let unquoted = alertmanager::unquote(quoted);
        self.receivers.get(quoted).map_or_else(|| self.named(&unquoted), Ok)
    }

    /// What `payload` says to `receiver`.
    pub fn notification(&self, receiver: &Receiver, payload: &Payload, moment: &Moment) -> Taken {
        let payload =
            if receiver.send_resolved { Some(Cow::Borrowed(payload)) } else { payload.without_resolved() };
        let Some(payload) = payload else { return Taken::Unwanted(receiver.name.clone()) };
        let rendering = self.templates.with(&payload, moment);
        let mut failures = Vec::new();
        let (format, message) = match rendered(&rendering, &receiver.template) {
            Ok(message) => (receiver.format, message),
            Err(failure) => {
                let line = format!("[wecom-relay: {failure}; this is the built-in text]");
                failures.push(failure);
                (Format::Text, rendering.fallback().headed(&line))
            }
        };
        let summary = match rendered(&rendering, render::DEFAULT_SUMMARY) {
            Ok(summary) => summary.into_text(),
            Err(failure) => {
                failures.push(failure);
                rendering.fallback_summary()
            }
        };
        let texts = render::parts(&message, format.markup(), Limits::default(), rendering.alerts_url());
        let fires = payload.alerts.iter().any(|alert| !alert.is_resolved()) || payload.truncated_alerts > 0;
        let notification = Box::new(NewNotification {
            kind: Kind::Alert,
            receiver: receiver.name.clone(),
            group_key: group_key(&payload),
            status: if fires { Status::Firing } else { Status::Resolved },
            severity: payload.severity().unwrap_or_default().to_owned(),
            alerts: payload.alerts.iter().map(alert_ref).collect(),
            dedupe: self.dedupe_window.map(|window| dedupe(receiver, &payload, window)),
            summary: summary.lines().collect::<Vec<_>>().join(" "),
            plain: message.into_text(),
            channel: receiver.channel.clone(),
            recipients: receiver.recipients.clone(),
            deliveries: addressed(&receiver.recipients, format, texts),
        });
        Taken::Notification { notification, failures }
    }
}

/// The calls of `message/send` for one message: part by part, and each part to every batch of the recipients.
pub fn deliveries(recipients: &Recipients, content: &Content) -> Vec<NewDelivery> {
    let format = match content {
        Content::Text(_) => Format::Text,
        Content::Markdown(_) => Format::Markdown,
    };
    let message = Rendered::from(content.text().to_owned());
    addressed(recipients, format, render::parts(&message, format.markup(), Limits::default(), ""))
}

fn addressed(recipients: &Recipients, format: Format, texts: Vec<String>) -> Vec<NewDelivery> {
    let of = u16::try_from(texts.len()).unwrap_or(u16::MAX);
    let parts = texts.into_iter().zip(1..=of);
    let batches = recipients.batches();
    parts
        .flat_map(|(text, number)| {
            let content = content(format, text);
            let part = Part { number, of };
            batches.iter().cloned().map(move |recipients| NewDelivery {
                recipients,
                content: content.clone(),
                part,
            })
        })
        .collect()
}

fn rendered(rendering: &Rendering<'_>, template: &str) -> Result<Rendered, TemplateFailure> {
    let text = rendering.message(template)?;
    if text.text().trim().is_empty() { Err(TemplateFailure::Empty(template.to_owned())) } else { Ok(text) }
}

fn content(format: Format, text: String) -> Content {
    match format {
        Format::Text => Content::Text(text),
        Format::Markdown => Content::Markdown(text),
    }
}

fn alert_ref(alert: &alertmanager::Alert) -> AlertRef {
    let status = if alert.is_resolved() { Status::Resolved } else { Status::Firing };
    AlertRef { fingerprint: alert.fingerprint.clone(), status }
}

/// The group's key; Alertmanager and Grafana always send one, and others are grouped by their labels.
fn group_key(payload: &Payload) -> String {
    if payload.group_key.is_empty() {
        format!("{:?}", payload.group_labels)
    } else {
        payload.group_key.clone()
    }
}

fn dedupe(receiver: &Receiver, payload: &Payload, window: Duration) -> Dedupe {
    let mut alerts: Vec<String> = payload
        .alerts
        .iter()
        .map(|alert| {
            let identity = if alert.fingerprint.is_empty() {
                format!("{:?}", alert.labels)
            } else {
                alert.fingerprint.clone()
            };
            format!("{identity}\n{}\n{}", alert.status, alert.starts_at)
        })
        .collect();
    alerts.sort_unstable();
    let group_key = group_key(payload);
    let truncated = payload.truncated_alerts.to_string();
    let parts = [receiver.name.0.as_str(), group_key.as_str(), truncated.as_str()];
    let parts = parts.into_iter().chain(alerts.iter().map(String::as_str)).map(str::as_bytes);
    Dedupe { key: Key::of(parts), source: payload.external_url.clone(), window }
}
