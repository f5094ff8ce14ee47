//! The checks of `doctor`: they find out why messages do not reach WeCom.
//!
//! A check that depends on a failed check is skipped, and its finding says so. The checks change nothing and show nobody a
//! message. They read from WeCom, ask for one token per secret, and post to each robot a text without content, which WeCom
//! refuses.
//!
//! Pure functions decide what an answer means. The modules `app`, `robot`, `alertmanager`, `server` and `postgres` make the calls.

mod alertmanager;
mod app;
mod callback;
mod callback_call;
mod configuration;
mod credentials;
mod endpoint;
mod examine;
mod network;
mod path;
mod postgres;
mod recipients;
mod robot;
mod sequence;
mod server;
mod service;

pub(super) use self::service::{DoctorInput, run};
pub use self::{
    configuration::{CONFIGURATION, not_valid, valid},
    examine::examine,
};
