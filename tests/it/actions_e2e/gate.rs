//! A proxy between two programs, which can stop a call before or after the server has handled it.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE},
};
use reqwest::Client;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::support::{http_client, soon};

/// A proxy at an address that stays while its server is killed and started again. It ends when it is dropped.
pub(super) struct Gate {
    pub(super) url: String,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

struct Shared {
    client: Client,
    /// The URL of the server; empty while there is none.
    server: Mutex<String>,
    stop: Mutex<Option<Stop>>,
    stopped: watch::Sender<usize>,
}

/// The call that the gate stops: it is never answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stop {
    pub(super) method: Method,
    /// The begin of the path.
    pub(super) path: &'static str,
    /// Whether the server handles the call.
    pub(super) is_handled: bool,
}

impl Gate {
    pub(super) async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            client: http_client(),
            server: Mutex::new(server.to_owned()),
            stop: Mutex::new(None),
            stopped: watch::Sender::new(0),
        });
        let router = Router::new().fallback(pass).with_state(shared.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, _server: tasks }
    }

    /// The server has another address from now on. An empty one means that it is gone.
    pub(super) fn lead_to(&self, server: &str) {
        server.clone_into(&mut self.shared.server.lock().unwrap());
    }

    /// Stops the next call of this kind, and only that one.
    pub(super) fn stop_at(&self, stop: Stop) {
        *self.shared.stop.lock().unwrap() = Some(stop);
    }

    /// Waits until this many calls were stopped.
    pub(super) async fn stopped(&self, count: usize) {
        soon(self.shared.stopped.subscribe().wait_for(|stopped| *stopped >= count)).await.unwrap();
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let stop = {
        let mut stop = shared.stop.lock().unwrap();
        let applies =
            |stop: &mut Stop| stop.method == parts.method && parts.uri.path().starts_with(stop.path);
        stop.take_if(applies)
    };
    let is_passed = stop.as_ref().is_none_or(|stop| stop.is_handled);
    let answer = if is_passed { forward(&shared, &parts, body).await } else { None };
    if stop.is_some() {
        shared.stopped.send_modify(|stopped| *stopped += 1);
        return std::future::pending().await;
    }
    answer.unwrap_or_else(|| {
        Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::from("no server")).unwrap()
    })
}

async fn forward(shared: &Shared, parts: &axum::http::request::Parts, body: Bytes) -> Option<Response<Body>> {
    let server = shared.server.lock().unwrap().clone();
    let path = parts.uri.path_and_query()?;
    let mut request = shared.client.request(parts.method.clone(), format!("{server}{path}")).body(body);
    if let Some(content_type) = parts.headers.get(CONTENT_TYPE) {
        request = request.header(CONTENT_TYPE, content_type);
    }
    let answer = request.send().await.ok()?;
    let mut response = Response::builder().status(answer.status());
    if let Some(content_type) = answer.headers().get(CONTENT_TYPE) {
        response = response.header(CONTENT_TYPE, content_type);
    }
    response.body(Body::from(answer.bytes().await.ok()?)).ok()
}
