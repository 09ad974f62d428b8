//! The keys of one data file, sorted as its rows are, in a file that is searched without being read.
//!
//! A key's number is its row: data files are sorted by key and never change. Keys are Arrow row
//! encodings, so that bytes order as values do, and whole, so that a key that is found needs no second
//! look. They lie in blocks, each key as what it has in common with the one before it and the rest; the
//! first keys of all blocks and a filter of what is not there are what is held in memory. Every part has
//! a checksum: a byte that is not what was written is an error, never a row that is not found.
//!
//! ```text
//! block*  [ (shared: varint, rest: varint, bytes)* , crc32 ]
//! top     [ length of the filter 8, filter, last key (length: varint, bytes),
//!           (length: varint, first key, length of the block: varint)* , crc32 ]
//! end     magic 8, stamp 8, rows 8, offset of the top 8, crc32 4     all little-endian
//! ```

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::index::filter::{self, Filter, HashedKey};

/// What an index begins its last bytes with; another form has another number.
const MAGIC: [u8; 8] = *b"SLKEYS01";

/// Keys of a block: what one probe decodes, against what is held in memory for it.
const BLOCK_KEYS: usize = 64;

/// Bytes that are read at once where a block is: its neighbours are often asked for next.
const WINDOW_BYTES: u64 = 16 * 1024;

/// Bytes of the end.
const END_BYTES: usize = 36;

/// Why an index cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error("cannot read or write it")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Damaged(&'static str),
    #[error("the rows of the data file are not sorted by key")]
    Unsorted,
}

/// Writes an index, key by key.
pub(crate) struct Builder {
    out: BufWriter<File>,
    block: Vec<u8>,
    keys: usize,
    last: Vec<u8>,
    rows: u64,
    offset: u64,
    top: Vec<u8>,
    first: Vec<u8>,
    hashes: Vec<u64>,
}

impl Builder {
    pub(crate) fn create(path: &Path) -> Result<Self, IndexError> {
        Ok(Self {
            out: BufWriter::with_capacity(1 << 18, File::create(path)?),
            block: Vec::new(),
            keys: 0,
            last: Vec::new(),
            rows: 0,
            offset: 0,
            top: Vec::new(),
            first: Vec::new(),
            hashes: Vec::new(),
        })
    }

    /// The key of the next row.
    pub(crate) fn push(&mut self, key: &[u8]) -> Result<(), IndexError> {
        if self.rows > 0 && key < self.last.as_slice() {
            return Err(IndexError::Unsorted);
        }
        if self.keys == BLOCK_KEYS {
            self.end_block()?;
        }
        self.hashes.push(filter::hash(key));
        let shared = match self.keys {
            0 => {
                self.first = key.to_vec();
                0
            }
            _ => self.last.iter().zip(key).take_while(|(a, b)| a == b).count(),
        };
        let rest = key.get(shared..).unwrap_or_default();
        put_number(&mut self.block, shared as u64);
        put_number(&mut self.block, rest.len() as u64);
        self.block.extend_from_slice(rest);
        self.last.truncate(shared);
        self.last.extend_from_slice(rest);
        self.keys = self.keys.saturating_add(1);
        self.rows = self.rows.saturating_add(1);
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), IndexError> {
        if self.keys == 0 {
            return Ok(());
        }
        seal(&mut self.block);
        self.out.write_all(&self.block)?;
        put_number(&mut self.top, self.first.len() as u64);
        self.top.extend_from_slice(&self.first);
        put_number(&mut self.top, self.block.len() as u64);
        self.offset = self.offset.saturating_add(self.block.len() as u64);
        self.block.clear();
        self.keys = 0;
        Ok(())
    }

    /// Ends it. `stamp` says what it is the index of.
    pub(crate) fn finish(mut self, stamp: u64) -> Result<(), IndexError> {
        self.end_block()?;
        let filter = Filter::of(&self.hashes);
        let mut top = (filter.memory_bytes() as u64).to_le_bytes().to_vec();
        filter.write(&mut top);
        put_number(&mut top, self.last.len() as u64);
        top.extend_from_slice(&self.last);
        top.append(&mut self.top);
        seal(&mut top);
        self.out.write_all(&top)?;
        let mut end = MAGIC.to_vec();
        for number in [stamp, self.rows, self.offset] {
            end.extend_from_slice(&number.to_le_bytes());
        }
        seal(&mut end);
        self.out.write_all(&end)?;
        self.out.flush()?;
        Ok(())
    }
}

