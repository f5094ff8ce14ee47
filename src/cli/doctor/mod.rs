//! `wecom-relay doctor`: finds out why messages do not reach WeCom.
//!
//! A check that depends on a failed check is skipped, and its line says so. `doctor` changes nothing and shows nobody a
//! message. It reads from WeCom, asks for one token per secret, and posts to each robot a text without content, which WeCom
//! refuses.
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
