//! Payloads to try templates with: one of each kind that templates often get wrong.

/// A name and the body of a webhook for each.
pub const ALL: [(&str, &str); 6] = [
    ("firing", FIRING),
    ("resolved", RESOLVED),
    ("mixed", include_str!("samples/mixed.json")),
    ("storm", include_str!("samples/storm.json")),
    ("missing-labels", include_str!("samples/missing-labels.json")),
    ("grafana", include_str!("samples/grafana.json")),
];

/// One firing alert.
pub const FIRING: &str = include_str!("samples/firing.json");
/// The same alert, resolved.
pub const RESOLVED: &str = include_str!("samples/resolved.json");
