//! The list of messages and the page of one message.

use reqwest::Method;
use wecom_relay::{outbox::State, pages::CONTENT_SECURITY_POLICY};

use super::{Browser, options, with_dead_letters};
use crate::support::{Relay, Wecom, payload};

/// Texts that would be code if a page did not escape them.
const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><svg onload=alert(1)>",
    "{{ 1 + 1 }}{% raw %}",
    "</textarea></pre><b>",
    "' onmouseover='alert(1)",
    "a\u{202E}b",
];

#[tokio::test]
async fn messages_are_found_by_words_state_and_number() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, "", &["DiskFull", "KafkaLag", "磁盘已满"]).await;
    let mut browser = Browser::new(&relay);
    for (query, found) in [
        ("", &["DiskFull", "KafkaLag", "磁盘已满"][..]),
        ("?q=disk", &["DiskFull"]),
        ("?q=FULL+disk", &["DiskFull"]),
        ("?q=%E7%A3%81%E7%9B%98", &["磁盘已满"]),
        ("?q=nothing", &[]),
        ("?q=cluster", &[]),
        ("?q=content:firing+disk", &["DiskFull"]),
        ("?q=content:nothing", &[]),
        ("?state=delivered", &[]),
        ("?state=dead&receiver=wechat&sender=ops", &["DiskFull", "KafkaLag", "磁盘已满"]),
        ("?sender=other", &[]),
        ("?kind=digest", &[]),
        ("?group=%7B%7D%3A%7Balertname%3D%22KafkaLag%22%7D", &["KafkaLag"]),
        ("?since=2000-01-01T00%3A00&until=2100-01-01T00%3A00", &["DiskFull", "KafkaLag", "磁盘已满"]),
        ("?until=2000-01-01T00%3A00", &[]),
    ] {
        let page = browser.get(&format!("/messages{query}")).await;
        let rows = page.text.split("id=\"list\"").nth(1).unwrap();
        for name in ["DiskFull", "KafkaLag", "磁盘已满"] {
            assert_eq!(rows.contains(name), found.contains(&name), "{query}: {name} in {rows}");
        }
    }
    let id = relay.listed(&[]).await[2].id;
    assert_eq!(browser.get(&format!("/messages?q=%23{id}")).await.location(), format!("./messages/{id}"));
    // A filter in use is not folded away.
    let folded = browser.get("/messages").await.text.contains("<details id=\"filters\">");
    let open = browser.get("/messages?sender=ops").await.text.contains("<details id=\"filters\" open>");
    assert!(folded && open);
    let filtered = browser.get("/messages?sender=ops&since=2000-01-01T00%3A00&state=dead&q=disk").await.text;
    assert!(filtered.contains("<summary>Filters (2)</summary>"), "{filtered}");
    for chip in [">All</a>", ">Waiting</a>", ">Dead letter</a>", ">Taken by WeCom</a>", ">Discarded</a>"] {
        assert!(filtered.contains(chip), "{chip} in {filtered}");
    }
    let bad = browser.get("/messages?state=gone").await;
    assert!(bad.status == 400 && bad.text.contains("state=gone is not valid"), "{}", bad.text);
    relay.stop().await;
}

#[tokio::test]
async fn pages_show_each_message_once_while_more_arrive() {
    let wecom = Wecom::start().await;
    let groups: Vec<String> = (0..120).map(|number| format!("Group{number}")).collect();
    let names: Vec<&str> = groups.iter().map(String::as_str).collect();
    let relay = with_dead_letters(&wecom, "", &names).await;
    let mut accepted: Vec<i64> =
        relay.listed(&[State::Dead]).await.iter().map(|listed| listed.id.0).collect();
    accepted.reverse();
    let mut browser = Browser::new(&relay);
    let mut seen = Vec::new();
    let mut next = Some("/messages".to_owned());
    while let Some(path) = next {
        let page = browser.get(&path).await;
        let rows =
            page.attributes("id").into_iter().filter_map(|id| id.strip_prefix('m')?.parse::<i64>().ok());
        seen.extend(rows);
        relay.post(&payload(&format!("Late{}", seen.len()), &[("a", true)])).await;
        let older = page.attributes("href").into_iter().find(|href| href.contains("after="));
        next = older.map(|href| page.url.join(&href).unwrap().to_string());
    }
    assert_eq!(seen, accepted);
    relay.stop().await;
}

