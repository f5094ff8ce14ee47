//! The blocks `sh` run as they are written, against the sandbox.
//!
//! Addresses and folders of the pages are replaced by those of the test. `stop-when-ready` stands for `wecom-relay`: it ends
//! the commands that would run until somebody stops them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use wecom_relay::sandbox::Settings;

use super::page::{Block, Page};
use crate::support::{
    Options, Relay, Wecom, config_file,
    tools::{CURL, OPENSSL, SQLITE, find},
};

/// Runs `serve` and `sandbox` until they say that they work.
const STOP_WHEN_READY: &str = r#"#!/bin/bash
relay=$RELAY_UNDER_TEST
case $1 in
    serve) started=' ready' ;;
    sandbox) started='http://' && set -- "$@" --listen 127.0.0.1:0 ;;
    *) exec "$relay" "$@" ;;
esac
"$relay" "$@" >printed 2>&1 &
until grep -q -e "$started" printed; do
    kill -0 $! || { cat printed; exit 1; }
    sleep 0.05
done
kill $!
wait $! || { cat printed; exit 1; }
"#;

/// The blocks that this test runs, with their places. A Chinese page has the same ones as its English page.
fn runnable() -> Vec<(String, Block)> {
    let mut found = Vec::new();
    for page in Page::all().into_iter().filter(|page| !page.name.contains("zh-CN")) {
        for block in page.sections.into_iter().flat_map(|section| section.blocks) {
            if block.info == "sh" {
                found.push((format!("{}:{}", page.name, block.line), block));
            }
        }
    }
    found
}

async fn run(place: &str, block: &Block) {
    let wecom = Wecom::live(Settings::default()).await;
    let relay = Relay::start(&wecom.url).await;
    let (folder, config) = config_file(&wecom.url, &Options::default());
    let folder = folder.path();
    let wrapper = folder.join("wecom-relay");
    fs::write(&wrapper, STOP_WHEN_READY).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let here = format!("{}/", folder.display());
    let address = |url: &str| url.strip_prefix("http://").unwrap().to_owned();
    let script = block
        .text
        .replace("127.0.0.1:8062", &address(&wecom.url))
        .replace("127.0.0.1:8061", &address(&relay.url))
        .replace("/var/lib/wecom-relay/", &format!("{}/", relay.folder.path().display()))
        .replace("/var/backups/", &here);
    let path = format!("{here}:{}", std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &script])
        .current_dir(folder)
        .env("PATH", path)
        .env("RELAY_UNDER_TEST", env!("CARGO_BIN_EXE_wecom-relay"))
        .env("WECOM_RELAY_CONFIG", config)
        // The console of this relay needs no password.
        .env("PASSWORD", "not-a-real-password")
        .stdin(Stdio::null());
    // The sandbox of this test answers meanwhile.
    let out = tokio::task::spawn_blocking(move || bash.output()).await.unwrap().unwrap();
    let printed = [out.stdout, out.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(out.status.success(), "{place}: {}\n{script}\n{printed}", out.status);
    relay.stop().await;
}

#[tokio::test]
async fn the_commands_of_the_pages_work_as_written() {
    for tool in [&CURL, &OPENSSL, &SQLITE] {
        let Some(_) = find(tool) else { return };
    }
    let blocks = runnable();
    assert!(blocks.len() >= 6, "the pages have other commands");
    for (place, block) in &blocks {
        run(place, block).await;
    }
}
