//! Wall-clock times in place of relay times, for people.

use jiff::{SignedDuration, Timestamp};

use crate::outbox::{Detail, Filter, Listed};

/// Smaller differences between relay time and the wall clock are not shown.
pub const NEGLIGIBLE: SignedDuration = SignedDuration::from_secs(1);

/// Converts relay time to wall-clock time and back.
pub trait WallTimes {
    fn wall(&self, relay_time: Timestamp) -> Timestamp;

    fn relay(&self, wall: Timestamp) -> Timestamp;

    /// The filter with relay times in place of wall-clock times.
    fn filter(&self, filter: &Filter) -> Filter {
        Filter {
            accepted_before: filter.accepted_before.map(|at| self.relay(at)),
            accepted_since: filter.accepted_since.map(|at| self.relay(at)),
            ..filter.clone()
        }
    }

    fn listed(&self, listed: Listed) -> Listed {
        Listed {
            accepted_at: self.wall(listed.accepted_at),
            due_at: listed.due_at.map(|at| self.wall(at)),
            settled_at: listed.settled_at.map(|at| self.wall(at)),
            recalled_at: listed.recalled_at.map(|at| self.wall(at)),
            ..listed
        }
    }

    fn detail(&self, mut detail: Detail) -> Detail {
        for attempt in &mut detail.attempts {
            attempt.started_at = self.wall(attempt.started_at);
        }
        let unconfirmed_since = detail.unconfirmed_since.map(|at| self.wall(at));
        Detail { listed: self.listed(detail.listed), unconfirmed_since, ..detail }
    }
}
