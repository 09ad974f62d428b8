//! Rows of which the log told a part: where each of their values comes from.
//!
//! An update that leaves a value out leaves it as it was in the row that it changes. That row may have
//! come about in the same epoch, itself told in part, or lie in the target, under the same key or the
//! one that the row had before. Nothing here is asked for while every image is told in full.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::interleave::interleave;
use change::{ColumnType, Presence, json_patch};
use hashbrown::HashMap;

use super::gather::Held;
use super::target::Entry;
use crate::changes::{Gaps, LeftOut};
use crate::patch;
use crate::stored::StoredSchema;

/// An image by its batch and its row there.
type Slot = (usize, usize);

/// What a row was before an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Below {
    /// An image of the epoch that is known in full: batch and row.
    Row(u32, u32),
    /// An image that is known in part.
    Patch(u32),
    /// The row that lies in the target under the key of this image: batch and row.
    Target(u32, u32),
}

/// An image that is known in part, over what the row was before.
#[derive(Clone, Copy, Debug)]
struct Patch {
    batch: u32,
    row: u32,
    below: Below,
    place: u32,
}

/// The images of an epoch that are known in part.
#[derive(Debug, Default)]
pub(super) struct Partial {
    patches: Vec<Patch>,
    by_image: HashMap<(u32, u32), u32>,
    places: Vec<Arc<LeftOut>>,
}

impl Partial {
    pub(super) fn is_empty(&self) -> bool {
        self.patches.is_empty()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let patches = self.patches.capacity().saturating_mul(size_of::<Patch>());
        patches.saturating_add(self.by_image.allocation_size())
    }

    /// The number of an image that is known in part.
    pub(super) fn number_of(&self, batch: u32, row: u32) -> Option<u32> {
        self.by_image.get(&(batch, row)).copied()
    }

    /// Lays an image over what its row was; none where there are too many.
    pub(super) fn lay(&mut self, batch: u32, row: u32, below: Below, place: LeftOut) -> Option<()> {
        if self.places.last().is_none_or(|last| **last != place) {
            self.places.push(Arc::new(place));
        }
        let number = u32::try_from(self.patches.len()).ok()?;
        let place = u32::try_from(self.places.len().saturating_sub(1)).ok()?;
        self.patches.push(Patch { batch, row, below, place });
        self.by_image.insert((batch, row), number);
        Some(())
    }

    fn patch_of(&self, entry: Entry) -> Option<&Patch> {
        let image = (u32::try_from(entry.batch()).ok()?, u32::try_from(entry.row()).ok()?);
        self.patches.get(*self.by_image.get(&image)? as usize)
    }

    /// The images of an entry's row from the newest on, and what lies below them.
    fn images(&self, entry: Entry) -> (Vec<Slot>, Option<Slot>) {
        let at = |batch: u32, row: u32| (batch as usize, row as usize);
        let mut images = Vec::new();
        let mut next = if entry.is_partial() { self.patch_of(entry) } else { None };
        if next.is_none() {
            images.push((entry.batch(), entry.row()));
        }
        while let Some(patch) = next {
            images.push(at(patch.batch, patch.row));
            next = match patch.below {
                Below::Patch(number) => self.patches.get(number as usize),
                Below::Row(batch, row) => {
                    images.push(at(batch, row));
                    None
                }
                Below::Target(batch, row) => return (images, Some(at(batch, row))),
            };
        }
        (images, None)
    }

