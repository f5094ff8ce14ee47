//! Where alerts begin and end in a rendered text.
//!
//! Templates mark it with three characters, which the filters `begin_alert` and `end_alert` write, and which are
//! taken out again before anybody sees the text. They are chosen anew for each payload among Unicode's
//! noncharacters, so that they occur neither in it nor in a template: single characters, because a longer mark
//! could come about where two texts meet. Positions told by the writer were rejected: text that passes through
//! `{% filter %}`, `{% set %}` or a component is not yet where it will stand.
//!
//! A payload that contains all noncharacters (nobody sends one by accident) has no borders, and is split as text.

use std::ops::Range;

use serde_json::Value as Json;

use crate::alertmanager::{Extra, Pairs, Payload};

/// The noncharacters U+FDD0 to U+FDEF, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Taken(u32);

const FIRST: char = '\u{FDD0}';
const LAST: char = '\u{FDEF}';

impl Taken {
    /// Notes those in `text`.
    pub(super) fn note(&mut self, text: &str) {
        // All of them begin with this byte in UTF-8, and few other characters do.
        const LEAD: u8 = 0xEF;
        if text.as_bytes().contains(&LEAD) {
            for c in text.chars().filter(|c| (FIRST..=LAST).contains(c)) {
                self.0 |= 1 << (u32::from(c) - u32::from(FIRST));
            }
        }
    }

    /// Notes those in `payload`.
    pub(super) fn note_payload(&mut self, payload: &Payload) {
        for text in [&payload.receiver, &payload.status, &payload.external_url, &payload.group_key] {
            self.note(text);
        }
        self.note(&payload.version);
        for pairs in [&payload.group_labels, &payload.common_labels, &payload.common_annotations] {
            self.note_pairs(pairs);
        }
        self.note_extra(&payload.extra);
        for alert in &payload.alerts {
            let texts =
                [&alert.status, &alert.starts_at, &alert.ends_at, &alert.generator_url, &alert.fingerprint];
            texts.into_iter().for_each(|text| self.note(text));
            self.note_pairs(&alert.labels);
            self.note_pairs(&alert.annotations);
            self.note_extra(&alert.extra);
        }
    }

    fn note_pairs(&mut self, pairs: &Pairs) {
        for (name, value) in pairs {
            self.note(name);
            self.note(value);
        }
    }

    fn note_extra(&mut self, extra: &Extra) {
        for (name, value) in extra {
            self.note(name);
            self.note_json(value);
        }
    }

    fn note_json(&mut self, value: &Json) {
        match value {
            Json::String(text) => self.note(text),
            Json::Array(values) => values.iter().for_each(|value| self.note_json(value)),
            Json::Object(fields) => fields.iter().for_each(|(name, value)| {
                self.note(name);
                self.note_json(value);
            }),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}

/// The three marks of one render, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Borders(Option<Marks>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Marks {
    firing: char,
    resolved: char,
    end: char,
}

impl Borders {
    /// Three of those that are not taken.
    pub(super) fn free(taken: Taken) -> Self {
        let mut free = (FIRST..=LAST).zip(0..).filter(|(_, bit)| taken.0 & (1 << bit) == 0).map(|(c, _)| c);
        let mut next = || free.next();
        let marks = (next(), next(), next());
        Self(if let (Some(firing), Some(resolved), Some(end)) = marks {
            Some(Marks { firing, resolved, end })
        } else {
            None
        })
    }

    /// What stands where an alert begins.
    pub(super) fn begin(self, resolved: bool) -> String {
        let mark = self.0.map(|marks| if resolved { marks.resolved } else { marks.firing });
        mark.map(String::from).unwrap_or_default()
    }

    /// What stands where an alert ends.
    pub(super) fn end(self) -> String {
        self.0.map(|marks| String::from(marks.end)).unwrap_or_default()
    }

