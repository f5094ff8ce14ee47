//! From a webhook's body to a notification that can be put into the outbox: parse, address, render, split.
//!
//! What is stored is rendered, not the payload, so that a retry is byte-identical and an edited template cannot
//! break what is queued. A template that fails never costs an alert: the built-in text goes out in its place,
//! with a first line that says so. What a template may cost in time is bounded by the caller, which is why taking
//! an order, addressing and writing are three steps.

mod address;
mod calls;
mod identity;
mod message;
mod receiver;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{Timestamp, tz::TimeZone};

use self::{
    address::Way,
    message::{Body, Written},
};
pub use self::{
    address::{Addressed, Unaddressed},
    calls::text_deliveries,
    message::TemplateFailure,
    receiver::{Address, Fallback, Form, Receiver, Tree},
};
use crate::{
    alertmanager::{self, Payload, PayloadError},
    outbox::{Kind, NewNotification, ReceiverName, Status},
    render::{self, Limits, Markup, RenderTime, Rendering, Templates},
    wecom::limits::MAX_CONTENT_BYTES,
};

/// A text form is one message, with room for a line that says why it is sent.
const TEXT_FORM: Limits = Limits { part_bytes: MAX_CONTENT_BYTES - 200, max_parts: 1 };

/// All that is needed to take a webhook.
#[derive(Debug)]
pub struct Intake {
    receivers: BTreeMap<String, Arc<Receiver>>,
    templates: Templates,
    settings: Settings,
}

/// What holds for all receivers.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How long the same notification is taken once; `None` takes every copy.
    pub dedupe_window: Option<Duration>,
    /// The zone of times in templates; `None` is the one that the payload carries.
    pub timezone: Option<TimeZone>,
}

/// What a payload is to become: a notification for this receiver.
#[derive(Debug)]
pub struct Order {
    receiver: Arc<Receiver>,
    payload: Payload,
    body_bytes: usize,
    time: RenderTime,
}

/// What a body asks for.
#[derive(Debug)]
pub enum Request {
    /// A notification.
    Order(Arc<Order>),
    /// The receiver does not want it: all alerts are resolved and `send_resolved` is false.
    Unwanted(ReceiverName),
}

/// What an order came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// To be put into the outbox.
    pub notification: NewNotification,
    /// What was replaced by something plainer, and why.
    pub failures: Vec<TemplateFailure>,
    /// Why the receiver's own recipients do not get it.
    pub unaddressed: Option<Unaddressed>,
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

impl Order {
    /// Whose it is.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// How large the payload was.
    pub fn body_bytes(&self) -> usize {
        self.body_bytes
    }
}

impl Intake {
    /// An intake for `receivers`, whose templates are all among `templates`.
    pub fn new(
        receivers: impl IntoIterator<Item = Receiver>,
        templates: Templates,
        settings: Settings,
    ) -> Self {
        let named = |receiver: Receiver| (receiver.name.0.clone(), Arc::new(receiver));
        Self { receivers: receivers.into_iter().map(named).collect(), templates, settings }
    }

    /// Every receiver, by name.
    pub fn receivers(&self) -> impl Iterator<Item = &Receiver> {
        self.receivers.values().map(AsRef::as_ref)
    }

    /// Takes a body for the receiver that the path names, or else for the one that the payload names; `now` is the
    /// present for its templates.
    ///
    /// # Errors
    /// [`Rejected`] says what is wrong and what would be right.
    pub fn request(&self, receiver: Option<&str>, body: &[u8], now: Timestamp) -> Result<Request, Rejected> {
        // The path is looked at first: a wrong one is wrong whatever the body is.
        let named = receiver.map(|name| self.find(name)).transpose()?;
        let payload = alertmanager::parse(body)?;
        let receiver = match named {
            Some(receiver) => receiver,
            None => self.addressed_by(&payload.receiver)?,
        };
        let wanted = if receiver.send_resolved {
            Some(payload)
        } else {
            payload.without_resolved().map(Cow::into_owned)
        };
        Ok(match wanted {
            Some(payload) => {
                let time = RenderTime { now, zone: self.settings.timezone.clone() };
                Request::Order(Arc::new(Order {
                    receiver: Arc::clone(receiver),
                    payload,
                    body_bytes: body.len(),
                    time,
                }))
            }
            None => Request::Unwanted(receiver.name.clone()),
        })
    }

