//! Injected faults, one by one and combined.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;
use wecom_relay::sandbox::{Api, CallResponse, Directory, Effect, Fault, Moment, Sandbox, Settings};

use super::{text, text_to, texts};
use crate::support::{CORP, ManualClock, OTHER_AGENT, SECRET, Wecom, http_client};

/// More time than any response needs.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_errcode_replaces_the_reply_for_a_number_of_calls() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    wecom.sandbox.inject(Fault::errcode(45009).on(Api::MessageSend).times(2));
    for _ in 0..2 {
        let reply = wecom.send(&token, &text("lost")).await;
        assert_eq!(reply["errcode"], 45009);
        assert!(reply["errmsg"].as_str().unwrap().starts_with("api freq out of limit, hint: ["));
    }
    assert_eq!(wecom.send(&token, &text("back")).await["errcode"], 0);
    assert_eq!(texts(&wecom.sandbox.delivered_to("zhangsan")), ["back"]);
    let calls = wecom.sandbox.calls();
    let responses: Vec<(bool, CallResponse)> =
        calls.iter().skip(1).map(|call| (call.taken, call.response)).collect();
    let refused = (false, CallResponse::Errcode(45009));
    assert_eq!(responses, [refused, refused, (true, CallResponse::Errcode(0))]);
}

#[tokio::test]
async fn a_fault_may_apply_to_messages_with_a_text() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    wecom.sandbox.inject(Fault::errcode(40058).on(Api::MessageSend).for_text("poison"));
    assert_eq!(wecom.send(&token, &text("a line\nwith poison in it")).await["errcode"], 40058);
    assert_eq!(wecom.send(&token, &text("a line without")).await["errcode"], 0);
}

#[tokio::test]
async fn a_fault_lasts_for_a_time_or_until_it_is_cleared() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let errmsg = Some("system error".to_owned());
    let busy = Fault::new(Effect::Errcode { errcode: -1, errmsg, taken: false });
    wecom.sandbox.inject(busy.clone().lasting(Duration::from_secs(60)));
    wecom.clock.advance(Duration::from_millis(59_999));
    let reply = wecom.send(&token, &text("x")).await;
    assert_eq!(reply.to_string(), r#"{"errcode":-1,"errmsg":"system error"}"#);
    wecom.clock.advance(Duration::from_millis(1));
    assert_eq!(wecom.send(&token, &text("x")).await["errcode"], 0);

    wecom.sandbox.inject(busy);
    for _ in 0..3 {
        assert_eq!(wecom.send(&token, &text("x")).await["errcode"], -1);
    }
    wecom.sandbox.clear_faults();
    assert_eq!(wecom.send(&token, &text("x")).await["errcode"], 0);
}

#[tokio::test]
async fn an_http_error_may_come_before_or_after_delivery() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    for taken in [false, true] {
        let effect = Effect::HttpStatus { status: 502, body: "<h1>502</h1>".into(), taken };
        wecom.sandbox.inject(Fault::new(effect).times(1));
        let response = wecom.try_send(&token, text("x").to_string()).await.unwrap();
        assert_eq!(response.status(), 502);
        assert_eq!(response.text().await.unwrap(), "<h1>502</h1>");
        assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), usize::from(taken));
        assert_eq!(wecom.sandbox.calls().last().unwrap().response, CallResponse::Status(502));
    }
}

#[tokio::test]
async fn a_connection_may_close_before_or_after_delivery() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    for (moment, delivered) in [(Moment::Before, 0), (Moment::After, 1)] {
        wecom.sandbox.inject(Fault::new(Effect::Drop(moment)).times(1));
        let error = timeout(PATIENCE, wecom.try_send(&token, text("x").to_string())).await.unwrap();
        let error = error.unwrap_err();
        assert!(error.is_request() && !error.is_timeout(), "{error:?}");
        assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), delivered);
        let call = wecom.sandbox.calls().last().unwrap().clone();
        assert_eq!((call.response, call.taken), (CallResponse::None, moment == Moment::After));
    }
    assert_eq!(wecom.send(&token, &text("x")).await["errcode"], 0);
    assert_eq!(wecom.sandbox.send_calls(), 3);
}

#[tokio::test]
async fn a_truncated_reply_comes_after_delivery() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    wecom.sandbox.inject(Fault::new(Effect::Truncate).times(1));
    let response = wecom.try_send(&token, text("x").to_string()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(timeout(PATIENCE, response.text()).await.unwrap().is_err());
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 1);
}

