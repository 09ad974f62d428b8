//! Tables in memory: what the lake would hold, for tests, dry runs and `sluice test`.
//!
//! They take the same changes as Delta tables and are stricter: a change that says of itself that it
//! needs no look-up, although there is an older row, is refused. Nothing here is written anywhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::SchemaRef;
use arrow_select::interleave::interleave;
use change::{ColumnType, TargetPath};
use serde_json::{Map, Value};

use crate::changes::{Gaps, TargetChanges};
use crate::error::{FoldError, LakeError};
use crate::stored::{StoredSchema, stored_type, text, wider};

mod multiset;

/// Tables by target.
#[derive(Debug, Default)]
pub struct MemoryTables {
    tables: BTreeMap<TargetPath, MemoryTable>,
}

impl MemoryTables {
    /// No tables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies one epoch, or a part of it.
    ///
    /// # Errors
    /// Where the changes are not sorted, name a key twice, say of an existing row that it cannot
    /// exist, or bring other id columns or column types than the table has. What came before it in
    /// the list stays applied.
    pub fn apply(&mut self, changes: &[TargetChanges]) -> Result<(), LakeError> {
        for one in changes {
            self.tables
                .entry(one.target.clone())
                .or_insert_with(|| MemoryTable::new(&one.schema))
                .apply(one)?;
        }
        Ok(())
    }

    /// One table.
    #[must_use]
    pub fn get(&self, target: &TargetPath) -> Option<&MemoryTable> {
        self.tables.get(target)
    }

    /// All tables, ordered by target.
    pub fn iter(&self) -> impl Iterator<Item = (&TargetPath, &MemoryTable)> {
        self.tables.iter()
    }
}

/// A table in memory: rows sorted by the id columns; where there is no key, by all columns.
#[derive(Debug)]
pub struct MemoryTable {
    /// In the table's order: those of the first epoch, then what later ones added.
    columns: Vec<(String, ColumnType)>,
    ids: SchemaRef,
    /// Whether rows have no key: what a row is found by then ends with a number of its own.
    whole_row: bool,
    next: u64,
    rows: BTreeMap<Box<[u8]>, (Arc<RecordBatch>, usize)>,
}

