//! The WeCom client against a scripted server on a real socket.

mod log;
mod replies;
mod robot;
mod server;

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use wecom_relay::{
    secret::Secret,
    wecom::{
        Api, Content, Message, Outcome, Recipients, TransportError, TransportErrorKind, WeCom,
        client::{AppSettings, CALL_TIMEOUT, CONNECT_TIMEOUT, Client, Connection, Stage},
        endpoint::{ApiUrl, ProxyUrl},
        message::{AgentId, request_body},
        token::TokenCaches,
    },
};

use server::{Reply, Request, Server, TOKEN, json, refused, status};

const SECRET: &str = "s3cr3t+/&=of-the-app";
const ENCODED_SECRET: &str = "s3cr3t%2B%2F%26%3Dof-the-app";
const PASSWORD: &str = "pr0xy-passw0rd";
const SENT: &str = r#"{"errcode":0,"errmsg":"ok","msgid":"m1"}"#;

fn settings(api_url: &str) -> AppSettings {
    AppSettings {
        corp_id: "ww1234567890abcdef".to_owned(),
        agent_id: AgentId(1_000_030),
        api_secret: Secret::new(SECRET),
        connection: connection(api_url),
    }
}

fn connection(api_url: &str) -> Connection {
    Connection {
        api_url: ApiUrl::parse(api_url).unwrap(),
        proxy_url: None,
        extra_roots: wecom_relay::tls::ExtraRoots::default(),
        connect_timeout: CONNECT_TIMEOUT,
        call_timeout: CALL_TIMEOUT,
    }
}

/// [`settings`] with a changed connection.
fn with_connection(api_url: &str, change: impl FnOnce(&mut Connection)) -> AppSettings {
    let mut settings = settings(api_url);
    change(&mut settings.connection);
    settings
}

fn settings_of(server: &Server) -> AppSettings {
    settings(&server.url())
}

fn client_of(server: &Server) -> Client {
    client(settings_of(server))
}

fn client(settings: AppSettings) -> Client {
    Client::new(settings, &TokenCaches::default()).unwrap()
}

fn proxied(api_url: &str, proxy: &str) -> Client {
    let proxy_url = Some(ProxyUrl::parse(&Secret::new(proxy)).unwrap());
    client(with_connection(api_url, |connection| connection.proxy_url = proxy_url))
}

fn message() -> Message {
    Message {
        recipients: Recipients::parse("zhangsan", "", "").unwrap(),
        content: Content::Text("磁盘已满".to_owned()),
        duplicate_check: Some(Duration::from_secs(120)),
    }
}

async fn send(client: &Client) -> Outcome {
    client.send(&message()).await
}

#[track_caller]
fn assert_no_secret(value: &impl Debug) {
    let text = format!("{value:?}");
    for secret in [SECRET, ENCODED_SECRET, PASSWORD, TOKEN] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[track_caller]
fn assert_not_sent(outcome: &Outcome, api: Api, kind: TransportErrorKind) -> TransportError {
    assert_no_secret(outcome);
    let Outcome::NotSent(error) = outcome else { unreachable!("{outcome:?}") };
    assert_eq!((error.api, error.kind), (api, kind), "{error:?}");
    error.clone()
}

#[track_caller]
fn assert_unknown(outcome: &Outcome, kind: TransportErrorKind) -> TransportError {
    assert_no_secret(outcome);
    let Outcome::Unknown(error) = outcome else { unreachable!("{outcome:?}") };
    assert_eq!((error.api, error.kind), (Api::MessageSend, kind), "{error:?}");
    error.clone()
}

#[track_caller]
fn assert_accepted(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Accepted(receipt) if receipt.msgid == "m1"), "{outcome:?}");
}

#[tokio::test]
async fn a_message_is_sent_as_wecom_documents_it() {
    let server = Server::wecom(|_| json(SENT)).await;
    assert_accepted(&send(&client_of(&server)).await);
    let requests = server.requests();
    let [gettoken, sent] = requests.as_slice() else { unreachable!("{requests:?}") };
    let query = format!("corpid=ww1234567890abcdef&corpsecret={ENCODED_SECRET}");
    assert_eq!(gettoken.line, format!("GET /cgi-bin/gettoken?{query} HTTP/1.1"));
    assert_eq!(sent.line, format!("POST /cgi-bin/message/send?access_token={TOKEN}1 HTTP/1.1"));
    assert_eq!(sent.body, request_body(Some(AgentId(1_000_030)), &message()));
    assert!(sent.head.contains("application/json"), "{}", sent.head);
    assert!(sent.head.contains(concat!("wecom-relay/", env!("CARGO_PKG_VERSION"))), "{}", sent.head);
}

