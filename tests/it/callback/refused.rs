//! Requests that are not those of WeCom. All of them are refused in the same way.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    Call, KEY, OTHER_KEY, TOKEN, body_of, entered, keys, keys_of, minutes, now, press, press_at,
    with_callback,
};
use crate::support::{
    CORP, Relay, Wecom,
    log::{Written, log_to},
    soon,
};

/// The request, and the result that is counted for it.
struct Refused {
    call: Call,
    result: &'static str,
}

/// `call` with the `Encrypt` of its body changed by `edit` and signed again.
fn reencrypted(message: &str, edit: impl Fn(&mut Vec<u8>)) -> Call {
    let mut bytes = STANDARD.decode(keys().encrypt([7; 16], message.as_bytes())).unwrap();
    edit(&mut bytes);
    Call::post(&STANDARD.encode(bytes), &keys(), now())
}

/// A path with a timestamp of 1970, which is not that of the signature.
fn stale(path: &str) -> String {
    path.replace("timestamp=", "timestamp=1&time=")
}

fn refused() -> Vec<Refused> {
    let good = || Call::message(&keys(), &entered());
    let verification = || Call::verification(&keys(), "123");
    let encrypted = keys().encrypt([7; 16], entered().as_bytes());
    let path = |edit: fn(&str) -> String| good().with_path(edit);
    let message = |text: &str| Call::message(&keys(), text);
    let with_body = |body: String| good().with_body(body);
    let bomb = "<!DOCTYPE xml [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><xml><Encrypt>&b;</Encrypt></xml>";
    let attributes: String = (0..1000).map(|number| format!(" a{number}='1'")).collect();
    let recorded = |_: &str| {
        let encrypted = keys().encrypt([7; 16], press("t", "ack", "c").as_bytes());
        Call::get(&encrypted, &keys(), now())
    };
    let list = [
        // Another app, or none.
        (path(|path| path.replace("/ops?", "/nobody?")), "unknown_app"),
        (path(|path| path.replace("/ops?", "/?")), "unknown_app"),
        (path(|path| path.replace("/ops?", "?")), "unknown_app"),
        (path(|path| path.replace("/ops?", "/ops/?")), "unknown_app"),
        (path(|path| path.replace("/ops?", "/ops/more?")), "unknown_app"),
        (path(|path| path.replace("/ops?", "/%FF?")), "unknown_app"),
        (verification().with_path(|path| path.replace("/ops?", "/nobody?")), "unknown_app"),
        // Parameters.
        (path(|path| path.split('?').next().unwrap().to_owned()), "parameters"),
        (path(|path| path.replace("&nonce=1372623149", "")), "parameters"),
        (path(|path| path.replace("timestamp=", "time=")), "parameters"),
        (path(|path| path.replace("msg_signature=", "signature=")), "parameters"),
        (path(|path| format!("{path}&nonce=1372623149")), "parameters"),
        (path(|path| format!("{path}&msg_signature={}", "0".repeat(40))), "parameters"),
        (path(|path| path.replace("timestamp=", "timestamp=-")), "parameters"),
        (path(|path| path.replace("nonce=", &format!("nonce={}", "1".repeat(200)))), "parameters"),
        (path(|path| path.replace("nonce=1372623149", "nonce=")), "parameters"),
        // Signature.
        (path(|path| path.replace("1372623149", "1372623148")), "signature"),
        (path(|path| path.replace("msg_signature=", "msg_signature=0").replace("0&", "&")), "parameters"),
        (Call::message(&keys_of("OtherToken", KEY, CORP), &entered()), "signature"),
        (good().with_body(body_of(&encrypted)), "signature"),
        (verification().with_path(|path| path.split("&echostr").next().unwrap().to_owned()), "signature"),
        // Time.
        (Call::message_at(&keys(), &entered(), now() - minutes(11)), "stale"),
        (Call::message_at(&keys(), &entered(), now() + minutes(11)), "stale"),
        (Call::verification_at(&keys(), "123", now() - minutes(11)), "stale"),
        (Call::message_at(&keys(), &entered(), jiff::Timestamp::UNIX_EPOCH), "stale"),
        (path(stale), "stale"),
        (message(&press_at(now() - minutes(11), "t", "ack", "c")), "stale"),
        (message(&press_at(now() + minutes(11), "t", "ack", "c")), "stale"),
        // Encryption.
        (Call::message(&keys_of(TOKEN, OTHER_KEY, CORP), &entered()), "encryption"),
        (Call::post("not base64", &keys(), now()), "encryption"),
        (Call::post("AAAA", &keys(), now()), "encryption"),
        // The byte before the last block decides on the padding.
        (
            reencrypted("<xml/>", |bytes| {
                let at = bytes.len() - 17;
                bytes[at] ^= 0x40;
            }),
            "encryption",
        ),
        // The first block decides on the length of the message.
        (reencrypted("<xml/>", |bytes| bytes[0] ^= 0x80), "encryption"),
        (
            reencrypted(&entered(), |bytes| {
                let length = bytes.len() - 16;
                bytes.truncate(length);
            }),
            "encryption",
        ),
        (reencrypted(&entered(), |bytes| bytes.truncate(100)), "encryption"),
        // Another corp, another app.
        (Call::message(&keys_of(TOKEN, KEY, "ww0000000000000000"), &entered()), "receive_id"),
        (Call::verification(&keys_of(TOKEN, KEY, ""), "123"), "receive_id"),
        (message(&entered().replace("1000002", "1000030")), "agent_id"),
        // Bodies.
        (with_body(String::new()), "body"),
        (with_body("hello".to_owned()), "body"),
        (with_body(body_of(&encrypted).replace("</xml>", "")), "body"),
        (with_body(body_of(&encrypted).replace("</Encrypt>", "</Encrypt><Encrypt>A</Encrypt>")), "body"),
        (with_body(bomb.to_owned()), "body"),
        (with_body(format!("<!DOCTYPE xml SYSTEM \"file:///etc/passwd\">{}", body_of(&encrypted))), "body"),
        (with_body(format!("<xml{attributes}>{}</xml>", body_of(&encrypted))), "body"),
        (with_body("<x>".repeat(5_000)), "body"),
        (with_body("[".repeat(16_000)), "body"),
        (good().with_body(vec![0xff; 1000]), "body"),
        (with_body("x".repeat((16 << 10) + 1)), "too_large"),
        // Messages.
        (message("hello"), "message"),
        (message(""), "message"),
        (message("<!DOCTYPE xml [<!ENTITY a \"a\">]><xml><MsgType>&a;</MsgType></xml>"), "message"),
        (message(&press("t", "ack", "c").replace("TaskId", "Task")), "message"),
        (message(&press(&"t".repeat(300), "ack", "c")), "message"),
        // A POST that somebody recorded must not be decrypted by a GET.
        (recorded(""), "message"),
        (Call::verification(&keys(), "<a>"), "message"),
    ];
    list.into_iter().map(|(call, result)| Refused { call, result }).collect()
}

