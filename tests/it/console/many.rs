//! An outbox with more messages than one search looks at.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use serde_json::Value;
use tempfile::TempDir;
use wecom_relay::outbox::{DeliveryId, Filter, ListOrder, OutboxQuery, PageRequest, State};

use super::{Browser, options};
use crate::support::{Options, Relay, Wecom, payload, soon};

const MESSAGES: i64 = 101_000;
/// The messages that arrive while somebody reads all of them.
const ARRIVALS: usize = 1000;

/// The folder of an outbox with many messages that were delivered. All are copies of one.
async fn filled(wecom: &Wecom) -> Arc<TempDir> {
    let relay = Relay::with(&wecom.url, options("")).await;
    relay.post(&payload("DiskFull", &[("a", true)])).await;
    relay.settled(1).await;
    let folder = relay.stop().await;
    let outbox = rusqlite::Connection::open(folder.path().join("outbox.db")).unwrap();
    let columns = "SELECT group_concat(name, ', ') FROM pragma_table_info('delivery')
        WHERE name NOT IN ('id', 'notification')";
    let columns: String = outbox.query_row(columns, [], |row| row.get(0)).unwrap();
    let copy = format!(
        "WITH RECURSIVE copy(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM copy WHERE n < {MESSAGES})
         INSERT INTO delivery (id, notification, {columns}) SELECT n, n, {columns} FROM copy, delivery WHERE id = 1"
    );
    // Messages of long ago do not count for rate limits.
    outbox.execute_batch("UPDATE delivery SET attempt_counted = 0").unwrap();
    outbox.execute_batch(&copy).unwrap();
    outbox.execute_batch("UPDATE delivery SET state = 5 WHERE id > 50000 AND id <= 75000").unwrap();
    outbox.execute_batch(&format!("UPDATE numbers SET last = {MESSAGES} + last")).unwrap();
    folder
}

/// A page of messages. A program that is too fast waits as long as the answer says.
async fn listed_page(relay: &Relay, address: &str) -> Value {
    loop {
        let answer = soon(relay.client.get(format!("{}{address}", relay.url)).send()).await.unwrap();
        if answer.status() == 429 {
            let seconds = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            continue;
        }
        assert_eq!(answer.status(), 200);
        return serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    }
}

/// The numbers of all messages, with the number of times that each was listed.
async fn read_all(relay: &Relay) -> BTreeMap<i64, u32> {
    let (mut seen, mut after) = (BTreeMap::new(), String::new());
    loop {
        let page = listed_page(relay, &format!("/api/v1/messages?limit=200{after}")).await;
        for item in page["items"].as_array().unwrap() {
            *seen.entry(item["id"].as_i64().unwrap()).or_default() += 1;
        }
        let Some(next) = page["next"].as_i64() else { return seen };
        after = format!("&after={next}");
    }
}

#[tokio::test]
async fn many_messages_are_searched_in_bounded_steps() {
    let wecom = Wecom::start().await;
    let folder = filled(&wecom).await;
    let relay = Relay::with(&wecom.url, Options { folder: Some(folder), ..options("") }).await;
    let mut browser = Browser::new(&relay);
    for path in ["/", "/messages", "/messages?state=dead", "/messages?state=dead&receiver=gone"] {
        let page = soon(browser.get(path)).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        assert!(page.text.matches("<li id=\"m").count() <= 50, "{path}");
    }
    let page = soon(browser.get("/messages?q=nothing+like+this")).await;
    assert!(page.text.contains("Searched back to"), "{}", page.text);
    let further = page.attributes("href").into_iter().find(|link| link.contains("after=")).unwrap();
    assert_eq!(soon(browser.get(page.url.join(&further).unwrap().as_str())).await.status, 200);
    // A search among dead letters has a window too.
    let filter = Filter { states: vec![State::Dead], words: vec!["nothing".to_owned()], ..Filter::default() };
    let page = PageRequest { order: ListOrder::NewestFirst, after: None, limit: 10 };
    let found = relay.outbox.list(filter, page).await.unwrap();
    assert_eq!((found.deliveries.len(), found.next), (0, Some(DeliveryId(55_001))));
    let arrivals = stream::iter(0..ARRIVALS).for_each_concurrent(4, async |number| {
        relay.post(&payload(&format!("Arrival{number}"), &[("a", true)])).await;
    });
    let (seen, ()) = tokio::join!(read_all(&relay), arrivals);
    let old = seen.range(..=MESSAGES).collect::<Vec<_>>();
    assert_eq!(old.len(), usize::try_from(MESSAGES).unwrap());
    assert!(old.iter().all(|(_, times)| **times == 1));
    relay.stop().await;
}
