//! Odd payloads are delivered: a body that a program wrote by hand, of another sender, or compressed.

use std::{fs, io::Write, path::Path};

use axum::{body::Body, http::Request};
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use proptest::{prelude::*, sample::Index};
use reqwest::Method;
use serde_json::{Value, json};
use wecom_relay::telemetry::{self, LogFormat};

use super::{direct::Direct, for_receiver, receivers};
use crate::support::{
    Relay, Wecom,
    log::{Written, log_to},
    redacted,
};

/// Sends `bodies` to a receiver with the Chinese or the default message, and returns what its member reads.
async fn read_by_member(message: &str, bodies: impl IntoIterator<Item = Vec<u8>>) -> Vec<String> {
    let wecom = Wecom::start().await;
    let options = receivers(&format!(
        "  - {{ name: wechat, to_user: zhangsan, message: '{{% include \"{message}\" %}}' }}\n"
    ));
    let relay = Relay::with(&wecom.url, options).await;
    let mut count = 0;
    for body in bodies {
        let (status, text) = relay.request(Method::POST, "/webhook/wechat", body.clone()).await;
        assert_eq!(status, 200, "{}: {text}", String::from_utf8_lossy(&body));
        count += 1;
    }
    relay.settled(count).await;
    relay.stop().await;
    wecom.sandbox.delivered_to("zhangsan").into_iter().map(|seen| seen.text.to_string()).collect()
}

fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut body = for_receiver("wechat");
    body["alerts"][0]["annotations"]["summary"] = json!("it is down");
    change(&mut body);
    body.to_string().into_bytes()
}

#[tokio::test]
async fn an_odd_status_or_time_does_not_hide_an_alert() {
    for status in [json!(null), json!("alerting"), json!("FIRING"), json!({ "state": "active" }), json!(7)] {
        let body = changed(|body| {
            body["alerts"][0]["status"] = status.clone();
            body["alerts"][0]["startsAt"] = json!(1_795_248_000);
        });
        let chinese = &read_by_member("wechat.zh.message", [body.clone()]).await[0];
        assert!(
            chinese.contains("it is down") && chinese.contains("2026-11-21 08:00:00"),
            "{status}: {chinese}"
        );
        let default = &read_by_member("wechat.default.message", [body]).await[0];
        assert!(
            default.starts_with("[FIRING:1] Down") && default.contains("it is down"),
            "{status}: {default}"
        );
    }
}

#[tokio::test]
async fn events_without_a_start_are_not_duplicates() {
    let event = |number: u8, starts_at: Value| {
        changed(|body| {
            body["alerts"][0]["annotations"]["summary"] = json!(format!("order {number} failed"));
            body["alerts"][0]["startsAt"] = starts_at;
        })
    };
    for start in [json!(null), json!(""), json!("0001-01-01T00:00:00Z"), json!(0), json!("N/A")] {
        let bodies: Vec<Vec<u8>> = (1..=3).map(|number| event(number, start.clone())).collect();
        let texts = read_by_member("wechat.zh.message", bodies).await.join("\n");
        assert!((1..=3).all(|number| texts.contains(&format!("order {number} failed"))), "{start}: {texts}");
    }
    let direct = Direct::roomy();
    let post = async |value: f64| {
        let mut body: Value = serde_json::from_slice(&event(1, json!(null))).unwrap();
        body["alerts"][0]["values"] = json!({ "B": value });
        direct.post(body.to_string()).await.1
    };
    assert!(post(1.0).await.starts_with("accepted"));
    assert!(post(1.0).await.starts_with("duplicate"));
    assert!(post(1.5).await.starts_with("accepted"));
}

#[tokio::test]
async fn a_payload_without_alerts_is_shown_or_ignored() {
    let body = changed(|body| {
        body["alerts"] = json!([]);
        body["title"] = json!("[Alerting] Down");
        body["commonAnnotations"]["summary"] = json!("the pipeline says hello");
    });
    let texts = read_by_member("wechat.zh.message", [body]).await;
    assert!(texts[0].contains("Down") && texts[0].contains("the pipeline says hello"), "{texts:?}");
    let direct = Direct::roomy();
    let nothing = json!({ "receiver": "wechat", "status": "firing", "alerts": null }).to_string();
    let expected = "nothing to send to receiver wechat: the payload has no alerts, no labels and no text\n";
    assert_eq!(direct.post(nothing).await, (200, expected.to_owned()));
}

