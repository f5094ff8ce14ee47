//! Temporary failures: 503, so that Alertmanager retries. No body causes a panic.

use std::{convert::Infallible, fs, time::Duration};

use axum::{body::Body, http::Request};
use futures_util::{StreamExt, stream};
use proptest::prelude::*;
use reqwest::Method;
use rusqlite::Connection;
use tokio::io::AsyncWriteExt;
use wecom_relay::{
    http::MAX_BODY_BYTES,
    telemetry::{self, LogFormat},
};

use super::{direct::Direct, for_receiver, raw};
use crate::support::{
    Relay, Wecom, eventually,
    log::{Written, log_to},
    payload, payload_at, redacted,
};

#[tokio::test]
async fn a_missing_outbox_is_answered_with_503_until_it_is_back() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let path = relay.folder.path().join("outbox.db");
    let away = relay.folder.path().join("away.db");
    fs::rename(&path, &away).unwrap();
    // A directory, because the relay would create a missing file.
    fs::create_dir(&path).unwrap();
    let body = for_receiver("wechat").to_string();
    let (status, text) = relay.request(Method::POST, "/webhook", body.clone()).await;
    assert_eq!(status, 503, "{text}");
    assert!(text.starts_with("not accepted, try again: the outbox "), "{text}");
    assert_eq!(relay.request(Method::GET, "/-/ready", "").await.0, 503);
    assert_eq!(relay.request(Method::GET, "/-/healthy", "").await.0, 200);
    fs::remove_dir(&path).unwrap();
    fs::rename(&away, &path).unwrap();
    assert_eq!(relay.request(Method::GET, "/-/ready", "").await.0, 200);
    assert_eq!(relay.request(Method::POST, "/webhook", body).await.0, 200);
    wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_locked_outbox_is_answered_with_503_until_it_is_free() {
    let direct = Direct::roomy();
    let other = Connection::open(direct.folder.path().join("outbox.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let body = for_receiver("wechat").to_string();
    let (status, text) = direct.post(body.clone()).await;
    assert_eq!(status, 503, "{text}");
    assert_eq!(direct.get("/-/ready").await.0, 503);
    other.execute_batch("ROLLBACK").unwrap();
    eventually(async || direct.get("/-/ready").await.0, |status| *status == 200).await;
    assert_eq!(direct.post(body).await, (200, "accepted as notification 1\n".to_owned()));
}

#[tokio::test]
async fn a_stopping_relay_answers_503() {
    let direct = Direct::roomy();
    direct.stop.cancel();
    let stopping = (503, "not accepted, try again: the relay is stopping\n".to_owned());
    assert_eq!(direct.post(for_receiver("wechat").to_string()).await, stopping);
    assert_eq!(direct.get("/-/ready").await, stopping);
    assert_eq!(direct.get("/-/healthy").await.0, 200);
}

#[tokio::test]
async fn a_request_that_began_before_the_stop_is_accepted() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let body = for_receiver("wechat").to_string();
    let (first, second) = body.split_at(100);
    let mut stream = raw::connect(&relay.url).await;
    let length = body.len();
    // `100 Continue` shows that the handler reads the body, so it has not seen the stop.
    let head = format!(
        "POST /webhook HTTP/1.1\r\nHost: relay\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(first.as_bytes()).await.unwrap();
    let finish = async {
        stream.write_all(second.as_bytes()).await.unwrap();
        raw::rest(stream).await
    };
    let (folder, answer) = tokio::join!(relay.stop(), finish);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    // A delivery that was accepted at the last moment is sent after the next start.
    let options = crate::support::Options { folder: Some(folder), ..crate::support::Options::default() };
    let relay = Relay::with(&wecom.url, options).await;
    wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_body_that_exceeds_the_shared_memory_gets_503() {
    // A quarter of it is for buffers.
    let direct = Direct::new(8 << 20);
    let many: Vec<String> = (0..400).map(|number| format!("host-{number}")).collect();
    let many: Vec<(&str, bool)> = many.iter().map(|name| (name.as_str(), true)).collect();
    let large = payload("Large", &many).to_string();
    let chunk = Ok::<_, Infallible>(vec![b' '; 31 << 16]);
    let endless = Body::from_stream(stream::iter([chunk]).chain(stream::pending()));
    let too_much = (503, "not accepted, try again: too much at once\n".to_owned());
    tokio::select! {
        biased;
        answer = direct.post(endless) => panic!("{answer:?}"),
        answer = direct.post(large.clone()) => assert_eq!(answer, too_much),
    }
    assert_eq!(direct.post(large).await.0, 200);
    // The memory is released whether a request succeeds or fails.
    for number in 0..40 {
        let small = payload_at(&format!("Small{number}"), &[("a", true)], "2026-11-21T08:00:00Z");
        assert_eq!(direct.post(small.to_string()).await.0, 200);
        assert_eq!(direct.post("x".repeat(3000)).await.0, 400);
    }
}

#[tokio::test]
async fn a_body_with_more_values_than_memory_is_accepted() {
    let direct = Direct::new(64 << 20);
    let mut body = for_receiver("wechat");
    body["x"] = vec![0; 1_000_000].into();
    let empty = format!("{{\"status\":\"firing\",\"alerts\":[{}{{}}]}}", "{},".repeat(499_999));
    for body in [body.to_string(), empty] {
        let request = Request::post("/webhook/wechat").body(Body::from(body));
        let (status, text) = direct.ask(request.unwrap()).await;
        assert_eq!(status, 200, "{text}");
    }
}

#[tokio::test]
async fn chunks_of_more_than_32_mib_get_413() {
    let direct = Direct::roomy();
    let chunk = Ok::<_, Infallible>(vec![b' '; 1 << 20]);
    let body = Body::from_stream(stream::repeat(chunk).take(33));
    assert_eq!(direct.post(body).await.0, 413);
    assert_eq!(direct.post(vec![b' '; MAX_BODY_BYTES]).await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_gets_503_after_10_seconds() {
    let direct = Direct::roomy();
    let asked = tokio::time::Instant::now();
    let body = stream::once(async { Ok::<_, Infallible>(b"{".to_vec()) }).chain(stream::pending());
    let (status, text) = direct.post(Body::from_stream(body)).await;
    assert_eq!((status, text.as_str()), (503, "the body did not arrive: 1 bytes came in 10 s\n"));
    assert_eq!(asked.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_30_seconds_gets_503() {
    let direct = Direct::roomy();
    let asked = tokio::time::Instant::now();
    let steps = stream::repeat(()).then(|()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, Infallible>(vec![b' '; 2000])
    });
    let (status, text) = direct.post(Body::from_stream(steps)).await;
    assert_eq!(status, 503, "{text}");
    assert_eq!(asked.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn a_body_that_ends_early_gets_503() {
    let direct = Direct::roomy();
    let broken = stream::iter([Ok(b"{".to_vec()), Err(std::io::Error::other("connection reset"))]);
    let (status, text) = direct.post(Body::from_stream(broken)).await;
    assert_eq!(status, 503, "{text}");
}

#[tokio::test(start_paused = true)]
async fn broken_bodies_are_logged_briefly_once_a_second() {
    let direct = Direct::roomy();
    let written = Written::default();
    let writer = written.clone();
    let lines = telemetry::lines(LogFormat::Json, "wecom_relay=debug", false, move || writer.clone());
    let _guard = log_to(lines.unwrap());
    let breaks = async || {
        let broken = stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("reset\n".repeat(100)))]);
        assert_eq!(direct.post(Body::from_stream(broken)).await.0, 503);
    };
    breaks().await;
    breaks().await;
    breaks().await;
    tokio::time::advance(Duration::from_secs(1)).await;
    breaks().await;
    let text = written.text();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines: Vec<_> = lines.iter().filter(|line| line["level"] == "WARN").collect();
    assert_eq!(lines.len(), 2, "{text}");
    for (line, suppressed) in lines.iter().zip([0, 2]) {
        assert_eq!(line["suppressed"], suppressed, "{line}");
        assert_eq!(line["message"], "webhook rejected: its body did not arrive", "{line}");
        let answer = line["answer"].as_str().unwrap();
        assert!(answer.starts_with("the body did not arrive: reset") && answer.len() <= 200, "{line}");
    }
}

#[tokio::test]
async fn the_log_of_an_overload_says_that_the_sender_retries() {
    let direct = Direct::new(4 << 20);
    let written = Written::default();
    let writer = written.clone();
    let lines = telemetry::lines(LogFormat::Text, "wecom_relay=debug", false, move || writer.clone());
    let _guard = log_to(lines.unwrap());
    // All buffers.
    let chunk = Ok::<_, Infallible>(vec![b' '; 1 << 20]);
    let endless = Body::from_stream(stream::iter([chunk]).chain(stream::pending()));
    tokio::select! {
        biased;
        answer = direct.post(endless) => panic!("{answer:?}"),
        answer = direct.post("{}") => assert_eq!(answer.0, 503),
    }
    let log = written.text();
    insta::assert_snapshot!(redacted(&log), @r#"TIME  WARN webhook rejected; the sender was asked to retry answer="not accepted, try again: too much at once" suppressed=0"#);
}

/// Any bytes, and payloads with a mistake in the middle.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let payload = for_receiver("wechat").to_string().into_bytes();
    let cut = (0..payload.len(), any::<Vec<u8>>(), 0..20usize).prop_map(move |(at, bytes, out)| {
        let end = (at + out).min(payload.len());
        let mut body = payload.clone();
        body.splice(at..end, bytes.into_iter().take(8));
        body
    });
    prop_oneof![1 => any::<Vec<u8>>(), 1 => "\\PC{0,60}".prop_map(String::into_bytes), 3 => cut]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_body_is_answered(bodies in prop::collection::vec(bodies(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let direct = Direct::roomy();
            for body in bodies {
                let shown = String::from_utf8_lossy(&body).into_owned();
                let (status, text) = direct.post(body).await;
                prop_assert!(matches!(status, 200 | 400 | 404), "{shown}: {status} {text}");
                prop_assert!(text.ends_with('\n'), "{shown}: {text}");
            }
            Ok(())
        })?;
    }
}
