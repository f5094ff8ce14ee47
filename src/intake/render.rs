//! From a parsed webhook to a notification.

use super::{
    deliveries,
    failure::TemplateFailure,
    identity,
    interactive::{self, CardIdentity},
    message::{self, Body, RenderedMessage},
    parse::{Intake, ParsedWebhook},
    recipients::{self, RecipientError, RenderedRecipients, Route},
};
use crate::{
    alertmanager::Payload,
    outbox::{Kind, NewNotification, Status},
    render::{self, Limits, Markup, Rendering, Rest},
    wecom::Recipients,
};

/// A text form is one message.
const TEXT_FORM: Limits = Limits { part_bytes: deliveries::TEXT_FORM_BYTES, max_parts: 1 };

/// A notification for the outbox, with all failures of templates and recipients.
#[derive(Debug, PartialEq, Eq)]
pub struct RenderedNotification {
    pub notification: NewNotification,
    /// The templates that failed. A plainer text replaces each.
    pub failures: Vec<TemplateFailure>,
    /// The reason why the receiver's own recipients do not get the notification.
    pub recipient_error: Option<RecipientError>,
}

impl Intake {
    /// Renders recipients and message, however long the templates take.
    pub fn render(&self, webhook: &ParsedWebhook) -> RenderedNotification {
        let rendering = self.rendering(webhook);
        let recipients = rendered_recipients(webhook, &rendering);
        let identity = CardIdentity::of(webhook, status(&webhook.payload));
        let message = message::render(&webhook.receiver, &identity, &rendering);
        self.notification(webhook, recipients, &rendering, message)
    }

    /// Renders only the recipients, however long the templates take. [`Self::render_builtin`] uses them.
    pub fn render_recipients(&self, webhook: &ParsedWebhook) {
        rendered_recipients(webhook, &self.rendering(webhook));
    }

    /// Renders the built-in text, with a first line that gives `failure`. Runs no template of the operator. If the
    /// recipients were not rendered yet, `unknown_recipients` gives the reason.
    pub fn render_builtin(
        &self,
        webhook: &ParsedWebhook,
        failure: TemplateFailure,
        unknown_recipients: RecipientError,
    ) -> RenderedNotification {
        let recipients = webhook.recipients.get().cloned();
        let recipients = recipients.unwrap_or(RenderedRecipients::Invalid(unknown_recipients));
        let rendering = self.rendering(webhook);
        let message = message::render_builtin(&webhook.receiver, &rendering, failure);
        self.notification(webhook, recipients, &rendering, message)
    }

    fn rendering(&self, webhook: &ParsedWebhook) -> Rendering<'_> {
        // A template that does not end keeps its values, so the text that replaces it must not need a second copy.
        let values = webhook.values.get_or_init(|| self.templates.values(&webhook.payload, &webhook.time));
        self.templates.rendering(values.clone())
    }

    fn notification(
        &self,
        webhook: &ParsedWebhook,
        recipients: RenderedRecipients,
        rendering: &Rendering<'_>,
        message: RenderedMessage,
    ) -> RenderedNotification {
        let ParsedWebhook { receiver, payload, .. } = webhook;
        let RenderedMessage { body, plain, mentioned, summary, failures } = message;
        let Route { sender, recipients, note, dead, error } = recipients::route(receiver, recipients);
        let is_own_group = note.is_none();
        let body = match note {
            // Members of the fallback may not be able to see markdown and cards.
            Some(note) => Body::Text(plain.clone().headed(&note)),
            None => body,
        };
        let max_parts = usize::from(receiver.max_parts);
        let rest = Rest { link: rendering.alerts_url(), language: rendering.language() };
        let mut contents = body.split(&recipients, max_parts, rest);
        if is_own_group {
            mentioned.add_to(&mut contents);
        }
        // The plain text after a card already is a text form.
        let is_one =
            matches!(body, Body::Card(_)) || is_markdown_of_robot(&body, &recipients) && contents.len() == 1;
        let text_form = (is_one && !receiver.plain_copy)
            .then(|| render::parts(&plain, Markup::Plain, TEXT_FORM, rest).concat());
        if receiver.plain_copy && !matches!(body, Body::Text(_)) {
            contents.extend(Body::Text(plain).split(&recipients, max_parts, rest));
        }
        let is_card = contents.iter().any(|content| content.task_id().is_some());
        let card = (receiver.actions.is_some() && is_card).then(|| interactive::labels(payload));
        let dedupe_window = self.settings.dedupe_window;
        let notification = NewNotification {
            kind: Kind::Alert,
            receiver: receiver.name.clone(),
            group_key: identity::group_key(payload),
            status: status(payload),
            severity: payload.severity().unwrap_or_default().to_owned(),
            dedupe: dedupe_window.map(|window| identity::dedupe(receiver, payload, window)),
            summary: summary.lines().collect::<Vec<_>>().join(" "),
            deliveries: deliveries::deliveries(&recipients, contents),
            text_form,
            sender,
            recipients,
            dead,
            card,
        };
        RenderedNotification { notification, failures, recipient_error: error }
    }
}

fn rendered_recipients(webhook: &ParsedWebhook, rendering: &Rendering<'_>) -> RenderedRecipients {
    let render = || recipients::render(&webhook.receiver.address, rendering);
    webhook.recipients.get_or_init(render).clone()
}

/// Markdown of a robot may be longer than a text, so it needs a text form of its own.
fn is_markdown_of_robot(body: &Body, recipients: &Recipients) -> bool {
    *recipients == Recipients::Group && matches!(body, Body::Markdown(_) | Body::MarkdownV2(_))
}

/// A truncated alert may be firing.
fn status(payload: &Payload) -> Status {
    let may_fire = payload.truncated_alerts > 0 || payload.alerts.iter().any(|alert| !alert.is_resolved());
    if may_fire { Status::Firing } else { Status::Resolved }
}
