//! What the relay is compared with: the least that a server can do, each in a process of its own.

mod bare;
mod durable;
mod forward;
pub(crate) mod incumbent;
mod parsed;

use std::{future::Future, io::Read, net::SocketAddr, path::Path, process, thread};

use axum::Router;
use tokio::{net::TcpListener, runtime::Runtime};

use crate::process::Process;

/// A webhook that is parsed and answered.
pub(crate) fn bare() -> Process {
    Process::reference("bare", "")
}

/// A webhook that is parsed, inserted into a table with a group commit, and answered.
pub(crate) fn durable(folder: &Path) -> Process {
    Process::reference("durable", folder.join("reference.db").to_str().unwrap())
}

/// A webhook that is parsed, sent to `sink` and answered when that has answered.
pub(crate) fn forward(sink: SocketAddr) -> Process {
    Process::reference("forward", &sink.to_string())
}

/// Plays a role in a process of its own, until standard input ends.
pub(crate) fn play(role: &str, argument: &str) {
    let router = match role {
        "bare" => bare::router(),
        "durable" => durable::router(argument),
        "forward" => forward::router(argument),
        _ => panic!("there is no role {role:?}"),
    };
    until_stdin_ends(serve(router));
}

/// Runs `work`, and ends the process when nobody wants it any more.
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
