//! Finds the links and tags in a text. A cut must not go through a link, and it must close and reopen the tags around it.
//!
//! A text is read once, in time linear in its length. A tag that is never closed is text, as it is in WeCom.
//!
//! ```text
//! see [the board](http://g/d/1) **now**     the link is not cut; bold text is closed and opened again
//! ```

use std::ops::Range;

use crate::{
    text::{slice, slice_from},
    wecom::limits::MAX_CONTENT_BYTES,
};

/// Elements that are nested deeper than this are not closed and opened again.
const MAX_OPEN_TAGS: usize = 3;

/// Code up to this length is not cut.
const SHORT_CODE_BYTES: usize = 64;

/// The longest name and the longest address of a link. A longer link cannot stay whole in a part.
const MAX_LINK_BYTES: usize = MAX_CONTENT_BYTES;

/// The language of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// Text, in which a link `<a href="…">…</a>` is kept whole.
    Plain,
    /// WeCom's subset of markdown.
    Markdown,
}

/// The links and tags of a text.
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// Ranges that are not cut, in ascending order, none overlapping.
    unbreakable: Vec<Range<usize>>,
    /// Elements by their beginning. Two elements are nested or apart.
    elements: Vec<Element>,
    /// Lines that are quotes, in ascending order.
    quotes: Vec<Range<usize>>,
}

/// Text between an opening and a closing tag.
#[derive(Debug)]
struct Element {
    tag: Tag,
    opening: Range<usize>,
    closing: Range<usize>,
    /// The index of the element around this one.
    outer: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Bold,
    Code,
    Font,
}

impl Tag {
    fn closing(self) -> &'static str {
        match self {
            Self::Bold => "**",
            Self::Code => "`",
            Self::Font => "</font>",
        }
    }
}

impl Spans {
    /// The spans of a whole text.
    pub(super) fn read(text: &str, markup: Markup) -> Self {
        match markup {
            Markup::Plain => Self { unbreakable: html_links(text), ..Self::default() },
            Markup::Markdown => Reader::new(text, false).read(),
        }
    }

    /// The spans of the beginning of a text. A tag that is not closed in it counts as closed at its end.
    pub(super) fn read_beginning(text: &str, markup: Markup) -> Self {
        match markup {
            Markup::Plain => Self::read(text, markup),
            Markup::Markdown => Reader::new(text, true).read(),
        }
    }

    pub(super) fn is_inside_unbreakable(&self, at: usize) -> bool {
        let next = self.unbreakable.partition_point(|range| range.end <= at);
        self.unbreakable.get(next).is_some_and(|range| range.start < at)
    }

    /// The tags that must be opened at `start`, the beginning of a piece.
    pub(super) fn tags_to_reopen(&self, text: &str, start: usize) -> String {
        let mut tags = String::new();
        let quote = self.quotes.partition_point(|line| line.end < start);
        if self.quotes.get(quote).is_some_and(|line| line.start < start) {
            tags.push_str("> ");
        }
        for element in self.open_at(start).into_iter().rev() {
            tags.push_str(slice(text, element.opening.clone()));
        }
        tags
    }

    /// The tags that must be closed at `end`, the end of a piece.
    pub(super) fn tags_to_close(&self, end: usize) -> String {
        self.open_at(end).into_iter().map(|element| element.tag.closing()).collect()
    }

    /// The elements around `at`, the innermost first.
    fn open_at(&self, at: usize) -> Vec<&Element> {
        let mut open = Vec::new();
        let opened_before = self.elements.partition_point(|element| element.opening.end <= at);
        let mut next = opened_before.checked_sub(1);
        while let Some(element) = next.and_then(|index| self.elements.get(index)) {
            if at <= element.closing.start {
                open.push(element);
            }
            next = element.outer;
        }
        open
    }

    /// Sorts the elements, and records for each the element around it.
    fn nest(&mut self) {
        self.elements.sort_by_key(|element| element.opening.start);
        let mut around: Vec<(usize, usize)> = Vec::new();
        for (index, element) in self.elements.iter_mut().enumerate() {
            around.retain(|(_, end)| *end > element.opening.start);
            element.outer = around.last().map(|(outer, _)| *outer);
            around.push((index, element.closing.end));
        }
    }

    /// Makes tags unbreakable, then sorts the unbreakable ranges and joins those that overlap.
    fn join_unbreakable(&mut self) {
        for Element { opening, closing, .. } in &self.elements {
            // One byte of the content stays with each tag, so that no element is opened only to be closed.
            self.unbreakable.push(opening.start..opening.end + 1);
            self.unbreakable.push(closing.start.saturating_sub(1)..closing.end);
        }
        self.unbreakable.sort_by_key(|range| range.start);
        self.unbreakable.dedup_by(|next, range| {
            let overlaps = next.start < range.end;
            if overlaps {
                range.end = range.end.max(next.end);
            }
            overlaps
        });
    }
}

/// Reads markdown.
struct Reader<'a> {
    text: &'a str,
    is_beginning: bool,
    open: Vec<OpenTag>,
    found: Spans,
}

