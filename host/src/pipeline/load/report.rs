//! What is told of a table's load: rows, share, rate and the time that is left.

use std::time::{Duration, Instant};

use change::{TableLoad, TableName};
use tracing::info;

/// Often enough to see that it lives, seldom enough for a log file.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// The load of one table in this run.
pub(super) struct Report {
    /// Rows that the server guesses the table to have.
    rows_guessed: u64,
    begun: Instant,
    told: Instant,
    /// Rows of this run.
    rows: u64,
}

/// How far a load is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    percent: u64,
    rows_per_second: u64,
    seconds_left: u64,
}

impl Report {
    pub(super) fn new(rows_guessed: u64) -> Self {
        let now = Instant::now();
        Self { rows_guessed, begun: now, told: now, rows: 0 }
    }

    /// A chunk has gone on: tells how far the table is, where that is due.
    pub(super) fn loaded(&mut self, table: &TableName, load: &TableLoad, rows_more: u64) {
        self.rows = self.rows.saturating_add(rows_more);
        let rows = load.rows;
        let before = rows.saturating_sub(self.rows);
        let pace = pace(rows, before, self.rows_guessed, self.begun.elapsed());
        if load.is_done {
            info!(%table, rows, rows_per_second = pace.rows_per_second, "table loaded");
        } else if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            let Pace { percent, rows_per_second, seconds_left } = pace;
            info!(%table, rows, percent, rows_per_second, seconds_left, "loading table");
        }
    }
}

fn pace(rows: u64, before: u64, guessed: u64, elapsed: Duration) -> Pace {
    // The server's guess is often too low.
    let total = guessed.max(rows);
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = rows.saturating_sub(before).saturating_mul(1_000) / millis;
    Pace {
        percent: rows.saturating_mul(100).checked_div(total).unwrap_or(100),
        rows_per_second: rate,
        seconds_left: total.saturating_sub(rows).checked_div(rate).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_tells_share_rate_and_time_left() {
        let told = |rows, guessed, seconds| pace(rows, 0, guessed, Duration::from_secs(seconds));
        let expected = Pace { percent: 25, rows_per_second: 50, seconds_left: 60 };
        assert_eq!(told(1_000, 4_000, 20), expected);
        assert_eq!(told(5_000, 4_000, 10).percent, 100);
        assert_eq!(told(0, 0, 0), Pace { percent: 100, rows_per_second: 0, seconds_left: 0 });
    }
}
