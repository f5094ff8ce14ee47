//! The page Templates: a template, a payload, and the messages that the relay would make of them.

mod api;
mod asked;
mod page;
mod paths;
mod port;
mod send;
mod view;

pub use self::port::{KeptPayload, TemplateDesk};
pub(super) use self::{
    api::render,
    page::{preview, show},
    send::{confirm, send},
};
