//! Values that filters and functions use beside their arguments while one payload is rendered.
//!
//! They are in a variable of the rendering thread. Tera hides the variables of a template from components, where
//! `date` would then use another zone, and a template could overwrite them.

use std::{cell::RefCell, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};
use tera::{Error, TeraResult};

use super::{alert_marks::AlertMarkers, headline::Headline};
use crate::language::Language;

/// The time at which a payload is rendered, and how a receiver reads times and words.
#[derive(Debug, Clone)]
pub struct RenderTime {
    /// The present, for `since`.
    pub now: Timestamp,
    /// The zone of `date`.
    pub zone: TimeZone,
    /// The language of words that the relay writes.
    pub language: Language,
}

/// Values that are the same for all templates of one payload.
#[derive(Debug)]
pub(super) struct RenderContext {
    pub(super) time: RenderTime,
    pub(super) markers: AlertMarkers,
    pub(super) headline: Headline,
    /// The payload's `externalURL`.
    pub(super) external_url: String,
    /// The result of `alerts_url()`.
    pub(super) alerts_url: String,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<RenderContext>>> = const { RefCell::new(None) };
}

/// Removes the context from the thread, also when a render panics.
pub(super) struct Guard(());

impl Drop for Guard {
    fn drop(&mut self) {
        CURRENT.take();
    }
}

/// Makes `context` current in this thread until the guard is dropped.
pub(super) fn enter(context: &Arc<RenderContext>) -> Guard {
    CURRENT.set(Some(Arc::clone(context)));
    Guard(())
}

/// Reads the current context. Outside of a render it is an error.
pub(super) fn with<T>(read: impl FnOnce(&RenderContext) -> T) -> TeraResult<T> {
    CURRENT
        .with_borrow(|context| context.as_deref().map(read))
        .ok_or_else(|| Error::message("there is no payload to render"))
}
