//! WRITE, UPDATE and DELETE row events, from their bytes straight into columns.
//!
//! Format: MySQL source, `Rows_event` in libs/mysql/binlog/event/rows_event.h. No value type and no row
//! type stands between the bytes and the columns, and no value costs an allocation.

use change::ImageKind;

use crate::decode_error::{DecodeError, ValueFault};
use crate::row_buffer::{ColumnBuffer, RowBuffer};
use crate::table_map::TableMap;
use crate::wire::{Wire, WireFault};

/// What the rows of an event were done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowsEvent {
    Write,
    Update,
    Delete,
}

/// The two post-headers: version 2 has extra information of a length that it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowsVersion {
    V1,
    V2,
}

/// What stands in front of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowsHead {
    /// The table id of the TABLE_MAP event that the rows belong to.
    pub(crate) table_id: u64,
}

/// The table id of a row event, behind its 19-byte header.
///
/// # Errors
/// Where the event is too short for it.
pub(crate) fn rows_head(body: &[u8]) -> Result<RowsHead, DecodeError> {
    let mut wire = Wire::new(body);
    read_head(&mut wire).map_err(|fault| DecodeError::wire(fault, wire.at()))
}

/// How many bytes stand in front of the rows: head, number of columns, bitmaps of those present.
///
/// # Errors
/// Where the event is too short for them.
pub(crate) fn front_bytes(
    event: RowsEvent,
    version: RowsVersion,
    body: &[u8],
) -> Result<usize, WireFault> {
    let mut wire = Wire::new(body);
    let width = read_width(&mut wire, version)?;
    let bitmap = usize::try_from(width.div_ceil(8)).map_err(|_| WireFault::End)?;
    for _ in 0..bitmaps(event) {
        wire.take(bitmap)?;
    }
    Ok(wire.at())
}

/// Appends the event's images to `out`, those of an update as pairs of before and after, and returns
/// the number of row changes. On an error `out` is cut back to where it was.
///
/// `body` is the event behind its 19-byte header and without checksum.
///
/// # Errors
/// Where the event breaks its format, its images lack columns, or a value cannot be read.
pub(crate) fn decode_rows(
    event: RowsEvent,
    version: RowsVersion,
    body: &[u8],
    map: &TableMap,
    out: &mut RowBuffer,
) -> Result<u32, DecodeError> {
    out.adopt(map)?;
    let start = out.images();
    let decoded = decode(event, version, body, map, out);
    if decoded.is_err() {
        out.truncate(start);
    }
    decoded
}

fn decode(
    event: RowsEvent,
    version: RowsVersion,
    body: &[u8],
    map: &TableMap,
    out: &mut RowBuffer,
) -> Result<u32, DecodeError> {
    let mut wire = Wire::new(body);
    let width = map.schema.columns.len();
    read_front(&mut wire, event, version, width)
        .map_err(|fault| fault.into_error(map, wire.at()))?;
    let start = out.images();
    let mut images = Images { width, wire, row: start, columns: out.columns_mut() };
    let mut changes: u32 = 0;
    while !images.wire.is_empty() {
        let mut read = images.read();
        if read.is_ok() && event == RowsEvent::Update {
            read = images.read();
        }
        read.map_err(|fault| fault.into_error(map, changes, images.wire.at()))?;
        changes = changes.checked_add(1).ok_or(DecodeError::Mismatch("too many rows"))?;
    }
    let count = images.row.saturating_sub(start);
    match event {
        RowsEvent::Write => out.push_kinds(std::iter::repeat_n(ImageKind::Insert, count)),
        RowsEvent::Delete => out.push_kinds(std::iter::repeat_n(ImageKind::Delete, count)),
        RowsEvent::Update => {
            let pair = [ImageKind::Before, ImageKind::After];
            out.push_kinds(std::iter::repeat_n(pair, count / 2).flatten());
        }
    }
    Ok(changes)
}

fn read_head(wire: &mut Wire<'_>) -> Result<RowsHead, WireFault> {
    let table_id = wire.u48()?;
    // No flag changes how rows are read.
    wire.u16()?;
    Ok(RowsHead { table_id })
}

