//! Counts the token refreshes of an app.

use std::sync::Arc;

use crate::{
    metrics::Metrics,
    wecom::token::{RefreshResult, TokenObserver},
};

/// Counts each `gettoken` call of one app by its result.
#[derive(Debug)]
pub(super) struct RefreshCounter {
    pub(super) metrics: Arc<Metrics>,
    pub(super) app: String,
}

impl TokenObserver for RefreshCounter {
    fn token_refreshed(&self, result: RefreshResult) {
        let result = match result {
            RefreshResult::Granted => "ok",
            RefreshResult::Rejected => "refused",
            RefreshResult::Failed => "failed",
        };
        self.metrics.token_refreshed(&self.app, result);
    }
}