#[tokio::test]
async fn every_refusal_looks_the_same() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    let pattern =
        Call::verification(&keys(), "123").with_path(|path| path.replace("ops", "no")).send(&relay).await;
    assert_eq!((pattern.status, pattern.body.as_str()), (403, "refused\n"));
    for Refused { call, result } in refused() {
        let app = if result == "unknown_app" { "" } else { "ops" };
        let before = relay.called_back(app, result).await;
        assert_eq!(call.send(&relay).await, pattern, "{call:?}");
        assert_eq!(relay.called_back(app, result).await, before + 1, "{result}: {call:?}");
    }
    assert_eq!(Call::verification(&keys(), "123").send(&relay).await.status, 200);
    relay.stop().await;
}

#[tokio::test]
async fn a_body_that_says_it_is_huge_is_not_read() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    let address = relay.url.strip_prefix("http://").unwrap();
    let call = Call::message(&keys(), &entered());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST {} HTTP/1.1\r\nHost: relay\r\nContent-Length: 99999999999\r\n\r\n", call.path);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("\r\n\r\nrefused\n"), "{answer}");
    relay.stop().await;
}

#[tokio::test]
async fn the_log_says_what_is_wrong_and_shows_no_secret() {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    let _log = log_to(subscriber.with_writer(move || writer.clone()).finish());
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    for Refused { call, .. } in refused() {
        call.send(&relay).await;
    }
    Call::message(&keys(), &entered()).send(&relay).await;
    Call::message(&keys(), &press("task0001", "ack", "response-code-1")).send(&relay).await;
    relay.stop().await;
    let log = written.text();
    for text in [
        "write the Token of WeCom's console into the callback's token",
        "write the EncodingAESKey of WeCom's console into the callback's encoding_aes_key",
        "behind the clock of this machine; set the clock if it is wrong",
        "no app of this name has a callback",
    ] {
        assert!(log.contains(text), "{text} is not in {log}");
    }
    for secret in [TOKEN, KEY, OTHER_KEY, "response-code-1", "1372623149"] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
    // Strangers must not fill the log.
    assert!(log.lines().filter(|line| line.contains("callback refused")).count() < 20, "{log}");
}

#[tokio::test]
async fn refusals_are_no_refused_webhooks() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    Call::message(&keys(), "x").send(&relay).await;
    let (status, overview) = relay.request(Method::GET, "/api/v1/overview", "").await;
    assert_eq!(status, 200, "{overview}");
    assert!(!overview.contains("/callback"), "{overview}");
    relay.stop().await;
}
