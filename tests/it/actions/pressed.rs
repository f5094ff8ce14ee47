//! What a press does.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::json;

use super::{Alertmanager, Stage, log_from, now, warnings};
use crate::support::{eventually, payload};

#[tokio::test]
async fn a_pressed_button_silences_the_group_in_alertmanager() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let stage = Stage::start(alertmanager.url(), "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    let result = stage.result().await;
    let silence = alertmanager.silence().await;
    assert!(result.starts_with("zhangsan silenced until "), "{result}");
    assert!(result.ends_with(&format!("(silence {})", silence["id"].as_str().unwrap())), "{result}");
    let matcher = json!([{ "name": "alertname", "value": "DiskFull", "isRegex": false, "isEqual": true }]);
    assert_eq!(silence["matchers"], matcher);
    assert_eq!(silence["createdBy"], "zhangsan");
    let comment = silence["comment"].as_str().unwrap();
    assert!(comment.starts_with("Silenced from WeCom: [FIRING:1] DiskFull"), "{comment}");
    let ends_at: Timestamp = silence["endsAt"].as_str().unwrap().parse().unwrap();
    let seconds = ends_at.duration_since(now()).as_secs();
    assert!((3000..=3600).contains(&seconds), "{seconds}");
    stage.stop().await;
}

#[tokio::test]
async fn the_console_shows_no_response_code() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let stage = Stage::start(alertmanager.url(), "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.press_on_phone(&task_id, "zhangsan", "silence:3600").await;
    let code_of = async || {
        for listed in stage.relay.listed(&[]).await {
            let update = stage.relay.shown(listed.id.0).await.content.as_card_update();
            if let Some(code) = update.and_then(|update| update.response_code) {
                return Some((listed.id.0, code));
            }
        }
        None
    };
    let (id, code) = eventually(code_of, Option::is_some).await.unwrap();
    for path in ["messages", "api/v1/messages"] {
        let (status, text) = stage.relay.request(Method::GET, &format!("/{path}/{id}"), "").await;
        assert_eq!(status, 200, "{path}: {text}");
        assert!(text.contains("response_code") && text.contains('…'), "{path}: {text}");
        assert!(!text.contains(&code), "{path}: {code} is in {text}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn two_presses_make_one_silence_and_the_second_member_reads_why() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let stage = Stage::start(alertmanager.url(), "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    stage.press(&task_id, "lisi", "silence:14400").await;
    stage.results(3).await;
    alertmanager.silence().await;
    let pressed = stage.pressed_in_chinese().await;
    let lines: Vec<&str> = pressed.lines().collect();
    let [first, second, third] = lines[..] else { panic!("{pressed}") };
    assert!(
        first.starts_with("zhangsan: 静默 1 小时 zhangsan 已静默至 ") && first.contains("（静默 "),
        "{first}"
    );
    assert!(second.starts_with("zhangsan: 静默 1 小时 未执行：zhangsan 已将该告警静默至 "), "{second}");
    assert!(third.starts_with("lisi: 静默 4 小时 未执行：zhangsan 已将该告警静默至 "), "{third}");
    let text = stage.notified("lisi", |text| text.starts_with("[NOT DONE]")).await;
    assert!(text.starts_with("[NOT DONE] zhangsan has silenced this alert until "), "{text}");
    assert!(text.contains("DiskFull"), "{text}");
    stage.stop().await;
}

#[tokio::test]
async fn a_silence_until_nine_ends_at_the_next_nine() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let stage = Stage::start(alertmanager.url(), "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "lisi", "until:09:00").await;
    stage.result().await;
    let ends_at = alertmanager.silence().await["endsAt"].as_str().unwrap().to_owned();
    assert!(ends_at.contains("T09:00:00"), "{ends_at}");
    let ends_at: Timestamp = ends_at.parse().unwrap();
    let hours = ends_at.duration_since(now()).as_secs_f64() / 3600.0;
    assert!((0.9..=25.0).contains(&hours), "{hours}");
    stage.stop().await;
}

#[tokio::test]
async fn the_log_says_who_pressed_which_button() {
    let (written, _log) = log_from(tracing::Level::INFO);
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let stage = Stage::start(alertmanager.url(), "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    stage.result().await;
    let log = async || written.text();
    let log = eventually(log, |log| log.contains("press handled")).await;
    let line = log.lines().find(|line| line.contains("press handled")).unwrap();
    let silence = alertmanager.silence().await["id"].as_str().unwrap().to_owned();
    for field in [
        "user=\"zhangsan\"",
        "app=ops",
        "receiver=\"wechat\"",
        "delivery=1",
        &format!("task_id=\"{task_id}\""),
        "button=\"silence:3600\"",
        "action=\"silence\"",
        "result=\"done\"",
        &format!("silence=\"{silence}\""),
    ] {
        assert!(line.contains(field), "{field} is not in {line}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn an_acknowledgement_needs_no_alertmanager() {
    let stage = Stage::start("http://127.0.0.1:9", "{ buttons: [{ acknowledge: true }] }").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "zhangsan", "ack").await;
    let result = stage.result().await;
    assert!(result.starts_with("zhangsan acknowledged "), "{result}");
    let (_, page) = stage.relay.request(Method::GET, "/messages/1", "").await;
    assert!(page.contains("Presses of its buttons") && page.contains("zhangsan acknowledged "), "{page}");
    let pressed = stage.pressed_in_chinese().await;
    assert!(pressed.starts_with("zhangsan: 认领 zhangsan 已认领 "), "{pressed}");
    stage.stop().await;
}

#[tokio::test]
async fn only_buttons_of_the_card_are_obeyed() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let stage = Stage::start(alertmanager.url(), "{ buttons: [{ silence: 1h }] }").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "zhangsan", "silence:999999").await;
    let result = stage.result().await;
    assert_eq!(result, "nothing was done: the relay wrote no such button on this card");
    stage.notified("zhangsan", |text| text.contains("the relay wrote no such button")).await;
    assert_eq!(alertmanager.silences().await, [json!(null); 0]);
    stage.stop().await;
}

#[tokio::test]
async fn a_member_who_may_not_press_is_notified() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    for (allowed, may, may_not) in [
        ("allow_user: zhangsan", "zhangsan", "lisi"),
        ("allow_party: 2", "zhangsan", "zhaoliu"),
        ("allow_tag: 2", "wangwu", "zhangsan"),
    ] {
        let stage = Stage::start(alertmanager.url(), &format!("{{ {allowed} }}")).await;
        let task_id = stage.card("DiskFull").await;
        stage.press(&task_id, may_not, "ack").await;
        stage.press(&task_id, may, "ack").await;
        let results = stage.results(2).await;
        assert!(
            results.iter().any(|result| result.starts_with(&format!("{may} acknowledged"))),
            "{results:?}"
        );
        let refused = results.iter().any(|result| result.starts_with("nothing was done: "));
        assert!(refused, "{allowed}: {results:?}");
        stage.stop().await;
    }
}

#[tokio::test]
async fn a_deleted_tag_or_department_is_warned_of_and_others_count() {
    let (written, _log) = warnings();
    let stage = Stage::start("http://127.0.0.1:9", "{ allow_tag: 99 | 2, allow_party: 98 }").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "wangwu", "ack").await;
    stage.press(&task_id, "zhangsan", "ack").await;
    let results = stage.results(2).await;
    assert!(results[0].starts_with("wangwu acknowledged "), "{results:?}");
    assert!(results[1].contains("you are not among those who may press"), "{results:?}");
    let log = written.text();
    for entry in ["key=\"allow_tag\" id=99", "key=\"allow_party\" id=98"] {
        assert!(log.lines().any(|line| line.contains("WARN") && line.contains(entry)), "{log}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_press_of_a_resolved_or_unknown_card_silences_nothing() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let stage = Stage::start(alertmanager.url(), "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.relay.post(&payload("DiskFull", &[("db-1", false)])).await;
    stage.relay.settled(2).await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    stage.notified("zhangsan", |text| text.starts_with("[NOT DONE] this alert is resolved already.")).await;
    stage.press("unknown", "lisi", "silence:3600").await;
    stage.notified("lisi", |text| text.starts_with("[NOT DONE] the relay does not know this card")).await;
    assert_eq!(alertmanager.silences().await, [json!(null); 0]);
    stage.stop().await;
}

#[tokio::test]
async fn a_group_without_labels_is_silenced_by_its_common_labels_or_not_at_all() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let stage = Stage::start(alertmanager.url(), "{}").await;
    let mut common = payload("Common", &[("db-1", true)]);
    common["groupLabels"] = json!({});
    let mut none = payload("None", &[("db-1", true), ("db-2", true)]);
    none["groupLabels"] = json!({});
    none["commonLabels"] = json!({});
    none["alerts"][0]["labels"] = json!({ "alertname": "One" });
    none["alerts"][1]["labels"] = json!({ "alertname": "Two" });
    let task_id = stage.card_of(&none).await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    stage.notified("zhangsan", |text| text.contains("has no labels in common")).await;
    let task_id = stage.card_of(&common).await;
    stage.press(&task_id, "zhangsan", "silence:3600").await;
    stage.results(2).await;
    let matchers = alertmanager.silence().await["matchers"].clone();
    let names: Vec<_> = matchers.as_array().unwrap().iter().map(|matcher| &matcher["name"]).collect();
    assert_eq!(names, ["alertname", "severity"]);
    stage.stop().await;
}

#[tokio::test]
async fn a_press_is_counted_and_kept_with_its_card() {
    let stage = Stage::start("http://127.0.0.1:9", "{}").await;
    let task_id = stage.card("DiskFull").await;
    stage.press(&task_id, "zhangsan", "ack").await;
    stage.result().await;
    let (_, metrics) = stage.relay.request(reqwest::Method::GET, "/metrics", "").await;
    let counted = "wecom_relay_presses_total{action=\"acknowledge\",result=\"done\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
    stage.stop().await;
}
