//! The choice of due deliveries for a number of slots.

use crate::outbox::{DeliveryId, Part};

/// A due delivery at the head of its ordering key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub id: DeliveryId,
    /// The number of messages that it starts; see [`slots`].
    pub slots: u32,
}

/// The number of messages that a delivery starts: all parts of a notification of which nothing was claimed yet, because
/// a split text should not stop halfway; else 1.
pub fn slots(part: Part, is_started: bool) -> u32 {
    if is_started { 1 } else { u32::from(part.of).max(1) }
}

/// The first of `heads` that fit into `slots`. A head that does not fit blocks the later ones, so that a long text is not
/// overtaken for ever.
pub fn choose(heads: &[Head], slots: u32) -> Vec<DeliveryId> {
    let mut left = slots;
    let mut chosen = Vec::new();
    for head in heads {
        let Some(rest) = left.checked_sub(head.slots) else { break };
        left = rest;
        chosen.push(head.id);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_chosen_in_order_while_they_fit() {
        let heads = [(1, 2), (2, 1), (3, 1)].map(|(id, slots)| Head { id: DeliveryId(id), slots });
        assert_eq!(choose(&heads, 3), [1, 2].map(DeliveryId));
        assert_eq!(choose(&heads, 99), [1, 2, 3].map(DeliveryId));
        assert!(choose(&heads, 1).is_empty());
    }

    #[test]
    fn only_a_notification_that_has_not_started_needs_all_its_slots() {
        let part = Part { number: 1, of: 3 };
        assert_eq!((slots(part, false), slots(part, true), slots(Part::WHOLE, false)), (3, 1, 1));
    }
}
