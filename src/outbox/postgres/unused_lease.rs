//! Leases that were taken and that nobody uses yet.

use super::{lease_id::LeaseId, leases::Leases};

/// Gives a lease back when this is dropped before [`Self::begin`]. Then its caller is gone, or the commit of its transaction
/// got no answer.
pub(super) struct UnusedLease {
    leases: Leases,
    lease: Option<LeaseId>,
}

impl UnusedLease {
    pub(super) fn new(leases: &Leases, lease: LeaseId) -> Self {
        Self { leases: leases.clone(), lease: Some(lease) }
    }

    /// From now on the lease is used.
    pub(super) fn begin(mut self) {
        self.lease = None;
    }
}

impl Drop for UnusedLease {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.leases.give_back(lease);
        }
    }
}
