//! The rows of a message in a terminal.

use super::{
    tree::{Appearance, Bubble, ButtonStyle, CardButton, CardFace, LinkTarget, Run, TextBlock},
    words,
};
use crate::{
    language::Language,
    text::{escape_controls, shorten_columns, width, wrap_columns},
};

/// The message in rows of at most `columns` columns. Only a grapheme cluster may be wider. Control characters are escaped.
pub fn rows(appearance: &Appearance, columns: usize, language: Language) -> Vec<String> {
    let mut writer = RowWriter { rows: Vec::new(), columns, language };
    match &appearance.bubble {
        Bubble::Text { blocks } => writer.blocks(blocks),
        Bubble::Card(face) => writer.card(face),
        Bubble::Unsupported => writer.wrapped("", words::UNSUPPORTED),
    }
    if appearance.hidden_bytes > 0 {
        writer.wrapped("", &words::hidden(appearance.hidden_bytes, language));
    }
    writer.rows
}

struct RowWriter {
    rows: Vec<String>,
    columns: usize,
    language: Language,
}

impl RowWriter {
    /// Adds `text`, each row after `indent`.
    fn wrapped(&mut self, indent: &str, text: &str) {
        let text = escape_controls(text).replace('\t', " ");
        let columns = self.columns.saturating_sub(width(indent)).max(1);
        for line in text.split('\n') {
            self.rows.extend(wrap_columns(line, columns).into_iter().map(|row| format!("{indent}{row}")));
        }
    }

    fn rule(&mut self) {
        self.rows.push("─".repeat(self.columns));
    }

    fn blocks(&mut self, blocks: &[TextBlock]) {
        for block in blocks {
            match block {
                TextBlock::Line { runs } | TextBlock::Heading { runs, .. } => {
                    self.wrapped("", &self.words(runs));
                }
                TextBlock::Quote { depth, lines } => {
                    let indent = "│ ".repeat(usize::from(*depth));
                    for runs in lines {
                        self.wrapped(&indent, &self.words(runs));
                    }
                }
                TextBlock::Item { depth, marker, runs } => {
                    let indent = "  ".repeat(usize::from(*depth));
                    self.wrapped(&indent, &format!("{marker} {}", self.words(runs)));
                }
                TextBlock::Table { rows } => {
                    for row in rows {
                        let cells: Vec<String> = row.iter().map(|cell| self.words(cell)).collect();
                        self.wrapped("", &cells.join(" │ "));
                    }
                }
                TextBlock::Code { text } => self.wrapped("  ", text),
                TextBlock::Rule => self.rule(),
            }
        }
    }

    /// The words of a line. WeCom shows no addresses behind them.
    fn words(&self, runs: &[Run]) -> String {
        runs.iter().map(|run| self.word(run)).collect()
    }

    fn word(&self, run: &Run) -> String {
        let text = if run.style.image { format!("[{}]", run.text) } else { run.text.clone() };
        match &run.link {
            None | Some(LinkTarget::Web { .. }) => text,
            Some(LinkTarget::Refused { .. }) => format!("{text} ({})", words::refused(self.language)),
            Some(LinkTarget::MiniProgram { .. }) => {
                format!("{text} ({})", words::mini_program(self.language))
            }
        }
    }

    fn card(&mut self, face: &CardFace) {
        let CardFace { source, title, description, emphasis_title, emphasis_description, .. } = face;
        let CardFace { quote_title, quote, sub_title, rows, images, jumps, buttons, button, .. } = face;
        self.present("", &source.text);
        self.present("", title);
        self.blocks(description);
        self.centred(emphasis_title);
        self.centred(emphasis_description);
        self.present("│ ", quote_title);
        self.present("│ ", quote);
        self.present("", sub_title);
        for row in rows {
            let value = self.word(&row.value);
            self.wrapped("", &format!("{}  {value}", row.name));
        }
        for host in images {
            self.wrapped("", &format!("▨ {host}"));
        }
        if !jumps.is_empty() || !buttons.is_empty() || !button.is_empty() {
            self.rule();
        }
        for jump in jumps {
            self.wrapped("", &format!("{} ›", self.word(jump)));
        }
        for button in buttons {
            self.button(button);
        }
        if !button.is_empty() {
            let opens = match &face.link {
                Some(LinkTarget::Refused { .. }) => format!(" ({})", words::refused(self.language)),
                _ => String::new(),
            };
            self.wrapped("", &format!("{button} ›{opens}"));
        }
    }

    /// A grey button has round brackets, because it cannot be pressed.
    fn button(&mut self, button: &CardButton) {
        let text = self.word(&button.run());
        let drawn =
            if button.style == ButtonStyle::Grey { format!("( {text} )") } else { format!("[ {text} ]") };
        self.wrapped("", &drawn);
    }

    fn present(&mut self, indent: &str, text: &str) {
        if !text.is_empty() {
            self.wrapped(indent, text);
        }
    }

    fn centred(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let text = escape_controls(text).replace(['\n', '\t'], " ");
        let text = shorten_columns(&text, self.columns);
        let indent = self.columns.saturating_sub(width(&text)) / 2;
        self.rows.push(format!("{}{text}", " ".repeat(indent)));
    }
}
