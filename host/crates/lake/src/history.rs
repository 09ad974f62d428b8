//! The versions of one table as its log tells them: what `sluice table history` prints. Nothing is
//! written.

use change::TargetPath;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::LakeError;
use crate::storage::{Home, StoreOptions};
use crate::table::progress::Progress;
use crate::table::state::State;

/// One version of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Version {
    /// The version.
    pub version: u64,
    /// When it was written, by its writer's clock: milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    /// What was done, in the writer's words.
    pub operation: Option<String>,
    /// Who did it.
    pub engine: Option<String>,
    /// Files that came, those with another deletion vector included.
    pub files_added: u64,
    /// Files that went, those with another deletion vector included.
    pub files_removed: u64,
    /// Whether rows came or went; a compaction changes none.
    pub data_change: bool,
    /// What the writer counted.
    pub metrics: Map<String, Value>,
    /// The pipeline that wrote it.
    pub pipeline: Option<String>,
    /// The number of the pipeline's epoch.
    pub epoch: Option<u64>,
    /// Up to here the table had everything then.
    pub position: Option<String>,
}

/// The newest versions of a table, newest first, as far as their log entries are still there.
///
/// # Errors
/// Where there is no Delta table, or its log cannot be read.
pub async fn history(
    path: &str,
    store: &StoreOptions,
    versions_max: usize,
) -> Result<Vec<Version>, LakeError> {
    let home = Home::new(TargetPath(path.into()), store)?;
    let Some(state) = State::load(&home, None).await? else {
        return Err(LakeError::Location {
            target: path.to_owned(),
            reason: "there is no Delta table".into(),
        });
    };
    let mut versions = Vec::new();
    for version in (0..=state.version).rev().take(versions_max) {
        let Some(bytes) = home.read_entry(version).await? else { break };
        versions.push(read(&home, version, &bytes)?);
    }
    Ok(versions)
}

fn read(home: &Home, number: u64, bytes: &[u8]) -> Result<Version, LakeError> {
    let mut version = Version { version: number, ..Version::default() };
    for action in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        let action = action.map_err(|e| {
            home.damaged(format!("log entry {number}"), format!("line {}: not JSON", e.line()))
        })?;
        if let Some(info) = action.get("commitInfo") {
            let text = |key: &str| info.get(key).and_then(Value::as_str).map(str::to_owned);
            version.timestamp_ms = info.get("timestamp").and_then(Value::as_i64);
            version.operation = text("operation");
            version.engine = text("engineInfo");
            let metrics = info.get("operationMetrics").and_then(Value::as_object);
            version.metrics = metrics.cloned().unwrap_or_default();
            let progress = info.get("sluice").cloned();
            let progress = progress.and_then(|p| serde_json::from_value::<Progress>(p).ok());
            version.pipeline = progress.as_ref().map(|p| p.pipeline.clone());
            version.epoch = progress.as_ref().map(|p| p.epoch);
            version.position = progress.and_then(|p| Some(p.covered?.to_string()));
        }
        for (kind, count) in
            [("add", &mut version.files_added), ("remove", &mut version.files_removed)]
        {
            if let Some(file) = action.get(kind) {
                *count = count.saturating_add(1);
                version.data_change |=
                    file.get("dataChange").and_then(Value::as_bool).unwrap_or(true);
            }
        }
    }
    Ok(version)
}
