//! WRITE, UPDATE and DELETE row events, from their bytes straight into columns.
//!
//! Format: MySQL source, `Rows_event` in libs/mysql/binlog/event/rows_event.h. No value type and no row
//! type stands between the bytes and the columns, and no value costs an allocation. An event may be read
//! in steps, so that what it comes to need not be in memory at once.

use change::ImageKind;

use crate::decode_error::{DecodeError, ValueFault};
use crate::row_buffer::{ColumnBuffer, DefaultValue, RowBuffer};
use crate::table_map::TableMap;
use crate::wire::{Wire, WireFault};
use part::PartialImages;
use shape::Shape;

mod part;
mod shape;

/// What the rows of an event were done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowsEvent {
    Write,
    Update,
    /// Images after an update whose JSON documents may be changes of those before it.
    PartialUpdate,
    Delete,
}

impl RowsEvent {
    /// Whether each row is an image before and one after.
    pub(crate) fn is_pair(self) -> bool {
        matches!(self, Self::Update | Self::PartialUpdate)
    }

    /// The kinds of the images of one row change.
    pub(crate) fn kinds(self) -> &'static [ImageKind] {
        match self {
            Self::Write => &[ImageKind::Insert],
            Self::Update | Self::PartialUpdate => &[ImageKind::Before, ImageKind::After],
            Self::Delete => &[ImageKind::Delete],
        }
    }
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
    for _ in event.kinds() {
        wire.take(bitmap)?;
    }
    Ok(wire.at())
}

/// Reads the rows of one event.
pub(crate) struct RowsDecoder<'a> {
    event: RowsEvent,
    map: &'a TableMap,
    wire: Wire<'a>,
    /// The columns of the only image of a row, or of the one before.
    first: Shape,
    /// The columns of the image after an update.
    second: Shape,
    /// What an INSERT that leaves out columns gave them, by column.
    defaults: Vec<Option<DefaultValue>>,
    /// Row changes read.
    changes: u32,
}

impl<'a> RowsDecoder<'a> {
    /// Reads what stands in front of the rows. `body` is the event behind its 19-byte header and without
    /// checksum.
    ///
    /// # Errors
    /// Where the event breaks its format, or is an INSERT without columns whose defaults are not known.
    pub(crate) fn new(
        event: RowsEvent,
        version: RowsVersion,
        body: &'a [u8],
        map: &'a TableMap,
    ) -> Result<Self, DecodeError> {
        let mut wire = Wire::new(body);
        let width = map.schema.columns.len();
        let found = read_width(&mut wire, version);
        let found = found.map_err(|fault| DecodeError::wire(fault, wire.at()))?;
        if usize::try_from(found) != Ok(width) {
            return Err(DecodeError::Mismatch("another number of columns"));
        }
        let mut bitmap = || {
            let bits = wire.take(width.div_ceil(8));
            bits.map(|bits| Shape::of(bits, width)).map_err(|_| DecodeError::End)
        };
        let first = bitmap()?;
        let second = if event.is_pair() { bitmap()? } else { first.clone() };
        // Such rows take no bytes, so nothing tells how many there are.
        if first.count(width) == 0 && second.count(width) == 0 {
            return Err(DecodeError::Mismatch("rows without a column"));
        }
        let mut defaults = Vec::new();
        if event == RowsEvent::Write && !first.is_full() {
            for column in 0..width {
                let value = if first.has(column) {
                    None
                } else {
                    let value = map.default_of(column);
                    let omitted = || DecodeError::Omitted { column: column_name(map, column) };
                    Some(DefaultValue::of(&value.ok_or_else(omitted)?))
                };
                defaults.push(value);
            }
        }
        Ok(Self { event, map, wire, first, second, defaults, changes: 0 })
    }

    /// Whether all rows are read.
    pub(crate) fn is_done(&self) -> bool {
        self.wire.is_empty()
    }

    /// Appends images to `out`, those of an update as pairs of before and after, until it has appended
    /// `images_max` or the event ends. Returns the number of row changes. On an error `out` is cut back
    /// to where it was.
    ///
    /// # Errors
    /// Where the event breaks its format, or a value cannot be read.
    pub(crate) fn read(
        &mut self,
        out: &mut RowBuffer,
        images_max: usize,
    ) -> Result<u32, DecodeError> {
        out.adopt(self.map)?;
        let start = out.images();
        let before = self.changes;
        let is_plain =
            self.first.is_full() && self.second.is_full() && self.event != RowsEvent::PartialUpdate;
        let read = if is_plain {
            self.read_full(out, images_max)
        } else {
            self.read_parts(out, images_max)
        };
        let end = match read {
            Ok(end) => end,
            Err(error) => {
                out.truncate(start);
                return Err(error);
            }
        };
        let kinds = self.event.kinds();
        let rows = end.saturating_sub(start) / kinds.len().max(1);
        out.push_kinds(kinds, rows);
        Ok(self.changes.saturating_sub(before))
    }

    /// Reads images that have every column; returns the number of images in `out` then.
    fn read_full(&mut self, out: &mut RowBuffer, images_max: usize) -> Result<usize, DecodeError> {
        let start = out.images();
        let stop = start.saturating_add(images_max);
        let width = self.map.schema.columns.len();
        let is_pair = self.event.is_pair();
        let wire = self.wire.clone();
        let mut images = Images { width, wire, row: start, columns: out.columns_mut() };
        while !images.wire.is_empty() && images.row < stop {
            let mut read = images.read();
            if read.is_ok() && is_pair {
                read = images.read();
            }
            read.map_err(|fault| fault.into_error(self.map, self.changes, images.wire.at()))?;
            self.changes = next_change(self.changes)?;
        }
        self.wire = images.wire;
        Ok(images.row)
    }

    /// Reads images that lack columns, or hold changes of documents.
    fn read_parts(&mut self, out: &mut RowBuffer, images_max: usize) -> Result<usize, DecodeError> {
        let start = out.images();
        let stop = start.saturating_add(images_max);
        let mut images =
            PartialImages::new(self.event, (&self.first, &self.second), &self.defaults);
        let wire = self.wire.clone();
        let mut target = Images { width: 0, wire, row: start, columns: out.columns_mut() };
        while !target.wire.is_empty() && target.row < stop {
            let read = images.read_change(&mut target);
            read.map_err(|fault| fault.into_error(self.map, self.changes, target.wire.at()))?;
            self.changes = next_change(self.changes)?;
        }
        self.wire = target.wire;
        Ok(target.row)
    }
}

fn next_change(changes: u32) -> Result<u32, DecodeError> {
    changes.checked_add(1).ok_or(DecodeError::Mismatch("too many rows"))
}

/// Appends all images of an event. On an error `out` is cut back to where it was.
///
/// # Errors
/// As [`RowsDecoder`].
pub(crate) fn decode_rows(
    event: RowsEvent,
    version: RowsVersion,
    body: &[u8],
    map: &TableMap,
    out: &mut RowBuffer,
) -> Result<u32, DecodeError> {
    let mut rows = RowsDecoder::new(event, version, body, map)?;
    rows.read(out, usize::MAX)
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

/// The rows of an event and the columns that they go to.
struct Images<'a, 'o> {
    width: usize,
    wire: Wire<'a>,
    /// The number of images in the columns.
    row: usize,
    columns: &'o mut [ColumnBuffer],
}

impl Images<'_, '_> {
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
