//! Many, slow, silent and hostile connections.

use std::{process::Command, time::Duration};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
};
use wecom_relay::{app::Tuning, http::MAX_CONNECTIONS};

use super::{for_receiver, raw};
use crate::support::{
    Options, Process, Relay, Wecom, config_file,
    members::{BY_MEMBER, member, payload_for},
    process::serve,
    soon,
};

/// Allows this process enough open files for thousands of connections.
fn many_files() {
    rlimit::increase_nofile_limit(8192).unwrap();
}

const MEMBERS: usize = 500;

/// A `POST /webhook`. The number selects the group and the member.
fn request(number: usize) -> String {
    let group = format!("Group{number}");
    let body = payload_for(&member(number % MEMBERS), &group, &[("a", true)]).to_string();
    let length = body.len();
    format!(
        "POST /webhook HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_connections_at_once_are_all_answered() {
    many_files();
    let wecom = Wecom::with_members(MEMBERS).await;
    let options = Options { receivers: BY_MEMBER.to_owned(), ..Options::default() };
    let (_folder, config) = config_file(&wecom.url, &options);
    // The soft limit is too low for the connections. The relay raises it.
    let mut few_files = Command::new("sh");
    few_files.args(["-c", "ulimit -S -n 256; exec \"$0\" \"$@\""]);
    let serve = serve(&config);
    few_files.arg(serve.get_program()).args(serve.get_args());
    let mut process = Process::launch(few_files);
    process.ready().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.pid())).unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let files: usize = files.split_whitespace().next().unwrap().parse().unwrap();
    assert!(files > MAX_CONNECTIONS, "{limits}");
    // All connections are open before the first one sends a request.
    let open = join_all((0..2000).map(|_| raw::connect(&process.url))).await;
    let posts = open.into_iter().enumerate().map(|(number, mut stream)| async move {
        stream.write_all(request(number).as_bytes()).await.unwrap();
        raw::rest(stream).await
    });
    let answers = soon(join_all(posts)).await;
    for (number, answer) in answers.iter().enumerate() {
        // On a busy machine some wait too long for a thread. They are refused, and Alertmanager posts them again.
        let is_refused = answer.starts_with("HTTP/1.1 503 ");
        let answer = if is_refused { &post(&process.url, number).await } else { answer };
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    process.signal("TERM");
    assert!(process.ended().await.success());
}

