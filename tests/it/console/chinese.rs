//! The pages in Chinese have no English words but names.

use std::{collections::BTreeSet, fs, time::Duration};

use reqwest::Method;
use wecom_relay::{
    app::Tuning,
    outbox::State,
    sandbox::{Api, BUILTIN_YAML, Directory, Fault},
    wecom::errcode,
};

use super::{Browser, PASSWORD, Page, WITH_PASSWORDS, options, submit};
use crate::support::{Options, Relay, Wecom, eventually, payload, short_delays};

/// Words that a Chinese engineer writes in Latin letters: names of products, formats, commands and calls, and terms of the
/// configuration, whose keys are English.
const TERMS: &str = "API AgentId Alertmanager DNS Esc Go ID IP JSON MiB NTP Origin Receiver Secret TLS Tab Tera URL UTC \
    Watchdog Webhook YAML access agent/get agent_id agentid alert alertmanager.yml api_secret api_url \
    callback card_action chat chatid config.yml content corp_id create dead delivered digest discard discarded do \
    docs/configuration.md errcode fallback folded gettoken http in-flight key media_id message message/send \
    msgid notice operator outbox outbox.max_size outbox.retention payload proxy_url queued ready receiver \
    relay requeue response_code safe sandbox server.auth server.console.external_url \
    server.console.keep_payloads server.console.password set-ntp state task_id template_card text textcard \
    timedatectl to_party to_tag to_user token true user/get userid viewer viewer_password webhook \
    webhook/send wecom-relay";

/// Names of this test and of the samples: receivers, senders, members, alerts, files.
const NAMES: &str = "InstanceDown broken chosen config.yml critical far firing gone grafana group held lisi missing-labels \
    mixed nobody node oncall ops outbox.db prod receiver/broken/message receiver/wechat/message resolved storm sunqi team wangwu webhook/gone \
    wechat zhangsan zhaoliu";

/// The beginnings and the ends of texts of others, which a page quotes as they are: WeCom, the client of HTTP, the engine of
/// the templates, the answers to webhooks, the problems of a configuration, and alerts.
const QUOTES: &[(&str, &str)] = &[
    (" 返回 errcode ", ""),
    ("error sending request", "）"),
    ("Connection refused", ""),
    ("接收人模板出错：", "]"),
    ("undefined variable", "；以下是内置消息"),
    ("Unexpected end of input", ""),
    ("400 the JSON", ""),
    ("404 there is no receiver", ""),
    ("nothing to send to receiver", ""),
    ("the JSON ends before", ""),
    ("Form requests must have", ""),
    ("/tmp/", "，"),
    ("https://", ""),
    ("http://", "”"),
    ("Sec-Fetch-Site", "）"),
    ("{}:{alertname=", ""),
    ("10.0.0.1:9100 is down", ""),
    ("10.0.0.1:9100 of job", ""),
];

/// Runs longer than the limit of the test.
const ENDLESS: &str = "{% for a in range(end=1000) %}{% for b in range(end=1000) %}{% for c in range(end=1000) %}\
                       {% endfor %}{% endfor %}{% endfor %}";

/// The pages of the test beside those of its messages.
const PAGES: [&str; 18] = [
    "/",
    "/setup",
    "/setup/test?receiver=wechat",
    "/setup/test?receiver=chosen",
    "/setup/test?receiver=gone",
    "/messages",
    "/messages?q=x&receiver=wechat&sender=ops",
    "/messages?state=gone",
    "/messages/99",
    "/messages/1/confirm?do=requeue",
    "/messages/1/confirm?do=discard",
    "/messages/2/confirm?do=discard",
    "/messages/1/recall/confirm",
    "/messages/confirm?do=requeue&state=dead",
    "/messages/confirm?do=gone",
    "/templates",
    "/templates?receiver=broken",
    "/templates?receiver=gone",
];

