//! Standard output and standard error, for people and for pipes.

use std::io::{self, IsTerminal, Write};

use crate::{
    telemetry::{LogWriter, has_colours},
    text::escape_controls,
    wecom::{Content, GroupText},
};

/// Control characters of texts are [escaped](escape_controls), because a terminal must not obey an alert.
#[derive(Debug, Default, Clone)]
pub(super) struct Output {
    /// A server writes errors like log lines, because it must not wait for a reader that does not read.
    log: Option<LogWriter>,
}

impl Output {
    pub(super) fn of_server(log: LogWriter) -> Self {
        Self { log: Some(log) }
    }

    /// Writes a result to standard output.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(escape_controls(text).as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// Writes a heading to standard output: bold where the terminal allows it.
    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if !has_colours(out.is_terminal(), |name| std::env::var_os(name)) {
            drop(out);
            return self.line(text);
        }
        out.write_all(format!("\u{1b}[1m{}\u{1b}[0m\n", escape_controls(text)).as_bytes())?;
        out.flush()
    }

    /// Writes an error or a warning to standard error.
    pub(super) fn error(&mut self, text: &str) {
        let text = escape_controls(text);
        match &self.log {
            Some(log) => log.line(&text),
            // A failure cannot be reported anywhere. It is one write, so that no log line comes before the line break.
            None => _ = io::stderr().lock().write_all(format!("{text}\n").as_bytes()),
        }
    }
}

/// True if the reader of the pipe is gone. This is not a failure, because `| head` causes it.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A message as text. A card is shown as indented JSON.
pub(super) fn shown(content: &Content) -> String {
    match content {
        Content::Text(text) | Content::Markdown(text) | Content::MarkdownV2(text) => text.clone(),
        Content::GroupText(card) => group_text(card.json()),
        Content::TextCard(card) | Content::TemplateCard(card) | Content::CardUpdate(card) => {
            let value = serde_json::from_str::<serde_json::Value>(card.json()).ok();
            let pretty = value.and_then(|value| serde_json::to_string_pretty(&value).ok());
            pretty.unwrap_or_else(|| card.to_string())
        }
    }
}

/// A text, with the members that it mentions in its last line.
fn group_text(json: &str) -> String {
    let Ok(text) = serde_json::from_str::<GroupText>(json) else { return json.to_owned() };
    let mentioned = [text.mentioned_list, text.mentioned_mobile_list].concat();
    format!("{}\n(mentions {})", text.content, mentioned.join(", "))
}
