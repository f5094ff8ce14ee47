//! Many connections at once, slow ones among them.

use std::{process::Command, time::Duration};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::Instant,
};
use wecom_relay::{app::Tuning, http::CONNECTIONS};

use super::{for_receiver, raw};
use crate::support::{
    Options, Process, Relay, Wecom, config_file,
    members::{BY_MEMBER, member, payload_for},
    process::serve,
};

/// As many files as the crowd needs in this process.
fn many_files() {
    rlimit::increase_nofile_limit(8192).unwrap();
}

const MEMBERS: usize = 500;

/// `POST /webhook` with a notification of another group for another member.
fn request(number: usize) -> String {
    let group = format!("Group{number}");
    let body = payload_for(&member(number % MEMBERS), &group, &[("a", true)]).to_string();
    let length = body.len();
    format!(
        "POST /webhook HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_connections_at_once_are_all_answered_with_200() {
    many_files();
    let wecom = Wecom::crowded(MEMBERS).await;
    let options = Options { receivers: BY_MEMBER.to_owned(), ..Options::default() };
    let (_folder, config) = config_file(&wecom.url, &options);
    // As many systems start it; it raises the limit by itself.
    let mut few_files = Command::new("sh");
    few_files.args(["-c", "ulimit -S -n 256; exec \"$0\" \"$@\""]);
    let serve = serve(&config);
    few_files.arg(serve.get_program()).args(serve.get_args());
    let mut process = Process::launch(few_files);
    process.ready().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.pid())).unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let files: usize = files.split_whitespace().next().unwrap().parse().unwrap();
    assert!(files > CONNECTIONS, "{limits}");
    // All are open before the first of them says a word.
    let open = join_all((0..2000).map(|_| raw::connect(&process.url))).await;
    let posts = open.into_iter().enumerate().map(|(number, mut stream)| async move {
        stream.write_all(request(number).as_bytes()).await.unwrap();
        raw::rest(stream).await
    });
    let answers = tokio::time::timeout(Duration::from_secs(20), join_all(posts)).await.unwrap();
    let other: Vec<_> = answers.iter().filter(|answer| !answer.starts_with("HTTP/1.1 200 ")).collect();
    assert!(other.is_empty(), "{} others, such as {:?}", other.len(), other[0]);
    process.signal("TERM");
    assert!(process.ended().await.success());
}

/// Posts one webhook after the other, each of which must be answered with 200.
async fn post_each(relay: &Relay, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let mut stream = raw::connect(&relay.url).await;
        stream.write_all(request(number).as_bytes()).await.unwrap();
        let answer = raw::rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// A client that sends `text` a byte a second, until the relay ends the connection: how long that took.
async fn crawl(mut stream: TcpStream, text: String) -> Duration {
    let began = Instant::now();
    for byte in text.bytes() {
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
        let mut answer = [0; 1024];
        if let Ok(Ok(read)) = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut answer)).await
            && (read == 0 || answer.starts_with(b"HTTP/1.1 503"))
        {
            break;
        }
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_clients_that_send_a_byte_a_second_hold_nobody_up_and_are_cut_off() {
    many_files();
    let wecom = Wecom::crowded(MEMBERS).await;
    // Half as many places as the product has: the slow ones do not get them all.
    let tuning = Tuning { connections: 1000, ..Options::default().tuning };
    let options = Options { receivers: BY_MEMBER.to_owned(), tuning, ..Options::default() };
    let relay = Relay::with(&wecom.url, options).await;
    let mut slow = JoinSet::new();
    for number in 0..500 {
        let stream = raw::connect(&relay.url).await;
        let (head, body) = request(number)
            .split_once("\r\n\r\n")
            .map(|(h, b)| (format!("{h}\r\n\r\n"), b.to_owned()))
            .unwrap();
        slow.spawn(async move {
            let mut stream = stream;
            if number % 2 == 0 {
                return crawl(stream, head).await;
            }
            stream.write_all(head.as_bytes()).await.unwrap();
            crawl(stream, body).await
        });
    }
    post_each(&relay, 1000..1050).await;
    assert!(slow.try_join_next().is_none(), "the slow clients ended before the others were answered");
    let ended = tokio::time::timeout(Duration::from_secs(18), slow.join_all()).await.unwrap();
    assert!(ended.iter().all(|took| *took > Duration::from_secs(8)), "{ended:?}");
    relay.stop().await;
}

#[tokio::test]
async fn a_connection_for_which_there_is_no_place_waits_until_a_silent_one_gives_up_its_own() {
    let wecom = Wecom::start().await;
    let tuning = Tuning { connections: 2, ..Options::default().tuning };
    let relay = Relay::with(&wecom.url, Options { tuning, ..Options::default() }).await;
    let mut silent = Vec::new();
    for _ in 0..2 {
        // They are taken in the order in which they come.
        silent.push(raw::connect(&relay.url).await);
    }
    let mut waiting = raw::connect(&relay.url).await;
    waiting.write_all(request(0).as_bytes()).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(200), waiting.read(&mut [0; 1])).await;
    assert!(early.is_err(), "three were served in two places");
    let served = tokio::time::timeout(Duration::from_secs(8), raw::rest(waiting)).await.unwrap();
    assert!(served.starts_with("HTTP/1.1 200 "), "{served}");
    drop(silent);
    relay.stop().await;
}