#[tokio::test]
async fn a_hanging_call_is_never_answered() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    for taken in [false, true] {
        wecom.sandbox.inject(Fault::new(Effect::Hang { taken }).times(1));
        let calls = wecom.sandbox.send_calls();
        let arrived = wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() > calls);
        tokio::select! {
            biased;
            answer = wecom.try_send(&token, text("x").to_string()) => panic!("answered: {answer:?}"),
            () = arrived => {}
        }
        assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), usize::from(taken));
        assert_eq!(wecom.sandbox.calls().last().unwrap().response, CallResponse::None);
    }
}

#[tokio::test]
async fn a_hung_call_does_not_keep_the_sandbox_alive() {
    let sandbox = Sandbox::new(Directory::builtin(), Settings::default(), ManualClock::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/cgi-bin/gettoken", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let mut tasks = JoinSet::new();
    let served = sandbox.clone();
    tasks.spawn(async move { served.serve(listener, async move { _ = stopped.await }).await.is_ok() });
    sandbox.inject(Fault::new(Effect::Hang { taken: false }));
    let mut client = JoinSet::new();
    client.spawn(async move { http_client().get(url).send().await.is_err() });
    timeout(PATIENCE, sandbox.wait_until(|sandbox| sandbox.gettoken_calls() == 1)).await.unwrap();
    stop.send(()).unwrap();
    assert!(timeout(PATIENCE, tasks.join_next()).await.unwrap().unwrap().unwrap());
    assert!(timeout(PATIENCE, client.join_next()).await.unwrap().unwrap().unwrap());
}

#[tokio::test]
async fn latency_delays_the_reply_and_combines_with_other_faults() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    wecom.sandbox.inject(Fault::new(Effect::Latency(PATIENCE)).times(1));
    tokio::select! {
        answer = wecom.try_send(&token, text("x").to_string()) => panic!("answered first: {answer:?}"),
        _ = wecom.sandbox.wait_for_delivered("zhangsan", 1) => {}
    }

    // The first call has both latencies, in either order, and the second call has the short one only.
    let short = Fault::new(Effect::Latency(Duration::from_millis(1)));
    let long = Fault::new(Effect::Latency(PATIENCE)).times(1);
    for latencies in [[short.clone(), long.clone()], [long, short]] {
        wecom.sandbox.clear_faults();
        latencies.into_iter().for_each(|latency| wecom.sandbox.inject(latency));
        wecom.sandbox.inject(Fault::errcode(45033));
        let calls = wecom.sandbox.send_calls();
        let slow = wecom.try_send(&token, text("x").to_string());
        tokio::pin!(slow);
        tokio::select! {
            answer = &mut slow => panic!("answered first: {answer:?}"),
            () = wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() > calls) => {}
        }
        let message = text("x");
        tokio::select! {
            answer = &mut slow => panic!("answered first: {answer:?}"),
            reply = wecom.send(&token, &message) => assert_eq!(reply["errcode"], 45033),
        }
    }
}

#[tokio::test]
async fn the_older_of_two_faults_wins_and_is_used_up() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    wecom.sandbox.inject(Fault::errcode(45009).times(1));
    wecom.sandbox.inject(Fault::errcode(-1).times(1));
    for errcode in [45009, -1, 0] {
        assert_eq!(wecom.send(&token, &text("x")).await["errcode"], errcode);
    }
}

#[tokio::test]
async fn a_fault_may_be_limited_to_an_api_an_app_or_a_member() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    wecom.sandbox.inject(Fault::errcode(45033).on(Api::Gettoken));
    wecom.sandbox.inject(Fault::errcode(50003).for_app(OTHER_AGENT));
    wecom.sandbox.inject(Fault::errcode(60111).for_member("LiSi"));
    let reply = wecom.gettoken(&[("corpid", CORP), ("corpsecret", SECRET)]).await;
    assert_eq!(reply["errcode"], 45033);
    assert_eq!(wecom.send(&token, &text("x")).await["errcode"], 0);
    assert_eq!(wecom.send(&token, &text_to("zhangsan|lisi", "x")).await["errcode"], 60111);
}

#[tokio::test]
async fn a_router_without_a_connection_answers_500_to_a_drop() {
    let sandbox = Sandbox::new(Directory::builtin(), Settings::default(), ManualClock::new());
    sandbox.inject(Fault::new(Effect::Drop(Moment::Before)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/cgi-bin/gettoken", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    let router = sandbox.router();
    server.spawn(async move { axum::serve(listener, router).await });
    assert_eq!(http_client().get(url).send().await.unwrap().status(), 500);
}
