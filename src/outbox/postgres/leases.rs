//! The leases of this process, and the processes that share the senders with it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{lease::LeaseRow, lease_id::LeaseId, settings::LeaseTimes};
use crate::outbox::{LeaseTerm, SenderName, Sharing, Takeovers, Validity};

/// The wait of a candidate for each lease that it has, so that others take a free lease first.
const WAIT_PER_LEASE: Duration = Duration::from_millis(150);
const MAX_WAIT: Duration = Duration::from_secs(1);
/// The time for which owners may renew their leases first, after the server was away.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// The way in which the lease before ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum LeaseEnd {
    /// It was not renewed.
    Expired,
    /// It was given back.
    Released,
}

/// A process that shares the senders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) owner: String,
    /// The senders that it dispatches or waits for.
    pub(super) senders: Vec<String>,
    /// The number of its leases.
    pub(super) held: usize,
}

/// The leases of this process. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Leases(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified when a lease is not used.
    unused: Notify,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<SenderName, Held>,
    /// The number of calls that wait for each lease.
    candidacies: BTreeMap<SenderName, usize>,
    peers: Vec<Peer>,
    grace_until: Option<Instant>,
    takeovers: BTreeMap<(SenderName, LeaseEnd), u64>,
    /// Leases that were taken for nobody. The keeper gives them back.
    unused: Vec<LeaseId>,
}

#[derive(Debug)]
struct Held {
    token: i64,
    validity: watch::Sender<Validity>,
    offered_to: Option<String>,
}

impl Leases {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces that this process waits for the lease of `sender`, until the result is dropped.
    pub(super) fn announce(&self, sender: &SenderName) -> Candidacy {
        *self.state().candidacies.entry(sender.clone()).or_default() += 1;
        Candidacy { leases: self.clone(), sender: sender.clone() }
    }

    /// Registers a lease that was asked for at `asked_at`. A lease of the same sender that this process had is lost.
    pub(super) fn begin(&self, lease: &LeaseId, asked_at: Instant, times: LeaseTimes) -> LeaseTerm {
        let (validity, term) = watch::channel(Validity::Until(end(asked_at, times)));
        let held = Held { token: lease.token, validity, offered_to: None };
        if let Some(former) = self.state().held.insert(lease.sender.clone(), held) {
            former.validity.send_replace(Validity::Lost);
        }
        LeaseTerm::new(term)
    }

    /// Counts a lease that was taken from another process.
    pub(super) fn count_takeover(&self, sender: &SenderName, before: LeaseEnd) {
        *self.state().takeovers.entry((sender.clone(), before)).or_default() += 1;
    }

    /// Gives a lease back that nobody uses.
    pub(super) fn give_back(&self, lease: LeaseId) {
        self.state().unused.push(lease);
        self.0.unused.notify_one();
    }

    /// Returns when there may be leases that nobody uses.
    pub(super) async fn has_unused(&self) {
        self.0.unused.notified().await;
    }

    pub(super) fn unused(&self) -> Vec<LeaseId> {
        self.state().unused.clone()
    }

    /// These leases were given back.
    pub(super) fn forget_unused(&self, given_back: &[LeaseId]) {
        self.state().unused.retain(|lease| !given_back.contains(lease));
    }

    /// Forgets a lease that nobody uses any more, so it is not renewed.
    pub(super) fn forget(&self, lease: &LeaseId) {
        let mut state = self.state();
        if state.held.get(&lease.sender).is_some_and(|held| held.token == lease.token) {
            state.held.remove(&lease.sender);
        }
    }

    /// The process that should have the lease of `sender` next.
    pub(super) fn next_owner(&self, sender: &SenderName) -> Option<String> {
        let state = self.state();
        let offered_to = state.held.get(sender).and_then(|held| held.offered_to.clone());
        let is_candidate = |peer: &&Peer| peer.senders.contains(&sender.0);
        let peer = state.peers.iter().filter(is_candidate).min_by_key(|peer| peer.held);
        offered_to.or_else(|| peer.map(|peer| peer.owner.clone()))
    }

    pub(super) fn held(&self) -> Vec<LeaseId> {
        let id = |(sender, held): (&SenderName, &Held)| LeaseId { sender: sender.clone(), token: held.token };
        self.state().held.iter().map(id).collect()
    }

    /// Records which of `asked` were renewed by a call that began at `asked_at`. The others are lost.
    pub(super) fn renewed(
        &self,
        asked: &[LeaseId],
        renewed: &[SenderName],
        asked_at: Instant,
        times: LeaseTimes,
    ) {
        let mut state = self.state();
        for LeaseId { sender, token } in asked {
            let Some(held) = state.held.get(sender).filter(|held| held.token == *token) else { continue };
            if renewed.contains(sender) {
                let end = end(asked_at, times);
                let is_offered = held.offered_to.is_some();
                let validity = if is_offered { Validity::Offered(end) } else { Validity::Until(end) };
                held.validity.send_replace(validity);
            } else {
                held.validity.send_replace(Validity::Lost);
                state.held.remove(sender);
            }
        }
    }

