//! Renders pages, each in the common layout.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG},
    },
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tera::{Context, Kwargs, State as TemplateState, Tera};

use super::{assets::Assets, visitor::Visitor};
use crate::text::percent_encode;

const LAYOUT: [(&str, &str); 2] =
    [("layout.html", include_str!("layout.html")), ("parts.html", include_str!("parts.html"))];

/// The templates of one set of pages, and its files.
#[derive(Debug)]
pub struct Pages {
    tera: Tera,
    pub assets: Assets,
}

/// The sign in the title and in the tab of the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Ok,
    Warn,
    Bad,
}

impl Mark {
    /// The name of the picture in the tab.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A link of the navigation.
#[derive(Debug, Clone, Serialize)]
pub struct NavItem {
    /// Relative to the root.
    pub path: &'static str,
    pub name: &'static str,
    pub is_current: bool,
}

/// The parts of a page around its content.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The name of the site, at the end of the title.
    pub site: &'static str,
    pub title: String,
    /// The number of things that need a person, at the start of the title.
    pub count: usize,
    pub mark: Mark,
    pub nav: Vec<NavItem>,
    /// The reader's role, if the reader has a session that can be ended.
    pub role: Option<&'static str>,
    /// The form token; empty if the page has no form.
    pub token: String,
    pub now: Timestamp,
}

#[derive(Serialize)]
struct Page<'a> {
    site: &'a str,
    title: &'a str,
    count: usize,
    mark: &'static str,
    nav: &'a [NavItem],
    role: Option<&'a str>,
    token: &'a str,
    now_ms: i64,
    lang: &'static str,
    is_chinese: bool,
    theme: &'static str,
    root: &'a str,
    here: &'a str,
    assets: &'a str,
}

impl Pages {
    /// Compiles `templates`, which may extend `layout.html` and use the components of `parts.html`.
    ///
    /// # Errors
    /// A template is wrong.
    pub fn new(templates: &[(&'static str, &'static str)], assets: Assets) -> Result<Self, tera::Error> {
        let mut tera = Tera::new();
        tera.autoescape_on([".html"]);
        tera.register_filter("urlencode", |text: &str, _: Kwargs, _: &TemplateState<'_>| {
            percent_encode(text)
        });
        tera.add_raw_templates(LAYOUT.iter().chain(templates).copied())?;
        Ok(Self { tera, assets })
    }

    /// The page `template`. It sees `page`, the words `w` and the `view`. Answers 304 if the browser has it already: times
    /// that only grow older do not count, because scripts update them.
    pub fn html(
        &self,
        template: &str,
        visitor: &Visitor,
        frame: &Frame,
        words: &impl Serialize,
        view: &impl Serialize,
    ) -> Response {
        let text = match self.render(template, visitor, frame, words, view) {
            Ok(text) => text,
            Err(error) => {
                tracing::error!(%error, template, "a page cannot be rendered; please report it");
                return (StatusCode::INTERNAL_SERVER_ERROR, "this page cannot be shown; the log says why\n")
                    .into_response();
            }
        };
        let etag = etag(&text, frame.now);
        // Only scripts use the ETag. A browser must not keep a page, because others may use it after a log-out.
        let caching = [(ETAG, etag.clone()), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        if visitor.known.as_deref().is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        let content_type = [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
        (caching, content_type, text).into_response()
    }

    fn render(
        &self,
        template: &str,
        visitor: &Visitor,
        frame: &Frame,
        words: &impl Serialize,
        view: &impl Serialize,
    ) -> Result<String, tera::Error> {
        let page = Page {
            site: frame.site,
            title: &frame.title,
            count: frame.count,
            mark: frame.mark.name(),
            nav: &frame.nav,
            role: frame.role,
            token: &frame.token,
            now_ms: frame.now.as_millisecond(),
            lang: visitor.language.choose("en", "zh-CN"),
            is_chinese: visitor.language.choose(false, true),
            theme: visitor.theme.name(),
            root: &visitor.root,
            here: &visitor.here,
            assets: self.assets.version(),
        };
        let mut context = Context::new();
        context.insert("page", &page);
        context.insert("w", words);
        context.insert("view", view);
        self.tera.render(template, &context)
    }
}

/// Identifies the text of a page without what changes with each second: the texts of its times, and the present time.
fn etag(text: &str, now: Timestamp) -> HeaderValue {
    let text = text.replacen(&now.as_millisecond().to_string(), "", 1);
    let mut pieces = text.split("<time ");
    let mut hash = Sha256::new();
    hash.update(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (tag, rest) = piece.split_once('>').unwrap_or((piece, ""));
        let (_, after) = rest.split_once("</time>").unwrap_or(("", rest));
        hash.update(tag);
        hash.update(after);
    }
    let hex: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_texts_of_times_do_not_change_an_etag() {
        let page = |now: i64, iso: &str, ago: &str, more: &str| {
            let text = format!("<body data-now={now}><p>at <time datetime=\"{iso}\">{ago}</time>{more}</p>");
            etag(&text, Timestamp::from_millisecond(now).unwrap())
        };
        assert_eq!(page(1_795_248_000_000, "1", "2 s ago", ""), page(1_795_248_000_007, "1", "4 s ago", ""));
        assert_ne!(page(7, "1", "2 s ago", ""), page(7, "2", "2 s ago", ""));
        assert_ne!(page(7, "1", "2 s ago", ""), page(7, "1", "2 s ago", "!"));
    }
}
