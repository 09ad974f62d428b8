//! Which columns the images of an event have.

/// The columns of one kind of image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// All.
    Full,
    /// Some.
    Part {
        present: Box<[bool]>,
        /// How many of them are present.
        count: usize,
    },
}

impl Shape {
    /// From a bitmap of `width` bits, the first one the least significant.
    pub(super) fn of(bitmap: &[u8], width: usize) -> Self {
        if (0..width).all(|column| super::bit_lsb(bitmap, column)) {
            return Self::Full;
        }
        let present: Box<[bool]> =
            (0..width).map(|column| super::bit_lsb(bitmap, column)).collect();
        let count = present.iter().filter(|is_present| **is_present).count();
        Self::Part { present, count }
    }

    pub(super) fn is_full(&self) -> bool {
        *self == Self::Full
    }

    pub(super) fn has(&self, column: usize) -> bool {
        match self {
            Self::Full => true,
            Self::Part { present, .. } => present.get(column).copied().unwrap_or(false),
        }
    }

    /// The number of columns, of `width` in all.
    pub(super) fn count(&self, width: usize) -> usize {
        match self {
            Self::Full => width,
            Self::Part { count, .. } => *count,
        }
    }
}
