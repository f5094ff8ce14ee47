//! Forms: no page of another site can change anything, and no GET does.

use std::time::Duration;

use reqwest::Method;
use wecom_relay::{
    outbox::{Outbox, State},
    sandbox::{Api, Effect, Fault, Settings},
    telemetry::{self, LogFormat},
};

use super::{Browser, PASSWORD, WITH_PASSWORDS, browser::Page, submit, with_dead_letters};
use crate::support::{
    Options, Relay, Wecom, eventually,
    log::{Written, log_to},
    payload, without_probes,
};

const CHANGES: [&str; 6] = [
    "/messages/1/requeue",
    "/messages/1/discard",
    "/messages/1/recall",
    "/messages/requeue",
    "/messages/discard",
    "/senders/ops/probe",
];

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let wecom = Wecom::start().await;
    for server in ["", WITH_PASSWORDS] {
        let relay = with_dead_letters(&wecom, server, &["Down"]).await;
        let mut browser = Browser::new(&relay);
        browser.log_in(PASSWORD).await;
        let confirm = browser.get("/messages/1/confirm?do=discard").await;
        let fields = confirm.form("discard").unwrap().fields;
        for headers in [
            &[("origin", "http://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
        ] {
            for path in CHANGES {
                let page = browser.send(Method::POST, path, &fields, headers).await;
                assert_eq!(page.status, 403, "{path} {headers:?}");
                let (name, value) = headers[0];
                let names_values = page.text.contains(value) && page.text.to_lowercase().contains(name);
                assert!(names_values, "{headers:?}: {}", page.text);
            }
        }
        assert_eq!(relay.listed(&[State::Dead]).await.len(), 1);
        relay.stop().await;
    }
}

#[tokio::test]
async fn a_form_without_its_token_changes_nothing() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, WITH_PASSWORDS, &["Down"]).await;
    let mut browser = Browser::new(&relay);
    browser.log_in(PASSWORD).await;
    let mut other = Browser::new(&relay);
    other.log_in(PASSWORD).await;
    let foreign = other.get("/messages/1/confirm?do=discard").await.form("discard").unwrap().fields;
    for fields in [Vec::new(), vec![("token".to_owned(), "x".to_owned())], foreign] {
        for path in CHANGES {
            let page = browser.send(Method::POST, path, &fields, &[]).await;
            assert_eq!(page.status, 403, "{path}");
        }
    }
    assert_eq!(relay.listed(&[State::Dead]).await.len(), 1);
    relay.stop().await;
}

#[tokio::test]
async fn no_get_changes_anything() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, "", &["Down"]).await;
    let mut browser = Browser::new(&relay);
    browser.get("/").await;
    for path in CHANGES.into_iter().chain(["/logout", "/lang", "/theme", "/api/v1/messages/1/requeue"]) {
        for method in [Method::GET, Method::HEAD] {
            let status = browser.send(method.clone(), path, &[], &[]).await.status;
            assert_eq!(status, 405, "{method} {path}");
        }
    }
    assert_eq!(relay.listed(&[State::Dead]).await.len(), 1);
    relay.stop().await;
}

#[tokio::test]
async fn language_and_theme_are_kept_in_the_browser() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    let mut browser = Browser::new(&relay);
    browser.language = "zh-CN,zh;q=0.9";
    let page = browser.get("/messages?state=dead").await;
    assert!(page.text.contains("lang=\"zh-CN\"") && page.text.contains("死信"), "{}", page.text);
    let next = ("next".to_owned(), "messages?state=dead".to_owned());
    let fields = [next.clone(), ("lang".to_owned(), "en".to_owned())];
    let back = browser.send(Method::POST, "/lang", &fields, &[]).await;
    assert_eq!(back.location(), "./messages?state=dead");
    let page = browser.follow(&back).await;
    assert!(page.text.contains("lang=\"en\"") && page.text.contains("Dead letter"), "{}", page.text);
    let fields = [next, ("theme".to_owned(), "dark".to_owned())];
    browser.send(Method::POST, "/theme", &fields, &[]).await;
    assert!(browser.get("/").await.text.contains("data-theme=\"dark\""));
    relay.stop().await;
}

