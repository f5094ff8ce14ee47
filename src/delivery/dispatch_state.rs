//! The next action of a dispatcher, as a pure function of its state.

use super::{
    Monotonic,
    circuit_breaker::{Admission, CircuitBreaker},
    schedule::Schedule,
};

/// The state that decides about the next action.
#[derive(Debug)]
pub struct DispatchState {
    pub breaker: CircuitBreaker,
    /// The planned looks at destinations.
    pub schedule: Schedule,
    pub concurrency: u32,
    pub in_flight: usize,
    /// Results that are on their way to the outbox.
    pub settling: usize,
    /// Results among them that the outbox could not store yet.
    pub unstored: usize,
    /// The outbox failed. It is not asked again before this time.
    pub store_retry_at: Option<Monotonic>,
    /// True if the schedule must be built again from the outbox.
    pub has_stale_schedule: bool,
    /// True if past messages must be counted again, because a reload changed the limits.
    pub has_new_limits: bool,
    pub is_draining: bool,
    /// True while the lease may have ended.
    pub is_paused: bool,
}

/// The next action of a dispatcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// End: nothing is in flight and all results are stored.
    Finish,
    /// Count past messages for new limits.
    Recount,
    /// Build the schedule from the outbox.
    Reschedule,
    /// Look at the destinations that are due, and claim up to this number of messages.
    Claim { slots: u32 },
    /// Wait for an event, at most until this time.
    Wait {
        /// The time; `None` to wait for an event only.
        until: Option<Monotonic>,
    },
}

impl DispatchState {
    /// The next action at `now`.
    pub fn next(&self, now: Monotonic) -> Action {
        let is_idle = self.in_flight == 0 && self.settling == 0;
        if self.is_draining {
            return if is_idle { Action::Finish } else { Action::Wait { until: None } };
        }
        if self.is_paused {
            return Action::Wait { until: None };
        }
        if let Some(retry_at) = self.store_retry_at.filter(|retry_at| *retry_at > now) {
            return Action::Wait { until: Some(retry_at) };
        }
        if self.has_new_limits {
            // Messages in flight are not counted yet, so their ends come first.
            return if is_idle { Action::Recount } else { Action::Wait { until: None } };
        }
        if self.unstored > 0 {
            return Action::Wait { until: None };
        }
        if self.has_stale_schedule {
            return Action::Reschedule;
        }
        let Some(next_look) = self.schedule.next() else { return Action::Wait { until: None } };
        if next_look > now {
            return Action::Wait { until: Some(next_look) };
        }
        match self.breaker.admission(self.in_flight, now) {
            Admission::All if self.free_slots() > 0 => Action::Claim { slots: self.free_slots() },
            Admission::One if self.free_slots() > 0 => Action::Claim { slots: 1 },
            Admission::Wait(until) => Action::Wait { until: Some(until) },
            // The end of a message is an event.
            Admission::All | Admission::One | Admission::Probing => Action::Wait { until: None },
        }
    }

    fn free_slots(&self) -> u32 {
        self.concurrency.saturating_sub(u32::try_from(self.in_flight).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        delivery::decide::Policy,
        outbox::{Destination, Key, SenderName},
    };

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(1_000 + seconds))
    }

    /// A state with one destination that is due at 0 s.
    fn state() -> DispatchState {
        let policy = Policy::new(Duration::from_secs(3600));
        let sender = SenderName("ops".to_owned());
        let breaker = CircuitBreaker::new(
            sender,
            "secret".to_owned(),
            &policy,
            None,
            jiff::Timestamp::UNIX_EPOCH,
            at(0),
        );
        let mut schedule = Schedule::default();
        schedule.set(Destination(Key([1; 16])), at(0));
        DispatchState {
            breaker,
            schedule,
            concurrency: 4,
            in_flight: 0,
            settling: 0,
            unstored: 0,
            store_retry_at: None,
            has_stale_schedule: false,
            has_new_limits: false,
            is_draining: false,
            is_paused: false,
        }
    }

    const WAIT: Action = Action::Wait { until: None };

    #[test]
    fn free_slots_are_claimed_when_a_destination_is_due() {
        assert_eq!(state().next(at(0)), Action::Claim { slots: 4 });
        assert_eq!(DispatchState { in_flight: 3, ..state() }.next(at(0)), Action::Claim { slots: 1 });
        assert_eq!(DispatchState { in_flight: 4, ..state() }.next(at(0)), WAIT);
    }

    #[test]
    fn an_idle_dispatcher_waits_for_the_next_look() {
        let mut later = state();
        later.schedule.set(Destination(Key([1; 16])), at(9));
        assert_eq!(later.next(at(0)), Action::Wait { until: Some(at(9)) });
        later.schedule = Schedule::default();
        assert_eq!(later.next(at(0)), WAIT);
    }

    #[test]
    fn nothing_is_claimed_without_a_working_outbox() {
        assert_eq!(DispatchState { settling: 1, unstored: 1, ..state() }.next(at(0)), WAIT);
        let failed = DispatchState { store_retry_at: Some(at(2)), ..state() };
        assert_eq!(failed.next(at(1)), Action::Wait { until: Some(at(2)) });
        assert_eq!(failed.next(at(2)), Action::Claim { slots: 4 });
    }

    #[test]
    fn a_shutdown_and_new_limits_wait_for_messages_in_flight() {
        for (in_flight, settling) in [(1, 0), (0, 1)] {
            let busy = || DispatchState { in_flight, settling, ..state() };
            assert_eq!(DispatchState { is_draining: true, ..busy() }.next(at(0)), WAIT);
            assert_eq!(DispatchState { has_new_limits: true, ..busy() }.next(at(0)), WAIT);
        }
        assert_eq!(DispatchState { is_draining: true, ..state() }.next(at(0)), Action::Finish);
        assert_eq!(DispatchState { has_new_limits: true, ..state() }.next(at(0)), Action::Recount);
        assert_eq!(DispatchState { has_stale_schedule: true, ..state() }.next(at(0)), Action::Reschedule);
    }
}
