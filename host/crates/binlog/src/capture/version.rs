//! One table under one schema version: its buffer, in which the images of finished transactions stand
//! before those of the open one.

use std::sync::Arc;

use change::{Batch, Images, Mark, TableName, Transaction};

use super::part::{Part, PendingMark};
use crate::error::{BinlogError, DecodeError, Place};
use crate::row_buffer::{RowBuffer, Taken};
use crate::table_map::TableMap;

pub(super) struct Version {
    pub(super) map: Arc<TableMap>,
    pub(super) rows: RowBuffer,
    marks: Vec<Mark>,
    pending: Vec<PendingMark>,
    /// Images of finished transactions.
    committed: usize,
    /// Images of the open transaction that have left the buffer.
    frozen: usize,
    /// Bytes of the buffer when they were last counted.
    pub(super) bytes: usize,
}

impl Version {
    pub(super) fn new(map: Arc<TableMap>) -> Self {
        let rows = RowBuffer::new(&map);
        let (marks, pending) = (Vec::new(), Vec::new());
        Self { map, rows, marks, pending, committed: 0, frozen: 0, bytes: 0 }
    }

    pub(super) fn name(&self) -> &TableName {
        &self.map.schema.name
    }

    /// Images that the open transaction has written.
    pub(super) fn open_images(&self) -> usize {
        self.frozen.saturating_add(self.rows.images().saturating_sub(self.committed))
    }

    /// Says where the images came from that the buffer got last; `false` where there are too many.
    pub(super) fn mark(&mut self, event_offset: u64, first_row: u64) -> bool {
        let Ok(images_end) = u32::try_from(self.rows.images()) else { return false };
        self.pending.push(PendingMark { images_end, event_offset, first_row });
        true
    }

    /// Drops all images of the open transaction but its first `images`.
    pub(super) fn cut_back(&mut self, images: usize) {
        let kept = self.committed.saturating_add(images.saturating_sub(self.frozen));
        self.rows.truncate(kept);
        self.pending.retain(|mark| mark.images_end as usize <= kept);
        self.frozen = self.frozen.min(images);
    }

    /// The images of the open transaction count, those in the buffer as these.
    pub(super) fn commit(&mut self, transaction: &Arc<Transaction>) {
        self.marks.extend(self.pending.drain(..).map(|mark| mark.of(transaction)));
        self.committed = self.rows.images();
        self.frozen = 0;
    }

    /// Whether the buffer holds images of finished transactions.
    pub(super) fn has_committed(&self) -> bool {
        self.committed > 0
    }

    /// Takes the images of finished transactions out as a batch. `place` is named where they make none.
    pub(super) fn take_committed(&mut self, place: &Place) -> Result<Option<Batch>, BinlogError> {
        if self.committed == 0 {
            return Ok(None);
        }
        let Taken { columns, kinds, presence } = match self.rows.take(self.committed) {
            Ok(taken) => taken,
            Err(error) => {
                // What only shows when the columns are finished is told with the event of its image.
                let mut place = place.clone();
                if let DecodeError::Text { image, .. } = &error
                    && let Some(mark) = self.marks.iter().find(|m| m.images_end as usize > *image)
                {
                    place.file = Arc::clone(&mark.transaction.file);
                    place.offset = mark.event_offset;
                }
                return Err(BinlogError::decode(place, Some(self.name()), error));
            }
        };
        let taken = u32::try_from(std::mem::take(&mut self.committed)).unwrap_or(u32::MAX);
        for mark in &mut self.pending {
            mark.images_end = mark.images_end.saturating_sub(taken);
        }
        self.bytes = self.rows.bytes();
        let table = Box::new(self.name().clone());
        let failed = |source| BinlogError::Batch { place: place.clone(), table, source };
        let build = || {
            let images = Images::new(kinds, std::mem::take(&mut self.marks))?;
            let schema = Arc::clone(&self.map.schema);
            Batch::new(schema, columns, Arc::new(images))?.with_presence(presence)
        };
        build().map(Some).map_err(failed)
    }

    /// Takes the images of the open transaction out of a buffer that holds no others; none where there
    /// are none. `index` is that of the version.
    pub(super) fn freeze(
        &mut self,
        index: usize,
        place: &Place,
    ) -> Result<Option<Part>, BinlogError> {
        let images = self.rows.images();
        if images == 0 || self.committed > 0 {
            return Ok(None);
        }
        let bytes = self.rows.bytes();
        let taken = self.rows.take(images).map_err(|error| {
            let mut place = place.clone();
            if let DecodeError::Text { image, .. } = &error
                && let Some(mark) = self.pending.iter().find(|m| m.images_end as usize > *image)
            {
                place.offset = mark.event_offset;
            }
            BinlogError::decode(place, Some(self.name()), error)
        })?;
        self.frozen = self.frozen.saturating_add(images);
        self.bytes = 0;
        let marks = std::mem::take(&mut self.pending);
        Ok(Some(Part::new(Arc::clone(&self.map.schema), index, marks, bytes, taken)))
    }

    /// Ends the open transaction; its images that are left count for nothing.
    pub(super) fn roll_back(&mut self) {
        self.cut_back(0);
        self.frozen = 0;
        self.bytes = self.rows.bytes();
    }
}
