//! One `gettoken` call serves all waiting notifications.

use wecom_relay::sandbox::{Effect, Expired, Fault};

use crate::support::{
    Options, Relay, Wecom,
    members::{self, BY_MEMBER, member, payload_for},
    soon,
};

const MEMBERS: usize = 64;

/// Posts a notification for each member at once, and waits until all are shown.
async fn post_to_all(wecom: &Wecom, relay: &Relay, round: usize) {
    let posts = (0..MEMBERS).map(|group| async move {
        relay.post(&payload_for(&member(group), &format!("Round{round}Group{group}"), &[("a", true)])).await;
    });
    futures_util::future::join_all(posts).await;
    soon(wecom.sandbox.wait_until(|sandbox| members::shown(sandbox).len() == round * MEMBERS)).await;
}

#[tokio::test]
async fn many_notifications_share_one_token_and_one_renewal() {
    let wecom = Wecom::with_members(MEMBERS).await;
    let latency = Effect::Latency(std::time::Duration::from_millis(50));
    wecom.sandbox.inject(Fault::new(latency));
    let relay =
        Relay::with(&wecom.url, Options { receivers: BY_MEMBER.to_owned(), ..Options::default() }).await;
    post_to_all(&wecom, &relay, 1).await;
    assert_eq!(wecom.sandbox.gettoken_calls(), 1);
    for (round, answer) in [(2, Expired::With42001), (3, Expired::With40014)] {
        wecom.sandbox.expire_tokens(answer);
        post_to_all(&wecom, &relay, round).await;
        assert_eq!(wecom.sandbox.gettoken_calls(), round, "{answer:?}");
    }
    assert_eq!(soon(relay.settled(3 * MEMBERS)).await.len(), 3 * MEMBERS);
    relay.stop().await;
    assert_eq!(members::shown(&wecom.sandbox).len(), 3 * MEMBERS);
}
