//! `wecom-relay doctor`: finds out why messages do not reach WeCom.
//!
//! A check that depends on a failed check is skipped, and its line says so. `doctor` sends and changes nothing: it only
//! reads from WeCom, and asks for one token per secret.
//!
//! Pure functions decide what an answer means. The modules `app`, `robot` and `server` make the calls.

mod app;
mod command;
mod credentials;
mod endpoint;
mod finding;
mod network;
mod path;
mod postgres;
mod recipients;
mod report;
mod robot;
mod server;

pub(super) use command::{Args, run};
