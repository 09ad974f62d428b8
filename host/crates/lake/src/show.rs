//! A look at one table: what `sluice table show` prints. Nothing is written, and a table that Sluice
//! could not write to is shown as well.

use std::collections::BTreeMap;

use change::{Position, TargetPath};
use serde::Serialize;

use crate::error::LakeError;
use crate::storage::{Home, StoreOptions};
use crate::table::compat;
use crate::table::entry;
use crate::table::identity::RowIdentity;
use crate::table::progress::Progress;
use crate::table::state::{PIPELINE_PROPERTY, State};

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// Its Delta type.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether it identifies a row, alone or with others.
    pub id: bool,
}

/// What a table says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TableReport {
    /// The path or URL as it was given.
    pub target: String,
    /// Its newest version.
    pub version: u64,
    /// Live rows; none where a file does not say how many it has.
    pub rows: Option<u64>,
    /// Rows marked dead that still lie in files.
    pub dead_rows: u64,
    /// Data files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files with a deletion vector.
    pub deletion_vectors: usize,
    /// Whether its rows have no key and equal ones are counted; every column is an id column then.
    pub whole_row: bool,
    /// Its columns, in order.
    pub columns: Vec<ColumnReport>,
    /// Features of its protocol.
    pub features: Vec<String>,
    /// Its properties, by name.
    pub properties: BTreeMap<String, String>,
    /// The pipeline that writes it; none where no commit of one is left.
    pub pipeline: Option<String>,
    /// Up to here it has everything.
    pub position: Option<Position>,
    /// Every target had passed this point when the newest commit of the pipeline was made.
    pub all_durable: Option<Position>,
    /// The epoch of that commit.
    pub epoch: Option<u64>,
    /// The digest of the chain that made it.
    pub chain: Option<String>,
}

/// Looks at the table at a path or URL.
///
/// # Errors
/// Where there is no Delta table, or its log cannot be read.
pub async fn show(path: &str, store: &StoreOptions) -> Result<TableReport, LakeError> {
    let home = Home::new(TargetPath(path.into()), store)?;
    let Some(state) = State::load(&home, None).await? else {
        return Err(LakeError::Location {
            target: path.to_owned(),
            reason: "there is no Delta table".into(),
        });
    };
    let progress = newest_progress(&home, &state).await?;
    let ids = state.id_columns().unwrap_or_default();
    let columns = state.schema.fields().map(|f| ColumnReport {
        name: f.name().clone(),
        data_type: f.data_type().to_string(),
        id: ids.contains(f.name()),
    });
    let live = |f: &crate::table::files::DataFile| f.rows()?.checked_sub(f.dead_rows());
    let properties = state.metadata.configuration();
    Ok(TableReport {
        target: path.to_owned(),
        version: state.version,
        rows: state.files.iter().map(live).sum(),
        dead_rows: state.files.iter().map(|f| f.dead_rows()).sum(),
        files: state.files.len(),
        bytes: state.files.iter().map(|f| f.size()).sum(),
        deletion_vectors: state.files.iter().filter(|f| f.vector().is_some()).count(),
        whole_row: state.identity() == Some(RowIdentity::WholeRow),
        columns: columns.collect(),
        features: compat::features(&state.protocol),
        properties: properties.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        pipeline: progress.as_ref().map(|p| p.pipeline.clone()),
        position: progress.as_ref().and_then(|p| p.covered.clone()),
        all_durable: progress.as_ref().and_then(|p| p.all_durable.clone()),
        epoch: progress.as_ref().map(|p| p.epoch),
        chain: progress.map(|p| p.chain).filter(|c| !c.is_empty()),
    })
}

/// The progress of whichever pipeline committed last.
async fn newest_progress(home: &Home, state: &State) -> Result<Option<Progress>, LakeError> {
    if let Some(pipeline) = state.property(PIPELINE_PROPERTY) {
        return Ok(state.history(home, pipeline).await?.progress);
    }
    for version in (0..=state.version).rev() {
        let Some(bytes) = home.read_entry(version).await? else { break };
        if let Some(progress) = entry::decode(home, version, &bytes)?.progress {
            return Ok(Some(progress));
        }
    }
    Ok(None)
}
