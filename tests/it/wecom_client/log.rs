//! What the client logs at the most talkative level.

use wecom_relay::wecom::{Api, TransportErrorKind};

use super::{
    PASSWORD, is_fault, proxied, send,
    server::{Server, status},
    shows_no_secret,
};
use crate::support::log::{Written, heard_by};

#[tokio::test]
async fn nothing_secret_is_logged() {
    let log = Written::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _hearing = heard_by(subscriber);
    let server = Server::wecom(|request| status("500 Odd", &request.line)).await;
    let proxy = format!("http://me:{PASSWORD}@{}", server.address);
    is_fault(
        &send(&proxied("http://wecom.invalid", &proxy)).await,
        true,
        Api::MessageSend,
        TransportErrorKind::Status(500),
    );
    let text = log.text();
    assert!(text.contains("WeCom answered") && text.contains("message/send"), "{text}");
    shows_no_secret(&text);
}
