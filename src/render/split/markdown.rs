//! What must not be cut apart, and what is open where a text is cut.
//!
//! Read in one pass over the text, in time linear in its length. What is not closed is text, as it is in WeCom.

use std::ops::Range;

/// How deep tags are followed; what is deeper is not closed and opened again.
const MOST_OPEN: usize = 3;

/// The longest code that is kept whole for its own sake.
const SHORT_CODE: usize = 64;

/// The longest text, and the longest address, of a link that is recognised.
const MAX_LINK_BYTES: usize = 2048;

/// Links, tags, and what tags enclose.
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// What is kept whole: in the text's order, none overlapping.
    atoms: Vec<Range<usize>>,
    /// By where they begin; one is within another or beside it.
    spans: Vec<Span>,
    /// Lines that are quotes, in the text's order.
    quotes: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Span {
    kind: Kind,
    open: Range<usize>,
    close: Range<usize>,
    /// The span that it is within.
    outer: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bold,
    Code,
    Font,
}

impl Kind {
    fn closing(self) -> &'static str {
        match self {
            Self::Bold => "**",
            Self::Code => "`",
            Self::Font => "</font>",
        }
    }
}

impl Spans {
    /// The links `<a …>…</a>`.
    pub(super) fn of_plain(text: &str) -> Self {
        Self { atoms: links(text), ..Self::default() }
    }

    /// All that WeCom's subset of markdown has. What is not closed counts as closed at the end of a text that is
    /// `cut` off there.
    pub(super) fn of_markdown(text: &str, cut: bool) -> Self {
        let found = Self { quotes: quotes(text), ..Self::default() };
        let mut reader = Reader { text, cut, open: Vec::new(), found };
        let mut at = 0;
        while let Some(special) = text.get(at..).and_then(|rest| rest.find(['\n', '`', '[', '*', '<'])) {
            at = reader.step(at + special);
        }
        if cut {
            let end = text.len()..text.len();
            while let Some((kind, open)) = reader.open.pop() {
                reader.found.spans.push(Span { kind, open, close: end.clone(), outer: None });
            }
        }
        let mut found = reader.found;
        found.nest();
        // One character of what is enclosed stays with either tag, so that none is opened only to be closed.
        found.atoms.extend(found.spans.iter().flat_map(|Span { open, close, .. }| {
            [open.start..open.end + 1, close.start.saturating_sub(1)..close.end]
        }));
        found.atoms.sort_by_key(|atom| atom.start);
        found.atoms.dedup_by(|next, atom| {
            let overlap = next.start < atom.end;
            if overlap {
                atom.end = atom.end.max(next.end);
            }
            overlap
        });
        found
    }

    /// Whether a cut at `at` would go through something that is kept whole.
    pub(super) fn keeps(&self, at: usize) -> bool {
        let next = self.atoms.partition_point(|atom| atom.end <= at);
        self.atoms.get(next).is_some_and(|atom| atom.start < at)
    }

    /// What a piece that starts at `at` opens.
    pub(super) fn opened(&self, text: &str, at: usize) -> String {
        let mut opened = String::new();
        let quote = self.quotes.partition_point(|line| line.end < at);
        if self.quotes.get(quote).is_some_and(|line| line.start < at) {
            opened.push_str("> ");
        }
        for span in self.open_at(at).into_iter().rev() {
            opened.push_str(text.get(span.open.clone()).unwrap_or_default());
        }
        opened
    }

    /// What a piece that ends at `at` closes.
    pub(super) fn closed(&self, at: usize) -> String {
        self.open_at(at).into_iter().map(|span| span.kind.closing()).collect()
    }

    /// What is open at `at`, the innermost first.
    fn open_at(&self, at: usize) -> Vec<&Span> {
        let before = self.spans.partition_point(|span| span.open.end <= at);
        let last = before.checked_sub(1).and_then(|last| self.spans.get(last));
        let with_outer = std::iter::successors(last, |span| self.spans.get(span.outer?));
        with_outer.filter(|span| at <= span.close.start).collect()
    }

