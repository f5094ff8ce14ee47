//! Figures, targets and tables of one part of the bench.

use crate::{samples::Samples, table::Table};

/// What a part found.
#[derive(Default)]
pub(crate) struct Report {
    /// By name, `part/case/subject/figure_unit`. Of a `ratio` and a `per_s` more is better, of all else less.
    pub(crate) figures: Vec<(String, f64)>,
    pub(crate) targets: Vec<Target>,
    pub(crate) tables: Vec<Table>,
}

/// Something that is to be reached.
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) wanted: String,
    pub(crate) found: String,
    pub(crate) reached: bool,
}

impl Report {
    pub(crate) fn figure(&mut self, name: impl Into<String>, value: f64) {
        self.figures.push((name.into(), value));
    }

    pub(crate) fn samples(&mut self, name: impl Into<String>, samples: &Samples) {
        self.figure(name, samples.median());
    }

    pub(crate) fn at_least(&mut self, what: &str, wanted: f64, found: f64) {
        self.target(what, format!("≥ {wanted}"), format!("{found:.2}"), found >= wanted);
    }

    pub(crate) fn at_most(&mut self, what: &str, wanted: f64, found: f64) {
        self.target(what, format!("≤ {wanted:.3}"), format!("{found:.3}"), found <= wanted);
    }

    fn target(&mut self, what: &str, wanted: String, found: String, reached: bool) {
        self.targets.push(Target { what: what.to_owned(), wanted, found, reached });
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.figures.extend(other.figures);
        self.targets.extend(other.targets);
        self.tables.extend(other.tables);
    }
}

/// The table of all targets.
pub(crate) fn targets(targets: &[Target]) -> Table {
    let mut table = Table::new("Targets", ["", "wanted", "found", ""]);
    for Target { what, wanted, found, reached } in targets {
        let mark = if *reached { "reached" } else { "NOT REACHED" };
        table.row([what.clone(), wanted.clone(), found.clone(), mark.to_owned()]);
    }
    table
}
