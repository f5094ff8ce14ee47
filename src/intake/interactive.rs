//! Interactive cards: their buttons, task ids and labels.

use serde_json::{Map, Value, json};

use super::{
    actions::{Actions, Button, ButtonEffect, Repeats},
    failure::TemplateFailure,
    identity,
    parse::ParsedWebhook,
    receiver::Receiver,
};
use crate::{
    alertmanager::{Pairs, Payload},
    language::Language,
    outbox::{CardLabels, Key, Status},
    render::Rendering,
    wecom::{
        Card, CardUpdate, Content, Otherwise,
        limits::{self, CardError, CardLimits},
    },
};

/// The properties of a card beside its texts.
pub(super) struct CardIdentity {
    pub(super) status: Status,
    /// The task id of the first batch of recipients.
    task_id: String,
}

impl CardIdentity {
    /// The identity of the card for `webhook`. It differs for each webhook, and no randomness is needed: the moment of the
    /// acceptance is a part of it.
    pub(super) fn of(webhook: &ParsedWebhook, status: Status) -> Self {
        let now = webhook.time.now.as_nanosecond().to_le_bytes();
        let group_key = identity::group_key(&webhook.payload);
        let parts = [webhook.receiver.name.0.as_bytes(), group_key.as_bytes(), now.as_slice()];
        Self { status, task_id: format!("{:?}", Key::of(parts)) }
    }
}

/// The labels of a silence: those that the group has in common by its definition, else those that its alerts share.
pub(super) fn labels(payload: &Payload) -> CardLabels {
    let pairs = if payload.group_labels.is_empty() { &payload.common_labels } else { &payload.group_labels };
    let all = |pairs: &Pairs| pairs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    CardLabels(all(pairs))
}

/// The content of a card with buttons. `failures` gets the buttons that are left out.
///
/// # Errors
/// WeCom would refuse the card.
pub(super) fn content(
    mut card: Map<String, Value>,
    receiver: &Receiver,
    actions: &Actions<String>,
    identity: &CardIdentity,
    rendering: &Rendering<'_>,
    failures: &mut Vec<TemplateFailure>,
) -> Result<Content, CardError> {
    let language = receiver.language;
    let mut buttons = Vec::new();
    for button in &actions.buttons {
        match rendered(button, language, rendering) {
            Ok(button) => buttons.extend(button),
            Err(failure) => failures.push(failure),
        }
    }
    remove_empty_link(&mut card);
    card.insert("task_id".to_owned(), identity.task_id.clone().into());
    card.insert("button_list".to_owned(), buttons.into());
    let is_resolved = identity.status == Status::Resolved;
    if is_resolved {
        card.insert("replace_text".to_owned(), resolved_text(language).into());
    }
    let content = limits::template_card(card, &CardLimits::INTERACTIVE)?;
    let otherwise = match (identity.status, actions.repeats) {
        (Status::Firing, Repeats::New) => return Ok(content),
        (Status::Firing, Repeats::Update) => Otherwise::Card,
        (Status::Resolved, _) => Otherwise::Text,
    };
    let Some(template_card) = Card::from_json(content.text()) else { return Ok(content) };
    Ok(Content::card_update(&CardUpdate { template_card, response_code: None, otherwise }))
}

/// Removes a link without a URL: a payload may name no Alertmanager, and a card with buttons needs no link.
fn remove_empty_link(card: &mut Map<String, Value>) {
    let url = card.get("card_action").and_then(|action| action.get("url")).and_then(Value::as_str);
    if url.is_some_and(|url| url.trim().is_empty()) {
        card.remove("card_action");
    }
}

/// The text of the grey buttons of a resolved group.
pub fn resolved_text(language: Language) -> &'static str {
    language.choose("Resolved", "已恢复")
}

/// `None` if the button leads nowhere.
fn rendered(
    button: &Button<String>,
    language: Language,
    rendering: &Rendering<'_>,
) -> Result<Option<Value>, TemplateFailure> {
    match &button.effect {
        ButtonEffect::Action(action) => {
            let text = button.text.clone().unwrap_or_else(|| action.text(language));
            let style = button.style.unwrap_or_else(|| action.style());
            Ok(Some(json!({ "type": 0, "text": text, "style": style, "key": action.to_string() })))
        }
        ButtonEffect::Link(template) => {
            let text = button.text.clone();
            let text = text.unwrap_or_else(|| language.choose("Open", "查看告警").to_owned());
            let url = rendering.render(template)?;
            let url = url.trim();
            if url.is_empty() {
                return Ok(None);
            }
            if !url.starts_with("http://") && !url.starts_with("https://")
                || url.len() > limits::MAX_URL_BYTES
            {
                return Err(TemplateFailure::BadLink(text));
            }
            Ok(Some(json!({ "type": 1, "text": text, "style": button.style.unwrap_or(3), "url": url })))
        }
    }
}

/// The same content for another batch of recipients. WeCom wants another task id for each message.
pub(super) fn for_batch(content: &Content, batch: usize) -> Content {
    if batch == 0 {
        return content.clone();
    }
    let with_id = |card: &Card| {
        let id = card.task_id()?;
        let mut fields: Map<String, Value> = serde_json::from_str(card.json()).ok()?;
        fields.insert("task_id".to_owned(), format!("{id}-{batch}").into());
        Card::from_json(Value::Object(fields).to_string())
    };
    let changed = match content {
        Content::TemplateCard(card) => with_id(card).map(Content::TemplateCard),
        Content::CardUpdate(_) => content.as_card_update().and_then(|update| {
            let template_card = with_id(&update.template_card)?;
            Some(Content::card_update(&CardUpdate { template_card, ..update }))
        }),
        _ => None,
    };
    changed.unwrap_or_else(|| content.clone())
}
