//! The sandbox on a socket. A connection is a future of its own here, because a fault may end it without an answer.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Sandbox;

/// The address that a request came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller(pub(super) IpAddr);

/// Marks the response whose connection is closed in its place.
#[derive(Debug, Clone, Copy)]
struct HangUp;

pub(super) fn hang_up() -> Response<Body> {
    let text = "The sandbox drops this connection, which takes Sandbox::serve.";
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.extensions_mut().insert(HangUp);
    response
}

impl Sandbox {
    /// Serves [`Sandbox::router`] over plain HTTP/1.1 until `shutdown`; then every connection is closed at once, hung ones
    /// too.
    ///
    /// # Errors
    ///
    /// None at present: a connection that fails is its client's affair.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let router = self.router();
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => _ = connections.spawn(connection(stream, from.ip(), router.clone())),
                    Err(error) => {
                        tracing::warn!(%error, "the sandbox cannot take a connection");
                        // Out of file descriptors, most likely: without a pause this would spin.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        connections.shutdown().await;
        Ok(())
    }
}

async fn connection(stream: TcpStream, from: IpAddr, router: Router) {
    // Small answers must not wait for more; that it cannot be set is no reason to refuse the connection.
    _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Caller(from.to_canonical()));
        let response = router.call(request);
        async move {
            let response: Result<Response<Body>, Infallible> = response.await;
            match response {
                Ok(response) if response.extensions().get::<HangUp>().is_none() => Ok(response),
                // hyper answers an error of the service by closing the connection.
                Ok(_) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                Err(never) => match never {},
            }
        }
    });
    // It ends with an error when a fault, or the client, ends it.
    _ = http1::Builder::new().title_case_headers(true).serve_connection(TokioIo::new(stream), service).await;
}
