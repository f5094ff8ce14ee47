//! `check`

use super::Place;
use crate::support::Options;

#[tokio::test]
async fn a_good_configuration_is_shown_with_a_sample_of_each_receivers_messages() {
    let receivers = "  - { name: wechat, to_user: zhangsan }\n  - { name: oncall, to_party: 2, message: '告警 {{ status }}' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let out = Place::with(&options, "http://127.0.0.1:9").run(&["check"]).await.success();
    assert!(out.contains("receiver wechat: app ops, to user zhangsan\n"), "{out}");
    assert!(out.contains("  | [FIRING:1] InstanceDown"), "{out}");
    assert!(
        out.contains("receiver oncall: app ops, to party 2\nfiring: text to party 2, 13 of 2048 bytes:\n  | 告警 firing\n"),
        "{out}"
    );
    assert!(out.ends_with("the configuration is valid: 1 app(s), 2 receiver(s)\n"), "{out}");
}

#[tokio::test]
async fn all_problems_of_a_configuration_are_told_and_the_exit_code_is_64() {
    let place = Place::of(
        "outbox: { path: outbox.db, dedupe_window: 120 }\napps:\n  - name: ops\n    corp_id: ww1\n    agent_id: none\n    \
         api_secret: sandbox-secret-1000002\n    proxy_url: ftp://user:proxy-password-51d0@proxy\nreceivers:\n  \
         - { name: wechat, app: opps, to_user: a }\n  - { name: wechat, app: ops }\n",
    );
    let told = place.run(&["check"]).await.failure(1);
    let keys =
        ["outbox.dedupe_window", "apps[0].agent_id", "apps[0].proxy_url", "receivers[0].app", "receivers[1]"];
    for key in keys {
        assert!(
            told.lines().any(|line| line.starts_with("config.yml:") && line.contains(key)),
            "{key}: {told}"
        );
    }
    // The same mistakes keep every other command from starting.
    assert_eq!(place.run(&["serve"]).await.failure(64), told);
    assert_eq!(place.run(&["render", "--receiver", "wechat"]).await.failure(64), told);
    assert_eq!(place.run(&["outbox", "list"]).await.failure(64), told);
}

#[tokio::test]
async fn a_template_that_does_not_compile_is_told_with_its_place() {
    let receivers = "  - name: wechat\n    to_user: zhangsan\n    message: '{% if %}'\n  - name: oncall\n    to_user: lisi\n    \
                     message: '{{ status | shout }}'\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let place = Place::with(&options, "http://127.0.0.1:9");
    let told = place.run(&["check"]).await.failure(1);
    let line =
        |key: &str| told.lines().find(|line| line.contains(key)).unwrap_or_else(|| panic!("{key}: {told}"));
    let broken = line("receivers[0].message");
    assert!(broken.starts_with("config.yml:13:14: receivers[0].message: line 1, column "), "{broken}");
    assert!(line("receivers[1].message").contains("shout"), "{told}");
}

#[tokio::test]
async fn an_unknown_filter_is_told_by_its_name() {
    let receivers = "  - name: oncall\n    to_user: lisi\n    message: '{{ status | shout }}'\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let told = Place::with(&options, "http://127.0.0.1:9").run(&["check"]).await.failure(1);
    assert!(told.starts_with("config.yml:13:14: receivers[0].message: "), "{told}");
    assert!(told.contains("shout"), "{told}");
}

#[tokio::test]
async fn a_template_file_that_does_not_compile_is_told_with_its_line_and_column() {
    let options = Options { more: "templates: [ '*.tera' ]\n".to_owned(), ..Options::default() };
    let place = Place::with(&options, "http://127.0.0.1:9");
    place.write("ops.message.tera", "fine\n{{ status | }}\n");
    let told = place.run(&["check"]).await.failure(1);
    assert!(told.starts_with("ops.message.tera:2:"), "{told}");
}

#[tokio::test]
async fn a_template_that_fails_on_the_sample_fails_the_check() {
    let receivers = "  - { name: wechat, to_user: zhangsan, message: '{{ commonLabels.no_such_label }}' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Place::with(&options, "http://127.0.0.1:9").run(&["check"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("receiver wechat, sample firing: "), "{ended:?}");
}

#[tokio::test]
async fn a_card_that_wecom_would_refuse_fails_the_check() {
    let receivers =
        "  - { name: wechat, to_user: zhangsan, message_type: textcard, url: '{{ groupKey }}' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Place::with(&options, "http://127.0.0.1:9").run(&["check"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("WeCom would refuse the card"), "{ended:?}");
}

#[tokio::test]
async fn recipients_that_come_out_empty_are_a_warning() {
    let receivers =
        "  - { name: wechat, to_user: \"{{ commonLabels.owner | default(value='') }}\", message: x }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Place::with(&options, "http://127.0.0.1:9").run(&["check"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("warning: receiver wechat, sample firing: "), "{ended:?}");
    assert!(ended.out.contains("firing: text to nobody, 1 of 2048 bytes:\n"), "{ended:?}");
}

#[tokio::test]
async fn a_configuration_that_is_not_there_is_told_with_the_places_that_were_tried() {
    let place = Place::of("");
    std::fs::remove_file(place.folder.path().join("config.yml")).unwrap();
    let told = place.run(&["check", "--config", "none.yml"]).await.failure(1);
    assert!(told.contains("none.yml: the configuration cannot be read"), "{told}");
}
