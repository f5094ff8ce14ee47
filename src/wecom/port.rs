//! The port: sends messages as one app.

use super::{Message, Outcome};

/// Sends messages as one app.
pub trait WeCom: Send + Sync + 'static {
    /// Sends one message. The call itself never fails: every possible end of a send is an [`Outcome`].
    ///
    /// If WeCom refuses the access token (40001, 40014, 41001, 42001), it is renewed and the message is sent again before
    /// this returns. While WeCom refuses renewed tokens too, a send tries one token.
    fn send(&self, message: &Message) -> impl Future<Output = Outcome> + Send;
}
