//! Compares the built-in message with the messages of Alertmanager.

#![cfg(test)]

use std::{fmt::Write, fs, path::Path};

use proptest::{collection::btree_map, collection::vec, prelude::*, sample::select};
use wecom_relay::{
    alertmanager::{self, Alert, Pairs, Payload},
    language::Language,
    render::{self, DEFAULT_MESSAGE, Limits, Markup, RenderTime, Rendering, Rest, Templates},
    text::without_controls,
    wecom::limits::MAX_CONTENT_BYTES,
};

use crate::support::recorded::{self, Recorded};

fn time() -> RenderTime {
    RenderTime {
        now: "2026-11-21T09:30:00Z".parse().unwrap(),
        zone: jiff::tz::TimeZone::UTC,
        language: Language::En,
    }
}

fn rest<'a>(rendering: &'a Rendering<'_>) -> Rest<'a> {
    Rest { link: rendering.alerts_url(), language: rendering.language() }
}

fn render(templates: &Templates, payload: &Payload) -> String {
    templates.with(payload, &time()).render(DEFAULT_MESSAGE).unwrap()
}

#[test]
fn the_default_message_equals_all_recorded_ones() {
    let templates = Templates::compile(&[]).unwrap();
    let pairs = recorded::pairs("pairs");
    for Recorded { name, payload, native } in &pairs {
        assert_eq!(render(&templates, payload), *native, "{name}");
        assert_eq!(templates.with(payload, &time()).fallback().text(), native, "{name}");
    }
    assert_eq!(pairs.len(), 16);
}

