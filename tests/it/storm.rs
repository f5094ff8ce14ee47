//! Many notifications at once.

use std::time::Duration;

use wecom_relay::{app::Tuning, delivery::pace::Windows, outbox::State, sandbox};

use crate::support::{Options, Relay, Wecom, payload};

/// How many groups a storm has.
pub(crate) const GROUPS: usize = 500;

/// Firing, then resolved: how a message begins, whole and as a line of a digest.
pub(crate) const STAGES: [(bool, &str, &str); 2] =
    [(true, "[FIRING:1]", "[FIRING:1]"), (false, "[RESOLVED]", "[RESOLVED:1]")];

fn name(group: usize) -> String {
    format!("Storm{group:03}")
}

/// Posts a notification of each group at once.
pub(crate) async fn post(relay: &Relay, fires: bool) {
    let posts = (0..GROUPS).map(async |group| relay.post(&payload(&name(group), &[("a", fires)])).await);
    futures_util::future::join_all(posts).await;
}

/// How many of the groups the member can read of: whole, or as a line of a digest.
pub(crate) fn visible(wecom: &Wecom, whole: &str, line: &str) -> usize {
    let texts: Vec<_> = wecom.sandbox.delivered_to("zhangsan").into_iter().map(|seen| seen.text).collect();
    let is_visible = |group: &usize| {
        let (whole, line) = (format!("{whole} {} ", name(*group)), format!("- {line} {} ", name(*group)));
        texts.iter().any(|text| text.starts_with(&whole) || text.contains(&line))
    };
    (0..GROUPS).filter(is_visible).count()
}

/// How many messages the sandbox dropped in silence.
pub(crate) fn dropped(wecom: &Wecom) -> usize {
    let messages = wecom.sandbox.messages();
    let outcomes = messages.iter().flat_map(|message| message.members.iter().map(|(_, outcome)| *outcome));
    outcomes.filter(|outcome| *outcome == sandbox::MemberOutcome::Dropped).count()
}

/// Windows a tenth as long as WeCom's, for the relay and for the sandbox alike.
fn windows() -> (Windows, sandbox::Settings) {
    let windows = Windows { minute: Duration::from_secs(6), hour: Duration::from_secs(360) };
    let limit = |messages, window| sandbox::Limit { messages, window };
    let member_limits = vec![limit(30, windows.minute), limit(1000, windows.hour)];
    (windows, sandbox::Settings { member_limits, ..sandbox::Settings::default() })
}

#[tokio::test]
async fn five_hundred_groups_at_once_are_all_visible_and_none_is_dropped() {
    let (windows, settings) = windows();
    let wecom = Wecom::live(settings).await;
    let tuning = Tuning { windows, seed: Some(1), ..Tuning::default() };
    let relay = Relay::with(&wecom.url, Options { tuning, ..Options::default() }).await;
    for (fires, whole, line) in STAGES {
        post(&relay, fires).await;
        wecom.sandbox.wait_until(|_| visible(&wecom, whole, line) == GROUPS).await;
        // The resolved ones come a window later.
        tokio::time::sleep(windows.minute).await;
    }
    assert_eq!(dropped(&wecom), 0);
    relay.settled(2 * GROUPS).await;
    assert!(relay.listed(&[State::Dead]).await.is_empty());
    relay.stop().await;
}
