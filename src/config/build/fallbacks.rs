//! Fallbacks as a graph: each leads to another receiver, and no chain is a circle.

use crate::{
    config::diagnostic::{Diagnostics, ErrorGuaranteed, Location, quoted},
    nearest::suggestion,
};

/// The graph of fallbacks between receivers.
pub(super) struct FallbackGraph<'y> {
    receivers: Vec<&'y str>,
    links: Vec<Link<'y>>,
}

struct Link<'y> {
    from: &'y str,
    to: &'y str,
    location: Location,
}

impl<'y> FallbackGraph<'y> {
    pub(super) fn new(receivers: Vec<&'y str>) -> Self {
        Self { receivers, links: Vec::new() }
    }

    /// Checks and adds a link. A link from a receiver without a valid name is only checked.
    pub(super) fn add(
        &mut self,
        from: Option<&'y str>,
        to: &'y str,
        location: &Location,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), ErrorGuaranteed> {
        self.check(from, to, location, "a receiver cannot be its own fallback", diagnostics)?;
        self.links.extend(from.map(|from| Link { from, to, location: location.clone() }));
        Ok(())
    }

    /// Checks that `to` is another receiver than `from`.
    pub(super) fn check(
        &self,
        from: Option<&str>,
        to: &str,
        location: &Location,
        if_same: &str,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), ErrorGuaranteed> {
        if from == Some(to) {
            return Err(diagnostics.error(location, if_same, "name another receiver"));
        }
        if !self.receivers.contains(&to) {
            let others: Vec<_> = self.receivers.iter().copied().filter(|name| Some(*name) != from).collect();
            let help = match others.as_slice() {
                [] => "list it under receivers".to_owned(),
                others => suggestion(to, others),
            };
            return Err(diagnostics.error(location, format!("there is no receiver {}", quoted(to)), help));
        }
        Ok(())
    }

    /// Reports each circle once, at its first link in the file.
    pub(super) fn check_circles(&self, diagnostics: &mut Diagnostics) -> Result<(), ErrorGuaranteed> {
        let mut checked = Ok(());
        let mut reported: Vec<&str> = Vec::new();
        for link in &self.links {
            let Some(circle) = self.circle(link.from) else { continue };
            if !reported.contains(&link.from) {
                let message = format!("the fallbacks form a circle: {} → {}", circle.join(" → "), link.from);
                checked = Err(diagnostics.error(&link.location, message, "remove one of these fallbacks"));
            }
            reported.extend(circle);
        }
        checked
    }

    /// The chain of receivers from `start` back to itself, if there is one.
    fn circle(&self, start: &'y str) -> Option<Vec<&'y str>> {
        let mut chain = vec![start];
        let mut current = start;
        loop {
            current = self.links.iter().find(|link| link.from == current)?.to;
            if current == start {
                return Some(chain);
            }
            if chain.contains(&current) {
                return None;
            }
            chain.push(current);
        }
    }
}
