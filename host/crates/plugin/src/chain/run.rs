//! One batch through the chain. Columns that no plugin makes are passed on as they are; a plugin gets
//! only the images that the plugins before it kept.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, UInt32Array, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use arrow_select::filter::FilterBuilder;
use arrow_select::take::take;
use change::route::check_value;
use change::{Batch, Presence, Rejected, Route, Transformed};

use crate::cast::cast;
use crate::chain::routes::Routes;
use crate::chain::{ChainCounters, Link};
use crate::error::{Call, GuestFailure, PluginError};
use crate::plan::{Node, Process, ROW_ROUTE_PROPERTY, Stage, TablePlan};
use crate::process::{Rows, Stopped, process};
use crate::transfer::{CheckedEdit, RowRoutes};
use crate::worker::Worker;

/// The code of an image whose value a cast does not fit.
const CODE_CAST: &str = "cast";

/// Transforms a batch.
pub(crate) fn transform(
    links: &mut [Link],
    counters: &mut ChainCounters,
    plan: &Arc<TablePlan>,
    batch: &Batch,
) -> Result<Transformed, PluginError> {
    let mut run = Run::new(plan, batch);
    for stage in &plan.stages {
        let Some(link) = links.get_mut(stage.plugin) else { continue };
        run.stage(&mut link.worker, counters, stage)?;
    }
    let transformed = run.finish()?;
    transformed.check().map_err(|source| {
        let table = batch.schema().name.clone();
        PluginError::Batch { table, source }
    })?;
    Ok(transformed)
}

/// A batch on its way.
struct Run<'a> {
    plan: &'a TablePlan,
    batch: &'a Batch,
    /// The nodes that are worked out.
    values: Vec<Option<ArrayRef>>,
    /// 1 = kept so far; none = all.
    alive: Option<BooleanBuffer>,
    routes: Routes,
    rejected: Vec<Rejected>,
}

impl<'a> Run<'a> {
    fn new(plan: &'a TablePlan, batch: &'a Batch) -> Self {
        let name = &batch.schema().name;
        let mut values = vec![None; plan.nodes.len()];
        for (value, column) in values.iter_mut().zip(batch.columns()) {
            *value = Some(Arc::clone(column));
        }
        Self {
            plan,
            batch,
            values,
            alive: None,
            routes: Routes::whole(Route::of_table(&name.database, &name.table)),
            rejected: Vec::new(),
        }
    }

    fn stage(
        &mut self,
        worker: &mut Worker,
        counters: &mut ChainCounters,
        stage: &Stage,
    ) -> Result<(), PluginError> {
        self.routes.set(&stage.route);
        if let Some(process) = &stage.process {
            self.call(worker, counters, process)?;
        }
        for node in &stage.casts {
            self.cast(worker, *node)?;
        }
        Ok(())
    }

    fn call(
        &mut self,
        worker: &mut Worker,
        counters: &mut ChainCounters,
        plan: &Process,
    ) -> Result<(), PluginError> {
        let picked = self.alive.as_ref().map(|alive| {
            alive.set_indices().map(|i| u32::try_from(i).unwrap_or(u32::MAX)).collect::<Vec<_>>()
        });
        let count = picked.as_ref().map_or(self.batch.len(), Vec::len);
        if count == 0 {
            self.fill(plan, |column_type, rows| new_null_array(column_type, rows));
            return Ok(());
        }
        for node in &plan.reads {
            self.told(*node, || format!("plugin `{}`", worker.prepared.name))?;
        }
        let columns = self.read(&plan.reads)?;
        let rows = Rows { table_id: self.plan.id, process: plan, columns: &columns, count };
        let edit = process(worker, &rows, counters).map_err(|stopped| match stopped {
            Stopped::Guest(failure) => {
                PluginError::Guest { site: Box::new(self.site(worker)), failure }
            }
            Stopped::Arrow(source) => self.arrow(source),
        })?;
        self.apply(worker, plan, edit, picked.as_deref())
    }

    /// The columns that a plugin reads, without the images that are not kept.
    fn read(&mut self, reads: &[usize]) -> Result<Vec<ArrayRef>, PluginError> {
        let mut columns = Vec::with_capacity(reads.len());
        for node in reads {
            columns.push(self.value(*node)?);
        }
        let Some(alive) = &self.alive else { return Ok(columns) };
        let mask = BooleanArray::new(alive.clone(), None);
        let predicate = FilterBuilder::new(&mask).optimize().build();
        let filtered = columns.iter().map(|column| predicate.filter(column));
        filtered.collect::<Result<_, _>>().map_err(|source| self.arrow(source))
    }

