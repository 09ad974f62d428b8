//! Row images as they come from the log: Arrow columns of one table under one schema version, and
//! beside them where each image stood.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};

use crate::gtid::Gtid;
use crate::presence::Presence;
use crate::schema::TableSchema;

/// What a row image is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ImageKind {
    /// The row that an INSERT wrote.
    Insert,
    /// The row before an UPDATE; its [`ImageKind::After`] is the next image of the same batch.
    Before,
    /// The row after an UPDATE.
    After,
    /// The row that a DELETE removed.
    Delete,
}

impl ImageKind {
    /// Whether the row exists once the change is done.
    #[must_use]
    pub fn is_new(self) -> bool {
        matches!(self, Self::Insert | Self::After)
    }

    /// The change's letter, as Debezium writes it: c, u, d.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::Insert => "c",
            Self::Before | Self::After => "u",
            Self::Delete => "d",
        }
    }
}

/// What the server committed at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The log file that it ends in.
    pub file: Arc<str>,
    /// Where its first event starts, in bytes from the start of the file.
    pub start: u64,
    /// Where its last event ends, in bytes from the start of the file; [`Self::NOT_OF_THE_LOG`] where the
    /// rows were read from a table.
    pub end: u64,
    /// Its GTID, where the server has one.
    pub gtid: Option<Gtid>,
    /// When it was committed, microseconds since 1970-01-01T00:00Z. The resolution is one second
    /// where the log has no better time. For people only: never decides an order.
    pub commit_micros: i64,
    /// The server that it was first committed on.
    pub server_id: u32,
}

impl Transaction {
    /// The end of what was read from a table and not from the log: no position covers it, whichever
    /// server's files that position counts in.
    pub const NOT_OF_THE_LOG: u64 = u64::MAX;
}

/// The event that some consecutive images of a batch came from.
#[derive(Clone, Debug)]
pub struct Mark {
    /// One past the last image of this event, as an index into the batch.
    pub images_end: u32,
    /// The transaction that the event belongs to.
    pub transaction: Arc<Transaction>,
    /// Where the event starts in the transaction's file.
    pub event_offset: u64,
    /// The ordinal of the event's first row change within its transaction, from 0.
    pub first_row: u64,
}

/// Kind and origin of every image of a batch.
#[derive(Clone, Debug, Default)]
pub struct Images {
    kinds: Vec<ImageKind>,
    marks: Vec<Mark>,
}

/// Why some parts do not make a batch.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BatchError {
    /// A column has another length than there are images.
    #[error("column {index} has {found} rows, the batch has {expected}")]
    Length {
        /// Index of the column.
        index: usize,
        /// Its length.
        found: usize,
        /// The number of images.
        expected: usize,
    },
    /// There are more or fewer columns than the schema has.
    #[error("{found} columns for a schema of {expected}")]
    Width {
        /// The number of columns.
        found: usize,
        /// The number of columns of the schema.
        expected: usize,
    },
    /// The marks do not cover the images, or an update's pair is torn.
    #[error("the images of the batch are not in order: {0}")]
    Images(&'static str),
}

impl Images {
    /// # Errors
    /// Where the marks do not end, in ascending order, at the last image, or where a before image is
    /// not followed by its after image.
    pub fn new(kinds: Vec<ImageKind>, marks: Vec<Mark>) -> Result<Self, BatchError> {
        let ascending = marks.windows(2).all(|w| match w {
            [a, b] => a.images_end < b.images_end,
            _ => true,
        });
        let end = marks.last().map_or(0, |m| m.images_end as usize);
        if !ascending || end != kinds.len() {
            return Err(BatchError::Images("marks do not cover the images"));
        }
        let mut open = false;
        for kind in &kinds {
            if open != (*kind == ImageKind::After) {
                return Err(BatchError::Images("a before and after image are torn apart"));
            }
            open = *kind == ImageKind::Before;
        }
        if open {
            return Err(BatchError::Images("a before and after image are torn apart"));
        }
        Ok(Self { kinds, marks })
    }

    /// The number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The kind of every image.
    #[must_use]
    pub fn kinds(&self) -> &[ImageKind] {
        &self.kinds
    }

