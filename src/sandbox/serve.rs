//! Serves the sandbox on a socket. Each connection is a task, because a fault may close it without a response.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::instance::Sandbox;
use super::request::Caller;
use super::response::HangUp;

impl Sandbox {
    /// Serves [`Sandbox::router`] over plain HTTP/1.1 until `shutdown`. Then every connection is closed at once.
    ///
    /// # Errors
    /// None at present. The error of a single connection is ignored.
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
                        tracing::warn!(%error, "the sandbox cannot accept a connection, will try again: check the limit of open files");
                        // Pause, because the error is probably a lack of file descriptors and would repeat at once.
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
    // Small responses must not wait for more data. An error is ignored, because the connection works without it.
    _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Caller(from.to_canonical()));
        let response = router.call(request);
        async move {
            let response: Result<Response<Body>, Infallible> = response.await;
            match response {
                Ok(response) if response.extensions().get::<HangUp>().is_none() => Ok(response),
                // hyper closes the connection when the service returns an error.
                Ok(_) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                Err(never) => match never {},
            }
        }
    });
    // The error is ignored, because a fault or the client may have closed the connection.
    _ = http1::Builder::new().title_case_headers(true).serve_connection(TokioIo::new(stream), service).await;
}