    /// All senders that this process dispatches or waits for.
    pub(super) fn senders(&self) -> Vec<String> {
        let state = self.state();
        let mut senders: Vec<String> =
            state.held.keys().chain(state.candidacies.keys()).map(|sender| sender.0.clone()).collect();
        senders.sort_unstable();
        senders.dedup();
        senders
    }

    pub(super) fn set_peers(&self, peers: Vec<Peer>) {
        self.state().peers = peers;
    }

    /// The part of this process, `owner`, among the others.
    pub(super) fn sharing(&self, owner: &str) -> Sharing {
        let state = self.state();
        let elsewhere = state.peers.iter().flat_map(|peer| peer.senders.iter().cloned().map(SenderName));
        let takeovers = state.takeovers.iter().map(|((sender, before), count)| Takeovers {
            sender: sender.clone(),
            count: *count,
            is_expired: *before == LeaseEnd::Expired,
        });
        Sharing {
            leases: state.held.keys().cloned().collect(),
            elsewhere: elsewhere.collect(),
            is_first: state.peers.iter().all(|peer| owner < peer.owner.as_str()),
            replicas: state.peers.len() + 1,
            takeovers: takeovers.collect(),
        }
    }

    /// Offers one lease to the peer with the fewest, if that has at least two less than this process.
    pub(super) fn offer_one(&self) -> Option<SenderName> {
        let mut state = self.state();
        let state = &mut *state;
        let has_offer = state.held.values().any(|held| held.offered_to.is_some());
        let peer = state.peers.iter().min_by_key(|peer| peer.held)?;
        if has_offer || state.held.len() < peer.held + 2 {
            return None;
        }
        let (sender, held) = state.held.iter_mut().find(|(sender, _)| peer.senders.contains(&sender.0))?;
        held.offered_to = Some(peer.owner.clone());
        held.validity.send_modify(|validity| {
            if let Validity::Until(end) = *validity {
                *validity = Validity::Offered(end);
            }
        });
        Some(sender.clone())
    }

    /// Leaves the leases of others alone for a while, after the server was away.
    pub(super) fn begin_grace(&self) {
        self.state().grace_until = Some(Instant::now() + GRACE);
    }

    /// The time that this process should wait before it takes the lease with `row`.
    pub(super) fn wait_before(&self, row: Option<&LeaseRow>, owner: &str) -> Duration {
        let state = self.state();
        let grace = state.grace_until.map_or(Duration::ZERO, |until| until.duration_since(Instant::now()));
        match row {
            Some(row) if row.owner == owner || row.offered_to.as_deref() == Some(owner) => Duration::ZERO,
            Some(row) if !row.was_released() && !grace.is_zero() => grace,
            _ if state.peers.is_empty() => Duration::ZERO,
            _ => (WAIT_PER_LEASE * u32::try_from(state.held.len()).unwrap_or(u32::MAX)).min(MAX_WAIT),
        }
    }
}

/// The end of a lease that was asked for at `asked_at`, as its owner counts it.
fn end(asked_at: Instant, times: LeaseTimes) -> Instant {
    asked_at + valid_for(times)
}

/// The time for which a lease is valid from the moment at which it was asked for, which is before the server wrote it.
fn valid_for(times: LeaseTimes) -> Duration {
    times.ttl.saturating_sub(times.margin)
}

/// A call that waits for a lease.
pub(super) struct Candidacy {
    leases: Leases,
    sender: SenderName,
}