    fn fill(
        &mut self,
        plan: &Process,
        column: impl Fn(&arrow_schema::DataType, usize) -> ArrayRef,
    ) {
        let rows = self.batch.len();
        for (slot, node) in plan.slots.iter().zip(&plan.computed) {
            if let Some(value) = self.values.get_mut(*node) {
                *value = Some(column(&slot.column_type.arrow(), rows));
            }
        }
    }

    fn apply(
        &mut self,
        worker: &Worker,
        plan: &Process,
        edit: CheckedEdit,
        picked: Option<&[u32]>,
    ) -> Result<(), PluginError> {
        if let Some(routing) = &edit.routing {
            self.check_routes(worker, plan, routing)?;
            self.routes.set_rows(routing, picked, self.batch.len());
        }
        for (row, code, detail) in edit.rejected {
            let image = match picked {
                Some(picked) => picked.get(row as usize).copied().unwrap_or(row),
                None => row,
            };
            self.reject(worker, image, code, detail);
        }
        let places = picked.map(|picked| places(picked, self.batch.len()));
        for (column, node) in edit.computed.into_iter().zip(&plan.computed) {
            let column = match &places {
                Some(places) => take(&column, places, None).map_err(|e| self.arrow(e))?,
                None => column,
            };
            if let Some(value) = self.values.get_mut(*node) {
                *value = Some(column);
            }
        }
        if let Some(keep) = edit.keep {
            self.keep(&keep, picked);
        }
        Ok(())
    }

    fn keep(&mut self, keep: &BooleanBuffer, picked: Option<&[u32]>) {
        let Some(picked) = picked else {
            self.alive = Some(keep.clone());
            return;
        };
        let mut alive = vec![false; self.batch.len()];
        for (image, kept) in picked.iter().zip(keep.iter()) {
            if let Some(slot) = alive.get_mut(*image as usize) {
                *slot = kept;
            }
        }
        self.alive = Some(BooleanBuffer::from(alive));
    }

    fn check_routes(
        &self,
        worker: &Worker,
        plan: &Process,
        routing: &RowRoutes,
    ) -> Result<(), PluginError> {
        for (name, value) in routing.routes.iter().flatten() {
            if plan.shown_as_fixed.contains(name) {
                let what = format!(
                    "it sets `{name}` row by row, its plan has no property `{ROW_ROUTE_PROPERTY}` that says so, and a later plugin was told one value"
                );
                let failure = GuestFailure::Answer { call: Call::Process, what };
                return Err(PluginError::Guest { site: Box::new(self.site(worker)), failure });
            }
            check_value(name, value).map_err(|source| PluginError::Route {
                site: Box::new(self.site(worker)),
                source,
            })?;
        }
        Ok(())
    }

    /// Converts a column; images whose value does not fit are rejected.
    fn cast(&mut self, worker: &Worker, node: usize) -> Result<(), PluginError> {
        let Some(Node::Cast { from, name, from_type, to }) = self.plan.nodes.get(node) else {
            return Ok(());
        };
        self.told(*from, || format!("plugin `{}`", worker.prepared.name))?;
        let input = self.value(*from)?;
        let (column, misfits) = cast(&input, *from_type, *to).map_err(|e| self.arrow(e))?;
        let alive = |image: usize| self.alive.as_ref().is_none_or(|a| a.value(image));
        let misfits: Vec<usize> = misfits.into_iter().filter(|image| alive(*image)).collect();
        if let Some(value) = self.values.get_mut(node) {
            *value = Some(column);
        }
        if misfits.is_empty() {
            return Ok(());
        }
        let kept = self.alive.take().unwrap_or_else(|| BooleanBuffer::new_set(self.batch.len()));
        let mut kept: Vec<bool> = kept.iter().collect();
        for image in misfits {
            if let Some(kept) = kept.get_mut(image) {
                *kept = false;
            }
            let detail = format!("the value of `{name}` is no {to}");
            let image = u32::try_from(image).unwrap_or(u32::MAX);
            self.reject(worker, image, CODE_CAST.to_owned(), detail);
        }
        self.alive = Some(BooleanBuffer::from(kept));
        Ok(())
    }

