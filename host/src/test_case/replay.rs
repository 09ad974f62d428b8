//! Runs the chain and the fold of a case into tables in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Field;
use binlog::{FileSource, ReadOptions, ZeroDates as ReadZeroDates};
use change::{Batch, ColumnType, LogSlice, Position, Rejected, Routing, Transformed};
use lake::stored::text;
use lake::{Deletes, Fold, FoldOptions, MemoryTables, TargetChanges};
use plugin::{Chain, Engine, TablePlan};
use serde_json::{Value, json};

use super::case::{Case, CaseError};
use super::content::{Content, RejectedRow, Row};
use super::decider::Deciders;
use super::expected::header_of;
use crate::chain;
use crate::error::CommandError;
use crate::manifest::{Manifest, ZeroDates};
use crate::pipeline::RunError;
use crate::pipeline::fold_step::{EpochLimits, EpochWork, FoldStep};
use crate::pipeline::schema_policy::{SchemaPolicy, SeenTables};
use crate::pipeline::transform_step::{TransformedSlice, settings_of};
use crate::row_text;

/// Where batches and epochs are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// As a run cuts them, all in one epoch where memory allows.
    Whole,
    /// After every transaction.
    Transactions,
}

/// Runs a case once, in fresh instances.
///
/// # Errors
/// Where the manifest is wrong, the log cannot be read, or the chain or the fold stop.
pub fn replay(case: &Case, engine: &Engine, cut: Cut) -> Result<Content, CommandError> {
    let manifest = manifest(case)?;
    let chain = chain::load(&manifest, engine)?;
    let mut source = FileSource::open(&case.input, None, read_options(&manifest, cut))?;
    let start = source.position();
    let mut run = Run {
        fold: fold(&manifest, cut, start),
        manifest,
        chain,
        tables: MemoryTables::new(),
        rejected: Vec::new(),
        changes: Vec::new(),
        deciders: BTreeMap::new(),
    };
    while let Some(slice) = source.next()? {
        run.push(slice)?;
    }
    if let Some(work) = run.fold.close()? {
        run.apply(work)?;
    }
    Ok(run.content())
}

fn manifest(case: &Case) -> Result<Manifest, CommandError> {
    let mut manifest = Manifest::load_for_test(&case.manifest, &case.variables)?;
    let Some(wanted) = &case.plugins else { return Ok(manifest) };
    let known: Vec<_> = manifest.plugins.iter().map(|p| p.name.clone()).collect();
    if let Some(plugin) = wanted.iter().find(|plugin| !known.contains(plugin)) {
        return Err(CaseError::UnknownPlugin {
            path: case.file(),
            plugin: plugin.clone(),
            known: known.join(", "),
        }
        .into());
    }
    manifest.plugins.retain(|plugin| wanted.contains(&plugin.name));
    Ok(manifest)
}

fn read_options(manifest: &Manifest, cut: Cut) -> ReadOptions {
    let default = ReadOptions::default();
    ReadOptions {
        tables: manifest.source.tables.clone(),
        zero_dates: match manifest.source.zero_dates {
            ZeroDates::Error => ReadZeroDates::Error,
            ZeroDates::Null => ReadZeroDates::Null,
        },
        slice_images_max: match cut {
            Cut::Whole => default.slice_images_max,
            Cut::Transactions => 1,
        },
        ..default
    }
}

fn fold(manifest: &Manifest, cut: Cut, start: Position) -> FoldStep {
    let options = FoldOptions {
        path: manifest.sink.path_written.clone(),
        targets_max: manifest.pipeline.targets_max,
        deletes: Deletes::Remove,
        covered: HashMap::new(),
        sources: HashMap::new(),
    };
    let trigger = match cut {
        Cut::Whole => Duration::MAX,
        Cut::Transactions => Duration::ZERO,
    };
    let limits = EpochLimits { trigger, bytes_max: manifest.pipeline.memory_bytes };
    let policy = SchemaPolicy::default();
    FoldStep::new(Fold::new(options), limits, policy, 0, start, SeenTables::default())
}

/// A case on its way.
struct Run {
    manifest: Manifest,
    chain: Chain,
    fold: FoldStep,
    tables: MemoryTables,
    rejected: Vec<RejectedRow>,
    changes: Vec<Value>,
    deciders: BTreeMap<String, Deciders>,
}

