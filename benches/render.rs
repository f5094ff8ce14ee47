//! Row `render`: from a payload to a text, in this process and on one thread.

use std::{hint::black_box, time::Duration};

use serde_json::Value;
use tokio::time::Instant;
use wecom_relay::{
    alertmanager,
    language::Language,
    render::{self, DEFAULT_MESSAGE, DEFAULT_SUMMARY, RenderTime, Source, TemplateLanguage, Templates},
};

use crate::{
    payload,
    report::Report,
    samples::{Samples, rate},
    setup::Setup,
    table::{Table, count, ratio},
};

/// A similar message in plain Tera. serde makes its context.
const PLAIN: &str = "[{{ status }}] {% for name, value in groupLabels %}{{ value }} {% endfor %}
{% for alert in alerts %}Labels:
{% for name, value in alert.labels %} - {{ name }} = {{ value }}
{% endfor %}Annotations:
{% for name, value in alert.annotations %} - {{ name }} = {{ value }}
{% endfor %}Source: {{ alert.generatorURL }}
{% endfor %}{{ externalURL }}";
const STEPS: [&str; 5] = ["plain", "parse", "message", "summary", "go"];
/// The default message as a Go template.
const GO: &str = r#"{{ template "wechat.default.message" . }}"#;

pub(crate) fn run(setup: &Setup) -> Report {
    let templates = Templates::compile(&[]).unwrap();
    let go_name = render::receiver_template("go", "message");
    let go_source = Source {
        name: go_name.as_str().into(),
        origin: "bench".into(),
        text: GO.into(),
        language: TemplateLanguage::Go,
    };
    let go_templates = Templates::compile(&[go_source]).unwrap();
    let mut tera = tera::Tera::new();
    tera.autoescape_on(Vec::<&str>::new());
    tera.add_raw_template("plain", PLAIN).unwrap();

    let mut report = Report::default();
    let mut table = Table::new(
        "render: built-in templates, runs a second on one thread",
        ["alerts", "plain Tera", "parse", "message", "summary", "Go", "message/plain Tera", "Go/message"],
    );
    for alerts in [1, 50, 200, 500] {
        let body = payload::payload(0, alerts);
        let payload = alertmanager::parse(body.as_bytes(), fixed_time().now).unwrap();
        let value: Value = serde_json::from_str(&body).unwrap();
        let rendered = |template| templates.with(&payload, &fixed_time()).render(template).unwrap().len();
        let plain = || {
            let context = tera::Context::from_serialize(&value).unwrap();
            tera.render("plain", &context).unwrap().len()
        };
        let parse = || alertmanager::parse(body.as_bytes(), fixed_time().now).unwrap().alerts.len();
        let message = || rendered(DEFAULT_MESSAGE);
        let summary = || rendered(DEFAULT_SUMMARY);
        let go = || go_templates.with(&payload, &fixed_time()).render(&go_name).unwrap().len();
        let steps: [&dyn Fn() -> usize; 5] = [&plain, &parse, &message, &summary, &go];
        let mut rates: [Samples; 5] = Default::default();
        for _ in 0..setup.rounds() {
            for (rates, step) in rates.iter_mut().zip(steps) {
                rates.push(repeat(setup.time() / 10, step));
            }
        }
        for (step, rates) in STEPS.iter().zip(&rates) {
            report.samples(format!("render/{alerts}/{step}/per_s"), rates);
        }
        let [plain, parse, message, summary, go] = &rates;
        let ratio_to_plain = message.ratio_to(plain);
        let go_ratio = go.ratio_to(message);
        report.figure(format!("render/{alerts}/ratio"), ratio_to_plain);
        report.figure(format!("render/{alerts}/go_ratio"), go_ratio);
        let [plain, parse, message, summary, go] =
            [plain, parse, message, summary, go].map(|rates| count(rates.median()));
        let (to_plain, to_message) = (ratio(ratio_to_plain), ratio(go_ratio));
        table.row([alerts.to_string(), plain, parse, message, summary, go, to_plain, to_message]);
    }
    table.note("Go: the same message as a Go template, with the values for templates of both languages");
    table.note("message, summary: with the values that templates see; plain Tera: a similar message");
    report.tables.push(table);
    report
}

/// Runs `step` for `time`; returns the runs a second.
fn repeat(time: Duration, step: &dyn Fn() -> usize) -> f64 {
    let (began, mut done) = (Instant::now(), 0);
    while began.elapsed() < time {
        for _ in 0..8 {
            black_box(step());
        }
        done += 8;
    }
    rate(done, began.elapsed())
}

/// A fixed current time, so that every round renders the same text.
pub(crate) fn fixed_time() -> RenderTime {
    RenderTime { now: jiff::Timestamp::UNIX_EPOCH, zone: jiff::tz::TimeZone::UTC, language: Language::En }
}
