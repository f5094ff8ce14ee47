//! A proxy between a relay and its PostgreSQL server, which fails as a network does.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

use super::postgres::{Cluster, socket_in, url_at};

/// The state of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Up,
    /// Connections are closed, also new ones.
    Cut,
    /// Nothing passes, and connections stay open.
    Hung,
    /// The server commits, and the connection is closed in place of its answer.
    LosesCommits,
}

/// A socket that leads to the socket of a server. It ends when this is dropped.
pub(crate) struct DatabaseProxy {
    folder: TempDir,
    port: u16,
    network: watch::Sender<Network>,
    _connections: JoinSet<()>,
}

impl DatabaseProxy {
    pub(crate) fn new(cluster: &Cluster) -> Self {
        let (folder, port) = (TempDir::new().unwrap(), cluster.port);
        let listener = UnixListener::bind(socket_in(folder.path(), port)).unwrap();
        let network = watch::Sender::new(Network::Up);
        let server = socket_in(cluster.socket(), port);
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, server, network.subscribe()));
        Self { folder, port, network, _connections: connections }
    }

    /// The URL of a database behind this proxy.
    pub(crate) fn url(&self, database: &str) -> String {
        url_at(self.folder.path(), self.port, database)
    }

    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

async fn accept(listener: UnixListener, server: PathBuf, network: watch::Receiver<Network>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (server, network) = (server.clone(), network.clone());
        connections.spawn(async move { connect(client, &server, network).await });
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(client: UnixStream, server: &Path, network: watch::Receiver<Network>) {
    if *network.borrow() == Network::Cut {
        return;
    }
    // The server may be away.
    let Ok(server) = UnixStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let is_committing = AtomicBool::new(false);
    let mut cut = network.clone();
    tokio::select! {
        () = requests(from_client, to_server, network.clone(), &is_committing) => {}
        () = answers(from_server, to_client, network, &is_committing) => {}
        _ = cut.wait_for(|network| *network == Network::Cut) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut network: watch::Receiver<Network>,
    is_committing: &AtomicBool,
) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        let Some(request) = buffer.get(..read).filter(|request| !request.is_empty()) else { return };
        let network = *passes(&mut network).await;
        // The client sends it alone, after it has all answers to what came before.
        let commits = request.windows(7).any(|bytes| bytes == b"COMMIT\0");
        is_committing.store(commits && network == Network::LosesCommits, Ordering::Release);
        if to.write_all(request).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut network: watch::Receiver<Network>,
    is_committing: &AtomicBool,
) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        let Some(answer) = buffer.get(..read).filter(|answer| !answer.is_empty()) else { return };
        drop(passes(&mut network).await);
        if is_committing.load(Ordering::Acquire) || to.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// Waits while the network hangs.
async fn passes(network: &mut watch::Receiver<Network>) -> watch::Ref<'_, Network> {
    network.wait_for(|network| *network != Network::Hung).await.unwrap()
}
