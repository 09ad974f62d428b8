//! Tables in memory without a key: equal rows are counted, and a deleted row takes one of them along.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use hashbrown::HashMap;

use super::{MemoryTable, arrow, encode};
use crate::changes::TargetChanges;
use crate::error::{FoldError, LakeError};
use crate::stored::stored_type;

impl MemoryTable {
    /// Applies changes whose rows are counted.
    pub(super) fn apply_counted(&mut self, changes: &TargetChanges) -> Result<(), LakeError> {
        let dishonest = |reason| FoldError::Changes { target: changes.target.clone(), reason };
        let wrong = |source| arrow(changes, source);
        let counts = changes.gone_counts.as_deref().unwrap_or_default();
        if counts.len() != changes.gone.num_rows() || counts.contains(&0) {
            return Err(dishonest("the rows that are gone are not counted").into());
        }
        if changes.gaps.is_some() {
            return Err(dishonest("a row that is known in part has no key").into());
        }
        let width = self.columns.len();
        self.widen(&changes.schema).map_err(dishonest)?;
        let schema = self.whole_schema();
        if self.columns.len() > width {
            for (_, (batch, row)) in std::mem::take(&mut self.rows) {
                let batch = aligned(&batch.slice(row, 1), &schema).map_err(wrong)?;
                self.add(&Arc::new(batch)).map_err(wrong)?;
            }
        }
        self.take_away(&changes.gone, counts, &schema).map_err(wrong)?;
        let rows = Arc::new(aligned(&changes.rows, &schema).map_err(wrong)?);
        self.add(&rows).map_err(wrong)?;
        Ok(())
    }

    /// All columns of the table, stored.
    fn whole_schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|(name, t)| Field::new(name, stored_type(*t), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Adds every row of a batch that has the table's columns. Equal rows lie side by side.
    fn add(&mut self, batch: &Arc<RecordBatch>) -> Result<(), ArrowError> {
        let keys = encode(batch)?;
        for (row, key) in keys.iter().enumerate() {
            let mut key = key.data().to_vec();
            key.extend_from_slice(&self.next.to_be_bytes());
            self.next = self.next.saturating_add(1);
            self.rows.insert(key.into(), (Arc::clone(batch), row));
        }
        Ok(())
    }

    /// Takes rows away, as many as there are. As in a table on disk, rows with nothing in the columns
    /// that are not compared go first.
    fn take_away(
        &mut self,
        gone: &RecordBatch,
        counts: &[u32],
        schema: &SchemaRef,
    ) -> Result<(), ArrowError> {
        if gone.num_rows() == 0 {
            return Ok(());
        }
        let fields = gone.columns().iter().map(|c| SortField::new(c.data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let keys = converter.convert_columns(gone.columns())?;
        let mut left: HashMap<&[u8], u32> =
            keys.iter().map(|k| k.data()).zip(counts.iter().copied()).collect();
        let compared: Vec<usize> = gone
            .schema()
            .fields()
            .iter()
            .map(|f| schema.index_of(f.name()))
            .collect::<Result<_, _>>()?;
        for own in [true, false] {
            let rows = std::mem::take(&mut self.rows);
            let mut kept = BTreeMap::new();
            for (key, (batch, row)) in rows {
                let line = batch.slice(row, 1);
                let columns = line.project(&compared)?;
                let values = converter.convert_columns(columns.columns())?;
                let others = line.columns().iter().enumerate();
                let is_own = others
                    .filter(|(c, _)| !compared.contains(c))
                    .all(|(_, column)| column.is_null(0));
                let count = values.iter().next().and_then(|value| left.get_mut(value.data()));
                match count.filter(|count| **count > 0 && is_own == own) {
                    Some(count) => *count = count.saturating_sub(1),
                    None => drop(kept.insert(key, (batch, row))),
                }
            }
            self.rows = kept;
        }
        Ok(())
    }
}

/// A batch with these columns; what it does not have is NULL.
fn aligned(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| -> ArrayRef {
        let known = batch.column_by_name(field.name()).cloned();
        known.unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
    };
    let columns = schema.fields().iter().map(column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}
