//! Serving on a listener until told to stop.
//!
//! So many connections are open at once; what is more waits in the kernel's queue for one that ends. Answering those
//! with 503 was rejected: a burst is over in less time than Alertmanager waits before it tries again. The time for the
//! handshake, for the head of a request, for its body and for reading an answer is bounded, and shorter when all places
//! are taken; then a connection has one request more, too, so that no client keeps its place by asking again and again.
//! `axum::serve` was rejected as it has none of these limits.

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper::{
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
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, watch},
    task::{JoinError, JoinSet},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Admission, Entrance, Rarely,
    crowd::{Places, Waiting},
    wire::{Early, Wire},
};

/// How many connections are open at once.
pub const CONNECTIONS: usize = 2000;
/// How many more may wait in the kernel's queue; `net.core.somaxconn` bounds it too.
const BACKLOG: u32 = 4096;
/// How long a client may take for the TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// How long a client may take for the head of a request, and be idle before it. Not a round number: an Alertmanager
/// with `group_interval: 10s` would send in the very moment in which the connection is closed.
const HEAD_TIME: Duration = Duration::from_secs(12);
/// What is buffered of a connection at most, and so the longest head.
const BUFFER_BYTES: usize = 32 << 10;
/// How long requests that are under way may take after the stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long accepting rests when the system has nothing left for a connection.
const REST: Duration = Duration::from_millis(100);
/// At most one failed handshake, and one failed accept, is logged in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Where a request comes from, as an extension of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// A listener on `address` with a queue that holds a burst of connections.
///
/// # Errors
/// When the address cannot be listened on. Must be called within a runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Serves `router` on `listener` until `stop`, then lets the requests that are under way finish.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    entrance: Entrance,
    connections: usize,
    stop: CancellationToken,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = Door {
        listener: tokio::net::TcpListener::from_std(listener)?,
        places: Places::new(connections),
        failures: Rarely::new(LOG_INTERVAL),
    };
    let handshakes = Arc::new(Rarely::new(LOG_INTERVAL));
    let mut open = JoinSet::new();
    loop {
        let (stream, peer, place) = tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = open.join_next() => {
                tell(ended);
                continue;
            }
            entered = listener.next() => entered,
        };
        let connection = Connection {
            peer,
            admission: entrance.watch(),
            waiting: listener.places.waiting(),
            router: router.clone(),
            handshakes: Arc::clone(&handshakes),
            stop: stop.clone(),
        };
        open.spawn(async move {
            let waiting = connection.waiting.clone();
            tokio::select! {
                () = connection.run(stream) => {}
                () = waiting.too_long() => tracing::debug!(peer = %peer.ip(), "a silent connection made room"),
            }
            drop(place);
        });
    }
    drop(listener);
    let finish = async {
        while let Some(ended) = open.join_next().await {
            tell(ended);
        }
    };
    // Who has not finished by then is cut off when the set is dropped.
    _ = timeout(GRACE, finish).await;
    Ok(())
}

fn tell(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a request ended by a defect");
    }
}

/// Lets connections in as long as there is a place.
struct Door {
    listener: tokio::net::TcpListener,
    places: Places,
    failures: Rarely,
}

impl Door {
    /// The next connection, when there is a place for it. Nothing is lost when this is dropped.
    async fn next(&self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        loop {
            let place = self.places.take().await;
            match self.listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, place),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if let Some(unlogged) = self.failures.tell(Instant::now()) {
                        tracing::error!(%error, unlogged, "no connection can be taken; raise the limit of open files");
                    }
                    sleep(REST).await;
                }
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct Connection {
    peer: SocketAddr,
    admission: watch::Receiver<Arc<Admission>>,
    waiting: Waiting,
    router: Router,
    handshakes: Arc<Rarely>,
    stop: CancellationToken,
}

impl Connection {
    async fn run(mut self, stream: TcpStream) {
        // Only delays what is written in two pieces.
        _ = stream.set_nodelay(true);
        let admission = Arc::clone(&self.admission.borrow_and_update());
        let Some(tls) = &admission.tls else { return self.talk(stream).await };
        let handshake = timeout(HANDSHAKE_TIME, tls.accept(stream));
        let error = match self.stop.run_until_cancelled(handshake).await {
            None => return,
            Some(Ok(Ok(stream))) => return self.talk(stream).await,
            Some(Ok(Err(error))) => error,
            Some(Err(_)) => io::ErrorKind::TimedOut.into(),
        };
        // A client that only looks whether the port is open says nothing.
        if error.kind() != io::ErrorKind::UnexpectedEof
            && let Some(unlogged) = self.handshakes.tell(Instant::now())
        {
            let peer = self.peer.ip();
            tracing::warn!(%peer, %error, unlogged, "no TLS with a client: does it use https, and trust the certificate?");
        }
    }

    async fn talk<S>(mut self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let early = Early::default();
        let answering = early.clone();
        let router = TowerToHyperService::new(self.router);
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(self.peer));
            let has_body = !request.body().is_end_stream();
            self.waiting.end();
            let (answer, early, waiting) = (router.call(request), answering.clone(), self.waiting.clone());
            async move {
                let mut answer = answer.await?;
                waiting.begin();
                if waiting.is_crowded() {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                early.set(has_body && !answer.status().is_success());
                Ok::<_, Infallible>(answer)
            }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(BUFFER_BYTES);
        let talk = builder.serve_connection(TokioIo::new(Wire::new(stream, early)), service);
        tokio::pin!(talk);
        let ended = tokio::select! {
            ended = &mut talk => ended,
            () = async {
                tokio::select! {
                    () = self.stop.cancelled() => {}
                    _ = self.admission.changed() => {}
                }
            } => {
                talk.as_mut().graceful_shutdown();
                talk.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %self.peer.ip(), %error, "a connection ended early");
        }
    }
}
