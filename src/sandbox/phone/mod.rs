//! The page of the sandbox: the phones of the members with what they see, and WeCom's faults as buttons.
//!
//! A phone shows each message for its member in order, also those that the member never sees: WeCom drops messages over its
//! limits without an error. The page changes the sandbox only by POST, from a page of the same origin with a form token.

mod extras;
mod faults;
mod gather;
mod message;
mod presses;
mod routes;
mod view;
mod words;

pub use extras::{DemoPress, PhoneExtras};
pub(super) use routes::routes;
