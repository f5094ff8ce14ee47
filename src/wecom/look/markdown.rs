//! From markdown to blocks.

use super::{
    link,
    pairs::pair,
    plain_text::mention_run,
    tokens::{LineKind, MarkKind, MarkdownDialect, MarkdownToken, inline, tokens},
    tree::{Run, RunStyle, TextBlock},
};

pub(super) fn blocks(text: &str, dialect: MarkdownDialect) -> Vec<TextBlock> {
    let mut tokens = tokens(text, dialect);
    pair(&mut tokens);
    let mut writer = BlockWriter::default();
    for token in tokens {
        writer.add(token, dialect);
    }
    writer.blocks
}

struct BlockWriter<'t> {
    blocks: Vec<TextBlock>,
    open: Vec<MarkKind>,
    kind: LineKind<'t>,
    runs: Vec<Run>,
}

impl Default for BlockWriter<'_> {
    fn default() -> Self {
        Self { blocks: Vec::new(), open: Vec::new(), kind: LineKind::Plain, runs: Vec::new() }
    }
}

impl<'t> BlockWriter<'t> {
    fn add(&mut self, token: MarkdownToken<'t>, dialect: MarkdownDialect) {
        match token {
            MarkdownToken::Text(text) => self.runs.push(Run { style: self.style(), ..Run::plain(text) }),
            MarkdownToken::Code(code) => {
                let style = RunStyle { code: true, ..self.style() };
                self.runs.push(Run { style, ..Run::plain(code) });
            }
            MarkdownToken::Link { name, url } => {
                let link = Some(link::target(url));
                self.runs.push(Run { text: name.to_owned(), style: self.style(), link });
            }
            MarkdownToken::Image { name, url } => {
                let name = if name.is_empty() { link::host(url) } else { name };
                let style = RunStyle { image: true, ..self.style() };
                self.runs.push(Run { style, ..Run::plain(name) });
            }
            MarkdownToken::Mention(userid) => self.runs.push(mention_run(userid)),
            // Pairing leaves no mark.
            MarkdownToken::Mark(mark) => self.runs.push(Run::plain(mark.source)),
            MarkdownToken::Begin(kind) => self.open.push(kind),
            MarkdownToken::End(kind) => {
                if let Some(index) = self.open.iter().rposition(|open| *open == kind) {
                    self.open.remove(index);
                }
            }
            MarkdownToken::LineStart(kind) => self.kind = kind,
            MarkdownToken::LineEnd { .. } => self.end_line(),
            MarkdownToken::CodeBlock(text) => self.blocks.push(TextBlock::Code { text }),
            MarkdownToken::Rule => self.blocks.push(TextBlock::Rule),
            MarkdownToken::Table(rows) => {
                let rows = rows.into_iter().map(|row| cells(row, dialect)).collect();
                self.blocks.push(TextBlock::Table { rows });
            }
        }
    }

    fn style(&self) -> RunStyle {
        let mut style = RunStyle::default();
        for kind in &self.open {
            match kind {
                MarkKind::Bold => style.bold = true,
                MarkKind::Italic => style.italic = true,
                MarkKind::Struck => style.struck = true,
                MarkKind::Font(colour) => style.colour = *colour,
            }
        }
        style
    }

    fn end_line(&mut self) {
        let runs = std::mem::take(&mut self.runs);
        match self.kind {
            LineKind::Plain => self.blocks.push(TextBlock::Line { runs }),
            LineKind::Heading(level) => self.blocks.push(TextBlock::Heading { level, runs }),
            LineKind::Item { depth, marker } => {
                self.blocks.push(TextBlock::Item { depth, marker: marker.to_owned(), runs });
            }
            LineKind::Quote(depth) => match self.blocks.last_mut() {
                Some(TextBlock::Quote { depth: last, lines }) if *last == depth => lines.push(runs),
                _ => self.blocks.push(TextBlock::Quote { depth, lines: vec![runs] }),
            },
        }
    }
}

fn cells(row: Vec<&str>, dialect: MarkdownDialect) -> Vec<Vec<Run>> {
    row.into_iter().map(|cell| cell_runs(cell, dialect)).collect()
}

/// The text of a cell. A style does not leave it.
fn cell_runs(cell: &str, dialect: MarkdownDialect) -> Vec<Run> {
    let mut tokens = Vec::new();
    inline(cell, dialect, &mut tokens);
    pair(&mut tokens);
    let mut writer = BlockWriter::default();
    for token in tokens {
        if !matches!(token, MarkdownToken::Table(_)) {
            writer.add(token, dialect);
        }
    }
    writer.runs
}
