//! The events that the rest of the program records.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    labels::{
        Attempted, ByAction, ByApp, ByReceiver, CalledBack, HELD_REASONS, Held, Invalid, PressResult,
        Pressed, Received, Repaired, Settled,
    },
    registry::Metrics,
};

impl Metrics {
    /// Records a start or reload of the configuration.
    pub fn reloaded(&self, ok: bool, now: Timestamp) {
        self.reloaded.set(i64::from(ok));
        if ok {
            self.reloaded_at.set(now.as_duration().as_secs_f64());
        }
    }

    /// Records a webhook request. `result` is one of [`super::RESULTS`], or one of
    /// [`super::RESULTS_WITHOUT_RECEIVER`] with an empty `receiver`.
    pub fn received(&self, receiver: &str, result: &'static str) {
        self.received.get_or_create(&Received::new(receiver, result)).inc();
    }

    /// Records a webhook with an odd value of this kind.
    pub fn repaired(&self, kind: &'static str) {
        self.repaired.get_or_create(&Repaired { kind }).inc();
    }

    pub fn unauthorized(&self) {
        self.unauthorized.inc();
    }

    /// Records a change by the console. `action` is one of [`super::CONSOLE_ACTIONS`].
    pub fn console_changed(&self, action: &'static str) {
        self.console_changes.get_or_create(&ByAction { action }).inc();
    }

    /// Records a press of a button that was handled. `action` is one of [`super::PRESS_ACTIONS`].
    pub fn pressed(&self, action: &'static str, result: PressResult) {
        self.presses.get_or_create(&Pressed { action, result: result.name() }).inc();
    }

    pub fn forbidden(&self) {
        self.forbidden.inc();
    }

    /// Records a request of the callback. `result` is one of [`super::CALLBACK_RESULTS`], or one of
    /// [`super::CALLBACK_RESULTS_WITHOUT_APP`] with an empty `app`.
    pub fn called_back(&self, app: &str, result: &'static str) {
        self.callbacks.get_or_create(&CalledBack { app: app.to_owned(), result }).inc();
    }

    /// Records that a template of `receiver` failed and the built-in one was used.
    pub fn template_fell_back(&self, receiver: &str) {
        self.template_fallbacks.get_or_create(&ByReceiver::new(receiver)).inc();
    }

    /// Records a finished attempt. `errcode` must come from a fixed list, [`super::NO_ERRCODE`] or
    /// [`super::OTHER_ERRCODE`].
    pub fn attempted(&self, app: &str, errcode: String, duration: Duration) {
        self.attempts.get_or_create(&Attempted::new(app, errcode)).inc();
        self.requests.get_or_create(&ByApp::new(app)).observe(duration.as_secs_f64());
    }

    /// Records a delivered delivery, `latency` after its acceptance.
    pub fn delivered(&self, receiver: &str, latency: Duration) {
        self.settled.get_or_create(&Settled::delivered(receiver)).inc();
        self.latency.get_or_create(&ByReceiver::new(receiver)).observe(latency.as_secs_f64());
    }

    /// Records dead letters. `reason` is one of [`super::DEAD_REASONS`].
    pub fn dead_letters(&self, receiver: &str, reason: &'static str, deliveries: usize) {
        self.settled.get_or_create(&Settled::dead(receiver, reason)).inc_by(deliveries as u64);
    }

    /// Records that `app` is held for one of [`HELD_REASONS`], or that it is not held.
    pub fn held(&self, app: &str, reason: Option<&'static str>) {
        for each in HELD_REASONS {
            let held = reason == Some(each);
            self.held.get_or_create(&Held::new(app, each)).set(i64::from(held));
        }
    }

    /// Records how long a delivery at the head of its queue waited for the rate limiter.
    pub fn rate_limit_wait(&self, app: &str, wait: Duration) {
        self.rate_limit_waits.get_or_create(&ByApp::new(app)).observe(wait.as_secs_f64());
    }

    pub fn folded(&self, app: &str, notifications: usize) {
        self.folded.get_or_create(&ByApp::new(app)).inc_by(count(notifications));
    }

    /// Records recipients that did not get an accepted message. `kind` is one of [`super::INVALID_KINDS`].
    pub fn invalid(&self, app: &str, kind: &'static str, recipients: usize) {
        self.invalid.get_or_create(&Invalid::new(app, kind)).inc_by(count(recipients));
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
