//! `man`

use std::fs;

use tempfile::TempDir;

use super::Workdir;

#[tokio::test]
async fn every_command_gets_a_manual_page() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    let workdir = Workdir::of("no configuration");
    workdir.run(&["man", path]).await.success();
    let page = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(page("wecom-relay.1").contains("wecom\\-relay\\-serve(1)"));
    assert!(page("wecom-relay-outbox-list.1").contains("\\-\\-state"));
    let help = workdir.run(&["help"]).await.success();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let names: Vec<_> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains(&"completion") && !names.contains(&"man"), "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        assert!(page(&format!("wecom-relay-{name}.1")).contains(".SH NAME"), "{name}");
    }
}

#[tokio::test]
async fn manual_pages_need_an_existing_folder() {
    let error = Workdir::of("").run(&["man", "/proc/no-folder"]).await.failure(1);
    assert!(error.contains("cannot write into /proc/no-folder; name a folder that exists"), "{error}");
}
