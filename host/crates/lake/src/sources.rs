//! How the source tables of one target are told apart: by an id column that is constant in each of
//! them and differs between them.
//!
//! Guarantee. Of all rows that were folded since this state began, no two of different source tables
//! share a key; the first row that would break it is refused before anything of its epoch is
//! written. The state begins with the target where the table carries it in its commits and hands it
//! back (`FoldOptions::sources`). Where it does not, the state begins at the start of the process:
//! rows written before are not known to it, so a table that was quiet since then may collide unseen.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_ord::ord::{DynComparator, make_comparator};
use arrow_schema::{SchemaRef, SortOptions};
use change::{TableName, TargetPath};
use serde::{Deserialize, Serialize};

use crate::error::{FoldError, LakeError};
use crate::stored::{StoredSchema, text};

/// What is known of the id columns of every source table of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceKeys {
    /// The names of the id columns, in key order.
    pub id_columns: Vec<String>,
    /// Whether the target has no key and its rows are counted: the id columns are all columns then,
    /// and the tables need not be told apart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole_row: bool,
    /// Whether the target has rows of source tables that are not among these: the record of them was
    /// lost once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// The source tables, in the order in which they reached the target.
    pub tables: Vec<SourceKey>,
}

/// What one source table has written into the id columns so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceKey {
    /// The source table.
    pub table: TableName,
    /// One for each id column: the only value so far, as JSON text (`docs/reference/types.md`); none
    /// where there were several. Empty before the first row.
    pub constants: Vec<Option<String>>,
}

impl SourceKeys {
    /// The state of a new target.
    pub(crate) fn of(schema: &StoredSchema) -> Self {
        let id_columns = schema.id_names().map(str::to_owned).collect();
        let whole_row = schema.is_whole_row();
        Self { id_columns, whole_row, incomplete: false, tables: Vec::new() }
    }

    /// The state of a target whose rows are those of a renamed table: none of its id columns counts as
    /// constant.
    pub(crate) fn of_renamed(schema: &StoredSchema, table: TableName) -> Self {
        let mut keys = Self::of(schema);
        let constants = vec![None; if keys.whole_row { 0 } else { keys.id_columns.len() }];
        keys.tables.push(SourceKey { table, constants });
        keys
    }

    /// A table has another name.
    pub(crate) fn rename(&mut self, from: &TableName, to: &TableName) {
        for known in self.tables.iter_mut().filter(|known| known.table == *from) {
            known.table.clone_from(to);
        }
    }

    /// Constants of numbers in the one form that they have, whatever their columns were when they were
    /// remembered.
    pub(crate) fn settle(&mut self, columns: &SchemaRef) {
        for (at, name) in self.id_columns.iter().enumerate() {
            let is_number = columns.field_with_name(name).is_ok_and(|field| {
                field.data_type().is_integer() || field.data_type().is_decimal()
            });
            let known = self.tables.iter_mut().filter_map(|table| table.constants.get_mut(at));
            for constant in known.flatten().filter(|_| is_number) {
                if let Ok(value) = serde_json::from_str(constant) {
                    *constant = text::number_constant(value).to_string();
                }
            }
        }
    }

    /// A batch of a source table begins; `ids` are its id columns in the order of the target's schema.
    pub(crate) fn enter(
        &mut self,
        target: &TargetPath,
        schema: &StoredSchema,
        table: &TableName,
        ids: Vec<ArrayRef>,
    ) -> Result<Watch, LakeError> {
        if self.whole_row && schema.is_whole_row() {
            let new = schema.id_names().filter(|n| !self.id_columns.iter().any(|k| k == n));
            let new: Vec<String> = new.map(str::to_owned).collect();
            self.id_columns.extend(new);
        }
        let order = self.order(schema).ok_or_else(|| FoldError::IdColumnsChanged {
            target: target.clone(),
            table: table.clone(),
            known: listed(self.whole_row, self.id_columns.iter().map(String::as_str)),
            found: listed(schema.is_whole_row(), schema.id_names()),
        })?;
        let known = self.tables.iter().position(|k| k.table == *table);
        let source = known.unwrap_or(self.tables.len());
        if known.is_none() {
            self.tables.push(SourceKey { table: table.clone(), constants: Vec::new() });
        }
        if self.whole_row {
            return Ok(Watch { source, first: None, columns: Vec::new() });
        }
        let constants = self.tables.get(source).map_or(&[][..], |k| &k.constants);
        let mut watched = Vec::new();
        for (id, column) in order.into_iter().zip(ids) {
            // A column that varies varies for ever.
            if !matches!(constants.get(id), Some(None)) {
                let compare = make_comparator(&column, &column, SortOptions::default());
                let compare = compare
                    .map_err(|source| FoldError::Arrow { target: target.clone(), source })?;
                watched.push(Watched { id, column, compare });
            }
        }
        Ok(Watch { source, first: None, columns: watched })
    }