#[tokio::test]
async fn a_message_shows_its_attempts_and_its_text() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, "", &["DiskFull"]).await;
    let mut browser = Browser::new(&relay);
    let page = browser.get("/messages/1").await;
    for text in
        ["dead letter", "errcode 81013", "[FIRING:1] DiskFull", "receiver wechat, sender ops", "attempt 1"]
    {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
    assert_eq!(page.attributes("href").iter().filter(|href| href.contains("group=")).count(), 1);
    for missing in ["/messages/99", "/messages/x", "/messages/-1"] {
        assert_eq!(browser.get(missing).await.status, 404, "{missing}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_message_leads_to_its_neighbours() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, "", &["First", "Second", "Third"]).await;
    let mut browser = Browser::new(&relay);
    let ids: Vec<i64> = relay.listed(&[State::Dead]).await.iter().map(|listed| listed.id.0).collect();
    let link = |rel: &str, id: i64| format!("rel=\"{rel}\" href=\"../messages/{id}\"");
    let page = browser.get(&format!("/messages/{}", ids[1])).await;
    assert!(page.text.contains(&link("next", ids[2])), "{}", page.text);
    assert!(page.text.contains(&link("prev", ids[0])), "{}", page.text);
    let oldest = browser.get(&format!("/messages/{}", ids[0])).await;
    assert!(!oldest.text.contains("rel=\"prev\""), "{}", oldest.text);
    relay.stop().await;
}

#[tokio::test]
async fn hostile_texts_are_shown_as_they_are() {
    let wecom = Wecom::start().await;
    let relay = with_dead_letters(&wecom, "", &HOSTILE).await;
    relay.request(Method::POST, &format!("/webhook/{}", "%3Cscript%3Ealert(1)%3C%2Fscript%3E"), "{}").await;
    let mut browser = Browser::new(&relay);
    let mut paths = vec!["/".to_owned(), "/messages".to_owned()];
    for listed in relay.listed(&[State::Dead]).await {
        paths.push(format!("/messages/{}", listed.id));
        paths.push(format!("/messages/{}/confirm?do=discard", listed.id));
    }
    for hostile in HOSTILE {
        let encoded = wecom_relay::text::percent_encode(hostile);
        paths.push(format!("/messages?q={encoded}&receiver={encoded}&group={encoded}"));
        paths.push(format!("/messages?state={encoded}"));
    }
    for path in paths {
        let page = browser.get(&path).await;
        let text = page.text.to_lowercase();
        for code in ["<script>", "<svg ", "onload=alert(1)>", "<b>", "' onmouseover='"] {
            assert!(!text.contains(code), "{code} in {path}: {}", page.text);
        }
        assert_eq!(
            page.headers["content-security-policy"].to_str().unwrap(),
            CONTENT_SECURITY_POLICY,
            "{path}"
        );
        assert!(!page.text.contains(" style=") && !page.text.contains("javascript:"), "{path}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_search_that_finds_nothing_says_how_far_it_looked() {
    let wecom = Wecom::start().await;
    let relay = Relay::with(&wecom.url, options("")).await;
    let page = Browser::new(&relay).get("/messages?q=nothing").await;
    assert!(page.text.contains("No message matches."), "{}", page.text);
    let empty = Browser::new(&relay).get("/messages").await;
    assert!(empty.text.contains("No message yet."), "{}", empty.text);
    relay.stop().await;
}
