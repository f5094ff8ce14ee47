//! Texts in parts whose next part fails.

use wecom_relay::sandbox::{Api, Fault, Settings};

use super::{seen_by, shown};
use crate::support::{Relay, Wecom, payload, soon};

#[tokio::test]
async fn parts_that_are_stuck_reserve_no_slots_of_others() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::start(&wecom.url).await;
    wecom.sandbox.inject(Fault::errcode(-1).on(Api::MessageSend).for_text("(2/5)"));
    let names: Vec<String> = (0..400).map(|alert| format!("alert-{alert:03}-{}", "x".repeat(40))).collect();
    let alerts: Vec<_> = names.iter().map(|name| (name.as_str(), true)).collect();
    for group in 0..6 {
        relay.post(&payload(&format!("Long{group}"), &alerts)).await;
    }
    let first_parts = shown(&wecom, "zhangsan", 6).await;
    assert!(first_parts.iter().all(|part| part.starts_with("(1/5)")), "{first_parts:?}");
    // All slots of the minute would be reserved for later parts.
    for group in 0..10 {
        relay.post(&payload(&format!("Short{group}"), &[("a", true)])).await;
    }
    let are_seen =
        || (0..10).all(|group| seen_by(&wecom, "zhangsan").concat().contains(&format!("Short{group}")));
    soon(wecom.sandbox.wait_until(|_| are_seen())).await;
    relay.stop().await;
}
