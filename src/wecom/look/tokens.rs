//! Reads markdown into tokens, line by line.
//!
//! Apps and robots have the same small language: headings, bold text, links, code, quotes and three colours. Robots also
//! mention members. `markdown_v2` has lists, tables, code blocks, images and italics, but no colours and no mentions.

use super::{
    plain_text::{MentionTag, attribute, mention},
    tree::TextColour,
};
use crate::text::{slice, slice_from};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkdownDialect {
    App,
    Robot,
    V2,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MarkdownToken<'t> {
    Text(&'t str),
    Code(&'t str),
    Link {
        name: &'t str,
        url: &'t str,
    },
    Image {
        name: &'t str,
        url: &'t str,
    },
    Mention(&'t str),
    /// A mark that begins or ends a style. [`super::pairs`] decides which, and turns it into text if it is alone.
    Mark(Mark<'t>),
    Begin(MarkKind),
    End(MarkKind),
    LineStart(LineKind<'t>),
    LineEnd {
        is_empty: bool,
    },
    CodeBlock(String),
    Table(Vec<Vec<&'t str>>),
    Rule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark<'t> {
    pub(super) kind: MarkKind,
    pub(super) source: &'t str,
    pub(super) may_open: bool,
    pub(super) may_close: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkKind {
    Bold,
    Italic,
    Struck,
    Font(Option<TextColour>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind<'t> {
    Plain,
    Heading(u8),
    Quote(u8),
    Item { depth: u8, marker: &'t str },
}

/// The deepest list and quote that is drawn.
const MAX_DEPTH: usize = 4;

/// The longest name and the longest address of a link.
const MAX_LINK_BYTES: usize = 2048;

pub(super) fn tokens(text: &str, dialect: MarkdownDialect) -> Vec<MarkdownToken<'_>> {
    let mut tokens = Vec::new();
    let lines: Vec<&str> = text.split('\n').collect();
    let mut lines = lines.iter();
    while let Some(line) = lines.next() {
        if dialect == MarkdownDialect::V2 {
            if line.starts_with("```")
                && let Some(end) = lines.as_slice().iter().position(|line| line.trim_end() == "```")
            {
                let code: Vec<&str> = lines.by_ref().take(end).copied().collect();
                tokens.push(MarkdownToken::CodeBlock(code.join("\n")));
                lines.next();
                continue;
            }
            if is_table_row(line) && lines.as_slice().first().is_some_and(|next| is_table_rule(next)) {
                lines.next();
                let rest = lines.as_slice();
                let length = rest.iter().position(|row| !is_table_row(row)).unwrap_or(rest.len());
                let body = lines.by_ref().take(length).map(|row| cells(row));
                tokens.push(MarkdownToken::Table([cells(line)].into_iter().chain(body).collect()));
                continue;
            }
            if matches!(line.trim(), "---" | "***" | "___") {
                tokens.push(MarkdownToken::Rule);
                continue;
            }
        }
        let (kind, rest) = line_kind(line, dialect);
        tokens.push(MarkdownToken::LineStart(kind));
        inline(rest, dialect, &mut tokens);
        tokens.push(MarkdownToken::LineEnd { is_empty: line.trim().is_empty() });
    }
    tokens
}

fn is_table_row(line: &str) -> bool {
    line.trim_start().starts_with('|')
}

fn is_table_rule(line: &str) -> bool {
    is_table_row(line) && line.contains('-') && line.chars().all(|c| "|-: \t".contains(c))
}

fn cells(row: &str) -> Vec<&str> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let row = row.strip_suffix('|').unwrap_or(row);
    row.split('|').map(str::trim).collect()
}

/// The kind of a line, and the text after its prefix.
fn line_kind(line: &str, dialect: MarkdownDialect) -> (LineKind<'_>, &str) {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    if (1..=6).contains(&level)
        && let Some(rest) = slice_from(line, level).strip_prefix(' ')
    {
        return (LineKind::Heading(small(level)), rest);
    }
    if let Some(rest) = line.strip_prefix('>') {
        return quote(rest, dialect);
    }
    if dialect == MarkdownDialect::V2
        && let Some(item) = item(line)
    {
        return item;
    }
    (LineKind::Plain, line)
}

fn quote(rest: &str, dialect: MarkdownDialect) -> (LineKind<'_>, &str) {
    let (mut depth, mut rest) = (1, rest);
    while dialect == MarkdownDialect::V2
        && depth < MAX_DEPTH
        && let Some(inner) = rest.trim_start_matches(' ').strip_prefix('>')
    {
        (depth, rest) = (depth + 1, inner);
    }
    (LineKind::Quote(small(depth)), rest.strip_prefix(' ').unwrap_or(rest))
}

fn item(line: &str) -> Option<(LineKind<'_>, &str)> {
    let unindented = line.trim_start_matches([' ', '\t']);
    let depth = (line.len() - unindented.len()).div_ceil(2).min(MAX_DEPTH);
    let depth = small(depth);
    for bullet in ["- ", "* ", "+ "] {
        if let Some(rest) = unindented.strip_prefix(bullet) {
            return Some((LineKind::Item { depth, marker: "•" }, rest));
        }
    }
    let (marker, rest) = unindented.split_once(' ')?;
    let number = marker.strip_suffix('.')?;
    let is_number = (1..=9).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((LineKind::Item { depth, marker }, rest))
}

fn small(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

/// Reads the tokens within a line.
pub(super) fn inline<'t>(line: &'t str, dialect: MarkdownDialect, tokens: &mut Vec<MarkdownToken<'t>>) {
    let (mut start, mut at) = (0, 0);
    while let Some(found) = slice_from(line, at).find(['`', '[', '!', '*', '_', '~', '<']) {
        let here = at + found;
        let before = slice(line, 0..here).chars().next_back();
        match special(slice_from(line, here), before, dialect) {
            Some((token, length)) => {
                push_text(tokens, slice(line, start..here));
                tokens.push(token);
                at = here + length;
                start = at;
            }
            None => at = here + 1,
        }
    }
    push_text(tokens, slice_from(line, start));
}

fn push_text<'t>(tokens: &mut Vec<MarkdownToken<'t>>, text: &'t str) {
    if !text.is_empty() {
        tokens.push(MarkdownToken::Text(text));
    }
}

/// The token with which `text` begins, and its length. `before` is the character before it.
fn special(text: &str, before: Option<char>, dialect: MarkdownDialect) -> Option<(MarkdownToken<'_>, usize)> {
    if let Some(code) = text.strip_prefix('`') {
        let (code, _) = code.split_once('`')?;
        return Some((MarkdownToken::Code(code), code.len() + 2));
    }
    if text.starts_with('[') {
        let NamedUrl { name, url, length } = named_url(text)?;
        return Some((MarkdownToken::Link { name, url }, length));
    }
    if let Some(mark) = mark(text, before, dialect) {
        return Some((MarkdownToken::Mark(mark), mark.source.len()));
    }
    match dialect {
        MarkdownDialect::App => None,
        MarkdownDialect::Robot => {
            let MentionTag { userid, length } = mention(text)?;
            Some((MarkdownToken::Mention(userid), length))
        }
        MarkdownDialect::V2 => {
            let NamedUrl { name, url, length } = named_url(text.strip_prefix('!')?)?;
            Some((MarkdownToken::Image { name, url }, length + "!".len()))
        }
    }
}

struct NamedUrl<'t> {
    name: &'t str,
    url: &'t str,
    length: usize,
}

/// `[name](url)`
fn named_url(text: &str) -> Option<NamedUrl<'_>> {
    let name = text.strip_prefix('[')?;
    let name_end = name.bytes().take(MAX_LINK_BYTES).position(|byte| matches!(byte, b']' | b'['))?;
    let address = slice_from(name, name_end).strip_prefix("](")?;
    let url_end = address.bytes().take(MAX_LINK_BYTES).position(|byte| matches!(byte, b')' | b' '))?;
    slice_from(address, url_end).strip_prefix(')')?;
    let length = "[".len() + name_end + "](".len() + url_end + ")".len();
    Some(NamedUrl { name: slice(name, 0..name_end), url: slice(address, 0..url_end), length })
}

fn mark(text: &str, before: Option<char>, dialect: MarkdownDialect) -> Option<Mark<'_>> {
    if text.starts_with("**") {
        let source = slice(text, 0.."**".len());
        return Some(Mark { kind: MarkKind::Bold, source, may_open: true, may_close: true });
    }
    if dialect != MarkdownDialect::V2 {
        return font(text);
    }
    if text.starts_with("~~") {
        let source = slice(text, 0.."~~".len());
        return Some(Mark { kind: MarkKind::Struck, source, may_open: true, may_close: true });
    }
    if !text.starts_with(['*', '_']) {
        return None;
    }
    let source = slice(text, 0..1);
    let after = slice_from(text, 1).chars().next();
    let is_space = |c: Option<char>| c.is_none_or(char::is_whitespace);
    // Names of hosts and metrics have this character within words.
    let is_word = |c: Option<char>| source == "_" && c.is_some_and(char::is_alphanumeric);
    let may_open = !is_space(after) && !is_word(before);
    let may_close = !is_space(before) && !is_word(after);
    Some(Mark { kind: MarkKind::Italic, source, may_open, may_close })
}

/// `<font color="…">` and `</font>`.
fn font(text: &str) -> Option<Mark<'_>> {
    const CLOSING: &str = "</font>";
    const MAX_OPENING_BYTES: usize = 40;
    if text.starts_with(CLOSING) {
        let source = slice(text, 0..CLOSING.len());
        return Some(Mark { kind: MarkKind::Font(None), source, may_open: false, may_close: true });
    }
    if !text.starts_with("<font ") {
        return None;
    }
    let end = text.bytes().take(MAX_OPENING_BYTES).position(|byte| byte == b'>')?;
    let source = slice(text, 0..end + 1);
    let colour = match attribute(source, "color")? {
        "info" => Some(TextColour::Info),
        "comment" => Some(TextColour::Comment),
        "warning" => Some(TextColour::Warning),
        // WeCom has no other colours.
        _ => None,
    };
    Some(Mark { kind: MarkKind::Font(colour), source, may_open: true, may_close: false })
}
