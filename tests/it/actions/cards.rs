//! The interactive cards that intake makes.

use std::path::Path;

use serde_json::{Value, json};
use wecom_relay::{
    alertmanager::PayloadMemory,
    app::{PrepareOptions, Prepared},
    config,
    intake::{Parsed, RenderedNotification},
    outbox::NewNotification,
    render::samples::{FIRING, RESOLVED},
    wecom::{Content, Otherwise},
};

use crate::callback::{KEY, TOKEN};

/// Renders a payload for a receiver with these recipients and further keys.
fn rendered(to_user: &str, keys: &str, payload: &str, second: i64) -> RenderedNotification {
    let yaml = format!(
        "server: {{ listen: 127.0.0.1:0 }}
timezone: Asia/Shanghai
alertmanager: {{ url: 'http://127.0.0.1:9093' }}
apps:
  - {{ name: ops, corp_id: ww1234567890abcdef, agent_id: 1, api_secret: s, callback: {{ token: {TOKEN}, encoding_aes_key: {KEY} }} }}
receivers:
  - {{ name: wechat, to_user: {to_user}, message_type: template_card, {keys} }}
"
    );
    let config = config::parse(&yaml, Path::new("config.yml"), &|_| None);
    let config = config.unwrap_or_else(|problems| panic!("{problems}")).config;
    let prepared = Prepared::new(config, PrepareOptions::default()).unwrap();
    let now = jiff::Timestamp::from_second(1_795_253_322 + second).unwrap();
    let parsed = prepared.intake.parse(Some("wechat"), payload.as_bytes(), PayloadMemory::UNLIMITED, now);
    let Parsed::Webhook(webhook) = parsed.unwrap() else { panic!("nothing to send") };
    prepared.intake.render(&webhook)
}

/// The notification of a payload, which no template spoils.
fn notification(keys: &str, payload: &str) -> NewNotification {
    let RenderedNotification { notification, failures, .. } = rendered("zhangsan", keys, payload, 0);
    assert_eq!(failures, []);
    notification
}

fn card(content: &Content) -> Value {
    let json = content.as_card_update().map(|update| update.template_card.json().to_owned());
    serde_json::from_str(&json.unwrap_or_else(|| content.text().to_owned())).unwrap()
}

#[test]
fn a_payload_without_a_url_keeps_its_buttons() {
    let mut payload: Value = serde_json::from_str(FIRING).unwrap();
    payload["externalURL"] = json!("");
    let content = &notification("actions: {}", &payload.to_string()).deliveries[0].content;
    let card = card(content);
    assert_eq!(card["card_type"], "button_interaction");
    assert_eq!(card.get("card_action"), None);
    let keys: Vec<&Value> =
        card["button_list"].as_array().unwrap().iter().map(|button| &button["key"]).collect();
    assert_eq!(keys, ["silence:3600", "silence:14400", "until:09:00", "ack"]);
}

#[test]
fn a_firing_alert_is_a_card_with_buttons_in_the_receivers_language() {
    let firing = notification("language: zh, actions: {}", FIRING);
    assert_eq!(firing.deliveries.len(), 1);
    let content = &firing.deliveries[0].content;
    let card = card(content);
    assert_eq!(content.msgtype(), "template_card");
    assert_eq!(card["card_type"], "button_interaction");
    assert_eq!(card["task_id"].as_str().unwrap().len(), 32);
    assert_eq!(card["card_action"]["type"], 1);
    let url = &card["card_action"]["url"];
    let button =
        |text: &str, style: u8, key: &str| json!({ "type": 0, "text": text, "style": style, "key": key });
    assert_eq!(
        card["button_list"],
        json!([
            button("静默 1 小时", 2, "silence:3600"),
            button("静默 4 小时", 2, "silence:14400"),
            button("静默至 9:00", 2, "until:09:00"),
            button("认领", 1, "ack"),
            { "type": 1, "text": "查看告警", "style": 3, "url": url },
        ])
    );
    let payload: Value = serde_json::from_str(FIRING).unwrap();
    assert_eq!(json!(firing.card.unwrap().0), payload["groupLabels"]);
    assert!(firing.text_form.is_some());
}

#[test]
fn a_resolved_group_changes_its_cards_or_is_a_text() {
    let resolved = notification("actions: {}", RESOLVED);
    let content = &resolved.deliveries[0].content;
    let update = content.as_card_update().unwrap();
    assert_eq!((update.response_code, update.otherwise), (None, Otherwise::Text));
    let card = card(content);
    assert_eq!(card["replace_text"], "Resolved");
    assert!(card["main_title"]["title"].as_str().unwrap().starts_with("[RESOLVED:1]"), "{card}");
    assert_eq!((resolved.card, content.task_id()), (None, None));
    assert!(resolved.text_form.unwrap().contains("RESOLVED"));
}

#[test]
fn a_repeated_group_changes_its_cards_if_the_operator_chose_so() {
    let firing = notification("actions: { repeats: update }", FIRING);
    let content = &firing.deliveries[0].content;
    let update = content.as_card_update().unwrap();
    assert_eq!((update.response_code, update.otherwise), (None, Otherwise::Card));
    assert!(content.task_id().is_some() && firing.card.is_some());
}

fn task_ids(rendered: &RenderedNotification) -> Vec<String> {
    let deliveries = &rendered.notification.deliveries;
    deliveries.iter().map(|delivery| delivery.content.task_id().unwrap()).collect()
}

#[test]
fn task_ids_differ_between_webhooks_and_between_batches() {
    let users: Vec<_> = (0..1500).map(|number| format!("user{number}")).collect();
    let to_user = users.join("|");
    let first = task_ids(&rendered(&to_user, "actions: {}", FIRING, 0));
    assert_eq!(first.len(), 2);
    assert_eq!(first[1], format!("{}-1", first[0]));
    assert_eq!(first, task_ids(&rendered(&to_user, "actions: {}", FIRING, 0)));
    assert_ne!(first, task_ids(&rendered(&to_user, "actions: {}", FIRING, 1)));
}

#[test]
fn a_button_without_a_usable_link_is_left_out() {
    let keys = |url: &str| {
        format!("actions: {{ buttons: [{{ acknowledge: true }}, {{ text: Runbook, url: '{url}' }}] }}")
    };
    let shown = |url: &str| {
        let RenderedNotification { notification, failures, .. } = rendered("zhangsan", &keys(url), FIRING, 0);
        let buttons = card(&notification.deliveries[0].content)["button_list"].as_array().unwrap().len();
        (buttons, failures.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(shown("https://wiki.example.com/{{ status }}"), (2, Vec::new()));
    assert_eq!(shown(r#"{{ commonLabels.nothing | default(value="") }}"#), (1, Vec::new()));
    let (buttons, failures) = shown("javascript:alert(1)");
    assert_eq!(buttons, 1);
    assert_eq!(
        failures,
        ["the url of the button \"Runbook\" is not http or https, and the button is left out"]
    );
}