    /// The events, in log order.
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The event of an image, and the ordinal of its row change within the transaction.
    #[must_use]
    pub fn origin(&self, image: usize) -> Option<(&Mark, u64)> {
        let at = self.marks.partition_point(|m| m.images_end as usize <= image);
        let mark = self.marks.get(at)?;
        let start = at.checked_sub(1).and_then(|p| self.marks.get(p)).map_or(0, |m| m.images_end);
        let within = self.kinds.get(start as usize..image)?;
        let before = within.iter().filter(|k| **k != ImageKind::Before).count() as u64;
        Some((mark, mark.first_row.saturating_add(before)))
    }
}

/// Row images of one table under one schema version, in log order.
#[derive(Clone, Debug)]
pub struct Batch {
    schema: Arc<TableSchema>,
    columns: Vec<ArrayRef>,
    presence: Presence,
    images: Arc<Images>,
}

impl Batch {
    /// # Errors
    /// Where the columns do not have the schema's width or the images' length.
    pub fn new(
        schema: Arc<TableSchema>,
        columns: Vec<ArrayRef>,
        images: Arc<Images>,
    ) -> Result<Self, BatchError> {
        if columns.len() != schema.columns.len() {
            let (found, expected) = (columns.len(), schema.columns.len());
            return Err(BatchError::Width { found, expected });
        }
        check_lengths(&columns, images.len())?;
        Ok(Self { schema, columns, presence: Presence::default(), images })
    }

    /// The batch with what the log left out.
    ///
    /// # Errors
    /// Where the bitmaps do not fit the columns.
    pub fn with_presence(self, presence: Presence) -> Result<Self, BatchError> {
        presence.check(self.columns.len(), self.images.len())?;
        Ok(Self { presence, ..self })
    }

    /// The table and its columns.
    #[must_use]
    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// The columns, in the schema's order and in the Arrow types of `ColumnType::arrow`.
    #[must_use]
    pub fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }

    /// Which values the log told.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Kind and origin of every image.
    #[must_use]
    pub fn images(&self) -> &Arc<Images> {
        &self.images
    }

    /// The number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Bytes that the columns hold.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.columns.iter().map(|c| c.get_buffer_memory_size()).sum()
    }
}

/// Whether every column has `expected` rows.
pub(crate) fn check_lengths(columns: &[ArrayRef], expected: usize) -> Result<(), BatchError> {
    for (index, column) in columns.iter().enumerate() {
        let found = column.len();
        if found != expected {
            return Err(BatchError::Length { index, found, expected });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(images_end: u32, first_row: u64) -> Mark {
        let transaction = Transaction {
            file: "log.000001".into(),
            start: 4,
            end: 400,
            gtid: None,
            commit_micros: 0,
            server_id: 1,
        };
        Mark { images_end, transaction: Arc::new(transaction), event_offset: 100, first_row }
    }

    #[test]
    fn a_torn_pair_is_refused() {
        use ImageKind::{After, Before, Insert};
        assert!(Images::new(vec![Before], vec![mark(1, 0)]).is_err());
        assert!(Images::new(vec![After], vec![mark(1, 0)]).is_err());
        assert!(Images::new(vec![Before, Insert], vec![mark(2, 0)]).is_err());
        assert!(Images::new(vec![Before, After], vec![mark(2, 0)]).is_ok());
    }

    #[test]
    fn marks_cover_all_images() {
        let kinds = vec![ImageKind::Insert, ImageKind::Insert];
        assert!(Images::new(kinds.clone(), vec![mark(1, 0)]).is_err());
        assert!(Images::new(kinds.clone(), vec![mark(1, 0), mark(1, 0)]).is_err());
        assert!(Images::new(kinds, vec![mark(1, 0), mark(2, 1)]).is_ok());
    }

    #[test]
    fn the_origin_of_an_image_counts_row_changes_not_images() {
        use ImageKind::{After, Before, Delete};
        let kinds = vec![Before, After, Before, After, Delete];
        let images = Images::new(kinds, vec![mark(4, 7), mark(5, 9)]).expect("valid");
        let rows: Vec<_> = (0..5).filter_map(|i| images.origin(i).map(|(_, r)| r)).collect();
        assert_eq!(rows, [7, 7, 8, 8, 9]);
        assert!(images.origin(5).is_none());
    }
}
