//! The plugins that a table's batches pass through, in manifest order: loaded once, asked once for
//! each table and schema version, called for a batch only where a plan needs it.

mod digest;
mod routes;
mod run;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use change::{Batch, OutputSchema, TableName, TablePatterns, TableSchema, Transformed};
use serde_json::Value;

use crate::bindings::transform::TableDecision;
use crate::component;
use crate::engine::Engine;
use crate::error::{PluginError, Site};
use crate::instance::Prepared;
use crate::limits::{Isolation, Limits};
use crate::plan::{Broken, Decision, Draft, TablePlan, TableSettings};
use crate::worker::{Attachment, Refusal, Worker};

/// A plugin as the manifest names it, everything resolved.
#[derive(Clone, Debug)]
pub struct PluginSpec {
    /// Its name in the manifest.
    pub name: Arc<str>,
    /// The bytes of its file: a component, or a core module that carries its interface.
    pub component: Vec<u8>,
    /// The SHA-256 that the file must have, in hexadecimal digits.
    pub sha256: Option<String>,
    /// The source tables that it sees.
    pub tables: TablePatterns,
    /// Its configuration, an object.
    pub config: Value,
    /// Files that it gets.
    pub files: Vec<Attachment>,
    /// What it may use up.
    pub limits: Limits,
    /// Whether state may live on between batches.
    pub isolation: Isolation,
}

impl PluginSpec {
    /// A plugin with the default limits that sees no table and has an empty configuration.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, component: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            component,
            sha256: None,
            tables: TablePatterns::default(),
            config: Value::Object(serde_json::Map::new()),
            files: Vec::new(),
            limits: Limits::default(),
            isolation: Isolation::default(),
        }
    }
}

/// What a chain has done so far. A plan that only renames, drops, moves or routes counts nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainCounters {
    /// Calls of `process`.
    pub calls: u64,
    /// Row images in these calls.
    pub images: u64,
    /// Bytes that they were given.
    pub bytes_in: u64,
    /// Bytes that they answered with.
    pub bytes_out: u64,
}

/// A plugin of the chain and the tables that it sees.
struct Link {
    worker: Worker,
    tables: TablePatterns,
}

/// What was decided about one schema version of a table.
struct Known {
    schema: Arc<TableSchema>,
    settings: TableSettings,
    plan: Option<Arc<TablePlan>>,
    table_id: u32,
}

/// The plugins of a pipeline. It computes, so it belongs on a thread of its own.
pub struct Chain {
    links: Vec<Link>,
    digest: String,
    known: BTreeMap<TableName, Vec<Known>>,
    next_table_id: u32,
    counters: ChainCounters,
}

impl Chain {
    /// Loads, checks and configures all plugins. No plugin at all is a chain too: it changes nothing
    /// and costs nothing.
    ///
    /// # Errors
    /// At the first plugin that cannot be loaded; mistakes in configurations are collected over all
    /// plugins.
    pub fn load(engine: &Engine, specs: Vec<PluginSpec>) -> Result<Self, PluginError> {
        let mut loaded = Vec::with_capacity(specs.len());
        for spec in &specs {
            let pin = spec.sha256.as_deref();
            let found = component::load(engine, &spec.name, &spec.component, pin)?;
            loaded.push(Prepared::new(engine, &spec.name, &found, spec.limits));
        }
        let digest = digest::of(&specs, &loaded);
        let (mut links, mut problems) = (Vec::with_capacity(specs.len()), Vec::new());
        for (spec, prepared) in specs.into_iter().zip(loaded) {
            match Worker::new(prepared, spec.config, spec.files, spec.isolation) {
                Ok(worker) => links.push(Link { worker, tables: spec.tables }),
                Err(Refusal::Problems(found)) => problems.extend(found),
                Err(Refusal::Error(error)) => return Err(error),
            }
        }
        if !problems.is_empty() {
            return Err(PluginError::Config(problems));
        }
        let counters = ChainCounters::default();
        Ok(Self { links, digest, known: BTreeMap::new(), next_table_id: 0, counters })
    }

    /// SHA-256, in hexadecimal digits, over everything that an answer of this chain depends on:
    /// components, configurations, files, their order, table patterns, and the limits that decide
    /// what becomes of a row.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What the chain has done so far.
    #[must_use]
    pub fn counters(&self) -> ChainCounters {
        self.counters
    }

