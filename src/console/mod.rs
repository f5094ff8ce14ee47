//! The web console: is anything wrong, and what must a person do?
//!
//! Server-rendered pages and an API with the same handlers, in front of the routes of [`crate::http`]. It reads the outbox
//! through [`crate::outbox::OutboxQuery`], and the running relay through [`RelayStatus`]. Reads are bounded, and a GET never
//! changes anything.

mod access;
mod api;
mod bulk;
mod cards;
mod change;
mod confirm;
mod fields;
mod filter;
mod gate;
mod login;
mod message;
mod messages;
mod overview;
mod password;
mod playground;
mod prefix;
mod reader;
mod reader_key;
mod recall;
mod refusal;
mod request_limits;
mod router;
mod search;
mod search_throttle;
mod session;
mod settings;
mod setup;
mod site;
mod snapshot;
mod state;
mod status;
mod templates;
mod throttle;
mod waits;
mod words;

pub use self::{
    password::{Passwords, Role},
    playground::{KeptPayload, TemplateDesk},
    router::router,
    session::SessionKey,
    settings::{ConsoleConfig, ConsoleHandle, ConsoleSettings, ExternalUrl},
    setup::{Credentials, ReceiverSetup, RelaySetup, SetupParts, TestRefusal},
    state::ConsoleParts,
    status::{ConfigStatus, Recaller, ReceiverStatus, Refused, RefusedWebhook, RelayStatus, SenderStatus},
};