#[tokio::test]
async fn a_webhook_to_the_root_is_still_counted_as_one() {
    let relay = Relay::start("http://127.0.0.1:9").await;
    let (status, text) = relay.request(Method::POST, "/", payload("Down", &[("a", true)]).to_string()).await;
    assert_eq!(status, 404);
    assert!(text.contains("send Alertmanager's webhook to /webhook"), "{text}");
    let (_, metrics) = relay.request(Method::GET, "/metrics", "").await;
    let counted = "wecom_relay_notifications_received_total{receiver=\"\",result=\"rejected\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
    relay.stop().await;
}

#[tokio::test]
async fn a_dead_letter_is_discarded_and_requeued_by_forms() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, WITH_PASSWORDS, &["Down"]).await;
    let mut browser = Browser::new(&relay);
    browser.log_in(PASSWORD).await;
    let confirm = browser.get("/messages/1/confirm?do=discard").await;
    let done = submit(&mut browser, &confirm, "messages/1/discard").await;
    let page = browser.follow(&done).await;
    assert!(page.text.contains("Discarded. Requeue it to undo this."), "{}", page.text);
    assert_eq!(relay.shown(1).await.listed.state, State::Discarded);
    // Another reader still has the form.
    let conflict = submit(&mut browser, &confirm, "messages/1/discard").await;
    assert_eq!(conflict.status, 409);
    assert!(conflict.text.contains("in the state “discarded” now"), "{}", conflict.text);
    let confirm = browser.get("/messages/1/confirm?do=requeue").await;
    assert_eq!(submit(&mut browser, &confirm, "messages/1/requeue").await.status, 303);
    let (_, metrics) = relay.request(Method::GET, "/metrics", "").await;
    for action in ["requeue", "discard"] {
        let counted = format!("wecom_relay_console_changes_total{{action=\"{action}\"}} 1\n");
        assert!(metrics.contains(&counted), "{metrics}");
    }
    relay.stop().await;
}

/// A delivered message, and the page that asks whether to recall it.
struct Recall {
    wecom: Wecom,
    relay: Relay,
    browser: Browser,
    confirm: Page,
}

async fn recall() -> Recall {
    let wecom = Wecom::start().await;
    let relay = Relay::start(&wecom.url).await;
    relay.post(&payload("Down", &[("a", true)])).await;
    relay.settled(1).await;
    let mut browser = Browser::new(&relay);
    let confirm = browser.get("/messages/1/recall/confirm").await;
    Recall { wecom, relay, browser, confirm }
}

#[tokio::test]
async fn a_delivered_message_is_recalled_by_a_form() {
    let Recall { wecom, relay, mut browser, confirm } = recall().await;
    let done = submit(&mut browser, &confirm, "messages/1/recall").await;
    let page = browser.follow(&done).await;
    assert!(page.text.contains("Recalled."), "{}", page.text);
    assert!(wecom.sandbox.delivered_to("zhangsan")[0].recalled_at.is_some());
    assert!(relay.shown(1).await.listed.recalled_at.is_some());
    assert_eq!(submit(&mut browser, &confirm, "messages/1/recall").await.status, 409);
    assert!(browser.get("/messages").await.text.contains("Recalled"), "the list marks it");
    relay.stop().await;
}

#[tokio::test]
async fn a_recall_is_recorded_although_the_reader_went_away() {
    let Recall { wecom, relay, mut browser, confirm } = recall().await;
    wecom.sandbox.inject(Fault::new(Effect::Latency(Duration::from_secs(2))).on(Api::MessageRecall));
    let recalled = async || wecom.sandbox.delivered_to("zhangsan")[0].recalled_at;
    tokio::select! {
        page = submit(&mut browser, &confirm, "messages/1/recall") => panic!("{page:?}"),
        _ = eventually(recalled, Option::is_some) => {}
    }
    let recorded = async || relay.shown(1).await.listed.recalled_at;
    eventually(recorded, Option::is_some).await;
    let (_, metrics) = relay.request(Method::GET, "/metrics", "").await;
    assert!(metrics.contains("wecom_relay_console_changes_total{action=\"recall\"} 1\n"), "{metrics}");
    relay.stop().await;
}

