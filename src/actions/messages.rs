//! The notifications that presses and watches cause.

use super::{card::resolved_title, texts::Reader};
use crate::{
    intake::text_deliveries,
    outbox::{
        Handled, Kind, NewDelivery, NewNotification, Part, ReceiverName, SenderName, Status, StoredCard,
    },
    wecom::{Card, CardUpdate, Content, Otherwise, Recipients},
};

/// Texts to a member who pressed a button wait for each other, but not for alerts.
const GROUP_KEY: &str = "press of ";

/// The update of a card for everybody who has it, with the response code of a press.
pub(super) fn card_changed(
    card: &StoredCard,
    template_card: Card,
    response_code: String,
    handled: &Handled,
    reader: Reader<'_>,
) -> NewNotification {
    let note = reader.note(handled);
    let update = CardUpdate { template_card, response_code: Some(response_code), otherwise: Otherwise::Text };
    NewNotification {
        kind: Kind::Notice,
        status: Status::Firing,
        summary: format!("{note}: {}", card.summary),
        text_form: Some(reader.handled_text(handled, &card.summary)),
        ..update_of(card, &update)
    }
}

/// The end of a group that resolved while it was silenced. It takes the way of a webhook that says so.
pub(super) fn resolved(card: &StoredCard, template_card: Card, reader: Reader<'_>) -> NewNotification {
    let update = CardUpdate { template_card, response_code: None, otherwise: Otherwise::Text };
    let summary = resolved_title(&card.summary, reader.language);
    NewNotification {
        kind: Kind::Alert,
        status: Status::Resolved,
        text_form: Some(format!("{summary}\n{}", reader.resolved_note())),
        summary,
        ..update_of(card, &update)
    }
}

fn update_of(card: &StoredCard, update: &CardUpdate) -> NewNotification {
    let content = Content::card_update(update);
    let delivery = NewDelivery { recipients: card.recipients.clone(), content, part: Part::WHOLE };
    NewNotification {
        kind: Kind::Notice,
        receiver: card.receiver.clone(),
        // The same ordering key, so that updates of a card arrive in order.
        group_key: card.group_key.clone(),
        status: Status::Firing,
        severity: card.severity.clone(),
        dedupe: None,
        summary: String::new(),
        text_form: None,
        sender: card.sender.clone(),
        recipients: card.recipients.clone(),
        deliveries: vec![delivery],
        dead: None,
        card: None,
    }
}

/// A text to the member alone who pressed. `None` if the member's id cannot be used.
pub(super) fn to_member(
    user: &str,
    receiver: &ReceiverName,
    sender: &SenderName,
    text: String,
) -> Option<NewNotification> {
    let recipients = Recipients::checked(user, "", "").ok()?;
    if !matches!(recipients, Recipients::Listed(_)) {
        return None;
    }
    Some(NewNotification {
        kind: Kind::Notice,
        receiver: receiver.clone(),
        group_key: format!("{GROUP_KEY}{user}"),
        status: Status::Firing,
        severity: String::new(),
        dedupe: None,
        summary: text.lines().next().unwrap_or_default().to_owned(),
        text_form: None,
        sender: sender.clone(),
        deliveries: text_deliveries(&recipients, text),
        recipients,
        dead: None,
        card: None,
    })
}
