//! Compiled templates, and the texts that they make of a payload.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use super::{
    alert_marks::{AlertMarkers, UsedChars},
    engine::TeraEngine,
    error::{CompileError, MAX_OUTPUT_BYTES, RenderError},
    functions::alerts_url,
    go::{GoEngine, GoPayload},
    headline::Headline,
    render_context::{RenderContext, RenderTime},
    rendered::Rendered,
    shared::shared_labels,
    sources::{
        BUILTIN, DEFAULT_SUMMARY, Source, TemplateLanguage, builtin_name, default_message,
        is_receiver_template,
    },
    variables::variables,
};
use crate::{
    alertmanager::Payload,
    language::Language,
    text::{ELLIPSIS, without_controls},
};

/// Most templates write less.
const USUAL_OUTPUT_BYTES: usize = 4096;

/// All templates of a configuration and the built-in ones.
#[derive(Debug)]
pub struct Templates {
    tera: TeraEngine,
    go: GoEngine,
    used_chars: UsedChars,
    fingerprint: u64,
}

impl Templates {
    /// Compiles the built-in templates and `sources`, which override them by name. Templates of different languages do
    /// not see each other.
    ///
    /// # Errors
    /// Every mistake in every template of Tera, and the first one in each Go template.
    pub fn compile(sources: &[Source<'_>]) -> Result<Self, Vec<CompileError>> {
        let mut all: Vec<Source<'_>> = Vec::with_capacity(sources.len() + 2 * BUILTIN.len());
        let mut errors = Vec::new();
        for source in sources.iter().filter(|source| source.language == TemplateLanguage::Tera) {
            match all.iter().find(|other| other.name == source.name) {
                None => all.push(source.clone()),
                Some(first) => errors.push(CompileError {
                    origin: source.origin.to_string(),
                    at: None,
                    message: format!("template `{}` is already defined in {}", source.name, first.origin),
                }),
            }
        }
        for (name, text) in BUILTIN {
            if !all.iter().any(|source| source.name == name) {
                all.push(Source::builtin(name, text));
            }
            all.push(Source::builtin(builtin_name(name), text));
        }
        let go: Vec<&Source<'_>> =
            sources.iter().filter(|source| source.language == TemplateLanguage::Go).collect();
        let mut hasher = DefaultHasher::new();
        let mut used_chars = UsedChars::default();
        for source in all.iter().chain(go.iter().copied()) {
            (&source.name, &source.text, source.language).hash(&mut hasher);
            used_chars.add(&source.text);
        }
        let (go_texts, go_files): (Vec<_>, Vec<_>) =
            go.into_iter().partition(|source| is_receiver_template(&source.name));
        let (tera, go) = (TeraEngine::compile(&all), GoEngine::compile(&go_files, &go_texts));
        match (tera, go) {
            (Ok(tera), Ok(go)) if errors.is_empty() => {
                Ok(Self { tera, go, used_chars, fingerprint: hasher.finish() })
            }
            (tera, go) => {
                errors.extend(tera.err().unwrap_or_default());
                errors.extend(go.err().unwrap_or_default());
                Err(errors)
            }
        }
    }

    /// Another number if any template has another name or text. Only comparable within one process.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// [`Self::values`] and [`Self::rendering`].
    pub fn with(&self, payload: &Payload, time: &RenderTime) -> Rendering<'_> {
        self.rendering(self.values(payload, time))
    }

    pub fn rendering(&self, values: RenderValues) -> Rendering<'_> {
        Rendering { tera: &self.tera, go: &self.go, values }
    }

    /// Prepares `payload` once for all templates that are rendered with it.
    pub fn values(&self, payload: &Payload, time: &RenderTime) -> RenderValues {
        let mut used_chars = self.used_chars;
        used_chars.add_payload(payload);
        let shared_labels = shared_labels(payload);
        let context = RenderContext {
            time: time.clone(),
            headline: Headline::of(payload, &shared_labels),
            markers: AlertMarkers::unused(used_chars),
            external_url: payload.external_url.clone(),
            alerts_url: alerts_url(payload),
        };
        let variables = Arc::new(variables(payload, &shared_labels, time.language));
        let go = (!self.go.is_empty()).then(|| GoPayload::of(payload, time));
        RenderValues { variables, go, context: Arc::new(context) }
    }
}

/// A payload that is ready to be rendered.
#[derive(Debug)]
pub struct Rendering<'a> {
    tera: &'a TeraEngine,
    go: &'a GoEngine,
    values: RenderValues,
}

/// The values of a payload for templates. They may need more memory than the payload. Clones share them.
#[derive(Debug, Clone)]
pub struct RenderValues {
    variables: Arc<tera::Context>,
    /// `None` if there is no Go template.
    go: Option<GoPayload>,
    context: Arc<RenderContext>,
}

impl Rendering<'_> {
    /// Renders a template to plain text.
    ///
    /// # Errors
    /// [`RenderError`] if the template fails, does not exist, or writes more than [`MAX_OUTPUT_BYTES`].
    pub fn render(&self, template: &str) -> Result<String, RenderError> {
        self.message(template).map(Rendered::into_text)
    }

    /// Renders a template to a text that [`parts`](super::parts) can split between alerts.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn message(&self, template: &str) -> Result<Rendered, RenderError> {
        if let Some(payload) = &self.values.go
            && self.go.has(template)
        {
            return self.go.render(template, payload);
        }
        let mut text = String::with_capacity(USUAL_OUTPUT_BYTES);
        self.write(template, &mut text)?;
        // A parsed payload has no control characters, but a template can write some. WeCom refuses a few of them, and
        // PostgreSQL cannot store U+0000.
        if let Some(clean) = without_controls(&text) {
            text = clean;
        }
        Ok(self.values.context.markers.read(text))
    }

    /// The built-in text in the language of the receiver, for use after another template failed.
    ///
    /// Overrides do not change it. It cannot fail: a text over [`MAX_OUTPUT_BYTES`] is cut.
    pub fn fallback(&self) -> Rendered {
        self.builtin(default_message(self.language()))
    }

    /// The built-in `wechat.default.summary`, for use after another template failed.
    pub fn fallback_summary(&self) -> String {
        self.builtin(DEFAULT_SUMMARY).into_text()
    }

    /// The language of words that the relay writes.
    pub fn language(&self) -> Language {
        self.values.context.time.language
    }

    /// A page with all alerts of the notification; empty if the payload names no address.
    pub fn alerts_url(&self) -> &str {
        &self.values.context.alerts_url
    }

    fn builtin(&self, name: &str) -> Rendered {
        let mut text = String::with_capacity(USUAL_OUTPUT_BYTES);
        if self.write(&builtin_name(name), &mut text).is_err() {
            text.push_str(ELLIPSIS);
        }
        self.values.context.markers.read(text)
    }

    fn write(&self, template: &str, out: &mut String) -> Result<(), RenderError> {
        self.tera.render(template, &self.values.variables, &self.values.context, MAX_OUTPUT_BYTES, out)
    }
}
