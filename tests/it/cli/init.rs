//! `init`

use std::{fs, os::unix::fs::PermissionsExt};

use super::Workdir;

#[tokio::test]
async fn init_writes_what_check_accepts_by_hand_and_under_systemd() {
    let workdir = Workdir::of("");
    let folder = workdir.folder.path();
    fs::remove_file(folder.join("config.yml")).unwrap();
    let out = workdir.run(&["init"]).await.success();
    insta::assert_snapshot!(out, @"
    written: ./config.yml
    written: ./ops_secret (empty; only its owner can read it)
    next steps:
      1. put the app's Secret into ./ops_secret
      2. write corp_id, agent_id and to_user into ./config.yml
      3. wecom-relay check --config ./config.yml
      4. wecom-relay doctor --config ./config.yml
      5. wecom-relay serve --config ./config.yml
    ");
    for (name, expected) in [("config.yml", 0o644), ("ops_secret", 0o600)] {
        let mode = folder.join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, expected, "{name}");
    }
    let err = workdir.run(&["check"]).await.failure(1);
    insta::assert_snapshot!(err, @"
    config.yml:21:22: apps[0].api_secret_file: the secret is empty; put the secret of the app there
    the configuration is wrong: 1 error
    ");

    fs::write(folder.join("ops_secret"), "not-a-real-secret\n").unwrap();
    workdir.run(&["check"]).await.success();

    let credentials = folder.join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::rename(folder.join("ops_secret"), credentials.join("ops_secret")).unwrap();
    let config = wecom_relay::config::load(&folder.join("config.yml"), &|name| match name {
        "CREDENTIALS_DIRECTORY" => Some(credentials.display().to_string()),
        "STATE_DIRECTORY" => Some("/var/lib/wecom-relay".to_owned()),
        _ => None,
    });
    let path = config.unwrap().config.outbox.path().unwrap().to_owned();
    assert_eq!(path.to_str(), Some("/var/lib/wecom-relay/outbox.db"));
}

#[tokio::test]
async fn init_overwrites_nothing() {
    let workdir = Workdir::of("apps: []\n");
    let err = workdir.run(&["init"]).await.failure(1);
    insta::assert_snapshot!(err, @"./config.yml exists already, and is not changed; name another folder");
    assert_eq!(fs::read_to_string(workdir.folder.path().join("config.yml")).unwrap(), "apps: []\n");
    let err = workdir.run(&["init", "no/such/folder"]).await.failure(1);
    insta::assert_snapshot!(err, @"no/such/folder/config.yml cannot be written: No such file or directory (os error 2); name a folder that exists and that this user can write to");
}
