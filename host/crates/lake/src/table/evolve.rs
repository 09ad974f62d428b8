//! Changes the columns of a table together with the rows that it has, in one commit.
//!
//! Neither the type widening nor the column mapping of the Delta protocol is something that the readers
//! around have: files whose rows change are written anew, one after the other, in bounded memory. What
//! the statement does not concern stays as it lies.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use delta_kernel::schema::{StructField, StructType};
use deltalake::kernel::{Action, Metadata, MetadataExt, Protocol};
use serde_json::{Map, Value};

use crate::changes::TargetChanges;
use crate::edit::{ColumnEdit, Recast, RowsEdit, TableEdit};
use crate::error::LakeError;
use crate::lake::NewColumns;
use crate::marker;
use crate::storage::Published;
use crate::stored::wider;
use crate::table::entry::Operation;
use crate::table::files::{DataChange, DataFile};
use crate::table::merge::{self, BATCH_ROWS_MAX, Merge, Run};
use crate::table::open::protocol_of;
use crate::table::weight::Weight;
use crate::table::write::{Encoder, Layout, NewFile};
use crate::table::{ATTEMPTS_MAX, FileChanges, Step, Table, columns, compat, locate, read};

/// A table's new shape.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Where the new columns need a feature more.
    protocol: Option<Protocol>,
    metadata: Metadata,
    pub(crate) schema: StructType,
}

impl Shape {
    /// The actions that give a table this shape.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let mut actions: Vec<Action> =
            self.protocol.clone().map(Action::Protocol).into_iter().collect();
        actions.push(Action::Metadata(self.metadata.clone()));
        actions
    }

    /// The same shape with other metadata.
    pub(crate) fn with_metadata<E>(
        self,
        change: impl FnOnce(Metadata) -> Result<Metadata, E>,
    ) -> Result<Self, E> {
        Ok(Self { metadata: change(self.metadata)?, ..self })
    }
}

impl Table {
    /// Protocol and metadata with these columns.
    pub(crate) fn shape_of(&self, fields: Vec<StructField>) -> Result<Shape, LakeError> {
        let schema = StructType::try_new(fields)
            .map_err(|e| self.home.delta_error("change the columns", e))?;
        let metadata = self.state.metadata.clone().with_schema(&schema);
        let metadata = metadata.map_err(|e| self.home.delta_error("change the columns", e))?;
        let present = compat::features(&self.state.protocol);
        let needs = columns::has_timestamp_ntz(&schema)
            && !present.iter().any(|f| f == compat::TIMESTAMP_NTZ);
        let protocol = if needs { Some(protocol_of(&self.home, &schema, &present)?) } else { None };
        Ok(Shape { protocol, metadata, schema })
    }

    /// Takes over a shape that is in the log.
    pub(crate) fn take_shape(&mut self, shape: Shape) -> Result<(), LakeError> {
        self.state.arrow = columns::arrow_schema(&shape.schema)?;
        self.state.protocol = shape.protocol.unwrap_or_else(|| self.state.protocol.clone());
        self.state.metadata = shape.metadata;
        self.state.schema = shape.schema;
        Ok(())
    }

    /// Applies an edit, once: where the table has the position behind it already, nothing happens.
    pub(crate) async fn edit(&mut self, edit: &TableEdit, step: &Step) -> Result<(), LakeError> {
        match edit.rows {
            _ if self.follows(step) => Ok(()),
            RowsEdit::Keep | RowsEdit::Remove | RowsEdit::RemoveWhere { .. } => {
                self.edit_at(edit, Some(step)).await
            }
            RowsEdit::Vacate => self.vacate(edit, step).await,
            RowsEdit::Abandon => self.abandon(edit, step).await,
            RowsEdit::Renamed { ref from } => self.rename_source(edit, from, step).await,
            RowsEdit::Take { .. } => {
                let what = "a target takes the rows of another one without knowing which";
                Err(LakeError::Internal(what.into()))
            }
        }
    }

    /// Applies an edit behind which another one of the same statement follows: only that one brings the
    /// position. A replay applies this one again, which changes nothing more.
    pub(crate) async fn edit_first(
        &mut self,
        edit: &TableEdit,
        step: &Step,
    ) -> Result<(), LakeError> {
        if self.follows(step) { Ok(()) } else { self.edit_at(edit, None).await }
    }

