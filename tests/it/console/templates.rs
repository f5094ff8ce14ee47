//! The page Templates, and `POST /api/v1/render`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use wecom_relay::app::Tuning;

use super::{Browser, PASSWORD, Page, VIEWER, WITH_PASSWORDS, options};
use crate::support::{Options, Relay, Wecom, payload, short_delays};

/// Runs longer than any test.
const ENDLESS: &str = "{% for a in range(end=1000) %}{% for b in range(end=1000) %}{% for c in range(end=1000) %}\
                       {% endfor %}{% endfor %}{% endfor %}";

/// Doubles a text until it would have 16 GiB.
const HUNGRY: &str = "{% set x = 'aaaaaaaaaaaaaaaa' %}{% for i in range(end=30) %}{% set_global x = x ~ x %}{% endfor %}\
                      {{ x | length }}";

/// Sends a draft as the page does.
async fn preview(browser: &mut Browser, fields: &[(&str, &str)]) -> Page {
    let page = browser.get("/templates").await;
    let mut form = page.form("templates").unwrap();
    form.fields.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    browser.send(Method::POST, &form.path, &form.fields, &[]).await
}

#[tokio::test]
async fn the_page_shows_the_template_in_use_and_its_messages() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options("")).await;
    let mut browser = Browser::new(&relay);
    let page = browser.get("/templates").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for expected in [
        "{% include &quot;wechat.default.message&quot; %}",
        "[FIRING:1] InstanceDown",
        "<figcaption class=\"look-note\">approximate</figcaption>",
        "<code>commonLabels.alertname</code>",
        "of 2048 bytes",
        "message: &#x27;{% include",
    ] {
        let shown = page.text.replace("&#39;", "&#x27;");
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    browser.language = "zh-CN";
    assert!(browser.get("/templates").await.text.contains("复制 YAML"));
    assert_eq!(browser.get("/templates?receiver=gone").await.status, 404);
    relay.stop().await;
}

#[tokio::test]
async fn a_draft_of_each_engine_is_previewed() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options("")).await;
    let mut browser = Browser::new(&relay);
    let tera = [("template", "{{ firing | length }} 条 <b>\r\n第二行"), ("data", "firing")];
    let page = preview(&mut browser, &tera).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("1 条 &lt;b&gt;</p>\n<p class=\"look-line\" dir=\"auto\">第二行</p>"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("message: |-\n      {{ firing | length }} 条 &lt;b&gt;\n      第二行"),
        "{}",
        page.text
    );
    let go = [("template", "{{ len .Alerts }} of Go"), ("engine", "go"), ("data", "storm")];
    let page = preview(&mut browser, &go).await;
    assert!(
        page.text.contains(" of Go</p>") && page.text.contains("(index .Alerts 0).Labels"),
        "{}",
        page.text
    );
    // Nothing was sent, and the template in use is the same.
    assert_eq!(relay.listed(&[]).await.len(), 0);
    assert!(browser.get("/templates").await.text.contains("[FIRING:1] InstanceDown"));
    relay.stop().await;
}

#[tokio::test]
async fn a_failure_shows_its_place_and_what_is_sent_instead() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options("")).await;
    let mut browser = Browser::new(&relay);
    let page = preview(&mut browser, &[("template", "告警\n{{ no_such_thing }}")]).await;
    assert!(page.text.contains("data-line=\"2\" data-column=\"4\""), "{}", page.text);
    assert!(page.text.contains("this is the built-in text"), "{}", page.text);
    let page = preview(&mut browser, &[("template", "告警\n{{ a ")]).await;
    assert!(page.text.contains("data-line=\"2\""), "{}", page.text);
    assert!(page.text.contains("refuses a configuration with this template"), "{}", page.text);
    let page = preview(&mut browser, &[("data", "paste"), ("payload", "{")]).await;
    assert!(page.text.contains("was the body cut off?"), "{}", page.text);
    relay.stop().await;
}

#[tokio::test]
async fn a_large_payload_is_previewed() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options("")).await;
    let mut browser = Browser::new(&relay);
    let mut large = payload("KafkaLag", &[("mq-3", true)]);
    large["commonAnnotations"]["text"] = json!("x".repeat(100 << 10));
    let large = large.to_string();
    let draft =
        [("template", "{{ commonLabels.alertname }}!"), ("data", "paste"), ("payload", large.as_str())];
    let page = preview(&mut browser, &draft).await;
    assert!(page.status == 200 && page.text.contains("KafkaLag!</p>"), "{}: {}", page.status, page.text);
    relay.stop().await;
}

#[tokio::test]
async fn a_template_that_does_not_end_is_ended() {
    let wecom = Wecom::start().await;
    let tuning = Tuning { draft_limit: Duration::from_millis(300), ..short_delays() };
    let relay = Relay::with(&wecom.url, Options { tuning, ..options("") }).await;
    let mut browser = Browser::new(&relay);
    let page = preview(&mut browser, &[("template", ENDLESS)]).await;
    assert!(page.text.contains("the template did not end within"), "{}", page.text);
    relay.stop().await;
}

