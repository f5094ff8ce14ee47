//! Presses while Alertmanager fails.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{Alertmanager, Stage};

/// An HTTP server in front of Alertmanager that spoils answers.
struct Proxy {
    url: String,
    /// The number of requests that created a silence.
    created: Arc<AtomicUsize>,
    _server: JoinSet<()>,
}

#[derive(Debug, Clone)]
enum Spoiling {
    /// Every request gets this answer.
    Answer(&'static str),
    /// No request gets an answer.
    Silence,
    /// The first answer to a POST is cut off after Alertmanager has created the silence.
    FirstCreation { alertmanager: String },
}

impl Proxy {
    async fn start(spoiling: Spoiling) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let created = Arc::new(AtomicUsize::new(0));
        let mut server = JoinSet::new();
        let counted = created.clone();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, spoiling.clone(), counted.clone()));
            }
        });
        Self { url, created, _server: server }
    }
}

/// Serves one request, and closes the connection.
async fn serve(mut stream: TcpStream, spoiling: Spoiling, created: Arc<AtomicUsize>) {
    let request = read_request(&mut stream).await;
    match spoiling {
        Spoiling::Answer(answer) => {
            _ = stream.write_all(answer.as_bytes()).await;
        }
        Spoiling::Silence => std::future::pending().await,
        Spoiling::FirstCreation { alertmanager } => {
            let is_creation = request.starts_with(b"POST");
            let answer = forward(&alertmanager, &request).await;
            if is_creation && created.fetch_add(1, Ordering::Relaxed) == 0 {
                return;
            }
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

const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const FAILED: &str =
    "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfull";
const REDIRECT: &str = "HTTP/1.1 301 Moved Permanently\r\nlocation: https://am.example.com/?token=not-a-real-token\r\n\
                        content-length: 0\r\nconnection: close\r\n\r\n";
const PAGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>";

/// Presses a button, and returns what the member reads.
async fn told_by(alertmanager: &str) -> String {
    let stage = Stage::start(alertmanager, "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    let told = stage.told("zhangsan", |text| text.starts_with("[NOT DONE]")).await;
    let result = stage.result().await;
    assert!(result.starts_with("nothing was done: "), "{result}");
    let (_, metrics) = stage.relay.request(reqwest::Method::GET, "/metrics", "").await;
    assert!(metrics.contains("wecom_relay_presses_total{action=\"silence\",result=\"failed\"} 1\n"));
    stage.stop().await;
    told.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_member_reads_why_alertmanager_silenced_nothing() {
    for (spoiling, expected) in [
        (
            Spoiling::Answer(UNAUTHORIZED),
            "[NOT DONE] Alertmanager refuses the relay's credentials (HTTP 401); correct bearer_token or basic_auth of \
             alertmanager.",
        ),
        (Spoiling::Answer(FAILED), "[NOT DONE] Alertmanager failed (HTTP 500): full; look into its log."),
        (
            Spoiling::Answer(REDIRECT),
            "[NOT DONE] Alertmanager redirects to https://am.example.com (HTTP 301); write the final URL in \
             alertmanager.url.",
        ),
        (
            Spoiling::Answer(PAGE),
            "[NOT DONE] the answer is not one of Alertmanager's API v2; correct alertmanager.url.",
        ),
        (Spoiling::Silence, "[NOT DONE] Alertmanager does not answer within 2 s."),
    ] {
        let proxy = Proxy::start(spoiling).await;
        assert_eq!(told_by(&proxy.url).await, expected);
    }
}

#[tokio::test]
async fn an_alertmanager_that_is_away_is_tried_again() {
    let told = told_by("http://127.0.0.1:9").await;
    assert!(told.starts_with("[NOT DONE] Alertmanager cannot be reached: "), "{told}");
}

#[tokio::test]
async fn a_lost_answer_makes_one_silence() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let spoiling = Spoiling::FirstCreation { alertmanager: alertmanager.url().to_owned() };
    let proxy = Proxy::start(spoiling).await;
    let stage = Stage::start(&proxy.url, "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    let result = stage.result().await;
    let silence = alertmanager.silence().await;
    assert!(result.ends_with(&format!("(silence {})", silence["id"].as_str().unwrap())), "{result}");
    assert_eq!(proxy.created.load(Ordering::Relaxed), 1);
    assert_eq!(silence["status"]["state"], json!("active"));
    stage.stop().await;
}