    /// Whether the table has the position behind a statement. Where the statement opens a transaction
    /// (CREATE OR REPLACE TABLE … SELECT), that position is the one before it, too: there, only rows
    /// behind it tell that it was followed.
    pub(crate) fn follows(&self, step: &Step) -> bool {
        let opens = step.all_durable.reaches(&step.covered);
        let covered = self.progress.covered.as_ref();
        covered.is_some_and(|c| c.reaches(&step.covered) && !(opens && step.covered.reaches(c)))
    }

    /// Makes columns wide enough for the changes of an epoch. The rows are the same afterwards, so
    /// that this is a commit of its own without a position.
    pub(crate) async fn widen_for(&mut self, changes: &TargetChanges) -> Result<(), LakeError> {
        if self.settings().new_columns == NewColumns::Refuse {
            return Ok(());
        }
        let types = changes.schema.column_types().iter();
        let fields = changes.schema.arrow().fields().iter().zip(types);
        let wide = fields.filter_map(|(field, column_type)| {
            let known = self.state.arrow.field_with_name(field.name()).ok()?.data_type();
            let wide = wider(known, field.data_type())?;
            let name = field.name().clone();
            (wide != *known).then_some(ColumnEdit::Retype { name, column_type: *column_type })
        });
        let columns: Vec<ColumnEdit> = wide.collect();
        if columns.is_empty() {
            return Ok(());
        }
        if !changes.schema.is_whole_row() && !self.is_whole_row() {
            // A table that others made does not tell them.
            let names = || changes.schema.id_names().map(str::to_owned).collect();
            self.ids.get_or_insert_with(names);
        }
        let (target, source) = (changes.target.clone(), changes.schema.source().clone());
        let edit = TableEdit { target, source, rows: RowsEdit::Keep, columns };
        self.edit_at(&edit, None).await
    }

    async fn edit_at(&mut self, edit: &TableEdit, step: Option<&Step>) -> Result<(), LakeError> {
        for _ in 0..ATTEMPTS_MAX {
            // Where whole rows are compared, no column is the one that a row is found by.
            let ids = self.id_names().filter(|_| !self.is_whole_row()).unwrap_or_default();
            let lost = self.progress.sources.clone().filter(|_| self.sources_are_lost());
            let sources = lost.or_else(|| self.source_keys());
            let policy = self.settings().new_columns;
            let recast = Recast::of(edit, &self.state.arrow, &ids, sources.as_ref(), policy)?;
            let shape = match recast.after == self.state.arrow {
                true => None,
                false => Some(self.shape_of(self.fields_of(&recast.after)?)?),
            };
            let mut changes = FileChanges::default();
            changes.actions.extend(shape.iter().flat_map(Shape::actions));
            let files = self.recast(&recast, &mut changes).await?;
            changes.come.extend(files.iter().map(|f| f.add.clone()));
            changes.actions.extend(changes.come.iter().cloned().map(Action::Add));
            let (removed, added) = (changes.gone.len(), files.len());
            let metrics = [("numRemovedFiles", removed), ("numAddedFiles", added)];
            let metrics = metrics.map(|(k, n)| (k.to_owned(), Value::String(n.to_string())));
            let metrics: Map<String, Value> = metrics.into_iter().collect();
            let operation = match edit.rows {
                RowsEdit::Remove | RowsEdit::RemoveWhere { .. } => Operation::Truncate,
                _ => Operation::Edit,
            };
            let next = self.next_progress(step);
            marker::pass(marker::EDIT_BEFORE_LOG_ENTRY);
            if self.publish(operation, metrics, changes, next).await? == Published::Done {
                marker::pass(marker::EDIT_AFTER_LOG_ENTRY);
                tracing::info!(target = %self.home.target(), source = %edit.source,
                    rewritten = removed, into = added, "changed the columns of a table");
                self.wear.commits = self.wear.commits.saturating_add(1);
                return shape.map_or(Ok(()), |shape| self.take_shape(shape));
            }
            self.discard(&files).await;
            self.follow().await?;
        }
        Err(self.contended())
    }

    /// The columns in Delta's form; those that stay as they are keep what the log says of them.
    fn fields_of(&self, after: &SchemaRef) -> Result<Vec<StructField>, LakeError> {
        let wanted = columns::delta_schema(after)?;
        let field = |new: &StructField| match self.state.schema.field(new.name()) {
            Some(known) if known.data_type() == new.data_type() => known.clone(),
            _ => new.clone(),
        };
        Ok(wanted.fields().map(field).collect())
    }

    /// Writes the files anew that the edit concerns, and makes them durable.
    async fn recast(
        &self,
        recast: &Recast,
        changes: &mut FileChanges,
    ) -> Result<Vec<NewFile>, LakeError> {
        let mut files = Vec::new();
        match self.recast_into(recast, changes, &mut files).await {
            Ok(()) => Ok(files),
            Err(error) => {
                self.discard(&files).await;
                Err(error)
            }
        }
    }

