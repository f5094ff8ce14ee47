//! The configuration as the rest of the program sees it: whatever can be wrong with it has been ruled out.

use std::{fmt, net::SocketAddr, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use jiff::tz::TimeZone;

use super::problem::Place;
use crate::{
    http::ServerSecurity,
    intake::{Address, MessageType},
    secret::Secret,
    wecom::{
        endpoint::{ApiUrl, ProxyUrl},
        message::AgentId,
    },
};

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The listening side.
    pub server: Server,
    /// The queue on disk.
    pub outbox: Outbox,
    /// The zone of times in messages; `None` is the one that the payload carries.
    pub timezone: Option<TimeZone>,
    /// The template files; no two of one name.
    pub templates: Vec<TemplateFile>,
    /// WeCom applications; at least one, no two of one name.
    pub apps: Vec<Arc<App>>,
    /// Receivers; at least one, no two of one name.
    pub receivers: Vec<Receiver>,
}

impl Config {
    /// The receiver of this name.
    pub fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|receiver| receiver.name.as_str() == name)
    }

    /// The app of this name.
    pub fn app(&self, name: &str) -> Option<&Arc<App>> {
        self.apps.iter().find(|app| app.name.as_str() == name)
    }
}

/// `server`
#[derive(Debug, Clone)]
pub struct Server {
    /// The address on which webhooks are taken.
    pub listen: SocketAddr,
    /// Who gets in and how: `auth` and `tls`.
    pub security: ServerSecurity,
}

/// `outbox`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    /// The database file.
    pub path: PathBuf,
    /// How long after its first acceptance the same notification is taken once; `None` switches this off.
    pub dedupe_window: Option<Duration>,
    /// How large the database may grow, in bytes.
    pub max_size_bytes: u64,
    /// After this a message that cannot be delivered is undeliverable.
    pub expire_after: Duration,
    /// How long delivered and undeliverable messages are kept.
    pub retention: Duration,
}

/// A template file, read and not yet compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFile {
    /// By which name templates include it: the file's name without its last extension.
    pub name: String,
    /// Where it was read from.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// `apps[]`: a self-built application of WeCom.
#[derive(Debug, Clone)]
pub struct App {
    /// By which receivers name it.
    pub name: AppName,
    /// The corp that it belongs to.
    pub corp_id: String,
    /// Its id there; not 0.
    pub agent_id: AgentId,
    /// What access tokens are had for.
    pub api_secret: Secret,
    /// Where WeCom's API is.
    pub api_url: ApiUrl,
    /// Through what it is reached; `None` is directly.
    pub proxy_url: Option<ProxyUrl>,
    /// How many messages one recipient may get.
    pub limits: Limits,
    /// Where it is written.
    pub place: Place,
}

/// `apps[].limits`: messages to one recipient of an app; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In any minute.
    pub per_minute: Option<NonZeroU32>,
    /// In any hour.
    pub per_hour: Option<NonZeroU32>,
}

/// `receivers[]`: who gets which alerts, and how they are written.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// By which Alertmanager's webhook and other receivers name it.
    pub name: ReceiverName,
    /// The app that sends.
    pub app: Arc<App>,
    /// Whom it is for.
    pub recipients: Address<Located<String>>,
    /// How the message is shown, with the templates that only this type has.
    pub message_type: MessageType<Located<String>>,
    /// The template of the message, and where it is written; of a card, of its text form.
    pub message: Located<String>,
    /// Whether all its templates are defaults.
    pub default_templates: bool,
    /// Whether markdown and cards are followed by their text form.
    pub plain_copy: bool,
    /// How many parts a long message has at most; at least 1.
    pub max_parts: u16,
    /// Whether resolved alerts are sent too.
    pub send_resolved: bool,
    /// Who hears of what cannot be delivered.
    pub fallback: Option<Fallback>,
    /// Where it is written.
    pub place: Place,
}

/// The stand-in for a receiver that cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// A receiver that exists, is another one, and does not fall back to this one by any way.
    pub receiver: ReceiverName,
    /// How long messages are held before it hears of them.
    pub after: Duration,
}

/// A value that others may find fault with later, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it is written; the place of its mapping when it is a default.
    pub place: Place,
}

/// The name of an app.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppName(String);

/// The name of a receiver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReceiverName(String);

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// Only for names that were checked: [`super::build`] is the one place that makes them.
            pub(super) fn checked(name: &str) -> Self {
                Self(name.to_owned())
            }

            /// The name: not empty, at most 200 bytes, without control characters and `/`.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(AppName);
name!(ReceiverName);
