//! Standard output and standard error, for people and for pipes.

use std::io::{self, Write};

/// Where results and complaints go.
#[derive(Debug, Default)]
pub(super) struct Output(());

impl Output {
    /// A result, on standard output.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// A complaint or a remark, on standard error.
    pub(super) fn error(&mut self, text: &str) {
        // There is nowhere else to complain.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Whether the reader of a pipe has gone, which is no failure.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