    fn reject(&mut self, worker: &Worker, image: u32, code: String, detail: String) {
        let plugin = Arc::clone(&worker.prepared.name);
        self.rejected.push(Rejected { image, plugin, code, detail });
    }

    /// Whether the log told a node's value in every image that is kept so far.
    fn told(&self, node: usize, needed_by: impl Fn() -> String) -> Result<(), PluginError> {
        let Some(Node::Input(column)) = self.plan.nodes.get(node) else { return Ok(()) };
        let Some(present) = self.batch.presence().of(*column) else { return Ok(()) };
        let missing = match &self.alive {
            Some(alive) => alive & &!present,
            None => !present,
        };
        let Some(image) = missing.set_indices().next() else { return Ok(()) };
        let origin = self.batch.images().origin(image);
        let position = origin.map(|(m, _)| format!("{}:{}", m.transaction.file, m.event_offset));
        let schema = self.batch.schema();
        Err(PluginError::Absent {
            table: schema.name.clone(),
            position: position.unwrap_or_default(),
            column: schema.columns.get(*column).map(|c| c.name.clone()).unwrap_or_default(),
            needed_by: needed_by(),
        })
    }

    /// What is known of the output columns: a column that is passed through knows what the log told.
    fn presence(&self) -> Result<Presence, PluginError> {
        if self.batch.presence().is_complete() {
            return Ok(Presence::default());
        }
        for id in &self.plan.schema.id_columns {
            let node = self.plan.output.get(*id).copied().unwrap_or(usize::MAX);
            self.told(node, || "the key of the target".to_owned())?;
        }
        let columns = self.plan.output.iter().map(|node| match self.plan.nodes.get(*node) {
            Some(Node::Input(column)) => self.batch.presence().of(*column).cloned(),
            _ => None,
        });
        Ok(Presence::new(columns.collect()))
    }

    /// The column of a node over all images.
    fn value(&mut self, node: usize) -> Result<ArrayRef, PluginError> {
        if let Some(Some(value)) = self.values.get(node) {
            return Ok(Arc::clone(value));
        }
        let rows = self.batch.len();
        let value = match self.plan.nodes.get(node) {
            Some(Node::Constant(constant)) => constant.column(rows).map_err(|e| self.arrow(e))?,
            Some(Node::Metadata(metadata)) => metadata.column(self.batch.images()),
            Some(Node::Computed(made) | Node::Cast { to: made, .. }) => {
                new_null_array(&made.arrow(), rows)
            }
            Some(Node::Input(_)) | None => new_null_array(&arrow_schema::DataType::Null, rows),
        };
        if let Some(place) = self.values.get_mut(node) {
            *place = Some(Arc::clone(&value));
        }
        Ok(value)
    }

    fn finish(mut self) -> Result<Transformed, PluginError> {
        let mut columns = Vec::with_capacity(self.plan.output.len());
        for node in &self.plan.output {
            columns.push(self.value(*node)?);
        }
        let presence = self.presence()?;
        self.rejected.sort_by_key(|r| r.image);
        let keep = self.alive.filter(|alive| alive.count_set_bits() < alive.len());
        Ok(Transformed {
            source: Arc::clone(self.batch.schema()),
            images: Arc::clone(self.batch.images()),
            schema: Arc::clone(&self.plan.schema),
            columns,
            presence,
            keep,
            routing: self.routes.finish(&self.plan.base_route),
            rejected: self.rejected,
        })
    }

    fn site(&self, worker: &Worker) -> crate::error::Site {
        let first = self.batch.images().marks().first();
        let position = first.map(|m| format!("{}:{}", m.transaction.file, m.event_offset));
        worker.site(&self.batch.schema().name, position)
    }

    fn arrow(&self, source: ArrowError) -> PluginError {
        PluginError::Arrow { table: self.batch.schema().name.clone(), source }
    }
}

/// For each image the row that stands for it; null for the others.
fn places(picked: &[u32], images: usize) -> UInt32Array {
    let (mut rows, mut valid) = (vec![0; images], vec![false; images]);
    for (row, image) in (0_u32..).zip(picked) {
        if let (Some(place), Some(is_valid)) =
            (rows.get_mut(*image as usize), valid.get_mut(*image as usize))
        {
            (*place, *is_valid) = (row, true);
        }
    }
    UInt32Array::new(ScalarBuffer::from(rows), Some(NullBuffer::from(valid)))
}
