//! One slice through the chain of plugins.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use change::{
    Batch, Definitions, KeyProof, LoadState, LogSlice, OutputSchema, Position, SchemaChange,
    TableName, Transformed,
};
use plugin::{Chain, TableSettings, WithoutKey};

use super::dead_letter::DeadLetter;
use super::error::RunError;
use crate::manifest::{self, Manifest, OnRowError, TableRule};

/// A slice as it left the chain.
pub struct TransformedSlice {
    /// What the chain made of each batch; batches of excluded tables are gone.
    pub batches: Vec<Transformed>,
    /// Rows that are set aside.
    pub dead_letters: Vec<DeadLetter>,
    /// See [`LogSlice::schema_change`].
    pub schema_change: Option<SchemaChange>,
    /// See [`LogSlice::end`].
    pub end: Position,
    /// See [`LogSlice::resume`].
    pub resume: Option<Position>,
    /// See [`LogSlice::is_partial`].
    pub is_partial: bool,
    /// See [`LogSlice::definitions`].
    pub definitions: Option<Definitions>,
    /// See [`LogSlice::load`].
    pub load: Option<Arc<LoadState>>,
    /// Source tables that had rows for a target.
    pub sources: Vec<TableName>,
}

/// The chain and what the manifest says about tables and rejected rows.
pub struct TransformStep {
    chain: Chain,
    rules: Vec<TableRule>,
    on_row_error: HashMap<String, OnRowError>,
    /// Tables that the chain left out when their rows came last.
    excluded: HashSet<TableName>,
}

impl TransformStep {
    /// A step for a manifest's chain.
    #[must_use]
    pub fn new(chain: Chain, manifest: &Manifest) -> Self {
        let policies = manifest.plugins.iter().map(|p| (p.name.clone(), p.on_row_error));
        Self::of(chain, manifest.tables.clone(), policies.collect())
    }

    /// A step with its own rules and policies; a plugin without a policy stops.
    pub(super) fn of(
        chain: Chain,
        rules: Vec<TableRule>,
        on_row_error: HashMap<String, OnRowError>,
    ) -> Self {
        Self { chain, rules, on_row_error, excluded: HashSet::new() }
    }

    /// Passes every batch of a slice through the chain.
    ///
    /// # Errors
    /// Where a plugin cannot go on, or rejects a row whose policy is to stop.
    pub fn apply(&mut self, slice: LogSlice) -> Result<TransformedSlice, RunError> {
        let mut batches = Vec::with_capacity(slice.batches.len());
        let mut dead_letters = Vec::new();
        let mut sources = Vec::new();
        for batch in &slice.batches {
            let name = &batch.schema().name;
            let settings = settings_of(&self.rules, name);
            // What is left out of every target cannot be made wrong there by a statement.
            let Some(plan) = self.chain.plan(batch.schema(), &settings)? else {
                self.excluded.insert(name.clone());
                continue;
            };
            if !sources.contains(name) {
                self.excluded.remove(name);
                sources.push(name.clone());
            }
            let mut transformed = self.chain.transform(&plan, batch)?;
            if slice.load.is_some() && transformed.schema.key_proof == KeyProof::Source {
                // A row that is loaded may be there already, which one that the log inserts is not.
                let schema = OutputSchema::clone(&transformed.schema);
                let key_proof = KeyProof::Trusted;
                transformed.schema = Arc::new(OutputSchema { key_proof, ..schema });
            }
            self.set_aside(batch, &transformed, &mut dead_letters)?;
            batches.push(transformed);
        }
        let LogSlice { mut schema_change, end, resume, is_partial, definitions, load, .. } = slice;
        if let Some(change) = &mut schema_change {
            change.receives.retain(|table| !self.excluded.contains(table));
        }
        Ok(TransformedSlice {
            batches,
            dead_letters,
            schema_change,
            end,
            resume,
            is_partial,
            definitions,
            load,
            sources,
        })
    }

    fn set_aside(
        &self,
        batch: &Batch,
        transformed: &Transformed,
        dead_letters: &mut Vec<DeadLetter>,
    ) -> Result<(), RunError> {
        for rejected in &transformed.rejected {
            let letter = DeadLetter::of(batch, rejected)?;
            match self.on_row_error.get(&*rejected.plugin) {
                Some(OnRowError::DeadLetter) => dead_letters.push(letter),
                Some(OnRowError::Stop) | None => return Err(RunError::Rejected(letter.summary())),
            }
        }
        Ok(())
    }
}

/// What the manifest says about a table: the first `[[table]]` that matches it decides.
#[must_use]
pub fn settings_of(rules: &[TableRule], name: &TableName) -> TableSettings {
    let rule = rules.iter().find(|rule| rule.tables.matches(name));
    TableSettings {
        id_columns: rule.and_then(|rule| rule.id_columns.clone()),
        trust_ids: rule.is_some_and(|rule| rule.trust_ids),
        without_key: match rule.map(|rule| rule.without_key) {
            Some(manifest::WithoutKey::WholeRow) => WithoutKey::WholeRow,
            Some(manifest::WithoutKey::Stop) | None => WithoutKey::Stop,
        },
    }
}