    /// The receiver of this name.
    ///
    /// # Errors
    /// [`Rejected::UnknownReceiver`]
    pub fn named(&self, name: &str) -> Result<&Receiver, Rejected> {
        self.find(name).map(AsRef::as_ref)
    }

    fn find(&self, name: &str) -> Result<&Arc<Receiver>, Rejected> {
        self.receivers.get(name).ok_or_else(|| Rejected::UnknownReceiver {
            name: name.to_owned(),
            known: self.receivers.keys().cloned().collect(),
        })
    }

    fn addressed_by(&self, quoted: &str) -> Result<&Arc<Receiver>, Rejected> {
        let unquoted = alertmanager::unquote(quoted);
        self.receivers.get(quoted).map_or_else(|| self.find(&unquoted), Ok)
    }

    /// Differs when the templates do.
    pub fn templates_fingerprint(&self) -> u64 {
        self.templates.fingerprint()
    }

    fn rendering(&self, order: &Order) -> Rendering<'_> {
        self.templates.with(&order.payload, &order.time)
    }

    /// Addresses and writes, however long it takes.
    pub fn fill(&self, order: &Order) -> Taken {
        let rendering = self.rendering(order);
        let addressed = address::addressed(&order.receiver.address, &rendering);
        self.taken(order, addressed, &rendering, message::write(&order.receiver, &rendering))
    }

    /// Whom it is for.
    pub fn address(&self, order: &Order) -> Addressed {
        match &order.receiver.address {
            Address::Literal(recipients) => Addressed::To(recipients.clone()),
            Address::Template { .. } => address::addressed(&order.receiver.address, &self.rendering(order)),
        }
    }

    /// What it says, by the receiver's templates.
    pub fn write(&self, order: &Order, addressed: Addressed) -> Taken {
        let rendering = self.rendering(order);
        self.taken(order, addressed, &rendering, message::write(&order.receiver, &rendering))
    }

    /// What it says, by the built-in templates, with a first line that tells `failure`.
    pub fn write_builtin(&self, order: &Order, addressed: Addressed, failure: TemplateFailure) -> Taken {
        let rendering = self.rendering(order);
        self.taken(order, addressed, &rendering, message::write_builtin(&rendering, failure))
    }

    fn taken(
        &self,
        order: &Order,
        addressed: Addressed,
        rendering: &Rendering<'_>,
        written: Written,
    ) -> Taken {
        let Order { receiver, payload, .. } = order;
        let Written { body, plain, summary, failures } = written;
        let Way { sender, recipients, note, dead } = address::way(receiver, &addressed);
        // Whoever stands in may not be able to see markdown and cards.
        let body = note.map_or(body, |note| Body::Text(plain.clone().headed(&note)));
        let limits = Limits { part_bytes: MAX_CONTENT_BYTES, max_parts: receiver.max_parts.into() };
        let mut contents = body.split(limits, rendering.alerts_url());
        // A plain copy is that already.
        let text_form = (matches!(body, Body::Card(_)) && !receiver.plain_copy)
            .then(|| render::parts(&plain, Markup::Plain, TEXT_FORM, rendering.alerts_url()).concat());
        if receiver.plain_copy && !matches!(body, Body::Text(_)) {
            contents.extend(Body::Text(plain).split(limits, rendering.alerts_url()));
        }
        let fires = payload.alerts.iter().any(|alert| !alert.is_resolved()) || payload.truncated_alerts > 0;
        let dedupe = self.settings.dedupe_window.map(|window| identity::dedupe(receiver, payload, window));
        let notification = NewNotification {
            kind: Kind::Alert,
            receiver: receiver.name.clone(),
            group_key: identity::group_key(payload),
            status: if fires { Status::Firing } else { Status::Resolved },
            severity: payload.severity().unwrap_or_default().to_owned(),
            alerts: payload.alerts.iter().map(identity::alert_ref).collect(),
            dedupe,
            summary: summary.lines().collect::<Vec<_>>().join(" "),
            deliveries: calls::deliveries(&recipients, contents),
            text_form,
            sender,
            recipients,
            dead,
        };
        let unaddressed = match addressed {
            Addressed::To(_) => None,
            Addressed::Nobody(why) => Some(why),
        };
        Taken { notification, failures, unaddressed }
    }
}
