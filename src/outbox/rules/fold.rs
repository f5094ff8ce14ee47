//! The size of digests.
//!
//! A digest that WeCom refuses is undone, because one of its lines may be the reason. Each of its members then allows only
//! digests of half the size, and in the end none. So a bad member stands alone after a few digests:
//!
//! ```text
//! 42 refused ──▶ 21 delivered
//!            └─▶ 21 refused ──▶ 11 delivered
//!                           └─▶ 10 refused ──▶ …  2 refused ──▶ 1 delivered
//!                                                           └─▶ 1 dead
//! ```

use crate::wecom::{Content, GroupMentions};

/// The maximum number of notifications in one digest.
pub const MAX_MEMBERS: u32 = 1000;

/// The number of the first notifications that may share a digest. `limits` has the limit of each, in order.
pub fn together(limits: impl IntoIterator<Item = u32>) -> u32 {
    let (mut count, mut most) = (0, MAX_MEMBERS);
    for limit in limits {
        most = most.min(limit);
        if count >= most {
            break;
        }
        count += 1;
    }
    count
}

/// The mentions of a message with this type. Engines read its content only if it may mention somebody.
pub fn mentions(msgtype: &str, content: Option<String>) -> GroupMentions {
    let content = content.and_then(|content| Content::stored(msgtype, content));
    content.map(|content| content.group_mentions()).unwrap_or_default()
}

/// The limit of each member of an undone digest. 0 means that it is sent by itself.
pub fn limit_after_undo(members: usize) -> u32 {
    match u32::try_from(members.div_ceil(2)).unwrap_or(MAX_MEMBERS) {
        1 => 0,
        half => half,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_as_small_as_its_members_allow() {
        assert_eq!(together([]), 0);
        assert_eq!(together([MAX_MEMBERS; 1200]), MAX_MEMBERS);
        assert_eq!(together([3, 3, MAX_MEMBERS, MAX_MEMBERS]), 3);
        assert_eq!(together([MAX_MEMBERS, MAX_MEMBERS, 2, MAX_MEMBERS]), 2);
        assert_eq!([1, 2, 3, 42].map(limit_after_undo), [0, 0, 2, 21]);
    }

    /// A notification that waits, with its limit.
    #[derive(Debug, Clone, Copy)]
    struct Waiting {
        limit: u32,
        is_bad: bool,
    }

    /// Sends everything in digests as large as allowed. Returns the number of messages.
    fn messages(mut waiting: Vec<Waiting>) -> u32 {
        let mut messages = 0;
        while let Some(first) = waiting.first() {
            let size = match first.limit {
                0 => 1,
                _ => together(waiting.iter().map(|one| one.limit)) as usize,
            };
            assert!(size > 0, "nothing is stuck");
            messages += 1;
            let rest = waiting.split_off(size);
            let is_refused = waiting.iter().any(|one| one.is_bad);
            if is_refused && first_limit(&waiting) > 0 {
                let limit = limit_after_undo(size);
                waiting.iter_mut().for_each(|one| one.limit = limit);
                waiting.extend(rest);
            } else {
                waiting = rest;
            }
        }
        messages
    }

    fn first_limit(waiting: &[Waiting]) -> u32 {
        waiting.first().map_or(0, |one| one.limit)
    }

    #[test]
    fn one_bad_notification_costs_two_digests_for_each_halving() {
        for (members, bad) in [(2_usize, 0), (42, 0), (42, 41), (200, 77), (1000, 500)] {
            let waiting = |n| Waiting { limit: MAX_MEMBERS, is_bad: n == bad };
            let messages = messages((0..members).map(waiting).collect());
            let halvings = members.ilog2() + 1;
            assert!(messages <= 2 * halvings + 1, "{messages} messages for {members}");
        }
    }
}