#[test]
fn two_hundred_alerts_are_shown_or_counted_with_a_link() {
    let pair = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/alertmanager/pairs/076-many_200_alerts_one_group");
    let payload = alertmanager::parse(&fs::read(pair.join("webhook.json")).unwrap(), time().now).unwrap();
    let templates = Templates::compile(&[]).unwrap();
    let rendering = templates.with(&payload, &time());
    for (name, markup) in [
        (DEFAULT_MESSAGE, Markup::Plain),
        (render::ZH_MESSAGE, Markup::Plain),
        (render::MARKDOWN_MESSAGE, Markup::Markdown),
    ] {
        let message = rendering.message(name).unwrap();
        assert_eq!(message.alerts(), 200, "{name}");
        let parts = render::parts(&message, markup, Limits::default(), rest(&rendering));
        assert_eq!(parts.len(), 5, "{name}");
        assert!(parts.iter().all(|part| part.len() <= MAX_CONTENT_BYTES), "{name}");
        let text = parts.concat();
        let shown = payload
            .alerts
            .iter()
            .filter(|alert| text.contains(alert.labels.get("instance").unwrap()))
            .count();
        let hidden = 200 - shown;
        let last = parts.last().unwrap();
        let count = format!("{hidden} of 200 alerts are not shown (");
        assert!(last.contains(&count), "{name}: {shown} shown, {last}");
        assert!(last.lines().last().unwrap().contains(rendering.alerts_url()), "{name}: {last}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_default_message_equals_alertmanagers_for_any_payload(payload in payloads()) {
        let templates = Templates::compile(&[]).unwrap();
        prop_assert_eq!(&render(&templates, &payload), &native(&payload));
        prop_assert_eq!(templates.with(&payload, &time()).fallback().into_text(), native(&payload));
    }

    #[test]
    fn every_built_in_template_renders_any_payload_in_parts(payload in payloads()) {
        let templates = Templates::compile(&[]).unwrap();
        let rendering = templates.with(&payload, &time());
        for (name, _) in render::BUILTIN {
            let message = rendering.message(name).unwrap();
            let parts = render::parts(&message, Markup::Markdown, Limits::default(), rest(&rendering));
            prop_assert!(parts.len() <= 5 && parts.iter().all(|part| part.len() <= MAX_CONTENT_BYTES));
        }
    }

    #[test]
    fn the_summary_is_always_one_line(payload in payloads()) {
        let templates = Templates::compile(&[]).unwrap();
        let summary = templates.with(&payload, &time()).render(render::DEFAULT_SUMMARY).unwrap();
        prop_assert!(!summary.is_empty() && !summary.chars().any(char::is_control), "{:?}", summary);
    }
}

/// Alertmanager's own template as a program.
fn native(payload: &Payload) -> String {
    let mut text = format!("[{}", payload.status.to_uppercase());
    if payload.status == "firing" {
        write!(text, ":{}", payload.firing().count()).unwrap();
    }
    write!(text, "] {} ", values(&payload.group_labels)).unwrap();
    if payload.common_labels.len() > payload.group_labels.len() {
        let mut rest = payload.common_labels.clone();
        rest.retain(|name, _| !payload.group_labels.contains_key(name));
        write!(text, "({})", values(&rest)).unwrap();
    }
    write!(text, "\n{}\n", values(&payload.common_annotations)).unwrap();
    for (title, status) in [("Firing", "firing"), ("Resolved", "resolved")] {
        let alerts: Vec<&Alert> = payload.alerts.iter().filter(|alert| alert.status == status).collect();
        if !alerts.is_empty() {
            writeln!(text, "Alerts {title}:").unwrap();
        }
        for alert in alerts {
            for (title, pairs) in [("Labels", &alert.labels), ("Annotations", &alert.annotations)] {
                writeln!(text, "{title}:").unwrap();
                for (name, value) in sorted(pairs) {
                    writeln!(text, " - {name} = {value}").unwrap();
                }
            }
            writeln!(text, "Source: {}", alert.generator_url).unwrap();
        }
        text.push('\n');
    }
    // Alertmanager always has a URL, and writes it without a slash at the end.
    let url = payload.external_url.trim_end_matches('/');
    if url.is_empty() {
        return text;
    }
    write!(text, "AlertmanagerUrl:\n{url}/#/alerts?receiver=").unwrap();
    for byte in payload.receiver.bytes() {
        match byte {
            b' ' => text.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => text.push(byte.into()),
            byte => write!(text, "%{byte:02X}").unwrap(),
        }
    }
    text
}

fn sorted(pairs: &Pairs) -> Vec<(&str, &str)> {
    let mut sorted: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if let Some(alertname) = sorted.iter().position(|(name, _)| *name == "alertname") {
        let first = sorted.remove(alertname);
        sorted.insert(0, first);
    }
    sorted
}

fn values(pairs: &Pairs) -> String {
    sorted(pairs).into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(" ")
}

fn texts() -> impl Strategy<Value = String> {
    let odd = select(vec![
        '\0',
        '\u{1}',
        '\u{7f}',
        '\u{85}',
        '\u{2028}',
        '\u{e000}',
        '\u{fdd0}',
        '\u{fdd1}',
        '\u{fdd2}',
        '\u{fdef}',
        '\u{feff}',
        '\u{fffe}',
        '\u{ffff}',
        '\u{10ffff}',
    ]);
    prop_oneof![
        any::<String>(),
        "[a-z]{1,8}",
        "[ \t\r\n]{1,3}",
        "\\{[{%#]-? ?[a-z]{0,3} ?-?[%#}]\\}",
        vec(odd, 1..4).prop_map(String::from_iter),
    ]
    .prop_map(clean)
}

/// `alertmanager::parse` does the same, so no payload contains control characters.
fn clean(text: String) -> String {
    without_controls(&text).unwrap_or(text)
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["alertname", "severity", "instance", "Zone", "__name__", "名", "loop", "0"])
            .prop_map(str::to_owned),
        any::<String>().prop_map(clean)
    ]
}

fn pairs() -> impl Strategy<Value = Pairs> {
    btree_map(names(), texts(), 0..6).prop_map(Pairs::from_iter)
}

fn statuses() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("firing".to_owned()),
        4 => Just("resolved".to_owned()),
        1 => texts(),
    ]
}

fn alerts() -> impl Strategy<Value = Alert> {
    (statuses(), pairs(), pairs(), texts()).prop_map(|(status, labels, annotations, generator_url)| Alert {
        status,
        labels,
        annotations,
        generator_url,
        ..Alert::default()
    })
}

fn payloads() -> impl Strategy<Value = Payload> {
    (
        statuses(),
        prop_oneof![9 => vec(alerts(), 0..8), 1 => vec(alerts(), 0..400)],
        [pairs(), pairs(), pairs()],
        texts(),
        texts(),
    )
        .prop_map(
            |(status, alerts, [group_labels, common_labels, common_annotations], external_url, receiver)| {
                Payload {
                    status,
                    alerts,
                    group_labels,
                    common_labels,
                    common_annotations,
                    external_url,
                    receiver,
                    ..Payload::default()
                }
            },
        )
}