/// The Latin words of a text that are neither terms nor names.
fn english_words(text: &str) -> Vec<String> {
    let mut text =
        text.replace("&quot;", " ").replace("&#39;", " ").replace("&amp;", " ").replace("&lt;", " ");
    for (begin, end) in QUOTES.iter().copied() {
        while let Some((before, rest)) = text.split_once(begin) {
            let after = if end.is_empty() { "" } else { rest.split_once(end).map_or("", |(_, after)| after) };
            text = format!("{before} {after}");
        }
    }
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let words = text.split(|c: char| !is_of_word(c)).map(|word| word.trim_matches(['.', '/', '-']));
    // A word with digits is a number, an address or an id.
    let is_latin = |word: &&str| {
        word.chars().filter(char::is_ascii_alphabetic).count() > 1
            && !word.contains(|c: char| c.is_ascii_digit())
    };
    let is_known = |word: &&str| TERMS.split(' ').chain(NAMES.split(' ')).any(|known| known == *word);
    let unknown = words.filter(is_latin).filter(|word| !is_known(word));
    unknown.map(str::to_owned).collect()
}

/// The texts and the attributes that a reader sees, without code and what others wrote.
fn visible_texts(page: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = page.split_once("<title>").map_or(page, |(_, rest)| rest);
    let mut skipped: Option<&str> = None;
    loop {
        let (text, after) = rest.split_once('<').unwrap_or((rest, ""));
        if skipped.is_none() && !text.trim().is_empty() {
            texts.push(text.trim().to_owned());
        }
        let Some((tag, next)) = after.split_once('>') else { return texts };
        let name = tag.split_whitespace().next().unwrap_or_default();
        match skipped {
            Some(element) if name.strip_prefix('/') == Some(element) => skipped = None,
            Some(_) => {}
            None => {
                skipped = ["pre", "code", "textarea"].into_iter().find(|element| *element == name);
                if tag.contains("lang=\"en\"") {
                    skipped = Some("button");
                }
                for attribute in
                    ["title", "placeholder", "aria-label", "label", "data-name", "data-units", "data-ago"]
                {
                    if let Some((_, value)) = tag.split_once(&format!(" {attribute}=\"")) {
                        texts.push(value.split('"').next().unwrap().to_owned());
                    }
                }
            }
        }
        rest = next;
    }
}

/// A relay with everything that a page can say about it.
async fn troubled(wecom: &Wecom) -> Relay {
    let receivers =
        "  - { name: wechat, app: ops, to_user: zhangsan | nobody, also: [dead, held, far, team, broken] }
  - { name: dead, app: ops, to_user: nobody, fallback: oncall }
  - { name: oncall, app: ops, to_user: lisi }
  - { name: held, app: held, to_user: lisi }
  - { name: far, app: far, to_user: lisi }
  - { name: team, robot: group }
  - { name: broken, app: ops, to_user: lisi, message: '{{ commonLabels.nothing }}' }
  - { name: chosen, app: ops, to_user: '{{ commonLabels.owner }}', fallback: oncall }
";
    let more_app = |name: &str, agent: u32, secret: &str, url: &str| {
        format!(
            "  - {{ name: {name}, corp_id: ww1234567890abcdef, agent_id: {agent}, api_secret: {secret}, api_url: {url}/cgi-bin/ }}\n"
        )
    };
    let app = more_app("held", 1_000_030, "sandbox-secret-1000030", &wecom.url)
        + &more_app("far", 1_000_003, "not-a-real-secret", "http://127.0.0.1:9");
    let more = format!(
        "language: zh\nrobots:\n  - {{ name: group, key: '{}/cgi-bin/webhook/send?key=sandbox-robot-key-ops' }}\n",
        wecom.url
    );
    let tuning = Tuning { draft_limit: Duration::from_secs(2), ..short_delays() };
    let options = Options { receivers: receivers.to_owned(), app, more, tuning, ..options(WITH_PASSWORDS) };
    let relay = Relay::with(&wecom.url, options).await;
    let strict = "secret: sandbox-secret-1000030\n        trusted_ips: [203.0.113.1]";
    let directory = BUILTIN_YAML.replace("secret: sandbox-secret-1000030", strict);
    wecom.sandbox.replace_directory(Directory::from_yaml(&directory).unwrap());
    wecom.sandbox.inject(Fault::errcode(-1).on(Api::MessageSend).times(1));
    relay
        .client
        .post(format!("{}/webhook/wechat", relay.url))
        .body(payload("磁盘已满", &[("a", true)]).to_string())
        .send()
        .await
        .unwrap();
    relay
        .client
        .post(format!("{}/webhook/chosen", relay.url))
        .body(payload("磁盘已满", &[("a", true)]).to_string())
        .send()
        .await
        .unwrap();
    for (path, body) in [("/webhook/gone", "{}"), ("/webhook", "{"), ("/webhook", "{\"a\": 1}")] {
        relay.request(Method::POST, path, body).await;
    }
    relay
}

