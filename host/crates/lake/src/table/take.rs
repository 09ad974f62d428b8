//! Renamed and dropped tables: a target takes over what another one held, or is left to whichever table
//! has its name next.
//!
//! What was held before the statement is read from the log of that target, so that several targets may
//! change places whatever a crash left of it. Files are copied as they lie (on a local disk a second name
//! of the same bytes), never read: the cost follows their number.

use change::diagnose::REBUILD;
use change::{Position, TableName};
use deltalake::kernel::{Action, Add, MetadataExt};
use object_store::ObjectStoreExt;
use object_store::path::Path as StorePath;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::edit::TableEdit;
use crate::error::LakeError;
use crate::marker;
use crate::sources::{SourceKey, SourceKeys};
use crate::storage::{Home, Published};
use crate::stored::StoredSchema;
use crate::table::entry::{self, Operation};
use crate::table::evolve::Shape;
use crate::table::files::{DataChange, DataFile};
use crate::table::identity::RowIdentity;
use crate::table::progress::Progress;
use crate::table::state::{ID_COLUMNS_PROPERTY, State};
use crate::table::{ATTEMPTS_MAX, FileChanges, Step, Table, columns, deletion};

/// What a target held before a statement.
#[derive(Debug)]
pub(crate) struct Origin {
    home: Home,
    state: State,
    progress: Progress,
}

impl Origin {
    /// Columns and files.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }
}

impl Table {
    /// What the table held before a statement; none where it was left by its source table before.
    ///
    /// # Errors
    /// Where its rows are not only those of `source`, or its log does not reach back that far.
    pub(crate) async fn before(
        &self,
        source: &TableName,
        step: &Step,
    ) -> Result<Option<Origin>, LakeError> {
        let (state, progress) = match self.follows(step) {
            false => (self.state.clone(), self.progress.clone()),
            true => self.past(&step.covered).await?,
        };
        if progress.vacant {
            return Ok(None);
        }
        if !holds_only(progress.sources.as_ref(), source) {
            let reason = "and nothing tells its rows from those of the other tables in it";
            return Err(self.refused(format!("{source} has another name now, {reason}")));
        }
        Ok(Some(Origin { home: self.home.clone(), state, progress }))
    }

    /// The state before the first commit that has the position `end`.
    async fn past(&self, end: &Position) -> Result<(State, Progress), LakeError> {
        let lost =
            || self.refused("what it held before a RENAME is not in its log any more".into());
        let mut first = None;
        for version in (0..=self.state.version).rev() {
            let bytes = self.home.read_entry(version).await?.ok_or_else(lost)?;
            let entry = entry::decode(&self.home, version, &bytes)?;
            let own = entry.progress.filter(|p| p.pipeline == self.settings().pipeline);
            let Some(progress) = own else { continue };
            if progress.covered.as_ref().is_some_and(|covered| covered.reaches(end)) {
                first = Some(version);
                continue;
            }
            let before = first.and_then(|first| first.checked_sub(1)).ok_or_else(lost)?;
            let state = State::load(&self.home, Some(before)).await?.ok_or_else(lost)?;
            return Ok((state, progress));
        }
        Err(lost())
    }

    fn refused(&self, reason: String) -> LakeError {
        LakeError::Schema {
            target: self.home.target().to_string(),
            reason,
            hint: REBUILD.to_owned(),
        }
    }

    /// Holds what another target held, in one commit, and nothing else.
    pub(crate) async fn take(
        &mut self,
        edit: &TableEdit,
        origin: &Origin,
        step: &Step,
    ) -> Result<(), LakeError> {
        self.check_own(&edit.source)?;
        for _ in 0..ATTEMPTS_MAX {
            let shape = self.shape_like(&origin.state)?;
            let mut changes = FileChanges::default();
            changes.actions.extend(shape.actions());
            self.remove_all(&mut changes);
            changes.come = self.copy_from(origin).await?;
            changes.actions.extend(changes.come.iter().cloned().map(Action::Add));
            let mut next = self.next_progress(Some(step));
            next.vacant = false;
            next.lookups = origin.progress.lookups;
            next.sources = origin.progress.sources.clone().map(|mut sources| {
                sources.tables.iter_mut().for_each(|known| known.table.clone_from(&edit.source));
                sources
            });
            let (gone, come) = (changes.gone.len(), changes.come.clone());
            marker::pass(marker::TAKE_BEFORE_LOG_ENTRY);
            let metrics = counted(gone, come.len());
            if self.publish(Operation::Rename, metrics, changes, next).await? == Published::Done {
                marker::pass(marker::EDIT_AFTER_LOG_ENTRY);
                tracing::info!(target = %self.home.target(), source = %edit.source,
                    from = %origin.home.target(), files = come.len(), "took over a renamed table");
                return self.take_place(shape);
            }
            self.drop_copies(&come).await;
            self.follow().await?;
        }
        Err(self.contended())
    }

