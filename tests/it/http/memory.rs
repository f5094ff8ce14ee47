//! Memory stays within `server.max_memory` for bodies of hostile shapes, and free memory is given back.

use std::{fmt::Write as _, fs, io::Write as _};

use reqwest::{Client, header::CONTENT_ENCODING};
use serde_json::json;
use tokio::task::JoinSet;
use wecom_relay::http::{MAX_BODY_BYTES, OTHER_MEMORY};

use crate::support::{Options, Process, config_file, eventually, payload};

/// The least that the configuration accepts, so that the limit is reached.
const LIMIT: usize = 256 << 20;
/// The memory of a relay that has nothing to do.
const IDLE: usize = 64 << 20;
const RECEIVERS: [&str; 4] = ["text", "own", "markdown", "card"];
const AT_ONCE: usize = 8;

/// The size of the bodies. A debug build would take minutes for the largest ones.
fn body_bytes() -> usize {
    let kibibytes = std::env::var("WECOM_RELAY_BODY_KIB").ok().and_then(|text| text.parse::<usize>().ok());
    kibibytes.unwrap_or(64) << 10
}

fn options() -> Options {
    let receivers = "  - { name: text, to_user: zhangsan }\n  - { name: own, to_user: zhangsan, message: '{{ alerts | length }} \
        {{ x | default(value=1) }} {% for alert in alerts %}{{ alert.labels }}{% endfor %}' }\n  \
        - { name: markdown, to_user: zhangsan, message_type: markdown }\n  \
        - { name: card, to_user: zhangsan, message_type: textcard, max_parts: 20 }\n";
    let server = format!(", max_memory: {LIMIT}");
    Options { receivers: receivers.to_owned(), server, ..Options::default() }
}

/// A figure of /proc/PID/status, in bytes.
fn figure(relay: &Process, name: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", relay.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
}

fn reset_peak(relay: &Process) {
    fs::write(format!("/proc/{}/clear_refs", relay.pid()), "5").unwrap();
}

async fn post(client: Client, url: String, body: Vec<u8>) -> u16 {
    let mut request = client.post(url);
    if body.starts_with(&[0x1F, 0x8B]) {
        request = request.header(CONTENT_ENCODING, "gzip");
    }
    request.body(body).send().await.unwrap().status().as_u16()
}

