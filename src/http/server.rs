//! Serving on a listener until told to stop.

use std::{io, net::TcpListener, time::Duration};

use axum::Router;
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use tokio_util::sync::CancellationToken;

/// How long a client may take for the head of a request.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// How long requests that are under way may take after the stop.
const GRACE: Duration = Duration::from_secs(10);

/// Serves `router` on `listener` until `stop`, then lets the requests that are under way finish.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let handle = Handle::new();
    // Else a client that says nothing is waited for without an end, in case it speaks HTTP/2.
    let mut server = axum_server::from_tcp(listener)?.http1_only().handle(handle.clone());
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME);
    let serving = server.serve(router.into_make_service());
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return served,
        () = stop.cancelled() => handle.graceful_shutdown(Some(GRACE)),
    }
    serving.await
}