    /// `text` without marks, and where they stood.
    pub(super) fn read(self, text: String) -> Rendered {
        let Some(marks) = self.0 else { return Rendered::from(text) };
        let mut found: Vec<(usize, char)> = [marks.firing, marks.resolved, marks.end]
            .into_iter()
            .flat_map(|mark| text.match_indices(mark).map(move |(at, _)| (at, mark)))
            .collect();
        if found.is_empty() {
            return Rendered::from(text);
        }
        found.sort_unstable();
        let mut rendered = Rendered { text: String::with_capacity(text.len()), alerts: Vec::new() };
        let mut open: Option<(usize, bool)> = None;
        let mut from = 0;
        for (at, mark) in found {
            rendered.text.push_str(text.get(from..at).unwrap_or_default());
            from = at + mark.len_utf8();
            rendered.close(open.take());
            if mark != marks.end {
                open = Some((rendered.text.len(), mark == marks.resolved));
            }
        }
        rendered.text.push_str(text.get(from..).unwrap_or_default());
        rendered.close(open);
        rendered
    }
}

/// A rendered text, and where in it the alerts are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    text: String,
    alerts: Vec<AlertText>,
}

/// Where an alert is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlertText {
    pub(super) range: Range<usize>,
    pub(super) resolved: bool,
}

impl Rendered {
    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text alone.
    pub fn into_text(self) -> String {
        self.text
    }

    /// How many alerts the template has marked.
    pub fn alerts(&self) -> usize {
        self.alerts.len()
    }

    /// The same with `line` before it, as a line of its own.
    #[must_use]
    pub fn headed(mut self, line: &str) -> Self {
        self.text = format!("{line}\n{}", self.text);
        for AlertText { range, .. } in &mut self.alerts {
            let moved = line.len() + 1;
            *range = range.start + moved..range.end + moved;
        }
        self
    }

    /// In the text's order, none within another.
    pub(super) fn alert_texts(&self) -> &[AlertText] {
        &self.alerts
    }

    fn close(&mut self, open: Option<(usize, bool)>) {
        let end = self.text.len();
        if let Some((start, resolved)) = open.filter(|(start, _)| *start < end) {
            self.alerts.push(AlertText { range: start..end, resolved });
        }
    }
}

/// A text whose alerts are not marked.
impl From<String> for Rendered {
    fn from(text: String) -> Self {
        Self { text, alerts: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(rendered: &Rendered) -> Vec<(&str, bool)> {
        let of = |alert: &'_ AlertText| (alert.range.clone(), alert.resolved);
        let told = rendered.alert_texts().iter().map(of);
        told.map(|(range, resolved)| (rendered.text().get(range).unwrap(), resolved)).collect()
    }

    #[test]
    fn marks_are_taken_out_and_remembered() {
        let borders = Borders::free(Taken::default());
        let (f, r, e) = (borders.begin(false), borders.begin(true), borders.end());
        let rendered = borders.read(format!("h{f}a{f}b{e}x{r}c{e}{e}t"));
        assert_eq!(rendered.text(), "habxct");
        assert_eq!(ranges(&rendered), [("a", false), ("b", false), ("c", true)]);
        let headed = rendered.headed("言");
        assert_eq!(headed.text(), "言\nhabxct");
        assert_eq!(ranges(&headed), [("a", false), ("b", false), ("c", true)]);
    }

    #[test]
    fn an_alert_that_is_not_ended_ends_with_the_text() {
        let borders = Borders::free(Taken::default());
        let rendered = borders.read(format!("h{}a", borders.begin(true)));
        assert_eq!(ranges(&rendered), [("a", true)]);
    }

    #[test]
    fn marks_do_not_occur_in_the_payload() {
        let mut payload = Payload::default();
        payload.group_labels.insert("\u{FDD1}".to_owned(), "，".to_owned());
        payload.extra.insert("x".to_owned(), serde_json::json!([{"a\u{FDD0}": "b\u{FDD2}"}]));
        let mut taken = Taken::default();
        taken.note_payload(&payload);
        let borders = Borders::free(taken);
        assert_eq!(borders.begin(false) + &borders.begin(true) + &borders.end(), "\u{FDD3}\u{FDD4}\u{FDD5}");
    }

    #[test]
    fn a_payload_with_all_noncharacters_has_no_borders() {
        let mut taken = Taken::default();
        let all: String = (FIRST..=LAST).collect();
        taken.note(&all);
        let borders = Borders::free(taken);
        assert_eq!(borders.begin(false) + &borders.end(), "");
        assert_eq!(borders.read(all.clone()), Rendered::from(all));
    }
}
