//! The WeCom client against a scripted server on a real socket.

mod log;
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
        client::{CALL_TIMEOUT, CONNECT_TIMEOUT, Client, ClientSettings},
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

fn settings(api_url: &str) -> ClientSettings {
    ClientSettings {
        corp_id: "ww1234567890abcdef".to_owned(),
        agent_id: AgentId(1_000_030),
        api_secret: Secret::new(SECRET),
        api_url: ApiUrl::parse(api_url).unwrap(),
        proxy_url: None,
        connect_timeout: CONNECT_TIMEOUT,
        call_timeout: CALL_TIMEOUT,
    }
}

fn settings_of(server: &Server) -> ClientSettings {
    settings(&format!("http://{}", server.address))
}

fn client_of(server: &Server) -> Client {
    client(settings_of(server))
}

fn client(settings: ClientSettings) -> Client {
    Client::new(settings, &TokenCaches::default()).unwrap()
}

fn proxied(api_url: &str, proxy: &str) -> Client {
    let proxy_url = Some(ProxyUrl::parse(&Secret::new(proxy)).unwrap());
    client(ClientSettings { proxy_url, ..settings(api_url) })
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
fn shows_no_secret(shown: &impl Debug) {
    let shown = format!("{shown:?}");
    for secret in [SECRET, ENCODED_SECRET, PASSWORD, TOKEN] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[track_caller]
fn is_fault(outcome: &Outcome, doubtful: bool, api: Api, kind: TransportErrorKind) -> TransportError {
    shows_no_secret(outcome);
    let (fault, unconfirmed) = match outcome {
        Outcome::NotSent(fault) => (fault, false),
        Outcome::Unknown(fault) => (fault, true),
        other => unreachable!("{other:?}"),
    };
    assert_eq!((unconfirmed, fault.api, fault.kind), (doubtful, api, kind), "{fault:?}");
    fault.clone()
}

#[track_caller]
fn is_accepted(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Accepted(receipt) if receipt.msgid == "m1"), "{outcome:?}");
}

#[tokio::test]
async fn a_message_is_sent_as_wecom_documents_it() {
    let server = Server::wecom(|_| json(SENT)).await;
    is_accepted(&send(&client_of(&server)).await);
    let requests = server.requests();
    let [gettoken, sent] = requests.as_slice() else { unreachable!("{requests:?}") };
    let query = format!("corpid=ww1234567890abcdef&corpsecret={ENCODED_SECRET}");
    assert_eq!(gettoken.line, format!("GET /cgi-bin/gettoken?{query} HTTP/1.1"));
    assert_eq!(sent.line, format!("POST /cgi-bin/message/send?access_token={TOKEN}1 HTTP/1.1"));
    assert_eq!(sent.body, request_body(AgentId(1_000_030), &message()));
    assert!(sent.head.contains("application/json"), "{}", sent.head);
    assert!(sent.head.contains(concat!("wecom-relay/", env!("CARGO_PKG_VERSION"))), "{}", sent.head);
}

#[tokio::test]
async fn a_cold_start_of_many_sends_makes_one_gettoken() {
    let server = Server::wecom(|_| json(SENT)).await;
    let client = client_of(&server);
    for outcome in join_all((0..64).map(|_| send(&client))).await {
        is_accepted(&outcome);
    }
    assert_eq!(server.gettokens(), 1);
}

#[tokio::test]
async fn a_token_that_died_under_many_sends_is_renewed_once() {
    for errcode in [42001, 40014, 41001] {
        let oldest = Arc::new(AtomicUsize::new(1));
        let script_oldest = Arc::clone(&oldest);
        let server = Server::wecom(move |request| {
            let good = request.token().is_some_and(|number| number >= script_oldest.load(Ordering::SeqCst));
            if good { json(SENT) } else { refused(errcode) }
        })
        .await;
        let client = client_of(&server);
        is_accepted(&send(&client).await);
        oldest.store(2, Ordering::SeqCst);
        for outcome in join_all((0..64).map(|_| send(&client))).await {
            is_accepted(&outcome);
        }
        assert_eq!(server.gettokens(), 2, "{errcode}");
    }
}

