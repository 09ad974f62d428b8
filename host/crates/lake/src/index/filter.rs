//! Which keys a data file surely does not have: a split-block Bloom filter, one cache line a probe.
//!
//! The form of the filter is that of Parquet ("Bloom Filter", 256-bit blocks of eight words, one bit in
//! each); the hash is FNV-1a with MurmurHash3's finish, written out here because it must never change.

/// Bits of the filter for each key: about four keys in a thousand that are not there pass.
const KEY_BITS: u64 = 12;

/// Words of a block.
const WORDS: usize = 8;

/// Of Parquet's specification: one multiplier for each word of a block.
const SALTS: [u32; WORDS] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// A key with its hash.
pub(crate) type HashedKey = (Box<[u8]>, u64);

/// The hash of a key.
pub(crate) fn hash(key: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in key {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The filter of one file.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    blocks: Vec<[u32; WORDS]>,
}

impl Filter {
    /// Of all keys of a file, by their hashes.
    pub(crate) fn of(hashes: &[u64]) -> Self {
        let bits = (hashes.len() as u64).saturating_mul(KEY_BITS);
        let blocks = usize::try_from(bits.div_ceil(256)).unwrap_or(usize::MAX).max(1);
        let mut filter = Self { blocks: vec![[0; WORDS]; blocks] };
        for hash in hashes {
            let at = filter.block_of(*hash);
            if let Some(block) = filter.blocks.get_mut(at) {
                for (word, mask) in block.iter_mut().zip(masks(*hash)) {
                    *word |= mask;
                }
            }
        }
        filter
    }

    /// Whether a key with this hash may be there.
    pub(crate) fn may_have(&self, hash: u64) -> bool {
        let block = self.blocks.get(self.block_of(hash));
        block.is_some_and(|block| {
            let missing = block.iter().zip(masks(hash)).map(|(word, mask)| !word & mask);
            missing.fold(0, |all, bits| all | bits) == 0
        })
    }

    fn block_of(&self, hash: u64) -> usize {
        let blocks = self.blocks.len() as u64;
        usize::try_from(((hash >> 32).wrapping_mul(blocks)) >> 32).unwrap_or(0)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.blocks.len().saturating_mul(size_of::<[u32; WORDS]>())
    }

    /// Little-endian words.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let words = self.blocks.iter().flatten();
        words.for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    }

    /// As [`Self::write`] wrote it.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        let block = |bytes: &[u8]| {
            let mut block = [0; WORDS];
            block.iter_mut().zip(bytes.chunks_exact(4)).for_each(|(w, b)| *w = word(b));
            block
        };
        Self { blocks: bytes.chunks_exact(size_of::<[u32; WORDS]>()).map(block).collect() }
    }
}

fn masks(hash: u64) -> [u32; WORDS] {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
    let low = hash as u32;
    SALTS.map(|salt| 1 << (low.wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_passes_and_little_else_does() {
        let hashes: Vec<u64> = (0..20_000_u64).map(|k| hash(&k.to_be_bytes())).collect();
        let filter = Filter::of(&hashes);
        let mut bytes = Vec::new();
        filter.write(&mut bytes);
        assert_eq!(bytes.len(), filter.memory_bytes());
        let filter = Filter::read(&bytes);
        assert!(hashes.iter().all(|hash| filter.may_have(*hash)));
        let others = (20_000..120_000_u64).map(|k| hash(&k.to_be_bytes()));
        let passed = others.filter(|hash| filter.may_have(*hash)).count();
        assert!(passed < 1_000, "{passed} of 100,000");
    }

    #[test]
    fn the_hash_never_changes() {
        // An index on disk was made by an older Sluice.
        assert_eq!(hash(b""), 0xefd0_1f60_ba99_2926);
        assert_eq!(hash(b"sluice"), 0xbc99_4db9_d32a_bd3c);
    }
}