    fn nest(&mut self) {
        self.spans.sort_by_key(|span| span.open.start);
        let mut open: Vec<(usize, usize)> = Vec::new();
        for (index, span) in self.spans.iter_mut().enumerate() {
            open.retain(|(_, end)| *end > span.open.start);
            span.outer = open.last().map(|(outer, _)| *outer);
            open.push((index, span.close.end));
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    cut: bool,
    open: Vec<(Kind, Range<usize>)>,
    found: Spans,
}

impl Reader<'_> {
    /// Reads what may begin at `at`, and tells where to go on.
    fn step(&mut self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let end = if rest.starts_with("\n\n") {
            // Bold text ends with its paragraph.
            self.open.retain(|(kind, _)| *kind != Kind::Bold);
            None
        } else if rest.starts_with('`') {
            self.code(at, rest)
        } else if rest.starts_with('[') {
            link(rest).map(|length| {
                self.found.atoms.push(at..at + length);
                at + length
            })
        } else if rest.starts_with("**") {
            if !self.close(Kind::Bold, at..at + 2) {
                self.push(Kind::Bold, at..at + 2);
            }
            Some(at + 2)
        } else if rest.starts_with("</font>") {
            let tag = at..at + "</font>".len();
            self.found.atoms.push(tag.clone());
            self.close(Kind::Font, tag.clone());
            Some(tag.end)
        } else {
            font(rest).map(|length| {
                self.found.atoms.push(at..at + length);
                self.push(Kind::Font, at..at + length);
                at + length
            })
        };
        end.unwrap_or(at + 1)
    }

    fn code(&mut self, at: usize, rest: &str) -> Option<usize> {
        let inside = rest.get(1..)?;
        let length = match inside.find(['`', '\n']) {
            Some(length) if inside.get(length..).is_some_and(|rest| rest.starts_with('`')) => length,
            None if self.cut => {
                let end = self.text.len();
                self.found.spans.push(Span {
                    kind: Kind::Code,
                    open: at..at + 1,
                    close: end..end,
                    outer: None,
                });
                return Some(end);
            }
            _ => return None,
        };
        let close = at + 1 + length;
        if length <= SHORT_CODE {
            self.found.atoms.push(at..close + 1);
        } else {
            self.found.spans.push(Span {
                kind: Kind::Code,
                open: at..at + 1,
                close: close..close + 1,
                outer: None,
            });
        }
        Some(close + 1)
    }

    fn push(&mut self, kind: Kind, tag: Range<usize>) {
        if self.open.len() < MOST_OPEN {
            self.open.push((kind, tag));
        }
    }

    /// Closes the last that is open of this kind, and forgets what was opened in it and is not closed.
    fn close(&mut self, kind: Kind, tag: Range<usize>) -> bool {
        let Some(last) = self.open.iter().rposition(|(other, _)| *other == kind) else { return false };
        let opened = self.open.get(last).map(|(_, open)| open.clone());
        self.open.truncate(last);
        if let Some(open) = opened {
            self.found.spans.push(Span { kind, open, close: tag, outer: None });
        }
        true
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
fn link(text: &str) -> Option<usize> {
    let inside = text.get(1..)?;
    let name = inside.bytes().take(MAX_LINK_BYTES).position(|byte| matches!(byte, b']' | b'[' | b'\n'))?;
    let address = inside.get(name..)?.strip_prefix("](")?;
    let end = address
        .bytes()
        .take(MAX_LINK_BYTES)
        .position(|byte| matches!(byte, b')' | b'\n' | b' '))
        .filter(|end| address.get(*end..*end + 1) == Some(")"))?;
    Some(1 + name + 2 + end + 1)
}

/// The length of the tag `<font color="…">` with which `text` begins.
fn font(text: &str) -> Option<usize> {
    const OPEN: &str = "<font color=\"";
    const MAX_COLOR_BYTES: usize = 16;
    let color = text.strip_prefix(OPEN)?;
    let length = color.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'#').count();
    let closed = color.get(length..)?.starts_with("\">");
    (closed && length <= MAX_COLOR_BYTES).then_some(OPEN.len() + length + 2)
}

/// The links `<a …>…</a>` in the text's order.
fn links(text: &str) -> Vec<Range<usize>> {
    const CLOSE: &str = "</a>";
    let mut links = Vec::new();
    let mut from = 0;
    while let Some(length) = text.get(from..).and_then(|rest| rest.find(CLOSE)) {
        let end = from + length + CLOSE.len();
        // The last before it: an opening tag that is never closed must not swallow the link after it.
        let open = text.get(from..end).and_then(|link| link.rfind("<a "));
        links.extend(open.map(|open| from + open..end));
        from = end;
    }
    links
}
