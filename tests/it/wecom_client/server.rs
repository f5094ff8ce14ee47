//! A scripted HTTP server that can also give broken responses.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// The start of the access tokens that the server grants. A number follows.
pub(super) const TOKEN: &str = "accesstoken-";

/// The response of the server.
pub(super) enum Reply {
    /// 200 with this JSON.
    Json(String),
    /// This text, then the connection is closed.
    Raw(String),
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// No response. The connection stays open.
    Hang,
}

type Script = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) line: String,
    pub(super) head: String,
    pub(super) body: String,
}

impl Request {
    pub(super) fn is_gettoken(&self) -> bool {
        self.line.contains("/cgi-bin/gettoken?")
    }

    /// The number at the end of the access token in the request.
    pub(super) fn token(&self) -> Option<usize> {
        let (_, rest) = self.line.split_once(&format!("access_token={TOKEN}"))?;
        rest.split(' ').next()?.parse().ok()
    }
}

/// A server that answers by a script and records the requests. It stops when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (script, seen): (Script, _) = (Arc::new(script), Arc::clone(&requests));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        Self { address, requests, _tasks: tasks }
    }

    /// Grants `accesstoken-1`, `-2` … and answers `message/send` by `script`.
    pub(super) async fn wecom(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let grants = AtomicUsize::new(0);
        Self::start(move |request| {
            if !request.is_gettoken() {
                return script(request);
            }
            let number = grants.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::Json(format!(
                r#"{{"errcode":0,"errmsg":"ok","access_token":"{TOKEN}{number}","expires_in":7200}}"#
            ))
        })
        .await
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn gettokens(&self) -> usize {
        self.requests().iter().filter(|request| request.is_gettoken()).count()
    }
}

async fn serve(mut stream: TcpStream, script: Script, seen: Arc<Mutex<Vec<Request>>>) {
    while let Some(request) = read_request(&mut stream).await {
        seen.lock().unwrap().push(request.clone());
        match script(&request) {
            Reply::Json(body) => {
                let head =
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length";
                let reply = format!("{head}: {}\r\n\r\n{body}", body.len());
                if stream.write_all(reply.as_bytes()).await.is_err() {
                    return;
                }
            }
            Reply::Raw(text) => return write_and_close(stream, text.as_bytes()).await,
            Reply::Bytes(bytes) => return write_and_close(stream, &bytes).await,
            Reply::Hang => std::future::pending().await,
        }
    }
}

async fn write_and_close(mut stream: TcpStream, bytes: &[u8]) {
    // The client may close the connection before the end of a long response.
    stream.write_all(bytes).await.ok();
    stream.shutdown().await.ok();
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let line = head.lines().next()?.to_owned();
                return Some(Request { line, head: head.to_owned(), body: body.to_owned() });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

pub(super) fn json(body: &str) -> Reply {
    Reply::Json(body.to_owned())
}

pub(super) fn refused(errcode: i64) -> Reply {
    Reply::Json(format!(r#"{{"errcode":{errcode},"errmsg":"no, from ip: 203.0.113.4, more info"}}"#))
}

pub(super) fn status(line: &str, body: &str) -> Reply {
    Reply::Raw(format!("HTTP/1.1 {line}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}
