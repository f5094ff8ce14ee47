//! Presses of several cards at the same time.

use std::sync::atomic::Ordering;

use super::{
    Stage, options,
    proxy::{Proxy, Spoiling},
};
use crate::support::eventually;

#[tokio::test]
async fn a_hanging_alertmanager_delays_no_press_of_another_card() {
    let proxy = Proxy::start(Spoiling::Silence).await;
    let mut options = options(&proxy.url, "{}");
    options.more = options.more.replace("timeout: 2s", "timeout: 30s");
    let stage = Stage::with(options).await;
    for group in ["DiskFull", "CpuHigh"] {
        let task_id = stage.card(group).await;
        stage.press(&task_id, "zhangsan", "silence:3600").await;
    }
    eventually(async || proxy.counts.all.load(Ordering::Relaxed), |asked| *asked == 2).await;
    let task_id = stage.card("MemoryLow").await;
    stage.press(&task_id, "lisi", "ack").await;
    let result = stage.result().await;
    assert!(result.starts_with("lisi acknowledged "), "{result}");
    let presses = stage.presses().await;
    assert!(presses.iter().all(|press| press.last_failure.is_none()), "{presses:?}");
    stage.stop().await;
}
