//! The endpoints for operators, unknown paths and wrong methods.

use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::Method;

use crate::support::{Gated, Gates, Options, Relay, Wecom};

#[tokio::test]
async fn a_relay_is_healthy_and_ready_without_wecom() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    assert_eq!(relay.request(Method::GET, "/-/healthy", "").await, (200, "alive\n".to_owned()));
    assert_eq!(relay.request(Method::GET, "/-/ready", "").await, (200, "ready\n".to_owned()));
    assert_eq!(relay.request(Method::HEAD, "/-/healthy", "").await.0, 200);
    relay.stop().await;
}

#[tokio::test]
async fn a_reload_with_the_wrong_method_says_which_is_right() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    let answer = relay.request(Method::GET, "/-/reload", "").await;
    assert_eq!(answer, (405, "this method is not allowed; a reload is a POST\n".to_owned()));
    let answer = relay.request(Method::GET, "/webhook", "").await;
    let right = "this method is not allowed; send a webhook by POST, or see the Allow header\n";
    assert_eq!(answer, (405, right.to_owned()));
    relay.stop().await;
}

#[tokio::test]
async fn the_404_of_an_unknown_path_names_the_right_paths() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    let mut texts = String::new();
    for path in
        ["/", "/webhooks", "/api/v1/alerts", "//api/v2/alerts/", "/cgi-bin/message/send?access_token=x"]
    {
        let (status, text) = relay.request(Method::POST, path, "{}").await;
        assert_eq!(status, 404, "{path}: {text}");
        texts += &text;
    }
    insta::assert_snapshot!(texts, @r"
    not found; send Alertmanager's webhook to /webhook or /webhook/{receiver}
    not found; send Alertmanager's webhook to /webhook or /webhook/{receiver}
    not found; this is a path of Alertmanager's API: point Prometheus at Alertmanager, and `webhook_configs` of Alertmanager at /webhook or /webhook/{receiver}
    not found; this is a path of Alertmanager's API: point Prometheus at Alertmanager, and `webhook_configs` of Alertmanager at /webhook or /webhook/{receiver}
    not found; this is a path of WeCom's API: use `webhook_configs` instead of `wechat_configs`, and send Alertmanager's webhook to /webhook or /webhook/{receiver}
    ");
    relay.stop().await;
}

#[tokio::test]
async fn another_method_is_answered_with_405() {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    for method in [Method::GET, Method::DELETE, Method::PATCH] {
        for path in ["/webhook", "/webhook/", "/webhook/wechat", "/webhook/a/b/c"] {
            let request = relay.client.request(method.clone(), format!("{}{path}", relay.url));
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 405, "{method} {path}");
            let allowed = answer.headers()["allow"].to_str().unwrap().to_owned();
            assert!(allowed.contains("POST") && allowed.contains("PUT"), "{method} {path}: {allowed}");
            assert_eq!(
                answer.text().await.unwrap(),
                "this method is not allowed; send a webhook by POST, or see the Allow header\n"
            );
        }
    }
    assert_eq!(relay.request(Method::POST, "/-/healthy", "").await.0, 405);
    relay.stop().await;
}

#[tokio::test]
async fn many_readiness_checks_share_a_probe_of_the_outbox() {
    let gates = Arc::new(Gates::default());
    let options = Options::default();
    let relay = Relay::with_outbox("http://127.0.0.1:9", options, |outbox| Gated::new(outbox, &gates)).await;
    for _ in 0..5 {
        let asks = join_all((0..40).map(|_| relay.request(Method::GET, "/-/ready", ""))).await;
        assert!(asks.iter().all(|(status, _)| *status == 200), "{asks:?}");
    }
    assert!((1..40).contains(&gates.probe.calls()), "{} probes for 200 asks", gates.probe.calls());
    relay.stop().await;
}
