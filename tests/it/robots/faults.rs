//! Faults of WeCom and of the network, for a robot.

use wecom_relay::{
    outbox::{Listed, Outbox, State},
    sandbox::{Api, BUILTIN_YAML, Directory, Effect, Fault, Moment, Settings},
};

use super::{GROUP, all_delivered, quick, robots, seen, shown};
use crate::support::{Options, Relay, Wecom, eventually, payload, soon};

async fn held(relay: &Relay, is_held: bool) -> Vec<wecom_relay::outbox::Hold> {
    eventually(async || relay.outbox.holds().await.unwrap(), |holds| holds.is_empty() != is_held).await
}

/// The built-in directory with a key of the first robot changed.
fn directory(change: &str) -> Directory {
    let robot = "key: sandbox-robot-key-ops,";
    assert!(BUILTIN_YAML.contains(robot));
    Directory::from_yaml(&BUILTIN_YAML.replacen(robot, change, 1)).unwrap()
}

/// Asserts that the group is shown one alert once, although calls fail for a while.
async fn is_survived(effect: Effect) {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick(&wecom)).await;
    wecom.sandbox.inject(Fault::new(effect.clone()).on(Api::WebhookSend).times(2));
    relay.post(&payload("Down", &[("a", true)])).await;
    let seen = shown(&wecom, 1).await;
    assert!(seen[0].starts_with("[FIRING:1] Down "), "{effect:?}: {}", seen[0]);
    all_delivered(&relay, 1).await;
    relay.stop().await;
    assert_eq!(super::seen(&wecom).len(), 1, "{effect:?}");
}

fn errcode(errcode: i64) -> Effect {
    Effect::Errcode { errcode, errmsg: None, taken: false }
}

fn status(status: u16) -> Effect {
    Effect::HttpStatus { status, body: String::new(), taken: false }
}

#[tokio::test]
async fn a_fault_that_passes_delays_an_alert_and_doubles_none() {
    is_survived(errcode(-1)).await;
    is_survived(errcode(45009)).await;
    is_survived(errcode(45033)).await;
    is_survived(errcode(12345)).await;
    is_survived(errcode(93000)).await;
    is_survived(errcode(93004)).await;
    is_survived(errcode(93008)).await;
    is_survived(status(403)).await;
    is_survived(status(404)).await;
    is_survived(status(429)).await;
    is_survived(status(502)).await;
    is_survived(Effect::Drop(Moment::Before)).await;
}

/// A robot has no duplicate check, so an answer that is lost doubles a message.
#[tokio::test]
async fn a_lost_answer_shows_a_copy_and_loses_nothing() {
    for effect in
        [Effect::Drop(Moment::After), Effect::HttpStatus { status: 502, body: String::new(), taken: true }]
    {
        let wecom = Wecom::live(Settings::default()).await;
        let relay = Relay::with(&wecom.url, quick(&wecom)).await;
        wecom.sandbox.inject(Fault::new(effect).on(Api::WebhookSend).times(1));
        relay.post(&payload("Down", &[("a", true)])).await;
        relay.post(&payload("Other", &[("a", true)])).await;
        all_delivered(&relay, 2).await;
        relay.stop().await;
        let down = |text: &&String| text.starts_with("[FIRING:1] Down ");
        let other = |text: &&String| text.starts_with("[FIRING:1] Other ");
        let seen = seen(&wecom);
        let copies = seen.iter().filter(down).count() + seen.iter().filter(other).count();
        assert_eq!((seen.len(), copies), (3, 3), "{seen:?}");
    }
}

