//! `config.example.yml` is valid, lists every key, and states the true defaults.

use std::{collections::BTreeSet, path::PathBuf};

use wecom_relay::config::{self, Loaded, accepted_keys};

use super::{MINIMAL, env, parse};

const EXAMPLE: &str = include_str!("../../../config.example.yml");

#[test]
fn the_example_loads_and_states_the_defaults() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config.example.yml");
    let Loaded { config, warnings } = config::load(&path, &env).unwrap();
    let minimal = parse(MINIMAL).unwrap().config;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].to_string().contains("set server.auth"), "{warnings:?}");
    assert_eq!(config.server.listen, minimal.server.listen);
    assert!(config.server.security.is_open());
    assert_eq!(config.outbox, minimal.outbox);
    let (app, default) = (&config.apps[0], &minimal.apps[0]);
    assert_eq!(app.connection.api_url, default.connection.api_url);
    assert_eq!(app.limits, default.limits);
    let (receiver, default) = (config.receiver("wechat").unwrap(), minimal.receiver("wechat").unwrap());
    assert_eq!(receiver.message.value, default.message.value);
    assert_eq!(receiver.message_type, default.message_type);
    assert_eq!(receiver.send_resolved, default.send_resolved);
    assert_eq!(receiver.max_parts, default.max_parts);
}

#[test]
fn the_example_has_every_accepted_key_and_no_other() {
    // A `#` directly before a key or a dash switches it off. This switches all keys on.
    let switched_on: Vec<_> = EXAMPLE
        .lines()
        .map(|line| match line.trim_start().strip_prefix('#') {
            Some(off) if off.starts_with(|c: char| c.is_ascii_lowercase()) || off.starts_with("  -") => {
                line.replacen('#', "", 1)
            }
            _ => line.to_owned(),
        })
        .collect();
    let document: serde_json::Value = serde_yaml::from_str(&switched_on.join("\n")).unwrap();
    let mut written = BTreeSet::new();
    collect_keys(&document, "", &mut written);
    assert_eq!(written, accepted_keys().into_iter().collect());
}

fn collect_keys(value: &serde_json::Value, path: &str, keys: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect_keys(value, &path, keys);
                keys.insert(path);
            }
        }
        serde_json::Value::Array(items) => {
            items.iter().for_each(|item| collect_keys(item, &format!("{path}[]"), keys));
        }
        _ => {}
    }
}
