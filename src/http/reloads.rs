//! Requests to reload the configuration, from the HTTP server to the task that does it.

use tokio::sync::{mpsc, oneshot};

/// A caller that waits for a reload.
#[derive(Debug)]
pub struct ReloadRequest(oneshot::Sender<Result<String, String>>);

impl ReloadRequest {
    /// Sends the summary of the reload, or the reason why nothing changed.
    pub fn answer(self, answer: Result<String, String>) {
        // The caller may be gone.
        _ = self.0.send(answer);
    }
}

/// Requests reloads. Clones send to the same task.
#[derive(Debug, Clone)]
pub struct ReloadHandle(mpsc::Sender<ReloadRequest>);

impl ReloadHandle {
    pub fn new(requests: mpsc::Sender<ReloadRequest>) -> Self {
        Self(requests)
    }

    /// Requests a reload and waits for it. Returns its summary or the reason why nothing changed; `None` if the relay
    /// is stopping.
    pub async fn reload(&self) -> Option<Result<String, String>> {
        let (sender, receiver) = oneshot::channel();
        self.0.send(ReloadRequest(sender)).await.ok()?;
        receiver.await.ok()
    }
}