#[tokio::test]
async fn a_cold_start_of_many_sends_makes_one_gettoken() {
    let server = Server::wecom(|_| json(SENT)).await;
    let client = client_of(&server);
    for outcome in join_all((0..64).map(|_| send(&client))).await {
        assert_accepted(&outcome);
    }
    assert_eq!(server.gettokens(), 1);
}

#[tokio::test]
async fn a_token_refused_for_many_sends_is_renewed_once() {
    for errcode in [40001, 42001, 40014, 41001] {
        let oldest = Arc::new(AtomicUsize::new(1));
        let script_oldest = Arc::clone(&oldest);
        let server = Server::wecom(move |request| {
            let good = request.token().is_some_and(|number| number >= script_oldest.load(Ordering::SeqCst));
            if good { json(SENT) } else { refused(errcode) }
        })
        .await;
        let client = client_of(&server);
        assert_accepted(&send(&client).await);
        oldest.store(2, Ordering::SeqCst);
        for outcome in join_all((0..64).map(|_| send(&client))).await {
            assert_accepted(&outcome);
        }
        assert_eq!(server.gettokens(), 2, "{errcode}");
    }
}

#[tokio::test]
async fn a_message_is_resent_once_byte_for_byte() {
    let server = Server::wecom(|_| refused(42001)).await;
    let outcome = send(&client_of(&server)).await;
    assert!(matches!(&outcome, Outcome::Rejected(error) if error.errcode.0 == 42001), "{outcome:?}");
    let sent: Vec<Request> = server.requests().into_iter().filter(|request| !request.is_gettoken()).collect();
    let [first, second] = sent.as_slice() else { unreachable!("{sent:?}") };
    assert_eq!(first.body, second.body);
    assert_ne!(first.line, second.line);
    assert_eq!(server.gettokens(), 2);
}

#[tokio::test]
async fn while_renewed_tokens_are_refused_a_send_tries_one() {
    let server = Server::wecom(|_| refused(40014)).await;
    let client = client_of(&server);
    // One of the sends tries a renewed token, and the others learn from it.
    let outcomes = join_all((0..3).map(|_| send(&client))).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Rejected(_))), "{outcomes:?}");
    assert_eq!((server.gettokens(), server.requests().len()), (2, 2 + 4));
    // The renewed token is too young to be renewed again.
    for requests in [7, 8] {
        assert!(matches!(send(&client).await, Outcome::Rejected(_)));
        assert_eq!((server.gettokens(), server.requests().len()), (2, requests));
    }
}

