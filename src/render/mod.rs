//! Payload in, text out: templates by name, compiled together, and long text cut into parts.
//!
//! The engine stands behind [`Engine`]; Tera is the first. Compiling at the first use was rejected: a broken
//! template must stop the program at its start, not an alert in the night. What a template can still do wrong at
//! run time is an error with a place, and [`Rendering::fallback`] has a text for that case, always.

mod bidi;
mod border;
mod context;
mod functions;
pub mod samples;
mod scope;
mod split;
mod tera;

use std::{
    borrow::Cow,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use crate::alertmanager::Payload;

pub use bidi::is_bidi_control;
pub use border::Rendered;
pub use functions::go_query_escape;
pub use scope::Moment;
pub use split::{Limits, Markup, PART_BYTES, parts};

use self::{
    border::{Borders, Taken},
    scope::Scope,
    tera::Tera,
};

/// The message that Alertmanager itself would send, byte for byte.
pub const DEFAULT_MESSAGE: &str = "wechat.default.message";
/// One line that stands for a notification in a digest.
pub const DEFAULT_SUMMARY: &str = "wechat.default.summary";

/// The Chinese message that users of Alertmanager's `wechat_configs` know, repaired.
pub const ZH_MESSAGE: &str = "wechat.zh.message";
/// A message in WeCom's markdown.
pub const MARKDOWN_MESSAGE: &str = "wechat.markdown.message";

/// The built-in templates. Each can be overridden by name, and included as `builtin/<name>` even then.
pub const BUILTIN: [(&str, &str); 4] = [
    (DEFAULT_MESSAGE, include_str!("../../templates/wechat.default.message.tera")),
    (DEFAULT_SUMMARY, include_str!("../../templates/wechat.default.summary.tera")),
    (ZH_MESSAGE, include_str!("../../templates/wechat.zh.message.tera")),
    (MARKDOWN_MESSAGE, include_str!("../../templates/wechat.markdown.message.tera")),
];

/// The longest text that a template may write: the built-in message of some 25,000 alerts.
pub const MAX_OUTPUT_BYTES: usize = 8 << 20;
/// As much as most templates write.
const USUAL_OUTPUT_BYTES: usize = 4096;

/// A template to compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source<'a> {
    /// The name by which it is rendered and included.
    pub name: Cow<'a, str>,
    /// Where a person finds it: a path, or a key of the configuration.
    pub origin: Cow<'a, str>,
    /// What it says.
    pub text: Cow<'a, str>,
}

/// The name of a receiver's own template: `receiver/<name>/<field>`.
pub fn receiver_template(receiver: &str, field: &str) -> String {
    format!("receiver/{receiver}/{field}")
}

/// A place in a template, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// Why a template does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CompileError {
    /// Where the template comes from.
    pub origin: String,
    /// Where in it, when that can be said.
    pub at: Option<Position>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{}:{}:{}: {}", self.origin, at.line, at.column, self.message),
            None => write!(f, "{}: {}", self.origin, self.message),
        }
    }
}

/// Why a template failed for one payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RenderError {
    /// The template in which it failed: the rendered one, or one that it includes.
    pub template: String,
    /// Where in it, when that can be said.
    pub at: Option<Position>,
    /// What is wrong, in one line of at most 200 bytes.
    pub message: String,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => {
                write!(f, "{}, line {}, column {}: {}", self.template, at.line, at.column, self.message)
            }
            None => write!(f, "{}: {}", self.template, self.message),
        }
    }
}

/// What a template engine does for this program.
trait Engine: Sized + Send + Sync {
    /// A payload as the engine's templates see it.
    type Context;