/// A payload with `more` as further fields, and `alert` as the fields of its alert.
fn with_fields(alert: &str, more: &str) -> Vec<u8> {
    format!(r#"{{"status":"firing","alerts":[{{"status":"firing"{alert}}}]{more}}}"#).into_bytes()
}

/// `item` repeated up to `bytes`, without a comma at the end.
fn repeated(item: &str, bytes: usize) -> String {
    let mut text = format!("{item},").repeat(bytes / (item.len() + 1));
    text.pop();
    text
}

/// A name and a body for each shape.
fn shapes(bytes: usize) -> Vec<(&'static str, Vec<u8>)> {
    let text = |c: &str| c.repeat(bytes / c.len());
    let numbered = |item: &dyn Fn(usize) -> String| {
        let mut list = String::new();
        let mut number = 0;
        while list.len() < bytes {
            _ = write!(list, "{},", item(number));
            number += 1;
        }
        list.pop();
        list
    };
    let nested = |open: &str, close: &str, depth: usize| {
        repeated(&format!("{}1{}", open.repeat(depth), close.repeat(depth)), bytes)
    };
    let usual = numbered(&|number| {
        let mut alert = payload("Down", &[(&format!("web-{number}"), true)])["alerts"][0].clone();
        alert["annotations"] =
            json!({ "summary": "the instance does not answer", "runbook": "https://x.example" });
        alert.to_string()
    });
    let alerts = |alerts: String| format!(r#"{{"status":"firing","alerts":[{alerts}]}}"#).into_bytes();
    let zip = |body: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(body).unwrap();
        gzip.finish().unwrap()
    };
    let labels =
        |item: &dyn Fn(usize) -> String| with_fields(&format!(r#","labels":{{{}}}"#, numbered(item)), "");
    vec![
        ("usual alerts", alerts(usual.clone())),
        ("usual alerts, compressed", zip(&alerts(usual))),
        ("nested arrays", with_fields("", &format!(r#","x":[{}]"#, nested("[", "]", 100)))),
        ("nested objects", with_fields("", &format!(r#","x":[{}]"#, nested(r#"{"a":"#, "}", 100)))),
        ("nested arrays of one alert", with_fields(&format!(r#","x":[{}]"#, nested("[", "]", 10)), "")),
        (
            "one very deep array",
            with_fields("", &format!(r#","x":{}1{}"#, "[".repeat(bytes / 2), "]".repeat(bytes / 2))),
        ),
        ("empty alerts", alerts(repeated("{}", bytes))),
        ("alerts of one label", alerts(numbered(&|number| format!(r#"{{"labels":{{"a":"{number}"}}}}"#)))),
        ("alerts that are numbers", alerts(repeated("1", bytes))),
        ("a long annotation", with_fields(&format!(r#","annotations":{{"summary":"{}"}}"#, text("x")), "")),
        (
            "a long text of brackets",
            with_fields(&format!(r#","annotations":{{"summary":"{}"}}"#, text("[{:,")), ""),
        ),
        ("a long group key", with_fields("", &format!(r#","groupKey":"{}""#, text("k")))),
        ("a long receiver", with_fields("", &format!(r#","receiver":"{}""#, text("r")))),
        ("a long address", with_fields("", &format!(r#","externalURL":"http://{}""#, text("u")))),
        ("a long fingerprint", with_fields(&format!(r#","fingerprint":"{}""#, text("f")), "")),
        ("many labels", labels(&|number| format!(r#""l{number}":"""#))),
        ("one label many times", labels(&|number| format!(r#""a":"{number}""#))),
        (
            "many unknown fields",
            with_fields("", &format!(",{}", numbered(&|number| format!(r#""x{number}":1"#)))),
        ),
        (
            "short texts in an unknown field",
            with_fields("", &format!(r#","x":[{}]"#, repeated(r#""a""#, bytes))),
        ),
        ("a long number", with_fields(&format!(r#","labels":{{"a":{}}}"#, text("9")), "")),
        ("escapes", with_fields(&format!(r#","labels":{{"a":"{}"}}"#, text(r"\u00e9")), "")),
        (
            "halves of surrogate pairs",
            with_fields(&format!(r#","labels":{{"a":"{}"}}"#, text(r"\ud800")), ""),
        ),
        ("control characters", with_fields(&format!(r#","labels":{{"a":"{}"}}"#, text("\u{1}")), "")),
        ("bytes that are not UTF-8", {
            let mut body = with_fields(&format!(r#","labels":{{"a":"{}"}}"#, text("\u{1}")), "");
            body.iter_mut().filter(|byte| **byte == 1).for_each(|byte| *byte = 0xFF);
            body
        }),
        (
            "a gzip bomb",
            zip(&with_fields(&format!(r#","labels":{{"a":"{}"}}"#, "a".repeat(MAX_BODY_BYTES)), "")),
        ),
        ("no JSON", text("x").into_bytes()),
        (
            "a body that ends early",
            format!(r#"{{"alerts":[{}"#, repeated(r#"{"labels":{"a":"b"}}"#, bytes)).into_bytes(),
        ),
    ]
}

async fn is_idle_again(relay: &Process, name: &str) {
    // Without the pages of the program file, which are many in a debug build.
    let resident = async || (figure(relay, "RssAnon"), name.to_owned());
    eventually(resident, |(resident, _)| *resident <= IDLE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bodies_take_no_more_than_the_limit() {
    let (_folder, config) = config_file("http://127.0.0.1:9", &options());
    let relay = Process::start(&config).await;
    let (mut report, mut is_within) = (String::new(), true);
    for (name, body) in shapes(body_bytes()) {
        let post_to = |number: usize| {
            let url = format!("{}/webhook/{}", relay.url, RECEIVERS[number % RECEIVERS.len()]);
            post(relay.client.clone(), url, body.clone())
        };
        reset_peak(&relay);
        let mut statuses = Vec::new();
        for number in 0..RECEIVERS.len() {
            statuses.push(post_to(number).await);
        }
        let alone = figure(&relay, "VmHWM");
        is_idle_again(&relay, name).await;

        reset_peak(&relay);
        let at_once = (0..AT_ONCE).map(post_to).collect::<JoinSet<u16>>().join_all().await;
        let together = figure(&relay, "VmHWM");
        is_idle_again(&relay, name).await;
        let rest = figure(&relay, "RssAnon");

        is_within &= alone.max(together) <= LIMIT + OTHER_MEMORY
            && statuses.iter().all(|status| [200, 400, 413].contains(status))
            && at_once.iter().all(|status| [200, 400, 413, 503].contains(status));
        _ = writeln!(
            report,
            "{name}: {} KiB, alone {} MiB {statuses:?}, together {} MiB {at_once:?}, then {} MiB",
            body.len() >> 10,
            alone >> 20,
            together >> 20,
            rest >> 20
        );
    }
    assert!(is_within, "{report}");
}

/// A template that takes longer than its time limit, so that its thread keeps the payload.
const SLOW: &str = "{% for a in range(end=3000) %}{% for b in range(end=3000) %}{% endfor %}{% endfor %}{{ alerts | length }}";

/// Each receiver needs a payload of its own while the templates of the others still run.
#[tokio::test(flavor = "multi_thread")]
async fn several_receivers_take_no_more_than_the_limit() {
    let mut receivers =
        "  - { name: wechat, to_user: zhangsan, also: [slow1, slow2, slow3, card] }\n".to_owned();
    for name in ["slow1", "slow2", "slow3"] {
        _ = writeln!(receivers, "  - {{ name: {name}, to_user: zhangsan, message: '{SLOW}' }}");
    }
    receivers.push_str("  - { name: card, to_user: zhangsan, message_type: textcard, max_parts: 20 }\n");
    let (_folder, config) = config_file("http://127.0.0.1:9", &Options { receivers, ..options() });
    let relay = Process::start(&config).await;
    let (mut report, mut is_within) = (String::new(), true);
    let large = ["usual alerts", "nested objects", "many labels", "a gzip bomb"];
    for (name, body) in shapes(body_bytes()).into_iter().filter(|(name, _)| large.contains(name)) {
        reset_peak(&relay);
        let post = |_| post(relay.client.clone(), format!("{}/webhook/wechat", relay.url), body.clone());
        let statuses = (0..AT_ONCE).map(post).collect::<JoinSet<u16>>().join_all().await;
        let peak = figure(&relay, "VmHWM");
        is_within &=
            peak <= LIMIT + OTHER_MEMORY && statuses.iter().all(|status| [200, 413, 503].contains(status));
        _ = writeln!(report, "{name}: {} MiB {statuses:?}", peak >> 20);
    }
    assert!(is_within, "{report}");
}
