//! The routes of the callback without a socket, in simulated time.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::Request,
};
use futures_util::{StreamExt, stream};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wecom_relay::{
    clock::SystemClock,
    http::{CallbackApp, CallbackApps, CallbackBuffers, CallbackState, LogThrottles, callback_router},
    outbox::{
        CardStore, PressWaker, SenderName,
        sqlite::{Access, Settings, SqliteOutbox},
    },
    wecom::message::AgentId,
};

use super::{Call, entered, keys, keys_of, minutes, now, press, press_at};
use crate::support::{AGENT, CORP, soon};

struct Direct {
    router: Router,
    outbox: SqliteOutbox,
    presses: PressWaker,
    stop: CancellationToken,
    _folder: TempDir,
}

impl Direct {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let stop = CancellationToken::new();
        let apps = CallbackApps::default();
        let sender = SenderName("ops".to_owned());
        apps.replace([("ops".to_owned(), CallbackApp { sender, agent_id: AgentId(AGENT), keys: keys() })]);
        let settings = Settings::new(folder.path().join("outbox.db"), 1 << 30);
        let outbox = SqliteOutbox::open(settings, Access::Owner).unwrap();
        let presses = PressWaker::default();
        let state = CallbackState {
            outbox: outbox.clone(),
            clock: Arc::new(SystemClock),
            stop: stop.clone(),
            apps,
            presses: presses.clone(),
            buffers: CallbackBuffers::default(),
            log_throttles: LogThrottles::default(),
            metrics: Arc::default(),
        };
        Self { router: callback_router(Arc::new(state)), outbox, presses, stop, _folder: folder }
    }

    /// The status and the body of the answer.
    async fn ask(&self, request: Request<Body>) -> (u16, String) {
        let Ok(answer) = TowerToHyperService::new(self.router.clone()).call(request).await;
        let status = answer.status().as_u16();
        let text = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }

    async fn call(&self, call: &Call) -> (u16, String) {
        let request = match &call.body {
            Some(body) => Request::post(&call.path).body(body.clone().into()),
            None => Request::get(&call.path).body(Body::empty()),
        };
        self.ask(request.unwrap()).await
    }
}

#[tokio::test(start_paused = true)]
async fn every_refusal_takes_the_same_time() {
    let direct = Direct::new();
    let other_token = keys_of("OtherToken", super::KEY, CORP);
    let calls = [
        Call::message(&keys(), &entered()).with_path(|path| path.replace("/ops?", "/nobody?")),
        Call::message(&other_token, &entered()),
        Call::message_at(&keys(), &entered(), now() - minutes(20)),
        Call::message(&keys_of(super::TOKEN, super::OTHER_KEY, CORP), &entered()),
        Call::message(&keys(), "not XML"),
        Call::verification(&other_token, "123"),
        Call::message(&keys(), &press_at(now() - minutes(20), "task", "ack", "code")),
        Call::message(&keys(), &entered()).with_body(vec![b'x'; 70_000]),
    ];
    for call in calls {
        let began = Instant::now();
        assert_eq!(direct.call(&call).await, (403, "refused\n".to_owned()), "{call:?}");
        assert_eq!(began.elapsed(), Duration::from_millis(50), "{call:?}");
    }
    let began = Instant::now();
    assert_eq!(direct.call(&Call::verification(&keys(), "123")).await, (200, "123".to_owned()));
    assert!(began.elapsed().is_zero());
}

/// A body whose first bytes arrive, and no others.
fn slow_body(bytes: usize) -> Body {
    let chunk = Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; bytes]));
    Body::from_stream(stream::iter([chunk]).chain(stream::pending()))
}

