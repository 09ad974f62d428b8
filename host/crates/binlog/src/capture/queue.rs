//! What is committed and waits for the next slice, in log order.

use std::collections::VecDeque;
use std::sync::Arc;

use change::{Batch, Transaction};

use super::part::{Part, PartError};
use super::spill_error;
use crate::error::{BinlogError, Place};

/// Batches, and parts of transactions that are batches once they are taken.
#[derive(Default)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    /// How many items have to come out together before the parts of a transaction that may be spread
    /// over slices; none where there is none such.
    whole: Option<usize>,
    /// Whether a transaction has come out in part.
    is_split: bool,
}

enum Item {
    Batch(Batch),
    Part(Part, Arc<Transaction>),
}

impl Queue {
    pub(super) fn push(&mut self, batch: Batch) {
        self.items.push_back(Item::Batch(batch));
    }

    /// The parts of a transaction that is committed.
    pub(super) fn push_parts(
        &mut self,
        parts: impl Iterator<Item = Part>,
        transaction: &Arc<Transaction>,
    ) {
        self.whole.get_or_insert(self.items.len());
        self.items.extend(parts.map(|part| Item::Part(part, Arc::clone(transaction))));
    }

    /// Whether a transaction has come out in part.
    pub(super) fn is_split(&self) -> bool {
        self.is_split
    }

    /// Takes out all batches, or as many as a slice may hold where a transaction may be spread over
    /// slices; at least one of it.
    pub(super) fn take(
        &mut self,
        images_max: usize,
        bytes_max: usize,
        place: &Place,
    ) -> Result<Vec<Batch>, BinlogError> {
        let whole = self.whole.unwrap_or(self.items.len());
        let (mut images, mut bytes) = (0_usize, 0_usize);
        let mut batches = Vec::new();
        while batches.len() < whole
            || batches.is_empty()
            || (images < images_max && bytes < bytes_max)
        {
            let Some(item) = self.items.pop_front() else { break };
            let (batch, item_bytes) = item.into_batch(place)?;
            images = images.saturating_add(batch.len());
            bytes = bytes.saturating_add(item_bytes);
            batches.push(batch);
        }
        self.is_split = !self.items.is_empty();
        self.whole = self.is_split.then_some(0);
        Ok(batches)
    }
}

impl Item {
    fn into_batch(self, place: &Place) -> Result<(Batch, usize), BinlogError> {
        let (part, transaction) = match self {
            Self::Batch(batch) => {
                let bytes = batch.memory_bytes();
                return Ok((batch, bytes));
            }
            Self::Part(part, transaction) => (part, transaction),
        };
        let (bytes, schema) = (part.bytes(), Arc::clone(part.schema()));
        let batch = part.into_batch(&transaction).map_err(|error| match error {
            PartError::Spill(error) => spill_error(place, error),
            PartError::Batch(source) => {
                let table = Box::new(schema.name.clone());
                BinlogError::Batch { place: place.clone(), table, source }
            }
        })?;
        Ok((batch, bytes))
    }
}