#[tokio::test]
async fn a_chinese_page_has_no_english_words() {
    let wecom = Wecom::start().await;
    let relay = troubled(&wecom).await;
    let mut browser = Browser::new(&relay);
    browser.language = "zh-CN";
    let mut pages = vec![browser.get("/login").await, browser.log_in("wrong-password").await];
    browser.log_in(PASSWORD).await;
    let are_held =
        |page: &Page| ["held", "far"].iter().all(|name| page.text.contains(&format!("{name} 已暂停")));
    browser.wait_for("/", are_held).await;
    eventually(async || relay.listed(&[State::Dead]).await.len(), |dead| *dead > 0).await;
    browser.log_in(PASSWORD).await;
    let setup = browser.get("/setup").await;
    for _ in 0..2 {
        pages.push(submit(&mut browser, &setup, "setup/doctor").await);
    }
    browser
        .wait_for("/setup", |page| page.text.contains("企业可信IP") && !page.text.contains("检查中"))
        .await;
    browser.log_in(PASSWORD).await;
    let setup = browser.get("/setup").await;
    fs::write(relay.folder.path().join("config.yml"), "servers: {}").unwrap();
    pages.push(submit(&mut browser, &setup, "setup/reload").await);
    let mut paths: Vec<String> =
        relay.listed(&[]).await.iter().map(|listed| format!("/messages/{}", listed.id)).collect();
    paths.extend(PAGES.map(str::to_owned));
    for paths in paths.chunks(30) {
        browser.log_in(PASSWORD).await;
        for path in paths {
            pages.push(browser.get(path).await);
        }
    }
    browser.log_in(PASSWORD).await;
    let templates = browser.get("/templates").await.form("templates").unwrap();
    let drafts = [
        [("template", "{{ a "), ("data", "firing")],
        [("template", "{{ a.b }}"), ("data", "firing")],
        [("template", ENDLESS), ("data", "firing")],
        [("data", "paste"), ("payload", "{")],
        [("data", "paste"), ("payload", "{\"alerts\": [], \"status\": \"firing\"}")],
    ];
    for draft in drafts {
        let draft = draft.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let fields = [templates.fields.clone(), draft.to_vec()].concat();
        pages.push(browser.send(Method::POST, "/templates", &fields, &[]).await);
    }
    browser.log_in(PASSWORD).await;
    for (path, headers) in [
        ("/setup/doctor", [("origin", "http://evil.example")]),
        ("/setup/doctor", [("sec-fetch-site", "cross-site")]),
        ("/setup/doctor", [("content-type", "text/plain")]),
        ("/setup/doctor", [("accept", "text/html")]),
        ("/messages/requeue", [("accept", "text/html")]),
    ] {
        pages.push(browser.send(Method::POST, path, &[], &headers).await);
    }
    for path in [
        "/messages/1/requeue",
        "/messages/1/discard",
        "/messages/requeue",
        "/templates/confirm",
        "/setup/test",
    ] {
        pages.push(browser.send(Method::POST, path, &setup.form("setup/doctor").unwrap().fields, &[]).await);
    }
    let mut phone = Browser::at(&wecom.url);
    phone.language = "zh-CN";
    for path in ["/", "/?member=lisi", "/?group=%E8%BF%90%E7%BB%B4%E7%BE%A4"] {
        pages.push(phone.send(Method::GET, path, &[], &[("accept", "text/html")]).await);
    }
    let mut unknown = BTreeSet::new();
    for page in &pages {
        for text in visible_texts(&page.text) {
            let words = english_words(&text);
            if !words.is_empty() {
                unknown.insert(format!("{text}: {}", words.join(" ")));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    relay.stop().await;
}

#[test]
fn every_errcode_is_explained_in_chinese() {
    let by_api = errcode::entries_by_api().map(|(_, entry)| entry);
    let mut unknown = Vec::new();
    for entry in errcode::entries().chain(by_api) {
        for text in [Some(entry.meaning), entry.fix].into_iter().flatten() {
            let is_chinese = text.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            let words = english_words(text.zh);
            if !is_chinese || !words.is_empty() {
                unknown.push(format!("{}: {}: {}", entry.errcode.0, text.zh, words.join(" ")));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}