/// Reads the head, what version 2 has behind it, and the number of columns.
fn read_width(wire: &mut Wire<'_>, version: RowsVersion) -> Result<u64, WireFault> {
    read_head(wire)?;
    if version == RowsVersion::V2 {
        // The length counts itself. What it covers (partition ids, NDB data) changes no row.
        let extra = usize::from(wire.u16()?);
        wire.take(extra.checked_sub(2).ok_or(WireFault::Length)?)?;
    }
    wire.lenenc()
}

/// How many bitmaps of columns stand in front of the rows.
fn bitmaps(event: RowsEvent) -> usize {
    if event == RowsEvent::Update { 2 } else { 1 }
}

/// Why the rows cannot even begin.
enum FrontFault {
    Wire(WireFault),
    Width,
    /// The index of the first column that the images lack.
    Absent(usize),
}

impl From<WireFault> for FrontFault {
    fn from(fault: WireFault) -> Self {
        Self::Wire(fault)
    }
}

impl FrontFault {
    fn into_error(self, map: &TableMap, at: usize) -> DecodeError {
        match self {
            Self::Wire(fault) => DecodeError::wire(fault, at),
            Self::Width => DecodeError::Mismatch("another number of columns"),
            Self::Absent(index) => DecodeError::RowImage { column: column_name(map, index) },
        }
    }
}

/// Reads all in front of the first row, and makes sure that every image has every column.
fn read_front(
    wire: &mut Wire<'_>,
    event: RowsEvent,
    version: RowsVersion,
    width: usize,
) -> Result<(), FrontFault> {
    if usize::try_from(read_width(wire, version)?) != Ok(width) {
        return Err(FrontFault::Width);
    }
    for _ in 0..bitmaps(event) {
        let present = wire.take(width.div_ceil(8))?;
        let is_absent = |index: &usize| !bit_lsb(present, *index);
        if let Some(index) = (0..width).find(is_absent) {
            return Err(FrontFault::Absent(index));
        }
    }
    Ok(())
}

/// The rows of an event and the columns that they go to.
struct Images<'a> {
    width: usize,
    wire: Wire<'a>,
    /// The number of images in the columns.
    row: usize,
    columns: &'a mut [ColumnBuffer],
}

impl Images<'_> {
    /// Reads one image: the bitmap of its NULLs, then the cells that are not NULL.
    #[inline(always)]
    fn read(&mut self) -> Result<(), CellFault> {
        let take = self.wire.take(self.width.div_ceil(8));
        let nulls = take.map_err(|_| CellFault { column: 0, fault: ValueFault::End })?;
        // The unused bits of the last byte are 1.
        let unused = u32::try_from(nulls.len() * 8 - self.width).unwrap_or(0);
        let is_full = match nulls.split_last() {
            Some((last, before)) => {
                last.checked_shl(unused).unwrap_or(0) == 0 && before.iter().all(|byte| *byte == 0)
            }
            None => true,
        };
        if is_full {
            for (column, buffer) in self.columns.iter_mut().enumerate() {
                let read = buffer.read(&mut self.wire, self.row);
                read.map_err(|fault| CellFault { column, fault })?;
            }
        } else {
            for (column, buffer) in self.columns.iter_mut().enumerate() {
                let read = if bit_lsb(nulls, column) {
                    buffer.push_null(self.row)
                } else {
                    buffer.read(&mut self.wire, self.row)
                };
                read.map_err(|fault| CellFault { column, fault })?;
            }
        }
        self.row += 1;
        Ok(())
    }
}

/// A fault and the column it was met in.
struct CellFault {
    column: usize,
    fault: ValueFault,
}

impl CellFault {
    #[cold]
    fn into_error(self, map: &TableMap, row: u32, at: usize) -> DecodeError {
        DecodeError::Value { column: column_name(map, self.column), row, at, fault: self.fault }
    }
}

fn column_name(map: &TableMap, index: usize) -> String {
    map.schema.columns.get(index).map_or_else(|| index.to_string(), |column| column.name.clone())
}

/// A bit of a bitmap whose first bit is the least significant one; absent bits are 0.
#[inline]
fn bit_lsb(bitmap: &[u8], index: usize) -> bool {
    bitmap.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
}

#[cfg(test)]
mod tests;
