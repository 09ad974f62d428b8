//! One epoch's changes of one target: prepared, made durable, committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_buffer::BooleanBuffer;
use arrow_select::filter::filter_record_batch;
use change::diagnose::REBUILD;
use deltalake::kernel::Action;
use roaring::RoaringTreemap;
use serde_json::{Map, Value};

use crate::changes::TargetChanges;
use crate::error::LakeError;
use crate::marker;
use crate::sources::SourceKeys;
use crate::storage::Published;
use crate::table::entry::Operation;
use crate::table::evolve::Shape;
use crate::table::files::DataChange;
use crate::table::identity::RowIdentity;
use crate::table::keys::Wanted;
use crate::table::locate::{self, Found};
use crate::table::progress::Lookups;
use crate::table::write::{self, Layout, NewFile};
use crate::table::{ATTEMPTS_MAX, FileChanges, Step, Table, columns, deletion, read};

/// What is written and synced of an epoch's changes, but not in the log.
#[derive(Debug)]
pub(crate) struct Prepared {
    files: Vec<NewFile>,
    deaths: Deaths,
    shape: Option<Shape>,
    sources: Option<SourceKeys>,
}

/// Old rows that die.
#[derive(Debug, Default)]
struct Deaths {
    found: BTreeMap<String, Found>,
    /// All dead rows of a file that lives on.
    dead: BTreeMap<String, RoaringTreemap>,
    vectors: BTreeMap<String, deltalake::kernel::DeletionVectorDescriptor>,
}

impl Table {
    /// Writes an epoch's new rows and finds the old ones. Nothing of it can be seen by readers.
    pub(crate) async fn prepare(&self, changes: &TargetChanges) -> Result<Prepared, LakeError> {
        self.check_ids(changes)?;
        let policy = self.settings().new_columns;
        let added = columns::added(&self.home, &self.state.schema, changes, policy)?;
        let shape = match added.is_empty() {
            true => None,
            false => {
                Some(self.shape_of(self.state.schema.fields().cloned().chain(added).collect())?)
            }
        };
        let schema = match &shape {
            Some(shape) => columns::arrow_schema(&shape.schema)?,
            None => Arc::clone(&self.state.arrow),
        };
        let layout = Layout {
            ids: columns::ids_in(&schema, &changes.schema),
            schema,
            file_bytes: self.settings().maintenance.file_bytes,
        };
        let located = self.find(changes);
        let (files, found) = match &changes.gaps {
            None => futures::join!(self.write_rows(&layout, &changes.rows), located),
            Some(gaps) => {
                let found = located.await?;
                let rows = self.complete(changes, gaps, &found).await?;
                (self.write_rows(&layout, &rows).await, Ok(found))
            }
        };
        let files = files?;
        marker::pass(marker::COMMIT_AFTER_DATA_FILE);
        let rest = async {
            let deaths = self.bury(found?).await?;
            let names: Vec<String> = files.iter().map(|f| f.add.path.clone()).collect();
            self.home.disk().sync_files(&names).await?;
            Ok(deaths)
        };
        match rest.await {
            Ok(deaths) => {
                let sources = Some(changes.sources.as_ref().clone());
                Ok(Prepared { files, deaths, shape, sources })
            }
            Err(error) => {
                self.discard(&files).await;
                Err(error)
            }
        }
    }

    /// Deletes what was prepared for an epoch that will not be: on a full disk it would be in the
    /// way of the next attempt.
    pub(crate) async fn forsake(&self, prepared: Prepared) {
        self.discard(&prepared.files).await;
    }

    /// The id columns are the same ones, in whatever order.
    fn check_ids(&self, changes: &TargetChanges) -> Result<(), LakeError> {
        let ids = RowIdentity::of(&changes.schema);
        match self.state.identity() {
            Some(known) if !known.is_same(&ids) => Err(LakeError::Schema {
                target: self.home.target().to_string(),
                reason: format!("its id columns are {known}, those of the changes are {ids}"),
                hint: format!("put the former id columns back, or {REBUILD}"),
            }),
            _ => Ok(()),
        }
    }

    /// The old rows that die.
    async fn find(&self, changes: &TargetChanges) -> Result<BTreeMap<String, Found>, LakeError> {
        if changes.schema.is_whole_row() {
            return self.find_counted(changes).await;
        }
        let wanted = Arc::new(self.wanted(changes)?);
        locate::locate(&self.home, &self.shared.caches, &self.state.files, &wanted).await
    }

    /// The keys to look for: those whose old row may exist.
    fn wanted(&self, changes: &TargetChanges) -> Result<Wanted, LakeError> {
        let wrong = |source| LakeError::Arrow { action: "pick the id columns", source };
        let keys = changes.rows.project(changes.schema.id_columns()).map_err(wrong)?;
        let parts =
            [(keys, &changes.rows_inserted), (changes.gone.clone(), &changes.gone_inserted)];
        let mut batches = Vec::new();
        for (keys, inserted) in parts {
            batches.push(match self.progress.lookups {
                Lookups::Always => keys,
                Lookups::WhereNeeded => without(&keys, inserted).map_err(wrong)?,
            });
        }
        Wanted::of(changes.schema.id_arrow(), &batches)
    }

    async fn write_rows(
        &self,
        layout: &Layout,
        rows: &RecordBatch,
    ) -> Result<Vec<NewFile>, LakeError> {
        let mut files = Vec::new();
        if rows.num_rows() == 0 {
            return Ok(files);
        }
        let rows = read::align(rows, &layout.schema)?;
        for file in write::encode(&self.home, layout, rows).await? {
            match write::store(&self.home, file, DataChange::Yes, self.now_ms()).await {
                Ok(file) => files.push(file),
                Err(error) => {
                    self.discard(&files).await;
                    return Err(error);
                }
            }
        }
        Ok(files)
    }

