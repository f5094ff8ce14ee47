//! Alertmanager over HTTP: the [`Silences`](super::Silences) port on top of its API v2. Grafana has the same API below a
//! path.
//!
//! Guarantees:
//! - [`Refused`](super::SilencesErrorKind::Refused) and [`NotDone`](super::SilencesErrorKind::NotDone) mean that surely no
//!   silence was created. Every other call without a usable answer is [`Unknown`](super::SilencesErrorKind::Unknown).
//! - A body is read up to a bound, and redirects are not followed.
//! - No text contains a credential. Quoted texts of a server are searched for them first.

mod answer;
mod filter;
mod http;
mod server_status;
mod settings;

pub use http::AlertmanagerClient;
pub use server_status::{ClusterStatus, ServerStatus};
pub use settings::{AlertmanagerSettings, AlertmanagerUrl, BadAlertmanagerUrl, Credentials};
