//! One bit a row, least significant bit first, in words of 64: what `keep` and validity are made of.

/// Bits of a word.
const WORD: usize = 64;

/// One bit for each row of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    rows: usize,
    /// Bits beyond `rows` are zero.
    words: Vec<u64>,
}

impl Bitmap {
    /// The same bit for every row.
    #[must_use]
    pub fn filled(rows: usize, bit: bool) -> Self {
        let word = if bit { u64::MAX } else { 0 };
        Self { rows, words: vec![word; rows.div_ceil(WORD)] }.trimmed()
    }

    /// A bit from each row's index; rows are asked in ascending order.
    pub fn from_fn(rows: usize, mut bit: impl FnMut(usize) -> bool) -> Self {
        let word = |start: usize| {
            let end = (start + WORD).min(rows);
            (start..end).fold(0, |word, row| word | (u64::from(bit(row)) << (row - start)))
        };
        Self { rows, words: (0..rows).step_by(WORD).map(word).collect() }
    }

    /// A bit from each item of a slice; the fastest way, since it needs no bounds checks.
    pub fn from_slice<T>(items: &[T], mut bit: impl FnMut(&T) -> bool) -> Self {
        let mut words = Vec::with_capacity(items.len().div_ceil(WORD));
        for chunk in items.chunks(WORD) {
            let (eights, rest) = chunk.as_chunks::<8>();
            let mut word = 0_u64;
            let mut shift = 0_u32;
            for [a, b, c, d, e, f, g, h] in eights {
                let byte = u64::from(bit(a))
                    | u64::from(bit(b)) << 1
                    | u64::from(bit(c)) << 2
                    | u64::from(bit(d)) << 3
                    | u64::from(bit(e)) << 4
                    | u64::from(bit(f)) << 5
                    | u64::from(bit(g)) << 6
                    | u64::from(bit(h)) << 7;
                word |= byte << shift;
                shift += 8;
            }
            for item in rest {
                word |= u64::from(bit(item)) << shift;
                shift += 1;
            }
            words.push(word);
        }
        Self { rows: items.len(), words }
    }

    /// Reads the interface's form; bits that `bytes` lacks are zero.
    #[must_use]
    pub fn from_bytes(bytes: &[u8], rows: usize) -> Self {
        let word = |chunk: &[u8]| {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            u64::from_le_bytes(word)
        };
        let mut words: Vec<u64> = bytes.chunks(8).map(word).collect();
        words.resize(rows.div_ceil(WORD), 0);
        Self { rows, words }.trimmed()
    }

    /// The interface's form: `(rows + 7) / 8` bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(self.rows.div_ceil(8));
        bytes
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The bit of a row; beyond the end it is not set.
    #[must_use]
    pub fn get(&self, row: usize) -> bool {
        self.words.get(row / WORD).is_some_and(|word| word >> (row % WORD) & 1 == 1)
    }

    /// How many bits are set.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no bit is missing.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count() == self.rows
    }

    /// The rows whose bit is set, ascending.
    pub fn set_rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest.checked_sub(1)?;
                Some(at * WORD + bit)
            })
        })
    }

    /// Set where both are.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// Set where one is.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    /// Set where this is and the other is not.
    #[must_use]
    pub fn and_not(self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    fn zip(mut self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        let theirs = other.words.iter().copied().chain(std::iter::repeat(0));
        for (ours, theirs) in self.words.iter_mut().zip(theirs) {
            *ours = join(*ours, theirs);
        }
        self.trimmed()
    }

    fn trimmed(mut self) -> Self {
        let used = self.rows % WORD;
        if used > 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << used) - 1;
        }
        self
    }
}

impl std::ops::Not for Bitmap {
    type Output = Self;

    fn not(mut self) -> Self {
        for word in &mut self.words {
            *word = !*word;
        }
        self.trimmed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_build_one_gives_the_same_bits() {
        for rows in [0, 1, 7, 8, 63, 64, 65, 130] {
            let rule = |row: usize| row.is_multiple_of(3) || row == 64;
            let built = Bitmap::from_fn(rows, rule);
            let numbers: Vec<usize> = (0..rows).collect();
            assert_eq!(built, Bitmap::from_slice(&numbers, |n| rule(*n)), "{rows}");
            assert_eq!(built, Bitmap::from_bytes(&built.to_bytes(), rows), "{rows}");
            assert_eq!(built.to_bytes().len(), rows.div_ceil(8));
            let set: Vec<usize> = built.set_rows().collect();
            assert_eq!(set, numbers.iter().copied().filter(|n| rule(*n)).collect::<Vec<_>>());
            assert_eq!(set.len(), built.count());
            assert!((0..rows).all(|row| built.get(row) == rule(row)));
            assert!(!built.get(rows));
        }
    }

    #[test]
    fn bits_beyond_the_end_stay_clear() {
        assert_eq!((!Bitmap::filled(3, false)).to_bytes(), [0b111]);
        assert_eq!(Bitmap::filled(70, true).count(), 70);
        assert_eq!(Bitmap::from_bytes(&[0xFF], 3).to_bytes(), [0b111]);
        assert!(Bitmap::from_bytes(&[], 65).set_rows().next().is_none());
    }

    #[test]
    fn bitmaps_join_row_by_row() {
        let a = Bitmap::from_bytes(&[0b1100], 4);
        let b = Bitmap::from_bytes(&[0b1010], 4);
        assert_eq!(a.clone().and(&b).to_bytes(), [0b1000]);
        assert_eq!(a.clone().or(&b).to_bytes(), [0b1110]);
        assert_eq!(a.and_not(&b).to_bytes(), [0b0100]);
    }
}
