//! The scenes, each of which ends when everything was delivered.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::{
    relay::DIRECT_AGENT,
    stage::Stage,
    webhook::{Group, GroupAlert},
};
use crate::{
    sandbox::{DemoPress, Effect, Fault, MemberOutcome},
    wecom::{Content, Message, Outcome, Recipients, WeCom as _},
};

pub(super) async fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    one_alert(stage).await?;
    outage(stage).await?;
    storm(stage).await?;
    long_group(stage).await
}

async fn one_alert(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading("1. 一条告警，从 Alertmanager 到手机", "1. One alert, from Alertmanager to the phone")?;
    let posted = Instant::now();
    stage
        .post(
            "wechat",
            &group("磁盘即将写满", "warning", "firing", &["db-1:9100"], "/data 已用 91%，预计 4 小时后写满"),
        )
        .await?;
    let stored = posted.elapsed().as_millis();
    let messages = stage.until_delivered().await?;
    let arrived = posted.elapsed().as_millis();
    stage.say_with_time(
        &format!("{stored} 毫秒后已落盘并返回 200，{arrived} 毫秒后到达手机："),
        &format!("stored on disk and answered with 200 after {stored} ms, on the phone after {arrived} ms:"),
    )?;
    for message in &messages {
        stage.show(message, 16)?;
    }
    Ok(())
}

async fn outage(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading(
        "2. 企业微信故障 3 秒：每次调用都返回 502",
        "2. WeCom fails for 3 seconds: every call is answered with 502",
    )?;
    stage.relay.sandbox.inject(bad_gateway());
    for (name, status) in
        [("HostDown", "firing"), ("HighLatency", "firing"), ("QueueFull", "firing"), ("HostDown", "resolved")]
    {
        let summary = stage.language.pick("服务受影响，请处理", "the service is affected");
        stage.post("wechat", &group(name, "critical", status, &["web-1:9100"], summary)).await?;
    }
    for _ in 0..3 {
        stage.watch(Duration::from_secs(1)).await?;
    }
    stage.relay.sandbox.clear_faults();
    stage.say_with_time("企业微信恢复", "WeCom works again")?;
    let messages = stage.until_delivered().await?;
    let count = messages.len();
    stage.say_with_time(
        &format!("{count} 条全部到达，同一组的“恢复”仍在“告警”之后："),
        &format!("all {count} arrived, and \"resolved\" still comes after \"firing\" of the same group:"),
    )?;
    for message in &messages {
        stage.show(message, 2)?;
    }
    Ok(())
}

/// The number of groups that fire at once.
const STORM: usize = 200;

/// WeCom fails at first, so that the notifications wait together.
async fn storm(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading(
        &format!("3. 告警风暴：{STORM} 个分组同时告警，发给同一个人"),
        &format!("3. A storm: {STORM} groups fire at once, for one member"),
    )?;
    let DirectSends { accepted, shown } = send_directly(stage).await?;
    let dropped = accepted.saturating_sub(shown);
    stage.say_with_time(
        &format!("不经 relay 逐条发送：企业微信对 {accepted} 条都返回成功，"),
        &format!("without the relay: WeCom answers {accepted} of {STORM} sends with ok,"),
    )?;
    stage.say_with_time(
        &format!("手机只显示 {shown} 条，其余 {dropped} 条被静默丢弃"),
        &format!("the phone shows {shown}, and {dropped} are silently dropped"),
    )?;
    stage.relay.sandbox.inject(bad_gateway());
    let summary = stage.language.pick("实例无法访问", "the instance does not answer");
    for number in 1..=STORM {
        let (name, instance) = (format!("InstanceDown{number:03}"), format!("10.0.0.{number}:9100"));
        stage.post("storm", &group(&name, "critical", "firing", &[&instance], summary)).await?;
    }
    stage.say_with_time(
        &format!("relay 已接收 {STORM} 条通知，此时企业微信又在故障中"),
        &format!("the relay has accepted {STORM} notifications, while WeCom fails again"),
    )?;
    stage.relay.sandbox.clear_faults();
    let messages = stage.until_delivered().await?;
    let count = messages.len();
    stage.say_with_time(
        &format!("{STORM} 条通知合并为 {count} 条消息送达，最长的一条："),
        &format!("{STORM} notifications arrived in {count} messages; the longest one:"),
    )?;
    if let Some(message) = messages.iter().max_by_key(|message| message.text.len()) {
        stage.show(message, 8)?;
    }
    Ok(())
}

