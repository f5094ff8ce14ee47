//! More alerts than a robot may send, with the default limits: 20 in a minute.

use std::time::Duration;

use wecom_relay::sandbox::{MemberOutcome, Settings};

use super::{GROUP, options, seen};
use crate::support::{Relay, Wecom, members, payload, within};

const GROUPS: usize = 200;
/// Two minutes of the limit are enough. A busy machine may be slower.
const STORM: Duration = Duration::from_secs(240);

fn name(group: usize) -> String {
    format!("Storm{group:03}")
}

/// The largest number of messages to the group within a minute.
pub(super) fn worst_minute(wecom: &Wecom) -> usize {
    let times: Vec<_> = wecom.sandbox.delivered_to_group(GROUP).iter().map(|shown| shown.at).collect();
    let within_minute = |start: usize| {
        let in_window = |at: &&jiff::Timestamp| at.duration_since(times[start]).as_secs_f64() < 60.0;
        times.iter().skip(start).filter(in_window).count()
    };
    (0..times.len()).map(within_minute).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "the figures of the storm")]
async fn two_hundred_groups_are_readable_within_the_limit_of_a_robot() {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::with(&wecom.url, options(&wecom, "")).await;
    let posts = (0..GROUPS).map(async |group| relay.post(&payload(&name(group), &[("a", true)])).await);
    futures_util::future::join_all(posts).await;
    let missing = || {
        let text = seen(&wecom).join("\n");
        (0..GROUPS).filter(|group| !text.contains(&format!("[FIRING:1] {} ", name(*group)))).count()
    };
    within(STORM, wecom.sandbox.wait_until(|_| missing() == 0)).await;
    let (messages, worst) = (seen(&wecom).len(), worst_minute(&wecom));
    eprintln!("{GROUPS} groups in {messages} messages, at most {worst} in a minute");
    assert!(worst <= 20, "{worst}");
    // No call was refused, and nothing was dropped.
    assert_eq!(wecom.sandbox.webhook_calls(), messages);
    assert_eq!(members::count(&wecom.sandbox, MemberOutcome::Dropped), 0);
    relay.stop().await;
}
