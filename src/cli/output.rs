//! Standard output and standard error, for people and for pipes.

use std::io::{self, Write};

use crate::wecom::Content;

/// Where results and complaints go.
#[derive(Debug, Default)]
pub(super) struct Output(());

impl Output {
    /// A result, on standard output.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// A complaint or a remark, on standard error.
    pub(super) fn error(&mut self, text: &str) {
        // There is nowhere else to complain.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Whether the reader of a pipe has gone, which is no failure.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A message for a person: a card as JSON in many lines.
pub(super) fn shown(content: &Content) -> String {
    match content {
        Content::Text(text) | Content::Markdown(text) => text.clone(),
        Content::TextCard(card) | Content::TemplateCard(card) => {
            let value = serde_json::from_str::<serde_json::Value>(card.json()).ok();
            let pretty = value.and_then(|value| serde_json::to_string_pretty(&value).ok());
            pretty.unwrap_or_else(|| card.to_string())
        }
    }
}
