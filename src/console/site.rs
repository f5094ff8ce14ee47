//! The navigation of the console.

use super::words::Words;
use crate::pages::NavItem;

pub(super) const NAME: &str = "wecom-relay";

/// The page that the reader is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Messages,
    Templates,
    Setup,
}

pub(super) fn nav(words: &Words, place: Place) -> Vec<NavItem> {
    let item = |path, name, of| NavItem { path, name, is_current: of == place };
    vec![
        item("", words.overview, Place::Overview),
        item("messages", words.messages, Place::Messages),
        item("templates", words.templates, Place::Templates),
        item("setup", words.setup, Place::Setup),
    ]
}
