//! From a payload to text, in this process and on one thread.

use std::{hint::black_box, time::Duration};

use serde_json::Value;
use tokio::time::Instant;
use wecom_relay::{
    alertmanager,
    render::{DEFAULT_MESSAGE, DEFAULT_SUMMARY, RenderTime, Templates},
};

use crate::{
    payload,
    report::Report,
    samples::{Samples, rate},
    setup::Setup,
    table::{Table, count, ratio},
};

/// The default message in plain Tera, without what makes it Alertmanager's byte for byte.
const PLAIN: &str = "[{{ status }}] {% for name, value in groupLabels %}{{ value }} {% endfor %}
{% for alert in alerts %}Labels:
{% for name, value in alert.labels %} - {{ name }} = {{ value }}
{% endfor %}Annotations:
{% for name, value in alert.annotations %} - {{ name }} = {{ value }}
{% endfor %}Source: {{ alert.generatorURL }}
{% endfor %}{{ externalURL }}";
const STEPS: [&str; 5] = ["plain", "parse", "context", "message", "summary"];

pub(crate) fn run(setup: &Setup) -> Report {
    let templates = Templates::compile(&[]).unwrap();
    let mut plain = tera::Tera::new();
    plain.autoescape_on(Vec::<&str>::new());
    plain.add_raw_template("plain", PLAIN).unwrap();

    let mut report = Report::default();
    let mut table = Table::new(
        "render: built-in templates, one thread, a second",
        ["alerts", "plain Tera", "parse", "context", "message", "summary", "context+message/plain Tera"],
    );
    for alerts in [1, 50, 500] {
        let body = payload::payload(0, alerts);
        let payload = alertmanager::parse(body.as_bytes()).unwrap();
        let value: Value = serde_json::from_str(&body).unwrap();
        let rendering = templates.with(&payload, &moment());
        let mut rates: [Samples; 5] = Default::default();
        for _ in 0..setup.rounds() {
            let steps: [&dyn Fn() -> usize; 5] = [
                &|| {
                    let context = tera::Context::from_serialize(&value).unwrap();
                    plain.render("plain", &context).unwrap().len()
                },
                &|| alertmanager::parse(body.as_bytes()).unwrap().alerts.len(),
                &|| {
                    black_box(templates.with(&payload, &moment()));
                    alerts
                },
                &|| rendering.render(DEFAULT_MESSAGE).unwrap().len(),
                &|| rendering.render(DEFAULT_SUMMARY).unwrap().len(),
            ];
            for (rates, step) in rates.iter_mut().zip(steps) {
                rates.push(repeat(setup.time() / 10, step));
            }
        }
        for (step, rates) in STEPS.iter().zip(&rates) {
            report.samples(format!("render/{alerts}/{step}/per_s"), rates);
        }
        let [plain, _, context, message, _] = &rates;
        let whole = context.with(message, |context, message| 1.0 / (1.0 / context + 1.0 / message));
        let of_plain = whole.ratio_to(plain);
        let [plain, parse, context, message, summary] = rates.map(|rates| count(rates.median()));
        table.row([alerts.to_string(), plain, parse, context, message, summary, ratio(of_plain)]);
        report.figure(format!("render/{alerts}/ratio"), of_plain);
    }
    table
        .note("plain Tera: a like text, its context made by serde; context: the payload as templates see it");
    report.tables.push(table);
    report
}

/// How often a second `step` can be done.
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

/// The present of what is rendered; the same for every round.
pub(crate) fn moment() -> RenderTime {
    RenderTime { now: jiff::Timestamp::UNIX_EPOCH, zone: None }
}
