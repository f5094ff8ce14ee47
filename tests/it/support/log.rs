//! Captures the log of a test's thread.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use tracing::{Dispatch, Subscriber, subscriber::DefaultGuard};

/// Sends the log of this thread to a subscriber until it is dropped.
pub(crate) struct LogGuard {
    _guard: DefaultGuard,
    _second: Dispatch,
}

/// Sends the log of this thread to `subscriber`.
pub(crate) fn log_to(subscriber: impl Subscriber + Send + Sync + 'static) -> LogGuard {
    let guard = tracing::subscriber::set_default(subscriber);
    // tracing caches for each log call if it is enabled. With one subscriber, the first thread to reach a call decides for
    // all threads, and that thread may have no subscriber. A second subscriber switches this cache off.
    let second = Dispatch::new(tracing_subscriber::registry());
    LogGuard { _guard: guard, _second: second }
}

/// Bytes that were written.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
