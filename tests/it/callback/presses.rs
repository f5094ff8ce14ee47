//! Presses while something else is in trouble: the answers come in time, and nothing is lost.

use std::{sync::Arc, time::Duration};

use super::{Call, keys, press, with_callback};
use crate::support::{Gated, Gates, Options, Relay, Wecom, eventually, payload, small_disk::SmallDisk, soon};

fn pressed(code: &str) -> Call {
    Call::message(&keys(), &press("task0001", "ack", code))
}

#[tokio::test]
async fn a_press_is_counted_once_and_answered_without_a_body() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, with_callback()).await;
    let call = pressed("code-1");
    for _ in 0..3 {
        let answer = call.send(&relay).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    }
    assert_eq!(pressed("code-2").send(&relay).await.status, 200);
    assert_eq!(relay.called_back("ops", "press").await, 2);
    assert_eq!(relay.called_back("ops", "duplicate").await, 2);
    relay.stop().await;
}

#[tokio::test]
async fn an_outbox_that_does_not_answer_delays_no_verification() {
    let wecom = Wecom::start().await;
    let gates = Arc::new(Gates::default());
    let relay = Relay::with_outbox(&wecom.url, with_callback(), |outbox| Gated::new(outbox, &gates)).await;
    gates.press.hold();
    gates.enqueue.hold();
    gates.probe.hold();
    let call = pressed("code-1");
    let (waiting, verified) = tokio::join!(soon(call.send(&relay)), async {
        soon(gates.press.reached(1)).await;
        Call::verification(&keys(), "123").send(&relay).await
    });
    assert_eq!((verified.status, verified.body.as_str()), (200, "123"));
    // WeCom sends it again after 503.
    assert_eq!((waiting.status, waiting.body.as_str()), (503, "try again\n"));
    assert_eq!(relay.called_back("ops", "storage_error").await, 1);
    gates.press.open();
    gates.enqueue.open();
    gates.probe.open();
    assert_eq!(call.send(&relay).await.status, 200);
    relay.stop().await;
}

#[tokio::test]
async fn a_press_that_cannot_be_stored_is_asked_for_again() {
    let wecom = Wecom::start().await;
    let gates = Arc::new(Gates::default());
    let relay = Relay::with_outbox(&wecom.url, with_callback(), |outbox| Gated::new(outbox, &gates)).await;
    gates.press.fail();
    assert_eq!(pressed("code-1").send(&relay).await.status, 503);
    gates.press.open();
    assert_eq!(pressed("code-1").send(&relay).await.status, 200);
    relay.stop().await;
}

#[tokio::test]
async fn a_full_disk_refuses_presses_and_answers_verifications() {
    let Some(disk) = SmallDisk::memory(24) else { return };
    let wecom = Wecom::start().await;
    let folder = Some(Arc::clone(&disk.folder));
    let relay = Relay::with(&wecom.url, Options { folder, ..with_callback() }).await;
    disk.fill();
    let answer = Call::verification(&keys(), "123").send(&relay).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "123"));
    assert!([200, 503].contains(&soon(pressed("code-1").send(&relay)).await.status));
    disk.free();
    let call = pressed("code-1");
    eventually(async || call.send(&relay).await.status, |status| *status == 200).await;
    relay.stop().await;
}

#[tokio::test]
async fn busy_templates_delay_no_callback() {
    let wecom = Wecom::start().await;
    let endless = "{% for a in range(end=100000) %}{% for b in range(end=100000) %}{% endfor %}{% endfor %}";
    let receivers = format!("  - {{ name: wechat, to_user: zhangsan, message: '{endless}' }}\n");
    let mut options = Options { receivers, ..with_callback() };
    options.tuning.render_limit = Duration::from_millis(500);
    let relay = Relay::with(&wecom.url, options).await;
    let webhooks = (0..8).map(|number| {
        let payload = payload(&format!("Down{number}"), &[("a", true)]);
        let relay = &relay;
        async move { relay.try_post(&payload).await }
    });
    let callbacks = async {
        let mut statuses = Vec::new();
        for number in 0..5 {
            statuses.push(Call::verification(&keys(), "123").send(&relay).await.status);
            statuses.push(pressed(&format!("code-{number}")).send(&relay).await.status);
        }
        statuses
    };
    let (_, statuses) = tokio::join!(futures_util::future::join_all(webhooks), callbacks);
    assert_eq!(statuses, [200; 10]);
    relay.stop().await;
}

/// The outbox of a relay that starts while PostgreSQL is away does not answer.
#[tokio::test]
async fn an_unknown_time_refuses_presses_and_answers_verifications() {
    let wecom = Wecom::start().await;
    let gates = Arc::new(Gates::default());
    gates.relay_time.fail();
    let relay = Relay::with_outbox(&wecom.url, with_callback(), |outbox| Gated::new(outbox, &gates)).await;
    assert_eq!(Call::verification(&keys(), "123").send(&relay).await.body, "123");
    assert_eq!(pressed("code-1").send(&relay).await.status, 503);
    gates.relay_time.open();
    let call = pressed("code-1");
    eventually(async || call.send(&relay).await.status, |status| *status == 200).await;
    relay.stop().await;
}
