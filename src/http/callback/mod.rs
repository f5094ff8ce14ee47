//! `GET` and `POST /callback/{app}`: what WeCom sends to the relay.
//!
//! Anybody on the Internet may reach this path. So each request is checked within limits of time, size and memory, and every
//! refusal looks the same, whatever is wrong with the request.

mod answer;
mod apps;
mod body;
mod handler;
mod router;
mod state;

pub use self::{
    apps::{CallbackApp, CallbackApps},
    body::CallbackBuffers,
    router::{callback_router, elsewhere},
    state::CallbackState,
};