/// A client without credentials that asks twice a second, on one connection for as long as it is let.
async fn keep_asking(url: String, ask: &'static str, answered: mpsc::UnboundedSender<()>) {
    loop {
        let mut stream = raw::connect(&url).await;
        while stream.write_all(ask.as_bytes()).await.is_ok() {
            match stream.read(&mut [0; 1024]).await {
                Ok(read) if read > 0 => _ = answered.send(()),
                _ => break,
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

#[tokio::test]
async fn clients_that_keep_asking_without_credentials_do_not_keep_a_webhook_out() {
    let wecom = Wecom::start().await;
    let tuning = Tuning { connections: 4, ..Options::default().tuning };
    let server = ", auth: { bearer_token: not-a-real-token }".to_owned();
    let relay = Relay::with(&wecom.url, Options { tuning, server, ..Options::default() }).await;
    for ask in [
        "GET /-/healthy HTTP/1.1\r\nHost: relay\r\n\r\n",
        "GET /-/ready HTTP/1.1\r\nHost: relay\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: relay\r\n\r\n",
        "POST /webhook HTTP/1.1\r\nHost: relay\r\nContent-Length: 0\r\n\r\n",
    ] {
        let mut asking = JoinSet::new();
        let (answered, mut answers) = mpsc::unbounded_channel();
        for _ in 0..4 {
            asking.spawn(keep_asking(relay.url.clone(), ask, answered.clone()));
        }
        // By then each of them has or had a place.
        for _ in 0..4 {
            answers.recv().await.unwrap();
        }
        for number in 0..3 {
            let mut stream = raw::connect(&relay.url).await;
            let post = request(number).replacen("\r\n", "\r\nAuthorization: Bearer not-a-real-token\r\n", 1);
            stream.write_all(post.as_bytes()).await.unwrap();
            let answer = tokio::time::timeout(Duration::from_secs(8), raw::rest(stream)).await;
            assert!(answer.expect(ask).starts_with("HTTP/1.1 200 "), "{ask}");
        }
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_client_that_says_nothing_more_is_cut_off() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    let ends = async |said: &str| {
        let mut stream = raw::connect(&relay.url).await;
        stream.write_all(said.as_bytes()).await.unwrap();
        let began = Instant::now();
        // A reset is an end as well.
        _ = stream.read_to_end(&mut Vec::new()).await;
        began.elapsed()
    };
    let (none, part, idle) = tokio::join!(
        ends(""),
        ends("POST /webhook HTTP/1.1\r\nHost:"),
        ends("GET /-/healthy HTTP/1.1\r\nHost: relay\r\n\r\n")
    );
    for took in [none, part, idle] {
        assert!((11..16).contains(&took.as_secs()), "{took:?}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_cut_off() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    let (read, mut write) = raw::connect(&relay.url).await.into_split();
    let asks = "GET /metrics HTTP/1.1\r\nHost: relay\r\n\r\n".repeat(1000);
    let flood = async { while write.write_all(asks.as_bytes()).await.is_ok() {} };
    let began = Instant::now();
    tokio::time::timeout(Duration::from_secs(30), flood).await.unwrap();
    assert!(began.elapsed() > Duration::from_secs(9), "{:?}", began.elapsed());
    drop(read);
    assert!(relay.post(&for_receiver("wechat")).await.starts_with("accepted"));
    relay.stop().await;
}
