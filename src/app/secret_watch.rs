//! Notices changes of secret files, so that a rotated secret needs no reload.

use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::config::SecretFiles;

/// Looks at `in_use` in each `pause`, and sends the files that differ to `changes`.
///
/// A change counts when two looks in a row see the same, because a file may be half written. Then `in_use` must be replaced
/// before the next look.
pub(super) async fn run(
    mut in_use: watch::Receiver<SecretFiles>,
    changes: mpsc::Sender<SecretFiles>,
    pause: Duration,
    stop: CancellationToken,
) {
    let mut last = SecretFiles::default();
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        let files = in_use.borrow_and_update().clone();
        let known = files.clone();
        // A look can hang on an unreachable file system.
        let look = tokio::task::spawn_blocking(move || files.look());
        let Some(Ok(now)) = stop.run_until_cancelled(look).await else { continue };
        if now != known && now == last {
            // Both fail only while the relay stops.
            _ = changes.send(now).await;
            _ = stop.run_until_cancelled(in_use.changed()).await;
            continue;
        }
        last = now;
    }
}
