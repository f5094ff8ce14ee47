//! A command whose standard output is read line by line.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
};

use tokio::sync::mpsc;

use super::soon;

/// It is killed when it is dropped.
pub(crate) struct Printing {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    /// The lines that were read so far.
    pub(crate) out: Vec<String>,
}

impl Printing {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::unbounded_channel();
        // The thread ends with the process.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                _ = sender.send(line);
            }
        });
        Self { child, lines, out: Vec::new() }
    }

    /// The next line that contains `text`.
    pub(crate) async fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = self.next().await.unwrap_or_else(|| panic!("{text} is not in {:#?}", self.out));
            if line.contains(text) {
                return line;
            }
        }
    }

    async fn next(&mut self) -> Option<String> {
        let line = soon(self.lines.recv()).await?;
        self.out.push(line.clone());
        Some(line)
    }

    /// Interrupts it like Ctrl-C, and waits for its end.
    pub(crate) async fn interrupt(&mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        while self.next().await.is_some() {}
        self.child.wait().unwrap()
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        // The process has usually ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