impl MemoryTable {
    fn new(schema: &StoredSchema) -> Self {
        Self {
            columns: Vec::new(),
            ids: schema.id_arrow(),
            whole_row: schema.is_whole_row(),
            next: 0,
            rows: BTreeMap::new(),
        }
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The first line of an expected file: `{"columns":{name:type,..},"id-columns":[name,..]}`, with
    /// logical types; the id columns of a table without a key are `"whole-row"`.
    #[must_use]
    pub fn header(&self) -> Value {
        let columns = self.columns.iter().map(|(name, t)| (name.clone(), t.to_string().into()));
        let ids = self.ids.fields().iter().map(|f| Value::from(f.name().as_str()));
        let ids = match self.whole_row {
            true => Value::from("whole-row"),
            false => Value::Array(ids.collect()),
        };
        let parts = [
            ("columns".to_owned(), Value::Object(columns.collect())),
            ("id-columns".to_owned(), ids),
        ];
        Value::Object(Map::from_iter(parts))
    }

    /// The rows in ascending order of their keys, columns in table order, values in the text form of
    /// `docs/reference/types.md`.
    pub fn rows(&self) -> impl Iterator<Item = Map<String, Value>> {
        self.rows.values().map(|(batch, row)| {
            let value = |(name, column_type): &(String, ColumnType)| {
                let integer = *column_type == ColumnType::UInt64;
                let column = batch.column_by_name(name);
                let stored = stored_type(*column_type);
                let value = column.and_then(|c| match *c.data_type() == stored {
                    true => text::value(c, *row, integer),
                    // The column became wider after the row.
                    false => {
                        let wide = arrow_cast::cast(&c.slice(*row, 1), &stored).ok()?;
                        text::value(&wide, 0, integer)
                    }
                });
                // A column that came later than the row.
                (name.clone(), value.unwrap_or(Value::Null))
            };
            self.columns.iter().map(value).collect()
        })
    }

    /// The table as an expected file of `sluice test`: the header, then one row a line.
    #[must_use]
    pub fn to_lines(&self) -> String {
        let mut lines = format!("{}\n", self.header());
        for row in self.rows() {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{}", Value::Object(row));
        }
        lines
    }

    fn apply(&mut self, changes: &TargetChanges) -> Result<(), LakeError> {
        let wrong = |reason| FoldError::Changes { target: changes.target.clone(), reason };
        if changes.schema.is_whole_row() != self.whole_row
            || (!self.whole_row && changes.schema.id_arrow() != self.ids)
        {
            return Err(wrong("the id columns are not those of the table").into());
        }
        if self.whole_row {
            return self.apply_counted(changes);
        }
        self.widen(&changes.schema).map_err(wrong)?;
        let ids = changes.schema.id_columns();
        let keys = changes.rows.project(ids).and_then(|keys| encode(&keys));
        let keys = keys.map_err(|source| arrow(changes, source))?;
        let gone = encode(&changes.gone).map_err(|source| arrow(changes, source))?;
        self.check(&keys, &changes.rows_inserted).map_err(wrong)?;
        self.check(&gone, &changes.gone_inserted).map_err(wrong)?;
        if ids.iter().filter_map(|i| changes.rows.columns().get(*i)).any(|c| c.null_count() > 0) {
            return Err(wrong("an id column is NULL").into());
        }
        let rows = match &changes.gaps {
            None => changes.rows.clone(),
            Some(gaps) => self.complete(changes, gaps)?,
        };
        for key in &gone {
            self.rows.remove(key.data());
        }
        let batch = Arc::new(rows);
        for (row, key) in keys.iter().enumerate() {
            if gone.num_rows() > 0 && contains(&gone, key.data()) {
                return Err(wrong("a key is written and gone at once").into());
            }
            self.rows.insert(key.data().into(), (Arc::clone(&batch), row));
        }
        Ok(())
    }

    /// The rows of changes with what the log left out of them, as it stands in the table.
    fn complete(&self, changes: &TargetChanges, gaps: &Gaps) -> Result<RecordBatch, LakeError> {
        let wrong = |source| arrow(changes, source);
        let keys = encode(&gaps.keys).map_err(wrong)?;
        let mut old: Vec<(usize, &(Arc<RecordBatch>, usize))> = Vec::new();
        for ((row, key), place) in gaps.rows.iter().zip(keys.iter()).zip(&gaps.places) {
            let Some(found) = self.rows.get(key.data()) else {
                let target = changes.target.clone();
                return Err(gaps.unknown(&changes.rows, *row, place, target).into());
            };
            old.push((*row as usize, found));
        }
        let mut columns = changes.rows.columns().to_vec();
        for (index, field) in changes.rows.schema().fields().iter().enumerate() {
            let Some(told) = columns.get(index).filter(|_| gaps.presence.of(index).is_some())
            else {
                continue;
            };
            let mut parts = vec![Arc::clone(told)];
            let mut sources: Vec<(usize, usize)> = (0..told.len()).map(|row| (0, row)).collect();
            for (row, (batch, at)) in &old {
                if gaps.presence.has(index, *row) {
                    continue;
                }
                let value = match batch.column_by_name(field.name()) {
                    Some(column) => arrow_cast::cast(&column.slice(*at, 1), field.data_type()),
                    // A column that came later than the row.
                    None => Ok(new_null_array(field.data_type(), 1)),
                };
                if let Some(source) = sources.get_mut(*row) {
                    *source = (parts.len(), 0);
                }
                parts.push(value.map_err(wrong)?);
            }
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            let mut whole = interleave(&parts, &sources).map_err(wrong)?;
            if changes.schema.column_types().get(index) == Some(&ColumnType::Json) {
                let target = || changes.target.clone();
                let patched = gaps.patched(index, told, &whole);
                whole = patched.map_err(|row| gaps.misfit(row, field.name(), target()))?;
            }
            if let Some(slot) = columns.get_mut(index) {
                *slot = whole;
            }
        }
        let rows = RecordBatch::try_new(changes.rows.schema(), columns);
        rows.map_err(|source| wrong(source).into())
    }

    /// Takes up columns that the table does not have yet.
    fn widen(&mut self, schema: &StoredSchema) -> Result<(), &'static str> {
        for (field, column_type) in schema.arrow().fields().iter().zip(schema.column_types()) {
            match self.columns.iter_mut().find(|(name, _)| name == field.name()) {
                None => self.columns.push((field.name().clone(), *column_type)),
                Some((_, known)) => {
                    let (own, other) = (stored_type(*known), stored_type(*column_type));
                    let wide = wider(&own, &other).filter(|w| *w == own || *w == other);
                    let wide = wide.ok_or("a column has another type than in the table")?;
                    if wide != own {
                        *known = *column_type;
                    }
                }
            }
        }
        Ok(())
    }

    fn check(&self, keys: &Rows, inserted: &BooleanBuffer) -> Result<(), &'static str> {
        if keys.num_rows() != inserted.len() {
            return Err("there are more or fewer flags than keys");
        }
        let mut previous: Option<&[u8]> = None;
        for (key, inserted) in keys.iter().zip(inserted) {
            if previous.is_some_and(|p| p >= key.data()) {
                return Err("the keys are not strictly ascending");
            }
            if inserted && self.rows.contains_key(key.data()) {
                return Err("a row that exists is marked as one that cannot exist");
            }
            previous = Some(key.data());
        }
        Ok(())
    }
}

fn encode(keys: &RecordBatch) -> Result<Rows, arrow_schema::ArrowError> {
    let fields = keys.columns().iter().map(|c| SortField::new(c.data_type().clone()));
    RowConverter::new(fields.collect())?.convert_columns(keys.columns())
}

fn contains(sorted: &Rows, key: &[u8]) -> bool {
    let (mut low, mut high) = (0, sorted.num_rows());
    while low < high {
        let middle = low.midpoint(high);
        if sorted.row(middle).data() < key {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    low < sorted.num_rows() && sorted.row(low).data() == key
}

fn arrow(changes: &TargetChanges, source: arrow_schema::ArrowError) -> FoldError {
    FoldError::Arrow { target: changes.target.clone(), source }
}

#[cfg(test)]
mod tests;
