//! Row `render`: from a payload to a text, in this process and on one thread.

use std::{hint::black_box, time::Duration};

use serde_json::Value;
use tokio::time::Instant;
use wecom_relay::{
    alertmanager,
    language::Language,
    render::{DEFAULT_MESSAGE, DEFAULT_SUMMARY, RenderTime, Templates},
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
const STEPS: [&str; 4] = ["plain", "parse", "message", "summary"];

pub(crate) fn run(setup: &Setup) -> Report {
    let templates = Templates::compile(&[]).unwrap();
    let mut tera = tera::Tera::new();
    tera.autoescape_on(Vec::<&str>::new());
    tera.add_raw_template("plain", PLAIN).unwrap();

    let mut report = Report::default();
    let mut table = Table::new(
        "render: built-in templates, runs a second on one thread",
        ["alerts", "plain Tera", "parse", "message", "summary", "message/plain Tera"],
    );
    for alerts in [1, 50, 500] {
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
        let steps: [&dyn Fn() -> usize; 4] = [&plain, &parse, &message, &summary];
        let mut rates: [Samples; 4] = Default::default();
        for _ in 0..setup.rounds() {
            for (rates, step) in rates.iter_mut().zip(steps) {
                rates.push(repeat(setup.time() / 10, step));
            }
        }
        for (step, rates) in STEPS.iter().zip(&rates) {
            report.samples(format!("render/{alerts}/{step}/per_s"), rates);
        }
        let [plain, parse, message, summary] = &rates;
        let ratio_to_plain = message.ratio_to(plain);
        report.figure(format!("render/{alerts}/ratio"), ratio_to_plain);
        let [plain, parse, message, summary] =
            [plain, parse, message, summary].map(|rates| count(rates.median()));
        table.row([alerts.to_string(), plain, parse, message, summary, ratio(ratio_to_plain)]);
    }
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
