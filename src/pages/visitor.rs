//! The reader of a page, as the request describes it.

use axum::http::{
    HeaderMap,
    header::{ACCEPT_LANGUAGE, IF_NONE_MATCH},
};

use super::{cookies::cookie, paths::root_of};
use crate::language::Language;

/// The cookies that keep the choices of a reader.
pub const LANGUAGE_COOKIE: &str = "wecom_relay_lang";
pub const THEME_COOKIE: &str = "wecom_relay_theme";

/// The colours of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the system of the reader has it.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// Reads `system`, `light` or `dark`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == text)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The reader of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    pub language: Language,
    pub theme: Theme,
    /// The relative path from the page to the root of all pages, such as `../`.
    pub root: String,
    /// The page that the reader is on, relative to the root, with its query.
    pub here: String,
    /// The ETag that the browser has.
    pub(super) known: Option<String>,
}

impl Visitor {
    /// The reader that asks for `path` with `query`.
    pub fn of(headers: &HeaderMap, path: &str, query: Option<&str>) -> Self {
        let chosen = cookie(headers, LANGUAGE_COOKIE, |value| Language::parse(value).is_some());
        let language = chosen.and_then(Language::parse).or_else(|| accepted_language(headers));
        let theme = cookie(headers, THEME_COOKIE, |value| Theme::parse(value).is_some());
        let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let here = path.trim_start_matches('/');
        Self {
            language: language.unwrap_or_default(),
            theme: theme.and_then(Theme::parse).unwrap_or_default(),
            root: root_of(path),
            here: query.map_or_else(|| here.to_owned(), |query| format!("{here}?{query}")),
            known,
        }
    }
}

/// The first language of `Accept-Language`, in its order of preference, that the pages have.
fn accepted_language(headers: &HeaderMap) -> Option<Language> {
    let text = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut ranges: Vec<(f32, Language)> = text.split(',').filter_map(accepted_range).collect();
    // A stable sort keeps the order of equal weights.
    ranges.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    ranges.first().map(|(_, language)| *language)
}

/// A language range with its weight, such as `zh-CN;q=0.9`.
fn accepted_range(range: &str) -> Option<(f32, Language)> {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next()?.to_ascii_lowercase();
    let language = Language::parse(tag.split('-').next()?)?;
    let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok())?;
    (weight > 0.0).then_some((weight, language))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header::COOKIE};

    use super::*;

    fn language(accepted: &'static str, cookie: Option<&'static str>) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(accepted));
        if let Some(cookie) = cookie {
            headers.insert(COOKIE, HeaderValue::from_static(cookie));
        }
        Visitor::of(&headers, "/", None).language
    }

    #[test]
    fn the_best_accepted_language_is_used() {
        assert_eq!(language("zh-CN,zh;q=0.9,en;q=0.8", None), Language::Zh);
        assert_eq!(language("de,en-GB;q=0.3,zh;q=0.7", None), Language::Zh);
        assert_eq!(language("zh;q=0, en;q=0.1", None), Language::En);
        assert_eq!(language("de, fr;q=x, ;;, *", None), Language::En);
    }

    #[test]
    fn a_chosen_language_wins() {
        assert_eq!(language("zh-CN", Some("wecom_relay_lang=en")), Language::En);
        assert_eq!(language("zh-CN", Some("wecom_relay_lang=xx")), Language::Zh);
    }

    #[test]
    fn a_page_knows_its_own_place() {
        let visitor = Visitor::of(&HeaderMap::new(), "/messages/42", Some("a=b"));
        assert_eq!((visitor.root.as_str(), visitor.here.as_str()), ("../", "messages/42?a=b"));
    }
}
