//! The blocks `text shows RECEIVER SAMPLE [LABEL=VALUE …]` are what the configuration above them makes of the sample.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};
use wecom_relay::{
    alertmanager::PayloadMemory,
    app::{PrepareOptions, Prepared},
    intake::Parsed,
    render::samples,
};

use super::{
    configs,
    page::{Page, path},
};

/// The sample with these labels on every alert.
fn payload(sample: &str, labels: &[&str]) -> Vec<u8> {
    let (_, text) = samples::ALL.into_iter().find(|(name, _)| *name == sample).unwrap();
    let mut payload: Value = serde_json::from_str(text).unwrap();
    for (name, value) in labels.iter().map(|label| label.split_once('=').unwrap()) {
        payload["commonLabels"][name] = json!(value);
        for alert in payload["alerts"].as_array_mut().unwrap() {
            alert["labels"][name] = json!(value);
        }
    }
    serde_json::to_vec(&payload).unwrap()
}

/// The recipients, an empty line, and the message.
fn shown(config: &str, receiver: &str, sample: &str, labels: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let prepared = Prepared::new(configs::parse(config, folder.path()), PrepareOptions::default()).unwrap();
    let now = "2026-11-21T09:28:42Z".parse().unwrap();
    let body = payload(sample, labels);
    let Parsed::Webhook(webhook) =
        prepared.intake.parse(Some(receiver), &body, PayloadMemory::UNLIMITED, now).unwrap()
    else {
        panic!("{sample} shows nothing");
    };
    let rendered = prepared.intake.render(&webhook);
    assert!(rendered.failures.is_empty() && rendered.recipient_error.is_none(), "{rendered:?}");
    let delivery = &rendered.notification.deliveries[0];
    format!("to {}\n\n{}\n", delivery.recipients, delivery.content.text().trim_end())
}

#[test]
fn recipes_show_what_their_configurations_make() {
    let mut recipes = 0;
    for page in Page::all() {
        for section in page.sections {
            let mut config = String::new();
            for block in section.blocks {
                if block.info == "yaml config.yml" {
                    config = block.text;
                } else if let Some(of) = block.info.strip_prefix("text shows ") {
                    let words: Vec<_> = of.split(' ').collect();
                    let shown = shown(&config, words[0], words[1], &words[2..]);
                    let place = format!("{}:{}", page.name, block.line);
                    match block.text.strip_suffix("…\n") {
                        Some(beginning) => assert!(shown.starts_with(beginning), "{place} shows\n{shown}"),
                        None => assert_eq!(shown, block.text, "{place}"),
                    }
                    recipes += 1;
                }
            }
        }
    }
    assert!(recipes >= 10, "only {recipes} recipes");
}

/// Each message in the picture: the texts that are neither title, time nor name, without spaces.
fn pictured(picture: &str) -> Vec<String> {
    let mut messages = Vec::new();
    for line in picture.lines().map(str::trim) {
        if line.contains("class=\"time\"") {
            messages.push(String::new());
        } else if line.contains("<tspan") {
            let texts = line.split("<tspan").skip(1).map(|span| span.split(['>', '<']).nth(1).unwrap());
            let text = texts.collect::<String>().replace(' ', "");
            messages.last_mut().unwrap().push_str(&text);
        }
    }
    messages
}

/// A message as WeCom shows it, without spaces and line breaks: of a link only its text.
fn as_shown(message: &str) -> String {
    let pieces = message.split("<a href=").enumerate().map(|(at, piece)| {
        if at == 0 { piece.to_owned() } else { piece.split_once('>').unwrap().1.replacen("</a>", "", 1) }
    });
    pieces.collect::<String>().replace([' ', '\n'], "")
}

#[test]
fn the_picture_shows_messages_of_the_relay() {
    let picture = fs::read_to_string(path("docs/phone.svg")).unwrap();
    let config = "language: zh\ntimezone: Asia/Shanghai\n";
    let messages = ["firing", "resolved"].map(|sample| {
        let shown = shown(config, "wechat", sample, &[]);
        as_shown(shown.split_once("\n\n").unwrap().1)
    });
    assert_eq!(pictured(&picture), messages);
}

#[test]
fn the_templates_in_blocks_compile() {
    let mut seen = BTreeSet::new();
    for page in Page::all() {
        for block in page.blocks().filter(|block| block.info == "jinja") {
            let message = serde_json::to_string(&block.text).unwrap();
            let config =
                format!("receivers:\n  - {{ name: wechat, to_user: zhangsan, message: {message} }}\n");
            seen.insert(shown(&config, "wechat", "firing", &[]));
        }
    }
    assert!(!seen.is_empty());
}
