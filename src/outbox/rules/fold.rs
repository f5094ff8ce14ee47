//! The choice of the notifications that a digest replaces.

use std::collections::{BTreeSet, HashMap, HashSet};

/// A notification that may be folded, as the engine finds it when it folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The place of its first delivery in its ordering key.
    pub seq: i64,
    pub notification: i64,
    pub ordering_key: i64,
    /// True if its first delivery is the head of the ordering key.
    pub is_head: bool,
}

/// The members of a digest, in order.
///
/// A notification that is not a head becomes a member only if everything before it in its ordering key becomes one too.
/// Otherwise the digest would overtake a delivery that is left out. `first_left_out` has, for each ordering key, the
/// place of the first queued delivery that belongs to no candidate.
pub fn members(
    candidates: impl IntoIterator<Item = Candidate>,
    first_left_out: &HashMap<i64, i64>,
) -> Vec<Candidate> {
    let mut members = Vec::new();
    let mut open_keys = HashSet::new();
    // Sorted, so that the older notifications of an ordering key are decided first.
    for candidate in candidates.into_iter().collect::<BTreeSet<_>>() {
        let left_out = first_left_out.get(&candidate.ordering_key);
        let follows = open_keys.contains(&candidate.ordering_key)
            && left_out.is_none_or(|left_out| candidate.seq < *left_out);
        if candidate.is_head || follows {
            open_keys.insert(candidate.ordering_key);
            members.push(candidate);
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(seq: i64, ordering_key: i64, is_head: bool) -> Candidate {
        Candidate { seq, notification: seq, ordering_key, is_head }
    }

    fn chosen(candidates: &[Candidate], left_out: &[(i64, i64)]) -> Vec<i64> {
        let left_out = left_out.iter().copied().collect();
        members(candidates.iter().copied(), &left_out).iter().map(|member| member.seq).collect()
    }

    #[test]
    fn a_run_from_the_head_is_folded_in_order() {
        let candidates = [candidate(5, 1, false), candidate(2, 1, true), candidate(3, 2, true)];
        assert_eq!(chosen(&candidates, &[]), [2, 3, 5]);
    }

    #[test]
    fn nothing_is_folded_behind_a_delivery_that_is_left_out() {
        let candidates = [candidate(2, 1, true), candidate(5, 1, false), candidate(9, 1, false)];
        assert_eq!(chosen(&candidates, &[(1, 7)]), [2, 5]);
        assert_eq!(chosen(&candidates, &[(1, 3)]), [2]);
    }

    #[test]
    fn nothing_is_folded_without_the_head() {
        assert!(chosen(&[candidate(5, 1, false)], &[]).is_empty());
    }
}