/// The path of a good request, and of requests that are refused without their bodies.
fn paths() -> [String; 4] {
    let path = Call::message(&keys(), &entered()).path;
    let without_body = [("/ops?", "/nobody?"), ("nonce=", "nonce=&n="), ("timestamp=", "timestamp=1&t=")];
    let [unknown, parameters, stale] = without_body.map(|(from, to)| path.replace(from, to));
    [path, unknown, parameters, stale]
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_refused_after_five_seconds() {
    let direct = Direct::new();
    for path in paths() {
        let began = Instant::now();
        let request = Request::post(&path).body(slow_body(5)).unwrap();
        assert_eq!(direct.ask(request).await, (403, "refused\n".to_owned()), "{path}");
        assert_eq!(began.elapsed(), Duration::from_millis(5050), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_refused() {
    let direct = Direct::new();
    let chunks = [Ok(Bytes::from_static(b"<xml>")), Err(std::io::Error::other("reset"))];
    let path = Call::message(&keys(), &entered()).path;
    let request = Request::post(path).body(Body::from_stream(stream::iter(chunks))).unwrap();
    assert_eq!(direct.ask(request).await, (403, "refused\n".to_owned()));
}

/// The answers to this many slow bodies of 16,000 bytes at once, counted by status.
async fn many_slow(direct: &Direct, path: &str) -> [usize; 2] {
    let slow = || direct.ask(Request::post(path).body(slow_body(16_000)).unwrap());
    let answers = futures_util::future::join_all((0..600).map(|_| slow())).await;
    [403, 503].map(|status| answers.iter().filter(|(answered, _)| *answered == status).count())
}

/// Strangers may fill the memory for bodies, but a small body of WeCom and alerts need another one.
#[tokio::test(start_paused = true)]
async fn all_bodies_together_are_limited() {
    let direct = Direct::new();
    let [good, ..] = paths();
    assert_eq!(many_slow(&direct, &good).await, [524, 76]);
    assert_eq!(direct.call(&Call::message(&keys(), &entered())).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_refused_by_its_url_keeps_no_body() {
    let direct = Direct::new();
    let [_, refused @ ..] = paths();
    for path in refused {
        assert_eq!(many_slow(&direct, &path).await, [600, 0], "{path}");
    }
}

/// Otherwise the status would say which names are those of apps.
#[tokio::test(start_paused = true)]
async fn an_overload_is_the_same_for_every_url() {
    let direct = Direct::new();
    let [good, refused @ ..] = paths();
    let others = async {
        for path in refused {
            let request = Request::post(&path).body(slow_body(16_000)).unwrap();
            assert_eq!(direct.ask(request).await, (503, "try again\n".to_owned()), "{path}");
        }
    };
    tokio::join!(many_slow(&direct, &good), others);
}

#[tokio::test]
async fn a_relay_that_stops_asks_wecom_to_try_again() {
    let direct = Direct::new();
    direct.stop.cancel();
    let call = Call::message(&keys(), &press("task", "ack", "code"));
    assert_eq!(direct.call(&call).await, (503, "try again\n".to_owned()));
    assert_eq!(direct.call(&Call::verification(&keys(), "123")).await.0, 200);
}

#[tokio::test]
async fn a_press_is_stored_once_and_wakes_the_worker() {
    let direct = Direct::new();
    let at = now();
    let message = press("task0001", "silence:3600", "code-1");
    let call = Call::message_at(&keys(), &message, at);
    assert_eq!(direct.call(&call).await, (200, String::new()));
    soon(direct.presses.woken()).await;
    // WeCom sends it again with another signature, and a stranger sends what was recorded.
    for again in [&call, &Call::message_at(&keys(), &message, at + minutes(1))] {
        assert_eq!(direct.call(again).await, (200, String::new()));
    }
    let (later, until) = (at + minutes(2), at + minutes(60));
    let stored = direct.outbox.claim_press(until, later).await.unwrap().unwrap();
    assert_eq!(
        (stored.sender.0.as_str(), stored.task_id.as_str(), stored.user.as_str()),
        ("ops", "task0001", "zhangsan")
    );
    assert_eq!((stored.button.as_str(), stored.response_code.as_str()), ("silence:3600", "code-1"));
    assert!(message.contains(&format!("<CreateTime>{}<", stored.pressed_at.as_second())));
    assert_eq!(direct.outbox.claim_press(until, later).await.unwrap(), None);
}