#[tokio::test]
async fn a_recall_that_fails_is_logged_with_its_reader() {
    let Recall { wecom, relay, mut browser, confirm } = recall().await;
    wecom.sandbox.inject(Fault::errcode(42052).on(Api::MessageRecall));
    let written = Written::default();
    let writer = written.clone();
    let lines = telemetry::lines(LogFormat::Text, "wecom_relay=info", false, move || writer.clone());
    let guard = log_to(lines.unwrap());
    assert_eq!(submit(&mut browser, &confirm, "messages/1/recall").await.status, 409);
    drop(guard);
    let log = written.text();
    let line = log.lines().find(|line| line.contains("recall by a person failed")).expect(&log);
    assert!(line.contains("role=operator peer=127.0.0.1 delivery=1"), "{line}");
    assert!(line.contains("42052"), "{line}");
    relay.stop().await;
}

#[tokio::test]
async fn a_bulk_change_needs_the_number_that_was_shown() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, "", &["A", "B", "C"]).await;
    let mut browser = Browser::new(&relay);
    let list = browser.get("/messages?state=dead").await;
    assert!(
        list.attributes("href").contains(&"./messages/confirm?state=dead&do=discard".to_owned()),
        "{}",
        list.text
    );
    let confirm = browser.get("/messages/confirm?state=dead&do=discard").await;
    assert!(confirm.text.contains("Messages that are discarded: 3."), "{}", confirm.text);
    relay.post(&payload("D", &[("a", true)])).await;
    let dead = async || relay.listed(&[State::Dead]).await.len();
    eventually(dead, |dead| *dead == 4).await;
    let conflict = submit(&mut browser, &confirm, "messages/discard").await;
    assert_eq!(conflict.status, 409);
    assert!(conflict.text.contains("the filter selects 4 messages now"), "{}", conflict.text);
    assert_eq!(relay.listed(&[State::Dead]).await.len(), 4);
    let done = submit(&mut browser, &conflict, "messages/discard").await;
    assert!(browser.follow(&done).await.text.contains("Discarded: 4."));
    assert_eq!(relay.listed(&[State::Discarded]).await.len(), 4);
    relay.stop().await;
}

#[tokio::test]
async fn waiting_messages_are_explained_and_discarded_together() {
    let wecom = Wecom::live(Settings::default()).await;
    wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    let relay = Relay::with(&wecom.url, Options { tuning: without_probes(), ..Options::default() }).await;
    relay.post(&payload("A", &[("a", true)])).await;
    eventually(async || relay.outbox.holds().await.unwrap(), |holds| !holds.is_empty()).await;
    relay.post(&payload("A", &[("a", true), ("b", true)])).await;
    relay.post(&payload("B", &[("a", true)])).await;
    let mut browser = Browser::new(&relay);
    let list = browser.get("/messages?state=queued&state=ready").await;
    assert!(list.text.contains("It waits because ops is held."), "{}", list.text);
    assert!(list.text.contains("It waits behind an earlier message of its group."), "{}", list.text);
    let [first, second, _] = &relay.listed(&[State::Queued, State::Ready]).await[..] else { panic!() };
    let queued = browser.get(&format!("/messages/{}", second.id)).await;
    assert!(queued.attributes("href").contains(&format!("../messages/{}", first.id)), "{}", queued.text);
    let confirm = browser.get("/messages/confirm?state=queued&state=ready&do=discard").await;
    assert!(confirm.text.contains("Messages that are discarded: 3."), "{}", confirm.text);
    assert!(confirm.text.contains("Receivers: wechat"), "{}", confirm.text);
    let done = submit(&mut browser, &confirm, "messages/discard").await;
    assert!(browser.follow(&done).await.text.contains("Discarded: 3."));
    assert_eq!(relay.listed(&[State::Discarded]).await.len(), 3);
    for refused in ["state=delivered&do=requeue", "do=discard", "state=queued&do=requeue"] {
        let page = browser.get(&format!("/messages/confirm?{refused}")).await;
        assert!(page.status == 400 && page.text.contains("Choose one of these states"), "{}", page.text);
    }
    relay.stop().await;
}
