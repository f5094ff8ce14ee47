//! The types of messages of a robot.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;
use wecom_relay::{
    app::Tuning,
    delivery::rate_limiter::Windows,
    outbox::State,
    sandbox::{Api, Fault, Limit, Settings},
};

use super::{GROUP, all_delivered, options, seen, shown};
use crate::support::{Options, Relay, Wecom, eventually, payload, short_delays};

/// A limit that no test reaches.
const UNLIMITED: Limit = Limit { messages: usize::MAX, window: Duration::from_secs(1) };

#[tokio::test]
async fn a_group_gets_an_alert_through_its_robot() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, options(&wecom, "")).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    let seen = shown(&wecom, 1).await;
    assert!(seen[0].starts_with("[FIRING:1] Down "), "{}", seen[0]);
    all_delivered(&relay, 1).await;
    relay.stop().await;
    assert_eq!(wecom.sandbox.gettoken_calls(), 0);
}

#[tokio::test]
async fn a_text_mentions_fixed_members_and_those_of_labels() {
    let wecom = Wecom::live(Settings::default()).await;
    let keys = "    mentioned_list: ['@all', '{{ commonLabels.owner }}', lisi]\n    \
                mentioned_mobile_list: '{{ commonLabels.phone }}'\n    max_parts: 3\n";
    let relay = Relay::with(&wecom.url, options(&wecom, keys)).await;
    let mut alert = payload("Down", &[("a", true)]);
    alert["commonLabels"]["owner"] = "zhangsan, @all, not/an/id".into();
    alert["commonLabels"]["phone"] = "13800138000".into();
    alert["commonAnnotations"]["long"] = "x".repeat(3000).into();
    relay.post(&alert).await;
    shown(&wecom, 2).await;
    let contents: Vec<_> =
        wecom.sandbox.delivered_to_group(GROUP).into_iter().map(|shown| shown.content).collect();
    assert_eq!(contents[0]["mentioned_list"], json!(["@all", "lisi", "zhangsan"]));
    assert_eq!(contents[0]["mentioned_mobile_list"], json!(["13800138000"]));
    // One mention is enough.
    assert_eq!(contents[1].get("mentioned_list"), None);
    all_delivered(&relay, 2).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_label_mentions_nobody_by_itself() {
    let wecom = Wecom::live(Settings::default()).await;
    let keys = "    mentioned_list: ['{{ commonLabels.owner | default(value=\"\") }}']\n";
    let relay = Relay::with(&wecom.url, options(&wecom, keys)).await;
    let mut alert = payload("Down", &[("a", true)]);
    alert["commonLabels"]["owner"] = "@ALL".into();
    alert["commonAnnotations"]["text"] = "<@all> <<@ALL>> <@all<@all>>".into();
    relay.post(&alert).await;
    let texts = shown(&wecom, 1).await;
    let request = wecom.sandbox.messages()[0].request.to_string().to_lowercase();
    assert!(!request.contains("mentioned_list") && !request.contains("<@all>"), "{request}");
    assert!(texts[0].contains("@all"), "{}", texts[0]);
    relay.stop().await;
}

/// More alerts than a robot may send in a minute of a few seconds, so that the last ones are in digests.
#[tokio::test]
async fn a_digest_mentions_whom_its_notifications_mention() {
    const ALERTS: usize = 30;
    let windows = Windows { minute: Duration::from_secs(4), ..Windows::default() };
    for (keys, by_markup) in [
        ("    mentioned_list: ['{{ commonLabels.owner }}']\n", false),
        (
            "    message_type: markdown\n    message: '{{ alerts | length }} <@{{ commonLabels.owner }}>'\n",
            true,
        ),
    ] {
        let wecom = Wecom::live(Settings { robot_limit: UNLIMITED, ..Settings::default() }).await;
        let tuning = Tuning { windows, ..short_delays() };
        let relay = Relay::with(&wecom.url, Options { tuning, ..options(&wecom, keys) }).await;
        for number in 0..ALERTS {
            let mut alert = payload(&format!("Down{number}"), &[("a", true)]);
            alert["commonLabels"]["owner"] = format!("owner{number}").into();
            relay.post(&alert).await;
        }
        let open = [State::Ready, State::Queued, State::InFlight, State::Folded];
        eventually(async || relay.listed(&open).await, Vec::is_empty).await;
        relay.stop().await;
        let shown = wecom.sandbox.delivered_to_group(GROUP);
        let mentioned = |content: &serde_json::Value| -> Vec<String> {
            serde_json::from_value(content["mentioned_list"].clone()).unwrap_or_default()
        };
        let digests: Vec<_> = shown.iter().filter(|shown| shown.text.starts_with("[DIGEST]")).collect();
        assert!(!digests.is_empty(), "{shown:?}");
        let mut all: BTreeSet<String> = shown.iter().flat_map(|shown| mentioned(&shown.content)).collect();
        if by_markup {
            let owners =
                shown.iter().filter_map(|shown| Some(shown.text.split_once("<@")?.1.split_once('>')?.0));
            all.extend(owners.map(str::to_owned));
        }
        assert_eq!(all, (0..ALERTS).map(|number| format!("owner{number}")).collect());
        assert!(digests.iter().all(|digest| !mentioned(&digest.content).is_empty()));
    }
}

/// Firing alerts whose markdown has about 100 bytes each, and their instances.
fn many_alerts(count: usize) -> (serde_json::Value, Vec<String>) {
    let names: Vec<String> = (0..count).map(|n| format!("instance-{n:03}-{}", "x".repeat(60))).collect();
    let alerts: Vec<_> = names.iter().map(|name| (name.as_str(), true)).collect();
    (payload("Down", &alerts), names)
}

fn has_all(texts: &[String], names: &[String]) -> bool {
    let together = texts.concat();
    names.iter().all(|name| together.contains(name.as_str()))
}

#[tokio::test]
async fn markdown_of_a_robot_has_twice_the_room() {
    for message_type in ["markdown", "markdown_v2"] {
        for count in [20, 85] {
            let wecom = Wecom::live(Settings::default()).await;
            let keys = format!("    message_type: {message_type}\n    language: zh\n");
            let relay = Relay::with(&wecom.url, options(&wecom, &keys)).await;
            let (alert, names) = many_alerts(count);
            relay.post(&alert).await;
            let parts = relay.listed(&[]).await.len();
            assert_eq!(parts == 1, count == 20, "{parts}");
            let shown = shown(&wecom, parts).await;
            assert!(shown[0].len() > 2048 && shown.iter().all(|part| part.len() <= 4096), "{shown:?}");
            assert!(wecom.sandbox.messages().iter().all(|message| message.msgtype == message_type));
            assert!(has_all(&shown, &names), "{shown:?}");
            relay.stop().await;
        }
    }
}

#[tokio::test]
async fn refused_parts_of_markdown_are_whole_as_texts() {
    for message_type in ["markdown", "markdown_v2"] {
        let wecom = Wecom::live(Settings::default()).await;
        let keys = format!("    message_type: {message_type}\n");
        let relay = Relay::with(&wecom.url, options(&wecom, &keys)).await;
        wecom.sandbox.inject(Fault::errcode(40058).on(Api::WebhookSend).times(1));
        let (alert, names) = many_alerts(45);
        relay.post(&alert).await;
        let parts = relay.listed(&[]).await.len();
        assert!(parts > 1);
        let seen = shown(&wecom, parts).await;
        assert!(has_all(&seen, &names), "{seen:?}");
        let rejected = format!("[wecom-relay: WeCom rejected this as a {message_type}");
        assert!(seen[0].starts_with(&rejected), "{}", seen[0]);
        relay.stop().await;
    }
}

#[tokio::test]
async fn refused_markdown_is_sent_as_a_text() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, options(&wecom, "    message_type: markdown_v2\n")).await;
    wecom.sandbox.inject(Fault::errcode(40058).on(Api::WebhookSend).times(1));
    relay.post(&payload("Down", &[("a", true)])).await;
    let seen = shown(&wecom, 1).await;
    assert!(seen[0].starts_with("[wecom-relay: WeCom rejected this as a markdown_v2"), "{}", seen[0]);
    assert!(seen[0].contains("Alerts Firing:"), "{}", seen[0]);
    relay.stop().await;
}

#[tokio::test]
async fn a_card_of_a_robot_is_shorter() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, options(&wecom, "    message_type: template_card\n")).await;
    relay.post(&payload("AVeryLongNameOfAnAlertThatDoesNotFit", &[("a", true)])).await;
    shown(&wecom, 1).await;
    let card = &wecom.sandbox.delivered_to_group(GROUP)[0].content;
    let title = card["main_title"]["title"].as_str().unwrap();
    assert_eq!(title.chars().count(), 26, "{title}");
    assert_eq!(card["card_type"], "text_notice");
    relay.stop().await;
    assert_eq!(seen(&wecom).len(), 1);
}
