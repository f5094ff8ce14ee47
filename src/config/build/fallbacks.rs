//! Fallbacks as a graph: every one leads to another receiver, and none leads back.

use super::receivers::meant;
use crate::config::problem::{Place, Report, Reported, quoted};

/// Which receiver falls back to which.
pub(super) struct Links<'y> {
    receivers: Vec<&'y str>,
    links: Vec<Link<'y>>,
}

struct Link<'y> {
    from: &'y str,
    to: &'y str,
    place: Place,
}

impl<'y> Links<'y> {
    /// Between these receivers.
    pub(super) fn new(receivers: Vec<&'y str>) -> Self {
        Self { receivers, links: Vec::new() }
    }

    /// Adds a link; one from a receiver without a valid name is only checked.
    pub(super) fn add(
        &mut self,
        from: Option<&'y str>,
        to: &'y str,
        place: &Place,
        report: &mut Report,
    ) -> Result<(), Reported> {
        if from == Some(to) {
            return Err(report.problem(place, "a receiver cannot be its own fallback", "name another one"));
        }
        if !self.receivers.contains(&to) {
            let others: Vec<_> = self.receivers.iter().copied().filter(|name| Some(*name) != from).collect();
            let right =
                if others.is_empty() { "there is no other one".to_owned() } else { meant(to, &others) };
            return Err(report.problem(place, format!("there is no receiver {}", quoted(to)), right));
        }
        self.links.extend(from.map(|from| Link { from, to, place: place.clone() }));
        Ok(())
    }

    /// Puts down one problem a circle, where it is written first.
    pub(super) fn refuse_circles(&self, report: &mut Report) -> Result<(), Reported> {
        let mut found = Ok(());
        let mut seen: Vec<&str> = Vec::new();
        for link in &self.links {
            let Some(circle) = self.circle(link.from) else { continue };
            if !seen.contains(&link.from) {
                let wrong =
                    format!("the fallbacks go round in a circle: {} → {}", circle.join(" → "), link.from);
                found = Err(report.problem(&link.place, wrong, "let the last one have no fallback"));
            }
            seen.extend(circle);
        }
        found
    }

    /// The way from a receiver back to itself, if there is one.
    fn circle(&self, start: &'y str) -> Option<Vec<&'y str>> {
        let mut way = vec![start];
        let mut here = start;
        loop {
            here = self.links.iter().find(|link| link.from == here)?.to;
            if here == start {
                return Some(way);
            }
            if way.contains(&here) {
                return None;
            }
            way.push(here);
        }
    }
}