#[tokio::test]
async fn legacy_alerts_of_grafana_are_delivered() {
    let body = |state: &str| {
        let body = json!({ "evalMatches": [{ "value": 93.2, "metric": "web-1", "tags": null }], "state": state,
            "message": "CPU is high", "orgId": 1, "ruleId": 11, "ruleName": "CPU", "title": "[Alerting] CPU",
            "ruleUrl": "http://grafana.example.com/d/x?panelId=2", "tags": {} });
        body.to_string().into_bytes()
    };
    let texts = read_by_member("wechat.zh.message", [body("alerting"), body("ok")]).await;
    assert_eq!(texts.len(), 2);
    assert!(texts.iter().all(|text| text.contains("CPU is high")), "{texts:?}");
    let texts = read_by_member("wechat.default.message", [body("no_data"), body("ok")]).await;
    assert!(texts[0].starts_with("[FIRING:1] CPU") && texts[0].contains("no_data"), "{texts:?}");
    assert!(texts[1].starts_with("[RESOLVED] CPU"), "{texts:?}");
}

#[tokio::test]
async fn control_characters_do_not_reach_wecom() {
    let body = changed(|body| {
        body["alerts"][0]["annotations"]["summary"] =
            json!("\u{1b}[31mdisk\u{1b}[0m is\u{7}full\n\tnow\u{7f}");
    });
    for message in ["wechat.zh.message", "wechat.default.message"] {
        let texts = read_by_member(message, [body.clone()]).await;
        assert!(texts[0].contains("disk is\u{fffd}full\n\tnow\u{fffd}"), "{texts:?}");
    }
    let wecom = Wecom::start().await;
    let message = r#""a\e[31m{{ status }}\e[0m\a""#;
    let options = receivers(&format!("  - {{ name: wechat, to_user: zhangsan, message: {message} }}\n"));
    let relay = Relay::with(&wecom.url, options).await;
    relay.post(&for_receiver("wechat")).await;
    let seen = wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    assert_eq!(&*seen[0].text, "afiring\u{fffd}");
    relay.stop().await;
}

