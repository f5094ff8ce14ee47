//! `kill -9` while a robot sends far more alerts than it may, with the default limits.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::Instant;
use wecom_relay::sandbox::{Api, Effect, Fault, Moment, Settings};

use super::{options, seen, storm::worst_minute};
use crate::support::{Process, Wecom, config_file, payload, within};

/// The time that kills go on: the limit is that of a minute, and a process cannot have another one.
const PACE: Duration = Duration::from_secs(75);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "the figures of the kills")]
async fn no_kill_loses_an_alert_or_exceeds_the_limit_of_a_robot() {
    let wecom = Wecom::live(Settings::default()).await;
    let (_folder, config) = config_file(&wecom.url, &options(&wecom, ""));
    let mut rng = StdRng::seed_from_u64(1);
    let began = Instant::now();
    let (mut number, mut kills) = (0, 0);
    let mut relay = Process::start(&config).await;
    while began.elapsed() < PACE {
        if rng.random_ratio(1, 4) {
            wecom.sandbox.inject(Fault::new(Effect::Drop(Moment::After)).on(Api::WebhookSend).times(1));
        }
        for _ in 0..rng.random_range(1..15) {
            number += 1;
            let alert = payload(&format!("Kill{number:05}"), &[("a", true)]);
            assert_eq!(relay.post(&alert).await, Some(200));
        }
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..4000))).await;
        relay.kill().await;
        kills += 1;
        relay = Process::start(&config).await;
    }
    wecom.sandbox.clear_faults();
    let missing = || {
        let text = seen(&wecom).join("\n");
        (1..=number).filter(|number| !text.contains(&format!("Kill{number:05}"))).count()
    };
    // The last ones wait for the next minute.
    within(2 * PACE, wecom.sandbox.wait_until(|_| missing() == 0)).await;
    let (messages, worst) = (seen(&wecom).len(), worst_minute(&wecom));
    eprintln!("{number} alerts in {messages} messages over {kills} kills, at most {worst} in a minute");
    assert!(worst <= 20, "{worst}");
    let refused =
        wecom.sandbox.calls().iter().filter(|call| call.taken && call.api == Api::WebhookSend).count();
    assert_eq!(refused, messages, "no call was refused");
    relay.signal("TERM");
    assert!(relay.ended().await.success());
}
