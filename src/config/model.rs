//! The valid configuration, as the rest of the program uses it.

use std::{
    fmt,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};

use super::{diagnostic::Location, secret_files::SecretFiles};
use crate::{
    actions::Allowed,
    alertmanager::client::AlertmanagerSettings,
    console::{ConsoleConfig, ExternalUrl},
    http::ServerSecurity,
    intake::{Actions, Address, Mentions, MessageType},
    language::Language,
    outbox::postgres::PostgresUrl,
    render::TemplateLanguage,
    secret::Secret,
    text::counted,
    tls::ExtraRoots,
    wecom::{callback::CallbackKeys, client::Connection, message::AgentId},
};

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub server: Server,
    pub outbox: Outbox,
    /// The zone of times in messages: the configured one, else that of `TZ` or of the system.
    pub timezone: TimeZone,
    /// The template files, with unique names.
    pub templates: Vec<TemplateFile>,
    /// Apps and robots have unique names, and there is at least one of them.
    pub apps: Vec<Arc<App>>,
    pub robots: Vec<Arc<Robot>>,
    /// `None` if no silences are created.
    pub alertmanager: Option<AlertmanagerSettings>,
    /// At least one receiver, with unique names.
    pub receivers: Vec<Receiver>,
    pub origin: Origin,
}

/// The file that a configuration was read from, and its secret files at that moment.
#[derive(Debug, Clone)]
pub struct Origin {
    pub path: PathBuf,
    /// The whole text, which may contain secrets.
    pub(super) text: Secret,
    pub secret_files: SecretFiles,
}

impl Config {
    pub fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|receiver| receiver.name.as_str() == name)
    }

    /// The name of the time zone, or its offset if it has no name.
    pub fn timezone_name(&self) -> String {
        match self.timezone.iana_name() {
            Some(name) => name.to_owned(),
            None => self.timezone.to_offset(Timestamp::UNIX_EPOCH).to_string(),
        }
    }

    /// Differs if the file or a template differs, apart from the lines that replicas have for themselves.
    pub fn fingerprint(&self) -> String {
        let own = |line: &&str| {
            ["replica:", "listen:", "callback_listen:"].iter().any(|key| line.trim_start().starts_with(key))
        };
        let mut text: String = self.origin.text.expose().lines().filter(|line| !own(line)).collect();
        text.extend(self.templates.iter().map(|template| template.text.as_str()));
        Secret::new(text).fingerprint()
    }

    /// All apps and robots, in the order of the file.
    pub fn senders(&self) -> impl Iterator<Item = Sender> {
        let apps = self.apps.iter().cloned().map(Sender::App);
        apps.chain(self.robots.iter().cloned().map(Sender::Robot))
    }

    pub fn sender(&self, name: &str) -> Option<Sender> {
        self.senders().find(|sender| sender.name().as_str() == name)
    }

    pub fn is_robot(&self, name: &str) -> bool {
        self.robots.iter().any(|robot| robot.name.as_str() == name)
    }

    /// The numbers of apps, robots and receivers.
    pub fn summary(&self) -> String {
        let counts = [(self.apps.len(), "app"), (self.robots.len(), "robot")];
        let senders =
            counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, kind)| counted(count, kind));
        let receivers = counted(self.receivers.len(), "receiver");
        senders.chain([receivers]).collect::<Vec<_>>().join(", ")
    }
}

/// `server`
#[derive(Debug, Clone)]
pub struct Server {
    pub listen: SocketAddr,
    /// The address for `/callback` alone. `None` serves it on `listen`.
    pub callback_listen: Option<SocketAddr>,
    /// The public address in front of `/callback`.
    pub callback_external_url: Option<ExternalUrl>,
    /// `auth` and `tls`.
    pub security: ServerSecurity,
    /// Memory for webhooks that are being received and rendered.
    pub max_memory_bytes: usize,
    pub console: ConsoleConfig,
}

impl Server {
    /// The address on which the callback is served.
    pub fn callback_address(&self) -> SocketAddr {
        self.callback_listen.unwrap_or(self.listen)
    }
}

/// `outbox`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    pub database: Database,
    /// `None` switches deduplication off.
    pub dedupe_window: Option<Duration>,
    pub max_size_bytes: u64,
    pub expire_after: Duration,
    pub retention: Duration,
}

impl Outbox {
    /// The database file. `None` for PostgreSQL.
    pub fn path(&self) -> Option<&Path> {
        match &self.database {
            Database::File(path) => Some(path),
            Database::Postgres(_) => None,
        }
    }
}

