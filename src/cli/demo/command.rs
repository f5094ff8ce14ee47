//! Plays the scenes, then shows what else arrives.

use std::{path::Path, time::Duration};

use anyhow::{anyhow, bail};
use tokio::sync::mpsc;

use super::{language::Language, relay::Relay, scenes, stage::Stage};
use crate::{
    cli::{failure::Failure, no_config::NoConfig, output::Output, runtime::runtime},
    lifecycle::{Lifecycle, Shutdown, Signals},
    sandbox::PhoneExtras,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing leaves this machine, and nothing stays on it.

Examples:
  wecom-relay demo                  play the scenes, then show what else arrives
  wecom-relay demo --once           exit after the scenes, with 0 if nothing was lost
  wecom-relay demo --language zh    speak Chinese")]
pub(in crate::cli) struct Args {
    /// Exit after the scenes
    #[arg(long)]
    once: bool,
    /// Speak this language [default: zh if LANG is Chinese, else en]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "zh|en")]
    language: Option<Language>,
    #[command(flatten)]
    no_config: NoConfig,
}

/// Time for messages in flight at the end. The outbox is deleted, so none of them matters.
const DRAIN: Duration = Duration::from_secs(2);

pub(in crate::cli) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("wecom-relay-demo-").tempdir()?;
    runtime()?.block_on(demo(args, folder.path(), output)).map_err(Failure::Other)
}

async fn demo(args: &Args, folder: &Path, output: &mut Output) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let lifecycle = Lifecycle::default();
    let language = args.language.unwrap_or_else(Language::of_environment);
    let relay = Relay::start(folder, language, &lifecycle.tasks()).await?;
    let outbox = relay.outbox.clone();
    let mut stage = Stage::new(relay, language, output)?;
    let played = tokio::select! {
        played = play(&mut stage, args.once) => played,
        _ = signals.next() => stage.say("\n演示结束，未留下任何文件。", "\nThe demo has ended, and nothing is left behind."),
    };
    let end = lifecycle.finish(DRAIN).await;
    outbox.close().await;
    if let Shutdown::TaskFailed(task) = end {
        return Err(anyhow!("task exited unexpectedly: {task}"));
    }
    played
}

async fn play(stage: &mut Stage<'_>, once: bool) -> anyhow::Result<()> {
    if !once {
        show_addresses(stage)?;
    }
    stage.say(
        "沙箱代替企业微信，relay 接收告警。全程约 10 秒，数据不出本机。",
        "A sandbox takes the place of WeCom. This takes about 10 seconds, and nothing\nleaves the machine.",
    )?;
    scenes::play(stage).await?;
    if !stage.verdict().await? {
        bail!("an alert was lost: this is a defect, please report it");
    }
    if once { Ok(()) } else { invite(stage).await }
}

fn show_addresses(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let (phones, console) = (stage.relay.phones.clone(), stage.relay.console.clone());
    let zh = format!("在浏览器中打开：\n  {phones}  成员手机上的消息\n  {console}  relay 的控制台\n");
    let en = format!(
        "Open in a browser:\n  {phones}  the phones of the members\n  {console}  the console of the relay\n"
    );
    stage.say(&zh, &en)
}

/// Shows how to send more, and every message that arrives.
async fn invite(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let webhook = format!("{}/wechat", stage.relay.webhook);
    stage.heading("轮到你了", "Your turn")?;
    stage.say("在另一个终端发一条告警：", "Send an alert from another terminal:")?;
    let name = stage.language.pick("磁盘已满", "DiskFull");
    stage.print(&format!(
        "\ncurl -s {webhook} -d '{{\"status\":\"firing\",\"alerts\":[{{\"status\":\"firing\",\"labels\":{{\"alertname\":\"{name}\",\
         \"severity\":\"critical\",\"instance\":\"db-1\"}},\"startsAt\":\"'$(date -u +%FT%TZ)'\"}}]}}'\n"
    ))?;
    stage.say("或者写入 alertmanager.yml：", "Or write into alertmanager.yml:")?;
    stage.print(&format!(
        "\nroute:\n  receiver: wechat\n\nreceivers:\n  - name: wechat\n    webhook_configs:\n      - url: {webhook}\n        \
         send_resolved: true\n"
    ))?;
    stage.say(
        "到达的消息会显示在这里。按 Ctrl-C 结束。",
        "Messages appear here when they arrive. Stop with Ctrl-C.",
    )?;
    let (presses, mut pressed) = mpsc::unbounded_channel();
    let console = Some(stage.relay.console.clone());
    stage.relay.sandbox.extend_page(PhoneExtras { console, presses: Some(presses) });
    loop {
        tokio::select! {
            message = stage.next_message() => {
                if let Some(message) = message? {
                    stage.say_with_time("新消息：", "a message:")?;
                    stage.show(&message, usize::MAX)?;
                }
            }
            Some(press) = pressed.recv() => scenes::press(stage, press).await?,
        }
    }
}
