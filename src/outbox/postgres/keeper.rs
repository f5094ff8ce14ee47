//! The keeper: renews the leases of this process, reports the process to the others, and hears their wake-ups.
//!
//! It has a session of its own, so that a long transaction of a worker cannot delay a renewal. After the server was away,
//! it opens the session anew and wakes everything, because wake-ups may be lost.

use std::{rc::Rc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    error::{EngineError, EngineResult, within},
    lease,
    leases::Leases,
    purge, relay_time, replica,
    session::{Change, Session, TIME_LIMIT, Transaction},
    wakeups::{self, LISTEN, NOTIFY},
    worker::{CONNECT_PAUSE, Server},
};

/// A transaction without an answer for this time is given up with its session. The next renewal, with another session, is
/// then in time, so that the lease does not run out.
const LIMIT: Duration = Duration::from_millis(1500);
/// The time between two looks for changes that were not heard, if the session hears anything, and if it does not.
const POLL: Duration = Duration::from_secs(5);
const POLL_UNHEARD: Duration = Duration::from_secs(1);
/// The numbers of renewals between two offers, and between two looks for abandoned deliveries.
const OFFER_EVERY: u64 = 5;
const RECOVER_EVERY: u64 = 30;
/// The maximum number of deliveries that are purged early in one transaction.
const PURGED_AT_ONCE: u32 = 100;

/// The keeper of one process.
pub(super) struct Keeper {
    pub(super) server: Rc<Server>,
    pub(super) leases: Leases,
    /// The name of this process in leases.
    pub(super) owner: String,
    /// The fingerprint of its configuration.
    pub(super) config: watch::Sender<String>,
    /// Cancelled when the workers have ended. Until then they may take leases.
    pub(super) stop: CancellationToken,
}

/// A session that listens.
struct Listener {
    session: Session,
    heard: mpsc::UnboundedReceiver<String>,
}

/// The errors since the leases were renewed last.
#[derive(Default)]
struct Trouble {
    since: Option<Instant>,
    is_logged: bool,
}

impl Keeper {
    /// Runs until the workers have ended. Then nobody takes a lease any more.
    pub(super) async fn run(self) {
        self.stop.run_until_cancelled(self.keep_always()).await;
        if let Err(error) = within(LIMIT, self.leave()).await {
            let reason = self.server.hidden(&error.reason());
            tracing::debug!(
                reason,
                "other replicas were not told about the end; they notice it by themselves"
            );
        }
    }

    async fn keep_always(&self) {
        let (mut was_away, mut trouble) = (false, Trouble::default());
        loop {
            match self.listen().await {
                Ok(listener) => {
                    if was_away {
                        self.leases.begin_grace();
                    }
                    self.server.wakeups.mark_everything();
                    if let Err(error) = self.keep(listener, &mut trouble).await {
                        self.report(&error, &mut trouble);
                    }
                }
                Err(error) => self.report(&error, &mut trouble),
            }
            // The owners of other leases may not have renewed them either.
            self.leases.begin_grace();
            was_away = true;
            tokio::time::sleep(CONNECT_PAUSE).await;
        }
    }

    /// Logs an error that does not end by itself, once until the leases are renewed again.
    fn report(&self, error: &EngineError, trouble: &mut Trouble) {
        let reason = self.server.hidden(&error.reason());
        let since = *trouble.since.get_or_insert_with(Instant::now);
        if trouble.is_logged || !error.is_permanent() && since.elapsed() < self.server.settings.lease.ttl {
            tracing::debug!(reason, "the leases cannot be renewed yet; trying again");
            return;
        }
        trouble.is_logged = true;
        tracing::warn!(
            reason,
            "the leases cannot be renewed, so this replica sends nothing; trying again until the reason is gone"
        );
    }

    async fn listen(&self) -> EngineResult<Listener> {
        let (sender, heard) = mpsc::unbounded_channel();
        let session = self.server.connect(Some(sender)).await?;
        let listening = async {
            session.execute(LISTEN).await?;
            session.query(NOTIFY, &[&[self.test_payload()].as_slice()]).await
        };
        within(TIME_LIMIT, listening).await?;
        Ok(Listener { session, heard })
    }

    fn test_payload(&self) -> String {
        format!("test {}", self.owner)
    }

    /// Keeps the leases until the session fails.
    async fn keep(&self, listener: Listener, trouble: &mut Trouble) -> EngineResult<()> {
        let Listener { session, heard } = listener;
        tokio::select! {
            biased;
            kept = self.renew(&session, trouble) => kept,
            // The connection has ended.
            () = self.hear(heard) => Ok(()),
        }
    }

