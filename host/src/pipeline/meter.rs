//! Counts what a run does: for the progress line, the summary and the share of each stage.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use change::{LogSlice, Position, TargetPath};

use super::fold_step::EpochCounts;
use super::source::SourceProgress;
use super::{StageSeconds, Summary, TargetSummary};
use crate::progress::{Progress, ProgressState};

/// How often the progress is told.
const REPORT_EVERY: Duration = Duration::from_millis(200);

/// A stage whose time is measured.
#[derive(Clone, Copy, Debug)]
pub enum Stage {
    /// Reading and decoding.
    Read,
    /// The chain.
    Transform,
    /// The fold.
    Fold,
    /// Writing and committing.
    Commit,
}

/// Shared counters of a run.
#[derive(Debug)]
pub struct Meter {
    since: Instant,
    images: AtomicU64,
    log_bytes: AtomicU64,
    epochs: AtomicU64,
    dead_letters: AtomicU64,
    busy_nanos: [AtomicU64; 4],
    slow: Mutex<Slow>,
}

/// What is updated once a slice or an epoch.
#[derive(Debug, Default)]
struct Slow {
    bytes_total: Option<u64>,
    position: Option<Position>,
    commit_micros: Option<i64>,
    targets: BTreeMap<TargetPath, [u64; 3]>,
}

/// Measures until it is dropped.
pub struct Busy<'a> {
    nanos: &'a AtomicU64,
    since: Instant,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let nanos = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            images: AtomicU64::new(0),
            log_bytes: AtomicU64::new(0),
            epochs: AtomicU64::new(0),
            dead_letters: AtomicU64::new(0),
            busy_nanos: std::array::from_fn(|_| AtomicU64::new(0)),
            slow: Mutex::default(),
        }
    }
}

impl Meter {
    /// Counts the time until the guard is dropped as work of a stage.
    #[must_use]
    pub fn busy(&self, stage: Stage) -> Busy<'_> {
        let [read, transform, fold, commit] = &self.busy_nanos;
        let nanos = match stage {
            Stage::Read => read,
            Stage::Transform => transform,
            Stage::Fold => fold,
            Stage::Commit => commit,
        };
        Busy { nanos, since: Instant::now() }
    }

    /// Does something as work of a stage.
    pub fn timed<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let _busy = self.busy(stage);
        work()
    }

    /// Counts a slice that was read.
    pub fn read(&self, slice: &LogSlice, progress: SourceProgress) {
        self.images.fetch_add(slice.images() as u64, Ordering::Relaxed);
        self.log_bytes.fetch_add(slice.log_bytes, Ordering::Relaxed);
        let mut slow = self.slow();
        slow.bytes_total = progress.bytes_total;
        slow.position = Some(slice.end.clone());
        slow.commit_micros = slice.commit_micros.or(slow.commit_micros);
    }

    /// Counts a finished epoch.
    pub fn committed(&self, counts: &EpochCounts) {
        self.epochs.fetch_add(1, Ordering::Relaxed);
        self.dead_letters.fetch_add(counts.dead_letters, Ordering::Relaxed);
        let mut slow = self.slow();
        for (target, [inserted, updated, deleted]) in &counts.targets {
            let sums = slow.targets.entry(target.clone()).or_default();
            let [i, u, d] = sums;
            *i = i.saturating_add(*inserted);
            *u = u.saturating_add(*updated);
            *d = d.saturating_add(*deleted);
        }
    }

    /// Tells the progress again and again, as long as it is polled.
    pub async fn report_to(self: Arc<Self>, progress: &dyn Progress) -> Infallible {
        let mut ticks = tokio::time::interval(REPORT_EVERY);
        loop {
            ticks.tick().await;
            progress.update(&self.state());
        }
    }

    /// Where the run is.
    #[must_use]
    pub fn state(&self) -> ProgressState {
        let slow = self.slow();
        ProgressState {
            images: self.images.load(Ordering::Relaxed),
            log_bytes: self.log_bytes.load(Ordering::Relaxed),
            log_bytes_total: slow.bytes_total,
            position: slow.position.clone(),
            lag_seconds: slow.commit_micros.and_then(seconds_since),
            epochs: self.epochs.load(Ordering::Relaxed),
            targets: slow.targets.len() as u64,
        }
    }

    /// What the run did; `end` is the last position that is stored.
    #[must_use]
    pub fn summary(&self, end: Option<Position>) -> Summary {
        let [read, transform, fold, commit] = &self.busy_nanos;
        let seconds = |n: &AtomicU64| Duration::from_nanos(n.load(Ordering::Relaxed)).as_secs_f64();
        let targets = self.slow().targets.clone();
        let summary = |(path, [inserted, updated, deleted]): (TargetPath, [u64; 3])| {
            TargetSummary { path, inserted, updated, deleted, first_rows: Vec::new() }
        };
        Summary {
            images: self.images.load(Ordering::Relaxed),
            log_bytes: self.log_bytes.load(Ordering::Relaxed),
            epochs: self.epochs.load(Ordering::Relaxed),
            dead_letters: self.dead_letters.load(Ordering::Relaxed),
            end,
            targets: targets.into_iter().map(summary).collect(),
            seconds: self.since.elapsed().as_secs_f64(),
            peak_rss_bytes: peak_rss_bytes(),
            stages: StageSeconds {
                read: seconds(read),
                transform: seconds(transform),
                fold: seconds(fold),
                commit: seconds(commit),
            },
        }
    }

    fn slow(&self) -> std::sync::MutexGuard<'_, Slow> {
        // Only plain assignments happen under the lock, so a poisoned state is still whole.
        self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a lag is shown, never compared")]
fn seconds_since(micros: i64) -> Option<f64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_micros();
    let now = i64::try_from(now).ok()?;
    Some(now.saturating_sub(micros).max(0) as f64 / 1e6)
}

/// The largest resident size of this process so far, where the system tells it.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}
