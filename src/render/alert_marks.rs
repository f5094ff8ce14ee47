//! Invisible marks at the beginning and the end of each alert in a rendered text.
//!
//! The filters `begin_alert` and `end_alert` write a mark, and [`AlertMarkers::read`] removes all marks before
//! anybody sees the text. A mark is a single character, because a longer one could also arise where two texts meet.
//! Each payload gets some of Unicode's 32 noncharacters U+FDD0 to U+FDEF that neither it nor a template contains: one
//! for each severity of firing alerts, one for resolved alerts, and one for the end of an alert.
//!
//! A payload that contains too many of them gets no marks, and its text is split as plain text.

use serde_json::Value as Json;

use super::rendered::{AlertKind, AlertRange, Rendered};
use crate::{
    alertmanager::{Extra, Pairs, Payload, SEVERITY_RANKS},
    text::{slice, slice_from},
};

const FIRST: char = '\u{FDD0}';
const LAST: char = '\u{FDEF}';

/// The noncharacters that a text contains already, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct UsedChars(u32);

impl UsedChars {
    /// Adds those in `text`.
    pub(super) fn add(&mut self, text: &str) {
        // Look at characters only if this byte is there. All noncharacters begin with it, and few other characters.
        const LEAD_BYTE: u8 = 0xEF;
        if !text.as_bytes().contains(&LEAD_BYTE) {
            return;
        }
        for c in text.chars().filter(|c| (FIRST..=LAST).contains(c)) {
            self.0 |= 1 << (u32::from(c) - u32::from(FIRST));
        }
    }

    /// Adds those in `payload`.
    pub(super) fn add_payload(&mut self, payload: &Payload) {
        for text in [&payload.receiver, &payload.status, &payload.external_url, &payload.group_key] {
            self.add(text);
        }
        self.add(&payload.version);
        for pairs in [&payload.group_labels, &payload.common_labels, &payload.common_annotations] {
            self.add_pairs(pairs);
        }
        self.add_extra(&payload.extra);
        for alert in &payload.alerts {
            let texts =
                [&alert.status, &alert.starts_at, &alert.ends_at, &alert.generator_url, &alert.fingerprint];
            texts.into_iter().for_each(|text| self.add(text));
            self.add_pairs(&alert.labels);
            self.add_pairs(&alert.annotations);
            self.add_extra(&alert.extra);
        }
    }

    fn add_pairs(&mut self, pairs: &Pairs) {
        for (name, value) in pairs {
            self.add(name);
            self.add(value);
        }
    }

    fn add_extra(&mut self, extra: &Extra) {
        for (name, value) in extra {
            self.add(name);
            self.add_json(value);
        }
    }

    fn add_json(&mut self, value: &Json) {
        match value {
            Json::String(text) => self.add(text),
            Json::Array(values) => values.iter().for_each(|value| self.add_json(value)),
            Json::Object(fields) => fields.iter().for_each(|(name, value)| {
                self.add(name);
                self.add_json(value);
            }),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}

/// The marks of one payload, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AlertMarkers(Option<Marks>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Marks {
    /// One for each rank of a severity, and one for unknown severities.
    firing: [char; SEVERITY_RANKS + 1],
    resolved: char,
    end: char,
}

impl Marks {
    fn is_mark(&self, c: char) -> bool {
        c == self.end || self.begins(c).is_some()
    }

    /// The kind of the alert that begins with `c`.
    fn begins(&self, c: char) -> Option<AlertKind> {
        if c == self.resolved {
            return Some(AlertKind::Resolved);
        }
        self.firing.iter().position(|mark| *mark == c).map(|rank| AlertKind::Firing { rank })
    }
}

impl AlertMarkers {
    /// Characters that are not in `used`.
    pub(super) fn unused(used: UsedChars) -> Self {
        let mut unused = (FIRST..=LAST).zip(0..).filter(|(_, bit)| used.0 & (1 << bit) == 0).map(|(c, _)| c);
        let (Some(resolved), Some(end)) = (unused.next(), unused.next()) else { return Self(None) };
        let mut firing = [end; SEVERITY_RANKS + 1];
        for mark in &mut firing {
            let Some(c) = unused.next() else { return Self(None) };
            *mark = c;
        }
        Self(Some(Marks { firing, resolved, end }))
    }

