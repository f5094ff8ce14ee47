//! Messages that are answered with errcode 0 and not shown.

use std::time::Duration;

use serde_json::json;
use wecom_relay::sandbox::{Limit, MemberOutcome, Settings};

use super::{text, text_to, texts, with};
use crate::support::{OTHER_AGENT, OTHER_SECRET, Wecom};

fn outcomes(wecom: &Wecom) -> Vec<MemberOutcome> {
    wecom.sandbox.messages().iter().flat_map(|one| &one.members).map(|(_, outcome)| *outcome).collect()
}

#[tokio::test]
async fn the_31st_message_in_a_minute_is_silently_dropped() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    for n in 1..=32 {
        let reply = wecom.send(&token, &text(&n.to_string())).await;
        assert_eq!((reply["errcode"].as_i64(), reply["errmsg"].as_str()), (Some(0), Some("ok")));
    }
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 30);
    assert_eq!(outcomes(&wecom).iter().filter(|outcome| **outcome == MemberOutcome::Dropped).count(), 2);

    wecom.send(&token, &text_to("lisi", "another member")).await;
    assert_eq!(wecom.sandbox.delivered_to("lisi").len(), 1);
    let other = wecom.token_of(OTHER_SECRET).await;
    wecom.send(&other, &with(text("another app"), json!({ "agentid": OTHER_AGENT }))).await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 31);
}

#[tokio::test]
async fn both_windows_slide_and_are_enforced() {
    let limit = |messages, seconds| Limit { messages, window: Duration::from_secs(seconds) };
    let member_limits = vec![limit(2, 10), limit(4, 100)];
    let wecom = Wecom::with(Settings { member_limits, ..Settings::default() }).await;
    let token = wecom.token().await;
    let mut now = 0;
    for at in [0, 6, 9, 10, 15, 16, 30, 99, 100, 101] {
        wecom.clock.advance(Duration::from_secs(at - now));
        now = at;
        wecom.send(&token, &text(&at.to_string())).await;
    }
    // 9 and 15 are over the short window; 30 and 99 over the long one, which 0 leaves at 100.
    assert_eq!(texts(&wecom.sandbox.delivered_to("zhangsan")), ["0", "6", "10", "16", "100"]);
}

#[tokio::test]
async fn a_duplicate_within_the_interval_is_not_shown() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let checked = |content, interval| {
        let fields = json!({ "enable_duplicate_check": 1, "duplicate_check_interval": interval });
        with(text(content), fields)
    };
    let first = wecom.send(&token, &checked("a", 120)).await;
    let copy = wecom.send(&token, &checked("a", 120)).await;
    assert_eq!(copy["errcode"], 0);
    assert_ne!(copy["msgid"], first["msgid"]);
    // Another text, another interval or no check at all is another request.
    wecom.send(&token, &checked("b", 120)).await;
    wecom.send(&token, &checked("a", 121)).await;
    wecom.send(&token, &text("a")).await;
    wecom.send(&token, &text("a")).await;
    assert_eq!(texts(&wecom.sandbox.delivered_to("zhangsan")), ["a", "b", "a", "a", "a"]);
    assert_eq!(outcomes(&wecom).get(1), Some(&MemberOutcome::Duplicate));

    wecom.clock.advance(Duration::from_secs(119));
    wecom.send(&token, &checked("b", 120)).await;
    wecom.clock.advance(Duration::from_secs(1));
    wecom.send(&token, &checked("b", 120)).await;
    assert_eq!(texts(&wecom.sandbox.delivered_to("zhangsan")), ["a", "b", "a", "a", "a", "b"]);
}

#[tokio::test]
async fn the_default_interval_is_half_an_hour() {
    let wecom = Wecom::start().await;
    let token = wecom.token().await;
    let body = with(text("a"), json!({ "enable_duplicate_check": 1 }));
    wecom.send(&token, &body).await;
    wecom.clock.advance(Duration::from_secs(1_799));
    wecom.send(&token, &body).await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 1);
    wecom.clock.advance(Duration::from_secs(1));
    wecom.send(&token, &body).await;
    assert_eq!(wecom.sandbox.delivered_to("zhangsan").len(), 2);
}

#[tokio::test]
async fn the_oldest_messages_are_dropped_first() {
    let wecom = Wecom::with(Settings { history: 2, ..Settings::default() }).await;
    let token = wecom.token().await;
    for content in ["1", "2", "3"] {
        wecom.send(&token, &text(content)).await;
    }
    assert_eq!(texts(&wecom.sandbox.delivered_to("zhangsan")), ["2", "3"]);
    assert_eq!(wecom.sandbox.messages().len(), 2);
    assert_eq!(wecom.sandbox.calls().len(), 2);
    assert_eq!(wecom.sandbox.send_calls(), 3);
}
