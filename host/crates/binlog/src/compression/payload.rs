//! MySQL's TRANSACTION_PAYLOAD: the events of a transaction in one, packed with zstd
//! (`binlog_transaction_compression`). They are unpacked one by one.
//!
//! Format: <https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Transaction__payload__event.html>.
//! Events within have headers of their own and no checksum; their positions mean nothing.

use std::io::{self, BufReader, Read};

use crate::event::{EVENT_BYTES_MAX, EventKind, HEADER_BYTES, Header};
use crate::wire::{Wire, WireFault};

/// Fields in front of the data.
mod field {
    pub(super) const END: u64 = 0;
    pub(super) const PAYLOAD_BYTES: u64 = 1;
    pub(super) const COMPRESSION: u64 = 2;
    pub(super) const UNPACKED_BYTES: u64 = 3;
}

const ZSTD: u64 = 0;
const PLAIN: u64 = 255;

/// What the unpacked events of one transaction may come to; a server's own limit is that of its cache
/// (`max_binlog_cache_size`), and a thousandfold compression of an event of a gibibyte stays below it.
const PAYLOAD_BYTES_MAX: u64 = 1 << 40;

/// Why a payload cannot be read.
pub(crate) type Fault = &'static str;

const DAMAGED: Fault = "the compressed transaction is damaged";
pub(super) const LENGTH: Fault =
    "the compressed transaction is of another length than it announces";

/// An event within a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inner<'a> {
    pub(crate) header: Header,
    pub(crate) body: &'a [u8],
}

/// Reads the events of a payload.
pub(crate) struct PayloadReader<'a> {
    input: Input<'a>,
    /// Bytes of events that are still to come.
    left: u64,
    buffer: Vec<u8>,
}

enum Input<'a> {
    Plain(&'a [u8]),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<&'a [u8]>>>),
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(bytes) => bytes.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

impl<'a> PayloadReader<'a> {
    /// Reads the fields in front of the data. `buffer` is one of an earlier payload, to be used again.
    ///
    /// # Errors
    /// A text that says what is wrong.
    pub(crate) fn new(body: &'a [u8], mut buffer: Vec<u8>) -> Result<Self, Fault> {
        buffer.clear();
        let fields = Fields::read(body).map_err(|_| "the event is too short")?;
        let data = fields.data;
        if fields.payload_bytes.is_some_and(|bytes| u64::try_from(data.len()) != Ok(bytes)) {
            return Err("the event is of another length than the transaction in it");
        }
        let plain = || u64::try_from(data.len()).unwrap_or(u64::MAX);
        let (input, left) = match (fields.compression, fields.unpacked_bytes) {
            (Some(ZSTD), Some(unpacked)) if unpacked <= PAYLOAD_BYTES_MAX => {
                let decoder = zstd::stream::read::Decoder::new(data).map_err(|_| DAMAGED)?;
                (Input::Zstd(Box::new(decoder)), unpacked)
            }
            (Some(ZSTD), _) => return Err(LENGTH),
            (Some(PLAIN), unpacked) => {
                if unpacked.is_some_and(|bytes| bytes != plain()) {
                    return Err(LENGTH);
                }
                (Input::Plain(data), plain())
            }
            _ => return Err("a transaction in a compression that is not known"),
        };
        Ok(Self { input, left, buffer })
    }

    /// The next event; none behind the last one.
    ///
    /// # Errors
    /// A text that says what is wrong.
    pub(crate) fn next(&mut self) -> Result<Option<Inner<'_>>, Fault> {
        if self.left == 0 {
            let rest = self.input.read(&mut [0]).map_err(|_| DAMAGED)?;
            return if rest == 0 { Ok(None) } else { Err(LENGTH) };
        }
        self.buffer.clear();
        self.fill(HEADER_BYTES)?;
        let header = Header::parse(&self.buffer).ok_or(LENGTH)?;
        if header.length > EVENT_BYTES_MAX {
            return Err("an event in the compressed transaction is larger than any event");
        }
        if header.kind == EventKind::TRANSACTION_PAYLOAD {
            return Err("a compressed transaction within a compressed transaction");
        }
        let length = usize::try_from(header.length).map_err(|_| LENGTH)?;
        let rest = length.checked_sub(HEADER_BYTES);
        self.fill(
            rest.ok_or("an event in the compressed transaction is shorter than its header")?,
        )?;
        let body = self.buffer.get(HEADER_BYTES..).unwrap_or_default();
        Ok(Some(Inner { header, body }))
    }

    /// The buffer, for another payload.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Reads more bytes to the buffer's end, which grows only by what there is.
    fn fill(&mut self, more: usize) -> Result<(), Fault> {
        let wanted = u64::try_from(more).map_err(|_| LENGTH)?;
        self.left = self.left.checked_sub(wanted).ok_or(LENGTH)?;
        let read = (&mut self.input).take(wanted).read_to_end(&mut self.buffer);
        match read {
            Ok(read) if read == more => Ok(()),
            Ok(_) => Err(LENGTH),
            Err(_) => Err(DAMAGED),
        }
    }
}

struct Fields<'a> {
    payload_bytes: Option<u64>,
    compression: Option<u64>,
    unpacked_bytes: Option<u64>,
    data: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(body: &'a [u8]) -> Result<Self, WireFault> {
        let mut wire = Wire::new(body);
        let (mut payload_bytes, mut compression, mut unpacked_bytes) = (None, None, None);
        loop {
            let kind = wire.lenenc()?;
            if kind == field::END {
                break;
            }
            let value = wire.lenenc_bytes()?;
            let number = || Wire::new(value).lenenc();
            match kind {
                field::PAYLOAD_BYTES => payload_bytes = Some(number()?),
                field::COMPRESSION => compression = Some(number()?),
                field::UNPACKED_BYTES => unpacked_bytes = Some(number()?),
                // Fields that are not known are skipped by their length, as the format intends.
                _ => {}
            }
        }
        Ok(Self { payload_bytes, compression, unpacked_bytes, data: wire.rest() })
    }
}