    async fn recast_into(
        &self,
        recast: &Recast,
        changes: &mut FileChanges,
        files: &mut Vec<NewFile>,
    ) -> Result<(), LakeError> {
        let now_ms = self.now_ms();
        for file in self.state.files.iter() {
            if !recast.empties() {
                let footers = &self.shared.caches.footers;
                let footer = read::footer(&self.home, footers, file.name(), file.size()).await?;
                if !recast.touches(footer.metadata()) {
                    continue;
                }
                self.recast_file(recast, file, &footer, files).await?;
            }
            changes.actions.push(Action::Remove(file.remove(DataChange::Yes, now_ms)));
            changes.gone.push(file.name().to_owned());
        }
        let written: Vec<String> = files.iter().map(|f| f.add.path.clone()).collect();
        self.home.disk().sync_files(&written).await?;
        self.home.disk().sync_folder("").await
    }

    async fn recast_file(
        &self,
        recast: &Recast,
        file: &DataFile,
        footer: &parquet::arrow::arrow_reader::ArrowReaderMetadata,
        files: &mut Vec<NewFile>,
    ) -> Result<(), LakeError> {
        let rules = &self.settings().maintenance;
        // New columns come at the end: the indexes of the id columns are the same ones. Where they are
        // not known, or are values that change, the rows stay in the order in which they lie.
        let is_ordered = !(self.is_whole_row() && recast.changes_values());
        let ids = self.known_ids().filter(|_| is_ordered).unwrap_or_default();
        let first = files.len();
        let mut count = RowCount::default();
        let (schema, file_bytes) = (Arc::clone(&recast.after), rules.file_bytes);
        let mut encoder =
            Encoder::new(Layout { schema: Arc::clone(&schema), ids: ids.clone(), file_bytes });
        let weight = Weight::of(footer.metadata());
        let rows = weight.rows_in(rules.memory_bytes_max / 4, read::BATCH_ROWS);
        let dead = locate::dead_rows(&self.home, &self.shared.caches, file).await?;
        let all = u64::try_from(footer.metadata().file_metadata().num_rows()).unwrap_or(0);
        let live = all.saturating_sub(dead.len());
        let mut run = Run::open(&self.home, file.name(), footer, &schema, &ids, dead, rows)?;
        if ids.is_empty() || merge::is_sorted(footer, &self.state.arrow, &ids) {
            while let Some(batch) = run.next().await? {
                let batch = count.apply(recast, &batch)?;
                self.encode_into(&mut encoder, &batch, DataChange::Yes, files).await?;
            }
        } else {
            let merge = Merge::new(&schema, &ids, Vec::new(), BATCH_ROWS_MAX)?;
            let bytes = usize::try_from(rules.memory_bytes_max / 6).unwrap_or(usize::MAX);
            while let Some(piece) = merge.sorted_piece(&mut run, bytes).await? {
                let piece = count.apply(recast, &piece)?;
                self.encode_into(&mut encoder, &piece, DataChange::Yes, files).await?;
                self.finish_into(&mut encoder, DataChange::Yes, files).await?;
            }
        }
        self.finish_into(&mut encoder, DataChange::Yes, files).await?;
        // Of a table with many files every footer would be held.
        let new = files.iter_mut().skip(first);
        let written = new.fold(0_u64, |sum, file| {
            file.footer = None;
            sum.saturating_add(file.rows)
        });
        count.check(live, written)
    }
}

/// The rows of a file on their way into new ones.
#[derive(Default)]
struct RowCount {
    read: u64,
    removed: u64,
}

impl RowCount {
    fn apply(&mut self, recast: &Recast, rows: &RecordBatch) -> Result<RecordBatch, LakeError> {
        let after = recast.apply(rows)?;
        let (read, left) = (rows.num_rows() as u64, after.num_rows() as u64);
        self.read = self.read.saturating_add(read);
        self.removed = self.removed.saturating_add(read.saturating_sub(left));
        Ok(after)
    }

    /// Whether every live row of the file was written, or removed by the statement: the file goes.
    fn check(&self, live: u64, written: u64) -> Result<(), LakeError> {
        if self.read == live && written.saturating_add(self.removed) == live {
            return Ok(());
        }
        let Self { read, removed } = self;
        Err(LakeError::Internal(format!(
            "of {live} rows of a file {read} were read, {removed} removed and {written} written"
        )))
    }
}
