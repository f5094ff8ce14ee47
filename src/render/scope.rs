//! What filters and functions know beside their arguments, for the length of one render.
//!
//! Held by the thread that renders. Variables of the context were rejected: Tera does not show them to
//! components, where `date` would then silently use another zone, and a template could overwrite them.

use std::{cell::RefCell, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};
use tera::{Error, TeraResult};

use super::alert_marks::AlertMarkers;

/// When a payload is rendered, and for readers in which zone.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The present, for `since`.
    pub now: Timestamp,
    /// The zone of `date`; none for the offset that each time carries.
    pub zone: Option<TimeZone>,
}

/// What is the same for all templates that are rendered with one payload.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) moment: Moment,
    pub(super) markers: AlertMarkers,
    /// `externalURL`
    pub(super) external_url: String,
    /// What `alerts_url()` says.
    pub(super) alerts_url: String,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Scope>>> = const { RefCell::new(None) };
}

/// Ends a scope, also when a render panics.
pub(super) struct Guard(());

impl Drop for Guard {
    fn drop(&mut self) {
        CURRENT.take();
    }
}

/// Begins `scope` for this thread.
pub(super) fn enter(scope: &Arc<Scope>) -> Guard {
    CURRENT.set(Some(Arc::clone(scope)));
    Guard(())
}

/// What `read` finds in the scope of this thread.
pub(super) fn with<T>(read: impl FnOnce(&Scope) -> T) -> TeraResult<T> {
    CURRENT
        .with_borrow(|scope| scope.as_deref().map(read))
        .ok_or_else(|| Error::message("there is no payload here"))
}
