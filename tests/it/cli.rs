//! The command line: arguments, output and exit codes.

mod check;
mod completion;
mod demo;
mod doctor;
mod health;
mod import;
mod init;
mod man;
mod outbox;
mod output;
mod recall;
mod render;
mod robots;
mod sandbox;
mod send;

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::support::{OTHER_SECRET, Options, SECRET};

/// A secret that WeCom does not know.
const WRONG_SECRET: &str = "wrong-secret-7f3a9c";
const PROXY_PASSWORD: &str = "proxy-password-51d0";
/// Secrets that no command may print.
const SECRETS: [&str; 5] = [SECRET, OTHER_SECRET, WRONG_SECRET, PROXY_PASSWORD, "sandbox-robot-key-ops"];

/// The result of a command. It was checked for secrets.
#[derive(Debug)]
struct Finished {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Finished {
    /// Standard output of a success.
    #[track_caller]
    fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// Standard error of a failure with this code and no other output.
    #[track_caller]
    fn failure(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        self.err
    }
}

/// A folder with a configuration.
struct Workdir {
    folder: TempDir,
}

impl Workdir {
    /// Writes `yaml` to `config.yml`.
    fn of(yaml: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("config.yml"), yaml).unwrap();
        Self { folder }
    }

    /// Writes the configuration of `options` for a sandbox at `wecom`.
    fn with(options: &Options, wecom: &str) -> Self {
        let workdir = Self::of("");
        workdir.write("config.yml", options.yaml(wecom, &workdir.folder));
        workdir
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs a command in this folder, where it finds `config.yml`.
    async fn run(&self, args: &[&str]) -> Finished {
        self.run_with(args, "").await
    }

    /// [`Self::run`] with `input` on standard input.
    async fn run_with(&self, args: &[&str], input: &str) -> Finished {
        let mut command = command(args);
        command.current_dir(self.folder.path());
        run(command, input.to_owned()).await
    }
}

/// The program with these arguments, without environment variables that change its behaviour.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
    command.args(args);
    for name in ["WECOM_RELAY_CONFIG", "WECOM_RELAY_LOG", "WECOM_RELAY_LOG_FORMAT"] {
        command.env_remove(name);
    }
    command
}

/// Runs the command on another thread, so that a sandbox of the test can answer.
async fn run(mut command: Command, input: String) -> Finished {
    let wait = move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The command may close its input without reading it.
        _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().unwrap()
    };
    let output = tokio::task::spawn_blocking(wait).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ended = Finished { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    for secret in SECRETS {
        assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "{secret} is in {ended:?}");
    }
    ended
}
