//! A WeCom that takes everything and costs little: the end of the way, and the clock on it.

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
const TAKEN: &str = r#"{"errcode":0,"errmsg":"ok","msgid":"msgid-0123456789"}"#;
/// The relay holds the sender then, and goes on accepting.
const REFUSED: &str = r#"{"errcode":60020,"errmsg":"not allow to access from your ip, from ip: 127.0.0.1"}"#;

/// The sink's address, and what it does. It ends when it is dropped.
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

    /// Takes messages from now on, and notes them in what is returned.
    pub(crate) fn takes(&self, count: u64, connections: usize) -> Arc<Arrivals> {
        let arrivals = Arc::new(Arrivals::new(count, connections));
        *self.state.arrivals.lock().unwrap() = Some(Arc::clone(&arrivals));
        self.state.refuses.store(false, Ordering::Release);
        arrivals
    }

    /// Takes no message from now on.
    pub(crate) fn refuses(&self) {
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
        // Who hangs up wants nothing more.
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
        if let (Some(arrivals), Some(id)) = (arrivals, payload::id_in(&request[body..])) {
            arrivals.arrived(id);
        }
        TAKEN
    };
    let length = json.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}")
}
