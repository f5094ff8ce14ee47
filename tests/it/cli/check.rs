//! `check`

use super::Workdir;
use crate::support::Options;

#[tokio::test]
async fn check_shows_sample_messages_of_each_receiver() {
    let receivers = "  - { name: wechat, to_user: zhangsan }\n  - { name: oncall, to_party: 2, message: '告警 {{ status }}' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let out = Workdir::with(&options, "http://127.0.0.1:9").run(&["check"]).await.success();
    assert!(out.contains("receiver wechat: app ops, to user zhangsan\n"), "{out}");
    assert!(out.contains("  | [FIRING:1] InstanceDown"), "{out}");
    assert!(
        out.contains("receiver oncall: app ops, to party 2\nfiring: text to party 2, 13 of 2048 bytes:\n  | 告警 firing\n"),
        "{out}"
    );
    assert!(out.ends_with("the configuration is valid: 1 app(s), 2 receiver(s)\n"), "{out}");
}

#[tokio::test]
async fn every_command_reports_all_config_errors() {
    let workdir = Workdir::of(
        "outbox: { path: outbox.db, dedupe_window: 120 }\napps:\n  - name: ops\n    corp_id: ww1\n    agent_id: none\n    \
         api_secret: sandbox-secret-1000002\n    proxy_url: ftp://user:proxy-password-51d0@proxy\nreceivers:\n  \
         - { name: wechat, app: opps, to_user: a }\n  - { name: wechat, app: ops }\n",
    );
    let err = workdir.run(&["check"]).await.failure(1);
    let keys =
        ["outbox.dedupe_window", "apps[0].agent_id", "apps[0].proxy_url", "receivers[0].app", "receivers[1]"];
    for key in keys {
        assert!(
            err.lines().any(|line| line.starts_with("config.yml:") && line.contains(key)),
            "{key}: {err}"
        );
    }
    // The same mistakes keep every other command from starting.
    assert_eq!(workdir.run(&["serve"]).await.failure(64), err);
    assert_eq!(workdir.run(&["render", "--receiver", "wechat"]).await.failure(64), err);
    assert_eq!(workdir.run(&["outbox", "list"]).await.failure(64), err);
}

#[tokio::test]
async fn a_broken_template_is_reported_with_its_location() {
    let receivers = "  - name: wechat\n    to_user: zhangsan\n    message: '{% if %}'\n  - name: oncall\n    to_user: lisi\n    \
                     message: '{{ status | shout }}'\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let workdir = Workdir::with(&options, "http://127.0.0.1:9");
    let err = workdir.run(&["check"]).await.failure(1);
    let line =
        |key: &str| err.lines().find(|line| line.contains(key)).unwrap_or_else(|| panic!("{key}: {err}"));
    let broken = line("receivers[0].message");
    assert!(broken.starts_with("config.yml:13:14: receivers[0].message: line 1, column "), "{broken}");
    assert!(line("receivers[1].message").contains("shout"), "{err}");
}

#[tokio::test]
async fn an_unknown_filter_is_reported_by_name() {
    let receivers = "  - name: oncall\n    to_user: lisi\n    message: '{{ status | shout }}'\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let err = Workdir::with(&options, "http://127.0.0.1:9").run(&["check"]).await.failure(1);
    assert!(err.starts_with("config.yml:13:14: receivers[0].message: "), "{err}");
    assert!(err.contains("shout"), "{err}");
}

#[tokio::test]
async fn a_broken_template_file_is_reported_with_its_line() {
    let options = Options { more: "templates: [ '*.tera' ]\n".to_owned(), ..Options::default() };
    let workdir = Workdir::with(&options, "http://127.0.0.1:9");
    workdir.write("ops.message.tera", "fine\n{{ status | }}\n");
    let err = workdir.run(&["check"]).await.failure(1);
    assert!(err.starts_with("ops.message.tera:2:"), "{err}");
}

#[tokio::test]
async fn a_template_that_fails_on_a_sample_fails_the_check() {
    let receivers = "  - { name: wechat, to_user: zhangsan, message: '{{ commonLabels.no_such_label }}' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Workdir::with(&options, "http://127.0.0.1:9").run(&["check"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("receiver wechat, sample firing: "), "{ended:?}");
}

#[tokio::test]
async fn a_card_that_wecom_would_refuse_fails_the_check() {
    let receivers =
        "  - { name: wechat, to_user: zhangsan, message_type: textcard, url: '{{ groupKey }}' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Workdir::with(&options, "http://127.0.0.1:9").run(&["check"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("WeCom would refuse the card"), "{ended:?}");
}

#[tokio::test]
async fn empty_templated_recipients_are_a_warning() {
    let receivers =
        "  - { name: wechat, to_user: \"{{ commonLabels.owner | default(value='') }}\", message: x }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let ended = Workdir::with(&options, "http://127.0.0.1:9").run(&["check"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("warning: receiver wechat, sample firing: "), "{ended:?}");
    assert!(ended.out.contains("firing: text to nobody, 1 of 2048 bytes:\n"), "{ended:?}");
}

#[tokio::test]
async fn a_missing_configuration_is_reported_with_its_path() {
    let workdir = Workdir::of("");
    std::fs::remove_file(workdir.folder.path().join("config.yml")).unwrap();
    let err = workdir.run(&["check", "--config", "none.yml"]).await.failure(1);
    assert!(err.contains("none.yml: the configuration cannot be read"), "{err}");
}
