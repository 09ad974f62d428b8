//! One plugin instance: its configuration and its tables. The same code runs behind the component's
//! exports and in unit tests.

use std::collections::BTreeMap;

use crate::batch::Batch;
use crate::column::ColumnBuffers;
use crate::config;
use crate::edit::Edit;
use crate::failure::{ConfigError, Failure};
use crate::plan::{ColumnSource, Decision, Plan};
use crate::schema::{DataType, TableSchema};
use crate::{Attachment, Limits, Transform};

/// A plugin between `configure` and its end.
#[derive(Debug)]
pub struct Instance<P: Transform> {
    plugin: Option<P>,
    tables: BTreeMap<u32, Planned<P::Table>>,
}

#[derive(Debug)]
struct Planned<T> {
    table: T,
    reads: Vec<DataType>,
    /// By slot.
    computed: Vec<DataType>,
}

impl<P: Transform> Default for Instance<P> {
    fn default() -> Self {
        Self { plugin: None, tables: BTreeMap::new() }
    }
}

impl<P: Transform> Instance<P> {
    /// Reads the configuration and makes the plugin.
    ///
    /// # Errors
    /// The mistakes of the configuration.
    pub fn configure(
        &mut self,
        config: &str,
        attachments: &[Attachment],
        limits: Limits,
    ) -> Result<(), ConfigError> {
        self.tables.clear();
        self.plugin = None;
        self.plugin = Some(P::configure(config::parse(config)?, attachments, limits)?);
        Ok(())
    }

    /// Asks the plugin what it does with a table, and keeps what it needs for that.
    ///
    /// # Errors
    /// The plugin's own, or `not-configured`.
    pub fn plan(&mut self, table_id: u32, table: &TableSchema) -> Result<Decision<()>, Failure> {
        let decision = self.plugin()?.plan(table)?;
        Ok(match decision {
            Decision::Exclude => Decision::Exclude,
            Decision::Pass => Decision::Pass,
            Decision::Apply(plan, table) => {
                let reads = plan.read_types.clone();
                let computed = computed_types(&plan);
                self.tables.insert(table_id, Planned { table, reads, computed });
                Decision::Apply(plan, ())
            }
        })
    }

    /// Has the plugin edit a batch.
    ///
    /// # Errors
    /// The plugin's own; `not-configured`, `not-planned`; `edit` where the answer does not fit the
    /// batch or the plan.
    pub fn process(
        &self,
        table_id: u32,
        rows: usize,
        columns: &[ColumnBuffers],
    ) -> Result<Edit, Failure> {
        let planned = self.tables.get(&table_id).ok_or_else(|| {
            Failure::new("not-planned", format!("table id {table_id} has no plan"))
        })?;
        let batch = Batch::new(rows, columns, &planned.reads)?;
        let edit = self.plugin()?.process(&planned.table, &batch)?;
        check(&edit, rows, &planned.computed)?;
        Ok(edit)
    }

    /// Forgets a table's plan.
    pub fn release(&mut self, table_id: u32) {
        self.tables.remove(&table_id);
    }

    fn plugin(&self) -> Result<&P, Failure> {
        let missing = || Failure::new("not-configured", "the plugin was not configured");
        self.plugin.as_ref().ok_or_else(missing)
    }
}

fn computed_types(plan: &Plan) -> Vec<DataType> {
    let mut slots: Vec<(u32, DataType)> = plan
        .output
        .iter()
        .flatten()
        .filter_map(|column| match column.source {
            ColumnSource::Computed { slot, data_type, .. } => Some((slot, data_type)),
            _ => None,
        })
        .collect();
    slots.sort_unstable_by_key(|(slot, _)| *slot);
    slots.into_iter().map(|(_, data_type)| data_type).collect()
}

/// The host checks everything again; here the author is told in the plugin's own words.
fn check(edit: &Edit, rows: usize, computed: &[DataType]) -> Result<(), Failure> {
    let wrong = |detail: String| Err(Failure::new("edit", detail));
    if let Some(keep) = edit.keep.as_ref().filter(|k| k.rows() != rows) {
        return wrong(format!("keep has {} rows, the batch {rows}", keep.rows()));
    }
    if edit.computed.len() != computed.len() {
        let (given, planned) = (edit.computed.len(), computed.len());
        return wrong(format!("the plan computes {planned} columns, the edit has {given}"));
    }
    for (slot, (column, planned)) in edit.computed.iter().zip(computed).enumerate() {
        let (given, length) = (column.data_type, column.rows);
        if given != *planned || length != rows {
            return wrong(format!(
                "computed column {slot} is {given} with {length} rows, planned is {planned} with {rows}"
            ));
        }
    }
    match edit.routes.as_ref().map(|routes| routes.rows.len()).filter(|n| *n != rows) {
        Some(routed) => wrong(format!("{routed} rows are routed, the batch has {rows}")),
        None => Ok(()),
    }
}
