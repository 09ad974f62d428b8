//! A table as of one version: what the log says of its columns, its files and the pipeline's
//! progress.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::schema::StructType;
use deltalake::DeltaTableError;
use deltalake::kernel::{Metadata, Protocol, Snapshot, Transaction};
use futures::TryStreamExt;

use crate::error::LakeError;
use crate::sources::SourceKeys;
use crate::storage::Home;
use crate::table::columns;
use crate::table::entry::{self, Entry};
use crate::table::files::Files;
use crate::table::identity::RowIdentity;
use crate::table::progress::Progress;

/// The property with the name of the pipeline that made the table.
pub(crate) const PIPELINE_PROPERTY: &str = "sluice.pipeline";
/// The property with the digest of the chain that made the table.
pub(crate) const CHAIN_PROPERTY: &str = "sluice.chain";
/// The property with the names of the id columns, as a JSON array; `whole-row` for a multiset.
pub(crate) const ID_COLUMNS_PROPERTY: &str = "sluice.id-columns";

/// A table as of one version.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) version: u64,
    pub(crate) protocol: Protocol,
    pub(crate) metadata: Metadata,
    pub(crate) schema: StructType,
    /// The columns in Arrow's form, all nullable.
    pub(crate) arrow: SchemaRef,
    pub(crate) files: Files,
}

/// What the log tells of a pipeline.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Its newest commit; none where it never committed.
    pub(crate) progress: Option<Progress>,
    /// The version of that commit; none where only `txn` actions are left of it.
    pub(crate) version: Option<u64>,
    /// When that commit was made, milliseconds since 1970.
    pub(crate) committed_ms: Option<i64>,
    /// The entries behind that commit, all written by others, oldest first.
    pub(crate) since: Vec<Entry>,
}

impl State {
    /// The newest version, or a given one; none where there is no table.
    pub(crate) async fn load(home: &Home, version: Option<u64>) -> Result<Option<Self>, LakeError> {
        let wrong = |e: DeltaTableError| home.delta_error("read the table's log", e);
        if !home.log().is_delta_table_location().await.map_err(wrong)? {
            return Ok(None);
        }
        let snapshot = Snapshot::try_new(home.log().as_ref(), version).await.map_err(wrong)?;
        let mut files = Files::default();
        let mut views = snapshot.file_views(home.log().as_ref(), None);
        while let Some(view) = views.try_next().await.map_err(wrong)? {
            #[expect(deprecated, reason = "the only way to a file's tags and other constants")]
            files.insert(view.add_action());
        }
        drop(views);
        let metadata = snapshot.metadata().clone();
        let schema = snapshot.schema().as_ref().clone();
        Ok(Some(Self {
            version: snapshot.version(),
            protocol: snapshot.protocol().clone(),
            metadata,
            arrow: columns::arrow_schema(&schema)?,
            schema,
            files,
        }))
    }

    /// A property of the table.
    pub(crate) fn property(&self, key: &str) -> Option<&str> {
        self.metadata.configuration().get(key).map(String::as_str)
    }

    /// What identifies a row, as the table was made.
    pub(crate) fn identity(&self) -> Option<RowIdentity> {
        RowIdentity::parse(self.property(ID_COLUMNS_PROPERTY)?)
    }

    /// The id columns that the table was made with; of a multiset all columns that it has now.
    pub(crate) fn id_columns(&self) -> Option<Vec<String>> {
        Some(match self.identity()? {
            RowIdentity::Columns(names) => names,
            RowIdentity::WholeRow => self.arrow.fields().iter().map(|f| f.name().clone()).collect(),
        })
    }

    /// What is left of the source tables where the pipeline's newest commit is not in the log any more.
    pub(crate) fn lost_sources(&self) -> SourceKeys {
        SourceKeys {
            id_columns: self.id_columns().unwrap_or_default(),
            whole_row: self.identity() == Some(RowIdentity::WholeRow),
            incomplete: true,
            tables: Vec::new(),
        }
    }

    /// Walks the log back to the newest commit of the pipeline. Where that has been deleted, its
    /// `txn` actions tell what they can.
    pub(crate) async fn history(&self, home: &Home, pipeline: &str) -> Result<History, LakeError> {
        let mut since = Vec::new();
        for version in (0..=self.version).rev() {
            let Some(bytes) = home.read_entry(version).await? else { break };
            let entry = entry::decode(home, version, &bytes)?;
            if let Some(progress) = &entry.progress
                && progress.pipeline == pipeline
            {
                let progress = Some(progress.clone());
                since.reverse();
                let committed_ms = entry.timestamp_ms;
                return Ok(History { progress, version: Some(version), committed_ms, since });
            }
            since.push(entry);
        }
        since.reverse();
        let transactions = transactions(home, self.version).await?;
        let mut progress = Progress::of_transactions(pipeline, &transactions);
        if let Some(progress) = &mut progress {
            progress.sources = Some(self.lost_sources());
        }
        Ok(History { progress, version: None, committed_ms: None, since })
    }
}

/// The newest `txn` action of every application, log checkpoints included.
async fn transactions(home: &Home, version: u64) -> Result<Vec<Transaction>, LakeError> {
    let engine = home.log().engine(None);
    let url = home.url().clone();
    let read = move || -> delta_kernel::DeltaResult<Vec<Transaction>> {
        let snapshot =
            delta_kernel::Snapshot::builder_for(url).at_version(version).build(engine.as_ref())?;
        let all = delta_kernel::actions::get_commit_schema().project(&["txn"])?;
        let mut found: Vec<Transaction> = Vec::new();
        // Newest first: what is known of an application already is newer.
        for batch in snapshot.log_segment().read_actions(engine.as_ref(), all)? {
            let actions = ArrowEngineData::try_from_engine_data(batch?.actions)?;
            for transaction in rows_of(actions.record_batch()) {
                if !found.iter().any(|t| t.app_id == transaction.app_id) {
                    found.push(transaction);
                }
            }
        }
        Ok(found)
    };
    let read = tokio::task::spawn_blocking(read).await;
    let read = read.map_err(|e| LakeError::Internal(format!("a log replay did not end: {e}")))?;
    read.map_err(|e| home.delta_error("read the `txn` actions of the log", e))
}

/// The rows of the struct column `txn`.
fn rows_of(batch: &arrow_array::RecordBatch) -> Vec<Transaction> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Array, StructArray};
    let column = |s: &StructArray, name: &str| s.column_by_name(name).map(Arc::clone);
    let Some(all) = batch.column_by_name("txn").and_then(|c| c.as_struct_opt()) else {
        return Vec::new();
    };
    let (Some(ids), Some(versions)) = (column(all, "appId"), column(all, "version")) else {
        return Vec::new();
    };
    let updated = column(all, "lastUpdated");
    let updated = updated.as_ref().and_then(|c| c.as_primitive_opt::<Int64Type>());
    let (Some(ids), Some(versions)) =
        (ids.as_string_opt::<i32>(), versions.as_primitive_opt::<Int64Type>())
    else {
        return Vec::new();
    };
    (0..all.len())
        .filter(|row| all.is_valid(*row) && ids.is_valid(*row))
        .map(|row| Transaction {
            app_id: ids.value(row).to_owned(),
            version: versions.value(row),
            last_updated: updated.filter(|u| u.is_valid(row)).map(|u| u.value(row)),
        })
        .collect()
}
