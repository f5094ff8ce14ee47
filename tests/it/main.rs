//! Behaviour of the whole program.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected stops there"
)]

mod actions;
mod actions_e2e;
mod alertmanager;
mod browser;
mod callback;
mod cards;
mod cli;
mod config;
mod console;
mod corpus;
mod dedupe;
mod disk;
mod docs;
mod failover;
mod faults;
mod go;
mod http;
mod import;
mod kill;
mod layers;
mod log;
mod messages;
mod metrics;
mod model;
mod outbox_cards;
mod outbox_conformance;
mod outbox_files;
mod outbox_model;
mod outbox_postgres;
mod outbox_sqlite;
mod packaging;
mod postgres;
mod power;
mod prometheus;

mod relay;
mod reload;
mod render;
mod render_builtin;
mod robots;
mod sandbox;
mod secret_files;
mod secrets;
mod shutdown;
mod space;
mod store;
mod storm;
mod support;
mod systemd;
mod timings;
mod tokens;
mod transfer;
mod wecom_client;
