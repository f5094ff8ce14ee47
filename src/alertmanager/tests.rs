use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Alert, Pairs, Payload, PayloadError, PayloadMemory, Repair, unquote};
use crate::metrics::REPAIR_KINDS;

fn parse(body: &[u8]) -> Result<Payload, PayloadError> {
    super::parse_within(
        body,
        PayloadMemory { values: 64 << 20, texts: 64 << 20 },
        "2026-11-21T09:30:00Z".parse::<Timestamp>().unwrap(),
    )
}

fn payload(json: &str) -> Payload {
    parse(json.as_bytes()).unwrap()
}

/// The repairs of a body, which is accepted.
fn repairs(json: &str) -> String {
    payload(json).repairs.to_string()
}

/// The labels of the first alert.
fn labels(json: &str) -> Vec<(String, String)> {
    first_alert(&payload(json)).labels.clone().into_tuple_vec()
}

/// The body of a usual webhook with one firing alert, after `change`.
fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut body = json!({
        "receiver": "r", "status": "firing",
        "alerts": [{"status": "firing", "labels": {"alertname": "Down"}, "annotations": {"summary": "it is down"},
            "startsAt": "2026-11-21T08:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "1"}],
        "groupLabels": {"alertname": "Down"}, "commonLabels": {"alertname": "Down"}, "commonAnnotations": {},
        "externalURL": "http://am", "version": "4", "groupKey": "{}", "truncatedAlerts": 0,
    });
    change(&mut body);
    body.to_string()
}

fn first_alert(payload: &Payload) -> &Alert {
    payload.alerts.first().unwrap()
}

fn refusal(body: impl AsRef<[u8]>) -> String {
    parse(body.as_ref()).unwrap_err().to_string()
}

fn alert(status: &str, labels: &[(&str, &str)]) -> Alert {
    let labels = labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Alert { status: status.to_owned(), labels, ..Alert::default() }
}

#[test]
fn fields_that_grafana_adds_are_kept() {
    let payload = payload(
        r#"{"receiver":"r","status":"firing","orgId":1,"title":"t","state":"alerting","version":"1","alerts":[
            {"status":"firing","labels":{"a":"b"},"annotations":{},"values":null,"silenceURL":"s","panelURL":""}],
            "groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"u","truncatedAlerts":0}"#,
    );
    assert_eq!(payload.version, "1");
    assert_eq!(payload.extra.get("orgId").unwrap(), 1);
    let extra = &first_alert(&payload).extra;
    assert_eq!(extra.get("silenceURL").unwrap(), "s");
    assert!(extra.get("values").unwrap().is_null());
}

#[test]
fn missing_and_null_fields_are_empty() {
    let payload = payload(
        r#"{"alerts":[{"labels":null,"annotations":{"a":null},"startsAt":null}],"commonLabels":null,
            "truncatedAlerts":null,"receiver":null}"#,
    );
    let alert = first_alert(&payload);
    assert_eq!(alert.annotations.get("a").unwrap(), "");
    assert!(alert.labels.is_empty() && payload.common_labels.is_empty());
    assert_eq!((payload.truncated_alerts, payload.receiver.as_str()), (0, ""));
    assert!(parse(br#"{"alerts":null}"#).unwrap().alerts.is_empty());
}

#[test]
fn numbers_and_lists_become_text_with_all_digits() {
    let body = r#"{"version":4,"alerts":[{"labels":{"a":1,"b":-2,"c":1.50,"d":true,"e":[1,"x"],"f":{"g":null},
        "h":12345678901234567890123,"i":1e999}}]}"#;
    let values: Vec<String> = labels(body).into_iter().map(|(_, value)| value).collect();
    assert_eq!(
        values,
        ["1", "-2", "1.50", "true", r#"[1,"x"]"#, r#"{"g":null}"#, "12345678901234567890123", "1e999"]
    );
    assert_eq!(payload(body).version, "4");
    assert_eq!(repairs(body), "type, status");
}

