//! A message on a phone: its look now and before, and the buttons that can be pressed.

use serde_json::Value;

use super::view::{CardButtonView, Fate, MessageView};
use crate::{
    pages::Moments,
    sandbox::{
        card_buttons::pressable,
        record::{Delivered, Message},
    },
    wecom::look::{self, Appearance, Audience, Viewer},
};

/// `shown` is the message on the phone of a member. It is not there for a group, and for what the member never saw.
pub(super) fn message_view(
    message: &Message,
    shown: Option<&Delivered>,
    fate: Fate,
    sender: String,
    moments: &Moments,
) -> MessageView {
    let html =
        |content: &Value, text: &str| look::html(&appearance(message, content, text), moments.language);
    let mut view = MessageView {
        sender,
        at: moments.at(message.at),
        html: String::new(),
        fate,
        task_id: None,
        buttons: Vec::new(),
        grey: None,
        earlier: Vec::new(),
    };
    let Some(shown) = shown else {
        view.html = html(&message.content, &message.text);
        return view;
    };
    if shown.recalled_at.is_some() {
        view.fate = Fate::Recalled;
        return view;
    }
    view.html = html(&shown.content, &shown.text);
    view.earlier = shown.earlier.iter().rev().map(|form| html(&form.content, &form.text)).collect();
    if shown.task_id.is_some() {
        let buttons = pressable(&shown.content).into_iter();
        view.buttons = buttons.map(|button| CardButtonView { key: button.key, text: button.text }).collect();
        let grey = shown.content.get("replace_text").and_then(Value::as_str);
        view.grey = grey.filter(|text| !text.is_empty()).map(str::to_owned);
        view.task_id.clone_from(&shown.task_id);
    }
    view
}

fn appearance(message: &Message, content: &Value, text: &str) -> Appearance {
    let audience = if message.group.is_some() { Audience::Group } else { Audience::Members };
    Appearance::of_object(&message.msgtype, content, audience, Viewer::Wecom)
        .unwrap_or_else(|| Appearance::of_plain(text, Viewer::Wecom))
}
