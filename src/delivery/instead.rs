//! What takes the place of a message that WeCom refused for what it says.
//!
//! A card that WeCom refuses must not cost an alert: its text form goes out, and markdown goes out as text.
//! Rendering anew was rejected: what was accepted is the rendered message, and a template may have changed.

use crate::{outbox::Claimed, wecom::Content};

/// As much as WeCom shows of a text.
const TEXT_BYTES: usize = 2048;

/// The plainer form of what `claimed` carries, with a first line that tells `reason` if there is room for it;
/// `None` when there is no plainer form.
pub(super) fn instead(claimed: &Claimed, reason: &str) -> Option<Content> {
    let content = &claimed.message.content;
    let text = match content {
        Content::Text(_) => None,
        Content::Markdown(text) => Some(text),
        Content::TextCard(_) | Content::TemplateCard(_) => claimed.text_form.as_ref(),
    }?;
    let msgtype = content.msgtype();
    let lines = [
        format!("[wecom-relay: this was to be a {msgtype}; {reason}]\n"),
        format!("[wecom-relay: WeCom refused this as a {msgtype}]\n"),
        String::new(),
    ];
    let line = lines.into_iter().find(|line| line.len() + text.len() <= TEXT_BYTES).unwrap_or_default();
    Some(Content::Text(line + text))
}
