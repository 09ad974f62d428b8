//! Fills in what the log left out of rows: each such value is that of the row's old version, which
//! lies in the table until the epoch is committed.
//!
//! Only the columns that have a gap are read, and of files only the rows that die.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use arrow_select::interleave::interleave;
use arrow_select::take::take_record_batch;
use change::ColumnType;
use futures::StreamExt;
use hashbrown::HashMap;

use crate::changes::{Gaps, TargetChanges};
use crate::error::LakeError;
use crate::table::locate::Found;
use crate::table::{Table, read};

fn wrong(source: ArrowError) -> LakeError {
    LakeError::Arrow { action: "fill in what the log left out", source }
}

/// The old rows that are needed.
struct Old {
    /// The columns that have a gap, of the rows found so far.
    batches: Vec<RecordBatch>,
    /// For each row with a gap its old version: batch and row.
    found: Vec<Option<(usize, usize)>>,
}

impl Table {
    /// The rows of changes, complete.
    pub(crate) async fn complete(
        &self,
        changes: &TargetChanges,
        gaps: &Gaps,
        found: &BTreeMap<String, Found>,
    ) -> Result<RecordBatch, LakeError> {
        let width = changes.rows.num_columns();
        let gapped: Vec<usize> = (0..width).filter(|c| gaps.presence.of(*c).is_some()).collect();
        let old = self.old_rows(changes, gaps, &gapped, found).await?;
        let mut origin = HashMap::new();
        for ((row, found), place) in gaps.rows.iter().zip(&old.found).zip(&gaps.places) {
            let Some(found) = found else {
                let target = self.home.target().clone();
                return Err(gaps.unknown(&changes.rows, *row, place, target).into());
            };
            origin.insert(*row as usize, *found);
        }
        let mut columns = changes.rows.columns().to_vec();
        for (place, column) in gapped.iter().enumerate() {
            let Some(told) = columns.get(*column) else { continue };
            let mut parts: Vec<&dyn Array> = vec![told.as_ref()];
            parts.extend(
                old.batches.iter().filter_map(|b| b.columns().get(place)).map(|c| c.as_ref()),
            );
            let source = |row: usize| match origin.get(&row) {
                Some((batch, old)) if !gaps.presence.has(*column, row) => {
                    (batch.saturating_add(1), *old)
                }
                _ => (0, row),
            };
            let sources: Vec<(usize, usize)> = (0..told.len()).map(source).collect();
            let mut whole: ArrayRef = interleave(&parts, &sources).map_err(wrong)?;
            if changes.schema.column_types().get(*column) == Some(&ColumnType::Json) {
                whole = gaps.patched(*column, told, &whole).map_err(|row| {
                    let schema = changes.rows.schema();
                    let name = schema.fields().get(*column).map_or("", |field| field.name());
                    gaps.misfit(row, name, self.home.target().clone())
                })?;
            }
            if let Some(slot) = columns.get_mut(*column) {
                *slot = whole;
            }
        }
        RecordBatch::try_new(changes.rows.schema(), columns).map_err(wrong)
    }

    /// The old versions of the rows that have a gap.
    async fn old_rows(
        &self,
        changes: &TargetChanges,
        gaps: &Gaps,
        gapped: &[usize],
        found: &BTreeMap<String, Found>,
    ) -> Result<Old, LakeError> {
        let ids = changes.schema.id_arrow();
        let fields = ids.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        let converter = RowConverter::new(fields).map_err(wrong)?;
        let keys = converter.convert_columns(gaps.keys.columns()).map_err(wrong)?;
        let by_key: HashMap<&[u8], usize> = keys.iter().map(|k| k.data()).zip(0_usize..).collect();
        let wanted = changes.rows.schema().project(gapped).map_err(wrong)?;
        let all: SchemaRef =
            Arc::new(Schema::new([ids.fields().to_vec(), wanted.fields().to_vec()].concat()));
        let mut old = Old { batches: Vec::new(), found: vec![None; keys.num_rows()] };
        for (name, found) in found {
            let Some(file) = self.state.files.get(name) else { continue };
            let footers = &self.shared.caches.footers;
            let footer = read::footer(&self.home, footers, name, file.size()).await?;
            let mut stream = read::rows_at(&self.home, name, &footer, &all, &found.dying)?;
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(|e| read::read_error(&self.home, name, e))?;
                let batch = read::align(&batch, &all)?;
                let width = ids.fields().len();
                let rows = batch.columns().get(..width).unwrap_or_default();
                let rows = converter.convert_columns(rows).map_err(wrong)?;
                let mut needed = Vec::new();
                for (row, key) in (0_u32..).zip(rows.iter()) {
                    let Some(number) = by_key.get(key.data()) else { continue };
                    let at = (old.batches.len(), needed.len());
                    if old.found.get_mut(*number).and_then(|slot| slot.replace(at)).is_some() {
                        let reason = "several rows have one key, and the log left out values of it";
                        return Err(self.home.damaged(name, reason));
                    }
                    needed.push(row);
                }
                let gapped: Vec<usize> = (width..batch.num_columns()).collect();
                let values = batch.project(&gapped).map_err(wrong)?;
                let values = take_record_batch(&values, &UInt32Array::from(needed));
                old.batches.push(values.map_err(wrong)?);
            }
        }
        Ok(old)
    }
}
