//! One webhook for several receivers.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use wecom_relay::{
    app::Tuning,
    outbox::State,
    sandbox::{Api, Effect, Fault, Settings},
};

use super::{GROUP, quick, shown};
use crate::{
    messages::HANGS,
    support::{Gated, Gates, Options, Relay, Wecom, payload, soon},
};

/// The on-call person by the app, and the group by the robot.
fn both(wecom: &Wecom) -> Options {
    let receivers = "  - { name: wechat, app: ops, to_user: zhangsan, also: [team] }\n  \
                     - { name: team, robot: group, language: zh, send_resolved: false }\n";
    Options { receivers: receivers.to_owned(), ..quick(wecom) }
}

#[tokio::test]
async fn the_app_and_the_robot_get_one_alert_each() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, both(&wecom)).await;
    let answer = relay.post(&payload("Down", &[("a", true)])).await;
    assert_eq!(
        answer.trim_end(),
        "receiver wechat: accepted as notification 1\nreceiver team: accepted as notification 2"
    );
    let group = shown(&wecom, 1).await;
    let person = soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    assert!(person[0].text.starts_with("[FIRING:1] Down "), "{}", person[0].text);
    assert!(group[0].starts_with("【告警】"), "{}", group[0]);
    let answer = relay.post(&payload("Down", &[("a", true)])).await;
    assert!(answer.contains("receiver team: duplicate of notification 2"), "{answer}");
    // The receiver of the group has send_resolved: false.
    let answer = relay.post(&payload("Down", &[("a", false)])).await;
    let lines: Vec<_> = answer.lines().collect();
    assert!(lines[0].starts_with("receiver wechat: accepted as notification "), "{answer}");
    assert!(lines[1].starts_with("receiver team: nothing to send"), "{answer}");
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 2)).await;
    assert_eq!(soon(relay.settled(3)).await.len(), 3);
    relay.stop().await;
    assert_eq!(wecom.sandbox.delivered_to_group(GROUP).len(), 1);
}

#[tokio::test]
async fn what_is_also_sent_is_not_sent_further() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers = "  - { name: wechat, app: ops, to_user: zhangsan, also: [team] }\n  \
                     - { name: team, robot: group, also: [wechat] }\n";
    let options = Options { receivers: receivers.to_owned(), ..quick(&wecom) };
    let relay = Relay::with(&wecom.url, options).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    assert_eq!(soon(relay.settled(2)).await.len(), 2);
    relay.stop().await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 1);
}

#[tokio::test]
async fn each_receiver_is_retried_by_itself() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, both(&wecom)).await;
    let fault = Effect::HttpStatus { status: 500, body: String::new(), taken: false };
    wecom.sandbox.inject(Fault::new(fault).on(Api::MessageSend));
    relay.post(&payload("Down", &[("a", true)])).await;
    shown(&wecom, 1).await;
    assert!(wecom.sandbox.delivered_to("zhangsan").is_empty());
    wecom.sandbox.clear_faults();
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    relay.stop().await;
    assert_eq!(wecom.sandbox.delivered_to_group(GROUP).len(), 1);
}

/// The retry after a 503 must not show anything twice, also without deduplication.
#[tokio::test]
async fn a_webhook_is_stored_for_all_receivers_or_for_none() {
    let wecom = Wecom::live(Settings::default()).await;
    let gates = Arc::new(Gates::default());
    let options = Options { outbox: "  dedupe_window: 0\n".to_owned(), ..both(&wecom) };
    let relay = Relay::with_outbox(&wecom.url, options, |outbox| Gated::new(outbox, &gates)).await;
    gates.enqueue.fail();
    let alert = payload("Down", &[("a", true)]);
    assert_eq!(relay.try_post(&alert).await, 503);
    assert!(relay.listed(&[]).await.is_empty());
    gates.enqueue.open();
    relay.post(&alert).await;
    assert_eq!(soon(relay.settled(2)).await.len(), 2);
    relay.stop().await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 1);
    assert_eq!(wecom.sandbox.delivered_to_group(GROUP).len(), 1);
}

#[tokio::test]
async fn several_slow_templates_lose_no_alert() {
    const SLOW: usize = 5;
    let wecom = Wecom::live(Settings::default()).await;
    let names: Vec<String> = (0..SLOW).map(|number| format!("slow{number}")).collect();
    let mut receivers =
        format!("  - {{ name: wechat, app: ops, to_user: lisi, also: [{}, team] }}\n", names.join(", "));
    for name in &names {
        receivers
            .push_str(&format!("  - {{ name: {name}, app: ops, to_user: zhangsan, message: '{HANGS}' }}\n"));
    }
    receivers.push_str("  - { name: team, robot: group }\n");
    let options = quick(&wecom);
    let tuning = Tuning { render_limit: Duration::from_millis(100), ..options.tuning };
    let relay = Relay::with(&wecom.url, Options { receivers, tuning, ..options }).await;
    let answer = relay.post(&payload("Down", &[("a", true)])).await;
    assert_eq!(answer.matches(": accepted as notification ").count(), SLOW + 2, "{answer}");
    for seen in soon(wecom.sandbox.wait_for_delivered("zhangsan", SLOW)).await {
        let (first, rest) = seen.text.split_once('\n').unwrap();
        assert!(
            first.ends_with("this is the built-in text]") && rest.starts_with("[FIRING:1]"),
            "{}",
            seen.text
        );
    }
    shown(&wecom, 1).await;
    relay.stop().await;
    assert_eq!(wecom.sandbox.delivered_to("lisi").len(), 1);
}

#[tokio::test]
async fn each_receiver_counts_what_it_received() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, both(&wecom)).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    soon(relay.settled(2)).await;
    let (_, metrics) = relay.request(Method::GET, "/metrics", "").await;
    for line in [
        "wecom_relay_notifications_received_total{receiver=\"wechat\",result=\"accepted\"} 1",
        "wecom_relay_notifications_received_total{receiver=\"team\",result=\"accepted\"} 1",
        "wecom_relay_attempts_total{app=\"group\",errcode=\"0\"} 1",
        "wecom_relay_attempts_total{app=\"ops\",errcode=\"0\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(relay.listed(&[State::Dead]).await.is_empty());
    relay.stop().await;
}