struct OpenTag {
    tag: Tag,
    range: Range<usize>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, is_beginning: bool) -> Self {
        let found = Spans { quotes: quotes(text), ..Spans::default() };
        Self { text, is_beginning, open: Vec::new(), found }
    }

    fn read(mut self) -> Spans {
        let mut at = 0;
        while let Some(length) = slice_from(self.text, at).find(['\n', '`', '[', '*', '<']) {
            at = self.step(at + length);
        }
        if self.is_beginning {
            let end = self.text.len()..self.text.len();
            while let Some(OpenTag { tag, range }) = self.open.pop() {
                self.add_element(tag, range, end.clone());
            }
        }
        self.found.nest();
        self.found.join_unbreakable();
        self.found
    }

    /// Reads the element that begins with the special character at `at`, and returns its end.
    fn step(&mut self, at: usize) -> usize {
        let rest = slice_from(self.text, at);
        if rest.starts_with("\n\n") {
            // Bold text ends with its paragraph.
            self.open.retain(|open| open.tag != Tag::Bold);
        } else if rest.starts_with('`') {
            if let Some(end) = self.code(at) {
                return end;
            }
        } else if rest.starts_with('[') {
            if let Some(length) = link_length(rest) {
                self.found.unbreakable.push(at..at + length);
                return at + length;
            }
        } else if rest.starts_with("**") {
            let range = at..at + "**".len();
            if !self.close(Tag::Bold, range.clone()) {
                self.open(Tag::Bold, range.clone());
            }
            return range.end;
        } else if rest.starts_with("</font>") {
            let range = at..at + "</font>".len();
            self.found.unbreakable.push(range.clone());
            self.close(Tag::Font, range.clone());
            return range.end;
        } else if let Some(length) = font_tag_length(rest) {
            self.found.unbreakable.push(at..at + length);
            self.open(Tag::Font, at..at + length);
            return at + length;
        }
        at + 1
    }

    /// Reads code from the backtick at `at`, and returns its end.
    fn code(&mut self, at: usize) -> Option<usize> {
        let content_start = at + 1;
        let content = slice_from(self.text, content_start);
        let Some(length) = content.find(['`', '\n']) else {
            let end = self.text.len();
            if self.is_beginning {
                self.add_element(Tag::Code, at..content_start, end..end);
            }
            return self.is_beginning.then_some(end);
        };
        if slice_from(content, length).starts_with('\n') {
            return None;
        }
        let content_end = content_start + length;
        if length <= SHORT_CODE_BYTES {
            self.found.unbreakable.push(at..content_end + 1);
        } else {
            self.add_element(Tag::Code, at..content_start, content_end..content_end + 1);
        }
        Some(content_end + 1)
    }

    fn open(&mut self, tag: Tag, range: Range<usize>) {
        if self.open.len() < MAX_OPEN_TAGS {
            self.open.push(OpenTag { tag, range });
        }
    }

    /// Closes the last open `tag`. Tags that were opened inside of it and not closed are text.
    fn close(&mut self, tag: Tag, closing: Range<usize>) -> bool {
        let Some(index) = self.open.iter().rposition(|open| open.tag == tag) else { return false };
        let opening = self.open.drain(index..).next();
        if let Some(opening) = opening {
            self.add_element(tag, opening.range, closing);
        }
        true
    }

    fn add_element(&mut self, tag: Tag, opening: Range<usize>, closing: Range<usize>) {
        self.found.elements.push(Element { tag, opening, closing, outer: None });
    }
}

/// The lines that begin with `>`.
fn quotes(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut quotes = Vec::new();
    for line in text.split('\n') {
        if line.starts_with('>') {
            quotes.push(start..start + line.len());
        }
        start += line.len() + 1;
    }
    quotes
}

/// The length of the link `[…](…)` with which `text` begins.
fn link_length(text: &str) -> Option<usize> {
    let name = text.strip_prefix('[')?;
    let name_bytes =
        name.bytes().take(MAX_LINK_BYTES).position(|byte| matches!(byte, b']' | b'[' | b'\n'))?;
    let address = slice_from(name, name_bytes).strip_prefix("](")?;
    let address_bytes =
        address.bytes().take(MAX_LINK_BYTES).position(|byte| matches!(byte, b')' | b'\n' | b' '))?;
    let is_closed = slice_from(address, address_bytes).starts_with(')');
    is_closed.then_some("[".len() + name_bytes + "](".len() + address_bytes + ")".len())
}

/// The length of the tag `<font color="…">` with which `text` begins.
fn font_tag_length(text: &str) -> Option<usize> {
    const OPENING: &str = "<font color=\"";
    const CLOSING: &str = "\">";
    const MAX_COLOR_BYTES: usize = 16;
    let color = text.strip_prefix(OPENING)?;
    let color_bytes = color.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'#').count();
    let is_tag = color_bytes <= MAX_COLOR_BYTES && slice_from(color, color_bytes).starts_with(CLOSING);
    is_tag.then_some(OPENING.len() + color_bytes + CLOSING.len())
}

/// The links `<a …>…</a>`, in ascending order.
fn html_links(text: &str) -> Vec<Range<usize>> {
    const CLOSING: &str = "</a>";
    let mut links = Vec::new();
    let mut start = 0;
    while let Some(length) = slice_from(text, start).find(CLOSING) {
        let end = start + length + CLOSING.len();
        // The link begins at the last opening tag, because an earlier tag without an end is not part of the link.
        if let Some(opening) = slice(text, start..end).rfind("<a ") {
            links.push(start + opening..end);
        }
        start = end;
    }
    links
}
