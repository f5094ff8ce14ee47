//! Behaviour of all commands.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
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
        assert!(out.lines().all(|line| line.chars().count() <= 100), "{named:?}: {out}");
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
    let mut errors = String::new();
    for args in [
        &["check", "config.yml"][..],
        &["health", "--url", "localhost:8061"],
        &["health", "--url", "127.0.0.1:8061"],
        &["sandbox", "--listen", "8062"],
    ] {
        errors += &run(command(args), String::new()).await.failure(2);
    }
    let lines: Vec<&str> = errors.lines().filter(|line| line.starts_with("error: ")).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    error: invalid value 'config.yml' for '[FILE]': name the configuration with --config
    error: invalid value 'localhost:8061' for '--url <URL>': write http:// or https://, a host and a port, such as http://127.0.0.1:8061
    error: invalid value '127.0.0.1:8061' for '--url <URL>': write http:// or https://, a host and a port, such as http://127.0.0.1:8061
    error: invalid value '8062' for '--listen <ADDRESS>': write an IP address and a port, such as 127.0.0.1:8062
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
async fn the_help_command_explains_each_command_and_itself() {
    for (args, usage) in [
        (&["help"][..], "wecom-relay [OPTIONS] [COMMAND]"),
        (&["help", "--help"], "wecom-relay [OPTIONS] [COMMAND]"),
        (&["help", "outbox", "list"], "wecom-relay outbox list [OPTIONS]"),
    ] {
        let out = run(command(args), String::new()).await.success();
        assert!(out.contains(&format!("\nUsage: {usage}\n")), "{args:?}: {out}");
    }
    let err = run(command(&["help", "sned"]), String::new()).await.failure(2);
    assert!(err.starts_with("error: unrecognized subcommand 'sned'\n"), "{err}");
}

#[tokio::test]
async fn a_command_without_configuration_does_not_offer_one() {
    for name in ["demo", "sandbox", "init", "import", "completion", "man"] {
        let out = run(command(&[name, "--help"]), String::new()).await.success();
        assert!(!out.contains("--config") && out.contains("--log-level"), "{name}: {out}");
        let err = run(command(&[name, "--config", "config.yml"]), String::new()).await.failure(2);
        assert!(err.contains("this command uses no configuration; leave the option out"), "{name}: {err}");
    }
    let out = run(command(&["check", "--help"]), String::new()).await.success();
    assert!(out.contains("--config"), "{out}");
}

#[tokio::test]
async fn a_server_that_cannot_listen_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let workdir = Workdir::with(&Options::default(), "http://127.0.0.1:9");
    let yaml = fs::read_to_string(workdir.folder.path().join("config.yml")).unwrap();
    for (listen, advice) in [
        (address.as_str(), "stop the program that uses the port, or choose another port"),
        ("192.0.2.1:8061", "this machine does not have this address; 0.0.0.0 stands for all addresses"),
    ] {
        workdir.write("config.yml", yaml.replace("127.0.0.1:0", listen));
        let err = workdir.run(&["serve"]).await.failure(1);
        let start = format!("wecom-relay: cannot listen on {listen} (server.listen): ");
        assert!(err.lines().any(|line| line.starts_with(&start) && line.ends_with(advice)), "{err}");
        let err = workdir.run(&["sandbox", "--listen", listen]).await.failure(1);
        assert!(err.starts_with(&format!("wecom-relay: cannot listen on {listen} (--listen): ")), "{err}");
        assert!(err.trim_end().ends_with(advice), "{err}");
    }
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
