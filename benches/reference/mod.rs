//! The servers that the relay is compared with, each in a process of its own.

pub(crate) mod alertmanager;
mod durable;
pub(crate) mod durable_postgres;
mod forward;
mod parsed;

use std::{future::Future, io::Read, net::SocketAddr, path::Path, process, thread};

use axum::Router;
use tokio::{net::TcpListener, runtime::Runtime};

use crate::process::Process;

/// Starts a handler that parses a webhook, inserts it into a table with a group commit, and answers.
pub(crate) fn durable(folder: &Path) -> Process {
    Process::reference("durable", folder.join("reference.db").to_str().unwrap())
}

/// Starts a handler that parses a webhook, inserts it into a table of the PostgreSQL database at `url`, and answers.
pub(crate) fn durable_postgres(url: &str) -> Process {
    Process::reference("durable_postgres", url)
}

/// Starts a handler that parses a webhook, sends it to `sink`, and answers. It stores nothing.
pub(crate) fn forward(sink: SocketAddr) -> Process {
    Process::reference("forward", &sink.to_string())
}

/// Serves one of the handlers until standard input ends. The bench starts this in a process of its own.
pub(crate) fn run_child(role: &str, argument: &str) {
    match role {
        "durable" => until_stdin_ends(serve(durable::router(argument))),
        "durable_postgres" => until_stdin_ends(durable_postgres::serve(argument)),
        "forward" => until_stdin_ends(serve(forward::router(argument))),
        _ => panic!("unknown role {role:?}"),
    }
}

/// Runs `work`, and ends the process when the bench closes standard input.
fn until_stdin_ends(work: impl Future<Output = ()>) {
    thread::spawn(|| {
        _ = std::io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    Runtime::new().unwrap().block_on(work);
}

async fn serve(router: Router) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    eprintln!("listening {}", listener.local_addr().unwrap());
    axum::serve(listener, router).await.unwrap();
}
