//! Text for a terminal: columns, ages and times.

use std::{
    borrow::Cow,
    fmt::Write,
    io::{self, IsTerminal},
};

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    cli::{failure::Failure, output::Output},
    clock::{Clock, RelayClock},
    outbox::{DeliveryId, Hold, rfc3339},
    text::{printable, shorten_columns, width},
};

/// The time since `then`, in its largest unit.
pub(super) fn age(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Columns of a table. They only grow, so that rows can be printed before all rows are known.
#[derive(Debug)]
pub(super) struct Columns<const N: usize>([usize; N]);

impl<const N: usize> Default for Columns<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Columns<N> {
    pub(super) fn widen(&mut self, row: &[String; N]) {
        for (column, cell) in self.0.iter_mut().zip(row) {
            *column = width(cell).max(*column);
        }
    }

    /// A line of the table. `last` is the last cell, which has no width.
    pub(super) fn line(&self, row: &[String; N], last: &str) -> String {
        let mut line = String::new();
        for (column, cell) in self.0.iter().zip(row) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell}{:1$}  ", "", column.saturating_sub(width(cell)));
        }
        line.push_str(last);
        line.truncate(line.trim_end().len());
        line
    }
}

/// RFC 3339 in the zone of `TZ` or of the system, with whole seconds.
pub(super) fn moment(at: Timestamp) -> String {
    rfc3339(at, &TimeZone::system())
}

/// Says since when and why an app is held, and when it is tried again.
pub(super) fn held(hold: &Hold, clock: &RelayClock) -> String {
    let (since, next) = (moment(clock.wall_time(hold.since)), moment(clock.wall_time(hold.next_probe_at)));
    format!("since {since}, and the next attempt is at {next}: {}", printable(&hold.reason))
}

/// The first columns of `line` that fit the terminal. All of it if standard output is no terminal.
pub(super) fn fitted(line: &str) -> Cow<'_, str> {
    const USUAL_WIDTH: usize = 80;
    if !io::stdout().is_terminal() {
        return Cow::Borrowed(line);
    }
    let columns = terminal_size::terminal_size().map_or(USUAL_WIDTH, |(columns, _)| usize::from(columns.0));
    shorten_columns(line, columns)
}

/// Reports that a delivery does not exist.
pub(super) fn unknown_delivery(DeliveryId(id): DeliveryId, output: &mut Output) -> Failure {
    output.error(&format!(
        "there is no delivery {id}; `wecom-relay outbox list` shows the existing ones (settled deliveries are deleted \
         after outbox.retention)"
    ));
    Failure::Reported
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_visible_width() {
        let mut columns = Columns::default();
        let rows = [["值班".to_owned(), "1".to_owned()], ["oncall".to_owned(), "22".to_owned()]];
        rows.iter().for_each(|row| columns.widen(row));
        let lines = rows.each_ref().map(|row| columns.line(row, "x"));
        assert_eq!(lines, ["值班    1   x", "oncall  22  x"]);
    }

    #[test]
    fn an_age_has_its_largest_unit() {
        let then: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let age_after = |seconds| age(then + jiff::SignedDuration::from_secs(seconds), then);
        assert_eq!([-5, 59, 60, 7199, 172_800].map(age_after), ["0s", "59s", "1m", "1h", "2d"]);
    }
}
