//! Behaviour of all commands.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use super::{Workdir, command, run};
use crate::support::Options;

#[tokio::test]
async fn every_command_has_help() {
    let commands: [&[&str]; 12] = [
        &[],
        &["serve"],
        &["check"],
        &["render"],
        &["send"],
        &["sandbox"],
        &["demo"],
        &["outbox"],
        &["outbox", "list"],
        &["outbox", "show"],
        &["outbox", "requeue"],
        &["outbox", "discard"],
    ];
    for named in commands {
        let args: Vec<&str> = named.iter().copied().chain(["--help"]).collect();
        let out = run(command(&args), String::new()).await.success();
        assert!(out.contains("Usage: wecom-relay"), "{named:?}: {out}");
    }
}

#[tokio::test]
async fn a_wrong_command_line_is_an_error() {
    let mut errors = String::new();
    for args in [&["outbox", "list", "--state", "sleeping"][..], &["outbox", "list", "--older-than", "soon"]]
    {
        errors += &run(command(args), String::new()).await.failure(2);
    }
    insta::assert_snapshot!(errors, @"
    error: invalid value 'sleeping' for '--state <STATE>'
      [possible values: queued, ready, in-flight, folded, delivered, dead, discarded]

    For more information, try '--help'.
    error: invalid value 'soon' for '--older-than <DURATION>': write a duration such as 500ms, 90s, 10m, 1h30m, 7d or 1w

    For more information, try '--help'.
    ");
    let err = run(command(&["outbox", "requeue"]), String::new()).await.failure(2);
    insta::assert_snapshot!(err, @"
    error: the following required arguments were not provided:
      <ID>

    Usage: wecom-relay outbox requeue <ID>

    For more information, try '--help'.
    ");
}

#[tokio::test]
async fn a_closed_pipe_is_not_a_failure() {
    let workdir = Workdir::with(&Options::default(), "http://127.0.0.1:9");
    let pair =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/alertmanager/pairs/076-many_200_alerts_one_group");
    let webhook = format!("{pair}/webhook.json");
    let commands = [
        &["render", "-r", "wechat", &webhook][..],
        &["sandbox", "--print-directory"],
        &["check"],
        &["completion", "bash"],
        &["demo"],
        &["--help"],
    ];
    for args in commands {
        let mut command = command(args);
        command.current_dir(workdir.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // The pipe is closed before anything was written to it, or after its first line.
        for lines in [0, 1] {
            let mut child = command.spawn().unwrap();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            (0..lines).for_each(|_| _ = out.read_line(&mut String::new()).unwrap());
            drop(out);
            let ended = child.wait_with_output().unwrap();
            assert_eq!(ended.status.code(), Some(0), "{args:?}");
            assert!(!String::from_utf8_lossy(&ended.stderr).contains("panicked"), "{args:?}");
        }
    }
}