/// What is held in memory of an index: what is not there, the first key of each block, and where the
/// block lies.
#[derive(Debug)]
pub(crate) struct Top {
    rows: u64,
    filter: Filter,
    last: Vec<u8>,
    keys: Vec<u8>,
    /// Where each first key ends in `keys`.
    ends: Vec<usize>,
    /// Where each block begins, and where the last one ends.
    starts: Vec<u64>,
}

impl Top {
    /// # Errors
    /// Where the file is not the whole index with this stamp and number of rows.
    pub(crate) fn read(file: &File, stamp: u64, rows: u64) -> Result<Self, IndexError> {
        let size = file.metadata()?.len();
        let end_at =
            size.checked_sub(END_BYTES as u64).ok_or(IndexError::Damaged("it is cut off"))?;
        let mut end = [0; END_BYTES];
        file.read_exact_at(&mut end, end_at)?;
        let mut end = unsealed(&end)?;
        if take(&mut end, MAGIC.len())? != MAGIC {
            return Err(IndexError::Damaged("it is of another form"));
        }
        let (found, found_rows, top_at) =
            (take_u64(&mut end)?, take_u64(&mut end)?, take_u64(&mut end)?);
        if found != stamp || found_rows != rows {
            return Err(IndexError::Damaged("it is that of another file"));
        }
        let bytes = end_at
            .checked_sub(top_at)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .ok_or(IndexError::Damaged("its top lies nowhere"))?;
        let mut top = vec![0; bytes];
        file.read_exact_at(&mut top, top_at)?;
        let mut left = unsealed(&top)?;
        let filter = usize::try_from(take_u64(&mut left)?).ok();
        let filter = filter.ok_or(IndexError::Damaged("its filter is too long"))?;
        let filter = Filter::read(take(&mut left, filter)?);
        let last = take_length(&mut left)?;
        let last = take(&mut left, last)?.to_vec();
        let mut this =
            Self { rows, filter, last, keys: Vec::new(), ends: Vec::new(), starts: vec![0] };
        let mut start = 0_u64;
        while !left.is_empty() {
            let length = take_length(&mut left)?;
            this.keys.extend_from_slice(take(&mut left, length)?);
            this.ends.push(this.keys.len());
            start = start.saturating_add(take_number(&mut left)?);
            this.starts.push(start);
        }
        let blocks = this.ends.len();
        if start != top_at || rows.div_ceil(BLOCK_KEYS as u64) != blocks as u64 {
            return Err(IndexError::Damaged("its blocks do not add up"));
        }
        this.keys.shrink_to_fit();
        Ok(this)
    }

    /// Bytes that it holds.
    pub(crate) fn memory_bytes(&self) -> usize {
        let fixed = size_of::<usize>().saturating_add(size_of::<u64>());
        let blocks = self.keys.len().saturating_add(self.ends.len().saturating_mul(fixed));
        blocks.saturating_add(self.filter.memory_bytes())
    }

    fn first_key(&self, block: usize) -> &[u8] {
        let end = self.ends.get(block).copied().unwrap_or(0);
        let start = block.checked_sub(1).and_then(|b| self.ends.get(b)).copied().unwrap_or(0);
        self.keys.get(start..end).unwrap_or_default()
    }

