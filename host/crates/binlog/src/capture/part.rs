//! A part of a transaction: images of one table that have become columns before it is known whether the
//! transaction will count. It lies in memory or in a spill file.

use std::sync::Arc;

use arrow_array::ArrayRef;
use change::batch::BatchError;
use change::{Batch, ImageKind, Images, Mark, Presence, TableSchema, Transaction};

use super::spill::{SpillError, SpillFile, Spilled};
use crate::row_buffer::Taken;

/// Some consecutive images of one event, not yet committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingMark {
    pub(super) images_end: u32,
    pub(super) event_offset: u64,
    pub(super) first_row: u64,
}

impl PendingMark {
    pub(super) fn of(self, transaction: &Arc<Transaction>) -> Mark {
        Mark {
            images_end: self.images_end,
            transaction: Arc::clone(transaction),
            event_offset: self.event_offset,
            first_row: self.first_row,
        }
    }
}

/// Images of one table.
#[derive(Debug)]
pub(crate) struct Part {
    schema: Arc<TableSchema>,
    /// The table and schema version that the images came from, as long as their transaction is open.
    pub(super) version: usize,
    kinds: Vec<ImageKind>,
    marks: Vec<PendingMark>,
    /// Bytes of the columns.
    bytes: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Memory { columns: Vec<ArrayRef>, presence: Presence },
    Disk(Spilled),
}

/// Why a part makes no batch.
#[derive(Debug)]
pub(super) enum PartError {
    Spill(SpillError),
    Batch(BatchError),
}

impl Part {
    pub(super) fn new(
        schema: Arc<TableSchema>,
        version: usize,
        marks: Vec<PendingMark>,
        bytes: usize,
        taken: Taken,
    ) -> Self {
        let Taken { columns, kinds, presence } = taken;
        let content = Content::Memory { columns, presence };
        Self { schema, version, kinds, marks, bytes, content }
    }

    pub(super) fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    pub(super) fn images(&self) -> usize {
        self.kinds.len()
    }

    /// Bytes of the columns, wherever they are.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that it takes in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        match self.content {
            Content::Memory { .. } => self.bytes,
            Content::Disk(_) => 0,
        }
    }

    /// Moves the columns to a file; nothing where they are there already.
    pub(super) fn spill(&mut self, file: &Arc<SpillFile>) -> Result<(), SpillError> {
        if let Content::Memory { columns, presence } = &self.content {
            self.content = Content::Disk(file.write(columns, presence)?);
        }
        Ok(())
    }

    /// Forgets all images from `images` on, which is between two events.
    pub(super) fn truncate(&mut self, images: usize) {
        self.kinds.truncate(images);
        self.marks.retain(|mark| mark.images_end as usize <= images);
    }

    /// The rows count at another place than where they stand.
    pub(crate) fn place_at(&mut self, event_offset: u64) {
        for mark in &mut self.marks {
            mark.event_offset = event_offset;
        }
    }

    /// The images as those of a transaction that is committed.
    pub(super) fn into_batch(self, transaction: &Arc<Transaction>) -> Result<Batch, PartError> {
        let (columns, presence) = match self.content {
            Content::Memory { columns, presence } => (columns, presence),
            Content::Disk(spilled) => spilled.read().map_err(PartError::Spill)?,
        };
        let images = self.kinds.len();
        let (columns, presence) = first(columns, presence, images);
        let marks = self.marks.iter().map(|mark| mark.of(transaction)).collect();
        let build = || {
            let images = Images::new(self.kinds, marks)?;
            Batch::new(self.schema, columns, Arc::new(images))?.with_presence(presence)
        };
        build().map_err(PartError::Batch)
    }
}

/// The first `images` of some columns.
fn first(columns: Vec<ArrayRef>, presence: Presence, images: usize) -> (Vec<ArrayRef>, Presence) {
    if columns.first().is_none_or(|column| column.len() <= images) {
        return (columns, presence);
    }
    let told = (0..columns.len()).map(|column| presence.of(column).map(|b| b.slice(0, images)));
    let told = Presence::new(told.collect());
    (columns.iter().map(|column| column.slice(0, images)).collect(), told)
}
