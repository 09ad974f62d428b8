//! The events of one binlog file, each read whole and checked against its checksum.
//!
//! It must never allocate by a length that the file does not have.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::error::{BinlogError, Place};
use crate::event::{
    CHECKSUM_BYTES, Checksum, EVENT_BYTES_MAX, Event, EventKind, FIRST_EVENT_OFFSET, Format,
    HEADER_BYTES, Header, MAGIC, MAGIC_ENCRYPTED,
};

/// What is read at once. Events are some hundred bytes to 8 KiB; a larger one grows the buffer for as
/// long as it takes.
const BUFFER_BYTES: usize = 1 << 20;

/// An open binlog file.
pub(crate) struct EventFile {
    input: File,
    name: Arc<str>,
    /// Bytes of the file when it was opened, or read since.
    length: u64,
    buffer: Vec<u8>,
    /// The part of the buffer that is read and not yet handed out.
    start: usize,
    filled: usize,
    /// Where in the file that part starts.
    offset: u64,
    format: Option<Format>,
    is_in_use: bool,
}

/// A file's own name.
pub(crate) fn name_of(path: &Path) -> Arc<str> {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into()
}

impl EventFile {
    /// Opens a file and reads its first bytes.
    ///
    /// # Errors
    /// Where it cannot be read, is no binlog, or is encrypted.
    pub(crate) fn open(path: &Path) -> Result<Self, BinlogError> {
        let name = name_of(path);
        let shown: Arc<str> = path.to_string_lossy().into();
        let place = |offset| Place { file: Arc::clone(&shown), offset, event: None };
        let read = |source| BinlogError::Read { place: place(0), source };
        let input = File::open(path).map_err(read)?;
        let metadata = input.metadata().map_err(read)?;
        if metadata.is_dir() {
            return Err(read(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        let mut file = Self {
            input,
            name,
            length: metadata.len(),
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            filled: 0,
            offset: 0,
            format: None,
            is_in_use: false,
        };
        let head = match file.fill(MAGIC.len())? {
            Fill::Whole => file.rest().get(..MAGIC.len()).unwrap_or_default(),
            Fill::Part => file.rest(),
        };
        if head == MAGIC_ENCRYPTED {
            return Err(BinlogError::Encrypted { place: place(0) });
        }
        if head != MAGIC {
            let found = head.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ");
            let found = if found.is_empty() { "missing".to_owned() } else { found };
            return Err(BinlogError::NotABinlog { file: shown, found });
        }
        file.consume(MAGIC.len());
        Ok(file)
    }

    /// The file's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where the next event starts.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// What the last format description said.
    pub(crate) fn format(&self) -> Option<&Format> {
        self.format.as_ref()
    }

    /// Whether the server was still writing it when it was copied.
    pub(crate) fn is_in_use(&self) -> bool {
        self.is_in_use
    }

    /// The next event; none at the end of the file.
    ///
    /// # Errors
    /// Where the file ends inside it, or it is damaged.
    pub(crate) fn next(&mut self) -> Result<Option<Event<'_>>, BinlogError> {
        let offset = self.offset;
        let Some((header, length)) = self.load()? else {
            return Ok(None);
        };
        let from = self.start;
        self.consume(length);
        let bytes = self.buffer.get(from..).and_then(|rest| rest.get(..length));
        let bytes = bytes.unwrap_or_default();
        let place = || Place { file: Arc::clone(&self.name), offset, event: Some(header.kind) };
        let malformed = |what| BinlogError::Malformed { place: place(), what };
        let Some(format) = &self.format else {
            return Err(malformed("the file does not start with a format description"));
        };
        let payload = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let (body, stored) = if header.kind == EventKind::FORMAT_DESCRIPTION {
            // Its checksum is there whatever it says of the other events.
            Format::parse(payload).map(|(body, stored, _)| (body, stored)).map_err(malformed)?
        } else {
            split_checksum(payload, format.checksum).ok_or_else(|| malformed("it is too short"))?
        };
        if header.is_in_use() {
            verify(&header, body, stored, place)?;
        } else if let Some(stored) = stored {
            let summed = length.saturating_sub(CHECKSUM_BYTES);
            let computed = crc32fast::hash(bytes.get(..summed).unwrap_or_default());
            if computed != stored {
                return Err(BinlogError::Checksum { place: place(), stored, computed });
            }
        }
        Ok(Some(Event { header, body, offset, checksum: stored }))
    }

    /// Reads the next event into the buffer; its header and length.
    fn load(&mut self) -> Result<Option<(Header, usize)>, BinlogError> {
        if self.fill(HEADER_BYTES)? == Fill::Part {
            let found = self.rest().len();
            if found == 0 {
                return Ok(None);
            }
            return Err(self.truncated(None, HEADER_BYTES.saturating_sub(found)));
        }
        let Some(header) = Header::parse(self.rest()) else {
            return Err(self.truncated(None, HEADER_BYTES));
        };
        let kind = Some(header.kind);
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        if length < HEADER_BYTES {
            let what = "its length is less than that of its header";
            return Err(BinlogError::Malformed { place: self.place(kind), what });
        }
        if header.length > EVENT_BYTES_MAX {
            let what = "its length is larger than that of any event";
            return Err(BinlogError::Malformed { place: self.place(kind), what });
        }
        if self.fill(length)? == Fill::Part {
            let missing = length.saturating_sub(self.rest().len());
            return Err(self.truncated(kind, missing));
        }
        if header.kind == EventKind::FORMAT_DESCRIPTION {
            let payload = self.rest().get(HEADER_BYTES..length).unwrap_or_default();
            let format = Format::parse(payload).map(|(_, _, format)| format);
            let format =
                format.map_err(|what| BinlogError::Malformed { place: self.place(kind), what })?;
            self.format = Some(format);
            self.is_in_use = header.is_in_use();
        }
        Ok(Some((header, length)))
    }

    fn place(&self, event: Option<EventKind>) -> Place {
        Place { file: Arc::clone(&self.name), offset: self.offset, event }
    }

    fn truncated(&self, event: Option<EventKind>, missing: usize) -> BinlogError {
        let missing = u64::try_from(missing).unwrap_or(u64::MAX);
        BinlogError::Truncated { place: self.place(event), missing }
    }

    /// What is read and not yet handed out.
    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.filled).unwrap_or_default()
    }

