//! The load generator: kept-alive connections that post one notification after the other.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Barrier,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    arrivals::Arrivals,
    http1,
    payload::{Api, Request},
    process::Process,
    samples::{Latencies, rate},
};

/// The bench fails when a server takes longer to answer.
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) api: Api,
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    /// The number of members that get the notifications, in turn.
    pub(crate) members: u64,
    /// The notifications that are posted.
    pub(crate) ids: Range<u64>,
    /// No request is begun after this time.
    pub(crate) time: Option<Duration>,
    /// Records the times of the requests.
    pub(crate) arrivals: Option<Arc<Arrivals>>,
    /// A connection waits until its notification has arrived, and then for this time. None: it does not wait.
    pub(crate) pause: Option<Duration>,
}

/// The result of a load. Every answer was a 200.
pub(crate) struct Run {
    pub(crate) posts: u64,
    pub(crate) took: Duration,
    /// The times from the POST to the answer.
    pub(crate) latencies: Latencies,
}

impl Run {
    pub(crate) fn rate(&self) -> f64 {
        rate(self.posts, self.took)
    }
}

impl Load {
    /// A load that posts `ids` without pauses. A connection posts the next one after the answer to the last one.
    pub(crate) fn new(server: &Process, connections: usize, members: u64, ids: Range<u64>) -> Self {
        let Process { api, address, .. } = *server;
        Self { api, address, connections, members, ids, time: None, arrivals: None, pause: None }
    }

    /// Opens all connections, and then begins.
    pub(crate) async fn run(self) -> Run {
        let next = Arc::new(AtomicU64::new(self.ids.start));
        let start = Arc::new(Barrier::new(self.connections + 1));
        let mut connections = JoinSet::new();
        for index in 0..self.connections {
            let connection =
                Connection { index, load: self.clone(), next: Arc::clone(&next), start: Arc::clone(&start) };
            connections.spawn(connection.run());
        }
        start.wait().await;
        let began = Instant::now();
        let all: Vec<Vec<u64>> = connections.join_all().await;
        let took = began.elapsed();
        let nanos: Vec<u64> = all.into_iter().flatten().collect();
        Run { posts: nanos.len() as u64, took, latencies: Latencies::new(nanos) }
    }
}

struct Connection {
    index: usize,
    load: Load,
    next: Arc<AtomicU64>,
    start: Arc<Barrier>,
}

impl Connection {
    /// Posts until all notifications are posted or the time is over; returns the nanoseconds of each request.
    async fn run(self) -> Vec<u64> {
        let Self { index, load, next, start } = self;
        let mut stream = TcpStream::connect(load.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request = Request::new(load.api, load.address, load.members);
        let mut buffer = vec![0; 4096];
        let mut nanos = Vec::new();
        start.wait().await;
        let began = Instant::now();
        loop {
            let posted = Instant::now();
            if load.time.is_some_and(|time| posted.duration_since(began) >= time) {
                return nanos;
            }
            let id = next.fetch_add(1, Ordering::Relaxed);
            if id >= load.ids.end {
                return nanos;
            }
            let bytes = request.of(id);
            if let Some(arrivals) = &load.arrivals {
                arrivals.posted(id, index);
            }
            stream.write_all(bytes).await.unwrap();
            timeout(TIMEOUT, answer(&mut stream, &mut buffer)).await.expect("the server does not answer");
            nanos.push(u64::try_from(posted.elapsed().as_nanos()).unwrap());
            if let (Some(arrivals), Some(pause)) = (&load.arrivals, load.pause) {
                arrivals.wait_for_one(id, index).await;
                if !pause.is_zero() {
                    sleep(pause).await;
                }
            }
        }
    }
}

/// Reads an answer, which must be a 200.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let count = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(count > 0, "the server hung up after {:?}", String::from_utf8_lossy(&buffer[..filled]));
        filled += count;
        if http1::frame(&buffer[..filled]).is_some_and(|(_, end)| filled >= end) {
            let text = &buffer[..filled];
            assert_eq!(http1::status(text), 200, "{}", String::from_utf8_lossy(text));
            return;
        }
    }
}
