//! The time until which a lease is valid.

use std::{
    future::{pending, poll_fn},
    pin::pin,
    task::Poll,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// The end of a lease, as its engine knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// No other process can have the lease before this time, which moves on while the lease is renewed.
    Until(Instant),
    /// As [`Self::Until`], but another process should have the lease.
    Offered(Instant),
    /// Another process has taken the lease.
    Lost,
}

/// The state of a lease at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermState {
    /// No other process can have the lease.
    Valid,
    /// Another process should have the lease: release it as soon as nothing is in flight.
    Offered,
    /// The lease could not be renewed in time, so another process may have it. It is valid again if none has.
    Ended,
    /// Another process has taken the lease.
    Lost,
}

/// The term of a lease. Clones share it. The default one is valid for ever.
#[derive(Debug, Clone, Default)]
pub struct LeaseTerm(Option<watch::Receiver<Validity>>);

impl LeaseTerm {
    /// A term that follows `validity`.
    pub fn new(validity: watch::Receiver<Validity>) -> Self {
        Self(Some(validity))
    }

    pub fn state(&self) -> TermState {
        let is_over = |end: Instant| end <= Instant::now();
        match self.0.as_ref().map(|validity| *validity.borrow()) {
            None => TermState::Valid,
            Some(Validity::Until(end) | Validity::Offered(end)) if is_over(end) => TermState::Ended,
            Some(Validity::Until(_)) => TermState::Valid,
            Some(Validity::Offered(_)) => TermState::Offered,
            Some(Validity::Lost) => TermState::Lost,
        }
    }

    /// Returns when another process may have the lease.
    pub async fn ended(&self) {
        self.reached(|state| matches!(state, TermState::Ended | TermState::Lost)).await;
    }

    /// Returns when the state is not `seen` any more.
    pub async fn changed_from(&self, seen: TermState) {
        self.reached(|state| state != seen).await;
    }

    async fn reached(&self, is_met: impl Fn(TermState) -> bool) {
        let Some(validity) = &self.0 else { return pending().await };
        let mut validity = validity.clone();
        loop {
            let end = match *validity.borrow_and_update() {
                Validity::Until(end) | Validity::Offered(end) => Some(end),
                Validity::Lost => None,
            };
            let mut end = pin!(passed(end));
            let mut changed = pin!(changed(&mut validity));
            let is_over = poll_fn(|context| {
                // Asked at every poll, because a process that was stopped meets its timers late.
                if is_met(self.state()) {
                    return Poll::Ready(true);
                }
                if end.as_mut().poll(context).is_ready() || changed.as_mut().poll(context).is_ready() {
                    return Poll::Ready(false);
                }
                Poll::Pending
            })
            .await;
            if is_over {
                return;
            }
        }
    }
}

/// Returns when the validity was set. Never if nobody sets it any more.
async fn changed(validity: &mut watch::Receiver<Validity>) {
    if validity.changed().await.is_err() {
        pending::<()>().await;
    }
}

/// Returns at `time`. Never if that has passed already.
async fn passed(time: Option<Instant>) {
    match time {
        Some(time) if time > Instant::now() => sleep_until(time).await,
        _ => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn in_seconds(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_term_ends_when_it_is_not_renewed() {
        let (validity, receiver) = watch::channel(Validity::Until(in_seconds(5)));
        let term = LeaseTerm::new(receiver);
        let renew = async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            validity.send_replace(Validity::Until(in_seconds(5)));
        };
        let started = Instant::now();
        tokio::join!(term.ended(), renew);
        assert_eq!((started.elapsed().as_secs(), term.state()), (9, TermState::Ended));
        validity.send_replace(Validity::Until(in_seconds(5)));
        assert_eq!(term.state(), TermState::Valid);
        validity.send_replace(Validity::Lost);
        term.ended().await;
        assert_eq!(term.state(), TermState::Lost);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_in_time_is_no_change() {
        let (validity, receiver) = watch::channel(Validity::Until(in_seconds(5)));
        let term = LeaseTerm::new(receiver);
        let renew = async {
            validity.send_replace(Validity::Until(in_seconds(9)));
            tokio::time::sleep(Duration::from_secs(6)).await;
            validity.send_replace(Validity::Offered(in_seconds(9)));
        };
        let started = Instant::now();
        tokio::join!(term.changed_from(TermState::Valid), renew);
        assert_eq!((started.elapsed().as_secs(), term.state()), (6, TermState::Offered));
    }

    #[tokio::test(start_paused = true)]
    async fn a_term_that_nobody_renews_ends() {
        let (validity, receiver) = watch::channel(Validity::Until(in_seconds(5)));
        drop(validity);
        let (term, started) = (LeaseTerm::new(receiver), Instant::now());
        term.ended().await;
        assert_eq!(started.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn the_default_term_never_ends() {
        let term = LeaseTerm::default();
        assert!(tokio::time::timeout(Duration::from_secs(9), term.ended()).await.is_err());
        assert_eq!(term.state(), TermState::Valid);
    }
}
