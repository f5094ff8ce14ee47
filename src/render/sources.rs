//! The built-in templates, and templates to compile.

use std::borrow::Cow;

/// The message that Alertmanager itself would send, byte for byte.
pub const DEFAULT_MESSAGE: &str = "wechat.default.message";
/// The line of a notification in a digest.
pub const DEFAULT_SUMMARY: &str = "wechat.default.summary";
/// The Chinese message that users of Alertmanager's `wechat_configs` know, corrected.
pub const ZH_MESSAGE: &str = "wechat.zh.message";
/// A message in WeCom's markdown.
pub const MARKDOWN_MESSAGE: &str = "wechat.markdown.message";

/// The name and the text of each built-in template. A template of the same name overrides it, and
/// [`builtin_name`] still includes it.
pub const BUILTIN: [(&str, &str); 4] = [
    (DEFAULT_MESSAGE, include_str!("../../templates/wechat.default.message.tera")),
    (DEFAULT_SUMMARY, include_str!("../../templates/wechat.default.summary.tera")),
    (ZH_MESSAGE, include_str!("../../templates/wechat.zh.message.tera")),
    (MARKDOWN_MESSAGE, include_str!("../../templates/wechat.markdown.message.tera")),
];

/// A template to compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source<'a> {
    /// The name by which it is rendered and included.
    pub name: Cow<'a, str>,
    /// A path, or a key of the configuration.
    pub origin: Cow<'a, str>,
    pub text: Cow<'a, str>,
}

impl<'a> Source<'a> {
    pub(super) fn builtin(name: impl Into<Cow<'a, str>>, text: &'a str) -> Self {
        let name = name.into();
        Self { origin: Cow::Owned(format!("{name} (built in)")), name, text: Cow::Borrowed(text) }
    }
}

/// The name of a receiver's own template: `receiver/<name>/<field>`.
pub fn receiver_template(receiver: &str, field: &str) -> String {
    format!("receiver/{receiver}/{field}")
}

/// The second name of a built-in template, which an override does not replace: `builtin/<name>`.
pub(super) fn builtin_name(name: &str) -> String {
    format!("builtin/{name}")
}
