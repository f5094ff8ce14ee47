//! The buttons on the page of the sandbox work with its files and commands as they stand.

use std::{fs, net::TcpListener, path::Path, process::Stdio};

use tokio::process::Command;
use wecom_relay::sandbox::Settings;

use super::page::{Block, Page};
use crate::support::{
    Process, Wecom,
    daemon::Daemon,
    eventually,
    tools::{ALERTMANAGER, AMTOOL, CURL, find},
};

/// The blocks of the section, and the addresses in them with those of the test.
struct Blocks {
    blocks: Vec<Block>,
    addresses: Vec<[String; 2]>,
}

impl Blocks {
    /// The block with this text.
    fn with(&self, text: &str) -> String {
        let found = self.blocks.iter().find(|block| block.text.contains(text));
        let found = found.unwrap_or_else(|| panic!("no block of the page has {text}"));
        let text = found.text.clone();
        self.addresses.iter().fold(text, |text, [from, to]| text.replace(from, to))
    }

    fn replace(&mut self, from: &str, url: &str) {
        let to = url.strip_prefix("http://").unwrap_or(url);
        self.addresses.push([from.to_owned(), to.to_owned()]);
    }

    /// Runs the block with this text, and returns its output.
    async fn run(&self, text: &str, folder: &Path) -> String {
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &self.with(text)]).current_dir(folder).stdin(Stdio::null());
        let out = bash.output().await.unwrap();
        let printed = [out.stdout, out.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert!(out.status.success(), "{text}: {printed}");
        printed
    }
}

#[tokio::test]
async fn the_buttons_of_the_sandbox_page_work_as_written() {
    let (Some(alertmanager), Some(_), Some(_)) = (find(&ALERTMANAGER), find(&AMTOOL), find(&CURL)) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut sections = Page::read("docs/sandbox.md").sections.into_iter();
    let section = sections.find(|section| section.title == "Buttons of cards").unwrap();
    let mut blocks = Blocks { blocks: section.blocks, addresses: Vec::new() };
    let wecom = Wecom::live(Settings::default()).await;
    blocks.replace("127.0.0.1:8062", &wecom.url);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    blocks.replace("127.0.0.1:8061", &free.to_string());
    let daemon = Daemon::alertmanager(&alertmanager, &blocks.with("webhook_configs:"), &[]).await;
    blocks.replace("127.0.0.1:9093", &daemon.url);
    let config = folder.join("config.yml");
    fs::write(&config, blocks.with("actions: {}")).unwrap();
    let mut relay = Process::start(&config).await;
    blocks.run("curl -sS --fail-with-body -X PUT", folder).await;
    blocks.run("alert add", folder).await;
    let cards = async || wecom.sandbox.delivered_to("zhangsan").len();
    eventually(cards, |cards| *cards == 1).await;
    blocks.run("/sandbox/presses \\\n", folder).await;
    let changed = async || wecom.sandbox.delivered_to("zhangsan").remove(0).earlier.len();
    eventually(changed, |changed| *changed == 1).await;
    let silences = blocks.run("silence query", folder).await;
    assert!(silences.contains("alertname=\"DiskFull\""), "{silences}");
    relay.signal("TERM");
    assert!(relay.ended().await.success(), "{}", relay.last_lines());
}
