//! A chromedriver of a test's own. It ends with its browsers when the test ends, whatever happens.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use crate::support::{
    soon,
    tools::{self, Tool},
};

const CHROMEDRIVER: Tool = Tool::new(&["chromedriver"], "chromium-driver");
const CHROMIUM: Tool = Tool::new(&["chromium"], "chromium");

/// A machine with two processors is slow with more browsers.
static PLACES: Semaphore = Semaphore::const_new(2);

/// A running chromedriver.
pub(super) struct Chromedriver {
    shell: Child,
    pub(super) url: String,
    /// The profiles of its browsers.
    pub(super) folder: TempDir,
    _place: SemaphorePermit<'static>,
}

impl Chromedriver {
    /// `None` if a program is missing, and the test is skipped.
    pub(super) async fn start() -> Option<Self> {
        let program = tools::find(&CHROMEDRIVER)?;
        tools::find(&CHROMIUM)?;
        let place = PLACES.acquire().await.unwrap();
        let folder = TempDir::new().unwrap();
        let mut shell = launch(&program, folder.path());
        let (sender, mut lines) = mpsc::unbounded_channel();
        let stdout = shell.stdout.take().unwrap();
        // The thread ends with the process.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                _ = sender.send(line);
            }
        });
        let port = loop {
            let line = soon(lines.recv()).await.unwrap();
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        Some(Self { shell, url: format!("http://127.0.0.1:{port}"), folder, _place: place })
    }
}

/// The pipe is closed when this process ends in any way. The shell then ends the driver and its browsers, which are in one
/// process group, and removes their files.
fn launch(program: &Path, folder: &Path) -> Child {
    let script = r#"trap : HUP INT TERM; folder=$1; shift; setsid "$@" & driver=$!
        read -r _
        kill -TERM -$driver 2>/dev/null
        for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 -$driver 2>/dev/null && sleep 0.1; done
        kill -KILL -$driver 2>/dev/null; wait $driver
        rm -rf "$folder""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(folder).arg(program).arg("--port=0");
    // Chromium writes crash reports and caches below the home of its user.
    command.env("HOME", folder).env("TMPDIR", folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        _ = self.shell.wait();
    }
}
