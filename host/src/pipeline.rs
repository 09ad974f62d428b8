//! The whole story: open, read, transform, fold, commit, advance.
//!
//! Four stages are joined by bounded channels ([`stages`]); the same steps in one loop are the
//! reference ([`stages::in_order`]) and pass the same tests. A position is stored only behind the commit
//! that covers it, and a stage that fails never lets the open epoch reach a table.

pub mod budget;
pub mod dead_letter;
pub mod error;
pub mod fold_step;
pub mod given;
pub mod load;
pub mod meter;
pub mod open;
pub mod resume;
pub mod schema_history;
pub mod schema_merge;
pub mod schema_policy;
pub mod sink;
pub mod source;
pub mod stages;
pub mod transform_step;

use std::path::PathBuf;
use std::sync::Arc;

use change::{Position, TargetPath};
use tokio::sync::watch;

pub use error::RunError;

use crate::manifest::Manifest;
use crate::progress::Progress;

/// What the command line decides about a run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Stop at the end of the recorded files, or at the position that the server had at the start.
    pub until_end: bool,
    /// Do everything but write.
    pub dry_run: bool,
    /// Show the plugins' own log lines; they may hold row values.
    pub plugin_logs: bool,
    /// One stage after the other instead of all at once: slower, for comparison.
    pub in_order: bool,
    /// Go on behind the schema change that stopped the last run.
    pub accept_schema_change: bool,
    /// A file with the definitions of tables as they are where this run begins, instead of what is known.
    pub definitions: Option<PathBuf>,
}

/// What a run did.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Summary {
    /// Row images of captured tables.
    pub images: u64,
    /// Bytes of log read.
    pub log_bytes: u64,
    /// Rounds of commits, those that had nothing to write included.
    pub epochs: u64,
    /// Rows that a plugin could not transform and that were set aside.
    pub dead_letters: u64,
    /// Where the next run goes on.
    pub end: Option<Position>,
    /// What each target got, ordered by path.
    pub targets: Vec<TargetSummary>,
    /// Wall-clock time in seconds.
    pub seconds: f64,
    /// Seconds each stage was busy; they overlap.
    pub stages: StageSeconds,
    /// The largest resident size of the process, where the system tells it.
    pub peak_rss_bytes: Option<u64>,
}

/// What one target got.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TargetSummary {
    /// Its path.
    #[serde(serialize_with = "as_text")]
    pub path: TargetPath,
    /// Row images written because of an INSERT.
    pub inserted: u64,
    /// Row images written because of an UPDATE.
    pub updated: u64,
    /// Row images removed.
    pub deleted: u64,
    /// Of a dry run: the first rows that it would have written, with the forms of
    /// `docs/reference/types.md`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first_rows: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// Seconds each stage was busy.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct StageSeconds {
    /// Reading and decoding the log.
    pub read: f64,
    /// The chain of plugins.
    pub transform: f64,
    /// Folding images into net changes.
    pub fold: f64,
    /// Writing and committing.
    pub commit: f64,
}

fn as_text<S: serde::Serializer>(path: &TargetPath, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(path)
}

/// Runs a pipeline until its source ends, `stop` turns true or something fails. What was read whole
/// before that is committed, and the summary says where the next run goes on.
///
/// # Errors
/// See [`RunError`]: each names the object and the position, and most know the step that mends them.
pub async fn run(
    manifest: &Manifest,
    options: RunOptions,
    progress: &dyn Progress,
    stop: watch::Receiver<bool>,
) -> Result<Summary, RunError> {
    let open::Parts { source, transform, fold, mut sink, slices_bytes_max, meter } =
        open::open(manifest, &options).await?;
    let reporter = Arc::clone(&meter).report_to(progress);
    let flow = async {
        if options.in_order {
            stages::in_order(source, transform, fold, &mut sink, &meter, stop).await
        } else {
            let (sink, meter) = (&mut sink, Arc::clone(&meter));
            stages::concurrent(source, transform, fold, sink, slices_bytes_max, meter, stop).await
        }
    };
    let outcome = tokio::select! {
        biased;
        outcome = flow => outcome,
        never = reporter => match never {},
    };
    progress.update(&meter.state());
    outcome?;
    let mut summary = meter.summary(sink.position().cloned());
    for target in &mut summary.targets {
        target.first_rows = sink.first_rows(&target.path);
    }
    Ok(summary)
}
