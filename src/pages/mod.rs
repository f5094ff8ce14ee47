//! The common parts of all web pages: layout, styles, scripts, languages, protective headers and checks of the origin.
//!
//! It knows nothing of the relay. A set of pages brings its templates and its words, and calls [`Pages::html`]:
//!
//! ```text
//! request ─ Visitor::of ─▶ language, theme, root ─┐
//! template, words, view ──────────────────────────┴─ Pages::html ─▶ answer with ETag
//! ```
//!
//! Pages are readable without JavaScript. All links are relative ([`Visitor::root`]), so a page works below any prefix.
//! Every value is escaped by the template engine. A region with `id` and `data-live` is updated by `live.js`, which asks for
//! the same page again.

mod assets;
mod cookies;
mod headers;
mod html;
mod moment;
mod origin;
mod paths;
mod visitor;
mod words;

pub(crate) use self::words::words;
pub use self::{
    assets::{Asset, Assets},
    cookies::cookie,
    headers::{CONTENT_SECURITY_POLICY, protected},
    html::{Frame, Mark, NavItem, Pages},
    moment::{Moment, Moments, span},
    origin::{Foreign, OwnOrigin, SEC_FETCH_SITE, hosts, is_local_host, names_foreign_host},
    paths::{is_page_path, redirect, root_of},
    visitor::{LANGUAGE_COOKIE, THEME_COOKIE, Theme, Visitor},
};
