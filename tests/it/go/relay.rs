//! Go templates through the whole relay.

use std::{fs, sync::Arc};

use tempfile::TempDir;

use crate::support::{Options, Relay, Wecom, payload};

const FILE: &str = r#"{{ define "wechat.default.message" }}{{ .Status | toUpper }}{{ range .Alerts }}
{{ .Labels.alertname }} {{ .StartsAt.Format "2006-01-02 15:04:05" }}{{ end }}{{ end }}"#;

/// A receiver with Go templates and these further keys, and a folder with the file `wechat.tmpl`.
fn options(keys: &str) -> Options {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("wechat.tmpl"), FILE).unwrap();
    let receivers = format!("  - {{ name: wechat, to_user: zhangsan, template_language: go{keys} }}\n");
    let more = "templates: [ '*.tmpl' ]\n".to_owned();
    Options { receivers, more, folder: Some(Arc::<TempDir>::new(folder)), ..Options::default() }
}

/// What zhangsan sees of one alert.
async fn seen(options: Options) -> Vec<String> {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.settled(1).await;
    relay.stop().await;
    wecom.sandbox.delivered_to("zhangsan").into_iter().map(|seen| seen.text.to_string()).collect()
}

#[tokio::test]
async fn a_receiver_sends_the_message_that_a_file_defines() {
    let [text] = seen(options("")).await.try_into().unwrap();
    assert!(text.starts_with("FIRING\nDown 20"), "{text}");
}

#[tokio::test]
async fn recipients_and_messages_may_be_go_templates() {
    let keys = r#", to_party: '{{ if eq .Status "resolved" }}2{{ end }}', message: '{{ len .Alerts.Firing }} firing'"#;
    assert_eq!(seen(options(keys)).await, ["1 firing"]);
}

#[tokio::test]
async fn a_failed_go_template_is_replaced_by_the_built_in_text() {
    let [text] = seen(options(", message: '{{ .Foo }}'")).await.try_into().unwrap();
    let note = "[wecom-relay: receiver/wechat/message, line 1, column 4: executing \
                \"receiver/wechat/message\" at <.Foo>: can't evaluate field Foo in type template.Data; this is the \
                built-in text]\n[FIRING:1] Down";
    assert!(text.starts_with(note), "{text}");
}

#[tokio::test]
async fn a_reload_takes_the_new_file_and_refuses_a_broken_one() {
    let wecom = Wecom::start().await;
    let options = options("");
    let relay = Relay::with(&wecom.url, options).await;
    let file = relay.folder.path().join("wechat.tmpl");
    let yaml = fs::read_to_string(relay.folder.path().join("config.yml")).unwrap();
    fs::write(&file, r#"{{ define "wechat.default.message" }}new {{ .Receiver }}{{ end }}"#).unwrap();
    let (status, answer) = relay.reload_yaml(&yaml).await;
    assert_eq!(status, 200, "{answer}");
    fs::write(&file, "{{ .Status").unwrap();
    let (status, answer) = relay.reload_yaml(&yaml).await;
    assert_eq!(status, 500);
    assert!(answer.contains("wechat.tmpl:1:11: unclosed action"), "{answer}");
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.settled(1).await;
    relay.stop().await;
    let texts: Vec<_> =
        wecom.sandbox.delivered_to("zhangsan").iter().map(|seen| seen.text.to_string()).collect();
    assert_eq!(texts, ["new wechat"]);
}