    fn consume(&mut self, bytes: usize) {
        self.start = self.start.saturating_add(bytes).min(self.filled);
        self.offset = self.offset.saturating_add(u64::try_from(bytes).unwrap_or(0));
    }

    /// Reads until `wanted` bytes are there, or the file ends.
    fn fill(&mut self, wanted: usize) -> Result<Fill, BinlogError> {
        let present = self.filled.saturating_sub(self.start);
        if present >= wanted {
            return Ok(Fill::Whole);
        }
        self.buffer.copy_within(self.start..self.filled, 0);
        (self.start, self.filled) = (0, present);
        // The file says how much there can be: nothing is reserved by a damaged length.
        let left = self.length.saturating_sub(self.offset);
        let possible = usize::try_from(left).unwrap_or(usize::MAX).min(wanted);
        let size = possible.max(BUFFER_BYTES);
        if size != self.buffer.len() {
            self.buffer.resize(size, 0);
            self.buffer.shrink_to(size);
        }
        while self.filled < wanted {
            let Some(free) = self.buffer.get_mut(self.filled..).filter(|free| !free.is_empty())
            else {
                break;
            };
            match self.input.read(free) {
                Ok(0) => break,
                Ok(read) => self.filled = self.filled.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(BinlogError::Read { place: self.place(None), source }),
            }
        }
        Ok(if self.filled >= wanted { Fill::Whole } else { Fill::Part })
    }

    /// The offset of the first event.
    pub(crate) const FIRST: u64 = FIRST_EVENT_OFFSET;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    Whole,
    Part,
}

/// Body and stored checksum of an event that is no format description.
pub(crate) fn split_checksum(payload: &[u8], checksum: Checksum) -> Option<(&[u8], Option<u32>)> {
    match checksum {
        Checksum::None => Some((payload, None)),
        Checksum::Crc32 => {
            let at = payload.len().checked_sub(CHECKSUM_BYTES)?;
            let (body, crc) = payload.split_at_checked(at)?;
            Some((body, Some(u32::from_le_bytes(crc.try_into().ok()?))))
        }
    }
}

/// Compares an event with its checksum.
///
/// # Errors
/// Where they differ.
pub(crate) fn verify(
    header: &Header,
    body: &[u8],
    stored: Option<u32>,
    place: impl FnOnce() -> Place,
) -> Result<(), BinlogError> {
    let Some(stored) = stored else {
        return Ok(());
    };
    let computed = header.checksum_of(body);
    if computed == stored {
        return Ok(());
    }
    Err(BinlogError::Checksum { place: place(), stored, computed })
}
