//! Opens an existing table or makes a new one, and decides how far its rows can be trusted.

use std::collections::{BTreeSet, HashMap};

use change::diagnose::REBUILD;
use delta_kernel::schema::StructType;
use deltalake::kernel::{Action, Protocol, new_metadata};
use object_store::ObjectStoreExt;
use object_store::path::Path as StorePath;
use serde_json::{Map, json};

use crate::error::LakeError;
use crate::marker;
use crate::storage::{Home, LOG_FOLDER, Published};
use crate::stored::StoredSchema;
use crate::table::entry::{self, Entry, Operation};
use crate::table::identity::RowIdentity;
use crate::table::progress::{Lookups, Progress};
use crate::table::state::{CHAIN_PROPERTY, History, ID_COLUMNS_PROPERTY, PIPELINE_PROPERTY, State};
use crate::table::upkeep::Upkeep;
use crate::table::{Role, Shared, Table, Wear, columns, compat, conflict};

impl Table {
    /// Opens a table; none where there is none.
    pub(crate) async fn open(home: Home, shared: &Shared) -> Result<Option<Self>, LakeError> {
        let Some(state) = State::load(&home, None).await? else { return Ok(None) };
        let settings = &shared.settings;
        let target = home.target().to_string();
        compat::check(&target, &state.protocol, &state.metadata, &state.schema)?;
        check_owner(&home, &state, &settings.pipeline)?;
        let history = state.history(&home, &settings.pipeline).await?;
        let others = judge_since(&home, &state, &history, &settings.pipeline).await?;
        let ours = state.property(PIPELINE_PROPERTY) == Some(settings.pipeline.as_str());
        let same_chain = state.property(CHAIN_PROPERTY) == Some(settings.chain.as_str())
            && settings.last_chain.as_ref().is_none_or(|last| *last == settings.chain);
        let trusted = ours && same_chain && others == conflict::Verdict::SameRows;
        let shared = shared.clone();
        let ids = state.id_columns();
        let mut table = Self {
            wear: wear(&home, &state, shared.settings.maintenance.compact_commits).await,
            // A clock that was set back must not keep a table quiet for long.
            committed_ms: history.committed_ms.unwrap_or(0).min(shared.settings.now_ms()),
            progress: history
                .progress
                .unwrap_or_else(|| beginning(&shared.settings.pipeline, Lookups::Always)),
            home,
            shared,
            state,
            ids,
            unfit: BTreeSet::new(),
            job: None,
            role: Role::Pipeline,
            upkeep: Upkeep::default(),
        };
        table.put_off_vacuum();
        let files = &table.state.files;
        let is_file = |name: &str| files.get(name).is_some();
        table.shared.caches.indexes.keep_only(&table.home, is_file);
        if let Some(sources) = &mut table.progress.sources {
            sources.settle(&table.state.arrow);
        }
        if !trusted {
            table.doubt();
        }
        Ok(Some(table))
    }

    /// Opens a table, or makes an empty one with the columns of these changes.
    pub(crate) async fn open_or_create(
        home: Home,
        shared: &Shared,
        schema: &StoredSchema,
    ) -> Result<Self, LakeError> {
        if let Some(table) = Self::open(home.clone(), shared).await? {
            return Ok(table);
        }
        let identity = RowIdentity::of(schema).to_property();
        create(&home, shared, &columns::delta_schema(schema.arrow())?, Some(identity)).await?;
        let target = home.target().to_string();
        let made = Self::open(home, shared).await?;
        made.ok_or_else(|| LakeError::Vanished { target, missing: "log entry 0".into() })
    }

    /// Opens a table, or makes an empty one with the columns of another one.
    pub(crate) async fn open_or_create_like(
        home: Home,
        shared: &Shared,
        other: &State,
    ) -> Result<Self, LakeError> {
        if let Some(table) = Self::open(home.clone(), shared).await? {
            return Ok(table);
        }
        let identity = other.property(ID_COLUMNS_PROPERTY).map(str::to_owned);
        create(&home, shared, &other.schema, identity).await?;
        let target = home.target().to_string();
        let made = Self::open(home, shared).await?;
        made.ok_or_else(|| LakeError::Vanished { target, missing: "log entry 0".into() })
    }
}

/// What gathered before the table was opened: it is looked at for compaction soon, and the entries
/// since the last log checkpoint count on.
async fn wear(home: &Home, state: &State, compact_commits: u64) -> Wear {
    #[derive(serde::Deserialize)]
    struct Hint {
        version: u64,
    }
    let path = StorePath::from(format!("{LOG_FOLDER}/_last_checkpoint"));
    // The file is a hint to readers; without it a checkpoint merely comes earlier.
    let hint = match home.store().get(&path).await {
        Ok(found) => found.bytes().await.ok(),
        Err(_) => None,
    };
    let hint = hint.and_then(|bytes| serde_json::from_slice::<Hint>(&bytes).ok());
    let entries = state.version.saturating_sub(hint.map_or(0, |h| h.version));
    Wear { commits: compact_commits, entries }
}

/// The progress of a pipeline that has committed nothing yet.
fn beginning(pipeline: &str, lookups: Lookups) -> Progress {
    Progress {
        pipeline: pipeline.to_owned(),
        counter: 0,
        epoch: 0,
        covered: None,
        all_durable: None,
        chain: String::new(),
        lookups,
        load: None,
        sources: None,
        vacant: false,
    }
}

