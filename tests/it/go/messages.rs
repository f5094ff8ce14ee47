//! Whole messages, and their split between alerts.

use wecom_relay::render::{self, Limits, Markup, Rest};

use super::{compiled, message, name, payload, time};
use crate::support::recorded::{self, Recorded};

const DEFAULT: &str = r#"{{ template "wechat.default.message" . }}"#;

/// The text of the recorded Chinese messages, as a team with several shops of templates writes it: trim markers that glue
/// lines together, a header from the first alert alone, and both lists over all alerts.
const CHINESE: &str = include_str!("../../data/alertmanager/chinese.tmpl");

#[test]
fn the_default_message_equals_all_recorded_ones() {
    let templates = compiled(&[], DEFAULT).unwrap();
    let pairs = recorded::pairs("pairs");
    for Recorded { name: pair, payload, native } in &pairs {
        let text = templates.with(payload, &time("UTC")).render(&name()).unwrap();
        assert_eq!(text, *native, "{pair}");
    }
    assert_eq!(pairs.len(), 16);
}

#[test]
fn a_chinese_template_equals_all_recorded_messages() {
    let templates = compiled(&[("chinese.tmpl", CHINESE)], DEFAULT).unwrap();
    for Recorded { name: pair, payload, native } in recorded::pairs("pairs_zh") {
        let text = templates.with(&payload, &time("UTC")).render(&name()).unwrap();
        assert_eq!(text, native, "{pair}");
    }
}

#[test]
fn a_message_is_split_between_the_turns_of_its_range() {
    let pairs = recorded::pairs("pairs");
    let many = pairs.iter().find(|pair| pair.payload.alerts.len() == 200).unwrap();
    let templates = compiled(&[], DEFAULT).unwrap();
    let rendering = templates.with(&many.payload, &time("UTC"));
    let message = rendering.message(&name()).unwrap();
    assert_eq!(message.alerts(), 200);
    let rest = Rest { link: rendering.alerts_url(), language: rendering.language() };
    let parts = render::parts(&message, Markup::Plain, Limits::default(), rest);
    assert_eq!(parts.len(), 5);
    let cut = |part: &String| part.matches("Labels:").count() != part.matches("Source: ").count();
    assert!(!parts.iter().any(cut), "{parts:?}");
}

#[test]
fn only_the_outermost_range_over_alerts_counts() {
    let alerts = |text: &str| message(text, &payload(), "UTC").unwrap().alerts();
    assert_eq!(alerts("{{ range .Alerts }}{{ range $.Alerts }}x{{ end }}{{ end }}"), 2);
    assert_eq!(alerts("{{ range .CommonLabels }}{{ range $.Alerts.Firing }}x{{ end }}{{ end }}"), 2);
    assert_eq!(alerts("{{ range .Alerts }}{{ if eq .Status \"firing\" }}x{{ end }}{{ end }}"), 1);
    assert_eq!(alerts("{{ len .Alerts }}"), 0);
}

#[test]
fn control_characters_and_broken_characters_are_replaced() {
    let text = r#"{{ range .Alerts }}a{{ slice "中" 0 2 }}{{ "\x1b[31m" }}b{{ "\a" }}{{ end }}c"#;
    let message = message(text, &payload(), "UTC").unwrap();
    assert_eq!(message.text(), "a\u{fffd}\u{fffd}b\u{fffd}a\u{fffd}\u{fffd}b\u{fffd}c");
    assert_eq!(message.alerts(), 2);
}

#[test]
fn later_files_override_earlier_ones_and_the_built_in_ones() {
    let files = [
        ("a.tmpl", r#"{{ define "x" }}a{{ end }}{{ define "__subject" }}own subject{{ end }}"#),
        ("b.tmpl", r#"{{ define "x" }}b{{ end }}file b"#),
        ("c.tmpl", r#"{{ define "x" }} {{ end }}"#),
    ];
    let templates = compiled(
        &files,
        r#"{{ template "x" }} {{ template "b.tmpl" }}|{{ template "wechat.default.message" . }}"#,
    );
    let text = templates.unwrap().with(&payload(), &time("UTC")).render(&name()).unwrap();
    assert!(text.starts_with("b file b|own subject\n"), "{text}");
}

#[test]
fn every_mistake_has_its_file_line_and_column() {
    let files = [("a.tmpl", "ok\n  {{ foo }}"), ("b.tmpl", "{{ if }}"), ("c.tmpl", "{% include \"x\" %}")];
    insta::assert_snapshot!(compiled(&files, "中{{ $x }}").unwrap_err());
    let errors = [
        message("中\n{{ range .Alerts }}{{ .Foo }}{{ end }}", &payload(), "UTC").unwrap_err(),
        message("{{ .Labels.x }}", &payload(), "UTC").unwrap_err(),
        message("{{ range .Alerts }}{{ .CommonLabels }}{{ end }}", &payload(), "UTC").unwrap_err(),
        message("{{ template \"__text_alert_list\" . }}", &payload(), "UTC").unwrap_err(),
    ];
    insta::assert_snapshot!(errors.join("\n"));
}
