//! The present names of senders, which the configuration may rename, merge or swap.

use std::collections::BTreeMap;

use crate::outbox::{ConfiguredSender, SenderName};

/// A name under which deliveries were stored, and the sender that it meant last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSender {
    pub name: SenderName,
    pub identity: String,
    /// It stands for the sender in ordering keys.
    pub queue: SenderName,
    /// True if the sender has another name now.
    pub is_former: bool,
}

/// The present name of each former name. What is stored under a name without a present one stays where it is.
pub fn moves(known: &[KnownSender], configured: &[ConfiguredSender]) -> BTreeMap<SenderName, SenderName> {
    let mut moves = BTreeMap::new();
    for sender in configured {
        moves.extend(sender.aliases.iter().map(|alias| (alias.clone(), sender.name.clone())));
    }
    // The identity decides, because another sender may have the name now.
    for KnownSender { name, identity, .. } in known {
        if let Some(sender) = configured.iter().find(|sender| sender.identity == *identity) {
            moves.insert(name.clone(), sender.name.clone());
        }
    }
    moves.retain(|from, to| from != to);
    moves
}

/// The name that stands for `sender` in ordering keys. It stays the same under a new name, and no other sender has it.
pub fn queue(
    known: &[KnownSender],
    configured: &[ConfiguredSender],
    sender: &ConfiguredSender,
) -> SenderName {
    let is_configured = |identity: &str| configured.iter().any(|other| other.identity == identity);
    let mut present = known.iter().filter(|known| !known.is_former);
    let same = present.clone().find(|known| known.identity == sender.identity);
    let named = || present.find(|known| known.name == sender.name && !is_configured(&known.identity));
    if let Some(known) = same.or_else(named) {
        return known.queue.clone();
    }
    let mut queue = sender.name.clone();
    while known.iter().any(|known| known.queue == queue) {
        queue.0.push('\'');
    }
    queue
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> SenderName {
        SenderName(name.to_owned())
    }

    /// The moves from what is known, as names and identities, to what is configured. Names of one sender have commas.
    fn moved(known: &[(&str, &str)], configured: &[(&str, &str)]) -> Vec<String> {
        let known: Vec<_> = known.iter().map(|(n, i)| known_sender(n, i, n)).collect();
        let configured = configured_senders(configured);
        moves(&known, &configured).iter().map(|(from, to)| format!("{from} to {to}")).collect()
    }

    fn known_sender(known: &str, identity: &str, queue: &str) -> KnownSender {
        KnownSender { name: name(known), identity: identity.to_owned(), queue: name(queue), is_former: false }
    }

    fn configured_senders(configured: &[(&str, &str)]) -> Vec<ConfiguredSender> {
        configured
            .iter()
            .map(|(names, identity)| {
                let mut names = names.split(',').map(name);
                let first = names.next().unwrap();
                ConfiguredSender { name: first, identity: (*identity).to_owned(), aliases: names.collect() }
            })
            .collect()
    }

    /// The queues of the configured senders. What is known is names, identities and queues.
    fn queues(known: &[(&str, &str, &str)], configured: &[(&str, &str)]) -> Vec<String> {
        let known: Vec<_> = known.iter().map(|(n, i, q)| known_sender(n, i, q)).collect();
        let configured = configured_senders(configured);
        configured.iter().map(|sender| queue(&known, &configured, sender).0).collect()
    }

    #[test]
    fn a_sender_keeps_its_ordering_keys_under_a_new_name() {
        assert_eq!(queues(&[], &[("ops", "A")]), ["ops"]);
        assert_eq!(queues(&[("ops", "A", "ops")], &[("ops2", "A")]), ["ops"]);
        assert_eq!(queues(&[("ops2", "A", "ops")], &[("ops2", "B")]), ["ops"]);
        let two = [("a", "A", "a"), ("b", "B", "b")];
        assert_eq!(queues(&two, &[("b", "A"), ("a", "B")]), ["a", "b"]);
    }

    #[test]
    fn two_senders_never_have_the_same_ordering_keys() {
        assert_eq!(queues(&[("ops", "A", "ops")], &[("ops", "B"), ("old", "A")]), ["ops'", "ops"]);
        assert_eq!(queues(&[("ops2", "A", "ops")], &[("ops2", "A"), ("ops", "B")]), ["ops", "ops'"]);
        let former = KnownSender { is_former: true, ..known_sender("ops", "A", "ops") };
        let known = [former, known_sender("ops2", "B", "ops")];
        let configured = configured_senders(&[("ops2", "B"), ("ops", "A")]);
        let queues = configured.iter().map(|sender| queue(&known, &configured, sender).0);
        assert_eq!(queues.collect::<Vec<_>>(), ["ops", "ops'"]);
    }

    #[test]
    fn a_queue_follows_the_identity_of_its_sender() {
        assert_eq!(moved(&[("ops", "A")], &[("ops2", "A")]), ["ops to ops2"]);
        assert_eq!(moved(&[("ops", "A"), ("ops2", "A")], &[("ops3", "A")]), ["ops to ops3", "ops2 to ops3"]);
        assert_eq!(moved(&[("a", "A"), ("b", "B")], &[("b", "A"), ("a", "B")]), ["a to b", "b to a"]);
        assert_eq!(moved(&[("ops", "A")], &[("ops", "B"), ("old", "A")]), ["ops to old"]);
    }

    #[test]
    fn a_queue_follows_its_name_when_the_identity_is_gone() {
        assert_eq!(moved(&[("ops", "A")], &[("ops", "B")]), [""; 0]);
        assert_eq!(moved(&[("db", "B"), ("ops", "A")], &[("ops,db", "A")]), ["db to ops"]);
        assert_eq!(moved(&[], &[("ops,twin", "A")]), ["twin to ops"]);
        assert_eq!(moved(&[("gone", "C")], &[("ops", "A")]), [""; 0]);
    }

    #[test]
    fn an_alias_of_a_sender_that_has_a_new_name_follows_that_sender() {
        assert_eq!(moved(&[("db", "B")], &[("ops,db", "A"), ("new", "B")]), ["db to new"]);
    }
}
