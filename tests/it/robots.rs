//! Group robots, from a webhook to the messages of a group.

mod alertmanager;
mod chats;
mod faults;
mod kill;
mod messages;
mod several;
mod storm;

use wecom_relay::outbox::State;

use crate::support::{Options, Relay, Wecom, short_delays, soon};

/// The robot of the built-in directory, by the name of its group and its key.
const GROUP: &str = "运维群";
const KEY: &str = "sandbox-robot-key-ops";

/// A robot `group` of the sandbox, and the receiver `wechat` of it with further `keys`, each line with four spaces before
/// it.
fn options(wecom: &Wecom, keys: &str) -> Options {
    Options {
        more: robots(wecom),
        receivers: format!("  - name: wechat\n    robot: group\n{keys}"),
        ..Options::default()
    }
}

/// [`options`] with delays of tenths of seconds.
fn quick(wecom: &Wecom) -> Options {
    Options { tuning: short_delays(), ..options(wecom, "") }
}

fn robots(wecom: &Wecom) -> String {
    format!("robots:\n  - name: group\n    key: {}/cgi-bin/webhook/send?key={KEY}\n", wecom.url)
}

/// The texts that the group was shown.
fn seen(wecom: &Wecom) -> Vec<String> {
    wecom.sandbox.delivered_to_group(GROUP).into_iter().map(|shown| shown.text.to_string()).collect()
}

/// Waits until the group was shown `count` messages.
async fn shown(wecom: &Wecom, count: usize) -> Vec<String> {
    soon(wecom.sandbox.wait_for_group(GROUP, count)).await;
    seen(wecom)
}

async fn all_delivered(relay: &Relay, count: usize) {
    let settled = soon(relay.settled(count)).await;
    assert_eq!(settled.len(), count);
    for delivery in settled {
        assert_eq!(delivery.state, State::Delivered, "{}: {}", delivery.summary, delivery.reason);
    }
}
