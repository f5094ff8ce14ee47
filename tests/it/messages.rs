//! Every type of message through the whole relay, its recipients, and the fallback of a failed template.

use std::{fs, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use wecom_relay::{
    app::Tuning,
    clock::{Clock as _, SystemClock},
    outbox::{Changed, OutboxQuery as _, Requeue, State},
    sandbox::{Api, Fault},
};

use crate::support::{
    ManualClock, Options, Relay, Wecom,
    members::{self, member},
    payload, redacted,
};

/// A receiver `wechat` for zhangsan with these keys.
fn keys(keys: &str) -> Options {
    let indented: String = keys.lines().map(|line| format!("    {line}\n")).collect();
    let receivers = format!("  - name: wechat\n    to_user: zhangsan\n{indented}");
    Options { receivers, ..Options::default() }
}

/// A receiver `wechat` for `to_user`, followed by `more` lines of the configuration.
fn addressed(to_user: &str, more: &str) -> Options {
    let receivers = format!("  - name: wechat\n    to_user: \"{to_user}\"\n{more}");
    Options { receivers, ..Options::default() }
}

const OWNER: &str = "{{ commonLabels.owner | default(value='') }}";

fn owned_by(owner: &str) -> Value {
    let mut payload = payload("Down", &[("a", true)]);
    payload["commonLabels"]["owner"] = owner.into();
    payload
}

/// Sends one alert, and returns the requests to WeCom and the messages that zhangsan sees.
async fn sent(options: Options, count: usize) -> (Vec<String>, Vec<(String, String)>) {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.settled(count).await;
    relay.stop().await;
    let bodies = wecom.sandbox.messages().into_iter().map(|message| message.request.to_string()).collect();
    let seen = wecom.sandbox.delivered_to("zhangsan");
    (bodies, seen.into_iter().map(|seen| (seen.msgtype, seen.text.to_string())).collect())
}

async fn body(options: Options) -> String {
    let (bodies, seen) = sent(options, 1).await;
    assert_eq!((bodies.len(), seen.len()), (1, 1), "{bodies:#?}");
    bodies.concat()
}

#[tokio::test]
async fn a_text_is_sent_unchanged() {
    let body = body(keys("message: '{{ status }} {{ commonLabels.alertname }}'")).await;
    insta::assert_snapshot!(body, @r#"{"touser":"zhangsan","msgtype":"text","agentid":1000002,"text":{"content":"firing Down"},"enable_duplicate_check":1,"duplicate_check_interval":3600}"#);
}

#[tokio::test]
async fn markdown_is_sent_unchanged() {
    let body = body(keys("message_type: markdown\nmessage: '**{{ commonLabels.alertname }}**'")).await;
    insta::assert_snapshot!(body, @r#"{"touser":"zhangsan","msgtype":"markdown","agentid":1000002,"markdown":{"content":"**Down**"},"enable_duplicate_check":1,"duplicate_check_interval":3600}"#);
}

#[tokio::test]
async fn a_textcard_has_defaults_for_everything() {
    let body = without_age(&body(keys("message_type: textcard")).await, "<br>");
    insta::assert_snapshot!(body, @r#"{"touser":"zhangsan","msgtype":"textcard","agentid":1000002,"textcard":{"title":"[FIRING:1] Down (critical) a","description":"<div class=\"gray\">instance: a</div>since 2026-11-21 08:00:00 UTC, for AGE<br>","url":"http://alertmanager.example.com/#/alerts?receiver=wechat"},"enable_duplicate_check":1,"duplicate_check_interval":3600}"#);
}

#[tokio::test]
async fn a_template_card_has_defaults_for_everything() {
    let body = without_age(&body(keys("message_type: template_card\nlanguage: zh")).await, "\\n");
    insta::assert_snapshot!(body, @r#"{"touser":"zhangsan","msgtype":"template_card","agentid":1000002,"template_card":{"card_action":{"type":1,"url":"http://alertmanager.example.com/#/alerts?receiver=wechat"},"card_type":"text_notice","main_title":{"desc":"","title":"【告警】[严重] Down ×1 a"},"sub_title_text":"故障时间 2026-11-21 08:00:00 UTC，已持续 AGE\n实例：a"},"enable_duplicate_check":1,"duplicate_check_interval":3600}"#);
}

/// `body` without the age of its alert, which ends before `end`.
fn without_age(body: &str, end: &str) -> String {
    let (at, begin) =
        ["for ", "已持续 "].into_iter().find_map(|begin| Some((body.find(begin)?, begin))).unwrap();
    let (before, age) = body.split_at(at + begin.len());
    let (_, after) = age.split_once(end).unwrap();
    format!("{before}AGE{end}{after}")
}

#[tokio::test]
async fn a_textcard_is_made_of_templates() {
    let card = "message_type: textcard\n\
        title: '{{ commonLabels.alertname }}'\n\
        description: '<div class=\"highlight\">{{ commonLabels.severity }}</div>'\n\
        url: 'https://grafana.example/?q={{ groupKey | go_query_escape }}'\n\
        btntxt: 查看";
    insta::assert_snapshot!(body(keys(card)).await, @r#"{"touser":"zhangsan","msgtype":"textcard","agentid":1000002,"textcard":{"title":"Down","description":"<div class=\"highlight\">critical</div>","url":"https://grafana.example/?q=%7B%7D%3A%7Balertname%3D%22Down%22%7D","btntxt":"查看"},"enable_duplicate_check":1,"duplicate_check_interval":3600}"#);
}

#[tokio::test]
async fn markdown_has_its_own_default_template() {
    let options = Options { clock: ManualClock::new(), ..keys("message_type: markdown") };
    let (_, seen) = sent(options, 1).await;
    assert_eq!(seen[0].0, "markdown");
    insta::assert_snapshot!(seen[0].1, @r#"
    **<font color="warning">[FIRING:1] Down (critical) a</font>**
    <font color="comment">instance: a</font>
    > <font color="comment">since 2026-11-21 08:00:00 UTC, for 0s</font>
    > [Source](http://prometheus.example.com/graph) · [Silence](http://alertmanager.example.com/#/silences/new?filter=%7Balertname%3D%22Down%22%2Cinstance%3D%22a%22%2Cseverity%3D%22critical%22%7D)
    [All alerts](http://alertmanager.example.com/#/alerts?receiver=wechat)
    "#);
}

#[tokio::test]
async fn two_hundred_alerts_in_a_group_are_shown_or_counted() {
    let pair = include_str!("../data/alertmanager/pairs/076-many_200_alerts_one_group/webhook.json");
    for (max_parts, shows_all) in [(5, false), (30, true)] {
        let wecom = Wecom::start().await;
        let relay = Relay::with(&wecom.url, keys(&format!("max_parts: {max_parts}"))).await;
        let (status, _) = relay.request(Method::POST, "/webhook/wechat", pair.to_owned()).await;
        assert_eq!(status, 200);
        let parts = wecom.sandbox.wait_for_delivered("zhangsan", 1).await[0].text.to_string();
        let total: usize = parts.split(['/', ')']).nth(1).unwrap().parse().unwrap();
        let parts = wecom.sandbox.wait_for_delivered("zhangsan", total).await;
        assert!(total <= max_parts && parts.iter().all(|part| part.text.len() <= 2048));
        let text: String = parts.iter().map(|part| &*part.text).collect();
        let hidden = text.split(" of 200 alerts are not shown").next().unwrap().rsplit("… ").next().unwrap();
        let shown = 200 - hidden.parse::<usize>().unwrap_or(0);
        let row = if shows_all {
            assert_eq!(shown, 200, "{text}");
            format!("all 200 with `max_parts: {max_parts}`")
        } else {
            format!("{shown} in {total} numbered parts, with a link to all")
        };
        assert!(include_str!("../../README.md").contains(&row), "{row}");
        assert!(text.contains("/#/alerts?receiver="), "{text}");
        relay.stop().await;
    }
}

const CARD: &str = "message_type: template_card
template_card:
  source: { desc: Alertmanager, desc_color: 2 }
  main_title: { title: '{{ commonLabels.alertname }}', desc: '{{ status }}' }
  horizontal_content_list:
    - { keyname: 级别, value: '{{ commonLabels.severity }}' }
  card_action: { type: 1, url: '{{ externalURL }}' }
  something_new: [1, '{{ receiver }}']
";

#[tokio::test]
async fn a_template_card_is_a_mapping_of_templates() {
    insta::assert_snapshot!(body(keys(CARD)).await, @r#"{"touser":"zhangsan","msgtype":"template_card","agentid":1000002,"template_card":{"card_action":{"type":1,"url":"http://alertmanager.example.com"},"card_type":"text_notice","horizontal_content_list":[{"keyname":"级别","value":"critical"}],"main_title":{"desc":"firing","title":"Down"},"something_new":[1,"wechat"],"source":{"desc":"Alertmanager","desc_color":2}},"enable_duplicate_check":1,"duplicate_check_interval":3600}"#);
}

#[tokio::test]
async fn a_plain_copy_follows_its_card() {
    let (bodies, seen) = sent(keys(&format!("{CARD}plain_copy: true")), 2).await;
    assert_eq!(bodies.len(), 2);
    let types: Vec<&str> = seen.iter().map(|(msgtype, _)| msgtype.as_str()).collect();
    assert_eq!(types, ["template_card", "text"]);
    assert!(seen[1].1.starts_with("[FIRING:1] Down"), "{}", seen[1].1);
}

#[tokio::test]
async fn a_card_and_its_plain_copy_are_independent() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, keys(&format!("{CARD}plain_copy: true"))).await;
    let fault = json!({ "api": "message/send", "fault": { "errcode": 82004 }, "count": 1 });
    let (status, answer) = wecom.control(Method::POST, "/faults", fault.to_string()).await;
    assert!(status < 300, "{answer}");
    relay.post(&payload("Down", &[("a", true)])).await;
    let states: Vec<State> = relay.settled(2).await.iter().map(|listed| listed.state).collect();
    assert_eq!(states, [State::Dead, State::Delivered]);
    relay.stop().await;
}

#[tokio::test]
async fn a_card_that_wecom_rejects_is_sent_as_text() {
    let wecom = Wecom::start().await;
    wecom.sandbox.inject(Fault::errcode(40058).on(Api::MessageSend).times(1));
    let relay = Relay::with(&wecom.url, keys(CARD)).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    let seen = wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
    insta::assert_snapshot!(redacted(&seen[0].text), @"
    [wecom-relay: WeCom rejected this as a template_card: message/send answered errcode 40058: invalid Request Parameter, hint: [HINT], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=40058]
    [FIRING:1] Down (critical)

    Alerts Firing:
    Labels:
     - alertname = Down
     - instance = a
     - severity = critical
    Annotations:
    Source: http://prometheus.example.com/graph


    AlertmanagerUrl:
    http://alertmanager.example.com/#/alerts?receiver=wechat
    ");
    assert_eq!(relay.settled(1).await[0].state, State::Delivered);
    relay.stop().await;
}

#[tokio::test]
async fn a_card_that_breaks_wecoms_rules_is_replaced_by_text() {
    let card = CARD.replace("{{ externalURL }}", "{{ commonAnnotations.link | default(value='') }}");
    let card = card.replace("url: '", "url: \"").replace("') }}'", "') }}\"");
    for refused in ["message_type: textcard\nurl: '{{ groupKey }}'", card.as_str()] {
        let wecom = Wecom::start().await;
        let relay = Relay::with(&wecom.url, keys(refused)).await;
        relay.post(&payload("Down", &[("a", true)])).await;
        let seen = wecom.sandbox.wait_for_delivered("zhangsan", 1).await;
        assert!(seen[0].text.starts_with("[FIRING:1] Down"), "{}", seen[0].text);
        let (_, metrics) = relay.request(Method::GET, "/metrics", "").await;
        assert!(
            metrics.contains(r#"wecom_relay_template_fallbacks_total{receiver="wechat"} 1"#),
            "{metrics}"
        );
        relay.stop().await;
    }
}

#[tokio::test]
async fn a_card_with_a_failed_field_becomes_text_with_a_reason() {
    let (_, seen) = sent(keys("message_type: textcard\ntitle: '{{ commonLabels.none }}'"), 1).await;
    let (msgtype, text) = &seen[0];
    assert_eq!(msgtype, "text");
    insta::assert_snapshot!(text, @r#"
    [wecom-relay: receiver/wechat/title, line 1, column 17: undefined variable `commonLabels.none`; write `{{ commonLabels.none or "" }}` if it may be missing; this is its text form]
    [FIRING:1] Down (critical)

    Alerts Firing:
    Labels:
     - alertname = Down
     - instance = a
     - severity = critical
    Annotations:
    Source: http://prometheus.example.com/graph


    AlertmanagerUrl:
    http://alertmanager.example.com/#/alerts?receiver=wechat
    "#);
}

#[tokio::test]
async fn a_label_can_name_the_recipients() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, addressed(OWNER, "")).await;
    relay.post(&owned_by(" lisi || LISI | ")).await;
    let seen = wecom.sandbox.wait_for_delivered("lisi", 1).await;
    assert!(seen[0].text.starts_with("[FIRING:1] Down"), "{}", seen[0].text);
    relay.stop().await;
    assert!(wecom.sandbox.delivered_to("zhangsan").is_empty());
    assert!(wecom.sandbox.messages()[0].request.contains(r#""touser":"lisi""#));
}

#[tokio::test]
async fn a_label_with_everybody_or_nobody_is_a_dead_letter() {
    let mut reasons = Vec::new();
    for owner in ["@all", "lisi|@ALL", "", " | "] {
        let wecom = Wecom::start().await;
        let relay = Relay::with(&wecom.url, addressed(OWNER, "")).await;
        assert!(relay.post(&owned_by(owner)).await.starts_with("accepted"));
        let settled = relay.settled(1).await;
        assert_eq!(settled[0].state, State::Dead);
        reasons.push(settled[0].reason.clone());
        let (_, metrics) = relay.request(Method::GET, "/metrics", "").await;
        let counted = r#"wecom_relay_deliveries_total{receiver="wechat",state="dead",reason="nobody"} 1"#;
        assert!(metrics.contains(counted), "{metrics}");
        // It can be sent to nobody, whoever asks for it.
        let now = SystemClock.now();
        let one = relay.outbox.requeue(Requeue::One(settled[0].id), now).await.unwrap();
        let all = relay.outbox.requeue(Requeue::AllDead, now).await.unwrap();
        assert_eq!((one, all), (Changed::NoRecipient, Changed::Deliveries(0)));
        relay.stop().await;
        assert!(wecom.sandbox.messages().is_empty());
    }
    insta::assert_snapshot!(reasons.join("\n"), @"
    no recipient: to_user is @all after rendering, which is allowed only when the configuration says so literally
    no recipient: to_user is @all after rendering, which is allowed only when the configuration says so literally
    no recipient: to_user, to_party and to_tag are empty after rendering
    no recipient: to_user, to_party and to_tag are empty after rendering
    ");
}

#[tokio::test]
async fn the_fallback_gets_a_message_without_recipients() {
    let wecom = Wecom::start().await;
    let more = "    message_type: markdown\n    plain_copy: true\n    fallback: oncall\n\
                \x20 - { name: oncall, to_user: wangwu }\n";
    let relay = Relay::with(&wecom.url, addressed(OWNER, more)).await;
    relay.post(&owned_by("@all")).await;
    let seen = wecom.sandbox.wait_for_delivered("wangwu", 1).await;
    assert_eq!(seen[0].msgtype, "text");
    insta::assert_snapshot!(seen[0].text, @"
    [wecom-relay: for receiver wechat, which has no recipient: to_user is @all after rendering, which is allowed only when the configuration says so literally]
    [FIRING:1] Down (@all critical)

    Alerts Firing:
    Labels:
     - alertname = Down
     - instance = a
     - severity = critical
    Annotations:
    Source: http://prometheus.example.com/graph


    AlertmanagerUrl:
    http://alertmanager.example.com/#/alerts?receiver=wechat
    ");
    relay.stop().await;
    assert_eq!(wecom.sandbox.messages().len(), 1);
    assert!(wecom.sandbox.delivered_to("zhangsan").is_empty());
}

/// A template that ends long after the limit. It must end, because a test waits for its threads.
pub(crate) const HANGS: &str = "{% for a in range(end=1000) %}{% for b in range(end=1000) %}{% for c in range(end=4) %}\
    {% endfor %}{% endfor %}{% endfor %}x";

fn impatient(options: Options) -> Options {
    Options { tuning: Tuning { render_limit: Duration::from_millis(100), ..options.tuning }, ..options }
}

#[tokio::test]
async fn a_stuck_template_is_replaced_and_delays_nobody_else() {
    let wecom = Wecom::start().await;
    let more = format!(
        "    message: '{HANGS}'\n  - {{ name: other, to_user: wangwu, message: '{{{{ status }}}}' }}\n"
    );
    let relay = Relay::with(&wecom.url, impatient(addressed(OWNER, &more))).await;
    for n in 0..4 {
        let mut payload = owned_by("lisi");
        payload["groupKey"] = n.to_string().into();
        relay.post(&payload).await;
    }
    let (status, _) = relay.request(Method::GET, "/-/ready", "").await;
    assert_eq!(status, 200);
    let (status, text) =
        relay.request(Method::POST, "/webhook/other", payload("Down", &[("a", true)]).to_string()).await;
    assert_eq!(status, 200, "{text}");
    let seen = wecom.sandbox.wait_for_delivered("lisi", 4).await;
    for seen in seen {
        let (first, rest) = seen.text.split_once('\n').unwrap();
        let late = "[wecom-relay: the templates did not end within 0.1 s; this is the built-in text]";
        let untried = "[wecom-relay: the templates were not run, because earlier ones of this receiver still run; \
                       this is the built-in text]";
        assert!([late, untried].contains(&first) && rest.starts_with("[FIRING:1]"), "{}", seen.text);
    }
    assert_eq!(&*wecom.sandbox.wait_for_delivered("wangwu", 1).await[0].text, "firing");
    relay.stop().await;
}

#[tokio::test]
async fn stuck_recipients_lead_to_the_fallback() {
    let wecom = Wecom::start().await;
    let more = "    fallback: oncall\n  - { name: oncall, to_user: wangwu }\n";
    let relay = Relay::with(&wecom.url, impatient(addressed(HANGS, more))).await;
    relay.post(&owned_by("lisi")).await;
    let seen = wecom.sandbox.wait_for_delivered("wangwu", 1).await;
    insta::assert_snapshot!(seen[0].text, @"
    [wecom-relay: for receiver wechat, which has no recipient: the templates of the recipients did not end in time]
    [wecom-relay: the templates did not end within 0.1 s; this is the built-in text]
    [FIRING:1] Down (lisi critical)

    Alerts Firing:
    Labels:
     - alertname = Down
     - instance = a
     - severity = critical
    Annotations:
    Source: http://prometheus.example.com/graph


    AlertmanagerUrl:
    http://alertmanager.example.com/#/alerts?receiver=wechat
    ");
    relay.stop().await;
}

#[tokio::test]
async fn a_burst_does_not_count_as_slow_templates() {
    let wecom = Wecom::with_members(150).await;
    // The default time limit of rendering.
    let options = Options { tuning: Tuning::default(), ..addressed(OWNER, "") };
    let relay = Relay::with(&wecom.url, options).await;
    let hosts: Vec<String> = (0..40).map(|host| format!("host-{host}")).collect();
    let alerts: Vec<(&str, bool)> = hosts.iter().map(|host| (host.as_str(), true)).collect();
    let posts = (0..150).map(|number| {
        let mut payload = payload("Down", &alerts);
        payload["commonLabels"]["owner"] = member(number).into();
        payload["groupKey"] = number.to_string().into();
        let relay = &relay;
        async move {
            // Alertmanager repeats a notification after a 503 in the same way.
            while relay.try_post(&payload).await != 200 {}
        }
    });
    futures_util::future::join_all(posts).await;
    let settled = relay.settled(150).await;
    assert!(settled.iter().all(|one| one.state == State::Delivered), "{settled:#?}");
    relay.stop().await;
    let seen = members::shown(&wecom.sandbox);
    assert!(seen.len() >= 150, "{seen:?}");
    assert!(seen.iter().all(|text| !text.contains("[wecom-relay:")), "{seen:?}");
}

#[tokio::test]
async fn a_fixed_template_runs_while_the_old_one_is_stuck() {
    let wecom = Wecom::start().await;
    let message = |message: &str| {
        let more = format!("    message: '{message}'\n");
        impatient(addressed("lisi", &more))
    };
    let relay = Relay::with(&wecom.url, message(HANGS)).await;
    for group in ["1", "2", "3"] {
        let mut payload = owned_by("lisi");
        payload["groupKey"] = group.into();
        relay.post(&payload).await;
    }
    fs::write(relay.folder.path().join("config.yml"), message("fixed").yaml(&wecom.url, &relay.folder))
        .unwrap();
    assert_eq!(relay.request(Method::POST, "/-/reload", "").await.0, 200);
    let mut payload = owned_by("lisi");
    payload["groupKey"] = "4".into();
    relay.post(&payload).await;
    let seen = wecom.sandbox.wait_for_delivered("lisi", 4).await;
    assert!(seen.iter().any(|seen| &*seen.text == "fixed"), "{seen:#?}");
    relay.stop().await;
}

#[tokio::test]
async fn a_label_with_unusable_recipients_is_a_dead_letter() {
    let many: String = (0..1001).map(|n| format!("u{n}|")).collect();
    let mut reasons = Vec::new();
    for (to, owner) in [
        ("to_party", "1"),
        ("to_party", "001"),
        ("to_party", "3|+1"),
        ("to_party", "4294967297"),
        ("to_tag", "运维"),
        ("to_user", many.as_str()),
    ] {
        let wecom = Wecom::start().await;
        let receivers = format!("  - name: wechat\n    {to}: \"{OWNER}\"\n");
        let relay = Relay::with(&wecom.url, Options { receivers, ..Options::default() }).await;
        relay.post(&owned_by(owner)).await;
        let settled = relay.settled(1).await;
        assert_eq!(settled[0].state, State::Dead);
        reasons.push(settled[0].reason.clone());
        relay.stop().await;
    }
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    no recipient: to_party is 1 after rendering, the department of everybody, which is allowed only when the configuration says so literally
    no recipient: to_party is 1 after rendering, the department of everybody, which is allowed only when the configuration says so literally
    no recipient: to_party contains "+1", which is not an id: the id of a department or tag is a whole number after rendering
    no recipient: to_party contains "4294967297", which is not an id: the id of a department or tag is a whole number after rendering
    no recipient: to_tag contains "运维", which is not an id: the id of a department or tag is a whole number after rendering
    no recipient: the templates name 1001 recipients; 1000 are allowed
    "#);
}
