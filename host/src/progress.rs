//! How far a run is, for whoever watches: the pipeline tells, and what listens decides how it looks.

use change::Position;

mod bar;
mod lines;
mod screen;
mod wording;

pub use bar::Bar;
pub use lines::Lines;
pub use screen::{LogWriter, Screen};
pub(crate) use wording::{grouped, megabytes};

/// Where a run stands. Counts are of this run, not of the pipeline's life.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProgressState {
    /// Row images that left the source.
    pub images: u64,
    /// Bytes of log read, those of tables that are not captured included.
    pub log_bytes: u64,
    /// Bytes of log that there are in all, where that is known (recorded files).
    pub log_bytes_total: Option<u64>,
    /// Behind the last transaction read.
    pub position: Option<Position>,
    /// Age of the last transaction read, in seconds; none for recorded files.
    pub lag_seconds: Option<f64>,
    /// Epochs committed.
    pub epochs: u64,
    /// Targets that this run has written to.
    pub targets: u64,
}

/// Something that shows how far a run is. It is called many times a second: it has to be cheap, and it
/// decides by itself how often it speaks.
pub trait Progress: Send + Sync {
    /// Takes note of the state.
    fn update(&self, state: &ProgressState);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn update(&self, _state: &ProgressState) {}
}
