//! Problems of a whole app: its queue waits, one message at a time is a probe, and sending resumes after the problem.

use wecom_relay::sandbox::{Api, BUILTIN_YAML, CallResponse, Directory, Fault, Settings};

use super::{all_delivered, held, quick, seen_by, shown};
use crate::support::{Options, Relay, SECRET, Wecom, payload, soon};

/// The number of `message/send` calls that were answered with `errcode`.
fn answered(wecom: &Wecom, errcode: i64) -> usize {
    wecom.sandbox.calls().iter().filter(|call| call.response == CallResponse::Errcode(errcode)).count()
}

#[tokio::test]
async fn one_probe_at_a_time_is_sent_while_wecom_limits_the_calls() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick()).await;
    wecom.sandbox.inject(Fault::errcode(45009).on(Api::MessageSend).times(4));
    relay.post(&payload("First", &[("a", true)])).await;
    let hold = held(&relay, true).await.remove(0);
    assert_eq!(hold.errcode, Some(45009));
    for group in 0..20 {
        relay.post(&payload(&format!("Group{group}"), &[("a", true)])).await;
    }
    shown(&wecom, "zhangsan", 21).await;
    all_delivered(&relay, 21).await;
    // Only the first delivery was sent as a probe.
    assert_eq!(answered(&wecom, 45009), 4);
    assert_eq!(wecom.sandbox.send_calls(), 25);
    held(&relay, false).await;
    relay.stop().await;
    assert_eq!(seen_by(&wecom, "zhangsan").len(), 21);
}

#[tokio::test]
async fn an_ip_that_is_not_trusted_holds_the_app_until_it_is_entered() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick()).await;
    let secret = format!("secret: {SECRET}");
    let strict = BUILTIN_YAML.replace(&secret, &format!("{secret}, trusted_ips: [203.0.113.1]"));
    wecom.sandbox.replace_directory(Directory::from_yaml(&strict).unwrap());
    for group in ["First", "Second", "Third"] {
        relay.post(&payload(group, &[("a", true)])).await;
    }
    let hold = held(&relay, true).await.remove(0);
    assert_eq!(hold.errcode, Some(60020));
    assert!(hold.reason.contains("127.0.0.1"), "the reason must name the address: {}", hold.reason);
    soon(wecom.sandbox.wait_until(|_| answered(&wecom, 60020) >= 5)).await;
    assert!(seen_by(&wecom, "zhangsan").is_empty());
    wecom.sandbox.replace_directory(Directory::builtin());
    shown(&wecom, "zhangsan", 3).await;
    all_delivered(&relay, 3).await;
    assert_eq!(wecom.sandbox.send_calls(), answered(&wecom, 60020) + 3);
    held(&relay, false).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_hold_survives_a_restart_and_is_probed_when_due() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick()).await;
    wecom.sandbox.inject(Fault::errcode(301002).on(Api::MessageSend));
    relay.post(&payload("Down", &[("a", true)])).await;
    let since = held(&relay, true).await[0].since;
    let folder = relay.stop().await;
    let relay = Relay::with(&wecom.url, Options { folder: Some(folder), ..quick() }).await;
    assert_eq!(held(&relay, true).await[0].since, since);
    wecom.sandbox.clear_faults();
    assert_eq!(shown(&wecom, "zhangsan", 1).await.len(), 1);
    held(&relay, false).await;
    relay.stop().await;
}
