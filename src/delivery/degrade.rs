//! The plainer form of a message that WeCom rejected.
//!
//! A rejected card must not lose an alert: its text form is sent instead. Markdown is sent as text. The message is not
//! rendered again, because the template may have changed since the notification was accepted. A notice is sent without
//! its lines, because the text of an alert may be what WeCom rejects.

use crate::{
    language::Language,
    outbox::{Claimed, Kind},
    text::shorten,
    wecom::{Content, limits::MAX_CONTENT_BYTES},
};

/// The plainer form of `claimed`, with a first line that gives `reason` if there is room. `None` if there is no plainer
/// form.
pub(super) fn degrade(claimed: &Claimed, reason: &str, language: Language) -> Option<Content> {
    let content = &claimed.message.content;
    if claimed.kind == Kind::Notice {
        let short = claimed.text_form.clone().filter(|short| short != content.text());
        return short.map(Content::Text);
    }
    let plain;
    let text = match content {
        Content::Text(_) => None,
        // WeCom may refuse the mentions.
        Content::GroupText(_) => {
            plain = content.plain()?;
            Some(plain.as_ref())
        }
        Content::Markdown(text) | Content::MarkdownV2(text) => {
            claimed.text_form.as_ref().or(Some(text)).map(String::as_str)
        }
        Content::TextCard(_) | Content::TemplateCard(_) | Content::CardUpdate(_) => {
            claimed.text_form.as_deref()
        }
    }?;
    let msgtype = content.msgtype();
    let (note, colon) = match language {
        Language::En => (format!("[wecom-relay: WeCom rejected this as a {msgtype}"), ": "),
        Language::Zh => (format!("[wecom-relay：企业微信拒绝了这条 {msgtype} 消息，以下是文本"), "；原因："),
    };
    // A robot's markdown may be longer than a text.
    if text.len() > MAX_CONTENT_BYTES {
        let cut = match language {
            Language::En => "; the end is cut, because a text is shorter]\n",
            Language::Zh => "；文本长度有限，末尾已截断]\n",
        };
        let line = note + cut;
        let text = shorten(text, MAX_CONTENT_BYTES.saturating_sub(line.len()));
        return Some(Content::Text(line + &text));
    }
    let lines = [format!("{note}{colon}{reason}]\n"), format!("{note}]\n"), String::new()];
    let line =
        lines.into_iter().find(|line| line.len() + text.len() <= MAX_CONTENT_BYTES).unwrap_or_default();
    Some(Content::Text(line + text))
}