    /// All rows go, and the next table of the name brings its own columns.
    pub(crate) async fn vacate(&mut self, edit: &TableEdit, step: &Step) -> Result<(), LakeError> {
        self.check_own(&edit.source)?;
        for _ in 0..ATTEMPTS_MAX {
            let mut changes = FileChanges::default();
            self.remove_all(&mut changes);
            let metrics = counted(changes.gone.len(), 0);
            let next = self.vacant_progress(step);
            marker::pass(marker::EDIT_BEFORE_LOG_ENTRY);
            if self.publish(Operation::Rename, metrics, changes, next).await? == Published::Done {
                marker::pass(marker::EDIT_AFTER_LOG_ENTRY);
                tracing::info!(target = %self.home.target(), source = %edit.source,
                    "emptied: its table is gone");
                return Ok(());
            }
            self.follow().await?;
        }
        Err(self.contended())
    }

    /// The rows stay until the next table of the name brings its first one.
    pub(crate) async fn abandon(&mut self, edit: &TableEdit, step: &Step) -> Result<(), LakeError> {
        self.check_own(&edit.source)?;
        for _ in 0..ATTEMPTS_MAX {
            let next = self.vacant_progress(step);
            marker::pass(marker::EDIT_BEFORE_LOG_ENTRY);
            let changes = FileChanges::default();
            if self.publish(Operation::Advance, Map::new(), changes, next).await? == Published::Done
            {
                marker::pass(marker::EDIT_AFTER_LOG_ENTRY);
                tracing::info!(target = %self.home.target(), source = %edit.source,
                    "kept as it is: its table is gone");
                return Ok(());
            }
            self.follow().await?;
        }
        Err(self.contended())
    }

    /// The rows belong to a table of another name from now on.
    pub(crate) async fn rename_source(
        &mut self,
        edit: &TableEdit,
        from: &TableName,
        step: &Step,
    ) -> Result<(), LakeError> {
        for _ in 0..ATTEMPTS_MAX {
            let mut next = self.next_progress(Some(step));
            if let Some(sources) = &mut next.sources {
                sources.rename(from, &edit.source);
            }
            let changes = FileChanges::default();
            if self.publish(Operation::Rename, Map::new(), changes, next).await? == Published::Done
            {
                return Ok(());
            }
            self.follow().await?;
        }
        Err(self.contended())
    }

    /// Before the first row of a table whose name had another one before: what is left of that one
    /// goes. A commit without a position.
    pub(crate) async fn occupy(&mut self, schema: &StoredSchema) -> Result<(), LakeError> {
        for _ in 0..ATTEMPTS_MAX {
            if !self.progress.vacant {
                return Ok(());
            }
            let identity = RowIdentity::of(schema).to_property();
            let columns = columns::delta_schema(schema.arrow())?;
            let fields = columns.fields().cloned().collect();
            let shape = self.with_identity(self.shape_of(fields)?, Some(&identity))?;
            let mut changes = FileChanges::default();
            changes.actions.extend(shape.actions());
            self.remove_all(&mut changes);
            let metrics = counted(changes.gone.len(), 0);
            let mut next = self.next_progress(None);
            next.vacant = false;
            next.sources = Some(SourceKeys::of(schema));
            marker::pass(marker::EDIT_BEFORE_LOG_ENTRY);
            if self.publish(Operation::Rename, metrics, changes, next).await? == Published::Done {
                tracing::info!(target = %self.home.target(), "a new table of this name begins");
                return self.take_place(shape);
            }
            self.follow().await?;
        }
        Err(self.contended())
    }

    /// Whether nobody else has rows here.
    fn check_own(&self, source: &TableName) -> Result<(), LakeError> {
        let lost = self.sources_are_lost();
        if !lost && (self.progress.vacant || holds_only(self.progress.sources.as_ref(), source)) {
            return Ok(());
        }
        let reason = "and other tables, or ones that nobody remembers, have rows here as well";
        Err(self.refused(format!("the rows of {source} are to go, {reason}")))
    }

    /// The progress behind a statement by which the source table is gone.
    fn vacant_progress(&self, step: &Step) -> Progress {
        let mut next = self.next_progress(Some(step));
        next.vacant = true;
        next.sources = Some(SourceKeys::default());
        next
    }

