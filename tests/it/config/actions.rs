//! `alertmanager` and `receivers[].actions`: accepted values, errors and warnings.

use std::time::Duration;

use wecom_relay::{
    alertmanager::client::Credentials,
    config::Config,
    intake::{ButtonAction, ButtonEffect, Repeats},
};

use super::{load_in_folder, parse};

const CALLBACK: &str =
    "callback: { token: NotARealToken, encoding_aes_key: NotARealKeyNotARealKeyNotARealKeyNotARealKe }";
const ALERTMANAGER: &str = "alertmanager: { url: 'http://127.0.0.1:9093' }\n";

/// A configuration whose receiver has these further keys. `more` are top-level keys.
fn with(receiver: &str, more: &str) -> String {
    format!(
        "server: {{ listen: 127.0.0.1:8061 }}
timezone: Asia/Shanghai
apps:
  - {{ name: ops, corp_id: ww1234567890abcdef, agent_id: 1, api_secret: not-a-real-secret, {CALLBACK} }}
  - {{ name: mute, corp_id: ww1234567890abcdef, agent_id: 2, api_secret: not-a-real-secret }}
robots:
  - {{ name: team, key: not-a-real-key }}
{more}receivers:
  - {{ name: wechat, {receiver} }}
"
    )
}

/// A receiver with these actions, and an Alertmanager.
fn actions(actions: &str) -> String {
    let receiver = format!("app: ops, to_user: zhangsan, message_type: template_card, actions: {actions}");
    with(&receiver, ALERTMANAGER)
}

fn config(source: &str) -> Config {
    let loaded = parse(source).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings, []);
    loaded.config
}

fn keys(config: &Config) -> Vec<String> {
    let actions = config.receiver("wechat").unwrap().actions.clone().unwrap();
    let keys = actions.card.buttons.iter().map(|button| match &button.effect {
        ButtonEffect::Action(action) => action.to_string(),
        ButtonEffect::Link(url) => url.value.text.clone(),
    });
    keys.collect()
}

#[test]
fn empty_actions_are_the_built_in_buttons() {
    let config = config(&actions("{}"));
    assert_eq!(keys(&config), ["silence:3600", "silence:14400", "until:09:00", "ack", "{{ alerts_url() }}"]);
    let receiver = config.receiver("wechat").unwrap();
    assert!(receiver.default_templates);
    let actions = receiver.actions.clone().unwrap();
    assert_eq!(actions.card.repeats, Repeats::New);
    assert!(actions.allowed.users.is_empty() && actions.allowed.parties.is_empty());
}

#[test]
fn own_buttons_and_those_who_may_press_are_read() {
    let config = config(&actions(
        "{ buttons: [{ silence: 90m, text: 静默一会, style: 4 }, { silence_until: '18:30' }, { acknowledge: true }, \
         { url: 'https://{{ status }}.example.com', text: Runbook }], allow_user: [ZhangSan, lisi], \
         allow_party: 3 | 4, allow_tag: 7, repeats: update }",
    ));
    assert_eq!(keys(&config), ["silence:5400", "until:18:30", "ack", "https://{{ status }}.example.com"]);
    let receiver = config.receiver("wechat").unwrap();
    assert!(!receiver.default_templates);
    let actions = receiver.actions.clone().unwrap();
    let first = &actions.card.buttons[0];
    assert_eq!((first.text.as_deref(), first.style), (Some("静默一会"), Some(4)));
    assert_eq!(first.effect, ButtonEffect::Action(ButtonAction::Silence(Duration::from_secs(5400))));
    assert_eq!(actions.card.repeats, Repeats::Update);
    assert_eq!(actions.allowed.users, ["zhangsan", "lisi"]);
    assert_eq!((actions.allowed.parties, actions.allowed.tags), (vec![3, 4], vec![7]));
}

#[test]
fn mistakes_in_actions_say_what_would_be_right() {
    for (written, expected) in [
        (
            "{ buttons: [] }",
            "buttons: no button silences or acknowledges; add a button such as { silence: 1h }",
        ),
        (
            "{ buttons: [{ text: x }] }",
            "buttons[0]: this button does nothing; write exactly one of silence, ",
        ),
        (
            "{ buttons: [{ silence: 1h, acknowledge: true }] }",
            "buttons[0]: a button does one thing; write exactly one of ",
        ),
        ("{ buttons: [{ silence: 10s }] }", "buttons[0].silence: a silence lasts from 1m to 30d; "),
        (
            "{ buttons: [{ silence: 1 }] }",
            "buttons[0].silence: \"1\" is not a duration; write it with a unit",
        ),
        (
            "{ buttons: [{ silence_until: 9am }] }",
            "buttons[0].silence_until: \"9am\" is not a time of day; write hours and minutes in quotes, such as '09:00'",
        ),
        ("{ buttons: [{ acknowledge: false }] }", "buttons[0].acknowledge: this button does nothing; "),
        (
            "{ buttons: [{ acknowledge: true }, { url: 'https://a.example' }] }",
            "buttons[1]: a button with a url needs a text; add text: Runbook",
        ),
        (
            "{ buttons: [{ silence: 1h, text: Silence it now }] }",
            "buttons[0].text: \"Silence it now\" is longer than 10 characters; ",
        ),
        ("{ buttons: [{ silence: 1h, style: 5 }] }", "buttons[0].style: \"5\" is not a style; write 1 for "),
        (
            "{ buttons: [{ silence: 1h }, { silence: 60m }] }",
            "buttons[1]: another button does the same; list it once",
        ),
        ("{ allow_user: '' }", "allow_user: this names nobody; name those who may press"),
        ("{ allow_party: [] }", "allow_party: this names nobody; name those who may press"),
        ("{ allow_tag: }", "allow_tag: this names nobody; name those who may press"),
        (
            "{ allow_user: '@all' }",
            "allow_user: everybody who has the card may press if none of the three keys",
        ),
        ("{ allow_party: ops }", "allow_party: this has \"ops\", which is not an id"),
        ("{ repeats: never }", "repeats: \"never\" is not a way to repeat an alert; write new to send "),
        ("{ button: [] }", "receivers[0].actions.button: "),
    ] {
        let problem = parse(&actions(written)).unwrap_err().to_string();
        assert!(problem.contains(expected), "{written}: {problem}");
    }
}

