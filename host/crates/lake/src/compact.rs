//! Compacts one table from outside of its pipeline: what `sluice table compact` does.

use std::sync::Arc;

use change::{PathTemplate, TargetPath};
use serde::Serialize;

use crate::error::LakeError;
use crate::lake::{Lake, LakeOptions, Maintenance};
use crate::storage::{Home, StoreOptions};
use crate::table::state::{PIPELINE_PROPERTY, State};
use crate::table::{Shared, Table};

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CompactReport {
    /// The path or URL as it was given.
    pub target: String,
    /// Commits that it took.
    pub commits: u64,
    /// Files that were read.
    pub files_before: usize,
    /// Files that took their place.
    pub files_after: usize,
    /// Rows that were moved.
    pub rows: u64,
}

/// Merges small files and files with dead rows, a commit a step, until nothing gains any more. A
/// pipeline may go on writing the table meanwhile: it follows, as it follows any other writer that
/// rearranges files.
///
/// # Errors
/// Where there is no Delta table, where it is one that Sluice does not write or that has no id columns,
/// or where others changed the files that were being moved.
pub async fn compact(
    path: &str,
    store: &StoreOptions,
    rules: Maintenance,
) -> Result<CompactReport, LakeError> {
    let template = PathTemplate::parse("/{table}");
    let template = template.map_err(|e| LakeError::Internal(e.to_string()))?;
    let options = LakeOptions::new(template, "", "");
    compact_with(path, LakeOptions { maintenance: rules, store: store.clone(), ..options }).await
}

/// As [`compact`]; the pipeline is the one that the table names.
pub(crate) async fn compact_with(
    path: &str,
    options: LakeOptions,
) -> Result<CompactReport, LakeError> {
    let home = Home::new(TargetPath(path.into()), &options.store)?;
    let none = || LakeError::Location {
        target: path.to_owned(),
        reason: "there is no Delta table".into(),
    };
    let state = State::load(&home, None).await?.ok_or_else(none)?;
    let pipeline = state.property(PIPELINE_PROPERTY).unwrap_or("sluice table").to_owned();
    drop(state);
    let options = LakeOptions { pipeline, ..options };
    let shared = Shared { settings: Arc::new(Lake::settings(&options)), caches: Arc::default() };
    let mut table = Table::open(home, &shared).await?.ok_or_else(none)?;
    if !table.has_order() {
        return Err(LakeError::Incompatible {
            target: path.to_owned(),
            reason: "no id columns are known of it".into(),
            hint: "compact it with the writer that made it".into(),
        });
    }
    let mut report = CompactReport { target: path.to_owned(), ..CompactReport::default() };
    // A pipeline that goes on deletes rows as fast as they are moved: there is an end all the same.
    for _ in 0..=table.files() {
        let Some(step) = table.compact_as_guest().await? else { break };
        report.commits = report.commits.saturating_add((step.files_before > 0).into());
        report.files_before = report.files_before.saturating_add(step.files_before);
        report.files_after = report.files_after.saturating_add(step.files_after);
        report.rows = report.rows.saturating_add(step.rows);
        if !step.more {
            break;
        }
    }
    Ok(report)
}
