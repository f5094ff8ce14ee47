//! The thread that runs queries of operators, on a read-only connection of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use rusqlite::Connection;

use super::{
    error::{EngineError, EngineResult},
    job::{self, Command, Handle, Inbox, Job},
    open::{self, OpenError, Settings},
    sql::Sql,
    transaction::Transaction,
};

struct Reader {
    settings: Settings,
    connection: Option<Connection>,
    /// The worker's connection that `connection` belongs to.
    opened_for: u64,
    generation: Arc<AtomicU64>,
}

/// Starts the thread. Its connection is opened at once, because deliveries that are left in a deleted file are still sent.
pub(super) fn start(settings: Settings, generation: Arc<AtomicU64>) -> Result<Handle, OpenError> {
    let path = settings.path.clone();
    let (handle, inbox) = job::queue();
    let connection = open::open_read_only(&settings)?;
    let opened_for = generation.load(Ordering::Acquire);
    let reader = Reader { settings, connection: Some(connection), opened_for, generation };
    let spawned = thread::Builder::new().name("outbox-reader".to_owned()).spawn(|| reader.run(inbox));
    spawned.map_err(|error| OpenError::Unavailable { path, reason: error.to_string() })?;
    Ok(handle)
}

impl Reader {
    fn run(mut self, inbox: Inbox) {
        while let Ok(Command::Run(job)) = inbox.commands.recv() {
            self.serve(job);
        }
        drop(self.connection);
        inbox.close();
    }

    fn serve(&mut self, mut job: Box<dyn Job>) {
        let read = self.read(job.as_mut());
        if read.as_ref().is_err_and(EngineError::spoils_connection) {
            self.connection = None;
        }
        job.answer(read.err().map(|error| error.store_error()));
    }

    fn read(&mut self, job: &mut dyn Job) -> EngineResult<()> {
        let connection = self.connect()?;
        let snapshot = connection.unchecked_transaction()?;
        let mut tx = Transaction::new(Sql::new(&snapshot), 0, false);
        job.run(&mut tx)
    }

    /// The connection, opened again after the worker has opened its own again: the file may be another one.
    fn connect(&mut self) -> EngineResult<&Connection> {
        let generation = self.generation.load(Ordering::Acquire);
        let connection = match self.connection.take() {
            Some(connection) if self.opened_for == generation => connection,
            _ => open::open_read_only(&self.settings).map_err(|error| error.store_error())?,
        };
        self.opened_for = generation;
        Ok(self.connection.insert(connection))
    }
}