    /// The rows of the entries, each value from the newest image that knows it, and the values that
    /// only the target knows.
    pub(super) fn rows(
        &self,
        batches: &[Held],
        entries: &[Entry],
        stored: &StoredSchema,
    ) -> Result<(RecordBatch, Option<Gaps>), ArrowError> {
        let (schema, ids) = (stored.arrow(), stored.id_columns());
        let mut patched = vec![BTreeMap::new(); schema.fields().len()];
        let width = schema.fields().len();
        let mut sources: Vec<Vec<(usize, usize)>> = vec![Vec::with_capacity(entries.len()); width];
        let mut known: Vec<Vec<bool>> = vec![Vec::with_capacity(entries.len()); width];
        let (mut rows, mut keys, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (number, entry) in (0_u32..).zip(entries) {
            let (images, target) = self.images(*entry);
            let mut whole = true;
            for (column, (sources, known)) in sources.iter_mut().zip(&mut known).enumerate() {
                let knows = |(batch, row): &&(usize, usize)| {
                    batches.get(*batch).is_some_and(|h| h.presence.has(column, *row))
                };
                let source = images.iter().find(knows);
                known.push(source.is_some());
                whole &= source.is_some();
                sources.push(source.copied().unwrap_or((entry.batch(), entry.row())));
                if stored.column_types().get(column) == Some(&ColumnType::Json)
                    && let Some(text) = patched_document(batches, column, &images, source)?
                    && let Some(patched) = patched.get_mut(column)
                {
                    patched.insert(number as usize, text);
                }
            }
            if whole {
                continue;
            }
            let (Some(key), Some(patch)) = (target, self.patch_of(*entry)) else {
                let text = "a row of the epoch is not known in full".to_owned();
                return Err(ArrowError::InvalidArgumentError(text));
            };
            rows.push(number);
            keys.push(key);
            places.extend(self.places.get(patch.place as usize).cloned());
        }
        let columns =
            (0..width).zip(&sources).map(|(c, sources)| pick(batches, schema, c, sources));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let columns = columns.iter().zip(&patched).map(|(c, texts)| patch::replaced(c, texts));
        let columns = columns.collect();
        let options = RecordBatchOptions::new().with_row_count(Some(entries.len()));
        let all = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?;
        if rows.is_empty() {
            return Ok((all, None));
        }
        let id_columns = ids.iter().map(|c| pick(batches, schema, *c, &keys));
        let id_columns = id_columns.collect::<Result<Vec<_>, _>>()?;
        let keys = RecordBatch::try_new(Arc::new(schema.project(ids)?), id_columns)?;
        let presence = known.into_iter().map(|bits| Some(BooleanBuffer::from(bits)));
        let presence = Presence::new(presence.collect());
        Ok((all, Some(Gaps { presence, rows, keys, places })))
    }
}

/// What the images of a row say of a JSON document whose changes some of them tell: the document where one
/// knows it, otherwise all changes. None where no change is told.
fn patched_document(
    batches: &[Held],
    column: usize,
    images: &[Slot],
    source: Option<&Slot>,
) -> Result<Option<String>, ArrowError> {
    let text = |(batch, row): &Slot| {
        batches.get(*batch).and_then(|held| patch::patch_in(held.columns.get(column)?, *row))
    };
    let newer = images.iter().take_while(|slot| Some(*slot) != source);
    let changes: Vec<&str> = newer.filter_map(text).collect();
    if changes.is_empty() {
        return Ok(None);
    }
    let changes: String = changes.into_iter().rev().collect();
    let Some(source) = source else { return Ok(Some(changes)) };
    let document = text(source).and_then(|document| json_patch::apply(document, &changes));
    let misfit = || {
        let text = "changes of a JSON document do not fit it".to_owned();
        ArrowError::InvalidArgumentError(text)
    };
    document.map(Some).ok_or_else(misfit)
}

/// The values of one column of the batches.
fn pick(
    batches: &[Held],
    schema: &SchemaRef,
    column: usize,
    sources: &[(usize, usize)],
) -> Result<ArrayRef, ArrowError> {
    if sources.is_empty() {
        return Ok(new_empty_array(schema.field(column).data_type()));
    }
    let parts: Vec<_> =
        batches.iter().filter_map(|h| h.columns.get(column)).map(AsRef::as_ref).collect();
    interleave(&parts, sources)
}
