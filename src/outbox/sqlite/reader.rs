//! The thread that runs queries of operators, on a read-only connection of its own.

use std::{path::PathBuf, thread};

use super::{
    error::EngineResult,
    job::{self, Command, Handle, Inbox, Job},
    open::OpenError,
    read_slot::ReadSlot,
    sql::Sql,
    transaction::Transaction,
};

/// Starts the thread.
pub(super) fn start(slot: ReadSlot, path: PathBuf) -> Result<Handle, OpenError> {
    let (handle, inbox) = job::queue();
    let spawned = thread::Builder::new().name("outbox-reader".to_owned()).spawn(move || run(&slot, inbox));
    spawned.map_err(|error| OpenError::Unavailable { path, reason: error.to_string() })?;
    Ok(handle)
}

fn run(slot: &ReadSlot, inbox: Inbox) {
    while let Ok(Command::Run(mut job)) = inbox.commands.recv() {
        let error = read(slot, job.as_mut()).err().map(|error| error.store_error());
        job.answer(error);
    }
    inbox.close();
}

fn read(slot: &ReadSlot, job: &mut dyn Job) -> EngineResult<()> {
    slot.query(|connection| {
        let snapshot = connection.unchecked_transaction()?;
        job.run(&mut Transaction::reading(Sql::new(&snapshot)))
    })
}