    /// The mark at the beginning of an alert, or an empty text.
    pub(super) fn begin(self, kind: AlertKind) -> String {
        let Some(marks) = self.0 else { return String::new() };
        match kind {
            AlertKind::Resolved => marks.resolved.into(),
            AlertKind::Firing { rank } => {
                let [.., unknown] = marks.firing;
                marks.firing.get(rank).copied().unwrap_or(unknown).into()
            }
        }
    }

    /// The mark at the end of an alert, or an empty text.
    pub(super) fn end(self) -> String {
        self.0.map_or_else(String::new, |marks| marks.end.into())
    }

    /// Removes the marks from `text` and notes where they were.
    pub(super) fn read(self, text: String) -> Rendered {
        let Some(marks) = self.0 else { return Rendered::from(text) };
        let mut clean = String::with_capacity(text.len());
        let mut alerts = Vec::new();
        let mut open_alert: Option<AlertRange> = None;
        let mut after_mark = 0;
        for (at, found) in text.match_indices(|c| marks.is_mark(c)) {
            clean.push_str(slice(&text, after_mark..at));
            after_mark = at + found.len();
            close(open_alert.take(), clean.len(), &mut alerts);
            if let Some(kind) = found.chars().next().and_then(|mark| marks.begins(mark)) {
                open_alert = Some(AlertRange { range: clean.len()..clean.len(), kind });
            }
        }
        if after_mark == 0 {
            return Rendered::from(text);
        }
        clean.push_str(slice_from(&text, after_mark));
        close(open_alert, clean.len(), &mut alerts);
        Rendered::new(clean, alerts)
    }
}

/// Ends `open_alert` at `end`. An alert without text is dropped.
fn close(open_alert: Option<AlertRange>, end: usize, alerts: &mut Vec<AlertRange>) {
    if let Some(mut alert) = open_alert {
        alert.range.end = end;
        if !alert.range.is_empty() {
            alerts.push(alert);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRITICAL: AlertKind = AlertKind::Firing { rank: 1 };
    const UNKNOWN: AlertKind = AlertKind::Firing { rank: SEVERITY_RANKS };

    fn ranges(rendered: &Rendered) -> Vec<(&str, AlertKind)> {
        let alerts = rendered.alert_ranges().iter();
        alerts.map(|alert| (slice(rendered.text(), alert.range.clone()), alert.kind)).collect()
    }

    #[test]
    fn marks_are_removed_and_noted() {
        let markers = AlertMarkers::unused(UsedChars::default());
        let (f, r, e) = (markers.begin(CRITICAL), markers.begin(AlertKind::Resolved), markers.end());
        let u = markers.begin(UNKNOWN);
        let rendered = markers.read(format!("h{f}a{u}b{e}x{r}c{e}{e}t"));
        assert_eq!(rendered.text(), "habxct");
        assert_eq!(ranges(&rendered), [("a", CRITICAL), ("b", UNKNOWN), ("c", AlertKind::Resolved)]);
        let headed = rendered.headed("言");
        assert_eq!(headed.text(), "言\nhabxct");
        assert_eq!(ranges(&headed), [("a", CRITICAL), ("b", UNKNOWN), ("c", AlertKind::Resolved)]);
    }

    #[test]
    fn an_alert_without_an_end_ends_with_the_text() {
        let markers = AlertMarkers::unused(UsedChars::default());
        let rendered = markers.read(format!("h{}a", markers.begin(AlertKind::Resolved)));
        assert_eq!(ranges(&rendered), [("a", AlertKind::Resolved)]);
    }

    #[test]
    fn marks_are_characters_that_the_payload_does_not_have() {
        let mut payload = Payload::default();
        payload.group_labels.insert("\u{FDD1}".to_owned(), "，".to_owned());
        payload.extra.insert("x".to_owned(), serde_json::json!([{"a\u{FDD0}": "b\u{FDD2}"}]));
        let mut used = UsedChars::default();
        used.add_payload(&payload);
        let markers = AlertMarkers::unused(used);
        let marks = markers.begin(AlertKind::Resolved) + &markers.end() + &markers.begin(CRITICAL);
        assert_eq!(marks, "\u{FDD3}\u{FDD4}\u{FDD6}");
    }

    #[test]
    fn a_payload_with_all_noncharacters_gets_no_marks() {
        let mut used = UsedChars::default();
        let all: String = (FIRST..=LAST).collect();
        used.add(&all);
        let markers = AlertMarkers::unused(used);
        assert_eq!(markers.begin(CRITICAL) + &markers.end(), "");
        assert_eq!(markers.read(all.clone()), Rendered::from(all));
    }
}