#[test]
fn labels_may_be_a_list_of_pairs_or_a_text() {
    for (labels_json, expected) in [
        (r#"[{"name":"a","value":"1"},{"key":"b","value":2},{"c":"3","d":"4"},null]"#, "a=1 b=2 c=3 d=4"),
        (r#"[["a","1"],"b = 2","c",[1]]"#, "a=1 b=2 labels=[1]"),
        (r#""a=1,b=2""#, "labels=a=1,b=2"),
        ("7", "labels=7"),
        ("null", ""),
        (r#"{"a":"1","a":"2"}"#, "a=2"),
    ] {
        let body =
            format!(r#"{{"status":"firing","alerts":[{{"status":"firing","labels":{labels_json}}}]}}"#);
        let pairs: Vec<String> =
            labels(&body).iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(pairs.join(" "), expected, "{labels_json}");
    }
}

#[test]
fn control_characters_are_left_out() {
    let body = "{\"groupKey\":\"a\\u0000b\",\"x\\u0000\":[\"\\u0000\"],\"status\":\"firing\",\"alerts\":[{\"status\":\
        \"firing\",\"labels\":{\"a\":\"\\\\u0000\",\"b\":\"\\n\\u0000\\u001b[31mred\\u001b[0m\",\"\\u0007\":\"\u{9b}1mx\"}}]}";
    let payload = payload(body);
    assert_eq!(payload.group_key, "a\u{fffd}b");
    assert_eq!(payload.extra.get("x\u{fffd}").unwrap()[0], "\u{fffd}");
    let expected = [("a", r"\u0000"), ("b", "\n\u{fffd}red"), ("\u{fffd}", "x")]
        .map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(labels(body), expected);
    assert_eq!(payload.repairs.to_string(), "control_character");
}

#[test]
fn invalid_bytes_and_syntax_are_repaired() {
    let body = changed(|_| {}).replace("it is down", "it is down \\ud83d");
    for (body, expected, repairs) in [
        (body.clone().into_bytes(), "it is down \u{fffd}", "encoding"),
        (body.replace("\\ud83d", "\t磁盘").into_bytes(), "it is down \t磁盘", "syntax"),
        (body.replace(" \\ud83d\"}", "\",}").into_bytes(), "it is down", "syntax"),
        (format!("\u{feff}{}", changed(|_| {})).into_bytes(), "it is down", "encoding"),
        (changed(|_| {}).encode_utf16().flat_map(u16::to_le_bytes).collect(), "it is down", "encoding"),
        (body.replace("\"it is down \\ud83d\"", "NaN").into_bytes(), "NaN", "syntax"),
        (body.replace("\\ud83d", "\u{1b}[0m").into_bytes(), "it is down ", "syntax, control_character"),
        (
            body.into_bytes().into_iter().map(|byte| if byte == b'\\' { 0xb4 } else { byte }).collect(),
            "it is down \u{fffd}ud83d",
            "encoding",
        ),
    ] {
        let payload = parse(&body).unwrap();
        let shown = first_alert(&payload).annotations.get("summary").unwrap();
        assert_eq!((shown.as_str(), payload.repairs.to_string().as_str()), (expected, repairs));
    }
}

#[test]
fn every_alert_is_firing_or_resolved() {
    let statuses = |payload_status: Value, alert_status: Value, ends_at: &str| {
        let payload = payload(&changed(|body| {
            body["status"] = payload_status;
            body["alerts"][0]["status"] = alert_status;
            body["alerts"][0]["endsAt"] = ends_at.into();
        }));
        let word = first_alert(&payload).annotations.get("status").cloned().unwrap_or_default();
        format!("{} {} {word}", payload.status, first_alert(&payload).status)
    };
    let (zero, past, future) = ("0001-01-01T00:00:00Z", "2026-11-21T09:00:00Z", "2026-11-21T09:40:00Z");
    for (payload_status, alert_status, ends_at, expected) in [
        (json!("firing"), json!(null), zero, "firing firing "),
        (json!("resolved"), json!(""), zero, "resolved resolved "),
        (json!("firing"), json!(null), past, "firing firing "),
        (json!(null), json!(null), past, "resolved resolved "),
        (json!(null), json!(null), future, "firing firing "),
        (json!(null), json!(null), "soon", "firing firing "),
        (json!("FIRING"), json!("Resolved "), zero, "resolved resolved "),
        (json!("alerting"), json!("alerting"), zero, "firing firing alerting"),
        (json!("ok"), json!("ok"), zero, "resolved resolved ok"),
        (json!("firing"), json!("Suppressed"), zero, "firing firing Suppressed"),
        (json!("firing"), json!({"state": "active", "silencedBy": []}), zero, "firing firing active"),
        (json!({}), json!({"a": 1}), zero, "firing firing "),
        (json!(1), json!(false), zero, "firing firing false"),
        (json!("firing"), json!("已恢复"), zero, "firing resolved 已恢复"),
    ] {
        let shown = format!("{payload_status} {alert_status} {ends_at}");
        assert_eq!(statuses(payload_status, alert_status, ends_at), expected, "{shown}");
    }
}

#[test]
fn anything_among_the_alerts_is_shown_or_ignored() {
    let texts_and_repairs = |alerts: &str| {
        let payload = payload(&format!(r#"{{"status":"firing","alerts":{alerts}}}"#));
        let texts =
            payload.alerts.iter().map(|alert| alert.annotations.get("message").cloned().unwrap_or_default());
        (texts.collect::<Vec<_>>().join(","), payload.repairs.to_string())
    };
    for (alerts, texts, repairs) in [
        (r#"[null,{"status":"firing"}]"#, "", "alert"),
        (r#"["disk full",7]"#, "disk full,7", "type, status, alert"),
        (r#""disk full""#, "disk full", "status, alert"),
        (r#"{"status":"firing","annotations":{"message":"one"}}"#, "one", "alert"),
        ("null", "", ""),
        ("[]", "", ""),
    ] {
        assert_eq!(texts_and_repairs(alerts), (texts.to_owned(), repairs.to_owned()), "{alerts}");
    }
}

#[test]
fn a_field_that_is_there_twice_loses_nothing() {
    let body = r#"{"status":"firing","receiver":"a","receiver":"b",
        "alerts":[{"status":"firing","labels":{"a":"1"},"labels":{"b":"2"}}],"alerts":[{"status":"firing"}]}"#;
    let payload = payload(body);
    assert_eq!((payload.receiver.as_str(), payload.alerts.len()), ("b", 2));
    assert_eq!(first_alert(&payload).labels.len(), 2);
    assert_eq!(payload.repairs.to_string(), "repeated_field");
}

#[test]
fn truncated_alerts_may_be_any_value() {
    for (json, count) in [
        ("3", 3),
        ("\"3\"", 3),
        ("3.0", 3),
        ("-1", 0),
        ("true", 0),
        ("\"many\"", 0),
        ("null", 0),
        ("[]", 0),
        ("1e999", u64::MAX),
        ("99999999999999999999999", u64::MAX),
    ] {
        let body = format!(r#"{{"alerts":[{{"status":"firing"}}],"truncatedAlerts":{json}}}"#);
        assert_eq!(payload(&body).truncated_alerts, count, "{json}");
    }
}

#[test]
fn times_in_other_formats_become_rfc_3339() {
    let body = changed(|body| body["alerts"][0]["startsAt"] = json!(1_795_248_000));
    assert_eq!(first_alert(&payload(&body)).starts_at, "2026-11-21T08:00:00Z");
    assert_eq!(repairs(&body), "time");
    let body = changed(|body| body["alerts"][0]["startsAt"] = json!("1795248000123"));
    assert_eq!(first_alert(&payload(&body)).starts_at, "2026-11-21T08:00:00.123Z");
    for odd in [json!([1]), json!({}), json!(true), json!("yesterday"), json!(1e300), json!(-1)] {
        assert!(
            parse(changed(|body| body["alerts"][0]["startsAt"] = odd.clone()).as_bytes()).is_ok(),
            "{odd}"
        );
    }
}

#[test]
fn a_payload_without_alerts_shows_its_labels_and_texts() {
    let body = r#"{"status":"firing","alerts":[],"groupLabels":{"a":"1"},"commonLabels":{"b":"2"},
        "commonAnnotations":{"summary":"s"},"title":"t","message":" "}"#;
    let shown = payload(body);
    let alert = first_alert(&shown);
    assert!(alert.is_firing() && shown.alerts.len() == 1);
    assert_eq!(alert.labels.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(alert.annotations.keys().collect::<Vec<_>>(), ["summary", "title"]);
    assert!(payload(r#"{"alerts":[],"status":"firing","title":""}"#).alerts.is_empty());
}

#[test]
fn common_labels_that_are_missing_are_computed() {
    let payload = payload(
        r#"{"status":"firing","alerts":[{"status":"firing","labels":{"a":"1","b":"2"},"annotations":{"s":"x"}},
            {"status":"firing","labels":{"a":"1","b":"3"},"annotations":{"s":"x"}}]}"#,
    );
    assert_eq!(payload.common_labels.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(payload.common_annotations.keys().collect::<Vec<_>>(), ["s"]);
}

#[test]
fn legacy_grafana_fires_and_resolves_one_group() {
    let body = |state: &str| {
        let body = json!({"dashboardId": 7, "evalMatches": [{"value": 93.2, "metric": "web-1", "tags": null}],
            "message": "CPU is high", "orgId": 1, "panelId": 2, "ruleId": 11, "ruleName": "CPU",
            "ruleUrl": "http://grafana.example.com/sub/d/x?panelId=2", "state": state, "tags": {"team": "ops"},
            "title": "[Alerting] CPU"});
        payload(&body.to_string())
    };
    let (firing, resolved) = (body("alerting"), body("ok"));
    assert_eq!((firing.status.as_str(), resolved.status.as_str()), ("firing", "resolved"));
    assert_eq!(firing.group_key, resolved.group_key);
    let alert = first_alert(&firing);
    assert_eq!(
        format!("{:?}", alert.labels.iter().collect::<Vec<_>>()),
        r#"[("alertname", "CPU"), ("team", "ops")]"#
    );
    assert_eq!(
        format!("{:?}", alert.annotations.iter().collect::<Vec<_>>()),
        r#"[("message", "CPU is high"), ("values", "web-1 = 93.2")]"#
    );
    assert_eq!(firing.external_url, "http://grafana.example.com/sub");
    assert!(firing.repairs.is_empty());
    let paused = body("paused");
    assert!(first_alert(&paused).is_firing());
    assert_eq!(first_alert(&paused).annotations.get("state").unwrap(), "paused");
}

#[test]
fn unknown_fields_are_kept_unless_large_or_deep() {
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let body = format!(
        r#"{{"alerts":[{{"status":"firing","x":{{"y":[1.50,12345678901234567890123,1e999]}}}}],"status":"firing",
        "deep":{deep},"wide":[{}0]}}"#,
        "[],".repeat(1 << 20)
    );
    let payload = payload(&body);
    assert_eq!(
        first_alert(&payload).extra.get("x").unwrap().to_string(),
        r#"{"y":[1.5,"12345678901234567890123","1e999"]}"#
    );
    assert!(payload.extra.is_empty());
    assert_eq!(payload.repairs.to_string(), "too_much");
}

#[test]
fn alerts_that_exceed_the_memory_are_counted() {
    let body =
        format!(r#"{{"status":"firing","alerts":[{}{{}}],"truncatedAlerts":1}}"#, "{},".repeat(699_999));
    let payload = payload(&body);
    assert!(payload.alerts.len() < 100_000);
    assert_eq!(payload.alerts.len() as u64 + payload.truncated_alerts, 700_001);
    assert_eq!(payload.repairs.to_string(), "status, too_much");
    let labels = (0..1_000_000).map(|n| format!("\"l{n}\":\"\"")).collect::<Vec<_>>().join(",");
    let body = format!(r#"{{"alerts":[{{"labels":{{{labels}}}}}]}}"#);
    assert_eq!(first_alert(&parse(body.as_bytes()).unwrap()).labels.len(), 10_000);
}

#[test]
fn the_metric_has_every_kind_of_repair() {
    assert_eq!(Repair::ALL.map(Repair::name), REPAIR_KINDS);
}

#[test]
fn an_error_says_what_the_body_looks_like() {
    let refusals = [
        refusal(""),
        refusal(" \n"),
        refusal(b"\x1f\x8b\x08\x00"),
        refusal("status=firing"),
        refusal("payload=%7B%22alerts%22%3A%5B%5D%7D"),
        refusal("status: firing\nalerts: []"),
        refusal("---\nstatus: firing"),
        refusal("--------------------------4f\r\nContent-Disposition: form-data; name=\"f\""),
        refusal("<!DOCTYPE html><html>"),
        refusal("<xml><alert/></xml>"),
        refusal("{'status': 'firing', 'alerts': []}"),
        refusal("Down!"),
        refusal("{\"alerts\":[}"),
        refusal(r#"{"status":"firing","alerts":[{"stat"#),
        refusal("[".repeat(100_000)),
        refusal(r#"[{"labels":{"a":"b"},"startsAt":"2026-11-21T09:17:15Z"}]"#),
        refusal("[1]"),
        refusal("null"),
        refusal(r#"{"msgtype":"text","text":{"content":"hi"}}"#),
        refusal(r#"{"a":1,"b":[]}"#),
        refusal("{}"),
        refusal(r#"{"labels":{"alertname":"Down"},"annotations":{}}"#),
        refusal(r#"{"status":"success","data":[{"labels":{"alertname":"Down"}}]}"#),
        refusal(r#"{"attachments":[{"text":"down"}]}"#),
        refusal("true"),
        refusal("1e999"),
    ];
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    the body is empty: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is empty: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is not UTF-8: byte 1 is invalid; is the body compressed? send it as plain JSON or with gzip
    the body is form data, not JSON: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is form data, not JSON: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is YAML, not JSON: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is YAML, not JSON: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is a form with files, not JSON: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is an HTML page, not JSON: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is XML, not JSON: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is a Python dictionary, not JSON: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is not JSON: expected value at line 1 column 1
    the body is not JSON: expected value at line 1 column 12
    the JSON ends before it is complete, at line 1, column 35: was the body cut off?
    the JSON ends before it is complete, at line 1, column 100000: was the body cut off?
    this looks like the body of Alertmanager's own /api/v2/alerts, to which Prometheus pushes: point Prometheus at Alertmanager, and `webhook_configs` of Alertmanager at this relay
    the body is a JSON array, not Alertmanager's webhook payload, a JSON object with `alerts`
    the body is `null`, not Alertmanager's webhook payload, a JSON object with `alerts`
    this looks like a message for a group robot of WeCom, DingTalk or Feishu: this relay takes Alertmanager's webhook payload and writes the message itself
    the JSON object has no `alerts`, so it is not Alertmanager's webhook payload (it has "a", "b"): is a custom payload configured?
    the JSON object has no `alerts`, so it is not Alertmanager's webhook payload (it has no fields): is a custom payload configured?
    this looks like a single alert: send Alertmanager's webhook payload, a JSON object with a list `alerts`
    this looks like an answer of Alertmanager's or Prometheus' API: send Alertmanager's webhook payload, a JSON object with `alerts`
    this looks like a message for Slack: this relay takes Alertmanager's webhook payload; use a receiver with `webhook_configs`
    the body is a JSON boolean, not Alertmanager's webhook payload, a JSON object with `alerts`
    the body is a number, not Alertmanager's webhook payload, a JSON object with `alerts`
    "#);
}

#[test]
fn an_error_is_one_line_and_escapes_field_names() {
    let refusal = refusal(r#"{"a\n\u001b[2J\u202e":1}"#);
    assert!(refusal.contains(r#"(it has "a\n\u{1b}[2J\u{202e}")"#), "{refusal}");
}

#[test]
fn a_receiver_name_quoted_by_go_is_unquoted() {
    assert_eq!(unquote(r"db\.oncall \(prod\)"), "db.oncall (prod)");
    assert_eq!(unquote(r"\\a\+\*\?\[x\]\^\$\|\{y\}"), r"\a+*?[x]^$|{y}");
    assert_eq!(unquote(r"not\quoted\"), r"not\quoted\");
}

#[test]
fn common_labels_are_computed_without_resolved_alerts() {
    let payload = Payload {
        status: "firing".to_owned(),
        alerts: vec![
            alert("resolved", &[("a", "1"), ("b", "2")]),
            alert("firing", &[("a", "1"), ("b", "1"), ("c", "3")]),
            alert("firing", &[("a", "1"), ("b", "1"), ("c", "4")]),
        ],
        common_labels: Pairs::from_iter([("a".to_owned(), "1".to_owned())]),
        ..Payload::default()
    };
    let left = payload.without_resolved().unwrap();
    assert_eq!(left.alerts.len(), 2);
    assert_eq!(left.common_labels.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(left.status, "firing");
}

#[test]
fn nothing_is_left_of_a_resolved_group_unless_truncated() {
    let resolved =
        Payload { status: "resolved".to_owned(), alerts: vec![alert("resolved", &[])], ..Payload::default() };
    assert_eq!(resolved.clone().without_resolved(), None);
    let truncated = Payload { truncated_alerts: 3, ..resolved };
    assert_eq!(truncated.clone().without_resolved(), Some(truncated));
}

#[test]
fn the_severity_is_the_worst_of_the_firing_alerts() {
    let severity =
        |alerts: Vec<Alert>| Payload { alerts, ..Payload::default() }.severity().map(str::to_owned);
    let one = |status, severity| alert(status, &[("severity", severity)]);
    let mixed = vec![one("resolved", "critical"), one("firing", "info"), one("firing", "Warning")];
    assert_eq!(severity(mixed).as_deref(), Some("Warning"));
    assert_eq!(severity(vec![one("resolved", "critical")]).as_deref(), Some("critical"));
    let unknown = vec![one("firing", "b"), one("firing", "c"), one("firing", "c"), one("firing", "a")];
    assert_eq!(severity(unknown).as_deref(), Some("c"));
    assert_eq!(severity(vec![one("firing", "b"), one("firing", "a")]).as_deref(), Some("a"));
    assert_eq!(severity(vec![alert("firing", &[])]), None);
}

/// Every field of a usual payload.
const FIELDS: [&str; 20] = [
    "/receiver",
    "/status",
    "/alerts",
    "/alerts/0",
    "/alerts/0/status",
    "/alerts/0/labels",
    "/alerts/0/labels/alertname",
    "/alerts/0/annotations",
    "/alerts/0/annotations/summary",
    "/alerts/0/startsAt",
    "/alerts/0/endsAt",
    "/alerts/0/generatorURL",
    "/alerts/0/fingerprint",
    "/groupLabels",
    "/commonLabels",
    "/commonAnnotations",
    "/externalURL",
    "/version",
    "/groupKey",
    "/truncatedAlerts",
];

/// Any JSON value.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9T:+ -]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{0,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn parsing_any_bytes_does_not_panic(body: Vec<u8>) {
        let _ = parse(&body);
    }

    #[test]
    fn any_value_of_a_field_is_accepted(value in values(), field in 0..FIELDS.len()) {
        let body = changed(|body| *body.pointer_mut(FIELDS[field]).unwrap() = value);
        let payload = parse(body.as_bytes());
        prop_assert!(payload.is_ok(), "{body}");
        for alert in payload.unwrap().alerts {
            prop_assert!(alert.is_firing() || alert.is_resolved());
        }
    }

    #[test]
    fn any_json_like_text_gives_an_error_with_a_text(body in r#"(\{"alerts":)?[\[\]{}",:a0-9\\ null]{0,60}"#) {
        if let Err(error) = parse(body.as_bytes()) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn a_very_long_text_is_cut_between_its_characters() {
    const MAX_TEXT: usize = 256 << 10;
    for (text, char, length) in
        [("x", "x", 1), ("\\n", "\n", 2), ("\\u00e9", "é", 6), ("\\ud83d\\ude00", "😀", 12), ("磁", "磁", 3)]
    {
        for shift in 0..length {
            let value = format!("{}{}", "y".repeat(shift), text.repeat(1 + MAX_TEXT / length));
            let json = format!(r#"{{"alerts":[{{"labels":{{"a":"{value}"}}}}]}}"#);
            let payload = payload(&json);
            assert_eq!(
                first_alert(&payload).labels.get("a").unwrap(),
                &("y".repeat(shift) + &char.repeat((MAX_TEXT - shift) / length)),
                "{text}"
            );
            assert!(payload.repairs.iter().any(|repair| repair == Repair::TooMuch));
        }
    }
}

#[test]
fn texts_share_the_memory_of_the_payload() {
    let alert = format!(r#"{{"status":"resolved","labels":{{"a":"{}"}}}}"#, "x".repeat(100));
    let body = format!(r#"{{"alerts":[{alert},{alert},{alert}]}}"#);
    let memory = PayloadMemory { values: usize::MAX, texts: 180 };
    let payload = super::parse_within(body.as_bytes(), memory, Timestamp::UNIX_EPOCH).unwrap();
    let lengths: Vec<usize> =
        payload.alerts.iter().map(|alert| alert.labels.get("a").unwrap().len()).collect();
    assert_eq!(lengths, [100, 180 - 100 - "a".len() - "resolved".len(), 0]);
    assert!(payload.alerts.iter().all(|alert| alert.status == "resolved"));
    assert!(payload.repairs.iter().any(|repair| repair == Repair::TooMuch));
}
