//! The program as people run it: arguments, output, exit codes.

mod check;
mod completion;
mod doctor;
mod health;
mod outbox;
mod output;
mod render;
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
/// What no command may ever print.
const SECRETS: [&str; 4] = [SECRET, OTHER_SECRET, WRONG_SECRET, PROXY_PASSWORD];

/// How a command ended. That no secret is in it was looked at.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    /// Standard output of a success.
    #[track_caller]
    fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// Standard error of a failure with this code, which wrote nothing else.
    #[track_caller]
    fn failure(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        self.err
    }
}

/// A folder with a configuration.
struct Place {
    folder: TempDir,
}

impl Place {
    /// With this text in `config.yml`.
    fn of(yaml: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("config.yml"), yaml).unwrap();
        Self { folder }
    }

    /// With what `options` make for a sandbox at `wecom`.
    fn with(options: &Options, wecom: &str) -> Self {
        let place = Self::of("");
        place.write("config.yml", options.yaml(wecom, &place.folder));
        place
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs a command here, where `config.yml` is found without being named.
    async fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, "").await
    }

    /// [`Self::run`] with this on standard input.
    async fn run_with(&self, args: &[&str], input: &str) -> Ended {
        let mut command = command(args);
        command.current_dir(self.folder.path());
        run(command, input.to_owned()).await
    }
}

/// The program with these arguments, and with nothing of the environment that would change what it does.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
    command.args(args);
    for name in ["WECOM_RELAY_CONFIG", "WECOM_RELAY_LOG", "WECOM_RELAY_LOG_FORMAT"] {
        command.env_remove(name);
    }
    command
}

/// Runs beside the test, so that a sandbox of the test can answer.
async fn run(mut command: Command, input: String) -> Ended {
    let wait = move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Who does not read its input may close it.
        _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().unwrap()
    };
    let output = tokio::task::spawn_blocking(wait).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ended = Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    for secret in SECRETS {
        assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "{secret} is in {ended:?}");
    }
    ended
}
