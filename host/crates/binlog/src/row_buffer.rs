//! Row images of one table that are being collected, as the columns that they will be.
//!
//! Images go in at the end (`rows.rs`), can be cut back (ROLLBACK leaves nothing) and come out in front
//! as Arrow arrays, without a copy where all of them are taken. It knows nothing of transactions.

mod array;
mod column;
mod default;
mod validity;

use std::sync::Arc;

use arrow_array::ArrayRef;
use change::{ImageKind, Presence, TableSchema};

use crate::decode_error::DecodeError;
use crate::table_map::TableMap;
pub(crate) use column::{ColumnBuffer, read_length};
pub(crate) use default::DefaultValue;

/// Images that were taken out.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) kinds: Vec<ImageKind>,
    pub(crate) presence: Presence,
}

/// Columns being built for one table under one schema.
#[derive(Debug)]
pub(crate) struct RowBuffer {
    schema: Arc<TableSchema>,
    /// The table map that `columns` read by.
    map: u64,
    columns: Vec<ColumnBuffer>,
    /// One for each image; its length is the number of images.
    kinds: Vec<ImageKind>,
}

impl RowBuffer {
    pub(crate) fn new(map: &TableMap) -> Self {
        let columns = map.schema.columns.iter().zip(&map.cells);
        Self {
            schema: Arc::clone(&map.schema),
            map: map.id,
            columns: columns.map(|(c, cell)| ColumnBuffer::new(c, cell.clone())).collect(),
            kinds: Vec::new(),
        }
    }

    /// The number of images.
    pub(crate) fn images(&self) -> usize {
        self.kinds.len()
    }

    /// How many dates that no calendar has became NULL since this was last asked.
    pub(crate) fn take_zero_dates(&mut self) -> u64 {
        self.columns.iter_mut().map(ColumnBuffer::take_zero_dates).sum()
    }

    /// Forgets all images from `images` on.
    pub(crate) fn truncate(&mut self, images: usize) {
        self.kinds.truncate(images);
        let images = self.kinds.len();
        for column in &mut self.columns {
            column.truncate(images);
        }
    }

    /// Takes the first `images` out as Arrow arrays of the schema's types; the rest stays.
    ///
    /// # Errors
    /// Where text is not valid in its character set: whole columns are checked here, at once.
    pub(crate) fn take(&mut self, images: usize) -> Result<Taken, DecodeError> {
        let images = images.min(self.kinds.len());
        let rest = self.kinds.split_off(images);
        let kinds = std::mem::replace(&mut self.kinds, rest);
        let told = self.columns.iter_mut().map(|buffer| buffer.take_told(images)).collect();
        let columns = self.columns.iter_mut().zip(&self.schema.columns);
        let columns = columns.map(|(buffer, column)| buffer.take(images, column));
        let columns = columns.collect::<Result<_, _>>()?;
        Ok(Taken { columns, kinds, presence: Presence::new(told) })
    }

    /// Bytes that the images take; a NULL takes what a value of its type takes.
    pub(crate) fn bytes(&self) -> usize {
        self.columns.iter().map(ColumnBuffer::bytes).sum::<usize>().saturating_add(self.kinds.len())
    }

    /// Makes sure that the columns read as `map` says, which may be another one of the same schema
    /// (a VARCHAR may have grown). Called before the images of an event are read.
    pub(crate) fn adopt(&mut self, map: &TableMap) -> Result<(), DecodeError> {
        if self.map != map.id {
            if !Arc::ptr_eq(&self.schema, &map.schema) && self.schema != map.schema {
                return Err(DecodeError::Mismatch("another schema than the buffer's"));
            }
            for (column, cell) in self.columns.iter_mut().zip(&map.cells) {
                column.set_cell(cell.clone());
            }
            self.map = map.id;
        }
        if self.kinds.is_empty() {
            for column in &mut self.columns {
                column.reserve();
            }
        }
        Ok(())
    }

    /// The columns, to read one image after the other into.
    pub(crate) fn columns_mut(&mut self) -> &mut [ColumnBuffer] {
        &mut self.columns
    }

    /// Says what the images are that all columns have got since the last call: `rows` times `kinds`.
    pub(crate) fn push_kinds(&mut self, kinds: &[ImageKind], rows: usize) {
        if let [kind] = kinds {
            self.kinds.resize(self.kinds.len().saturating_add(rows), *kind);
        } else {
            (0..rows).for_each(|_| self.kinds.extend_from_slice(kinds));
        }
    }
}

#[cfg(test)]
mod tests;
