//! The thread of the engine: it runs the workers and the keeper.

use std::{
    hash::{BuildHasher as _, RandomState},
    rc::Rc,
    sync::mpsc,
    thread,
};

use tokio::{
    sync::{Mutex, watch},
    task::{JoinSet, LocalSet},
};
use tokio_util::sync::CancellationToken;

use super::{
    error::EngineError,
    job::{Life, Queue},
    keeper::Keeper,
    leases::Leases,
    open_error::OpenError,
    room::Room,
    schema,
    schema_problem::SchemaProblem,
    sender::KnownSenders,
    settings::{Access, Settings},
    url::PostgresUrl,
    wakeups::Wakeups,
    worker::{Inbox, Server, Worker},
};

/// The number of sessions that accept notifications. While one waits for a commit, the other one works.
const INTAKES: usize = 2;

/// The side of the callers.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    /// Acceptances.
    pub(super) intake: Queue,
    /// Leases, claims and settlements, and what dispatchers read. A long list for an operator does not delay them.
    pub(super) owner: Queue,
    /// Other queries, and commands of operators.
    pub(super) reader: Queue,
    pub(super) shared: Shared,
    pub(super) life: watch::Receiver<Life>,
}

/// The parts that the callers and the thread share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) wakeups: Wakeups,
    pub(super) leases: Leases,
    pub(super) room: Room,
    /// The name of this process in leases.
    pub(super) name: String,
    /// The fingerprint of its configuration.
    pub(super) config: watch::Sender<String>,
    /// The URL for new sessions.
    pub(super) url: watch::Sender<PostgresUrl>,
    /// Cancelled when the outbox is closed.
    pub(super) closing: CancellationToken,
}

/// Starts the thread and waits until it has tried to connect.
pub(super) fn start(settings: Settings, access: Access) -> Result<Engine, OpenError> {
    let (living, life) = watch::channel(Life::Running);
    let (intake, intake_jobs) = Queue::new(life.clone());
    let (owner, owner_jobs) = Queue::new(life.clone());
    let (reader, reader_jobs) = Queue::new(life.clone());
    let shared = Shared {
        wakeups: Wakeups::default(),
        leases: Leases::default(),
        room: Room::new(settings.max_size_bytes),
        name: unique_name(&settings.replica),
        config: watch::Sender::new(settings.config.clone()),
        url: watch::Sender::new(settings.url.clone()),
        closing: CancellationToken::new(),
    };
    let engine = Engine { intake, owner, reader, shared: shared.clone(), life };
    let (opened, answer) = mpsc::sync_channel(1);
    let thread = Thread { shared, settings, access };
    let run = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                _ = opened.send(Err(OpenError::Thread { reason: error.to_string() }));
                return;
            }
        };
        let inboxes = [(intake_jobs, INTAKES), (owner_jobs, 1), (reader_jobs, 1)];
        let inboxes = inboxes.map(|(jobs, workers)| (Rc::new(Mutex::new(jobs)), workers));
        let tasks = LocalSet::new();
        if tasks.block_on(&runtime, thread.run(inboxes, opened)) {
            living.send_replace(Life::Closed);
        }
    };
    let spawned = thread::Builder::new().name("outbox".to_owned()).spawn(run);
    spawned.map_err(|error| OpenError::Thread { reason: error.to_string() })?;
    let opened = answer.recv().map_err(|error| OpenError::Thread { reason: error.to_string() })?;
    opened.map(|()| engine)
}

/// The side of the thread. It has no queue, because the queues end when no caller is left.
struct Thread {
    shared: Shared,
    settings: Settings,
    access: Access,
}

impl Thread {
    /// Runs the workers until the outbox is closed. Returns false if one has panicked.
    async fn run(
        self,
        inboxes: [(Inbox, usize); 3],
        opened: mpsc::SyncSender<Result<(), OpenError>>,
    ) -> bool {
        let Shared { wakeups, leases, room, name, config, url, closing } = self.shared;
        let (settings, access) = (self.settings, self.access);
        let shown = settings.url.to_string();
        let server = Rc::new(Server {
            settings,
            access,
            url,
            wakeups,
            room,
            senders: KnownSenders::default(),
            closing,
        });
        let mut first = match server.connect(None).await {
            Ok(session) => Some(session),
            Err(error) if access == Access::Replica && !error.is_permanent() => {
                let reason = server.hidden(&error.reason());
                tracing::warn!(outbox = shown, reason, "the outbox cannot be reached yet; trying again");
                None
            }
            Err(error) => {
                let reason = server.hidden(&error.reason());
                _ = opened.send(Err(open_error(shown, &error, reason)));
                return true;
            }
        };
        _ = opened.send(Ok(()));
        let (mut workers, mut keepers) = (JoinSet::new(), JoinSet::new());
        for (inbox, count) in inboxes {
            for _ in 0..count {
                let worker = Worker::new(Rc::clone(&server), first.take());
                workers.spawn_local(worker.run(Rc::clone(&inbox)));
            }
        }
        let stop = CancellationToken::new();
        if access == Access::Replica {
            let server = Rc::clone(&server);
            let keeper = Keeper { server, leases, owner: name, config, stop: stop.clone() };
            keepers.spawn_local(keeper.run());
        }
        tokio::select! {
            have_ended = all_ended(&mut workers) => if !have_ended { return false },
            // A keeper ends after the workers only.
            _ = all_ended(&mut keepers), if !keepers.is_empty() => return false,
        }
        stop.cancel();
        all_ended(&mut keepers).await
    }
}

/// Returns when all tasks have ended, and false as soon as one has panicked.
async fn all_ended(tasks: &mut JoinSet<()>) -> bool {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(
                %error,
                "a task of the outbox panicked; the relay ends, and its supervisor starts it again"
            );
            return false;
        }
    }
    true
}

fn open_error(outbox: String, error: &EngineError, reason: String) -> OpenError {
    match error {
        EngineError::Schema(SchemaProblem::Missing) => OpenError::Missing { outbox },
        EngineError::Schema(SchemaProblem::Newer(found)) => {
            OpenError::Newer { outbox, found: *found, known: schema::VERSION }
        }
        EngineError::Schema(SchemaProblem::Older(found)) => {
            OpenError::Older { outbox, found: *found, known: schema::VERSION }
        }
        _ if error.is_permanent() => OpenError::Refused { outbox, reason },
        _ => OpenError::Unavailable { outbox, reason },
    }
}

/// `replica` with a suffix that no other process has.
fn unique_name(replica: &str) -> String {
    // The keys of the hasher are random.
    let suffix = RandomState::new().hash_one(std::process::id());
    format!("{replica}-{suffix:08x}")
}
