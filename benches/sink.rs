//! WeCom's side of the bench: a server that accepts every message and costs little.

use std::net::SocketAddr;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{arrivals::Arrivals, http1, payload};

const TOKEN: &str = r#"{"errcode":0,"errmsg":"ok","access_token":"not-a-real-token","expires_in":7200}"#;
const ACCEPTED: &str = r#"{"errcode":0,"errmsg":"ok","msgid":"msgid-0123456789"}"#;
/// Makes the relay hold the sender. The relay still accepts webhooks.
const REFUSED: &str = r#"{"errcode":60020,"errmsg":"not allow to access from your ip, from ip: 127.0.0.1"}"#;

/// The server. It ends when this is dropped.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct State {
    refuses: AtomicBool,
    arrivals: Mutex<Option<Arc<Arrivals>>>,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::<State>::default());
        let mut server = JoinSet::new();
        let shared = Arc::clone(&state);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&shared)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, state, _server: server }
    }

    /// Accepts messages from now on, and records the arrivals of the notifications `0..count`.
    pub(crate) fn accept(&self, count: u64, connections: usize, members: u64) -> Arc<Arrivals> {
        let arrivals = Arc::new(Arrivals::new(count, connections, members));
        *self.state.arrivals.lock().unwrap() = Some(Arc::clone(&arrivals));
        self.state.refuses.store(false, Ordering::Release);
        arrivals
    }

    /// Refuses every message from now on.
    pub(crate) fn refuse(&self) {
        self.state.refuses.store(true, Ordering::Release);
        *self.state.arrivals.lock().unwrap() = None;
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    stream.set_nodelay(true).unwrap();
    let (mut buffer, mut filled) = (vec![0; 16 * 1024], 0);
    loop {
        while let Some((body, end)) = http1::frame(&buffer[..filled]) {
            if buffer.len() < end {
                buffer.resize(end, 0);
            }
            if filled < end {
                break;
            }
            let answer = answer(&buffer[..end], body, &state);
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            buffer.copy_within(end..filled, 0);
            filled -= end;
        }
        match stream.read(&mut buffer[filled..]).await {
            Ok(0) | Err(_) => return,
            Ok(count) => filled += count,
        }
    }
}

fn answer(request: &[u8], body: usize, state: &State) -> String {
    let json = if request.starts_with(b"GET ") {
        TOKEN
    } else if state.refuses.load(Ordering::Acquire) {
        REFUSED
    } else {
        let arrivals = state.arrivals.lock().unwrap().clone();
        let message = &request[body..];
        if let Some(arrivals) = arrivals {
            arrivals.message(payload::id_in(message), payload::member_in(message), message.len());
        }
        ACCEPTED
    };
    let length = json.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}")
}
