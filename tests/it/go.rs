//! Go templates: the same text, and the same refusals, as in Alertmanager.

mod amtool;
mod errors;
mod generated;
mod hostile;
mod messages;
mod relay;
mod rows;

use jiff::{Timestamp, tz::TimeZone};
use wecom_relay::{
    alertmanager::{self, Payload},
    language::Language,
    render::{self, RenderTime, Rendered, Source, TemplateLanguage, Templates},
    text,
};

/// The payload of the rows.
const PAYLOAD: &str = include_str!("../data/alertmanager/go-templates.json");

fn payload() -> Payload {
    alertmanager::parse(PAYLOAD.as_bytes(), Timestamp::UNIX_EPOCH).unwrap()
}

fn time(zone: &str) -> RenderTime {
    RenderTime {
        now: "2026-11-30T08:00:00.5Z".parse().unwrap(),
        zone: TimeZone::get(zone).unwrap(),
        language: Language::En,
    }
}

/// Compiles Go files, and the text of a receiver.
fn compiled(files: &[(&str, &str)], text: &str) -> Result<Templates, String> {
    let source = |name: &str, text: &str| Source {
        name: name.to_owned().into(),
        origin: name.to_owned().into(),
        text: text.to_owned().into(),
        language: TemplateLanguage::Go,
    };
    let files = files.iter().map(|(name, text)| source(name, text));
    let sources: Vec<_> = files.chain([source(&name(), text)]).collect();
    Templates::compile(&sources).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        errors.join("\n")
    })
}

fn name() -> String {
    render::receiver_template("r", "message")
}

/// What a receiver with this text sends.
fn message(text: &str, payload: &Payload, zone: &str) -> Result<Rendered, String> {
    let templates = compiled(&[], text)?;
    templates.with(payload, &time(zone)).message(&name()).map_err(|error| error.to_string())
}

fn rendered(text: &str) -> Result<String, String> {
    message(text, &payload(), "UTC").map(Rendered::into_text)
}

#[test]
fn every_row_writes_what_it_wrote_before() {
    let mut report = String::new();
    for row in rows::ROWS.iter().chain(&rows::NEWER_ROWS) {
        let result = rendered(row).unwrap_or_else(|error| format!("error: {error}"));
        report += &format!("{row}\n=> {result}\n\n");
    }
    insta::assert_snapshot!(text::escape_controls(&report));
}
