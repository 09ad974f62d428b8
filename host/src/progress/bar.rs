//! A progress bar for a terminal.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Progress, ProgressState, Screen, wording};

/// The rate is that of about so long: a shorter time jumps with every batch.
const RATE_OVER: Duration = Duration::from_secs(2);

/// A bar where the length of the log is known, otherwise a line that lives.
pub struct Bar {
    bar: ProgressBar,
    rate: Mutex<Rate>,
    /// Stands before each message: the pipeline, where there are several.
    name: String,
}

struct Rate {
    since: Instant,
    images: u64,
    rows_per_second: u64,
}

impl Bar {
    /// A bar at the bottom of a terminal; it leaves when it is dropped.
    #[must_use]
    pub fn new(screen: &Screen, name: Option<String>) -> Self {
        let bar = screen.bars().add(ProgressBar::new_spinner());
        bar.set_style(style("{spinner} {msg}"));
        let rate = Rate { since: Instant::now(), images: 0, rows_per_second: 0 };
        let name = name.map_or_else(String::new, |name| format!("{name}: "));
        Self { bar, rate: Mutex::new(rate), name }
    }

    fn rows_per_second(&self, images: u64) -> u64 {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = rate.since.elapsed();
        let rows = images.saturating_sub(rate.images);
        if elapsed >= RATE_OVER {
            *rate = Rate {
                since: Instant::now(),
                images,
                rows_per_second: wording::rate(rows, elapsed),
            };
        } else if rate.rows_per_second == 0 {
            return wording::rate(rows, elapsed);
        }
        rate.rows_per_second
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Progress for Bar {
    fn update(&self, state: &ProgressState) {
        if let Some(total) = state.log_bytes_total {
            if self.bar.length() != Some(total) {
                self.bar.set_style(style("[{bar:20}] {percent}% {msg}").progress_chars("=> "));
                self.bar.set_length(total);
            }
            self.bar.set_position(state.log_bytes);
        } else {
            self.bar.tick();
        }
        let line = wording::line(state, self.rows_per_second(state.images));
        self.bar.set_message(format!("{}{line}", self.name));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
