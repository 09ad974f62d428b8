//! Deletes the files of one table that nothing needs any more: what `sluice table vacuum` does.
//!
//! It writes nothing into the log and takes no lock: a pipeline that writes the table meanwhile is not
//! disturbed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use change::TargetPath;
use serde::Serialize;

use crate::error::LakeError;
use crate::storage::{Home, StoreOptions};
use crate::table::compat;
use crate::table::garbage::{self, Garbage, RETENTION_PROPERTY};
use crate::table::state::State;

/// What becomes of a retention below the one that the table sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShortRetention {
    /// It is refused: who reads an older version meanwhile would miss files.
    #[default]
    Refuse,
    /// It holds; versions that were still promised can no longer be read.
    Accept,
}

/// How a table is vacuumed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vacuum {
    /// For how long files that were taken out stay; none: as the table sets it.
    pub retention: Option<Duration>,
    /// What becomes of a retention below the one that the table sets.
    pub short_retention: ShortRetention,
    /// Whether files are only named, not deleted.
    pub dry_run: bool,
}

/// A file that nothing needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnneededFile {
    /// Its name below the table.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// What a vacuum found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct VacuumReport {
    /// The path or URL as it was given.
    pub target: String,
    /// The retention that held, in seconds.
    pub retention_seconds: u64,
    /// Whether the files were deleted.
    pub deleted: bool,
    /// The files, by name.
    pub files: Vec<UnneededFile>,
    /// Their bytes.
    pub bytes: u64,
}

/// Deletes the files that no version of the retention needs, deletion vectors included.
///
/// # Errors
/// Where there is no Delta table, where it has a feature that may keep files by other rules, where the
/// retention is below the table's and that is refused, or where the store fails.
pub async fn vacuum(
    path: &str,
    store: &StoreOptions,
    options: &Vacuum,
) -> Result<VacuumReport, LakeError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    vacuum_at(path, store, options, i64::try_from(now.as_millis()).unwrap_or(i64::MAX)).await
}

/// As [`vacuum`], at a time in milliseconds since 1970.
pub(crate) async fn vacuum_at(
    path: &str,
    store: &StoreOptions,
    options: &Vacuum,
    now_ms: i64,
) -> Result<VacuumReport, LakeError> {
    let home = Home::new(TargetPath(path.into()), store)?;
    let Some(state) = State::load(&home, None).await? else {
        return Err(LakeError::Location {
            target: path.to_owned(),
            reason: "there is no Delta table".into(),
        });
    };
    compat::check_vacuum(path, &state.protocol, &state.schema)?;
    let least = garbage::retention(path, &state)?;
    let retention = options.retention.unwrap_or(least);
    if retention < least && options.short_retention == ShortRetention::Refuse {
        return Err(LakeError::Retention {
            target: path.to_owned(),
            asked_hours: hours(retention),
            least_hours: hours(least),
            property: RETENTION_PROPERTY,
        });
    }
    let files = garbage::find(&home, retention, now_ms).await?;
    if !options.dry_run {
        garbage::delete(&home, &files).await?;
    }
    let unneeded = |file: &Garbage| UnneededFile { name: file.name.clone(), bytes: file.bytes };
    Ok(VacuumReport {
        target: path.to_owned(),
        retention_seconds: retention.as_secs(),
        deleted: !options.dry_run,
        files: files.iter().map(unneeded).collect(),
        bytes: files.iter().map(|file| file.bytes).sum(),
    })
}

/// Whole hours, rounded up.
fn hours(duration: Duration) -> u64 {
    duration.as_secs().div_ceil(3600)
}