#[tokio::test]
async fn another_errcode_is_not_resent() {
    let server = Server::wecom(|_| refused(60020)).await;
    let outcome = send(&client_of(&server)).await;
    let Outcome::Rejected(error) = &outcome else { unreachable!("{outcome:?}") };
    assert_eq!((error.api, error.errcode.0), (Api::MessageSend, 60020));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_refused_secret_is_sent_once_for_all_waiting_sends() {
    let body = format!(r#"{{"errcode":40001,"errmsg":"invalid credential {SECRET} {ENCODED_SECRET}"}}"#);
    let server = Server::start(move |_| json(&body)).await;
    let client = client_of(&server);
    for outcome in join_all((0..64).map(|_| send(&client))).await {
        assert_no_secret(&outcome);
        let Outcome::Rejected(error) = &outcome else { unreachable!("{outcome:?}") };
        assert_eq!((error.api, error.errcode.0), (Api::GetToken, 40001));
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn apps_with_one_refused_secret_ask_once() {
    let server = Server::start(|_| refused(40001)).await;
    let caches = TokenCaches::default();
    let client_of = |agent| {
        let settings = AppSettings { agent_id: AgentId(agent), ..settings_of(&server) };
        Client::new(settings, &caches).unwrap()
    };
    let clients: Vec<_> = (1..=7).map(client_of).collect();
    for client in &clients {
        let outcome = send(client).await;
        assert!(matches!(&outcome, Outcome::Rejected(error) if error.api == Api::GetToken), "{outcome:?}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn clients_with_one_secret_share_a_token() {
    let server = Server::wecom(|_| json(SENT)).await;
    let caches = TokenCaches::default();
    let first = Client::new(settings_of(&server), &caches).unwrap();
    let second = Client::new(settings_of(&server), &caches).unwrap();
    assert_accepted(&send(&first).await);
    assert_accepted(&send(&second).await);
    assert_eq!(server.gettokens(), 1);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let slow = Duration::from_millis(300);
    let server = Server::start(|_| Reply::Hang).await;
    let outcome =
        send(&client(with_connection(&server.url(), |connection| connection.call_timeout = slow))).await;
    assert_not_sent(&outcome, Api::GetToken, TransportErrorKind::Timeout);
    for (reply, kind) in [
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", TransportErrorKind::Status(502)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", TransportErrorKind::InvalidReply),
        ("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"errcode\":0}  ", TransportErrorKind::InvalidReply),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", TransportErrorKind::Lost),
        ("", TransportErrorKind::Lost),
    ] {
        let server = Server::start(move |_| Reply::Raw(reply.to_owned())).await;
        assert_not_sent(&send(&client_of(&server)).await, Api::GetToken, kind);
    }
}

#[tokio::test]
async fn without_a_connection_nothing_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let outcome = send(&client(settings(&format!("http://{address}")))).await;
    let error = assert_not_sent(&outcome, Api::GetToken, TransportErrorKind::Connect);
    assert!(error.detail.contains("refused"), "{}", error.detail);
    let outcome = send(&client(settings("http://no-such-host.invalid"))).await;
    assert_not_sent(&outcome, Api::GetToken, TransportErrorKind::Connect);
}

#[tokio::test]
async fn a_server_without_tls_is_a_connect_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    let error =
        assert_not_sent(&send(&client(settings(&url))).await, Api::GetToken, TransportErrorKind::Connect);
    assert!(!error.detail.contains("time"), "{}", error.detail);
}

#[tokio::test]
async fn a_slow_tls_handshake_is_a_connect_error() {
    // The server accepts the connection and never answers the TLS handshake.
    let server = Server::start(|_| Reply::Hang).await;
    let mut settings = settings(&format!("https://{}", server.address));
    settings.connection.connect_timeout = Duration::from_millis(200);
    assert_not_sent(&send(&client(settings)).await, Api::GetToken, TransportErrorKind::Connect);
}

#[tokio::test]
async fn a_refused_connection_means_not_sent() {
    // The client has a token, and then the server disappears.
    let server = Server::wecom(|_| json(SENT)).await;
    let client = client_of(&server);
    client.token().await.unwrap();
    let address = server.address;
    drop(server);
    // The client may notice the lost pooled connection before or after it writes to it.
    let outcome = send(&client).await;
    assert!(matches!(outcome, Outcome::NotSent(_) | Outcome::Unknown(_)), "{outcome:?}");
    let refused = TcpStream::connect(address).await;
    assert!(refused.is_err());
    assert_not_sent(&send(&client).await, Api::MessageSend, TransportErrorKind::Connect);
}

#[tokio::test]
async fn a_request_without_a_reply_is_unknown() {
    let call_timeout = Duration::from_millis(300);
    let server = Server::wecom(|_| Reply::Hang).await;
    let outcome =
        send(&client(with_connection(&server.url(), |connection| connection.call_timeout = call_timeout)))
            .await;
    assert_unknown(&outcome, TransportErrorKind::Timeout);

    let server = Server::wecom(|_| {
        Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"errcode\":0".to_owned())
    })
    .await;
    assert_unknown(&send(&client_of(&server)).await, TransportErrorKind::Lost);

    let server = Server::wecom(|_| Reply::Raw(String::new())).await;
    assert_unknown(&send(&client_of(&server)).await, TransportErrorKind::Lost);
    assert_eq!(server.requests().len(), 2, "the HTTP library must not retry");
}

#[tokio::test]
async fn a_foreign_reply_is_unknown() {
    let html = format!("<html>login {SECRET} {TOKEN}1</html>");
    let long = format!(r#"{{"errcode":0,"errmsg":"{}"}}"#, "x".repeat(70_000));
    for body in [html, long, String::new(), r#"{"errcode":0,"#.to_owned(), "{}".to_owned()] {
        let server = Server::wecom(move |_| json(&body)).await;
        assert_unknown(&send(&client_of(&server)).await, TransportErrorKind::InvalidReply);
    }
    let server = Server::wecom(|_| status("204 No Content", "")).await;
    assert_unknown(&send(&client_of(&server)).await, TransportErrorKind::InvalidReply);
}

#[tokio::test]
async fn a_5xx_is_unknown_and_its_body_is_not_quoted() {
    for code in [500, 502, 504] {
        let server = Server::wecom(move |request| status(&format!("{code} Odd"), &request.line)).await;
        let error = assert_unknown(&send(&client_of(&server)).await, TransportErrorKind::Status(code));
        assert_eq!(error.detail, format!("HTTP {code}"));
    }
}

#[tokio::test]
async fn a_4xx_means_not_sent() {
    for code in [400, 403, 404, 407, 429] {
        let server = Server::wecom(move |request| status(&format!("{code} Odd"), &request.line)).await;
        assert_not_sent(&send(&client_of(&server)).await, Api::MessageSend, TransportErrorKind::Status(code));
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for code in [301, 302, 307, 308] {
        let other = Server::start(|_| json(SENT)).await;
        let origin = format!("http://{}", other.address);
        let location = origin.clone();
        let server = Server::wecom(move |request| {
            let path = request.line.split(' ').nth(1).unwrap();
            Reply::Raw(format!(
                "HTTP/1.1 {code} Moved\r\nLocation: {location}{path}\r\nContent-Length: 0\r\n\r\n"
            ))
        })
        .await;
        let outcome = send(&client_of(&server)).await;
        let error = assert_not_sent(&outcome, Api::MessageSend, TransportErrorKind::Status(code));
        assert_eq!(error.detail, format!("HTTP {code}, a redirect to {origin}"));
        assert!(other.requests().is_empty());
    }
}

#[tokio::test]
async fn a_proxy_is_used_for_both_calls() {
    let proxy = Server::wecom(|_| json(SENT)).await;
    let client = proxied("http://wecom.invalid", &format!("http://me:{PASSWORD}@{}", proxy.address));
    assert_accepted(&send(&client).await);
    let requests = proxy.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert!(request.line.contains(" http://wecom.invalid/cgi-bin/"), "{}", request.line);
        assert!(request.head.to_lowercase().contains("proxy-authorization: basic "), "{}", request.head);
    }
    assert_no_secret(&client);
}

#[tokio::test]
async fn a_proxy_that_refuses_connect_is_a_connect_error() {
    let proxy = Server::start(|request| status("407 Proxy Authentication Required", &request.line)).await;
    let client = proxied("https://wecom.invalid", &format!("http://me:{PASSWORD}@{}", proxy.address));
    assert_not_sent(&send(&client).await, Api::GetToken, TransportErrorKind::Connect);
    let requests = proxy.requests();
    assert!(
        requests.iter().all(|request| request.line.starts_with("CONNECT wecom.invalid:443 ")),
        "{requests:?}"
    );
}

// Pins a private error text of hyper-util, by which the client recognizes a 407 to a CONNECT.
#[tokio::test]
async fn a_proxy_that_requires_a_login_is_recognized() {
    for api_url in ["https://wecom.invalid", "http://wecom.invalid"] {
        let proxy = Server::start(|request| status("407 Proxy Authentication Required", &request.line)).await;
        let client = proxied(api_url, &format!("http://me:{PASSWORD}@{}", proxy.address));
        let error = client.reach().await.unwrap_err();
        assert_no_secret(&error);
        assert_eq!(error.stage, Stage::ProxyLogin, "{error:?}");
    }
    let proxy = Server::start(|request| status("403 Forbidden", &request.line)).await;
    let client = proxied("https://wecom.invalid", &format!("http://{}", proxy.address));
    assert_eq!(client.reach().await.unwrap_err().stage, Stage::Proxy);
}

#[tokio::test]
async fn an_unreachable_proxy_is_a_connect_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for scheme in ["http", "https", "socks5"] {
        let client = proxied("http://wecom.example.com", &format!("{scheme}://me:{PASSWORD}@{address}"));
        assert_not_sent(&send(&client).await, Api::GetToken, TransportErrorKind::Connect);
    }
}

#[tokio::test]
async fn a_dropped_send_does_not_block_the_next() {
    let hang = Arc::new(AtomicUsize::new(1));
    let script_hang = Arc::clone(&hang);
    let server = Server::start(move |request| {
        if script_hang.load(Ordering::SeqCst) == 1 {
            return Reply::Hang;
        }
        if request.is_gettoken() {
            return json(&format!(r#"{{"errcode":0,"access_token":"{TOKEN}1","expires_in":7200}}"#));
        }
        json(SENT)
    })
    .await;
    let client = client_of(&server);
    let dropped = tokio::time::timeout(Duration::from_millis(200), send(&client)).await;
    assert!(dropped.is_err());
    hang.store(0, Ordering::SeqCst);
    assert_accepted(&send(&client).await);
}