#[test]
fn actions_need_a_card_an_app_a_callback_and_an_alertmanager() {
    let card = "message_type: template_card";
    for (receiver, more, expected) in [
        (
            "app: ops, to_user: u, actions: {}".to_owned(),
            ALERTMANAGER,
            "actions: only a template_card has actions; write message_type: template_card, or remove actions",
        ),
        (
            format!("robot: team, {card}, actions: {{}}"),
            ALERTMANAGER,
            "actions: a robot sends no cards with actions; remove actions, or use an app and ",
        ),
        (
            format!("app: mute, to_user: u, {card}, actions: {{}}"),
            ALERTMANAGER,
            "actions: WeCom reports presses only to an app with a callback, and mute has none; add callback with ",
        ),
        (
            format!("app: ops, to_user: u, {card}, actions: {{}}"),
            "",
            "actions.buttons: a button that silences needs an Alertmanager; add alertmanager: { url: 'http://127.0.0.1:9093' }",
        ),
        (
            format!("app: ops, to_user: u, {card}, actions: {{}}, template_card: {{ task_id: x }}"),
            ALERTMANAGER,
            "template_card.task_id: actions writes task_id; remove the key; actions.buttons has the buttons",
        ),
    ] {
        let problem = parse(&with(&receiver, more)).unwrap_err().to_string();
        assert!(problem.contains(expected), "{receiver}: {problem}");
    }
    let only_acknowledge =
        format!("app: ops, to_user: u, {card}, actions: {{ buttons: [{{ acknowledge: true }}] }}");
    assert_eq!(keys(&config(&with(&only_acknowledge, ""))), ["ack"]);
}

fn alertmanager(keys: &str) -> String {
    with("app: ops, to_user: zhangsan", &format!("alertmanager: {{ {keys} }}\n"))
}

#[test]
fn credentials_of_alertmanager_come_from_secret_files() {
    let keys = "url: 'https://am.example.com/prefix/', basic_auth: { username: relay, password_file: password }, timeout: 3s";
    let yaml = alertmanager(keys);
    let (_folder, loaded) = load_in_folder(&[("config.yml", &yaml), ("password", "not-a-real-password\n")]);
    let settings = loaded.unwrap().config.alertmanager.unwrap();
    assert_eq!(settings.url.to_string(), "https://am.example.com/prefix");
    assert_eq!(settings.timeout, Duration::from_secs(3));
    let Credentials::Basic { username, password } = settings.credentials else { panic!("no basic auth") };
    assert_eq!((username.as_str(), password.expose()), ("relay", "not-a-real-password"));
    let token = config(&alertmanager("url: 'http://127.0.0.1:9093', bearer_token_env: OPS_SECRET"));
    assert!(matches!(token.alertmanager.unwrap().credentials, Credentials::Bearer(_)));
}

#[test]
fn mistakes_about_alertmanager_say_what_would_be_right() {
    for (keys, expected) in [
        (
            "timeout: 5s",
            "alertmanager.url: this is missing; write the address of Alertmanager: http://127.0.0.1:9093",
        ),
        ("url: '127.0.0.1:9093'", "alertmanager.url: this is not"),
        (
            "url: 'http://u:S3cr3t@am'",
            "alertmanager.url: the user and the password belong into basic_auth: write it like ",
        ),
        (
            "url: 'http://127.0.0.1', bearer_token: S3cr3t, basic_auth: { username: u, password: S3cr3t }",
            "alertmanager.basic_auth: a request has one credential, and there are two; ",
        ),
        (
            "url: 'http://127.0.0.1', timeout: 5m",
            "alertmanager.timeout: a call needs a time limit between 1s and 30s",
        ),
        (
            "url: 'http://127.0.0.1', basic_auth: { username: u }",
            "alertmanager.basic_auth.password: the user has no password; ",
        ),
        ("url: 'http://127.0.0.1', ca_file: missing", "alertmanager.ca_file: "),
    ] {
        let problem = parse(&alertmanager(keys)).unwrap_err().to_string();
        assert!(problem.contains(expected) && !problem.contains("S3cr3t"), "{keys}: {problem}");
    }
}

#[test]
fn credentials_without_encryption_are_warned_of() {
    let loaded = parse(&alertmanager("url: 'http://am.example.com', bearer_token: S3cr3t")).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("alertmanager.url: the credentials go over the network unencrypted; use https")
    );
}

#[test]
fn too_many_buttons_are_reported_with_all_other_mistakes() {
    let many = "{ acknowledge: true }, ".repeat(6);
    let problems =
        parse(&actions(&format!("{{ buttons: [{many}{{ silence: 1s }}] }}"))).unwrap_err().to_string();
    for expected in [
        "a card has at most 6 buttons, and these are 7",
        "another button does the same",
        "a silence lasts from 1m to 30d",
    ] {
        assert!(problems.contains(expected), "{problems}");
    }
}
