//! Snapshots of the built-in templates, and what they say of odd payloads.

#![cfg(test)]

use std::fmt;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use wecom_relay::{
    alertmanager,
    language::Language,
    render::{self, Limits, Markup, RenderTime, Rest, Templates, samples},
    wecom::limits::{CardLimits, DESCRIPTION_CHARS},
};

use crate::support::recorded::{self, Recorded};

fn time() -> RenderTime {
    RenderTime {
        now: "2026-11-21T09:45:00Z".parse().unwrap(),
        zone: TimeZone::get("Asia/Shanghai").unwrap(),
        language: Language::En,
    }
}

/// A message as it is sent.
struct Sent {
    parts: Vec<String>,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts.join("\n----------\n"))
    }
}

fn sent(template: &str, sample: &str, language: Language) -> Sent {
    let is_markdown = matches!(template, render::MARKDOWN_MESSAGE | render::MARKDOWN_V2_MESSAGE);
    let markup = if is_markdown { Markup::Markdown } else { Markup::Plain };
    let payload = alertmanager::parse(sample.as_bytes(), time().now).unwrap();
    let templates = Templates::compile(&[]).unwrap();
    let rendering = templates.with(&payload, &RenderTime { language, ..time() });
    let rest = Rest { link: rendering.alerts_url(), language };
    let message = rendering.message(template).unwrap();
    let max_chars = match template {
        render::TEXTCARD_DESCRIPTION => Some(DESCRIPTION_CHARS),
        render::TEMPLATE_CARD_SUB_TITLE => Some(CardLimits::APP.sub_title),
        _ => None,
    };
    if let Some(max_chars) = max_chars {
        let rest = Rest { link: "", language };
        return Sent { parts: vec![render::shortened(&message, max_chars, rest)] };
    }
    Sent { parts: render::parts(&message, markup, Limits::default(), rest) }
}

#[test]
fn every_built_in_template_renders_every_sample() {
    for (template, _) in render::BUILTIN {
        for language in [Language::En, Language::Zh] {
            let is_in_one_language = matches!(template, render::DEFAULT_MESSAGE | render::ZH_MESSAGE);
            let own_language = if template == render::ZH_MESSAGE { Language::Zh } else { Language::En };
            if is_in_one_language && language != own_language {
                continue;
            }
            for (sample, payload) in samples::ALL {
                let name = format!("{template}-{sample}-{}", language.code());
                insta::assert_snapshot!(name, sent(template, payload, language));
            }
        }
    }
}