#[tokio::test(start_paused = true)]
async fn repairs_are_counted_and_logged_once_per_interval() {
    let direct = Direct::roomy();
    let written = Written::default();
    let writer = written.clone();
    let lines = telemetry::lines(LogFormat::Text, "wecom_relay=info", false, move || writer.clone());
    let guard = log_to(lines.unwrap());
    let mut body = for_receiver("wechat");
    body["alerts"][0]["status"] = json!("alerting");
    for order in 1..=2 {
        body["alerts"][0]["labels"]["order"] = json!(order);
        assert_eq!(direct.post(body.to_string()).await.0, 200);
    }
    drop(guard);
    let (_, metrics) = direct.get("/metrics").await;
    for (kind, count) in [("status", 2), ("type", 2), ("encoding", 0)] {
        let line = format!("wecom_relay_payload_repairs_total{{kind=\"{kind}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
    let log = redacted(&written.text());
    let repaired: Vec<&str> = log.lines().filter(|line| line.contains("repaired")).collect();
    insta::assert_snapshot!(repaired.join("\n"), @r#"TIME  WARN odd values of a payload were repaired; fix its sender receiver=wechat repairs="type, status" suppressed=0"#);
}

/// Posts a body with this `Content-Encoding`.
async fn post_encoded(direct: &Direct, encoding: &str, body: Vec<u8>) -> (u16, String) {
    let request = Request::post("/webhook").header("content-encoding", encoding);
    direct.ask(request.body(Body::from(body)).unwrap()).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn compressed_bodies_are_unpacked() {
    let direct = Direct::roomy();
    let body = changed(|_| {});
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&body).unwrap();
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
    deflate.write_all(&body).unwrap();
    let (front, back) = body.split_at(100);
    for (encoding, packed) in [
        ("gzip", gzip(&body)),
        ("x-gzip", gzip(&body)),
        ("identity", gzip(&body)),
        ("GZIP", [gzip(front), gzip(back)].concat()),
        ("gzip", body.clone()),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", deflate.finish().unwrap()),
        ("br", body.clone()),
    ] {
        let (status, text) = post_encoded(&direct, encoding, packed).await;
        assert_eq!(status, 200, "{encoding}: {text}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_unpacked_is_refused() {
    let direct = Direct::roomy();
    let mut damaged = gzip(&changed(|_| {}));
    damaged[40] ^= 0xFF;
    let bomb = gzip(&vec![b' '; 40 << 20]);
    let mut texts = String::new();
    for (encoding, packed, expected) in [
        ("gzip", damaged, 400),
        ("gzip", bomb, 413),
        ("zstd", b"\x28\xb5\x2f\xfd\x00".to_vec(), 415),
        ("br", b"\x1b\x0e\x01".to_vec(), 415),
    ] {
        let (status, text) = post_encoded(&direct, encoding, packed).await;
        assert_eq!(status, expected, "{text}");
        texts += &text;
    }
    insta::assert_snapshot!(texts, @r"
    the compressed body is damaged
    the body is larger than 32 MiB; set max_alerts in Alertmanager's webhook_configs
    the body is compressed with zstd; send it with gzip, deflate or uncompressed
    the body is compressed with br; send it with gzip, deflate or uncompressed
    ");
}

/// A retry may bring the whole body.
#[tokio::test]
async fn a_compressed_body_that_is_cut_off_may_be_sent_again() {
    let direct = Direct::roomy();
    let packed = gzip(&changed(|_| {}));
    for length in [3, 12, packed.len() / 2, packed.len() - 6] {
        let (status, text) = post_encoded(&direct, "gzip", packed[..length].to_vec()).await;
        assert_eq!(status, 503, "{text}");
        assert!(text.contains("the compressed data end early"), "{text}");
    }
}

/// The recorded bodies of Alertmanager, except very large ones.
fn recorded() -> Vec<Vec<u8>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/alertmanager");
    let folders =
        ["pairs", "pairs_zh"].into_iter().flat_map(|folder| fs::read_dir(data.join(folder)).unwrap());
    let mut bodies: Vec<Vec<u8>> =
        folders.map(|pair| fs::read(pair.unwrap().path().join("webhook.json")).unwrap()).collect();
    bodies.retain(|body| body.len() < 20_000);
    bodies.sort();
    assert!(bodies.len() > 10);
    bodies
}

/// Appends the JSON pointer of each value in `value`, which is at `path`.
fn add_pointers(value: &Value, path: &str, pointers: &mut Vec<String>) {
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    let children: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (escaped(name), field)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        let path = format!("{path}/{name}");
        add_pointers(child, &path, pointers);
        pointers.push(path);
    }
}

/// JSON that is at a wrong place, or not quite JSON.
fn odd_json() -> impl Strategy<Value = String> {
    let words = [
        "null",
        "true",
        "0",
        "-1",
        "1.50",
        "1e999",
        "12345678901234567890123",
        "\"\"",
        "\"x\"",
        "\"\\ud83d\"",
        "\"\\u0000\\u001b[31m\"",
        "\"a\tb\"",
        "\"C:\\d\"",
        "[]",
        "{}",
        "[null]",
        "[[\"a\",1],\"b=c\"]",
        "{\"a\":{\"b\":[1,]}}",
        "NaN",
        "-Infinity",
        "None",
        "007",
        "\"firing\"",
        "\"ok\"",
        "\"1795248000\"",
    ];
    prop_oneof![
        proptest::sample::select(words.map(str::to_owned).to_vec()),
        any::<String>().prop_map(|text| json!(text).to_string()),
        any::<f64>().prop_map(|number| json!(number).to_string()),
    ]
}

/// A recorded body with other values in some of its fields.
fn with_odd_values() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<Index>(), odd_json()), 1..4);
    (any::<Index>(), changes).prop_map(|(body, changes)| {
        let mut body: Value = serde_json::from_slice(body.get::<Vec<u8>>(&recorded())).unwrap();
        let mut replaced = Vec::new();
        for (number, (at, json)) in changes.into_iter().enumerate() {
            let mut pointers = Vec::new();
            add_pointers(&body, "", &mut pointers);
            let placeholder = format!("placeholder {number}");
            *body.pointer_mut(at.get::<String>(&pointers)).unwrap() = json!(placeholder);
            replaced.push((json!(placeholder).to_string(), json));
        }
        let text = replaced.into_iter().fold(body.to_string(), |text, (from, to)| text.replace(&from, &to));
        text.into_bytes()
    })
}

/// A recorded body with other bytes at some places.
fn with_odd_bytes() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..6),
        proptest::sample::select(vec!["\"", "\\", "{", "}", "[", "]", ",", ":", "\\u", "\u{1b}[", "//", "e"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let changes = prop::collection::vec((any::<Index>(), 0..8usize, bytes), 1..5);
    (any::<Index>(), changes).prop_map(|(body, changes)| {
        let mut body = body.get::<Vec<u8>>(&recorded()).clone();
        for (at, removed, bytes) in changes {
            let at = at.index(body.len() + 1);
            let end = (at + removed).min(body.len());
            body.splice(at..end, bytes);
        }
        body
    })
}

/// Posts `bodies`, and returns each answer with its body.
fn answers(bodies: Vec<Vec<u8>>) -> Vec<(u16, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let direct = Direct::roomy();
        let mut answers = Vec::new();
        for body in bodies {
            let shown = String::from_utf8_lossy(&body).into_owned();
            let request = Request::post("/webhook/wechat").body(Body::from(body)).unwrap();
            let (status, text) = direct.ask(request).await;
            answers.push((status, format!("{text} {shown}")));
        }
        answers
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn odd_values_are_never_refused(bodies in prop::collection::vec(with_odd_values(), 1..8)) {
        for (status, text) in answers(bodies) {
            prop_assert_eq!(status, 200, "{}", text);
        }
    }

    #[test]
    fn odd_bytes_are_accepted_or_refused(bodies in prop::collection::vec(with_odd_bytes(), 1..8)) {
        for (status, text) in answers(bodies) {
            prop_assert!(matches!(status, 200 | 400), "{status} {text}");
        }
    }
}
