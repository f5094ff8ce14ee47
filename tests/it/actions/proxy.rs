//! An HTTP server in front of Alertmanager.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const NO_ALERTS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]";

/// An HTTP server in front of Alertmanager that spoils answers.
pub(super) struct Proxy {
    pub(super) url: String,
    pub(super) counts: Arc<Counts>,
    _server: JoinSet<()>,
}

/// The numbers of requests so far.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) all: AtomicUsize,
    /// Those that created a silence.
    pub(super) created: AtomicUsize,
    /// Those for a list of alerts.
    pub(super) alerts: AtomicUsize,
}

#[derive(Debug, Clone)]
pub(super) enum Spoiling {
    /// Every request gets this answer.
    Answer(&'static str),
    /// No request gets an answer.
    Silence,
    /// The first answer to a POST is cut off after Alertmanager has created the silence.
    FirstCreation { alertmanager: String },
    /// The second list of alerts is empty, as after a start of Alertmanager.
    SecondList { alertmanager: String },
}

impl Proxy {
    pub(super) async fn start(spoiling: Spoiling) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let counts = Arc::new(Counts::default());
        let counted = counts.clone();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, spoiling.clone(), counted.clone()));
            }
        });
        Self { url, counts, _server: server }
    }
}

/// Serves one request, and closes the connection.
async fn serve(mut stream: TcpStream, spoiling: Spoiling, counts: Arc<Counts>) {
    let request = read_request(&mut stream).await;
    counts.all.fetch_add(1, Ordering::Relaxed);
    let is_list = request.starts_with(b"GET /api/v2/alerts");
    let list = if is_list { counts.alerts.fetch_add(1, Ordering::Relaxed) } else { 0 };
    match spoiling {
        Spoiling::Answer(answer) => {
            _ = stream.write_all(answer.as_bytes()).await;
        }
        Spoiling::Silence => std::future::pending().await,
        Spoiling::FirstCreation { alertmanager } => {
            let is_creation = request.starts_with(b"POST");
            let answer = forward(&alertmanager, &request).await;
            if is_creation && counts.created.fetch_add(1, Ordering::Relaxed) == 0 {
                return;
            }
            _ = stream.write_all(&answer).await;
        }
        Spoiling::SecondList { .. } if is_list && list == 1 => _ = stream.write_all(NO_ALERTS).await,
        Spoiling::SecondList { alertmanager } => {
            let answer = forward(&alertmanager, &request).await;
            _ = stream.write_all(&answer).await;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).to_string();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length:")
                    .map(|length| length.trim().parse().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return request;
            }
        }
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            return request;
        }
        request.extend_from_slice(&buffer[..read]);
    }
}

/// Sends the request to Alertmanager, and returns the whole answer.
async fn forward(alertmanager: &str, request: &[u8]) -> Vec<u8> {
    let address = alertmanager.strip_prefix("http://").unwrap();
    let mut server = TcpStream::connect(address).await.unwrap();
    let request = String::from_utf8_lossy(request).replacen("\r\n", "\r\nconnection: close\r\n", 1);
    server.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.unwrap();
    answer
}
