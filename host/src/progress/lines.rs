//! Progress as plain lines, for logs and everything else that is no terminal.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Progress, ProgressState, Screen, wording};

/// Often enough to see that it lives, seldom enough for a log file.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Writes a line every few seconds while something moves.
pub struct Lines {
    screen: Screen,
    every: Duration,
    /// What each line begins with; names the pipeline, where there are several.
    begin: String,
    last: Mutex<Last>,
}

struct Last {
    at: Instant,
    state: ProgressState,
}

impl Lines {
    /// Lines on standard error.
    #[must_use]
    pub fn new(screen: &Screen, name: Option<String>) -> Self {
        let last = Last { at: Instant::now(), state: ProgressState::default() };
        let begin = name.map_or_else(|| "progress".to_owned(), |name| format!("{name} progress"));
        Self { screen: screen.clone(), every: LINE_EVERY, begin, last: Mutex::new(last) }
    }

    /// The line that is due, if one is: the time has come and something has moved.
    fn due(&self, state: &ProgressState) -> Option<String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = last.at.elapsed();
        if elapsed < self.every {
            return None;
        }
        let moved = last.state.position != state.position || last.state.epochs != state.epochs;
        let rows = state.images.saturating_sub(last.state.images);
        *last = Last { at: Instant::now(), state: state.clone() };
        let line = || wording::line(state, wording::rate(rows, elapsed));
        moved.then(|| format!("{}: {}", self.begin, line()))
    }
}

impl Progress for Lines {
    fn update(&self, state: &ProgressState) {
        if let Some(line) = self.due(state) {
            self.screen.write_line(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_when_it_is_due_and_something_has_moved() {
        let mut lines = Lines::new(&Screen::default(), None);
        let moved = ProgressState { images: 5, epochs: 1, ..ProgressState::default() };
        assert_eq!(lines.due(&moved), None);
        lines.every = Duration::ZERO;
        assert!(lines.due(&moved).is_some_and(|line| line.starts_with("progress: 5 rows, ")));
        assert_eq!(lines.due(&moved), None);
    }
}
