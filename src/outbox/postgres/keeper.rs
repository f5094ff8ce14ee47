//! The keeper: renews the leases of this process, reports the process to the others, and hears their wake-ups.
//!
//! It has a session of its own, so that a long transaction of a worker cannot delay a renewal. After the server was away,
//! it opens the session anew and wakes everything, because wake-ups may be lost.

use std::{rc::Rc, time::Duration};

use tokio::{sync::mpsc, time::Instant};

use super::{
    error::{EngineError, EngineResult},
    lease,
    leases::Leases,
    purge, relay_time, replica,
    session::{Session, Transaction},
    wakeups::LISTEN,
    worker::{CONNECT_PAUSE, Server},
};

/// A renewal without an answer for this time is tried again with another session, so that the lease does not run out.
const RENEWAL_LIMIT: Duration = Duration::from_millis(1500);
/// The time between two looks for changes that were not heard, if the session hears anything, and if it does not.
const POLL: Duration = Duration::from_secs(5);
const POLL_UNHEARD: Duration = Duration::from_secs(1);
/// The numbers of renewals between two offers, and between two looks for abandoned deliveries.
const OFFER_EVERY: u64 = 5;
const RECOVER_EVERY: u64 = 30;
/// The maximum numbers of deliveries that are purged early at once, and of transactions for it.
const PURGED_AT_ONCE: u32 = 200;
const MAX_ROUNDS: u32 = 8;

/// The keeper of one process.
pub(super) struct Keeper {
    pub(super) server: Rc<Server>,
    pub(super) leases: Leases,
    /// The name of this process in leases.
    pub(super) owner: String,
}

/// A session that listens.
struct Listener {
    session: Session,
    heard: mpsc::UnboundedReceiver<String>,
    /// True if a notification of its own came back.
    hears: bool,
}

impl Keeper {
    /// Runs until the outbox is closed.
    pub(super) async fn run(self) {
        let closing = self.server.closing.clone();
        let mut was_away = false;
        while !closing.is_cancelled() {
            let Some(listener) = closing.run_until_cancelled(self.listen()).await else { return };
            match listener {
                Ok(listener) => {
                    if was_away {
                        self.leases.begin_grace();
                    }
                    self.server.wakeups.mark_everything();
                    if let Err(error) = self.keep(listener).await {
                        tracing::debug!(error = error.reason(), "the session of the leases has ended");
                    }
                }
                Err(error) => tracing::debug!(error = error.reason(), "the leases cannot be renewed yet"),
            }
            // The owners of other leases may not have renewed them either.
            self.leases.begin_grace();
            was_away = true;
            closing.run_until_cancelled(tokio::time::sleep(CONNECT_PAUSE)).await;
        }
    }

    async fn listen(&self) -> EngineResult<Listener> {
        let (sender, heard) = mpsc::unbounded_channel();
        let session = self.server.connect(Some(sender)).await?;
        session.execute(LISTEN).await?;
        session.execute(&format!("NOTIFY wecom_relay, '{}'", self.test_payload())).await?;
        Ok(Listener { session, heard, hears: false })
    }

    fn test_payload(&self) -> String {
        format!("test {}", self.owner)
    }

    /// Keeps the leases until the session fails or the outbox is closed.
    async fn keep(&self, mut listener: Listener) -> EngineResult<()> {
        let renewal = self.server.settings.lease.renewal;
        let (mut next_beat, mut next_poll, mut beats) = (Instant::now(), Instant::now() + POLL_UNHEARD, 0);
        loop {
            tokio::select! {
                biased;
                () = self.server.closing.cancelled() => return self.leave(&listener.session).await,
                () = tokio::time::sleep_until(next_beat) => {
                    next_beat = Instant::now() + renewal;
                    self.beat(&listener.session, beats).await?;
                    beats += 1;
                }
                heard = listener.heard.recv() => match heard {
                    Some(payload) if payload == self.test_payload() => listener.hears = true,
                    Some(payload) => self.server.wakeups.hear(&payload),
                    // The connection has ended.
                    None => return Ok(()),
                },
                () = tokio::time::sleep_until(next_poll) => {
                    next_poll = Instant::now() + if listener.hears { POLL } else { POLL_UNHEARD };
                    self.server.wakeups.mark_everything();
                }
            }
        }
    }

    async fn beat(&self, session: &Session, beats: u64) -> EngineResult<()> {
        let times = self.server.settings.lease;
        let (held, asked_at) = (self.leases.held(), Instant::now());
        if !held.is_empty() {
            let mut renew = async |tx: &Transaction<'_>| lease::renew(tx, &held, times.ttl).await;
            let renewed = tokio::time::timeout(RENEWAL_LIMIT, session.transaction(&mut renew)).await;
            let (renewed, _) = renewed.unwrap_or(Err(EngineError::TimedOut(RENEWAL_LIMIT)))?;
            self.leases.renewed(&held, &renewed, asked_at, times);
        }
        let settings = &self.server.settings;
        let report = replica::Report {
            owner: &self.owner,
            name: &settings.replica,
            ttl: times.ttl,
            config: &settings.config,
            senders: self.leases.senders(),
        };
        let mut look = async |tx: &Transaction<'_>| {
            replica::store(tx, &report).await?;
            self.server.room.look(tx).await?;
            replica::peers(tx, &self.owner).await
        };
        let (peers, _) = session.transaction(&mut look).await?;
        self.leases.set_peers(peers);
        if beats % OFFER_EVERY == OFFER_EVERY - 1
            && let Some(sender) = self.leases.offer_one()
        {
            tracing::debug!(app = %sender, "the lease is offered to a replica with fewer senders");
        }
        if beats % RECOVER_EVERY == RECOVER_EVERY - 1 {
            self.recover_abandoned(session).await?;
        }
        self.make_room(session).await
    }

    /// Deliveries that are in flight for nobody become unconfirmed, so that an operator can discard them.
    async fn recover_abandoned(&self, session: &Session) -> EngineResult<()> {
        let mut recover = async |tx: &Transaction<'_>| {
            for sender in lease::abandoned(tx).await? {
                lease::recover(tx, &sender, &self.owner, relay_time::now(tx).await?).await?;
            }
            Ok(())
        };
        session.transaction(&mut recover).await.map(drop)
    }

    /// Purges settled deliveries early while there is no room for new ones.
    async fn make_room(&self, session: &Session) -> EngineResult<()> {
        let room = &self.server.room;
        for _ in 0..MAX_ROUNDS {
            if !room.is_short() {
                break;
            }
            let mut purge = async |tx: &Transaction<'_>| {
                let now = relay_time::now(tx).await?;
                let purged = purge::purge_early(tx, PURGED_AT_ONCE, room, now).await?;
                room.look(tx).await?;
                Ok(purged)
            };
            if session.transaction(&mut purge).await?.0 == 0 {
                break;
            }
        }
        Ok(())
    }

    async fn leave(&self, session: &Session) -> EngineResult<()> {
        let mut forget = async |tx: &Transaction<'_>| replica::forget(tx, &self.owner).await;
        session.transaction(&mut forget).await.map(drop)
    }
}
