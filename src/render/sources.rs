//! The built-in templates, and templates to compile.

use std::{borrow::Cow, ffi::OsStr, path::Path};

use crate::language::Language;

/// The message that Alertmanager itself would send, byte for byte.
pub const DEFAULT_MESSAGE: &str = "wechat.default.message";
/// The line of a notification in a digest.
pub const DEFAULT_SUMMARY: &str = "wechat.default.summary";
/// The text in Chinese.
pub const ZH_MESSAGE: &str = "wechat.zh.message";
/// The description of a textcard.
pub const TEXTCARD_DESCRIPTION: &str = "wechat.textcard.description";
/// The sub_title_text of a template_card.
pub const TEMPLATE_CARD_SUB_TITLE: &str = "wechat.template_card.sub_title";
/// A message in WeCom's markdown.
pub const MARKDOWN_MESSAGE: &str = "wechat.markdown.message";
/// A message in the markdown of robots, with tables and lists.
pub const MARKDOWN_V2_MESSAGE: &str = "wechat.markdown_v2.message";

/// The name and the text of each built-in template. A template of the same name overrides it, and
/// [`builtin_name`] still includes it.
pub const BUILTIN: [(&str, &str); 7] = [
    (DEFAULT_MESSAGE, include_str!("../../templates/wechat.default.message.tera")),
    (DEFAULT_SUMMARY, include_str!("../../templates/wechat.default.summary.tera")),
    (ZH_MESSAGE, include_str!("../../templates/wechat.zh.message.tera")),
    (MARKDOWN_MESSAGE, include_str!("../../templates/wechat.markdown.message.tera")),
    (MARKDOWN_V2_MESSAGE, include_str!("../../templates/wechat.markdown_v2.message.tera")),
    (TEXTCARD_DESCRIPTION, include_str!("../../templates/wechat.textcard.description.tera")),
    (TEMPLATE_CARD_SUB_TITLE, include_str!("../../templates/wechat.template_card.sub_title.tera")),
];

/// The text that a receiver gets by default.
pub fn default_message(language: Language) -> &'static str {
    language.choose(DEFAULT_MESSAGE, ZH_MESSAGE)
}

/// The language of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TemplateLanguage {
    /// Tera 2.
    #[default]
    Tera,
    /// Go's text/template as Alertmanager has it.
    Go,
}

impl TemplateLanguage {
    /// The languages by the names that the configuration has for them.
    const NAMES: [(&str, Self); 2] = [("tera", Self::Tera), ("go", Self::Go)];

    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, language)| language)
    }

    /// The language of a file, by the ending of its name.
    pub fn of_file(path: &Path) -> Self {
        match path.extension().and_then(OsStr::to_str) {
            Some("tmpl" | "tpl") => Self::Go,
            _ => Self::Tera,
        }
    }
}

/// A template to compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source<'a> {
    /// The name by which it is rendered and included.
    pub name: Cow<'a, str>,
    /// A path, or a key of the configuration.
    pub origin: Cow<'a, str>,
    pub text: Cow<'a, str>,
    pub language: TemplateLanguage,
}

impl<'a> Source<'a> {
    pub(super) fn builtin(name: impl Into<Cow<'a, str>>, text: &'a str) -> Self {
        let name = name.into();
        let origin = Cow::Owned(format!("{name} (built in)"));
        Self { name, origin, text: Cow::Borrowed(text), language: TemplateLanguage::Tera }
    }
}

const RECEIVER_PREFIX: &str = "receiver/";

/// The name of a receiver's own template: `receiver/<name>/<field>`.
pub fn receiver_template(receiver: &str, field: &str) -> String {
    format!("{RECEIVER_PREFIX}{receiver}/{field}")
}

/// True for a name of [`receiver_template`]. The name of a file has no slash.
pub(super) fn is_receiver_template(name: &str) -> bool {
    name.starts_with(RECEIVER_PREFIX)
}

/// The second name of a built-in template, which an override does not replace: `builtin/<name>`.
pub(super) fn builtin_name(name: &str) -> String {
    format!("builtin/{name}")
}
