use proptest::prelude::*;

use super::{Alert, Pairs, Payload, parse, unquote};

fn payload(json: &str) -> Payload {
    parse(json.as_bytes()).unwrap()
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
fn other_values_become_text() {
    let payload = payload(
        r#"{"version":4,"alerts":[{"labels":{"a":1,"b":-2,"c":1.5,"d":true,"e":[1,"x"],"f":{"g":null}}}]}"#,
    );
    let values: Vec<&str> = first_alert(&payload).labels.values().map(String::as_str).collect();
    assert_eq!(values, ["1", "-2", "1.5", "true", r#"[1,"x"]"#, r#"{"g":null}"#]);
    assert_eq!(payload.version, "4");
}

#[test]
fn u_0000_is_replaced_by_u_fffd() {
    let payload = payload(
        r#"{"groupKey":"a\u0000b","x\u0000":["\u0000"],"alerts":[{"labels":{"a":"\\u0000","b":"\n\u0000\u0000"}}]}"#,
    );
    assert_eq!(payload.group_key, "a\u{fffd}b");
    assert_eq!(payload.extra.get("x\u{fffd}").unwrap()[0], "\u{fffd}");
    let values: Vec<&str> = first_alert(&payload).labels.values().map(String::as_str).collect();
    assert_eq!(values, [r"\u0000", "\n\u{fffd}\u{fffd}"]);
}

#[test]
fn an_error_says_what_the_body_looks_like() {
    let deep = format!(r#"{{"alerts":{}1{}}}"#, "[".repeat(300), "]".repeat(300));
    let refusals = [
        refusal(""),
        refusal(" \n"),
        refusal(b"\x1f\x8b\x08\x00"),
        refusal("status=firing"),
        refusal(r#"{"status":"firing","alerts":[{"stat"#),
        refusal(deep),
        refusal(r#"[{"labels":{"a":"b"},"startsAt":"2026-11-21T09:17:15Z"}]"#),
        refusal("[1]"),
        refusal("null"),
        refusal(r#"{"msgtype":"text","text":{"content":"hi"}}"#),
        refusal(r#"{"a":1,"b":[]}"#),
        refusal("{}"),
        refusal(r#"{"alerts":[{"labels":"x"}]}"#),
        refusal(r#"{"alerts":{}}"#),
    ];
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    the body is empty: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is empty: send Alertmanager's webhook payload, a JSON object with `alerts`
    the body is not UTF-8: byte 1 is invalid; is the body compressed?
    the body is not JSON: expected value at line 1 column 1
    the JSON ends before it is complete, at line 1, column 35: was the body cut off?
    the JSON is nested too deeply: more than 127 levels
    this looks like the body of Alertmanager's own /api/v2/alerts, to which Prometheus pushes: point Prometheus at Alertmanager, and `webhook_configs` of Alertmanager at this relay
    the body is a JSON array, not Alertmanager's webhook payload, a JSON object with `alerts`
    the body is `null`, not Alertmanager's webhook payload, a JSON object with `alerts`
    this looks like a message for a WeCom group robot: this relay takes Alertmanager's webhook payload and writes the message itself
    the JSON object has no `alerts`, so it is not Alertmanager's webhook payload (it has "a", "b"): is a custom payload configured?
    the JSON object has no `alerts`, so it is not Alertmanager's webhook payload (it has no fields): is a custom payload configured?
    not Alertmanager's webhook payload: invalid type: string "x", expected an object with texts at line 1 column 24
    not Alertmanager's webhook payload: invalid type: map, expected a sequence at line 1 column 10
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
        common_labels: Pairs::from([("a".to_owned(), "1".to_owned())]),
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

proptest! {
    #[test]
    fn parsing_any_bytes_does_not_panic(body: Vec<u8>) {
        let _ = parse(&body);
    }

    #[test]
    fn any_json_like_text_gives_an_error_with_a_text(body in r#"(\{"alerts":)?[\[\]{}",:a0-9\\ null]{0,60}"#) {
        if let Err(error) = parse(body.as_bytes()) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
