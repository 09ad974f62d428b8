//! One plugin of a chain: its instance, what it decided about each table, and a fresh instance
//! wherever the last one cannot be trusted any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::bindings::sluice::transform::types::{ColumnParam, Failure};
use crate::bindings::transform::{Attachment as WitAttachment, Edit, TableDecision};
use crate::config;
use crate::error::{Call, ConfigProblem, GuestFailure, PluginError, Site};
use crate::instance::{ConfigureFailure, Instance, Prepared, twice};
use crate::limits::Isolation;
use crate::plan::View;
use crate::transfer::check_code;

/// A file that the manifest hands over to a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name in the manifest.
    pub name: String,
    /// Its content.
    pub data: Vec<u8>,
}

/// What the plugin decided about a table, and what it was asked.
struct Planned {
    view: Arc<View>,
    decision: TableDecision,
}

/// One plugin of a chain.
pub(crate) struct Worker {
    pub(crate) prepared: Prepared,
    config: String,
    files: Vec<Attachment>,
    isolation: Isolation,
    instance: Option<Instance>,
    tables: BTreeMap<u32, Planned>,
    /// Rows of a call that did not end in time are halved; more than these are not tried again.
    pub(crate) rows_in_time: usize,
}

/// A configuration that the plugin does not take.
pub(crate) enum Refusal {
    /// The mistakes.
    Problems(Vec<ConfigProblem>),
    /// It stopped, or broke the interface.
    Error(PluginError),
}

impl Worker {
    /// Checks the configuration and makes the first instance.
    pub(crate) fn new(
        prepared: Prepared,
        config: Value,
        files: Vec<Attachment>,
        isolation: Isolation,
    ) -> Result<Self, Refusal> {
        let config = config::portable(config);
        let info = prepared.describe().map_err(Refusal::Error)?;
        if let Some(schema) = info.config_schema {
            let problems = config::check(&prepared.name, &schema, &config).map_err(|what| {
                let failure = GuestFailure::Answer { call: Call::Describe, what };
                let site = Box::new(prepared.site());
                Refusal::Error(PluginError::Guest { site, failure })
            })?;
            if !problems.is_empty() {
                return Err(Refusal::Problems(problems));
            }
        }
        let mut worker = Self {
            prepared,
            config: config.to_string(),
            files,
            isolation,
            instance: None,
            tables: BTreeMap::new(),
            rows_in_time: usize::MAX,
        };
        worker.first_instance()?;
        Ok(worker)
    }

    fn first_instance(&mut self) -> Result<(), Refusal> {
        let mut configured = self.configured();
        if let Err(ConfigureFailure::Guest(GuestFailure::Deadline { .. })) = &configured {
            configured = self.configured();
        }
        match configured {
            Ok(instance) => {
                self.instance = Some(instance);
                Ok(())
            }
            Err(ConfigureFailure::Guest(failure)) => {
                let site = Box::new(self.prepared.site());
                Err(Refusal::Error(PluginError::Guest { site, failure }))
            }
            Err(ConfigureFailure::Problems(error)) => {
                let problem = |p: crate::bindings::transform::Problem| ConfigProblem {
                    plugin: Arc::clone(&self.prepared.name),
                    path: p.path,
                    message: p.message,
                };
                Err(Refusal::Problems(error.problems.into_iter().map(problem).collect()))
            }
        }
    }

    fn configured(&self) -> Result<Instance, ConfigureFailure> {
        let files: Vec<_> =
            self.files.iter().map(|f| WitAttachment { name: &f.name, data: &f.data }).collect();
        let mut instance = self.prepared.instantiate().map_err(ConfigureFailure::Guest)?;
        instance.configure(&self.config, &files)?;
        Ok(instance)
    }

