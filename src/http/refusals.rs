//! The last webhooks that were refused, for operators. They are in memory only.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use axum::{extract::ConnectInfo, http::Extensions};
use jiff::Timestamp;

use super::answer::Rejection;
use crate::telemetry::clip;

const KEPT: usize = 50;

/// The last webhooks that were answered with 4xx, which their senders do not repeat.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    count: u64,
    last: VecDeque<RefusedRequest>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRequest {
    /// Wall-clock time.
    pub at: Timestamp,
    pub peer: String,
    pub path: String,
    pub status: u16,
    pub answer: String,
}

/// The refused webhooks since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalCounts {
    pub count: u64,
    /// The last ones, the latest first.
    pub last: Vec<RefusedRequest>,
}

impl Refusals {
    /// Keeps a rejection, unless it asks the sender to try again.
    pub(super) fn record(&self, at: Timestamp, peer: Option<SocketAddr>, path: &str, rejection: &Rejection) {
        let status = rejection.status();
        if !status.is_client_error() {
            return;
        }
        let request = RefusedRequest {
            at,
            peer: peer.map(|peer| peer.ip().to_string()).unwrap_or_default(),
            path: clip(path).to_owned(),
            status: status.as_u16(),
            answer: clip(&rejection.to_string()).to_owned(),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.count += 1;
        kept.last.truncate(KEPT - 1);
        kept.last.push_front(request);
    }

    pub fn counts(&self) -> RefusalCounts {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        RefusalCounts { count: kept.count, last: kept.last.iter().cloned().collect() }
    }
}

/// The address of the client.
pub(super) fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::answer::PathHint;

    #[test]
    fn the_last_refusals_are_kept() {
        let refusals = Refusals::default();
        for number in 0..KEPT + 7 {
            let rejection = Rejection::UnknownPath(PathHint::Webhook);
            refusals.record(Timestamp::UNIX_EPOCH, None, &format!("/{number}"), &rejection);
        }
        refusals.record(Timestamp::UNIX_EPOCH, None, "/webhook", &Rejection::Overloaded);
        let counts = refusals.counts();
        assert_eq!((counts.count, counts.last.len()), (57, KEPT));
        assert_eq!((counts.last[0].path.as_str(), counts.last[0].status), ("/56", 404));
    }
}