fn check_owner(home: &Home, state: &State, pipeline: &str) -> Result<(), LakeError> {
    match state.property(PIPELINE_PROPERTY) {
        Some(other) if other != pipeline => Err(LakeError::Incompatible {
            target: home.target().to_string(),
            reason: format!("it belongs to pipeline `{other}`"),
            hint: format!(
                "route to another path, or hand the table over: set its property `{PIPELINE_PROPERTY}` to `{pipeline}`"
            ),
        }),
        _ => Ok(()),
    }
}

/// What others did behind the pipeline's newest commit.
async fn judge_since(
    home: &Home,
    state: &State,
    history: &History,
    pipeline: &str,
) -> Result<conflict::Verdict, LakeError> {
    let foreign = |entry: &Entry, what: String, hint: &str| LakeError::Foreign {
        target: home.target().to_string(),
        version: entry.version,
        what,
        hint: hint.to_owned(),
    };
    // Whoever set the pipeline's name on the table has handed it over: what stood before is past.
    let ours = state.property(PIPELINE_PROPERTY) == Some(pipeline);
    let handed = history.since.iter().rposition(|e| ours && e.table_id.is_some());
    for entry in history.since.iter().skip(handed.map_or(0, |at| at.saturating_add(1))) {
        if let Some(other) = conflict::other_pipeline(entry, pipeline) {
            let what = format!("pipeline `{other}` commits to this table");
            return Err(foreign(entry, what, "route one of the two pipelines to another path"));
        }
    }
    // Before its first commit a pipeline takes the table as it is.
    let Some(progress) = &history.progress else { return Ok(conflict::Verdict::OtherRows) };
    if let Some(entry) = history.since.iter().find(|e| conflict::replaces(e)) {
        let what = format!("{} replaced its rows", entry.operation);
        // Whoever put the rows back as they were has mended it.
        let before = match history.version {
            Some(version) => State::load(home, Some(version)).await?,
            None => None,
        };
        if before.is_none_or(|b| b.files.identity() != state.files.identity()) {
            let hint = match history.version {
                Some(version) => format!(
                    "run `RESTORE TABLE .. TO VERSION AS OF {version}` and start again, or {REBUILD}"
                ),
                None => REBUILD.into(),
            };
            return Err(foreign(entry, what, &hint));
        }
        return Ok(conflict::Verdict::OtherRows);
    }
    if history.version.is_none() {
        tracing::warn!(target = %home.target(), counter = progress.counter,
            "the log entry with the pipeline's position is gone; going on from its `txn` actions");
    }
    let others = history.since.iter().filter(|e| e.adds > 0 || e.removes > 0).count();
    if others > 0 {
        tracing::warn!(target = %home.target(), commits = others,
            "others changed rows of this table while the pipeline was stopped");
        return Ok(conflict::Verdict::OtherRows);
    }
    Ok(conflict::Verdict::SameRows)
}

/// Writes version 0: protocol and metadata, no rows. Where another writer is faster, its table is
/// opened and checked like any other.
async fn create(
    home: &Home,
    shared: &Shared,
    schema: &StructType,
    identity: Option<String>,
) -> Result<(), LakeError> {
    let settings = &shared.settings;
    let now_ms = settings.now_ms();
    let wrong = |e: deltalake::kernel::Error| home.delta_error("make the table", e);
    let mut properties = HashMap::from([
        (compat::DELETION_VECTORS_PROPERTY, "true".to_owned()),
        (PIPELINE_PROPERTY, settings.pipeline.clone()),
        (CHAIN_PROPERTY, settings.chain.clone()),
    ]);
    properties.extend(identity.map(|identity| (ID_COLUMNS_PROPERTY, identity)));
    let metadata = new_metadata(schema, std::iter::empty::<String>(), properties).map_err(wrong)?;
    let protocol = protocol_of(home, schema, &[])?;
    let actions = vec![Action::Protocol(protocol), Action::Metadata(metadata)];
    let mut progress = beginning(&settings.pipeline, Lookups::WhereNeeded);
    progress.chain.clone_from(&settings.chain);
    let entry =
        entry::encode(home, Operation::Create, Map::new(), Some(&progress), actions, now_ms)?;
    home.disk().create_folder(LOG_FOLDER).await?;
    marker::pass(marker::CREATE_BEFORE_LOG_ENTRY);
    if home.publish(0, entry).await? == Published::Done {
        tracing::info!(target = %home.target(), "made a table");
    }
    marker::pass(marker::CREATE_AFTER_LOG_ENTRY);
    Ok(())
}

/// The protocol of a table with these columns: what it has already, and what they need. Nothing is
/// listed that is not needed, above all not `invariants`, which few writers serve.
pub(crate) fn protocol_of(
    home: &Home,
    schema: &StructType,
    present: &[String],
) -> Result<Protocol, LakeError> {
    let mut writer: Vec<&str> = present.iter().map(String::as_str).collect();
    writer.push(compat::DELETION_VECTORS);
    if columns::has_timestamp_ntz(schema) {
        writer.push(compat::TIMESTAMP_NTZ);
    }
    writer.sort_unstable();
    writer.dedup();
    let reader: Vec<&str> =
        writer.iter().filter(|f| compat::is_reader_feature(f)).copied().collect();
    let protocol = json!({
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": reader,
        "writerFeatures": writer,
    });
    serde_json::from_value(protocol).map_err(|e| home.delta_error("write the table's protocol", e))
}
