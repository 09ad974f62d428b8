//! Which values of row images the log told.
//!
//! With `binlog_row_image` other than FULL a server leaves columns out of an image. What is left out is
//! not NULL: the row has a value there that the image does not know.

use arrow_buffer::BooleanBuffer;

use crate::batch::BatchError;

/// For each column and image whether the log told the value. The slot of a value that it did not tell
/// is NULL in the column and must not be read as one; of a JSON document it holds what the log told of
/// it, its changes ([`crate::json_patch`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence(Vec<Option<BooleanBuffer>>);

impl Presence {
    /// One bitmap for each column, one bit for each image, 1 = told; none where all are.
    #[must_use]
    pub fn new(columns: Vec<Option<BooleanBuffer>>) -> Self {
        let full = |bits: &BooleanBuffer| bits.count_set_bits() == bits.len();
        let columns: Vec<_> = columns.into_iter().map(|c| c.filter(|bits| !full(bits))).collect();
        if columns.iter().all(Option::is_none) { Self::default() } else { Self(columns) }
    }

    /// Whether every value was told, as with `binlog_row_image = FULL`.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.0.is_empty()
    }

    /// Which values of a column were told; none = all.
    #[must_use]
    pub fn of(&self, column: usize) -> Option<&BooleanBuffer> {
        self.0.get(column).and_then(Option::as_ref)
    }

    /// Whether the value of an image was told.
    #[must_use]
    pub fn has(&self, column: usize, image: usize) -> bool {
        self.of(column).is_none_or(|bits| image < bits.len() && bits.value(image))
    }

    /// # Errors
    /// Where a bitmap has another length than there are images, or there are more than columns.
    pub(crate) fn check(&self, columns: usize, images: usize) -> Result<(), BatchError> {
        let fits = self.0.iter().flatten().all(|bits| bits.len() == images);
        if self.0.len() <= columns && fits {
            Ok(())
        } else {
            Err(BatchError::Images("the presence bitmaps do not fit the columns"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmaps_without_a_gap_are_complete() {
        let presence = Presence::new(vec![None, Some(BooleanBuffer::new_set(3))]);
        assert!(presence.is_complete());
        assert!(presence.has(1, 2));
    }

    #[test]
    fn a_gap_is_told_by_column_and_image() {
        let bits = BooleanBuffer::from(vec![true, false]);
        let presence = Presence::new(vec![None, Some(bits.clone())]);
        assert_eq!(presence.of(1), Some(&bits));
        assert_eq!(
            (presence.has(0, 1), presence.has(1, 0), presence.has(1, 1)),
            (true, true, false)
        );
        assert!(presence.check(2, 2).is_ok());
        assert!(presence.check(1, 2).is_err());
        assert!(presence.check(2, 3).is_err());
    }
}