/// The numbers of messages that WeCom accepted, and that the phone showed.
struct DirectSends {
    accepted: usize,
    shown: usize,
}

/// Sends one message for each group to the member of the storm, with another app.
async fn send_directly(stage: &Stage<'_>) -> anyhow::Result<DirectSends> {
    let recipients = Recipients::parse("lisi", "", "")?;
    let sends = stream::iter(1..=STORM).map(|number| {
        let (client, recipients) = (stage.relay.direct.clone(), recipients.clone());
        async move {
            let content = Content::Text(format!("InstanceDown{number:03}"));
            client.send(&Message { recipients, content, duplicate_check: None }).await
        }
    });
    let outcomes: Vec<Outcome> = sends.buffered(8).collect().await;
    let accepted = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Accepted(_))).count();
    let messages = stage.relay.sandbox.messages();
    let direct = messages.iter().filter(|message| message.agent_id == DIRECT_AGENT);
    let outcomes = direct.flat_map(|message| &message.members);
    let shown = outcomes.filter(|(_, outcome)| *outcome == MemberOutcome::Shown).count();
    Ok(DirectSends { accepted, shown })
}

async fn long_group(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    // The Chinese message is shorter, and needs more alerts for several parts.
    let count = stage.language.pick(90, 24);
    stage.heading(
        &format!("4. 一个分组 {count} 条告警：超过 2048 字节，分条发送"),
        &format!("4. {count} alerts in one group: over 2,048 bytes, sent in parts"),
    )?;
    let instances: Vec<String> = (1..=count).map(|number| format!("shop-{number:02}:8080")).collect();
    let names: Vec<&str> = instances.iter().map(String::as_str).collect();
    stage.post("wechat", &group("订单接口变慢", "warning", "firing", &names, "P99 延迟超过 2 秒")).await?;
    let messages = stage.until_delivered().await?;
    let shown: String = messages.iter().map(|message| &*message.text).collect();
    let seen = names.iter().filter(|instance| shown.contains(**instance)).count();
    let parts = messages.len();
    stage.say_with_time(
        &format!("分 {parts} 条到达，{count} 条告警中显示 {seen} 条："),
        &format!("arrived in {parts} parts, which show {seen} of {count} alerts:"),
    )?;
    for message in &messages {
        stage.show(message, 6)?;
    }
    Ok(())
}

/// The number of groups of the button for a storm.
const STORM_OF_BUTTON: usize = 500;

/// Sends the alerts of a button of the page.
pub(super) async fn press(stage: &mut Stage<'_>, press: DemoPress) -> anyhow::Result<()> {
    let name = stage.language.pick("磁盘已满", "DiskFull");
    let summary = stage.language.pick("/data 已用 100%", "/data is full");
    match press {
        DemoPress::Sample => {
            stage.post("wechat", &group(name, "critical", "firing", &["db-1:9100"], summary)).await
        }
        DemoPress::Resolved => {
            stage.post("wechat", &group(name, "critical", "resolved", &["db-1:9100"], summary)).await
        }
        DemoPress::Storm => {
            let summary = stage.language.pick("实例无法访问", "the instance does not answer");
            for number in 1..=STORM_OF_BUTTON {
                let (name, instance) = (format!("InstanceDown{number:03}"), format!("shop-{number:03}:9100"));
                stage.post("wechat", &group(&name, "critical", "firing", &[&instance], summary)).await?;
            }
            Ok(())
        }
    }
}

fn bad_gateway() -> Fault {
    Fault::new(Effect::HttpStatus { status: 502, body: "502 Bad Gateway".to_owned(), taken: false })
}

fn group<'a>(
    name: &'a str,
    severity: &'a str,
    status: &'a str,
    instances: &[&str],
    summary: &str,
) -> Group<'a> {
    let alert =
        |instance: &&str| GroupAlert { instance: (*instance).to_owned(), summary: summary.to_owned() };
    Group { name, severity, status, alerts: instances.iter().map(alert).collect() }
}
