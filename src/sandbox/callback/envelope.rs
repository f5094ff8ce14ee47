//! Requests to the server of an app: encrypted, signed, with all values in the query.

use jiff::Timestamp;
use rand::{Rng, RngExt};

use super::cipher::signature;
use super::event::{CardEvent, text};
use super::registry::Callback;
use crate::text::percent_encode;

/// A POST with an event.
#[derive(Debug, Clone)]
pub(super) struct EventRequest {
    pub(super) url: String,
    pub(super) body: String,
}

impl EventRequest {
    pub(super) fn new(callback: &Callback, event: &CardEvent, now: Timestamp, rng: &mut impl Rng) -> Self {
        let encrypted = callback.aes_key().encrypt(rng.random(), &event.xml(), &event.corp_id);
        let query = SignedQuery::new(callback, &encrypted, now, rng);
        let url = with_query(callback.url(), &query.text());
        let mut elements = [
            text("ToUserName", &event.corp_id),
            text("AgentID", &event.agent_id.to_string()),
            text("Encrypt", &encrypted),
        ];
        // WeCom does not promise an order.
        elements.rotate_left(rng.random_range(0..3));
        Self { url, body: format!("<xml>{}</xml>", elements.concat()) }
    }

    /// The same request with a signature that does not fit.
    pub(super) fn with_wrong_signature(mut self) -> Self {
        const MARK: &str = "msg_signature=";
        let digit = self.url.find(MARK).map(|at| at + MARK.len());
        if let Some((at, digit)) = digit.and_then(|at| Some((at, self.url.get(at..=at)?.to_owned()))) {
            self.url.replace_range(at..=at, if digit == "0" { "1" } else { "0" });
        }
        self
    }
}

/// The URL of a verification, and the body of the answer that WeCom expects.
pub(super) struct VerificationRequest {
    pub(super) url: String,
    pub(super) expected: String,
}

impl VerificationRequest {
    pub(super) fn new(callback: &Callback, corp_id: &str, now: Timestamp, rng: &mut impl Rng) -> Self {
        let expected = rng.random_range(1_u64 << 60..1 << 63).to_string();
        let encrypted = callback.aes_key().encrypt(rng.random(), &expected, corp_id);
        let query = SignedQuery::new(callback, &encrypted, now, rng).text();
        let query = format!("{query}&echostr={}", percent_encode(&encrypted));
        Self { url: with_query(callback.url(), &query), expected }
    }
}

struct SignedQuery {
    signature: String,
    timestamp: String,
    nonce: String,
}

impl SignedQuery {
    fn new(callback: &Callback, encrypted: &str, now: Timestamp, rng: &mut impl Rng) -> Self {
        let timestamp = now.as_second().to_string();
        let nonce = rng.random_range(1_000_000_000_u64..10_000_000_000).to_string();
        let signature = signature(callback.token(), &timestamp, &nonce, encrypted);
        Self { signature, timestamp, nonce }
    }

    fn text(&self) -> String {
        let Self { signature, timestamp, nonce } = self;
        format!("msg_signature={signature}&timestamp={timestamp}&nonce={nonce}")
    }
}

fn with_query(url: &str, query: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}{query}")
}
