//! The client's log at the most verbose level.

use wecom_relay::wecom::TransportErrorKind;

use super::{
    PASSWORD, assert_no_secret, assert_unknown, proxied, send,
    server::{Server, status},
};
use crate::support::log::{Written, log_to};

#[tokio::test]
async fn nothing_secret_is_logged() {
    let log = Written::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _subscribed = log_to(subscriber);
    let server = Server::wecom(|request| status("500 Odd", &request.line)).await;
    let proxy = format!("http://me:{PASSWORD}@{}", server.address);
    assert_unknown(&send(&proxied("http://wecom.invalid", &proxy)).await, TransportErrorKind::Status(500));
    let text = log.text();
    assert!(text.contains("WeCom answered") && text.contains("message/send"), "{text}");
    assert_no_secret(&text);
}
