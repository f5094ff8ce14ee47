//! The requests that WeCom sends to the relay: their signature, their encryption, and the events in them.
//!
//! ```text
//! GET  ?msg_signature&timestamp&nonce&echostr     CallbackQuery ─ verify ─ decrypt ─▶ echo
//! POST ?msg_signature&timestamp&nonce, a body     CallbackQuery, encrypted ─ verify ─ decrypt ─▶ CallbackMessage
//! ```
//!
//! WeCom signs with a token that both sides know, and encrypts with AES-256-CBC. Nothing is decrypted before its signature
//! was verified.

mod error;
mod fields;
mod keys;
mod message;
mod query;
#[cfg(test)]
mod tests;

pub use self::{
    error::CallbackError,
    fields::encrypted,
    keys::{CallbackKeys, CallbackToken, EncodingAesKey, KeyProblem},
    message::{CallbackMessage, CardPress, Event},
    query::CallbackQuery,
};
