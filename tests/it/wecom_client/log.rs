//! What the client logs at the most talkative level.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use wecom_relay::wecom::{Api, FaultKind};

use super::{
    PASSWORD, is_fault, proxied, send,
    server::{Server, status},
    shows_no_secret,
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::wecom(|request| status("500 Odd", &request.line)).await;
    let proxy = format!("http://me:{PASSWORD}@{}", server.address);
    is_fault(
        &send(&proxied("http://wecom.invalid", &proxy)).await,
        true,
        Api::MessageSend,
        FaultKind::Status(500),
    );
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("answer of WeCom") && text.contains("message/send"), "{text}");
    shows_no_secret(&text);
}