impl Run {
    fn push(&mut self, slice: LogSlice) -> Result<(), CommandError> {
        let mut batches = Vec::with_capacity(slice.batches.len());
        let mut sources = Vec::new();
        for batch in &slice.batches {
            let name = &batch.schema().name;
            sources.push(name.clone());
            let settings = settings_of(&self.manifest.tables, name);
            let Some(plan) = self.chain.plan(batch.schema(), &settings)? else { continue };
            let transformed = self.chain.transform(&plan, batch)?;
            let rejected = transformed.rejected.iter().map(|r| rejected_row(batch, r));
            self.rejected.extend(rejected);
            self.note_deciders(&plan, &transformed);
            batches.push(transformed);
        }
        let LogSlice { schema_change, end, resume, is_partial, definitions, .. } = slice;
        let slice = TransformedSlice {
            batches,
            dead_letters: Vec::new(),
            schema_change,
            end,
            resume,
            is_partial,
            definitions,
            load: None,
            sources,
        };
        let outcome = self.fold.push(slice)?;
        for work in outcome.closed {
            self.apply(work)?;
        }
        outcome.stop.map_or(Ok(()), |error| Err(error.into()))
    }

    fn note_deciders(&mut self, plan: &TablePlan, transformed: &Transformed) {
        let routes = match &transformed.routing {
            Routing::Whole(route) => std::slice::from_ref(route),
            Routing::PerImage { routes, .. } => routes,
        };
        for route in routes {
            // A route that is no path is the fold's to refuse.
            if let Ok(target) = self.manifest.sink.path_written.render(route) {
                self.deciders.entry(target.to_string()).or_default().add(plan);
            }
        }
    }

    fn apply(&mut self, work: EpochWork) -> Result<(), RunError> {
        for changes in &work.epoch.changes {
            self.changes.extend(net_changes(changes));
        }
        self.tables.apply(&work.epoch.changes)?;
        Ok(())
    }

    fn content(self) -> Content {
        let tables = self.tables.iter().filter_map(|(target, table)| {
            let header = table.header();
            let mut content = header_of(header.as_object()?)?;
            content.rows = table.rows().collect();
            Some((target.to_string(), content))
        });
        Content {
            tables: tables.collect::<BTreeMap<_, _>>(),
            rejected: self.rejected,
            changes: self.changes,
            deciders: self.deciders,
        }
    }
}

/// Deleted keys, then written rows, each by key.
fn net_changes(changes: &TargetChanges) -> Vec<Value> {
    let target = changes.target.to_string();
    let types = changes.schema.column_types();
    let ids: Vec<_> =
        changes.schema.id_columns().iter().filter_map(|at| types.get(*at).copied()).collect();
    let counts = changes.gone_counts.iter().flatten().copied().chain(std::iter::repeat(1));
    let gone = rows_of(&changes.gone, &ids).into_iter().zip(counts);
    let gone = gone.flat_map(|(key, count)| {
        let delete = json!({ "target": target, "delete": key });
        std::iter::repeat_n(delete, usize::try_from(count).unwrap_or(usize::MAX))
    });
    let written = rows_of(&changes.rows, types).into_iter();
    gone.chain(written.map(|row| json!({ "target": target, "write": row }))).collect()
}

fn rows_of(batch: &RecordBatch, types: &[ColumnType]) -> Vec<Row> {
    let schema = batch.schema();
    let row = |at: usize| -> Row {
        let columns = schema.fields().iter().zip(batch.columns()).zip(types);
        let cell = |((field, column), t): ((&Arc<Field>, &ArrayRef), &ColumnType)| {
            let value = text::value(column, at, *t == ColumnType::UInt64);
            (field.name().clone(), value.unwrap_or(Value::Null))
        };
        columns.map(cell).collect()
    };
    (0..batch.num_rows()).map(row).collect()
}

fn rejected_row(batch: &Batch, rejected: &Rejected) -> RejectedRow {
    let schema = batch.schema();
    let at = usize::try_from(rejected.image).unwrap_or(usize::MAX);
    let all: Vec<usize> = (0..schema.columns.len()).collect();
    let key = schema.natural_key().unwrap_or(&all);
    RejectedRow {
        table: schema.name.to_string(),
        plugin: rejected.plugin.to_string(),
        code: rejected.code.clone(),
        row: row_text::row(batch, at, key),
        detail: rejected.detail.clone(),
    }
}
