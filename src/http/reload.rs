//! `POST /-/reload`: asks whoever runs the daemon to read the configuration again.

use std::sync::Arc;

use axum::extract::State;
use tokio::sync::{mpsc, oneshot};

use super::{Answer, Relay};
use crate::outbox::Outbox;

/// Somebody wants a reload, and waits for what comes of it.
#[derive(Debug)]
pub struct ReloadRequest(oneshot::Sender<Result<String, String>>);

impl ReloadRequest {
    /// Tells what came of it: what was done, or why nothing was.
    pub fn answer(self, answer: Result<String, String>) {
        // Whoever asked may have gone.
        let _ = self.0.send(answer);
    }
}

/// Where reloads are asked for. Clones ask the same.
#[derive(Debug, Clone)]
pub struct Reloads(mpsc::Sender<ReloadRequest>);

impl Reloads {
    /// They are put to whoever has the other end.
    pub fn new(sender: mpsc::Sender<ReloadRequest>) -> Self {
        Self(sender)
    }

    /// Asks for a reload and waits for it: what was done, or why nothing was; `None` when the daemon stops.
    pub async fn ask(&self) -> Option<Result<String, String>> {
        let (tell, told) = oneshot::channel();
        self.0.send(ReloadRequest(tell)).await.ok()?;
        told.await.ok()
    }
}

pub(super) async fn reload<O: Outbox>(State(relay): State<Arc<Relay<O>>>) -> Answer {
    match relay.reloads.ask().await {
        Some(Ok(said)) => Answer::Reloaded(said),
        Some(Err(problems)) => Answer::NotReloaded(problems),
        None => Answer::Draining,
    }
}
