//! `render`

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::Place;
use crate::support::Options;

/// Every recorded notification: the webhook's body, and the text that Alertmanager itself sent to WeCom.
fn pairs() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/alertmanager/pairs");
    fs::read_dir(folder).unwrap().map(|pair| pair.unwrap().path()).collect()
}

/// Puts the parts of a split text together: each opens with its number, and a line break at a border is not there.
fn assert_parts_are(parts: &[String], whole: &str) {
    let mut rest = whole;
    let told = parts.last().and_then(|last| last.rsplit_once("\n… ")).map(|(_, told)| told);
    for (part, number) in parts.iter().zip(1..) {
        assert!(part.len() <= 2048, "part {number} has {} bytes", part.len());
        let body = part.strip_prefix(&format!("({number}/{})\n", parts.len())).unwrap();
        if told.is_some() {
            // Whole alerts are left out, and counted in the last line.
            for shown in body.lines().filter(|line| !line.starts_with("… ")) {
                let at = rest.find(shown).unwrap_or_else(|| panic!("{shown:?} of part {number} is not next"));
                rest = rest.split_at(at + shown.len()).1;
            }
            continue;
        }
        rest = rest.strip_prefix(body).unwrap_or_else(|| panic!("part {number} is not next"));
        rest = rest.strip_prefix('\n').unwrap_or(rest);
    }
    match told {
        Some(told) => assert!(told.contains("未显示： http") || told.contains("not shown: http"), "{told}"),
        None => assert_eq!(rest, ""),
    }
}

#[tokio::test]
async fn every_recorded_notification_becomes_the_request_whose_text_alertmanager_sent() {
    let place = Place::with(&Options::default(), "http://127.0.0.1:9");
    let pairs = pairs();
    assert_eq!(pairs.len(), 16);
    for pair in pairs {
        let webhook = pair.join("webhook.json");
        let args = ["render", "--receiver", "wechat", "--json", webhook.to_str().unwrap()];
        let out = place.run(&args).await.success();
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
async fn the_payload_may_come_from_standard_input() {
    let place = Place::with(&Options::default(), "http://127.0.0.1:9");
    let pair = pairs().pop().unwrap();
    let webhook = fs::read_to_string(pair.join("webhook.json")).unwrap();
    let named =
        place.run(&["render", "-r", "wechat", pair.join("webhook.json").to_str().unwrap()]).await.success();
    assert_eq!(place.run_with(&["render", "-r", "wechat", "-"], &webhook).await.success(), named);
    assert_eq!(place.run_with(&["render", "-r", "wechat"], &webhook).await.success(), named);
}

#[tokio::test]
async fn a_payload_or_a_receiver_that_cannot_be_used_fails_with_a_sentence() {
    let place = Place::with(&Options::default(), "http://127.0.0.1:9");
    let told = place.run_with(&["render", "-r", "wechat"], "{").await.failure(1);
    assert!(told.contains("was the body cut off?"), "{told}");
    let told = place.run_with(&["render", "-r", "wechta"], "{}").await.failure(1);
    assert!(told.contains("there is no receiver \"wechta\"; the configuration has: wechat"), "{told}");
    let told = place.run(&["render", "-r", "wechat", "none.json"]).await.failure(1);
    assert!(told.contains("read none.json"), "{told}");
}

#[tokio::test]
async fn a_template_that_fails_is_told_and_the_built_in_text_is_shown() {
    let receivers = "  - { name: wechat, to_user: zhangsan, message: '{{ commonLabels.no_such_label }}' }\n";
    let options = Options { receivers: receivers.to_owned(), ..Options::default() };
    let place = Place::with(&options, "http://127.0.0.1:9");
    let webhook = pairs().pop().unwrap().join("webhook.json");
    let ended = place.run(&["render", "-r", "wechat", webhook.to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.starts_with("[wecom-relay: ") && ended.out.contains("this is the built-in text]\n["));
    assert!(ended.err.contains("no_such_label"), "{}", ended.err);
}
