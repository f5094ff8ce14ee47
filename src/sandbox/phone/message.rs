//! A message on a phone: its look now and before, and the buttons that can be pressed.

use serde_json::Value;

use super::view::{Fate, MessageView};
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
    let language = moments.language;
    let html = |content: &Value, text: &str| look::html(&appearance(message, content, text), language);
    let mut view = MessageView {
        sender,
        at: moments.at(message.at),
        html: String::new(),
        fate,
        task_id: None,
        has_buttons: false,
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
    view.task_id.clone_from(&shown.task_id);
    view.has_buttons = shown.task_id.is_some() && !pressable(&shown.content).is_empty();
    if view.has_buttons {
        view.html = look::html_of_form(&appearance(message, &shown.content, &shown.text), language);
    }
    view
}

fn appearance(message: &Message, content: &Value, text: &str) -> Appearance {
    let audience = if message.group.is_some() { Audience::Group } else { Audience::Members };
    Appearance::of_object(&message.msgtype, content, audience, Viewer::Wecom)
        .unwrap_or_else(|| Appearance::of_plain(text, Viewer::Wecom))
}