    /// Writes the deletion vectors of the rows found, and syncs them.
    async fn bury(&self, found: BTreeMap<String, Found>) -> Result<Deaths, LakeError> {
        let mut dead = BTreeMap::new();
        for (name, found) in &found {
            let all = found.dying.clone() | found.dead.as_ref();
            // A file without a live row goes as a whole.
            if all.len() < found.rows {
                dead.insert(name.clone(), all);
            }
        }
        let mut vectors = BTreeMap::new();
        if !dead.is_empty() {
            let written = deletion::write(&self.home, &dead).await?;
            marker::pass(marker::COMMIT_AFTER_DELETION_VECTOR);
            self.home.disk().sync_files(std::slice::from_ref(&written.name)).await?;
            vectors = written.vectors;
        }
        Ok(Deaths { found, dead, vectors })
    }

    /// Commits what was prepared; done again from the look for old rows on where others were faster.
    pub(crate) async fn commit(
        &mut self,
        mut prepared: Prepared,
        changes: &TargetChanges,
        step: &Step,
    ) -> Result<(), LakeError> {
        for _ in 0..ATTEMPTS_MAX {
            self.home.disk().sync_folder("").await?;
            let mut next = self.next_progress(Some(step));
            next.sources = prepared.sources.clone().or(next.sources);
            if let Some(sources) = &mut next.sources {
                sources.incomplete = self.sources_are_lost();
            }
            let actions = self.actions(&prepared);
            let metrics = metrics(&prepared);
            marker::pass(marker::COMMIT_BEFORE_LOG_ENTRY);
            if self.publish(Operation::Update, metrics, actions, next).await? == Published::Done {
                marker::pass(marker::COMMIT_AFTER_LOG_ENTRY);
                self.wear.commits = self.wear.commits.saturating_add(1);
                let ids = || changes.schema.id_names().map(str::to_owned).collect();
                self.ids.get_or_insert_with(ids);
                return self.remember(prepared);
            }
            self.follow().await?;
            if changes.gaps.is_some() {
                // What was filled in may have been changed by others.
                self.discard(&prepared.files).await;
                prepared = self.prepare(changes).await?;
                continue;
            }
            // Keys that needed no look before may have come in with others' rows.
            prepared.deaths = self.bury(self.find(changes).await?).await?;
        }
        Err(self.contended())
    }

    /// The file actions of a commit.
    fn actions(&self, prepared: &Prepared) -> FileChanges {
        let now_ms = self.now_ms();
        let mut changes = FileChanges::default();
        changes.actions.extend(prepared.shape.iter().flat_map(Shape::actions));
        for (name, found) in &prepared.deaths.found {
            let Some(file) = self.state.files.get(name) else { continue };
            changes.actions.push(Action::Remove(file.remove(DataChange::Yes, now_ms)));
            match prepared.deaths.vectors.get(name) {
                Some(vector) => changes.come.push(file.add_with_vector(vector.clone(), found.rows)),
                None => changes.gone.push(name.clone()),
            }
        }
        changes.come.extend(prepared.files.iter().map(|f| f.add.clone()));
        changes.actions.extend(changes.come.iter().cloned().map(Action::Add));
        changes
    }

    /// Takes over the new shape, and keeps what the next epoch would otherwise read back.
    fn remember(&mut self, prepared: Prepared) -> Result<(), LakeError> {
        let caches = Arc::clone(&self.shared.caches);
        if let Some(shape) = prepared.shape {
            self.take_shape(shape)?;
        }
        for file in prepared.files {
            if let Some(footer) = &file.footer {
                read::keep_footer(&self.home, &caches.footers, &file.add.path, footer);
            }
        }
        for (name, dead) in prepared.deaths.dead {
            if let Some(vector) = prepared.deaths.vectors.get(&name) {
                let path = &vector.path_or_inline_dv;
                let key = locate::vector_key(&self.home, &name, path, vector.offset);
                let bytes = dead.serialized_size();
                caches.vectors.put(key, Arc::new(dead), bytes);
            }
        }
        Ok(())
    }
}

/// The keys whose bit is not set.
fn without(
    keys: &RecordBatch,
    inserted: &BooleanBuffer,
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    filter_record_batch(keys, &BooleanArray::new(!inserted, None))
}

/// `operationMetrics`, named as Spark names those of a streaming update.
fn metrics(prepared: &Prepared) -> Map<String, Value> {
    let rows: u64 = prepared.files.iter().map(|f| f.rows).sum();
    let dying: u64 = prepared.deaths.found.values().map(|f| f.dying.len()).sum();
    let bytes: i64 = prepared.files.iter().map(|f| f.add.size).sum();
    let removed = prepared.deaths.found.len().saturating_sub(prepared.deaths.vectors.len());
    let metrics = [
        ("numOutputRows", rows.to_string()),
        ("numRemovedRows", dying.to_string()),
        ("numAddedFiles", prepared.files.len().to_string()),
        ("numRemovedFiles", removed.to_string()),
        ("numDeletionVectorsUpdated", prepared.deaths.vectors.len().to_string()),
        ("numOutputBytes", bytes.to_string()),
    ];
    metrics.into_iter().map(|(key, value)| (key.to_owned(), Value::String(value))).collect()
}