impl Drop for Candidacy {
    fn drop(&mut self) {
        let mut state = self.leases.state();
        if let Some(count) = state.candidacies.get_mut(&self.sender) {
            *count -= 1;
            if *count == 0 {
                state.candidacies.remove(&self.sender);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outbox::TermState;

    fn name(name: &str) -> SenderName {
        SenderName(name.to_owned())
    }

    fn id(sender: &str, token: i64) -> LeaseId {
        LeaseId { sender: name(sender), token }
    }

    fn peer(owner: &str, held: usize) -> Peer {
        Peer { owner: owner.to_owned(), senders: vec!["a".to_owned(), "b".to_owned()], held }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_not_renewed_is_lost() {
        let (leases, times) = (Leases::default(), LeaseTimes::default());
        let term = leases.begin(&id("a", 1), Instant::now(), times);
        leases.renewed(&[id("a", 7)], &[], Instant::now(), times);
        assert_eq!(term.state(), TermState::Valid, "that was an earlier lease");
        leases.renewed(&[id("a", 1)], &[], Instant::now(), times);
        assert_eq!((term.state(), leases.held()), (TermState::Lost, Vec::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_offered_to_a_replica_with_two_less() {
        let (leases, times) = (Leases::default(), LeaseTimes::default());
        leases.begin(&id("a", 1), Instant::now(), times);
        leases.set_peers(vec![peer("other", 0)]);
        assert_eq!(leases.offer_one(), None);
        let term = leases.begin(&id("c", 2), Instant::now(), times);
        assert_eq!(leases.offer_one(), Some(name("a")));
        assert_eq!(leases.offer_one(), None, "one at a time");
        assert_eq!(leases.next_owner(&name("a")), Some("other".to_owned()));
        assert_eq!((leases.next_owner(&name("c")), term.state()), (None, TermState::Valid));
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_with_many_leases_lets_others_go_first() {
        let (leases, times) = (Leases::default(), LeaseTimes::default());
        for n in 0..20 {
            leases.begin(&id(&n.to_string(), n), Instant::now(), times);
        }
        assert_eq!(leases.wait_before(None, "me"), Duration::ZERO, "there are no others");
        leases.set_peers(vec![peer("other", 0)]);
        assert_eq!(leases.wait_before(None, "me"), MAX_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn exactly_one_process_reports_on_a_sender() {
        let (one, two) = (Leases::default(), Leases::default());
        let held = one.begin(&id("a", 1), Instant::now(), LeaseTimes::default());
        let candidacy = two.announce(&name("a"));
        let peer = |owner: &str, leases: &Leases| Peer { senders: leases.senders(), ..peer(owner, 0) };
        one.set_peers(vec![peer("two", &two)]);
        two.set_peers(vec![peer("one", &one)]);
        for sender in ["a", "not in any configuration"] {
            let reports = [one.sharing("one"), two.sharing("two")].map(|seen| seen.reports(&name(sender)));
            assert_eq!(reports, [true, false], "{sender}");
        }
        drop((held, candidacy));
    }

    #[test]
    fn a_process_is_a_candidate_while_a_call_waits() {
        let leases = Leases::default();
        let candidacies = (leases.announce(&name("a")), leases.announce(&name("a")));
        drop(candidacies.0);
        assert_eq!(leases.senders(), ["a"]);
        drop(candidacies.1);
        assert_eq!(leases.senders(), [""; 0]);
    }

    /// A call of a process that takes or renews the lease, with times in milliseconds.
    #[derive(Debug, Clone, Copy)]
    struct Call {
        process: usize,
        /// The time since the call before.
        after: u64,
        /// The time until the server writes the row.
        request: u64,
        /// The time until the answer comes back; `None` if it is lost.
        answer: Option<u64>,
    }

    /// A call as the server meets it.
    struct Arrival {
        at: u64,
        asked_at: u64,
        call: Call,
    }

    /// A time in which a process sends messages.
    #[derive(Debug, Clone, Copy)]
    struct Sending {
        process: usize,
        from: f64,
        to: f64,
    }

    /// The times in which the processes send. Their clocks have these rates, in percent of the server's clock.
    fn sendings(calls: &[Call], rates: &[u64], times: LeaseTimes) -> Vec<Sending> {
        let mut now = 0;
        let mut arrivals: Vec<Arrival> = Vec::new();
        for call in calls {
            now += call.after;
            arrivals.push(Arrival { at: now + call.request, asked_at: now, call: *call });
        }
        arrivals.sort_by_key(|arrival| (arrival.at, arrival.asked_at));
        let (ttl, valid) = (times.ttl.as_millis() as u64, valid_for(times).as_millis() as f64);
        let mut row: Option<(usize, u64)> = None;
        let mut sendings = Vec::new();
        for Arrival { at, asked_at, call: Call { process, answer, .. } } in arrivals {
            if row.is_some_and(|(owner, until)| owner != process && until >= at) {
                continue;
            }
            row = Some((process, at + ttl));
            let Some(answer) = answer else { continue };
            let to = asked_at as f64 + valid * 100.0 / rates[process] as f64;
            sendings.push(Sending { process, from: (at + answer) as f64, to });
        }
        sendings.retain(|sending| sending.from < sending.to);
        sendings
    }

    proptest! {
        #[test]
        fn two_processes_never_send_at_the_same_time(
            calls in prop::collection::vec(
                (0..3_usize, 0..4000_u64, 0..6000_u64, prop::option::weighted(0.8, 0..6000_u64)), 1..80),
            rates in prop::collection::vec(95..=105_u64, 3),
        ) {
            let call = |(process, after, request, answer)| Call { process, after, request, answer };
            let calls: Vec<_> = calls.into_iter().map(call).collect();
            let sendings = sendings(&calls, &rates, LeaseTimes::default());
            for (n, one) in sendings.iter().enumerate() {
                for other in &sendings[..n] {
                    let is_apart = one.from >= other.to || other.from >= one.to;
                    prop_assert!(one.process == other.process || is_apart, "{one:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn a_margin_is_needed_for_clocks_of_different_rates() {
        let call = |process, after| Call { process, after, request: 0, answer: Some(0) };
        let calls = [call(0, 0), call(1, 1 + LeaseTimes::default().ttl.as_millis() as u64)];
        let overlap = |margin| {
            let times = LeaseTimes { margin, ..LeaseTimes::default() };
            let sendings = sendings(&calls, &[95, 100], times);
            sendings[0].to > sendings[1].from
        };
        assert!(overlap(Duration::ZERO));
        assert!(!overlap(LeaseTimes::default().margin));
    }
}
