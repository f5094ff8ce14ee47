//! What a test's thread logs.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use tracing::{Dispatch, Subscriber, subscriber::DefaultGuard};

/// While it is kept, a subscriber hears what this thread logs.
pub(crate) struct Hearing {
    _guard: DefaultGuard,
    _second: Dispatch,
}

/// Has `subscriber` hear this thread.
pub(crate) fn heard_by(subscriber: impl Subscriber + Send + Sync + 'static) -> Hearing {
    let guard = tracing::subscriber::set_default(subscriber);
    // As long as there is but one subscriber, whoever first comes to a line decides for all whether it is heard; and
    // that may be another test's thread, which has none.
    let second = Dispatch::new(tracing_subscriber::registry());
    Hearing { _guard: guard, _second: second }
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