#[tokio::test]
async fn a_template_that_needs_too_much_memory_is_ended() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options("")).await;
    let mut browser = Browser::new(&relay);
    let page = preview(&mut browser, &[("template", HUNGRY)]).await;
    assert!(page.text.contains("the template needs too much memory or time"), "{}", page.text);
    assert_eq!(preview(&mut browser, &[("template", "x")]).await.status, 200);
    relay.stop().await;
}

#[tokio::test]
async fn received_webhooks_are_offered_as_data() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options("")).await;
    let mut browser = Browser::new(&relay);
    relay.post(&payload("KafkaLag", &[("mq-3", true)])).await;
    assert!(browser.get("/templates").await.text.contains("value=\"received-0\""));
    let page =
        preview(&mut browser, &[("template", "{{ commonLabels.alertname }}!"), ("data", "received-0")]).await;
    assert!(page.text.contains("KafkaLag!</p>"), "{}", page.text);
    relay.stop().await;
    let relay = Relay::with(&wecom.url, options(", console: { keep_payloads: 0 }")).await;
    relay.post(&payload("KafkaLag", &[("mq-3", true)])).await;
    assert!(!Browser::new(&relay).get("/templates").await.text.contains("received-0"));
    relay.stop().await;
}

#[tokio::test]
async fn a_message_leads_to_its_webhook() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options("")).await;
    let mut browser = Browser::new(&relay);
    relay.post(&payload("KafkaLag", &[("mq-3", true)])).await;
    relay.post(&payload("DiskFull", &[("db-1", true)])).await;
    let page = browser.get("/messages/1").await;
    let link = "../templates?receiver=wechat&data=received-0".to_owned();
    assert!(page.attributes("href").contains(&link), "{}", page.text);
    let folder = relay.stop().await;
    let relay = Relay::with(&wecom.url, Options { folder: Some(folder), ..options("") }).await;
    let page = Browser::new(&relay).get("/messages/1").await;
    assert!(page.text.contains("The payload is not kept any more"), "{}", page.text);
    relay.stop().await;
}

#[tokio::test]
async fn a_draft_for_everybody_is_refused() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options("")).await;
    let mut browser = Browser::new(&relay);
    let form = browser.get("/templates").await.form("templates").unwrap();
    for to in ["", "@all", "张三"] {
        let more =
            [("receiver", "wechat"), ("to", to)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let fields = [form.fields.clone(), more.to_vec()].concat();
        for path in ["/templates/confirm", "/templates/send"] {
            let page = browser.send(Method::POST, path, &fields, &[]).await;
            assert_eq!(page.status, 400, "{to} {path}");
            assert!(page.text.contains("Name the user ids of the members"), "{}", page.text);
        }
    }
    assert_eq!(relay.listed(&[]).await.len(), 0);
    relay.stop().await;
}

#[tokio::test]
async fn only_operators_render_drafts() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options(WITH_PASSWORDS)).await;
    let mut browser = Browser::new(&relay);
    browser.log_in(VIEWER).await;
    assert_eq!(browser.get("/templates").await.status, 200);
    assert_eq!(preview(&mut browser, &[("template", "x")]).await.status, 403);
    let linked = browser.get("/templates?template=of-somebody-else&engine=go").await;
    assert!(linked.status == 200 && !linked.text.contains("of-somebody-else</textarea>"), "{}", linked.text);
    let mut browser = Browser::new(&relay);
    browser.log_in(PASSWORD).await;
    assert_eq!(preview(&mut browser, &[("template", "x")]).await.status, 200);
    relay.stop().await;
}

#[tokio::test]
async fn programs_render_drafts_as_json() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options(WITH_PASSWORDS)).await;
    let render = async |body: Value, password: &str| {
        let request = relay.client.post(format!("{}/api/v1/render", relay.url));
        let answer = request.bearer_auth(password).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap())
    };
    let draft = json!({ "receiver": "wechat", "template": "**{{ status }}**", "payload": payload("A", &[("b", true)]) });
    let (status, rendered) = render(draft.clone(), PASSWORD).await;
    assert_eq!(status, 200, "{rendered}");
    let message = &rendered["messages"][0];
    assert_eq!((&message["text"], &message["bytes"]), (&json!("**firing**"), &json!(10)));
    assert_eq!(message["wecom"]["bubble"]["blocks"][0]["runs"][0]["text"], "**firing**");
    assert_eq!(rendered["problems"], json!([]));
    assert_eq!(render(draft, VIEWER).await.0, 403);
    assert_eq!(render(json!({ "receiver": "gone" }), PASSWORD).await.0, 404);
    assert_eq!(render(json!({ "receiver": "wechat", "tmpl": "x" }), PASSWORD).await.0, 400);
    relay.stop().await;
}