#[tokio::test]
async fn a_resend_is_byte_identical_and_happens_once() {
    let server = Server::wecom(|_| refused(42001)).await;
    let outcome = send(&client_of(&server)).await;
    assert!(matches!(&outcome, Outcome::Rejected(refusal) if refusal.errcode.0 == 42001), "{outcome:?}");
    let sent: Vec<Request> = server.requests().into_iter().filter(|request| !request.is_gettoken()).collect();
    let [first, second] = sent.as_slice() else { unreachable!("{sent:?}") };
    assert_eq!(first.body, second.body);
    assert_ne!(first.line, second.line);
    assert_eq!(server.gettokens(), 2);
}

#[tokio::test]
async fn another_refusal_is_not_sent_again() {
    let server = Server::wecom(|_| refused(60020)).await;
    let outcome = send(&client_of(&server)).await;
    let Outcome::Rejected(refusal) = &outcome else { unreachable!("{outcome:?}") };
    assert_eq!((refusal.api, refusal.errcode.0), (Api::MessageSend, 60020));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_refused_secret_is_asked_once_for_all_who_wait() {
    let body = format!(r#"{{"errcode":40001,"errmsg":"invalid credential {SECRET} {ENCODED_SECRET}"}}"#);
    let server = Server::start(move |_| json(&body)).await;
    let client = client_of(&server);
    for outcome in join_all((0..64).map(|_| send(&client))).await {
        shows_no_secret(&outcome);
        let Outcome::Rejected(refusal) = &outcome else { unreachable!("{outcome:?}") };
        assert_eq!((refusal.api, refusal.errcode.0), (Api::GetToken, 40001));
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn apps_of_one_secret_share_a_token() {
    let server = Server::wecom(|_| json(SENT)).await;
    let caches = TokenCaches::default();
    let first = Client::new(settings_of(&server), &caches).unwrap();
    let second = Client::new(settings_of(&server), &caches).unwrap();
    is_accepted(&send(&first).await);
    is_accepted(&send(&second).await);
    assert_eq!(server.gettokens(), 1);
}

#[tokio::test]
async fn trouble_with_gettoken_leaves_the_message_unsent() {
    let slow = Duration::from_millis(300);
    let server = Server::start(|_| Reply::Hang).await;
    let outcome = send(&client(ClientSettings { call_timeout: slow, ..settings_of(&server) })).await;
    is_fault(&outcome, false, Api::GetToken, TransportErrorKind::Timeout);
    for (reply, kind) in [
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", TransportErrorKind::Status(502)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", TransportErrorKind::NotWecom),
        ("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"errcode\":0}  ", TransportErrorKind::NotWecom),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", TransportErrorKind::Lost),
        ("", TransportErrorKind::Lost),
    ] {
        let server = Server::start(move |_| Reply::Raw(reply.to_owned())).await;
        is_fault(&send(&client_of(&server)).await, false, Api::GetToken, kind);
    }
}

#[tokio::test]
async fn no_connection_is_unsent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let outcome = send(&client(settings(&format!("http://{address}")))).await;
    let fault = is_fault(&outcome, false, Api::GetToken, TransportErrorKind::Connect);
    assert!(fault.detail.contains("refused"), "{}", fault.detail);
    let outcome = send(&client(settings("http://no-such-host.invalid"))).await;
    is_fault(&outcome, false, Api::GetToken, TransportErrorKind::Connect);
}

#[tokio::test]
async fn a_server_without_tls_behind_https_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    let fault =
        is_fault(&send(&client(settings(&url))).await, false, Api::GetToken, TransportErrorKind::Connect);
    assert!(!fault.detail.contains("time"), "{}", fault.detail);
}

#[tokio::test]
async fn a_connect_that_takes_too_long_is_no_connection() {
    // The server takes the connection and says nothing to the TLS handshake.
    let server = Server::start(|_| Reply::Hang).await;
    let mut settings = settings(&format!("https://{}", server.address));
    settings.connect_timeout = Duration::from_millis(200);
    is_fault(&send(&client(settings)).await, false, Api::GetToken, TransportErrorKind::Connect);
}

#[tokio::test]
async fn a_lost_connection_while_connecting_to_send_is_unsent() {
    // The token is there, and the server is gone when the message is to be sent.
    let server = Server::wecom(|_| json(SENT)).await;
    let client = client_of(&server);
    client.token().await.unwrap();
    let address = server.address;
    drop(server);
    // The pooled connection may be found dead at once or on use: neither may be taken for a delivery.
    let outcome = send(&client).await;
    assert!(matches!(outcome, Outcome::NotSent(_) | Outcome::Unknown(_)), "{outcome:?}");
    let refused = TcpStream::connect(address).await;
    assert!(refused.is_err());
    is_fault(&send(&client).await, false, Api::MessageSend, TransportErrorKind::Connect);
}

#[tokio::test]
async fn no_answer_to_a_written_request_is_in_doubt() {
    let call_timeout = Duration::from_millis(300);
    let server = Server::wecom(|_| Reply::Hang).await;
    let outcome = send(&client(ClientSettings { call_timeout, ..settings_of(&server) })).await;
    is_fault(&outcome, true, Api::MessageSend, TransportErrorKind::Timeout);

    let server = Server::wecom(|_| {
        Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"errcode\":0".to_owned())
    })
    .await;
    is_fault(&send(&client_of(&server)).await, true, Api::MessageSend, TransportErrorKind::Lost);

    let server = Server::wecom(|_| Reply::Raw(String::new())).await;
    is_fault(&send(&client_of(&server)).await, true, Api::MessageSend, TransportErrorKind::Lost);
    assert_eq!(server.requests().len(), 2, "nothing below the client sends again");
}