#[test]
fn templates_see_the_fields_of_grafana() {
    let text = "{% for a in firing %}{{ a.values.A }} {{ a.silenceURL }} {{ a.panelURL }} {{ a | silence_url }}{% endfor %}\
        {% for a in resolved %}[{% for name, value in a.values or {} %}{{ name }}{% endfor %}]{% endfor %} {{ alerts_url() }}";
    let source = render::Source {
        name: "t".into(),
        origin: "t".into(),
        text: text.into(),
        language: render::TemplateLanguage::Tera,
    };
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

#[test]
fn no_label_is_lost_and_no_line_is_empty_of_facts() {
    let templates = Templates::compile(&[]).unwrap();
    for folder in ["pairs", "pairs_zh"] {
        for Recorded { name, payload, .. } in recorded::pairs(folder) {
            let rendering = templates.with(&payload, &time());
            for template in [render::ZH_MESSAGE, render::MARKDOWN_MESSAGE] {
                let text = rendering.render(template).unwrap();
                assert!(!text.contains("0001-01-01"), "{text}");
                let values = payload.alerts.iter().flat_map(|alert| &alert.labels);
                for (label, value) in values.filter(|(label, value)| *label != "severity" && is_plain(value))
                {
                    assert!(text.contains(value.as_str()), "{name}: {label}={value} is not in {text}");
                }
            }
        }
    }
}

/// True for a value that markdown does not escape and that is one line.
fn is_plain(value: &str) -> bool {
    value.chars().all(|c| c.is_alphanumeric() || ".:-_/".contains(c))
}

/// A payload of Alertmanager with these alerts.
fn payload(alerts: &[Value], more: &Value) -> String {
    let mut payload = json!({
        "receiver": "wechat", "status": "firing", "alerts": alerts, "groupLabels": {}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "http://am.example.com", "version": "4", "groupKey": "{}:{}",
    });
    for (name, value) in more.as_object().unwrap() {
        payload[name] = value.clone();
    }
    payload.to_string()
}

fn alert(status: &str, labels: &Value) -> Value {
    json!({ "status": status, "labels": labels, "startsAt": "2026-11-21T09:00:00Z", "generatorURL": "expr" })
}

fn zh(payload: &str) -> String {
    sent(render::ZH_MESSAGE, payload, Language::Zh).to_string()
}

#[test]
fn a_resolved_alert_without_an_end_is_called_resolved() {
    let over = alert("resolved", &json!({ "alertname": "CpuHigh", "severity": "critical" }));
    insta::assert_snapshot!(zh(&payload(&[over], &json!({ "status": "resolved" }))), @r"
    【恢复】[严重] CpuHigh ×1
    故障时间：2026-11-21 17:00:00
    查看全部：http://am.example.com/#/alerts?receiver=wechat
    ");
}

#[test]
fn alerts_are_told_apart_by_any_label() {
    let full_disk = |number: u8| {
        let labels = json!({ "alertname": "Full", "host": format!("db-{number}"), "mountpoint": format!("/d{number}") });
        alert("firing", &labels)
    };
    // The stated common label is wrong for one of them.
    let text = zh(&payload(
        &[full_disk(1), full_disk(2)],
        &json!({ "commonLabels": { "host": "db-1" }, "externalURL": "" }),
    ));
    insta::assert_snapshot!(text, @r"
    【告警】Full ×2

    ▶ 主机：db-1，挂载点：/d1
    故障时间：2026-11-21 17:00:00（已持续 45分钟）

    ▶ 主机：db-2，挂载点：/d2
    故障时间：2026-11-21 17:00:00（已持续 45分钟）
    ");
}

#[test]
fn a_notification_without_alerts_says_what_it_knows() {
    let more = json!({
        "groupLabels": { "alertname": "Heartbeat" }, "commonLabels": { "severity": "critical", "team": "db" },
        "commonAnnotations": { "summary": "the pipeline says hello" }, "title": "[Alerting] Heartbeat",
    });
    insta::assert_snapshot!(zh(&payload(&[], &more)), @r#"
    【告警】[严重] Heartbeat ×1 db
    摘要：the pipeline says hello
    标题：[Alerting] Heartbeat
    团队：db
    <a href="http://am.example.com/#/silences/new?filter=%7Balertname%3D%22Heartbeat%22%2Cseverity%3D%22critical%22%2Cteam%3D%22db%22%7D">静默</a>
    查看全部：http://am.example.com/#/alerts?receiver=wechat
    "#);
}

#[test]
fn a_text_that_is_cut_keeps_the_worst_and_breaks_between_alerts() {
    let one = |number: usize| {
        let severity = if number % 50 == 49 { "critical" } else { "warning" };
        let status = if number.is_multiple_of(2) { "resolved" } else { "firing" };
        let labels = json!({ "alertname": "Many", "severity": severity, "pod": format!("web-{number:03}") });
        let mut alert = alert(status, &labels);
        alert["annotations"] = json!({ "summary": format!("{number} {}", "long ".repeat(60)) });
        alert
    };
    let alerts: Vec<Value> = (0..200).map(one).collect();
    let all = payload(&alerts, &json!({}));
    for (template, language, border) in [
        (render::DEFAULT_MESSAGE, Language::En, "Labels:"),
        (render::ZH_MESSAGE, Language::Zh, "▶"),
        (render::MARKDOWN_MESSAGE, Language::Zh, "**"),
    ] {
        let Sent { parts } = sent(template, &all, language);
        let text = parts.concat();
        assert_eq!(parts.len(), 5, "{template}");
        for number in [49, 99, 149, 199] {
            assert!(
                text.contains(&format!("web-{number:03}")),
                "{template}: web-{number:03} is not in {text}"
            );
        }
        assert!(!text.contains("web-000"), "{template}: {text}");
        let starts: Vec<&str> = parts.iter().skip(1).map(|part| part.lines().nth(1).unwrap()).collect();
        assert!(starts.iter().all(|start| start.starts_with(border)), "{template}: {starts:?}");
        let last = text.lines().last().unwrap();
        let counts = last.contains("100 resolved") || last.contains("恢复 100");
        assert!(counts && !last.contains("critical") && !last.contains("严重"), "{template}: {last}");
    }
}

#[test]
fn no_part_ends_in_a_heading() {
    let one = |number: usize| {
        let mut alert = alert("firing", &json!({ "alertname": "Many", "pod": format!("web-{number}") }));
        alert["annotations"] = json!({ "summary": "s ".repeat(700) });
        alert
    };
    for count in 2..13 {
        let alerts: Vec<Value> = (0..count).map(one).collect();
        let Sent { parts } = sent(render::DEFAULT_MESSAGE, &payload(&alerts, &json!({})), Language::En);
        let ends: Vec<&str> = parts.iter().map(|part| part.trim_end().lines().last().unwrap()).collect();
        assert!(
            ends.iter().all(|end| !end.ends_with(':') && !end.starts_with(" - pod")),
            "{count}: {ends:?}"
        );
    }
}

#[test]
fn the_default_text_says_what_alertmanager_left_out() {
    let one = alert("firing", &json!({ "alertname": "Storm" }));
    let text = |more: &Value| {
        sent(render::DEFAULT_MESSAGE, &payload(std::slice::from_ref(&one), more), Language::En).to_string()
    };
    assert!(text(&json!({ "truncatedAlerts": 98 })).ends_with(
        "\n… 98 more alerts are not listed, because of max_alerts in Alertmanager; they may be firing"
    ));
    assert!(text(&json!({ "truncatedAlerts": 0 })).ends_with("/#/alerts?receiver=wechat"));
    let grafana = text(&json!({ "version": "1", "externalURL": "https://grafana.example.com/" }));
    assert!(grafana.ends_with("\nGrafanaUrl:\nhttps://grafana.example.com/alerting/list"), "{grafana}");
    assert!(!text(&json!({ "externalURL": "" })).contains("/#/"));
}

#[test]
fn a_link_that_is_too_long_is_left_out() {
    let alerts: Vec<Value> =
        (0..40).map(|number| alert("firing", &json!({ "alertname": "Down", "instance": number }))).collect();
    let long = "x".repeat(2000);
    for (more, link) in [
        (json!({ "receiver": long }), Some("http://am.example.com/#/alerts)")),
        (json!({ "externalURL": format!("http://am.example.com/{long}") }), None),
    ] {
        let sent = sent(render::MARKDOWN_MESSAGE, &payload(&alerts, &more), Language::En);
        let text = sent.to_string();
        assert!(!text.contains("xxx"), "{text}");
        assert!(link.is_none_or(|link| text.contains(link)), "{text}");
    }
}
