//! The visible text of a message, without markup.

use super::tree::{Appearance, Bubble, CardFace, Run, TextBlock};

impl Appearance {
    /// The visible text. Blocks and the texts of a card are on lines of their own. Empty for [`Bubble::Unsupported`].
    pub fn text(&self) -> String {
        match &self.bubble {
            Bubble::Text { blocks } => joined(blocks),
            Bubble::Card(face) => face.text(),
            Bubble::Unsupported => String::new(),
        }
    }
}

impl CardFace {
    fn text(&self) -> String {
        let description = joined(&self.description);
        let fixed = [
            &self.source.text,
            &self.title,
            &description,
            &self.emphasis_title,
            &self.emphasis_description,
            &self.quote_title,
            &self.quote,
            &self.sub_title,
        ];
        let mut lines: Vec<String> = fixed.into_iter().filter(|text| !text.is_empty()).cloned().collect();
        lines.extend(self.rows.iter().map(|row| format!("{} {}", row.name, row.value.text)));
        lines.extend(self.jumps.iter().map(|jump| jump.text.clone()));
        if !self.buttons.is_empty() {
            let buttons: Vec<&str> = self.buttons.iter().map(|button| button.text.as_str()).collect();
            lines.push(buttons.join(" "));
        }
        if !self.button.is_empty() {
            lines.push(self.button.clone());
        }
        lines.join("\n")
    }
}

fn joined(blocks: &[TextBlock]) -> String {
    let texts: Vec<String> = blocks.iter().map(block_text).collect();
    texts.join("\n")
}

pub(super) fn block_text(block: &TextBlock) -> String {
    match block {
        TextBlock::Line { runs } | TextBlock::Heading { runs, .. } => runs_text(runs),
        TextBlock::Item { marker, runs, .. } => format!("{marker} {}", runs_text(runs)),
        TextBlock::Quote { lines, .. } => {
            let lines: Vec<String> = lines.iter().map(|runs| runs_text(runs)).collect();
            lines.join("\n")
        }
        TextBlock::Table { rows } => {
            let rows: Vec<String> = rows.iter().map(|row| row_text(row)).collect();
            rows.join("\n")
        }
        TextBlock::Code { text } => text.clone(),
        TextBlock::Rule => String::new(),
    }
}

/// The cells of a row of a table.
fn row_text(row: &[Vec<Run>]) -> String {
    let cells: Vec<String> = row.iter().map(|cell| runs_text(cell)).collect();
    cells.join(" ")
}

pub(super) fn runs_text(runs: &[Run]) -> String {
    runs.iter().map(|run| run.text.as_str()).collect()
}