    fn remove_all(&self, changes: &mut FileChanges) {
        let now_ms = self.now_ms();
        for file in self.state.files.iter() {
            changes.actions.push(Action::Remove(file.remove(DataChange::Yes, now_ms)));
            changes.gone.push(file.name().to_owned());
        }
    }

    /// The columns and id columns of another table, under the own id and properties.
    fn shape_like(&self, other: &State) -> Result<Shape, LakeError> {
        let shape = self.shape_of(other.schema.fields().cloned().collect())?;
        self.with_identity(shape, other.property(ID_COLUMNS_PROPERTY))
    }

    fn with_identity(&self, shape: Shape, identity: Option<&str>) -> Result<Shape, LakeError> {
        let key = ID_COLUMNS_PROPERTY;
        shape
            .with_metadata(|metadata| match identity {
                Some(identity) => metadata.add_config_key(key.to_owned(), identity.to_owned()),
                None => metadata.remove_config_key(key),
            })
            .map_err(|e| self.home.delta_error("change the table's properties", e))
    }

    /// Takes over a shape that is in the log, with other id columns.
    fn take_place(&mut self, shape: Shape) -> Result<(), LakeError> {
        self.take_shape(shape)?;
        self.ids = self.state.id_columns();
        self.unfit.clear();
        self.wear.commits = self.wear.commits.saturating_add(1);
        Ok(())
    }

    /// Brings the files of another table here, durable, and under new names.
    async fn copy_from(&self, origin: &Origin) -> Result<Vec<Add>, LakeError> {
        let place = |home: &Home| {
            (home.url().scheme().to_owned(), home.url().host_str().map(str::to_owned))
        };
        if place(&self.home) != place(&origin.home) {
            let other = origin.home.target();
            return Err(self.refused(format!("it lies in another store than {other}")));
        }
        let mut come: Vec<Add> = Vec::new();
        let mut written: Vec<String> = Vec::new();
        for file in origin.state.files.iter() {
            match self.copy_file(origin, file, &mut written).await {
                Ok(add) => come.push(add),
                Err(error) => {
                    self.drop_copies(&come).await;
                    return Err(error);
                }
            }
        }
        self.home.disk().sync_files(&written).await?;
        self.home.disk().sync_folder("").await?;
        Ok(come)
    }

    async fn copy_file(
        &self,
        origin: &Origin,
        file: &DataFile,
        written: &mut Vec<String>,
    ) -> Result<Add, LakeError> {
        let name = format!("part-00000-{}-c000.snappy.parquet", Uuid::new_v4());
        self.copy(origin, file.name(), &name).await?;
        written.push(name.clone());
        // A vector's file has the name that its descriptor spells: it lies under the same one here.
        if let Some(vector) = file.vector().and_then(deletion::file_name)
            && !written.contains(&vector)
        {
            self.copy(origin, &vector, &vector).await?;
            written.push(vector);
        }
        Ok(file.add_as(name, self.now_ms()))
    }

    async fn copy(&self, origin: &Origin, from: &str, to: &str) -> Result<(), LakeError> {
        let store = self.home.log().root_object_store(None);
        let (from, to) = (absolute(&origin.home, from)?, absolute(&self.home, to)?);
        let copied = store.copy(&from, &to).await;
        copied.map_err(|e| self.home.storage_error(format!("copy {from} to {to}"), e))
    }

    /// Deletes copies that no log entry names. Litter at worst: nothing ever reads it.
    async fn drop_copies(&self, copies: &[Add]) {
        for add in copies {
            if let Ok(path) = self.home.path(&add.path) {
                let _ = self.home.store().delete(&path).await;
            }
        }
    }
}

/// The path of a table's object from the root of its store.
fn absolute(home: &Home, name: &str) -> Result<StorePath, LakeError> {
    let root = StorePath::from_url_path(home.url().path());
    let root = root.map_err(|e| home.damaged(name, e.to_string()))?;
    Ok(root.parts().chain(home.path(name)?.parts()).collect())
}

/// Whether all rows are of one source table, as far as anybody remembers.
fn holds_only(sources: Option<&SourceKeys>, table: &TableName) -> bool {
    let is_it = |known: &SourceKey| known.table == *table;
    sources.is_none_or(|known| !known.incomplete && known.tables.iter().all(is_it))
}

fn counted(removed: usize, added: usize) -> Map<String, Value> {
    let metrics = [("numRemovedFiles", removed), ("numAddedFiles", added)];
    metrics.map(|(k, n)| (k.to_owned(), Value::String(n.to_string()))).into_iter().collect()
}
