//! Reads a log to its end and looks at what came: the property that every target asks for.

use std::cell::OnceCell;
use std::path::PathBuf;

use arrow_array::Array;
use binlog::{FileSource, ReadOptions, UnknownXa, ZeroDates};
use change::Diagnose;
use tempfile::TempDir;

/// Slices of this size end inside of small logs, and small transactions go to disk: the seams get their share.
const SLICE_IMAGES: usize = 3;
const TRANSACTION_BYTES: usize = 512;

/// How a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As a user reads.
    Plain,
    /// In the smallest slices, spilling, with every policy that lets reading go on.
    InPieces,
}

/// Reads `log` as a file; returns the number of row images.
pub(crate) fn decode(log: &[u8], manner: Manner) -> usize {
    let path = with_scratch(|path| {
        std::fs::write(path, log).expect("the scratch file can be written");
        path.clone()
    });
    let mut source = match FileSource::open(&[path], None, options(manner)) {
        Ok(source) => source,
        Err(error) => return refused(&error),
    };
    let mut images = 0;
    loop {
        match source.next() {
            Ok(None) => return images,
            Err(error) => return images + refused(&error),
            Ok(Some(slice)) => {
                for batch in &slice.batches {
                    for column in batch.columns() {
                        assert_eq!(column.len(), batch.len());
                        column.to_data().validate_full().expect("an array that holds what it says");
                    }
                }
                images += slice.images();
            }
        }
    }
}

fn options(manner: Manner) -> ReadOptions {
    let plain = ReadOptions::default();
    match manner {
        Manner::Plain => plain,
        Manner::InPieces => ReadOptions {
            slice_images_max: SLICE_IMAGES,
            batch_images_max: SLICE_IMAGES,
            transaction_bytes_max: TRANSACTION_BYTES,
            unknown_xa: UnknownXa::Pass,
            zero_dates: ZeroDates::Null,
            ..plain
        },
    }
}

/// An error can be told, whatever it is made of.
fn refused(error: &binlog::BinlogError) -> usize {
    assert!(!error.to_string().is_empty());
    std::hint::black_box(error.hint());
    0
}

/// The file that logs are written to, one a thread; in memory where the system has such a place.
fn with_scratch<T>(then: impl FnOnce(&PathBuf) -> T) -> T {
    thread_local! {
        static SCRATCH: OnceCell<(TempDir, PathBuf)> = const { OnceCell::new() };
    }
    SCRATCH.with(|scratch| {
        let (_, path) = scratch.get_or_init(|| {
            let memory = PathBuf::from("/dev/shm");
            let folder = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir());
            let folder = folder.expect("a folder for temporary files");
            let path = folder.path().join("log.000001");
            (folder, path)
        });
        then(path)
    })
}
