//! Compiled Go templates.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use jiff::tz::TimeZone;

use super::{
    advice::{TERA_ADVICE, is_tera},
    data::data,
    definitions::Definitions,
    exec::{Context, Execution, Failure, position},
    functions::PatternCache,
    runes::lossy,
    syntax::SyntaxError,
    time::{Time, Zone},
    value::Data,
};
use crate::{
    alertmanager::Payload,
    render::{
        error::{CompileError, RenderError, short_line},
        render_context::RenderTime,
        rendered::{AlertRange, Rendered},
        sources::Source,
    },
    text::without_controls,
};

/// Alertmanager's own templates, as far as WeChat uses them.
const DEFAULT: &str = include_str!("default.tmpl");

/// Compiled Go templates.
#[derive(Debug)]
pub(in crate::render) struct GoEngine {
    /// What files define.
    shared: Definitions,
    /// The texts that can be rendered, each with what it defines itself.
    texts: HashMap<String, Definitions>,
    patterns: PatternCache,
}

/// The values of a payload for Go templates.
#[derive(Debug, Clone)]
pub(in crate::render) struct GoPayload {
    data: Arc<Data>,
    now: Time,
    zone: TimeZone,
}

impl GoPayload {
    pub(in crate::render) fn of(payload: &Payload, time: &RenderTime) -> Self {
        let now = Time::at(time.now, Zone::local(&time.zone));
        Self { data: data(payload, &time.zone), now, zone: time.zone.clone() }
    }
}

impl GoEngine {
    /// Compiles `files`, in this order, and `texts`, which see what the files define.
    ///
    /// # Errors
    /// The first mistake in each file and text.
    pub(in crate::render) fn compile(
        files: &[&Source<'_>],
        texts: &[&Source<'_>],
    ) -> Result<Self, Vec<CompileError>> {
        let mut errors = Vec::new();
        let mut shared = Definitions::default();
        // A test shows that it has no mistake.
        let _ = shared.add("default.tmpl", DEFAULT);
        for file in files {
            let added = checked(file, shared.add(&file.name, &file.text));
            errors.extend(added.err());
        }
        let mut compiled = HashMap::new();
        for text in texts {
            match checked(text, Definitions::over(&shared, &text.name, &text.text)) {
                Ok(own) => _ = compiled.insert(text.name.to_string(), own),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            return Ok(Self { shared, texts: compiled, patterns: PatternCache::default() });
        }
        Err(errors)
    }

    /// True if `template` is one of the texts.
    pub(in crate::render) fn has(&self, template: &str) -> bool {
        self.texts.contains_key(template)
    }

    pub(in crate::render) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Renders a text. The ranges of its alerts are the turns of each outermost `range` over alerts.
    ///
    /// # Errors
    /// [`RenderError`]
    pub(in crate::render) fn render(
        &self,
        template: &str,
        payload: &GoPayload,
    ) -> Result<Rendered, RenderError> {
        let error = |message: &str| RenderError {
            template: template.to_owned(),
            at: None,
            message: short_line(message),
        };
        let found = self.texts.get(template).and_then(|own| Some((own, own.get(template)?)));
        let Some((own, template_found)) = found else { return Err(error("the template does not exist")) };
        let context = Context {
            shared: &self.shared,
            own,
            now: &payload.now,
            zone: &payload.zone,
            data: &payload.data,
            patterns: &self.patterns,
        };
        // A bug in the engine must cost the template, not the alert.
        match catch_unwind(AssertUnwindSafe(|| Execution::run(context, template_found))) {
            Ok(Ok(output)) => Ok(rendered(output.bytes, output.alerts)),
            Ok(Err(failure)) => Err(render_error(*failure)),
            Err(_) => Err(error("the template engine panicked")),
        }
    }
}

/// The result of compiling `source`. A template of Tera is an error, also where Go would write it as plain text.
fn checked<T>(source: &Source<'_>, result: Result<T, SyntaxError>) -> Result<T, CompileError> {
    let error = |at, message: String| CompileError { origin: source.origin.to_string(), at, message };
    if is_tera(&source.text) {
        return Err(error(None, TERA_ADVICE.to_owned()));
    }
    result.map_err(|mistake| error(Some(position(&source.text, mistake.at)), mistake.message))
}

fn render_error(failure: Failure) -> RenderError {
    let message = format!("{}: {}", failure.context, failure.message);
    RenderError { template: failure.file, at: Some(failure.at), message: short_line(&message) }
}

/// The text of `bytes` without control characters, with the ranges of its alerts.
fn rendered(bytes: Vec<u8>, alerts: Vec<AlertRange>) -> Rendered {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) if without_controls(&text).is_none() => return Rendered::new(text, alerts),
        Ok(text) => text.into_bytes(),
        Err(error) => error.into_bytes(),
    };
    // A part may become shorter or longer, which moves those after it.
    let mut text = String::with_capacity(bytes.len());
    let mut moved = Vec::with_capacity(alerts.len());
    let mut from = 0;
    for alert in alerts {
        text.push_str(&clean(bytes.get(from..alert.range.start)));
        let start = text.len();
        text.push_str(&clean(bytes.get(alert.range.clone())));
        from = alert.range.end;
        if text.len() > start {
            moved.push(AlertRange { range: start..text.len(), kind: alert.kind });
        }
    }
    text.push_str(&clean(bytes.get(from..)));
    Rendered::new(text, moved)
}

fn clean(bytes: Option<&[u8]>) -> String {
    let text = lossy(bytes.unwrap_or_default().to_vec());
    without_controls(&text).unwrap_or(text)
}
