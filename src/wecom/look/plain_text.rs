//! Texts: line breaks, `<a href="…">…</a>` and bare URLs. WeCom shows every other tag as it is written.

use super::{
    link,
    tree::{Run, RunStyle, TextBlock},
};
use crate::text::{slice, slice_from};

const CLOSING: &str = "</a>";

/// The longest `<@userid>`.
const MAX_MENTION_BYTES: usize = 70;

/// The lines of a text. `mentions` is true in groups, where `<@userid>` mentions a member.
pub(super) fn blocks(text: &str, mentions: bool) -> Vec<TextBlock> {
    text.split('\n').map(|line| TextBlock::Line { runs: runs(line, mentions) }).collect()
}

fn runs(line: &str, mentions: bool) -> Vec<Run> {
    let mut runs = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(found) = slice_from(line, at).find(['<', 'h']) {
        let here = at + found;
        match special(slice_from(line, here), mentions) {
            Some(Special { run, length }) => {
                push_text(&mut runs, slice(line, start..here));
                runs.push(run);
                at = here + length;
                start = at;
            }
            None => at = here + 1,
        }
    }
    push_text(&mut runs, slice_from(line, start));
    runs
}

/// A run with a meaning, and the bytes that it takes in the source.
struct Special {
    run: Run,
    length: usize,
}

fn special(text: &str, mentions: bool) -> Option<Special> {
    if text.starts_with("<a ") {
        return html_link(text);
    }
    if mentions && text.starts_with("<@") {
        let MentionTag { userid, length } = mention(text)?;
        return Some(Special { run: mention_run(userid), length });
    }
    let length = link::bare_url_length(text)?;
    let url = slice(text, 0..length);
    let run = Run { text: url.to_owned(), link: Some(link::target(url)), style: RunStyle::default() };
    Some(Special { run, length })
}

/// `<a href="…">…</a>`
fn html_link(text: &str) -> Option<Special> {
    let (opening, rest) = text.split_once('>')?;
    let url = attribute(opening, "href")?;
    let (words, _) = rest.split_once(CLOSING)?;
    // The link begins at the last opening tag, because an earlier tag without an end is not part of the link.
    if words.contains("<a ") {
        return None;
    }
    let run = Run { text: words.to_owned(), link: Some(link::target(url)), style: RunStyle::default() };
    Some(Special { run, length: opening.len() + ">".len() + words.len() + CLOSING.len() })
}

/// The value of an attribute in double or single quotes.
pub(super) fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = tag.split_once(name)?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value.strip_prefix(quote)?.split_once(quote).map(|(value, _)| value)
}

pub(super) struct MentionTag<'t> {
    pub(super) userid: &'t str,
    pub(super) length: usize,
}

/// The mention with which `text` begins.
pub(super) fn mention(text: &str) -> Option<MentionTag<'_>> {
    let userid = text.strip_prefix("<@")?;
    let end = userid.bytes().take(MAX_MENTION_BYTES).position(|byte| byte == b'>')?;
    let userid = slice(userid, 0..end);
    let is_id = !userid.is_empty() && userid.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c));
    is_id.then_some(MentionTag { userid, length: "<@".len() + end + ">".len() })
}

pub(super) fn mention_run(userid: &str) -> Run {
    Run { text: format!("@{userid}"), style: RunStyle { mention: true, ..RunStyle::default() }, link: None }
}

fn push_text(runs: &mut Vec<Run>, text: &str) {
    if !text.is_empty() {
        runs.push(Run::plain(text));
    }
}
