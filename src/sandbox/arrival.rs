//! Reports each call when it is handled, for those who watch the sandbox.

use tokio::sync::broadcast;

use super::calls::Call;
use super::record::{Message, MessageChange};

/// The number of calls that a slow reader may be behind before it misses the oldest ones.
const BACKLOG: usize = 4_096;

/// A call, as soon as it is handled. A latency comes later.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub call: Call,
    /// WeCom's text for the errcode. Empty if the response is not a reply of WeCom.
    pub errmsg: String,
    /// The message that WeCom accepted, although a fault may have replaced the reply.
    pub message: Option<Message>,
    /// The change of an earlier message.
    pub change: Option<MessageChange>,
}

pub(super) struct Arrivals(broadcast::Sender<Arrival>);

impl Default for Arrivals {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Arrivals {
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arrival> {
        self.0.subscribe()
    }

    pub(super) fn report(&self, arrival: impl FnOnce() -> Arrival) {
        if self.0.receiver_count() > 0 {
            // The last reader may have left just now.
            _ = self.0.send(arrival());
        }
    }
}