#[tokio::test]
async fn an_answer_that_is_not_wecoms_is_in_doubt() {
    let html = format!("<html>login {SECRET} {TOKEN}1</html>");
    let long = format!(r#"{{"errcode":0,"errmsg":"{}"}}"#, "x".repeat(70_000));
    for body in [html, long, String::new(), r#"{"errcode":0,"#.to_owned(), "{}".to_owned()] {
        let server = Server::wecom(move |_| json(&body)).await;
        is_fault(&send(&client_of(&server)).await, true, Api::MessageSend, TransportErrorKind::NotWecom);
    }
}

#[tokio::test]
async fn an_error_status_of_the_server_is_in_doubt_and_its_body_is_not_repeated() {
    for code in [500, 502, 504, 204] {
        let server = Server::wecom(move |request| status(&format!("{code} Odd"), &request.line)).await;
        let fault = is_fault(
            &send(&client_of(&server)).await,
            true,
            Api::MessageSend,
            TransportErrorKind::Status(code),
        );
        assert_eq!(fault.detail, format!("HTTP {code}"));
    }
}

#[tokio::test]
async fn a_request_that_was_turned_away_is_unsent() {
    for code in [400, 403, 404, 407, 429] {
        let server = Server::wecom(move |request| status(&format!("{code} Odd"), &request.line)).await;
        is_fault(&send(&client_of(&server)).await, false, Api::MessageSend, TransportErrorKind::Status(code));
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
        let fault = is_fault(&outcome, false, Api::MessageSend, TransportErrorKind::Status(code));
        assert_eq!(fault.detail, format!("HTTP {code}, a redirect to {origin}"));
        assert!(other.requests().is_empty());
    }
}

#[tokio::test]
async fn a_proxy_is_used_for_both_calls() {
    let proxy = Server::wecom(|_| json(SENT)).await;
    let client = proxied("http://wecom.invalid", &format!("http://me:{PASSWORD}@{}", proxy.address));
    is_accepted(&send(&client).await);
    let requests = proxy.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert!(request.line.contains(" http://wecom.invalid/cgi-bin/"), "{}", request.line);
        assert!(request.head.to_lowercase().contains("proxy-authorization: basic "), "{}", request.head);
    }
    shows_no_secret(&client);
}

#[tokio::test]
async fn a_proxy_that_refuses_the_tunnel_is_no_connection() {
    let proxy = Server::start(|request| status("407 Proxy Authentication Required", &request.line)).await;
    let client = proxied("https://wecom.invalid", &format!("http://me:{PASSWORD}@{}", proxy.address));
    is_fault(&send(&client).await, false, Api::GetToken, TransportErrorKind::Connect);
    let requests = proxy.requests();
    assert!(
        requests.iter().all(|request| request.line.starts_with("CONNECT wecom.invalid:443 ")),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for scheme in ["http", "https", "socks5"] {
        let client = proxied("http://wecom.example.com", &format!("{scheme}://me:{PASSWORD}@{address}"));
        is_fault(&send(&client).await, false, Api::GetToken, TransportErrorKind::Connect);
    }
}

#[tokio::test]
async fn a_send_that_is_given_up_does_not_block_the_next() {
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
    let given_up = tokio::time::timeout(Duration::from_millis(200), send(&client)).await;
    assert!(given_up.is_err());
    hang.store(0, Ordering::SeqCst);
    is_accepted(&send(&client).await);
}
