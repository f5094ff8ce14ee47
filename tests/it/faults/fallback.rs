//! Notices to fallback receivers.

use std::{sync::Arc, time::Duration};

use wecom_relay::{
    outbox::{Kind, State},
    sandbox::{Api, Fault, Settings},
};

use super::{held, quick, second_app, seen_by, shown};
use crate::support::{AGENT, Options, Relay, ShiftedClock, Wecom, eventually, payload, redacted, soon};

#[tokio::test]
async fn the_fallback_is_notified_once_of_every_dead_letter() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers =
        "  - { name: wechat, app: ops, to_user: nobody, fallback: oncall }\n  - { name: oncall, app: \
                     second, to_user: lisi }\n"
            .to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, app: second_app(&wecom), ..quick() }).await;
    let groups: Vec<String> = (0..10).map(|group| format!("Lost{group}")).collect();
    for group in &groups {
        relay.post(&payload(group, &[("a", true)])).await;
    }
    let told_of = |group: &String| {
        let line = format!("- [FIRING:1] {group} ");
        seen_by(&wecom, "lisi").iter().filter(|notice| notice.contains(&line)).count()
    };
    soon(wecom.sandbox.wait_until(|_| groups.iter().all(|group| told_of(group) > 0))).await;
    // A later round reports only the new dead letters.
    relay.post(&payload("Last", &[("a", true)])).await;
    soon(wecom.sandbox.wait_until(|_| told_of(&"Last".to_owned()) > 0)).await;
    relay.stop().await;
    let notices = seen_by(&wecom, "lisi");
    assert!(groups.iter().all(|group| told_of(group) == 1), "{notices:?}");
    insta::assert_snapshot!(redacted(notices.last().unwrap()), @"
    [UNDELIVERED] 1 message for receiver wechat could not be delivered: WeCom refused message/send (81013): none of the users, departments and tags can get the message. Check that they exist, and add them in admin console → App management → the app → Visible range (可见范围). WeCom's text: user & party & tag all invalid, hint: [HINT], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=81013
    - [FIRING:1] Last (critical) a
    ");
}

#[tokio::test]
async fn a_notice_in_chinese_has_the_advice_in_chinese() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers =
        "  - { name: wechat, app: ops, to_user: nobody, fallback: oncall }\n  - { name: oncall, app: \
                     second, to_user: lisi, language: zh }\n"
            .to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, app: second_app(&wecom), ..quick() }).await;
    relay.post(&payload("Lost", &[("a", true)])).await;
    let notices = shown(&wecom, "lisi", 1).await;
    insta::assert_snapshot!(redacted(&notices[0]), @"
    【未送达】1 条发给 wechat 的通知未能送达：企业微信拒绝 message/send（81013）：收件成员、部门、标签都收不到消息。请确认它们存在，并已加入管理后台 → 应用管理 → 该应用 → 可见范围。
    - [FIRING:1] Lost (critical) a
    ");
    relay.stop().await;
}

#[tokio::test]
async fn the_fallback_is_notified_once_of_a_long_hold() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers =
        "  - { name: wechat, app: ops, to_user: zhangsan, fallback: oncall, fallback_after: 5m }\n  - { \
                     name: oncall, app: second, to_user: lisi }\n"
            .to_owned();
    let clock = Arc::new(ShiftedClock::default());
    let options = Options { receivers, app: second_app(&wecom), clock: clock.clone(), ..quick() };
    let relay = Relay::with(&wecom.url, options).await;
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend).for_app(AGENT));
    relay.post(&payload("Held", &[("a", true)])).await;
    relay.post(&payload("AlsoHeld", &[("a", true)])).await;
    held(&relay, true).await;
    clock.advance(Duration::from_secs(301));
    let notices = shown(&wecom, "lisi", 1).await;
    insta::assert_snapshot!(redacted(&notices[0]), @"
    [HELD] 2 messages wait for receiver wechat, held since TIME: WeCom refused message/send (60020): IP 127.0.0.1 is not a trusted IP of the app. Add it in admin console → App management → the app → Company's trusted IP (企业可信IP), and wait about a minute until it takes effect.
    - [FIRING:1] Held (critical) a
    - [FIRING:1] AlsoHeld (critical) a
    ");
    // Several rounds of notices and probes pass.
    let probes = held(&relay, true).await[0].probes;
    eventually(async || held(&relay, true).await[0].probes, |count| *count >= probes + 10).await;
    assert!(seen_by(&wecom, "zhangsan").is_empty());
    wecom.sandbox.clear_faults();
    shown(&wecom, "zhangsan", 2).await;
    relay.stop().await;
    assert_eq!(seen_by(&wecom, "lisi").len(), 1);
}

#[tokio::test]
async fn a_refused_notice_is_sent_without_its_lines() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers =
        "  - { name: wechat, app: ops, to_user: nobody, fallback: oncall }\n  - { name: oncall, app: \
                     second, to_user: lisi }\n"
            .to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, app: second_app(&wecom), ..quick() }).await;
    wecom.sandbox.inject(Fault::errcode(40058).on(Api::MessageSend).for_text("- [FIRING:1] Lost"));
    relay.post(&payload("Lost", &[("a", true)])).await;
    let notices = shown(&wecom, "lisi", 1).await;
    insta::assert_snapshot!(notices.concat(), @"[UNDELIVERED] 1 message for receiver wechat could not be delivered: wecom-relay outbox list");
    relay.stop().await;
}

#[tokio::test]
async fn a_dead_notice_causes_no_further_notice() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers = "  - { name: wechat, app: ops, to_user: nobody, fallback: oncall }\n  - { name: oncall, app: \
                     second, to_user: nobody, fallback: boss }\n  - { name: boss, app: second, to_user: lisi }\n"
        .to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, app: second_app(&wecom), ..quick() }).await;
    relay.post(&payload("Lost", &[("a", true)])).await;
    // Both the alert and its notice are dead.
    let settled = soon(relay.settled(2)).await;
    assert!(settled.iter().all(|delivery| delivery.state == State::Dead));
    assert_eq!(settled[1].kind, Kind::Notice);
    let alert = payload("AlsoLost", &[("a", true)]).to_string();
    assert_eq!(relay.request(reqwest::Method::POST, "/webhook/oncall", alert).await.0, 200);
    let notices = shown(&wecom, "lisi", 1).await;
    insta::assert_snapshot!(redacted(&notices[0]), @"
    [UNDELIVERED] 1 message for receiver oncall could not be delivered: WeCom refused message/send (81013): none of the users, departments and tags can get the message. Check that they exist, and add them in admin console → App management → the app → Visible range (可见范围). WeCom's text: user & party & tag all invalid, hint: [HINT], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=81013
    - [FIRING:1] AlsoLost (critical) a
    ");
    relay.stop().await;
    assert_eq!(seen_by(&wecom, "lisi").len(), 1);
}