/// Posts one webhook after the other. Each must be answered with 200.
async fn post_each(relay: &Relay, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let answer = post(&relay.url, number).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// Posts one webhook, and returns the answer.
async fn post(url: &str, number: usize) -> String {
    let mut stream = raw::connect(url).await;
    stream.write_all(request(number).as_bytes()).await.unwrap();
    raw::rest(stream).await
}

/// Sends `text` byte by byte, one per second. Returns true if the relay rejected it or closed the connection first.
async fn is_cut_off(mut stream: TcpStream, text: String) -> bool {
    for byte in text.bytes() {
        if stream.write_all(&[byte]).await.is_err() {
            return true;
        }
        let mut answer = [0; 1024];
        if let Ok(Ok(read)) = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut answer)).await
            && (read == 0 || answer.starts_with(b"HTTP/1.1 503"))
        {
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_slow_clients_delay_nobody_and_are_cut_off() {
    many_files();
    let wecom = Wecom::with_members(MEMBERS).await;
    // This is half of the default limit, and more than the number of slow clients.
    let tuning = Tuning { connections: 1000, ..Options::default().tuning };
    let options = Options { receivers: BY_MEMBER.to_owned(), tuning, ..Options::default() };
    let relay = Relay::with(&wecom.url, options).await;
    let mut slow = JoinSet::new();
    for number in 0..500 {
        let mut stream = raw::connect(&relay.url).await;
        let request = request(number);
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let (head, body) = (format!("{head}\r\n\r\n"), body.to_owned());
        slow.spawn(async move {
            if number % 2 == 0 {
                return is_cut_off(stream, head).await;
            }
            stream.write_all(head.as_bytes()).await.unwrap();
            is_cut_off(stream, body).await
        });
    }
    post_each(&relay, 1000..1050).await;
    // No webhook waited for a slow client to end.
    assert!(slow.try_join_next().is_none());
    let cut_off = soon(slow.join_all()).await;
    assert!(cut_off.into_iter().all(|cut_off| cut_off));
    relay.stop().await;
}

#[tokio::test]
async fn at_the_limit_an_idle_connection_is_closed_for_a_new_one() {
    let wecom = Wecom::start().await;
    let tuning = Tuning { connections: 2, ..Options::default().tuning };
    let relay = Relay::with(&wecom.url, Options { tuning, ..Options::default() }).await;
    // Connections are accepted in the order in which they are opened.
    let mut first = raw::connect(&relay.url).await;
    let second = raw::connect(&relay.url).await;
    let mut third = raw::connect(&relay.url).await;
    third.write_all(request(0).as_bytes()).await.unwrap();
    let answer = soon(raw::rest(third)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(soon(first.read(&mut [0; 1])).await.unwrap(), 0);
    drop(second);
    relay.stop().await;
}

/// Sends `request` twice a second without credentials. It uses one connection until the relay closes it.
async fn poll(url: String, request: &'static str, answered: mpsc::UnboundedSender<()>) {
    loop {
        let mut stream = raw::connect(&url).await;
        while stream.write_all(request.as_bytes()).await.is_ok() {
            match stream.read(&mut [0; 1024]).await {
                Ok(read) if read > 0 => _ = answered.send(()),
                _ => break,
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

#[tokio::test]
async fn polling_clients_do_not_keep_a_webhook_out() {
    let wecom = Wecom::start().await;
    let tuning = Tuning { connections: 4, ..Options::default().tuning };
    let server = ", auth: { bearer_token: not-a-real-token }".to_owned();
    let relay = Relay::with(&wecom.url, Options { tuning, server, ..Options::default() }).await;
    for polled in [
        "GET /-/healthy HTTP/1.1\r\nHost: relay\r\n\r\n",
        "GET /-/ready HTTP/1.1\r\nHost: relay\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: relay\r\n\r\n",
        "POST /webhook HTTP/1.1\r\nHost: relay\r\nContent-Length: 0\r\n\r\n",
    ] {
        let mut clients = JoinSet::new();
        let (answered, mut answers) = mpsc::unbounded_channel();
        for _ in 0..4 {
            clients.spawn(poll(relay.url.clone(), polled, answered.clone()));
        }
        // After these answers, the clients use all slots.
        for _ in 0..4 {
            answers.recv().await.unwrap();
        }
        for number in 0..3 {
            let mut stream = raw::connect(&relay.url).await;
            let post = request(number).replacen("\r\n", "\r\nAuthorization: Bearer not-a-real-token\r\n", 1);
            stream.write_all(post.as_bytes()).await.unwrap();
            let answer = soon(raw::rest(stream)).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{polled}: {answer}");
        }
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_nothing_more_is_cut_off() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    let ends = async |sent: &str| {
        let mut stream = raw::connect(&relay.url).await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        // A reset is an end as well.
        _ = soon(stream.read_to_end(&mut Vec::new())).await;
    };
    tokio::join!(
        ends(""),
        ends("POST /webhook HTTP/1.1\r\nHost:"),
        ends("GET /-/healthy HTTP/1.1\r\nHost: relay\r\n\r\n")
    );
    relay.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    let (read, mut write) = raw::connect(&relay.url).await.into_split();
    let requests = "GET /metrics HTTP/1.1\r\nHost: relay\r\n\r\n".repeat(1000);
    let flood = async { while write.write_all(requests.as_bytes()).await.is_ok() {} };
    soon(flood).await;
    drop(read);
    assert!(relay.post(&for_receiver("wechat")).await.starts_with("accepted"));
    relay.stop().await;
}
