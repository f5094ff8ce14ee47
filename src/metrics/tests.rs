//! Queue metrics over two scrapes.

use jiff::Timestamp;

use super::{Metrics, OutboxFigures, QueueDepth, SharingFigures};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn exported(metrics: &Metrics, depths: &[QueueDepth<'_>]) -> Vec<String> {
    let figures = OutboxFigures { depths: depths.to_vec(), bytes: 4096, max_bytes: 1 << 31 };
    let text = metrics.encode(Some(&figures), &SharingFigures::default(), at(60)).unwrap();
    let is_queue_series =
        |line: &&str| line.starts_with("wecom_relay_outbox") || line.contains("not_in_conf");
    let mut lines: Vec<_> = text.lines().filter(is_queue_series).map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_removed_receiver_has_a_series_while_its_queue_is_not_empty() {
    let metrics = Metrics::default();
    metrics.configured(["ops"], ["idle", "team"]);
    let queue = |app, receiver, deliveries, second| {
        let oldest_accepted_at = Some(at(second)).filter(|_| deliveries > 0);
        QueueDepth { app, receiver, deliveries, oldest_accepted_at, discarded: 0, is_reported: true }
    };
    let depths = [queue("former", "team", 1, 10), queue("ops", "gone", 0, 0), queue("ops", "team", 2, 70)];
    let lines = exported(&metrics, &depths);
    assert_eq!(
        lines,
        [
            r#"wecom_relay_outbox_depth{receiver="idle"} 0"#,
            r#"wecom_relay_outbox_depth{receiver="team"} 3"#,
            "wecom_relay_outbox_max_size_bytes 2147483648",
            r#"wecom_relay_outbox_oldest_age_seconds{receiver="idle"} 0.0"#,
            r#"wecom_relay_outbox_oldest_age_seconds{receiver="team"} 50.0"#,
            "wecom_relay_outbox_size_bytes 4096",
            r#"wecom_relay_sender_held{app="former",reason="not_in_configuration"} 1"#,
        ]
    );
    let lines = exported(&metrics, &[queue("former", "team", 0, 0), queue("ops", "gone", 1, 70)]);
    assert_eq!(
        lines.last().unwrap(),
        r#"wecom_relay_sender_held{app="former",reason="not_in_configuration"} 0"#
    );
    assert!(lines.contains(&r#"wecom_relay_outbox_depth{receiver="gone"} 1"#.to_owned()), "{lines:?}");
    assert!(lines.contains(&r#"wecom_relay_outbox_oldest_age_seconds{receiver="gone"} 0.0"#.to_owned()));
}

#[test]
fn without_depths_no_queue_series_is_exported() {
    let metrics = Metrics::default();
    metrics.configured(["ops"], ["team"]);
    let text = metrics.encode(None, &SharingFigures::default(), at(0)).unwrap();
    assert!(!text.contains("wecom_relay_outbox") && text.contains("wecom_relay_folded"), "{text}");
}
