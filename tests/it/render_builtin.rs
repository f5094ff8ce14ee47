//! Snapshots of the built-in templates, and the Chinese template compared with messages that Alertmanager sent itself.

#![cfg(test)]

use jiff::tz::TimeZone;
use wecom_relay::{
    alertmanager,
    render::{self, Limits, Markup, RenderTime, Templates, samples},
};

use crate::support::recorded::{self, Recorded};

fn time() -> RenderTime {
    RenderTime {
        now: "2026-11-21T09:45:00Z".parse().unwrap(),
        zone: Some(TimeZone::get("Asia/Shanghai").unwrap()),
    }
}

/// The parts that are sent for a sample.
fn sent(template: &str, sample: &str) -> String {
    let markup = if template == render::MARKDOWN_MESSAGE { Markup::Markdown } else { Markup::Plain };
    let payload = alertmanager::parse(sample.as_bytes(), time().now).unwrap();
    let templates = Templates::compile(&[]).unwrap();
    let rendering = templates.with(&payload, &time());
    let message = rendering.message(template).unwrap();
    let parts = render::parts(&message, markup, Limits::default(), rendering.alerts_url());
    parts.join("\n----------\n")
}

#[test]
fn every_built_in_template_renders_every_sample() {
    for (template, _) in render::BUILTIN {
        for (sample, payload) in samples::ALL {
            insta::assert_snapshot!(format!("{template}-{sample}"), sent(template, payload));
        }
    }
}

#[test]
fn the_chinese_message_has_every_line_of_the_native_one() {
    let templates = Templates::compile(&[]).unwrap();
    let mut compared = 0;
    for Recorded { name, payload, native } in recorded::pairs("pairs_zh") {
        let time = RenderTime { zone: None, ..time() };
        let message = templates.with(&payload, &time).render(render::ZH_MESSAGE).unwrap();
        assert!(!message.contains("0001-01-01"), "{message}");
        assert_eq!(message.matches("告警详情===").count(), payload.alerts.len(), "{message}");
        if payload.alerts.len() > 1 {
            continue;
        }
        let mut lines = message.lines();
        // Empty fields and headings without fields are left out.
        let has_text = |line: &&str| !line.is_empty() && !line.ends_with(": ") && *line != "===参考信息===";
        for line in native.lines().filter(has_text) {
            assert!(lines.any(|other| other == line), "{name}: {line:?} is missing in {message}");
        }
        compared += 1;
    }
    assert_eq!(compared, 4);
}

#[test]
fn templates_see_the_fields_of_grafana() {
    let text = "{% for a in firing %}{{ a.values.A }} {{ a.silenceURL }} {{ a.panelURL }} {{ a | silence_url }}{% endfor %}\
        {% for a in resolved %}[{% for name, value in a.values or {} %}{{ name }}{% endfor %}]{% endfor %} {{ alerts_url() }}";
    let source = render::Source { name: "t".into(), origin: "t".into(), text: text.into() };
    let templates = Templates::compile(&[source]).unwrap();
    let (_, grafana) = samples::ALL[5];
    let payload = alertmanager::parse(grafana.as_bytes(), time().now).unwrap();
    let silence = "https://grafana.example.com/alerting/silence/new?alertmanager=grafana&\
        matcher=alertname%3DHigh+CPU&matcher=host%3Dweb-1&orgId=1";
    let panel = "https://grafana.example.com/d/node?orgId=1&viewPanel=4";
    let text = templates.with(&payload, &time()).render("t").unwrap();
    assert_eq!(
        text,
        format!("92.734 {silence} {panel} {silence}[] https://grafana.example.com/alerting/list")
    );
}
