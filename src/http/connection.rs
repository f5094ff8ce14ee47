//! One connection: TLS handshake, requests, close.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::ConnectInfo};
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    header::{CONNECTION, HeaderValue},
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use super::{connection_limit::IdleTimer, security::ServerSecurity};
use crate::telemetry::LogThrottle;

/// The time for the TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// The time for the head of a request, including the idle time before it. It is not a round number, because an
/// Alertmanager with `group_interval: 10s` would send at the very moment at which the connection is closed.
const HEAD_TIME: Duration = Duration::from_secs(12);
/// The buffer of a connection, and so the longest head.
const BUFFER_BYTES: usize = 32 << 10;
/// The longest time in which a client reads nothing of a response.
const WRITE_STALL: Duration = Duration::from_secs(10);
/// The time and the bytes that a client may still send after an early response. If the connection closed at once, the
/// client's system could discard the response before the client reads it.
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 4 << 20;

pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) security: watch::Receiver<Arc<ServerSecurity>>,
    pub(super) idle_timer: IdleTimer,
    pub(super) router: Router,
    pub(super) log_throttle: Arc<LogThrottle>,
    pub(super) stop: CancellationToken,
}

impl Connection {
    pub(super) async fn serve(mut self, stream: TcpStream) {
        // An optimisation only: without it, a response in two pieces is delayed.
        _ = stream.set_nodelay(true);
        let security = Arc::clone(&self.security.borrow_and_update());
        let Some(tls) = &security.tls else { return self.serve_http(stream).await };
        let handshake = timeout(HANDSHAKE_TIME, tls.accept(stream));
        let error = match self.stop.run_until_cancelled(handshake).await {
            None => return,
            Some(Ok(Ok(stream))) => return self.serve_http(stream).await,
            Some(Ok(Err(error))) => error,
            Some(Err(_elapsed)) => io::ErrorKind::TimedOut.into(),
        };
        // A port scan connects and sends nothing.
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return;
        }
        if let Some(suppressed) = self.log_throttle.allow() {
            let peer = self.peer.ip();
            tracing::warn!(
                %peer,
                %error,
                suppressed,
                "TLS handshake failed; does the client use https and trust the certificate?"
            );
        }
    }

    async fn serve_http<S>(mut self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_STALL));
        let answered_early = Arc::new(AtomicBool::new(false));
        let router = TowerToHyperService::new(self.router.clone());
        let (peer, idle_timer, early) = (self.peer, self.idle_timer.clone(), Arc::clone(&answered_early));
        let service = service_fn(move |request| {
            Box::pin(answer(router.clone(), request, peer, idle_timer.clone(), Arc::clone(&early)))
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(BUFFER_BYTES);
        // hyper panics when the clock is set to a time before 1970. No client of the relay reads the date.
        builder.auto_date_header(false);
        let mut http = builder.serve_connection(TokioIo::new(Box::pin(stream)), service);
        let ended = tokio::select! {
            ended = poll_fn(|cx| http.poll_without_shutdown(cx)) => Some(ended),
            () = self.must_close() => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                Pin::new(&mut http).graceful_shutdown();
                poll_fn(|cx| http.poll_without_shutdown(cx)).await
            }
        };
        match ended {
            Ok(()) => {
                let stream = http.into_parts().io.into_inner();
                close(stream, answered_early.load(Ordering::Relaxed)).await;
            }
            Err(error) if error.is_parse() => self.log_invalid_request(&error),
            Err(error) => tracing::debug!(peer = %self.peer.ip(), %error, "connection ended early"),
        }
    }

    /// Such a request does not reach a handler. hyper has answered 400, or 431 if the head is too long.
    fn log_invalid_request(&self, error: &hyper::Error) {
        if let Some(suppressed) = self.log_throttle.allow() {
            let peer = self.peer.ip();
            tracing::warn!(
                %peer,
                %error,
                suppressed,
                "request refused: not valid HTTP/1.1, or its head is over 32 KiB; does the client use https without server.tls?"
            );
        }
    }

    /// Returns when the relay stops, or when the connection's TLS is no longer in force.
    async fn must_close(&mut self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            _ = self.security.changed() => {}
        }
    }
}

/// Answers one request.
async fn answer(
    router: TowerToHyperService<Router>,
    mut request: Request<Incoming>,
    peer: SocketAddr,
    idle_timer: IdleTimer,
    answered_early: Arc<AtomicBool>,
) -> Result<Response<axum::body::Body>, Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    let has_body = !request.body().is_end_stream();
    idle_timer.request_started();
    let mut response = router.call(request).await?;
    idle_timer.request_answered();
    if idle_timer.is_limit_reached() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    // The body of a rejected request may not have been read to its end.
    answered_early.store(has_body && !response.status().is_success(), Ordering::Relaxed);
    Ok(response)
}

/// Closes the connection. After an early response, the rest of the request is read and discarded first.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answered_early: bool) {
    if stream.shutdown().await.is_err() || !answered_early {
        return;
    }
    let mut rest = stream.take(LINGER_BYTES);
    // The result does not matter, because the connection is closed in any case.
    _ = timeout(LINGER_TIME, copy(&mut rest, &mut sink())).await;
}

#[cfg(test)]
mod tests {
    use tokio::{io::duplex, time::Instant};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_an_early_response_the_rest_is_read_for_a_second() {
        for client_ends in [true, false] {
            let (near, mut far) = duplex(16);
            let began = Instant::now();
            let client = async {
                far.write_all(&[0; 1000]).await.unwrap();
                if client_ends {
                    far.shutdown().await.unwrap();
                }
                far.read_to_end(&mut Vec::new()).await.unwrap();
            };
            tokio::join!(close(near, true), client);
            assert_eq!(began.elapsed().as_secs(), if client_ends { 0 } else { 1 });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_usual_response_the_connection_is_closed_at_once() {
        let (near, _far) = duplex(16);
        let began = Instant::now();
        close(near, false).await;
        assert!(began.elapsed().is_zero());
    }
}
