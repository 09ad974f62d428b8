//! Which values of a column are not NULL: a bitmap that exists from the first NULL on.

use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};

/// Bits, least significant first, 1 = not NULL; those beyond the last NULL are not stored.
#[derive(Debug, Default)]
pub(super) struct Validity {
    bits: Vec<u8>,
}

impl Validity {
    pub(super) fn set_null(&mut self, row: usize) {
        let byte = row / 8;
        if self.bits.len() <= byte {
            self.bits.resize(byte + 1, 0xff);
        }
        if let Some(bits) = self.bits.get_mut(byte) {
            *bits &= !(1 << (row % 8));
        }
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.bits.get(row / 8).is_some_and(|bits| bits & (1 << (row % 8)) == 0)
    }

    /// Forgets the NULLs from `rows` on.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.bits.truncate(rows.div_ceil(8));
        if let Some(last) = self.bits.get_mut(rows / 8) {
            *last |= 0xff << (rows % 8);
        }
    }

    /// Takes the first `rows` out of `all`; the rest moves to the front.
    pub(super) fn take(&mut self, rows: usize, all: usize) -> Option<NullBuffer> {
        let mut head = std::mem::take(&mut self.bits);
        if rows < all {
            let is_null =
                |row: usize| head.get(row / 8).is_some_and(|bits| bits & (1 << (row % 8)) == 0);
            (rows..all).filter(|row| is_null(*row)).for_each(|row| self.set_null(row - rows));
        }
        if head.is_empty() {
            return None;
        }
        head.resize(rows.div_ceil(8), 0xff);
        let nulls = NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(head), 0, rows));
        (nulls.null_count() > 0).then_some(nulls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nulls(buffer: &NullBuffer) -> Vec<usize> {
        (0..buffer.len()).filter(|row| buffer.is_null(*row)).collect()
    }

    #[test]
    fn nulls_stay_where_they_are_through_cuts_and_takes() {
        let mut validity = Validity::default();
        for row in [0, 9, 10, 20] {
            validity.set_null(row);
        }
        validity.truncate(20);
        let head = validity.take(10, 20).expect("nulls");
        assert_eq!((head.len(), nulls(&head)), (10, vec![0, 9]));
        let rest = validity.take(10, 10).expect("nulls");
        assert_eq!((rest.len(), nulls(&rest)), (10, vec![0]));
        assert!(validity.take(5, 5).is_none());
    }

    #[test]
    fn a_column_without_nulls_has_no_bitmap() {
        let mut validity = Validity::default();
        validity.set_null(12);
        validity.truncate(12);
        assert!(validity.take(12, 12).is_none());
    }
}
