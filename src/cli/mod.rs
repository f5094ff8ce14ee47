//! The command line, with one file for each subcommand.

mod chat;
mod check;
mod command;
mod completion;
mod demo;
mod doctor;
mod failure;
mod health;
mod import;
mod init;
mod listen_advice;
mod man;
mod new_file;
mod no_config;
mod outbox;
mod output;
mod phone;
mod render;
mod render_draft;
mod runtime;
mod sandbox;
mod send;
mod serve;

pub use command::Cli;
