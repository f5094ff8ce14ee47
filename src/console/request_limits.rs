//! Limits for the requests of one reader, so that a script without pauses slows nobody down.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::http::{Method, Request};
use tokio::time::Instant;

use super::reader_key::ReaderKey;

/// Requests of a kind share a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RequestKind {
    Read,
    /// A draft is rendered in a process of its own.
    Render,
    Change,
}

/// The paths that render a draft.
const RENDER: [&str; 3] = ["/templates", "/templates/confirm", "/api/v1/render"];

/// A rate, and the number of requests that may come at once.
struct Rate {
    interval: Duration,
    burst: u32,
}

impl RequestKind {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        match *request.method() {
            Method::GET | Method::HEAD => Self::Read,
            _ if RENDER.contains(&request.uri().path()) => Self::Render,
            _ => Self::Change,
        }
    }

    fn rate(self) -> Rate {
        let (per_second, burst) = match self {
            Self::Read => (20, 40),
            Self::Render => (4, 8),
            Self::Change => (2, 10),
        };
        Rate { interval: Duration::from_secs(1) / per_second, burst }
    }
}

/// The recent requests of all readers.
///
/// The generic cell rate algorithm: each request moves the theoretical time of the next one by an interval, and a request
/// may come as early as the burst allows.
#[derive(Debug, Default)]
pub(super) struct RequestLimits(Mutex<BTreeMap<(ReaderKey, RequestKind), Instant>>);

impl RequestLimits {
    /// Counts a request of `reader`, or returns the time until the next one is allowed.
    pub(super) fn take(&self, reader: &ReaderKey, kind: RequestKind) -> Result<(), Duration> {
        let (now, Rate { interval, burst }) = (Instant::now(), kind.rate());
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A reader whose time has passed has the whole burst again.
        next.retain(|_, next| *next > now);
        let own = next.entry((reader.clone(), kind)).or_insert(now);
        let ahead = own.duration_since(now) + interval;
        match ahead.checked_sub(interval * burst) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *own = now + ahead;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    fn session(name: &str) -> ReaderKey {
        ReaderKey::Session(name.to_owned())
    }

    /// The number of requests that are allowed at once.
    fn allowed(limits: &RequestLimits, reader: &str, kind: RequestKind) -> usize {
        (0..100).filter(|_| limits.take(&session(reader), kind).is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_has_a_burst_and_then_a_rate() {
        let limits = RequestLimits::default();
        for (kind, burst, rate) in
            [(RequestKind::Read, 40, 20), (RequestKind::Render, 8, 4), (RequestKind::Change, 10, 2)]
        {
            assert_eq!(allowed(&limits, "a", kind), burst);
            assert_eq!(allowed(&limits, "b", kind), burst, "readers do not share");
            sleep(Duration::from_secs(1)).await;
            assert_eq!(allowed(&limits, "a", kind), rate);
            sleep(Duration::from_secs(60)).await;
            assert_eq!(allowed(&limits, "a", kind), burst);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_request_may_come_after_its_wait() {
        let limits = RequestLimits::default();
        allowed(&limits, "a", RequestKind::Change);
        let wait = limits.take(&session("a"), RequestKind::Change).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        sleep(wait).await;
        assert_eq!(limits.take(&session("a"), RequestKind::Change), Ok(()));
    }

    #[test]
    fn a_draft_has_a_limit_of_its_own() {
        let kind =
            |method, path| RequestKind::of(&Request::builder().method(method).uri(path).body(()).unwrap());
        assert_eq!(kind(Method::GET, "/templates?receiver=a"), RequestKind::Read);
        assert_eq!(kind(Method::POST, "/templates?receiver=a"), RequestKind::Render);
        assert_eq!(kind(Method::POST, "/api/v1/render"), RequestKind::Render);
        assert_eq!(kind(Method::POST, "/templates/send"), RequestKind::Change);
    }
}
