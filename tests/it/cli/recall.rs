//! `outbox recall`, beside a running relay.

use serde_json::Value;
use wecom_relay::sandbox::{Api, Fault};

use super::Workdir;
use crate::support::{Options, Relay, Wecom, payload, redacted};

/// A relay that has delivered one message.
async fn delivered(wecom: &Wecom) -> (Relay, Workdir) {
    let relay = Relay::start(&wecom.url).await;
    let workdir = Workdir::of(&Options::default().yaml(&wecom.url, &relay.folder));
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.settled(1).await;
    (relay, workdir)
}

#[tokio::test]
async fn a_message_is_recalled_once_and_marked() {
    let wecom = Wecom::start().await;
    let (relay, workdir) = delivered(&wecom).await;
    let out = workdir.run(&["outbox", "recall", "1"]).await.success();
    assert_eq!(out, "delivery 1 recalled; who read it in personal WeChat keeps it\n");
    assert!(wecom.sandbox.delivered_to("zhangsan")[0].recalled_at.is_some());
    assert!(relay.shown(1).await.listed.recalled_at.is_some());
    let table = workdir.run(&["outbox", "list"]).await.success();
    assert!(table.trim_end().ends_with(" — recalled"), "{table}");
    let shown = workdir.run(&["outbox", "show", "1"]).await.success();
    assert!(redacted(&shown).contains("\nrecalled:           TIME\n"), "{shown}");
    let listed: Value =
        serde_json::from_str(&workdir.run(&["outbox", "list", "--json"]).await.success()).unwrap();
    assert!(listed["recalled_at"].is_string(), "{listed}");
    let err = workdir.run(&["outbox", "recall", "1"]).await.failure(1);
    assert_eq!(err, "delivery 1 is not recalled: it was recalled already\n");
    relay.stop().await;
}

#[tokio::test]
async fn one_message_that_cannot_be_recalled_spares_the_others() {
    let wecom = Wecom::start().await;
    let (relay, workdir) = delivered(&wecom).await;
    wecom.sandbox.inject(Fault::errcode(40008).on(Api::MessageSend).times(1));
    relay.post(&payload("Other", &[("a", true)])).await;
    let dead = relay.settled(2).await[1].id.to_string();
    let finished = workdir.run(&["outbox", "recall", &dead, "99", "1"]).await;
    assert_eq!(finished.code, Some(1));
    assert_eq!(finished.out, "delivery 1 recalled; who read it in personal WeChat keeps it\n");
    insta::assert_snapshot!(finished.err.replace(&format!("delivery {dead} "), "delivery DEAD "), @"
    delivery DEAD is not recalled: it is dead, and only a delivered message can be recalled
    there is no delivery 99; `wecom-relay outbox list` shows the existing ones (settled deliveries are deleted after outbox.retention)
    ");
    relay.stop().await;
}

#[tokio::test]
async fn a_refusal_of_wecom_is_explained() {
    let wecom = Wecom::start().await;
    let (relay, workdir) = delivered(&wecom).await;
    wecom.sandbox.inject(Fault::errcode(42052).on(Api::MessageRecall).times(1));
    let err = workdir.run(&["outbox", "recall", "1"]).await.failure(1);
    let expected = "delivery 1 is not recalled: message/recall answered errcode 42052: ";
    assert!(err.starts_with(expected) && err.contains("the msgid is older than 24 hours."), "{err}");
    assert_eq!(relay.shown(1).await.listed.recalled_at, None);
    relay.stop().await;
}
