//! A batch in the form in which targets keep it: stored columns and keys, made once for all of them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::DataType;
use change::{ColumnType, KeyProof, Mark, Presence, TargetPath, Transformed};

use super::keys::Keys;
use crate::error::{FoldError, LakeError, Place};
use crate::stored::StoredSchema;

/// One batch, converted.
pub(super) struct Prepared {
    stored: Arc<StoredSchema>,
    columns: Vec<ArrayRef>,
    keys: Arc<Keys>,
    /// The id columns that have NULLs at all: index of the column and where they are.
    null_ids: Vec<(usize, NullBuffer)>,
    presence: Presence,
    /// The images that are known in full; none where all are.
    whole: Option<BooleanBuffer>,
}

impl Prepared {
    pub(super) fn of(batch: &Transformed, stored: Arc<StoredSchema>) -> Result<Self, LakeError> {
        let columns = stored.convert(&batch.columns)?;
        for (index, column_type) in stored.column_types().iter().enumerate() {
            if let ColumnType::Decimal { precision, .. } = column_type {
                check_digits(batch, index, *precision)?;
            }
        }
        let ids = id_columns(&stored, &columns);
        let is_key = !stored.is_whole_row();
        let null_ids = stored.id_columns().iter().copied().zip(&ids).filter_map(|(index, id)| {
            let nulls = id.nulls().filter(|n| is_key && n.null_count() > 0)?;
            Some((index, nulls.clone()))
        });
        let null_ids = null_ids.collect();
        let keys = Keys::of(&ids, stored.key_proof())
            .map_err(|source| LakeError::Arrow { action: "encode the keys of a batch", source })?;
        let presence = batch.presence.clone();
        let gapped = (0..columns.len()).filter_map(|c| presence.of(c));
        let whole = gapped.fold(None, |whole: Option<BooleanBuffer>, bits| {
            Some(whole.map_or_else(|| bits.clone(), |w| &w & bits))
        });
        Ok(Self { stored, columns, keys: Arc::new(keys), null_ids, presence, whole })
    }

    pub(super) fn stored(&self) -> &Arc<StoredSchema> {
        &self.stored
    }

    pub(super) fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }

    pub(super) fn rows(&self) -> usize {
        self.columns.first().map_or(0, Array::len)
    }

    /// The types of the id columns, in key order.
    pub(super) fn id_types(&self) -> impl Iterator<Item = &DataType> {
        let ids = self.stored.id_columns().iter();
        ids.filter_map(|i| self.columns.get(*i)).map(Array::data_type)
    }

    pub(super) fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    pub(super) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Whether every image is known in full.
    pub(super) fn is_complete(&self) -> bool {
        self.whole.is_none()
    }

    /// Whether an image is known in full.
    pub(super) fn is_whole(&self, image: usize) -> bool {
        self.whole.as_ref().is_none_or(|w| image < w.len() && w.value(image))
    }

    /// That the log left something out of an image which the target cannot tell.
    pub(super) fn left_out(
        &self,
        batch: &Transformed,
        mark: &Mark,
        image: usize,
        target: &TargetPath,
        reason: &'static str,
    ) -> FoldError {
        let column = (0..self.columns.len()).find(|c| !self.presence.has(*c, image));
        FoldError::LeftOut {
            table: batch.schema.source.clone(),
            column: column.map_or_else(String::new, |c| name_of(batch, c)),
            place: Place::of(mark),
            target: target.clone(),
            reason,
        }
    }

    pub(super) fn key_proof(&self) -> KeyProof {
        self.stored.key_proof()
    }

    /// Bytes of the stored columns, those shared with the batch included, and of the keys.
    pub(super) fn memory_bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|c| c.get_buffer_memory_size()).sum();
        columns.saturating_add(self.keys.memory_bytes())
    }

    /// Whether a row says who it is.
    pub(super) fn check_id(
        &self,
        batch: &Transformed,
        mark: &Mark,
        image: usize,
        target: &TargetPath,
    ) -> Result<(), LakeError> {
        let mut ids = self.stored.id_columns().iter();
        if !self.is_whole(image) && !ids.all(|id| self.presence.has(*id, image)) {
            let reason = if self.stored.is_whole_row() {
                "has no key and compares whole rows"
            } else {
                "cannot tell a row without its key"
            };
            return Err(self.left_out(batch, mark, image, target, reason).into());
        }
        for (index, nulls) in &self.null_ids {
            if nulls.is_null(image) {
                return Err(LakeError::from(FoldError::NullId {
                    table: batch.schema.source.clone(),
                    column: name_of(batch, *index),
                    place: Place::of(mark),
                }));
            }
        }
        Ok(())
    }
}

/// The id columns among some stored columns, in key order.
pub(super) fn id_columns(stored: &StoredSchema, columns: &[ArrayRef]) -> Vec<ArrayRef> {
    stored.id_columns().iter().filter_map(|i| columns.get(*i)).cloned().collect()
}

/// Parquet cuts a decimal to the width of its type without a word, so a plugin's value with too many
/// digits has to be found before.
fn check_digits(batch: &Transformed, index: usize, precision: u8) -> Result<(), LakeError> {
    let Some(column) = batch.columns.get(index) else { return Ok(()) };
    let column = column.as_primitive::<Decimal128Type>();
    let limit = 10_u128.saturating_pow(precision.into());
    let fits = |v: i128| v.unsigned_abs() < limit;
    // Most batches end here; only where something is too large does it matter whose value it is.
    if column.values().iter().all(|v| fits(*v)) {
        return Ok(());
    }
    for (image, value) in column.values().iter().enumerate() {
        if fits(*value) || column.is_null(image) || !batch.is_kept(image) {
            continue;
        }
        if let Some((mark, _)) = batch.images.origin(image) {
            return Err(LakeError::from(FoldError::DecimalRange {
                table: batch.schema.source.clone(),
                column: name_of(batch, index),
                precision,
                place: Place::of(mark),
            }));
        }
    }
    Ok(())
}

fn name_of(batch: &Transformed, index: usize) -> String {
    batch.schema.columns.get(index).map_or_else(String::new, |c| c.name.clone())
}
