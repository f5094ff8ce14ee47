//! Labels and annotations that all alerts of a payload have in common.
//!
//! The payload's own `commonLabels` are not enough: senders other than Alertmanager leave them out, or write values
//! that not all alerts have. A message must not hide what tells alerts apart.

use crate::alertmanager::{Alert, Pairs, Payload};

/// The labels that are the same in all alerts, and the stated common labels that no alert contradicts.
pub(super) fn shared_labels(payload: &Payload) -> Pairs {
    let mut shared = shared(payload, |alert| &alert.labels, &payload.common_labels);
    if payload.alerts.is_empty() {
        shared.extend(payload.group_labels.clone());
    }
    shared
}

/// The annotations that are the same in all alerts, and the stated ones that no alert contradicts.
pub(super) fn shared_annotations(payload: &Payload) -> Pairs {
    shared(payload, |alert| &alert.annotations, &payload.common_annotations)
}

fn shared(payload: &Payload, pairs: impl Fn(&Alert) -> &Pairs, stated: &Pairs) -> Pairs {
    let mut sets = payload.alerts.iter().map(&pairs);
    let mut shared = sets.next().cloned().unwrap_or_default();
    for set in sets {
        if shared.is_empty() {
            break;
        }
        shared.retain(|name, value| set.get(name) == Some(value));
    }
    for (name, value) in stated {
        let is_contradicted =
            || payload.alerts.iter().any(|alert| pairs(alert).get(name).is_some_and(|own| own != value));
        if !shared.contains_key(name) && !is_contradicted() {
            shared.insert(name.clone(), value.clone());
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Pairs {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_common_label_that_an_alert_contradicts_is_not_shared() {
        let alert = |labels: &[(&str, &str)]| Alert { labels: pairs(labels), ..Alert::default() };
        let payload = Payload {
            alerts: vec![
                alert(&[("a", "1"), ("b", "1"), ("c", "1")]),
                alert(&[("a", "1"), ("b", "2"), ("c", "2")]),
            ],
            common_labels: pairs(&[("b", "1"), ("team", "db")]),
            group_labels: pairs(&[("x", "y")]),
            ..Payload::default()
        };
        assert_eq!(shared_labels(&payload), pairs(&[("a", "1"), ("team", "db")]));
        let without_alerts = Payload { alerts: Vec::new(), ..payload };
        assert_eq!(shared_labels(&without_alerts), pairs(&[("b", "1"), ("team", "db"), ("x", "y")]));
    }
}
