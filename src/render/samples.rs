//! Payloads to show what templates make of them: one of each kind that templates get wrong.

/// A name and a webhook's body for each.
pub const ALL: [(&str, &str); 6] = [
    ("firing", FIRING),
    ("resolved", RESOLVED),
    ("mixed", include_str!("samples/mixed.json")),
    ("storm", include_str!("samples/storm.json")),
    ("missing-labels", include_str!("samples/missing-labels.json")),
    ("grafana", include_str!("samples/grafana.json")),
];

/// One alert that fires.
pub const FIRING: &str = include_str!("samples/firing.json");
/// The same, resolved.
pub const RESOLVED: &str = include_str!("samples/resolved.json");
