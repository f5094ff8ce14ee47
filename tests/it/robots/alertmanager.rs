//! A real Alertmanager sends to the person on call by the app, and to the group by the robot.

use std::{collections::BTreeMap, time::Duration};

use wecom_relay::sandbox::{Delivered, Settings};

use super::{GROUP, options};
use crate::{
    alertmanager::{Alertmanager, alerts},
    support::{
        Options, Relay, Wecom,
        tools::{ALERTMANAGER, find},
        within,
    },
};

const PATIENCE: Duration = Duration::from_secs(60);
const GROUPS: [&str; 4] = ["磁盘空间不足", "HttpErrors", "InstanceDown", "Watchdog"];

/// The number of messages for each group of alerts.
fn counts(seen: &[Delivered]) -> BTreeMap<&'static str, usize> {
    let of = |group: &&'static str| (*group, seen.iter().filter(|seen| seen.text.contains(*group)).count());
    GROUPS.iter().map(of).collect()
}

#[tokio::test]
async fn alertmanager_reaches_the_app_and_the_robot_once_each() {
    let Some(binary) = find(&ALERTMANAGER) else { return };
    let wecom = Wecom::live(Settings::default()).await;
    let receivers = "  - { name: oncall, app: ops, to_user: zhangsan, also: [team] }\n  \
                     - { name: team, robot: group, message_type: markdown_v2, language: zh }\n";
    let options = Options { receivers: receivers.to_owned(), ..options(&wecom, "") };
    let relay = Relay::with(&wecom.url, options).await;
    let config = format!(
        "route: {{ receiver: oncall, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h }}
receivers:
  - name: oncall
    webhook_configs:
      - url: {}/webhook
        send_resolved: true
",
        relay.url
    );
    let alertmanager = Alertmanager::start(&binary, &config).await;
    for (fires, messages) in [(true, 1), (false, 2)] {
        alertmanager.post(&alerts(|_| fires)).await;
        let all = || {
            let (person, group) =
                (wecom.sandbox.delivered_to("zhangsan"), wecom.sandbox.delivered_to_group(GROUP));
            person.len() >= messages * GROUPS.len() && group.len() >= messages * GROUPS.len()
        };
        within(PATIENCE, wecom.sandbox.wait_until(|_| all())).await;
    }
    drop(alertmanager);
    relay.stop().await;
    let once: BTreeMap<_, _> = GROUPS.into_iter().map(|group| (group, 2)).collect();
    assert_eq!(counts(&wecom.sandbox.delivered_to("zhangsan")), once);
    assert_eq!(counts(&wecom.sandbox.delivered_to_group(GROUP)), once);
}
