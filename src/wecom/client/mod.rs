//! WeCom over HTTPS: the [`WeCom`](super::WeCom) port on top of `gettoken`, `message/send` and `appchat/send`, and of
//! `webhook/send` for robots.
//!
//! Guarantees:
//! - [`Outcome::NotSent`](super::Outcome::NotSent) means that WeCom surely did not accept the message. The connection
//!   failed, no token was granted, or a server answered 3xx or 4xx, which WeCom's application never does. Every other
//!   call without a reply of WeCom is [`Outcome::Unknown`](super::Outcome::Unknown).
//! - One [`Message`](super::Message) has one body, byte for byte, also when it is sent again with a renewed token.
//! - A secret, token or key of a robot is written into the URL of a request to WeCom, and nowhere else. Error texts never quote a body
//!   that is not WeCom's, nor the path of a redirect. All other quoted text is searched for secrets first.
//!
//! Redirects are not followed, because a POST would become a GET. HTTP retries are off, because the outbox decides when
//! to retry. The environment's proxy variables are ignored.

mod body;
mod call;
mod contacts;
mod error;
mod probe;
mod redact;
mod robot;
mod send;
mod sender;
mod settings;

pub use crate::http_client::SetupError;
pub use probe::{InvalidCertificate, NewChat, ReachError, Reached, Stage};
pub use robot::Robot;
pub use send::Client;
pub use sender::SenderClient;
pub use settings::{
    AppSettings, CALL_TIMEOUT, CONNECT_TIMEOUT, Connection, LONGEST_CALL_TIMEOUT, RobotSettings,
};