    /// Passes on what the session hears until it ends. A wake-up does not wait for a renewal.
    async fn hear(&self, mut heard: mpsc::UnboundedReceiver<String>) {
        let (mut poll, mut next_poll) = (POLL_UNHEARD, Instant::now() + POLL_UNHEARD);
        loop {
            tokio::select! {
                heard = heard.recv() => match heard {
                    // A notification of its own came back.
                    Some(payload) if payload == self.test_payload() => poll = POLL,
                    Some(payload) => self.server.wakeups.hear(&payload),
                    None => return,
                },
                () = tokio::time::sleep_until(next_poll) => {
                    next_poll = Instant::now() + poll;
                    self.server.wakeups.mark_everything();
                }
            }
        }
    }

    /// Renews the leases until the session fails, and makes room in between.
    async fn renew(&self, session: &Session, trouble: &mut Trouble) -> EngineResult<()> {
        let renewal = self.server.settings.lease.renewal;
        let (mut next_beat, mut next_purge, mut beats) = (Instant::now(), Instant::now(), 0);
        loop {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(next_beat) => {
                    next_beat = Instant::now() + renewal;
                    self.beat(session, beats).await?;
                    beats += 1;
                    *trouble = Trouble::default();
                    next_purge = Instant::now();
                }
                () = self.leases.has_unused() => self.give_back(session).await?,
                () = tokio::time::sleep_until(next_purge), if self.server.room.is_short() => {
                    if self.make_room(session).await? == 0 {
                        // The next beat looks again.
                        next_purge = next_beat + renewal;
                    }
                }
            }
        }
    }

    /// Gives back leases that nobody uses. After an error the next session does it.
    async fn give_back(&self, session: &Session) -> EngineResult<()> {
        let unused = self.leases.unused();
        if unused.is_empty() {
            return Ok(());
        }
        let mut release = async |tx: &Transaction<'_>| {
            for lease in &unused {
                lease::release(tx, lease, None).await?;
            }
            Ok(())
        };
        let ((), changes) = transaction(session, &mut release).await?;
        self.leases.forget_unused(&unused);
        let payloads = self.server.wakeups.mark(changes);
        let mut notify = async |tx: &Transaction<'_>| wakeups::notify(tx, &payloads).await;
        transaction(session, &mut notify).await.map(drop)
    }

    async fn beat(&self, session: &Session, beats: u64) -> EngineResult<()> {
        let times = self.server.settings.lease;
        let (held, asked_at) = (self.leases.held(), Instant::now());
        if !held.is_empty() {
            let mut renew = async |tx: &Transaction<'_>| lease::renew(tx, &held, times.ttl).await;
            let (renewed, _) = transaction(session, &mut renew).await?;
            self.leases.renewed(&held, &renewed, asked_at, times);
        }
        let config = self.config.borrow().clone();
        let report = replica::Report {
            owner: &self.owner,
            name: &self.server.settings.replica,
            ttl: times.ttl,
            config: &config,
            senders: self.leases.senders(),
        };
        let mut look = async |tx: &Transaction<'_>| {
            replica::store(tx, &report).await?;
            self.server.room.look(tx).await?;
            replica::peers(tx, &self.owner).await
        };
        let (peers, _) = transaction(session, &mut look).await?;
        self.leases.set_peers(peers);
        if beats % OFFER_EVERY == OFFER_EVERY - 1
            && let Some(sender) = self.leases.offer_one()
        {
            tracing::debug!(app = %sender, "the lease is offered to a replica with fewer leases");
        }
        if beats % RECOVER_EVERY == RECOVER_EVERY - 1 {
            self.recover_abandoned(session).await?;
        }
        Ok(())
    }

    /// Deliveries that are in flight for nobody become unconfirmed, so that an operator can discard them.
    async fn recover_abandoned(&self, session: &Session) -> EngineResult<()> {
        let mut recover = async |tx: &Transaction<'_>| {
            for sender in lease::abandoned(tx).await? {
                lease::recover(tx, &sender, &self.owner, relay_time::now(tx).await?).await?;
            }
            Ok(())
        };
        transaction(session, &mut recover).await.map(drop)
    }

    /// Purges settled deliveries early, so that there is room for new ones. Returns their number.
    async fn make_room(&self, session: &Session) -> EngineResult<usize> {
        let room = &self.server.room;
        let mut purge = async |tx: &Transaction<'_>| {
            let now = relay_time::now(tx).await?;
            let purged = purge::purge_early(tx, PURGED_AT_ONCE, room, now).await?;
            room.look(tx).await?;
            Ok(purged)
        };
        Ok(transaction(session, &mut purge).await?.0)
    }

    async fn leave(&self) -> EngineResult<()> {
        let session = self.server.connect(None).await?;
        self.give_back(&session).await?;
        let mut forget = async |tx: &Transaction<'_>| replica::forget(tx, &self.owner).await;
        transaction(&session, &mut forget).await.map(drop)
    }
}

/// Runs `work` within [`LIMIT`].
async fn transaction<T>(
    session: &Session,
    work: &mut impl AsyncFnMut(&Transaction<'_>) -> EngineResult<T>,
) -> EngineResult<(T, Vec<Change>)> {
    within(LIMIT, session.transaction(work)).await
}
