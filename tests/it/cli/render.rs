//! `render`

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::Workdir;
use crate::support::Options;

/// All recorded pairs: a webhook, and the text that Alertmanager itself sent to WeCom for it.
fn pairs() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/alertmanager/pairs");
    fs::read_dir(folder).unwrap().map(|pair| pair.unwrap().path()).collect()
}

/// Asserts that the parts contain the whole text. Each part starts with its number; line breaks between parts are lost.
fn assert_parts_are(parts: &[String], whole: &str) {
    let mut rest = whole;
    let overflow = parts.last().and_then(|last| last.rsplit_once("\n… ")).map(|(_, line)| line);
    for (part, number) in parts.iter().zip(1..) {
        assert!(part.len() <= 2048, "part {number} has {} bytes", part.len());
        let body = part.strip_prefix(&format!("({number}/{})\n", parts.len())).unwrap();
        if overflow.is_some() {
            // The last line counts the alerts that were left out.
            for shown in body.lines().filter(|line| !line.starts_with("… ")) {
                let at = rest.find(shown).unwrap_or_else(|| panic!("{shown:?} of part {number} is not next"));
                rest = rest.split_at(at + shown.len()).1;
            }
            continue;
        }
        rest = rest.strip_prefix(body).unwrap_or_else(|| panic!("part {number} is not next"));
        rest = rest.strip_prefix('\n').unwrap_or(rest);
    }
    match overflow {
        Some(line) => assert!(line.contains("not shown (") && line.contains("): http"), "{line}"),
        None => assert_eq!(rest, ""),
    }
}

#[tokio::test]
async fn recorded_webhooks_render_as_alertmanager_sent_them() {
    let workdir = Workdir::with(&Options::default(), "http://127.0.0.1:9");
    let pairs = pairs();
    assert_eq!(pairs.len(), 16);
    for pair in pairs {
        let webhook = pair.join("webhook.json");
        let args = ["render", "--receiver", "wechat", "--json", webhook.to_str().unwrap()];
        let out = workdir.run(&args).await.success();
        let bodies: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for body in &bodies {
            assert_eq!(body["touser"], "zhangsan");
            assert_eq!(body["msgtype"], "text");
            assert_eq!(body["agentid"].as_u64(), Some(1_000_002));
            assert_eq!(body["enable_duplicate_check"].as_u64(), Some(1));
        }
        let texts: Vec<String> =
            bodies.iter().map(|body| body["text"]["content"].as_str().unwrap().to_owned()).collect();
        let native = fs::read_to_string(pair.join("native.txt")).unwrap();
        if native.len() <= 2048 {
            assert_eq!(texts, [native], "{}", pair.display());
        } else {
            assert!(texts.len() > 1);
            assert_parts_are(&texts, &native);
        }
    }
}

#[tokio::test]
async fn render_reads_standard_input() {
    let workdir = Workdir::with(&Options::default(), "http://127.0.0.1:9");
    let pair = pairs().pop().unwrap();
    let webhook = fs::read_to_string(pair.join("webhook.json")).unwrap();
    let named =
        workdir.run(&["render", "-r", "wechat", pair.join("webhook.json").to_str().unwrap()]).await.success();
    assert_eq!(workdir.run_with(&["render", "-r", "wechat", "-"], &webhook).await.success(), named);
    assert_eq!(workdir.run_with(&["render", "-r", "wechat"], &webhook).await.success(), named);
}

#[tokio::test]
async fn render_reports_a_bad_payload_and_an_unknown_receiver() {
    let workdir = Workdir::with(&Options::default(), "http://127.0.0.1:9");
    let err = workdir.run_with(&["render", "-r", "wechat"], "{").await.failure(1);
    insta::assert_snapshot!(err, @"wecom-relay: the JSON ends before it is complete, at line 1, column 1: was the body cut off?");
    let err = workdir.run_with(&["render", "-r", "wechta"], "{}").await.failure(1);
    insta::assert_snapshot!(err, @r#"wecom-relay: there is no receiver "wechta"; the configuration has: wechat"#);
    let err = workdir.run(&["render", "-r", "wechat", "none.json"]).await.failure(1);
    insta::assert_snapshot!(err, @"wecom-relay: cannot read none.json: No such file or directory (os error 2)");
}

#[tokio::test]
async fn render_falls_back_to_the_built_in_text() {
    let receivers = "  - { name: wechat, to_user: zhangsan, message: '{{ commonLabels.no_such_label }}' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let workdir = Workdir::with(&options, "http://127.0.0.1:9");
    let webhook = pairs().pop().unwrap().join("webhook.json");
    let ended = workdir.run(&["render", "-r", "wechat", webhook.to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    insta::assert_snapshot!(ended.out.lines().next().unwrap(), @r#"[wecom-relay: receiver/wechat/message, line 1, column 17: undefined variable `commonLabels.no_such_label`; write `{{ commonLabels.no_such_label or "" }}` if it may be missing; this is the built-in text]"#);
    insta::assert_snapshot!(ended.err, @r#"receiver/wechat/message, line 1, column 17: undefined variable `commonLabels.no_such_label`; write `{{ commonLabels.no_such_label or "" }}` if it may be missing"#);
}

#[tokio::test]
async fn control_characters_are_shown_escaped() {
    let receivers = r#"  - { name: wechat, to_user: zhangsan, message: "a\u202eb\e[2Jc\u2066" }"#;
    let options = Options { receivers: format!("{receivers}\n"), ..Options::default() };
    let workdir = Workdir::with(&options, "http://127.0.0.1:9");
    let webhook = pairs().pop().unwrap().join("webhook.json");
    for args in [&["render", "-r", "wechat"][..], &["render", "-r", "wechat", "--json"]] {
        let args = [args, &[webhook.to_str().unwrap()]].concat();
        let out = workdir.run(&args).await.success();
        assert!(out.contains(r"a\u202eb"), "{out}");
        assert!(!out.contains(['\u{202e}', '\u{2066}', '\u{1b}']), "{out:?}");
    }
    let json = workdir.run(&["render", "-r", "wechat", "--json", webhook.to_str().unwrap()]).await.success();
    let body: Value = serde_json::from_str(&json).unwrap();
    assert!(body["text"]["content"].as_str().unwrap().starts_with("a\u{202e}b"), "{body}");
}

#[tokio::test]
async fn render_draws_the_message_on_a_phone() {
    let receivers = r##"  - name: wechat
    to_user: zhangsan
    message_type: markdown
    message: "# {{ headline() }}\n> [图表](https://g.example) [x](javascript:x)"
"##;
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let workdir = Workdir::with(&options, "http://127.0.0.1:9");
    let drawn = workdir.run(&["render", "-r", "wechat", "--sample", "firing", "--look"]).await.success();
    insta::assert_snapshot!(drawn, @"
    message 1 of 1: markdown, 106 of 2048 bytes, to user zhangsan
      ops (approximate):
      | 【告警】[严重] InstanceDown ×1 prod 10.0
      | .0.1:9100
      | │ 图表 x (⚠ WeCom does not open this lin
      | │ k)
    ");
    let drawn =
        workdir.run(&["render", "-r", "wechat", "--sample", "firing", "--look", "wechat"]).await.success();
    insta::assert_snapshot!(drawn, @"
    message 1 of 1: markdown, 106 of 2048 bytes, to user zhangsan
      ops (approximate):
      | 暂不支持此消息类型，请在企业微信中查看
    ");
}