    /// For each id column of the schema its index here; none where they are not the same ones.
    fn order(&self, schema: &StoredSchema) -> Option<Vec<usize>> {
        if self.whole_row || schema.is_whole_row() {
            // A table may lack columns that the target has.
            return (self.whole_row && schema.is_whole_row()).then(Vec::new);
        }
        let order: Option<Vec<usize>> =
            schema.id_names().map(|n| self.id_columns.iter().position(|k| k == n)).collect();
        order.filter(|o| o.len() == self.id_columns.len())
    }

    /// Whether an id column tells this table from every other one.
    fn check_apart(&self, target: &TargetPath, source: usize) -> Result<(), LakeError> {
        let Some(own) = self.tables.get(source) else { return Ok(()) };
        let apart = |other: &SourceKey| {
            other.constants.is_empty()
                || own
                    .constants
                    .iter()
                    .zip(&other.constants)
                    .any(|pair| matches!(pair, (Some(a), Some(b)) if a != b))
        };
        let clash = |(at, other): &(usize, &SourceKey)| *at != source && !apart(other);
        match self.tables.iter().enumerate().find(clash) {
            None => Ok(()),
            Some((at, other)) => {
                let (first, second) = if at < source { (other, own) } else { (own, other) };
                Err(LakeError::from(FoldError::SharedTarget {
                    target: target.clone(),
                    first: first.table.clone(),
                    second: second.table.clone(),
                }))
            }
        }
    }
}

/// The id columns of a batch that may still be constant in its table.
pub(crate) struct Watch {
    source: usize,
    /// The first row seen; the others are compared with it.
    first: Option<usize>,
    columns: Vec<Watched>,
}

struct Watched {
    /// Index into [`SourceKeys::id_columns`].
    id: usize,
    column: ArrayRef,
    compare: DynComparator,
}

impl Watch {
    /// Whether no column can be constant any more.
    pub(crate) fn is_done(&self) -> bool {
        self.columns.is_empty()
    }

    /// Looks at a row whose id columns are not NULL.
    pub(crate) fn see(
        &mut self,
        target: &TargetPath,
        keys: &mut Arc<SourceKeys>,
        row: usize,
    ) -> Result<(), LakeError> {
        let Some(first) = self.first else {
            self.first = Some(row);
            return self.see_first(target, keys, row);
        };
        let before = self.columns.len();
        let mut vary = Vec::new();
        self.columns.retain(|c| {
            let same = (c.compare)(first, row) == Ordering::Equal;
            if !same {
                vary.push(c.id);
            }
            same
        });
        if self.columns.len() == before {
            return Ok(());
        }
        let keys = Arc::make_mut(keys);
        if let Some(own) = keys.tables.get_mut(self.source) {
            for id in vary {
                if let Some(constant) = own.constants.get_mut(id) {
                    *constant = None;
                }
            }
        }
        keys.check_apart(target, self.source)
    }

    fn see_first(
        &mut self,
        target: &TargetPath,
        keys: &mut Arc<SourceKeys>,
        row: usize,
    ) -> Result<(), LakeError> {
        let width = keys.id_columns.len();
        let known = keys.tables.get(self.source).map_or(&[][..], |k| &k.constants);
        let mut constants = known.to_vec();
        if constants.is_empty() {
            constants.resize(width, None);
            for watched in &self.columns {
                if let Some(slot) = constants.get_mut(watched.id) {
                    *slot = constant(&watched.column, row);
                }
            }
        } else {
            self.columns.retain(|c| {
                let now = constant(&c.column, row);
                let Some(slot) = constants.get_mut(c.id) else { return false };
                if *slot != now {
                    *slot = None;
                }
                slot.is_some()
            });
        }
        if known == constants {
            return Ok(());
        }
        let keys = Arc::make_mut(keys);
        if let Some(own) = keys.tables.get_mut(self.source) {
            own.constants = constants;
        }
        keys.check_apart(target, self.source)
    }
}

/// The id columns for an error.
fn listed<'a>(whole_row: bool, names: impl Iterator<Item = &'a str>) -> String {
    if whole_row { "the whole row".to_owned() } else { names.collect::<Vec<_>>().join(", ") }
}

fn constant(column: &ArrayRef, row: usize) -> Option<String> {
    text::constant(column, row).map(|v| v.to_string())
}
