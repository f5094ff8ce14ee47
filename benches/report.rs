//! Figures, targets and tables of the rows of the bench.

use crate::{samples::Samples, table::Table};

#[derive(Default)]
pub(crate) struct Report {
    /// Figures by name, `row/server/figure_unit`. A larger value is better for `ratio` and `per_s`, and a smaller one for
    /// the others.
    pub(crate) figures: Vec<(String, f64)>,
    pub(crate) targets: Vec<Target>,
    pub(crate) tables: Vec<Table>,
}

pub(crate) struct Target {
    pub(crate) figure: String,
    pub(crate) found: String,
    pub(crate) wanted: String,
    /// None if the figure was not measured.
    pub(crate) reached: Option<bool>,
}

impl Report {
    pub(crate) fn figure(&mut self, name: impl Into<String>, value: f64) {
        self.figures.push((name.into(), value));
    }

    pub(crate) fn samples(&mut self, name: impl Into<String>, samples: &Samples) {
        self.figure(name, samples.median());
    }

    pub(crate) fn at_least(&mut self, figure: &str, wanted: f64, found: f64) {
        self.target(figure, format!(">= {wanted}"), found, found >= wanted);
    }

    pub(crate) fn at_most(&mut self, figure: &str, wanted: f64, found: f64) {
        self.target(figure, format!("<= {wanted:.2}"), found, found <= wanted);
    }

    fn target(&mut self, figure: &str, wanted: String, found: f64, reached: bool) {
        let reached = found.is_finite().then_some(reached);
        self.targets.push(Target {
            figure: figure.to_owned(),
            found: format!("{found:.2}"),
            wanted,
            reached,
        });
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.figures.extend(other.figures);
        self.targets.extend(other.targets);
        self.tables.extend(other.tables);
    }
}

/// The table of all targets.
pub(crate) fn targets(targets: &[Target]) -> Table {
    let mut table = Table::new("Targets", ["figure", "measured", "target", ""]);
    for Target { figure, found, wanted, reached } in targets {
        let verdict = match reached {
            Some(true) => "reached",
            Some(false) => "NOT REACHED",
            None => "NOT MEASURED",
        };
        table.row([figure.clone(), found.clone(), wanted.clone(), verdict.to_owned()]);
    }
    table
}