#[tokio::test]
async fn a_removed_robot_is_held_until_its_new_key_is_configured() {
    let wecom = Wecom::live(Settings::default()).await;
    wecom.sandbox.replace_directory(directory("key: another-key,"));
    let relay = Relay::with(&wecom.url, quick(&wecom)).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    let hold = held(&relay, true).await;
    assert_eq!((hold[0].sender.0.as_str(), hold[0].errcode), ("group", Some(93000)));
    assert!(hold[0].reason.contains("Copy the robot's webhook URL"), "{}", hold[0].reason);
    relay.post(&payload("Later", &[("a", true)])).await;
    // A person adds the robot again, and writes its key into the configuration.
    let path = relay.folder.path().join("config.yml");
    let config = std::fs::read_to_string(&path).unwrap().replace("sandbox-robot-key-ops", "another-key");
    std::fs::write(&path, config).unwrap();
    let (code, text) = relay.request(reqwest::Method::POST, "/-/reload", "").await;
    assert_eq!((code, text.lines().next()), (200, Some("reloaded: 1 app, 1 robot, 1 receiver")));
    shown(&wecom, 2).await;
    all_delivered(&relay, 2).await;
    held(&relay, false).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_robot_that_is_disabled_or_out_of_its_group_is_held() {
    for (change, errcode) in [("disabled: true", 93004), ("in_group: false", 93008)] {
        let wecom = Wecom::live(Settings::default()).await;
        wecom.sandbox.replace_directory(directory(&format!("key: sandbox-robot-key-ops, {change},")));
        let relay = Relay::with(&wecom.url, quick(&wecom)).await;
        relay.post(&payload("Down", &[("a", true)])).await;
        assert_eq!(held(&relay, true).await[0].errcode, Some(errcode));
        wecom.sandbox.replace_directory(Directory::builtin());
        shown(&wecom, 1).await;
        all_delivered(&relay, 1).await;
        relay.stop().await;
    }
}

#[tokio::test]
async fn a_text_that_is_refused_is_a_dead_letter_and_the_app_tells_it() {
    let wecom = Wecom::live(Settings::default()).await;
    let mut options = quick(&wecom);
    options.receivers = "  - { name: wechat, robot: group, fallback: oncall }\n  \
                         - { name: oncall, app: ops, to_user: zhangsan, language: zh }\n"
        .to_owned();
    let relay = Relay::with(&wecom.url, options).await;
    wecom.sandbox.inject(Fault::errcode(40058).on(Api::WebhookSend).times(1));
    relay.post(&payload("Down", &[("a", true)])).await;
    let notice = soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
    assert!(notice[0].text.starts_with("【未送达】1 条发给 wechat 的通知未能送达"), "{}", notice[0].text);
    relay.post(&payload("Good", &[("a", true)])).await;
    shown(&wecom, 1).await;
    assert_eq!(relay.listed(&[State::Dead]).await.len(), 1);
    relay.stop().await;
}

#[tokio::test]
async fn a_robot_that_fails_does_not_delay_the_app() {
    let wecom = Wecom::live(Settings::default()).await;
    let mut options = quick(&wecom);
    options.receivers =
        "  - { name: group, robot: group }\n  - { name: wechat, app: ops, to_user: zhangsan }\n".to_owned();
    let relay = Relay::with(&wecom.url, options).await;
    wecom.sandbox.inject(Fault::new(Effect::Hang { taken: false }).on(Api::WebhookSend));
    for number in 0..5 {
        let alert = payload(&format!("Down{number}"), &[("a", true)]).to_string();
        let (status, _) = relay.request(reqwest::Method::POST, "/webhook/group", alert.clone()).await;
        assert_eq!(status, 200);
        let (status, _) = relay.request(reqwest::Method::POST, "/webhook/wechat", alert).await;
        assert_eq!(status, 200);
    }
    soon(wecom.sandbox.wait_for_delivered("zhangsan", 5)).await;
    assert!(wecom.sandbox.delivered_to_group(GROUP).is_empty());
    drop(relay);
}

#[tokio::test]
async fn a_robot_that_fails_does_not_delay_another_robot() {
    const OTHER: &str = "sandbox-robot-key-db";
    let wecom = Wecom::live(Settings::default()).await;
    let other = format!("  - name: other\n    key: {}/cgi-bin/webhook/send?key={OTHER}\n", wecom.url);
    let receivers = "  - { name: wechat, robot: group, also: [other] }\n  - { name: other, robot: other }\n";
    let options = Options {
        receivers: receivers.to_owned(),
        more: format!("{}{other}", robots(&wecom)),
        ..quick(&wecom)
    };
    let relay = Relay::with(&wecom.url, options).await;
    wecom.sandbox.inject(Fault::new(errcode(93004)).for_robot(super::KEY));
    relay.post(&payload("Down", &[("a", true)])).await;
    assert_eq!(held(&relay, true).await[0].sender.0, "group");
    soon(wecom.sandbox.wait_for_group("数据库群", 1)).await;
    assert!(wecom.sandbox.delivered_to_group(GROUP).is_empty());
    wecom.sandbox.clear_faults();
    shown(&wecom, 1).await;
    all_delivered(&relay, 2).await;
    relay.stop().await;
}

#[tokio::test]
async fn the_group_is_told_of_a_held_app_in_its_language() {
    let wecom = Wecom::live(Settings::default()).await;
    let receivers = "  - { name: wechat, app: ops, to_user: zhangsan, fallback: group, fallback_after: 1ms }\n  \
                     - { name: group, robot: group, language: zh }\n";
    let options = Options { receivers: receivers.to_owned(), secret: "wrong", ..quick(&wecom) };
    let relay = Relay::with(&wecom.url, options).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    let notice = shown(&wecom, 1).await;
    assert!(notice[0].contains("发送暂停") && notice[0].contains("api_secret"), "{}", notice[0]);
    drop(relay);
}

#[tokio::test]
async fn a_renamed_robot_keeps_its_queue() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, quick(&wecom)).await;
    wecom.sandbox.inject(Fault::new(status(500)).on(Api::WebhookSend));
    relay.post(&payload("Down", &[("a", true)])).await;
    let is_tried = |ready: &Vec<Listed>| ready.iter().any(|delivery| delivery.attempts > 0);
    eventually(async || relay.listed(&[State::Ready]).await, is_tried).await;
    let folder = relay.stop().await;
    wecom.sandbox.clear_faults();
    let renamed = Options {
        more: robots(&wecom).replace("name: group", "name: other"),
        receivers: "  - { name: wechat, robot: other }\n".to_owned(),
        folder: Some(folder),
        ..quick(&wecom)
    };
    let relay = Relay::with(&wecom.url, renamed).await;
    shown(&wecom, 1).await;
    relay.stop().await;
}