    /// Compiles all of `sources`, whose names are unique.
    ///
    /// # Errors
    /// All that is wrong, not only the first.
    fn compile(sources: &[Source<'_>]) -> Result<Self, Vec<CompileError>>;

    /// Prepares a payload, once for all templates that are rendered with it.
    fn context(payload: &Payload, scope: Arc<Scope>) -> Self::Context;

    /// Appends the rendered template to `out`, which gets `max_bytes` at most.
    ///
    /// # Errors
    /// [`RenderError`]; what was written before it stays in `out`.
    fn render(
        &self,
        template: &str,
        context: &Self::Context,
        max_bytes: usize,
        out: &mut String,
    ) -> Result<(), RenderError>;
}

/// Compiled templates.
#[derive(Debug)]
pub struct Templates {
    engine: Tera,
    /// What no border may be, because a template says it.
    taken: Taken,
    fingerprint: u64,
}

impl Templates {
    /// Compiles the built-in templates and `sources`, which override them by name.
    ///
    /// # Errors
    /// All that is wrong with all of them.
    pub fn compile(sources: &[Source<'_>]) -> Result<Self, Vec<CompileError>> {
        let mut all: Vec<Source<'_>> = Vec::with_capacity(sources.len() + 2 * BUILTIN.len());
        let mut doubles = Vec::new();
        for source in sources {
            match all.iter().find(|other| other.name == source.name) {
                None => all.push(source.clone()),
                Some(first) => doubles.push(CompileError {
                    origin: source.origin.to_string(),
                    at: None,
                    message: format!("template `{}` is already defined in {}", source.name, first.origin),
                }),
            }
        }
        for (name, text) in BUILTIN {
            if !all.iter().any(|source| source.name == name) {
                all.push(builtin(name, text));
            }
            all.push(builtin(format!("{BUILTIN_PREFIX}{name}"), text));
        }
        let mut hasher = DefaultHasher::new();
        all.iter().for_each(|source| (&source.name, &source.text).hash(&mut hasher));
        let fingerprint = hasher.finish();
        let mut taken = Taken::default();
        all.iter().for_each(|source| taken.note(&source.text));
        match Tera::compile(&all) {
            Ok(engine) if doubles.is_empty() => Ok(Self { engine, taken, fingerprint }),
            Ok(_) => Err(doubles),
            Err(errors) => Err(doubles.into_iter().chain(errors).collect()),
        }
    }

    /// Differs when a template has another name or text; within one process.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Prepares `payload`, once for all templates that are rendered with it at `moment`.
    pub fn with(&self, payload: &Payload, moment: &Moment) -> Rendering<'_> {
        let mut taken = self.taken;
        taken.note_payload(payload);
        let borders = Borders::free(taken);
        let alerts_url = functions::alerts_url(payload);
        let external_url = payload.external_url.clone();
        let scope = Arc::new(Scope { moment: moment.clone(), borders, external_url, alerts_url });
        Rendering { engine: &self.engine, context: Tera::context(payload, Arc::clone(&scope)), scope }
    }
}

const BUILTIN_PREFIX: &str = "builtin/";

fn builtin<'a>(name: impl Into<Cow<'a, str>>, text: &'a str) -> Source<'a> {
    let name = name.into();
    Source { origin: Cow::Owned(format!("{name} (built in)")), name, text: Cow::Borrowed(text) }
}

/// A payload that is ready to be rendered.
#[derive(Debug)]
pub struct Rendering<'a> {
    engine: &'a Tera,
    context: <Tera as Engine>::Context,
    scope: Arc<Scope>,
}

impl Rendering<'_> {
    /// The text that the template of this name makes of the payload.
    ///
    /// # Errors
    /// [`RenderError`] when the template fails, is not there, or writes more than [`MAX_OUTPUT_BYTES`].
    pub fn render(&self, template: &str) -> Result<String, RenderError> {
        self.message(template).map(Rendered::into_text)
    }

    /// The same, with what [`parts`] has to know about it.
    ///
    /// # Errors
    /// As of [`Self::render`].
    pub fn message(&self, template: &str) -> Result<Rendered, RenderError> {
        let mut text = String::with_capacity(USUAL_OUTPUT_BYTES);
        self.engine.render(template, &self.context, MAX_OUTPUT_BYTES, &mut text)?;
        if text.contains('\0') {
            // PostgreSQL cannot store U+0000 in a text. A payload has none, but a template can.
            text = text.replace('\0', "\u{fffd}");
        }
        Ok(self.scope.borders.read(text))
    }

    /// The text of the built-in `wechat.default.message`, for when another template failed. Overrides do not
    /// change it, and it cannot fail: a text over [`MAX_OUTPUT_BYTES`] is cut.
    pub fn fallback(&self) -> Rendered {
        self.whatever(DEFAULT_MESSAGE)
    }

    /// The text of the built-in `wechat.default.summary`, likewise.
    pub fn fallback_summary(&self) -> String {
        self.whatever(DEFAULT_SUMMARY).into_text()
    }

    /// Where a browser shows all alerts of the notification; empty when the payload does not say.
    pub fn alerts_url(&self) -> &str {
        &self.scope.alerts_url
    }

    fn whatever(&self, name: &str) -> Rendered {
        let mut text = String::with_capacity(USUAL_OUTPUT_BYTES);
        let name = format!("{BUILTIN_PREFIX}{name}");
        let result = self.engine.render(&name, &self.context, MAX_OUTPUT_BYTES, &mut text);
        self.scope.borders.read(if result.is_ok() { text } else { text + "…" })
    }
}

#[cfg(test)]
mod tests;