    /// The instance, a fresh one where there is none.
    fn instance(&mut self) -> Result<&mut Instance, GuestFailure> {
        let instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.configured().map_err(|failure| match failure {
                ConfigureFailure::Guest(failure) => failure,
                ConfigureFailure::Problems(_) => {
                    let what = "it refuses in a fresh instance what it took before".to_owned();
                    GuestFailure::Answer { call: Call::Configure, what }
                }
            })?,
        };
        Ok(self.instance.insert(instance))
    }

    /// Runs something in the instance, which is gone afterwards if it did not return.
    fn enter<T>(
        &mut self,
        run: impl FnOnce(&mut Instance) -> Result<T, GuestFailure>,
    ) -> Result<T, GuestFailure> {
        let result = run(self.instance()?);
        if result.is_err() {
            self.instance = None;
        }
        result
    }

    /// Asks for the plan of a table.
    pub(crate) fn plan(
        &mut self,
        table_id: u32,
        view: &Arc<View>,
    ) -> Result<TableDecision, GuestFailure> {
        let decision = twice(|| self.enter(|instance| ask(instance, table_id, view)))?;
        let planned = Planned { view: Arc::clone(view), decision: decision.clone() };
        self.tables.insert(table_id, planned);
        Ok(decision)
    }

    /// Forgets a table. A plugin that stops here gets a fresh instance and has forgotten it too.
    pub(crate) fn release(&mut self, table_id: u32) {
        if self.tables.remove(&table_id).is_none() {
            return;
        }
        if let Some(instance) = &mut self.instance
            && instance.planned.contains(&table_id)
            && let Err(failure) = instance.release(table_id)
        {
            tracing::warn!(plugin = %self.prepared.name, %failure, "plugin starts afresh");
            self.instance = None;
        }
    }

    /// Whether what comes next runs in an instance that has seen no rows.
    pub(crate) fn is_fresh(&self) -> bool {
        self.isolation == Isolation::Batch
            || self.instance.as_ref().is_none_or(|i| !i.has_processed)
    }

    /// Calls `process` once; a single row that the wall clock stopped, once more.
    pub(crate) fn process(
        &mut self,
        table_id: u32,
        rows: u32,
        columns: &[ColumnParam<'_>],
    ) -> Result<Edit, GuestFailure> {
        let mut call = || {
            if self.isolation == Isolation::Batch && !self.has_fresh_instance() {
                self.instance = None;
            }
            twice(|| self.replan(table_id))?;
            self.enter(|instance| instance.process(table_id, rows, columns))
        };
        let answer = if rows == 1 { twice(call)? } else { call()? };
        answer.map_err(|failure| failed(Call::Process, failure))
    }

    fn has_fresh_instance(&self) -> bool {
        self.instance.as_ref().is_some_and(|i| !i.has_processed)
    }

    /// A fresh instance has to plan the table again, and to the same end.
    fn replan(&mut self, table_id: u32) -> Result<(), GuestFailure> {
        if self.instance()?.planned.contains(&table_id) {
            return Ok(());
        }
        let Some(planned) = self.tables.get(&table_id) else {
            return Err(GuestFailure::PlanChanged);
        };
        let (view, wanted) = (Arc::clone(&planned.view), planned.decision.clone());
        match self.enter(|instance| ask(instance, table_id, &view)) {
            Ok(decision) if decision == wanted => Ok(()),
            Ok(_) | Err(GuestFailure::Failed { .. }) => {
                self.instance = None;
                Err(GuestFailure::PlanChanged)
            }
            Err(other) => Err(other),
        }
    }

    /// Where an error of this plugin lies.
    pub(crate) fn site(&self, table: &change::TableName, position: Option<String>) -> Site {
        Site { table: Some(table.clone()), position, ..self.prepared.site() }
    }
}

fn ask(instance: &mut Instance, table_id: u32, view: &View) -> Result<TableDecision, GuestFailure> {
    let answer = view.ask(|table| instance.plan(table_id, table))?;
    let decision = answer.map_err(|failure| failed(Call::Plan, failure))?;
    instance.planned.insert(table_id);
    Ok(decision)
}

/// A failure that the plugin reported; its code is only shown where it is one.
fn failed(call: Call, failure: Failure) -> GuestFailure {
    match check_code(&failure.code) {
        Ok(()) => GuestFailure::Failed { call, code: failure.code, detail: failure.detail },
        Err(what) => GuestFailure::Answer { call, what },
    }
}