/// The place of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A file of SQLite.
    File(PathBuf),
    /// A database of PostgreSQL, which several replicas may share.
    Postgres(Box<Postgres>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    pub url: PostgresUrl,
    /// CAs of `ca_file` and of the URL's `sslrootcert`.
    pub extra_roots: ExtraRoots,
    /// The name of this relay among those that share the outbox.
    pub replica: String,
}

/// A template file that is not compiled yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFile {
    /// The name of the template: the file's name, for Tera without its last extension.
    pub name: String,
    pub path: PathBuf,
    pub text: String,
    pub language: TemplateLanguage,
}

/// A template in the configuration itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub text: String,
    pub language: TemplateLanguage,
}

/// `apps[]`
#[derive(Debug, Clone)]
pub struct App {
    pub name: SenderName,
    pub corp_id: String,
    /// Not 0.
    pub agent_id: AgentId,
    pub api_secret: Secret,
    pub connection: Connection,
    pub limits: Limits,
    /// `None` if WeCom sends nothing to this app.
    pub callback: Option<CallbackKeys>,
    pub location: Location,
}

/// `robots[]`
#[derive(Debug, Clone)]
pub struct Robot {
    pub name: SenderName,
    pub key: Secret,
    pub connection: Connection,
    pub limits: Limits,
    pub location: Location,
}

/// An app or a robot.
#[derive(Debug, Clone)]
pub enum Sender {
    App(Arc<App>),
    Robot(Arc<Robot>),
}

impl Sender {
    pub fn name(&self) -> &SenderName {
        match self {
            Self::App(app) => &app.name,
            Self::Robot(robot) => &robot.name,
        }
    }

    /// Such as "the app".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::App(_) => "the app",
            Self::Robot(_) => "the robot",
        }
    }

    pub fn connection(&self) -> &Connection {
        match self {
            Self::App(app) => &app.connection,
            Self::Robot(robot) => &robot.connection,
        }
    }

    pub fn limits(&self) -> Limits {
        match self {
            Self::App(app) => app.limits,
            Self::Robot(robot) => robot.limits,
        }
    }

    pub fn location(&self) -> &Location {
        match self {
            Self::App(app) => &app.location,
            Self::Robot(robot) => &robot.location,
        }
    }
}

/// `limits`: messages to one recipient of an app, or of a robot. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub per_minute: Option<NonZeroU32>,
    pub per_hour: Option<NonZeroU32>,
}

/// `receivers[]`
#[derive(Debug, Clone)]
pub struct Receiver {
    pub name: ReceiverName,
    pub sender: Sender,
    /// Existing receivers that get each notification too.
    pub also: Vec<ReceiverName>,
    pub mentions: Mentions<Located<Template>>,
    pub recipients: Address<Located<Template>>,
    /// The message type, with the templates that only this type has.
    pub message_type: MessageType<Located<Template>>,
    /// The template of the message. For a card it is the template of the text form.
    pub message: Located<Template>,
    /// The buttons of its cards.
    pub actions: Option<ReceiverActions>,
    /// True if all templates are the defaults.
    pub default_templates: bool,
    /// The language of the default templates, and of everything else that the relay writes for this receiver.
    pub language: Language,
    pub plain_copy: bool,
    /// At least 1.
    pub max_parts: u16,
    pub send_resolved: bool,
    pub fallback: Option<Fallback>,
    pub location: Location,
}

/// `actions` of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverActions {
    pub card: Actions<Located<Template>>,
    pub allowed: Allowed,
}

/// `fallback` and `fallback_after` of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// An existing receiver. Its chain of fallbacks does not lead back to this receiver.
    pub receiver: ReceiverName,
    pub after: Duration,
}

/// A value with its location, for later diagnostics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    pub value: T,
    /// The location of the enclosing mapping if the value is a default.
    pub location: Location,
}

impl Located<String> {
    /// The text as a template.
    pub(super) fn in_language(self, language: TemplateLanguage) -> Located<Template> {
        Located { value: Template { text: self.value, language }, location: self.location }
    }
}

/// The name of an app or a robot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SenderName(String);

/// The name of a receiver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReceiverName(String);

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// `name` must be checked already: not empty, at most 200 bytes, and no control characters.
            pub(super) fn checked(name: &str) -> Self {
                Self(name.to_owned())
            }

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

name!(SenderName);
name!(ReceiverName);