    /// What becomes of a table under one schema version; none = a plugin leaves the table out. The
    /// answer is kept, so asking again costs a look-up.
    ///
    /// # Errors
    /// Where a plugin cannot plan, its plan cannot be carried out, or nothing identifies a row.
    pub fn plan(
        &mut self,
        schema: &Arc<TableSchema>,
        settings: &TableSettings,
    ) -> Result<Option<Arc<TablePlan>>, PluginError> {
        let versions = self.known.get(&schema.name).map(Vec::as_slice).unwrap_or_default();
        let is_it = |k: &&Known| {
            (Arc::ptr_eq(&k.schema, schema) || k.schema == *schema) && k.settings == *settings
        };
        if let Some(known) = versions.iter().find(is_it) {
            return Ok(known.plan.clone());
        }
        let table_id = self.next_table_id;
        self.next_table_id = self.next_table_id.wrapping_add(1);
        let plan = self.work_out(table_id, schema, settings)?.map(Arc::new);
        let known = Known {
            schema: Arc::clone(schema),
            settings: settings.clone(),
            plan: plan.clone(),
            table_id,
        };
        self.known.entry(schema.name.clone()).or_default().push(known);
        Ok(plan)
    }

    /// Transforms the images of a batch.
    ///
    /// # Errors
    /// Where a plugin stops in a way that no single image explains, breaks the interface, or fails
    /// by itself; nothing of the batch counts then.
    pub fn transform(
        &mut self,
        plan: &Arc<TablePlan>,
        batch: &Batch,
    ) -> Result<Transformed, PluginError> {
        if !Arc::ptr_eq(&plan.source, batch.schema()) && plan.source != *batch.schema() {
            let (batch, plan) = (batch.schema().name.clone(), plan.source.name.clone());
            return Err(PluginError::WrongPlan { batch, plan });
        }
        run::transform(&mut self.links, &mut self.counters, plan, batch)
    }

    /// No more batches of this schema version will come: the plugins may forget it.
    pub fn release(&mut self, schema: &TableSchema) {
        let Some(versions) = self.known.get_mut(&schema.name) else { return };
        let (gone, kept): (Vec<_>, Vec<_>) =
            std::mem::take(versions).into_iter().partition(|k| *k.schema == *schema);
        *versions = kept;
        for known in gone {
            for link in &mut self.links {
                link.worker.release(known.table_id);
            }
        }
    }

    fn work_out(
        &mut self,
        table_id: u32,
        schema: &Arc<TableSchema>,
        settings: &TableSettings,
    ) -> Result<Option<TablePlan>, PluginError> {
        let mut draft = Draft::new(schema);
        for (index, link) in self.links.iter_mut().enumerate() {
            let name = Arc::clone(&link.worker.prepared.name);
            if !link.tables.matches(&schema.name) {
                draft.decisions.push((name, Decision::NotAsked));
                continue;
            }
            if let Some(ids) = settings.id_columns.as_deref().and_then(|n| draft.shown_ids(n)) {
                draft.view.id_columns = ids;
            }
            draft.show_route();
            let site = Box::new(link.worker.site(&schema.name, None));
            let view = Arc::new(draft.view.clone());
            let decision = match link.worker.plan(table_id, &view) {
                Ok(decision) => decision,
                Err(failure) => return Err(PluginError::Guest { site, failure }),
            };
            let decision = match decision {
                TableDecision::Exclude => return Ok(None),
                TableDecision::Pass => Decision::Passed,
                TableDecision::Apply(answer) => draft
                    .apply(index, answer, settings.id_columns.is_some())
                    .map_err(|broken| refuse(site, broken))?,
            };
            draft.decisions.push((name, decision));
        }
        let (columns, id_columns, key_proof) = draft.identity(settings)?;
        let source = schema.name.clone();
        let output = draft.view.fields.iter().map(|f| f.node).collect();
        Ok(Some(TablePlan {
            id: table_id,
            source: Arc::clone(schema),
            schema: Arc::new(OutputSchema { source, columns, id_columns, key_proof }),
            base_route: Arc::new(draft.view.route),
            nodes: draft.nodes,
            output,
            stages: draft.stages,
            decisions: draft.decisions,
        }))
    }
}

fn refuse(site: Box<Site>, broken: Broken) -> PluginError {
    PluginError::Plan { site, what: broken.what, remedy: broken.remedy }
}
