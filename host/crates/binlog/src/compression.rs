//! What a server packed before it wrote it: whole transactions (MySQL, zstd) and single events or
//! columns (MariaDB, zlib).
//!
//! No length that a log announces is allocated at once: buffers grow with the bytes that really come
//! out, and what comes out has to be exactly as long as was announced.

use std::io::{self, Read};

use crate::event::EVENT_BYTES_MAX;

pub(crate) use event::{Packed, unpacked_query, unpacked_rows};
pub(crate) use payload::{Inner, PayloadReader};

mod event;
mod payload;

/// The most that one packed event, or one packed value, may come to; a server writes no larger ones.
pub(crate) const UNPACKED_BYTES_MAX: u64 = EVENT_BYTES_MAX as u64;

/// What is set aside for an unpacked value before its first byte is there.
const FIRST_BYTES: u64 = 64 << 10;

/// How zlib's data is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrap {
    /// With zlib's header and checksum.
    Zlib,
    /// Deflated data alone.
    Raw,
}

/// Why bytes cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PackFault {
    /// More than [`UNPACKED_BYTES_MAX`].
    TooLong,
    /// Another length than was announced.
    Length,
    /// Data that the algorithm did not write.
    Data,
}

impl PackFault {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::TooLong => "compressed data of more than 1 GiB",
            Self::Length => "compressed data of another length than it announces",
            Self::Data => "compressed data that is damaged",
        }
    }
}

/// Appends what `packed` was, which has to be `length` bytes long.
///
/// # Errors
/// Where it is longer or shorter, or damaged; `out` then holds a part of it.
pub(crate) fn inflate(
    packed: &[u8],
    wrap: Wrap,
    length: u64,
    out: &mut Vec<u8>,
) -> Result<(), PackFault> {
    if length > UNPACKED_BYTES_MAX {
        return Err(PackFault::TooLong);
    }
    match wrap {
        Wrap::Zlib => exactly(flate2::read::ZlibDecoder::new(packed), length, out),
        Wrap::Raw => exactly(flate2::read::DeflateDecoder::new(packed), length, out),
    }
}

/// Reads everything, which has to be `length` bytes.
fn exactly(reader: impl Read, length: u64, out: &mut Vec<u8>) -> Result<(), PackFault> {
    out.reserve(usize::try_from(length.min(FIRST_BYTES)).unwrap_or(0));
    let read = reader.take(length.saturating_add(1)).read_to_end(out);
    match read.map(u64::try_from) {
        Ok(Ok(read)) if read == length => Ok(()),
        Ok(_) => Err(PackFault::Length),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(PackFault::Length),
        Err(_) => Err(PackFault::Data),
    }
}

#[cfg(test)]
pub(crate) mod tests;
