//! Many notifications at once.

use std::{collections::HashSet, time::Duration};

use futures_util::{StreamExt, stream};
use wecom_relay::{app::Tuning, delivery::rate_limiter::Windows, outbox::State, sandbox};

use crate::support::{
    Options, Relay, Wecom,
    members::{self, BY_MEMBER, member, payload_for},
    payload, soon, within,
};

/// Members that each get [`PER_MEMBER`] alerts, below the default limits.
const MEMBERS: usize = 500;
const PER_MEMBER: usize = 2;

/// A storm is visible in less than this, even on a busy machine.
const STORM: Duration = Duration::from_secs(180);

/// The number of groups in a storm.
pub(crate) const GROUPS: usize = 500;

/// For firing and then for resolved alerts: the beginning of a whole message, and of the summary in a line of a digest.
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

/// The number of groups that members see, as a message of its own or as a line of a digest.
pub(crate) fn visible(wecom: &Wecom, whole: &str, line: &str) -> usize {
    let texts: Vec<_> = wecom.sandbox.delivered_to("zhangsan").into_iter().map(|seen| seen.text).collect();
    let is_visible = |group: &usize| {
        let (whole, summary) = (format!("{whole} {} ", name(*group)), format!("{line} {} ", name(*group)));
        texts.iter().any(|text| text.starts_with(&whole) || has_line(text, &summary))
    };
    (0..GROUPS).filter(is_visible).count()
}

/// True if a digest has a line with this summary, which follows the time of acceptance.
fn has_line(digest: &str, summary: &str) -> bool {
    let mut lines = digest.lines().filter_map(|line| line.strip_prefix("- ")?.split_once(' '));
    lines.any(|(_time, line)| line.starts_with(summary))
}

/// The number of messages that the sandbox silently dropped.
pub(crate) fn dropped(wecom: &Wecom) -> usize {
    let messages = wecom.sandbox.messages();
    let outcomes = messages.iter().flat_map(|message| message.members.iter().map(|(_, outcome)| *outcome));
    outcomes.filter(|outcome| *outcome == sandbox::MemberOutcome::Dropped).count()
}

/// Windows a tenth as long as WeCom's, for both the relay and the sandbox.
pub(crate) fn windows() -> (Windows, sandbox::Settings) {
    let windows = Windows { minute: Duration::from_secs(6), hour: Duration::from_secs(360) };
    let limit = |messages, window| sandbox::Limit { messages, window };
    let member_limits = vec![limit(30, windows.minute), limit(1000, windows.hour)];
    (windows, sandbox::Settings { member_limits, ..sandbox::Settings::default() })
}

#[tokio::test]
async fn many_members_see_their_alerts_whole() {
    let wecom = Wecom::with_members(MEMBERS).await;
    let receivers = BY_MEMBER.to_owned();
    let relay = Relay::with(&wecom.url, Options { receivers, ..Options::default() }).await;
    let mut sent = 0;
    for (fires, title, _) in STAGES {
        let posts = (0..PER_MEMBER * MEMBERS).map(async |number| {
            let recipient = member(number % MEMBERS);
            relay.post(&payload_for(&recipient, &name(number), &[("a", fires)])).await;
        });
        stream::iter(posts).buffer_unordered(64).collect::<()>().await;
        sent += PER_MEMBER * MEMBERS;
        soon(wecom.sandbox.wait_until(|sandbox| sandbox.send_calls() == sent)).await;
        let seen: HashSet<String> = members::shown(&wecom.sandbox)
            .iter()
            .filter_map(|text| Some(text.strip_prefix(title)?.trim_start().split(' ').next()?.to_owned()))
            .collect();
        assert_eq!(seen, (0..PER_MEMBER * MEMBERS).map(name).collect());
    }
    soon(relay.settled(sent)).await;
    assert_eq!(members::count(&wecom.sandbox, sandbox::MemberOutcome::Shown), sent);
    relay.stop().await;
}

#[tokio::test]
async fn five_hundred_groups_at_once_are_all_visible() {
    let (windows, settings) = windows();
    let wecom = Wecom::live(settings).await;
    let tuning = Tuning { windows, seed: Some(1), ..Tuning::default() };
    let relay = Relay::with(&wecom.url, Options { tuning, ..Options::default() }).await;
    for (fires, whole, line) in STAGES {
        post(&relay, fires).await;
        within(STORM, wecom.sandbox.wait_until(|_| visible(&wecom, whole, line) == GROUPS)).await;
        // The resolved notifications follow one window later.
        tokio::time::sleep(windows.minute).await;
    }
    assert_eq!(dropped(&wecom), 0);
    soon(relay.settled(2 * GROUPS)).await;
    assert!(relay.listed(&[State::Dead]).await.is_empty());
    relay.stop().await;
}