    /// The first block from `from` on whose first key is not less than `key`.
    fn first_from(&self, from: usize, key: &[u8]) -> usize {
        let (mut low, mut high) = (from, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.first_key(middle) < key {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }

    /// The rows that have one of the keys, ascending. The keys are ascending, each with its hash.
    pub(crate) fn find(&self, file: &File, keys: &[HashedKey]) -> Result<Vec<u64>, IndexError> {
        let first = self.first_key(0);
        let begin = keys.partition_point(|(key, _)| key.as_ref() < first);
        let within = keys.get(begin..).unwrap_or_default().iter();
        let within = within.take_while(|(key, _)| key.as_ref() <= self.last.as_slice());
        let mut block = Block::default();
        let mut hits = Vec::new();
        let mut from = 0;
        for (key, _) in within.filter(|(_, hash)| self.filter.may_have(*hash)) {
            let after = self.first_from(from, key);
            // It may lie in the block before, and in those that begin with it.
            from = after.saturating_sub(1);
            let mut index = from;
            while index < self.ends.len()
                && (index < after || self.first_key(index) == key.as_ref())
            {
                if block.index != Some(index) {
                    self.read_block(file, index, &mut block)?;
                }
                let first = (index as u64).saturating_mul(BLOCK_KEYS as u64);
                hits.extend(block.positions(key).map(|at| first.saturating_add(at as u64)));
                index = index.saturating_add(1);
            }
        }
        Ok(hits)
    }

    fn read_block(&self, file: &File, index: usize, block: &mut Block) -> Result<(), IndexError> {
        let nowhere = || IndexError::Damaged("a block lies nowhere");
        let start = *self.starts.get(index).ok_or_else(nowhere)?;
        let end = *self.starts.get(index.saturating_add(1)).ok_or_else(nowhere)?;
        let blocks_end = self.starts.last().copied().unwrap_or(end);
        block.index = None;
        if start < block.window_at || end > block.window_end() {
            let bytes = blocks_end.min(end.max(start.saturating_add(WINDOW_BYTES)));
            let bytes = usize::try_from(bytes.saturating_sub(start)).map_err(|_| nowhere())?;
            block.window.resize(bytes, 0);
            block.window_at = start;
            file.read_exact_at(&mut block.window, start)?;
        }
        let before = (index as u64).saturating_mul(BLOCK_KEYS as u64);
        let keys = self.rows.saturating_sub(before).min(BLOCK_KEYS as u64);
        let offset = |at: u64| usize::try_from(at.saturating_sub(block.window_at));
        let (from, to) =
            (offset(start).map_err(|_| nowhere())?, offset(end).map_err(|_| nowhere())?);
        block.decode(from..to, usize::try_from(keys).unwrap_or(BLOCK_KEYS))?;
        block.index = Some(index);
        Ok(())
    }
}

/// A block that is decoded.
#[derive(Default)]
struct Block {
    index: Option<usize>,
    /// Bytes of the file, and where they begin.
    window: Vec<u8>,
    window_at: u64,
    keys: Vec<u8>,
    ends: Vec<usize>,
}

impl Block {
    fn window_end(&self) -> u64 {
        self.window_at.saturating_add(self.window.len() as u64)
    }

    fn decode(&mut self, raw: Range<usize>, keys: usize) -> Result<(), IndexError> {
        self.keys.clear();
        self.ends.clear();
        let raw = self.window.get(raw).ok_or(IndexError::Damaged("it is cut off"))?;
        let mut left = unsealed(raw)?;
        let mut last = 0..0_usize;
        while !left.is_empty() {
            let (shared, rest) = (take_length(&mut left)?, take_length(&mut left)?);
            if shared > last.len() {
                return Err(IndexError::Damaged("a key has more in common than there is"));
            }
            let start = self.keys.len();
            self.keys.extend_from_within(last.start..last.start.saturating_add(shared));
            self.keys.extend_from_slice(take(&mut left, rest)?);
            last = start..self.keys.len();
            self.ends.push(last.end);
        }
        if self.ends.len() == keys { Ok(()) } else { Err(IndexError::Damaged("keys are missing")) }
    }

    fn key(&self, at: usize) -> &[u8] {
        let end = self.ends.get(at).copied().unwrap_or(0);
        let start = at.checked_sub(1).and_then(|at| self.ends.get(at)).copied().unwrap_or(0);
        self.keys.get(start..end).unwrap_or_default()
    }

    /// Where a key stands: more than once where others wrote it twice.
    fn positions(&self, key: &[u8]) -> impl Iterator<Item = usize> {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle) < key {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        (low..self.ends.len()).take_while(move |at| self.key(*at) == key)
    }
}

fn seal(bytes: &mut Vec<u8>) {
    let crc = crc32fast::hash(bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
}

fn unsealed(bytes: &[u8]) -> Result<&[u8], IndexError> {
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or(IndexError::Damaged("it is cut off"))?;
    match crc32fast::hash(body) == u32::from_le_bytes(*crc) {
        true => Ok(body),
        false => Err(IndexError::Damaged("it fails its checksum")),
    }
}

/// Seven bits a byte, the least first; the highest bit says that there is more.
fn put_number(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7F).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn take_number(left: &mut &[u8]) -> Result<u64, IndexError> {
    let mut number = 0_u64;
    for shift in (0..63).step_by(7) {
        let byte = *take(left, 1)?.first().ok_or(IndexError::Damaged("it is cut off"))?;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(IndexError::Damaged("a number is too long"))
}

fn take_length(left: &mut &[u8]) -> Result<usize, IndexError> {
    usize::try_from(take_number(left)?).map_err(|_| IndexError::Damaged("a key is too long"))
}

fn take<'a>(left: &mut &'a [u8], bytes: usize) -> Result<&'a [u8], IndexError> {
    let (head, rest) = left.split_at_checked(bytes).ok_or(IndexError::Damaged("it is cut off"))?;
    *left = rest;
    Ok(head)
}

fn take_u64(left: &mut &[u8]) -> Result<u64, IndexError> {
    let bytes = take(left, 8)?.first_chunk::<8>().ok_or(IndexError::Damaged("it is cut off"))?;
    Ok(u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAMP: u64 = 7;

    fn built(keys: &[Vec<u8>]) -> (tempfile::TempDir, std::path::PathBuf) {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("keys");
        let mut builder = Builder::create(&path).expect("created");
        keys.iter().for_each(|key| builder.push(key).expect("sorted"));
        builder.finish(STAMP).expect("written");
        (root, path)
    }

    fn found(path: &Path, rows: u64, wanted: &[Vec<u8>]) -> Result<Vec<u64>, IndexError> {
        let file = File::open(path)?;
        let top = Top::read(&file, STAMP, rows)?;
        let wanted: Vec<_> =
            wanted.iter().map(|key| (key.as_slice().into(), filter::hash(key))).collect();
        top.find(&file, &wanted)
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_look_at_every_key_finds(
            mut keys in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..6), 0..600),
            mut wanted in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..6), 0..60),
        ) {
            keys.sort();
            wanted.sort();
            wanted.dedup();
            let (_root, path) = built(&keys);
            let expected: Vec<u64> = (0..)
                .zip(&keys)
                .filter(|(_, key)| wanted.binary_search(key).is_ok())
                .map(|(row, _)| row)
                .collect();
            prop_assert_eq!(found(&path, keys.len() as u64, &wanted).expect("whole"), expected);
        }
    }

    #[test]
    fn no_flipped_or_missing_byte_goes_unseen() {
        let keys: Vec<Vec<u8>> = (0..300_u32).map(|k| (k * 3).to_be_bytes().to_vec()).collect();
        let (_root, path) = built(&keys);
        let whole = std::fs::read(&path).expect("a file");
        assert_eq!(found(&path, 300, &keys).expect("whole"), (0..300).collect::<Vec<_>>());
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&path, &bytes).expect("written");
            assert!(found(&path, 300, &keys).is_err(), "byte {at}");
        }
        for length in [0, 1, END_BYTES, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).expect("written");
            assert!(found(&path, 300, &keys).is_err(), "{length} bytes");
        }
        std::fs::write(&path, &whole).expect("written");
        assert!(found(&path, 299, &keys).is_err(), "of a file with fewer rows");
    }

    #[test]
    fn keys_that_are_not_sorted_make_no_index() {
        let root = tempfile::tempdir().expect("a folder");
        let mut builder = Builder::create(&root.path().join("keys")).expect("created");
        builder.push(b"b").expect("the first");
        builder.push(b"b").expect("twice");
        assert!(matches!(builder.push(b"a"), Err(IndexError::Unsorted)));
    }
}
