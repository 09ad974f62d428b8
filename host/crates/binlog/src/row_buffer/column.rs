//! One column being built: the cell reader of the hot loop, and the buffers that become an array.

use arrow_array::ArrayRef;
use arrow_buffer::{BooleanBuffer, MutableBuffer};
use change::{Column, ColumnType};

use super::array;
use super::default::DefaultValue;
use super::validity::Validity;
use crate::decode_error::{DecodeError, ValueFault};
use crate::table_map::{Cell, Labels, Prefix};
use crate::value::ZeroDates;
use crate::value::address::Address;
use crate::value::{address, json, packed, temporal};
use crate::wire::{Wire, WireFault};

/// Bytes of an offset.
const OFFSET_BYTES: usize = size_of::<i32>();

/// Bytes of the widest value of a fixed width, a DECIMAL.
const FIXED_BYTES_MAX: usize = size_of::<i128>();

/// The values of one column.
#[derive(Debug)]
pub(crate) struct ColumnBuffer {
    cell: Cell,
    nullable: bool,
    /// Bytes of a value in `fixed`; for text and bytes those of an offset.
    width: usize,
    is_variable: bool,
    /// Values of a fixed width (booleans one byte each), or the offsets of text and bytes: one more
    /// than there are values, the first 0.
    fixed: MutableBuffer,
    /// Text and bytes.
    bytes: Vec<u8>,
    validity: Validity,
    /// The values that the log told; exists from the first on that it did not.
    told: Validity,
    zero_dates: u64,
    /// What the batch before took, so that this one need not grow step by step.
    fixed_hint: usize,
    bytes_hint: usize,
}

impl ColumnBuffer {
    pub(super) fn new(column: &Column, cell: Cell) -> Self {
        let is_variable = column.column_type.is_variable();
        let width = match column.column_type {
            ColumnType::Boolean => 1,
            other => other.fixed_width().unwrap_or(OFFSET_BYTES),
        };
        let mut buffer = Self {
            cell,
            nullable: column.nullable,
            width,
            is_variable,
            fixed: MutableBuffer::new(0),
            bytes: Vec::new(),
            validity: Validity::default(),
            told: Validity::default(),
            zero_dates: 0,
            fixed_hint: 0,
            bytes_hint: 0,
        };
        buffer.start_offsets();
        buffer
    }

    pub(super) fn set_cell(&mut self, cell: Cell) {
        self.cell = cell;
    }

    pub(super) fn take_zero_dates(&mut self) -> u64 {
        std::mem::take(&mut self.zero_dates)
    }

    /// Makes room for a little more than the batch before had: a buffer that falls short by one value
    /// is copied whole.
    pub(super) fn reserve(&mut self) {
        self.fixed.reserve(with_margin(self.fixed_hint));
        self.bytes.reserve(with_margin(self.bytes_hint));
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        if self.is_variable {
            self.fixed.truncate((rows + 1) * OFFSET_BYTES);
            let end = self.fixed.typed_data::<i32>().last().copied().unwrap_or(0);
            self.bytes.truncate(usize::try_from(end).unwrap_or(0));
        } else {
            self.fixed.truncate(rows * self.width);
        }
        self.validity.truncate(rows);
        self.told.truncate(rows);
    }

    /// Bytes that the values take.
    pub(super) fn bytes(&self) -> usize {
        self.fixed.len().saturating_add(self.bytes.len())
    }

    /// Takes out which of the first `rows` values the log told; none where it told all. Called before
    /// [`Self::take`].
    pub(super) fn take_told(&mut self, rows: usize) -> Option<BooleanBuffer> {
        let told = self.told.take(rows, self.rows());
        told.map(|told| told.inner().clone())
    }

    /// Takes the first `rows` out as an array; the rest moves to the front.
    pub(super) fn take(&mut self, rows: usize, column: &Column) -> Result<ArrayRef, DecodeError> {
        let validity = self.validity.take(rows, self.rows());
        if !self.is_variable {
            let values = split_fixed(&mut self.fixed, rows * self.width);
            self.fixed_hint = values.len();
            return array::fixed(column, values, rows, validity);
        }
        let (offsets, bytes) = self.split_variable(rows);
        self.fixed_hint = offsets.len();
        self.bytes_hint = bytes.len();
        array::variable(column, offsets, bytes, rows, validity)
    }

    fn rows(&self) -> usize {
        (self.fixed.len() / self.width).saturating_sub(usize::from(self.is_variable))
    }

    fn start_offsets(&mut self) {
        if self.is_variable && self.fixed.is_empty() {
            self.fixed.push(0_i32);
        }
    }

    fn split_variable(&mut self, rows: usize) -> (MutableBuffer, Vec<u8>) {
        let mut rest = MutableBuffer::new(0);
        let offsets = self.fixed.typed_data::<i32>().get(rows..).unwrap_or_default();
        let start = offsets.first().copied().unwrap_or(0);
        for offset in offsets {
            rest.push(offset.saturating_sub(start));
        }
        let rest_bytes = self.bytes.split_off(usize::try_from(start).unwrap_or(0));
        let mut offsets = std::mem::replace(&mut self.fixed, rest);
        offsets.truncate((rows + 1) * OFFSET_BYTES);
        self.start_offsets();
        (offsets, std::mem::replace(&mut self.bytes, rest_bytes))
    }

    /// Appends NULL.
    #[inline]
    pub(crate) fn push_null(&mut self, row: usize) -> Result<(), ValueFault> {
        if !self.nullable {
            return Err(ValueFault::Null);
        }
        self.push_nothing(row)
    }

    /// Appends a value that the log does not tell.
    pub(crate) fn push_absent(&mut self, row: usize) -> Result<(), ValueFault> {
        self.told.set_null(row);
        self.push_nothing(row)
    }

    /// Appends the value before once more.
    pub(crate) fn push_same(&mut self, row: usize) -> Result<(), ValueFault> {
        if row.checked_sub(1).is_none_or(|before| self.validity.is_null(before)) {
            return self.push_nothing(row);
        }
        if self.is_variable {
            let offsets = self.fixed.typed_data::<i32>();
            let [.., start, end] = offsets else { return Err(ValueFault::End) };
            let (Ok(start), Ok(end)) = (usize::try_from(*start), usize::try_from(*end)) else {
                return Err(ValueFault::End);
            };
            if end > self.bytes.len() || start > end {
                return Err(ValueFault::End);
            }
            self.bytes.extend_from_within(start..end);
            return self.push_end();
        }
        let mut value = [0; FIXED_BYTES_MAX];
        let start = self.fixed.len().checked_sub(self.width).ok_or(ValueFault::End)?;
        let last = self.fixed.as_slice().get(start..).ok_or(ValueFault::End)?;
        let value = value.get_mut(..self.width).ok_or(ValueFault::End)?;
        value.copy_from_slice(last);
        self.fixed.extend_from_slice(value);
        Ok(())
    }

    /// Appends the value of a definition.
    pub(crate) fn push_default(
        &mut self,
        value: &DefaultValue,
        row: usize,
    ) -> Result<(), ValueFault> {
        match value {
            DefaultValue::Fixed(bytes) if !self.is_variable && bytes.len() == self.width => {
                self.fixed.extend_from_slice(bytes);
                Ok(())
            }
            DefaultValue::Variable(bytes) if self.is_variable => {
                self.bytes.extend_from_slice(bytes);
                self.push_end()
            }
            _ => self.push_null(row),
        }
    }

    /// How the length of a JSON document is written; none for columns of another type.
    pub(crate) fn json_prefix(&self) -> Option<Prefix> {
        match self.cell {
            Cell::Json(prefix) => Some(prefix),
            _ => None,
        }
    }

    /// Appends a document after some changes.
    pub(crate) fn push_changed(&mut self, document: &[u8], diffs: &[u8]) -> Result<(), ValueFault> {
        json::append_changed(document, diffs, &mut self.bytes)?;
        self.push_end()
    }

    /// Appends changes of a document that the log does not tell: the value counts as one that is not told,
    /// and its slot holds the changes.
    pub(crate) fn push_patch(&mut self, diffs: &[u8], row: usize) -> Result<(), ValueFault> {
        self.told.set_null(row);
        json::append_patch(diffs, &mut self.bytes)?;
        self.push_end()
    }

    fn push_nothing(&mut self, row: usize) -> Result<(), ValueFault> {
        self.validity.set_null(row);
        if self.is_variable {
            return self.push_end();
        }
        self.fixed.extend_zeros(self.width);
        Ok(())
    }

    /// Reads the next cell. `row` is the number of values before it.
    ///
    /// On an error the column may hold a part of the value; `truncate` mends that.
    #[inline]
    pub(crate) fn read(&mut self, wire: &mut Wire<'_>, row: usize) -> Result<(), ValueFault> {
        match &self.cell {
            Cell::Byte => self.fixed.push(wire.u8()?),
            Cell::Two => self.fixed.push(wire.u16()?),
            Cell::Four => self.fixed.push(wire.u32()?),
            Cell::Eight => self.fixed.push(wire.u64()?),
            Cell::Plain(prefix) => {
                let length = read_length(wire, *prefix)?;
                self.bytes.extend_from_slice(wire.take(length)?);
                return self.push_end();
            }
            _ => return self.read_other(wire, row),
        }
        Ok(())
    }

    /// The cells that are more than a copy. Apart, so that those that are none stay small.
    #[inline(never)]
    fn read_other(&mut self, wire: &mut Wire<'_>, row: usize) -> Result<(), ValueFault> {
        match &self.cell {
            Cell::Int24 => {
                let value = (wire.u24()? << 8).cast_signed();
                self.fixed.push(value >> 8);
            }
            Cell::UInt24 => self.fixed.push(wire.u24()?),
            Cell::Year => {
                let year = i16::from(wire.u8()?);
                self.fixed.push(if year == 0 { 0 } else { year + 1900 });
            }
            Cell::Boolean => match wire.u8()? {
                bit @ 0..=1 => self.fixed.push(bit),
                _ => return Err(ValueFault::Bits),
            },
            Cell::Bits { bits } => {
                let value = wire.uint_be(usize::from(bits.div_ceil(8)))?;
                if value.checked_shr(u32::from(*bits)).unwrap_or(0) > 0 {
                    return Err(ValueFault::Bits);
                }
                self.fixed.push(value);
            }
            Cell::Decimal(layout) => self.fixed.push(layout.read_i128(wire)?),
            Cell::Time(fraction) => self.fixed.push(temporal::read_time(wire, *fraction)?),
            Cell::Date(policy) => match temporal::read_date(wire) {
                Ok(days) => self.fixed.push(days),
                Err(fault) => return self.push_zero_date(*policy, fault, row),
            },
            Cell::DateTime(fraction, policy) => match temporal::read_datetime(wire, *fraction) {
                Ok(micros) => self.fixed.push(micros),
                Err(fault) => return self.push_zero_date(*policy, fault, row),
            },
            Cell::Timestamp(fraction, policy) => match temporal::read_timestamp(wire, *fraction) {
                Ok(micros) => self.fixed.push(micros),
                Err(fault) => return self.push_zero_date(*policy, fault, row),
            },
            _ => {
                self.read_bytes(wire)?;
                return self.push_end();
            }
        }
        Ok(())
    }

    /// The cells that end in `bytes`.
    #[inline(never)]
    fn read_bytes(&mut self, wire: &mut Wire<'_>) -> Result<(), ValueFault> {
        let out = &mut self.bytes;
        match &self.cell {
            Cell::Coded(prefix, charset) => {
                let length = read_length(wire, *prefix)?;
                charset.append(wire.take(length)?, out)?;
            }
            Cell::Padded(prefix, width) => {
                let length = read_length(wire, *prefix)?;
                let missing = usize::from(*width).checked_sub(length).ok_or(ValueFault::Length)?;
                out.extend_from_slice(wire.take(length)?);
                out.resize(out.len().saturating_add(missing), 0);
            }
            Cell::Address(declared) => {
                let length = read_length(wire, 1)?;
                let value = wire.take(length)?;
                match declared {
                    Address::Uuid => address::append_uuid(padded(value)?, out),
                    Address::Inet6 => address::append_inet6(padded(value)?, out),
                    Address::Inet4 => address::append_inet4(padded(value)?, out),
                }
            }
            Cell::Compressed(prefix, charset) => {
                let length = read_length(wire, *prefix)?;
                packed::append(wire.take(length)?, *charset, out)?;
            }
            Cell::Json(prefix) => {
                let length = read_length(wire, *prefix)?;
                json::append_text(wire.take(length)?, out)?;
            }
            Cell::WideDecimal(layout) => layout.append_text(wire, out)?,
            Cell::Enum(width, labels) => {
                // 0 is the empty text that the server stores in place of a value it refused.
                let number = wire.uint_le(usize::from(*width))?;
                if let Some(at) = number.checked_sub(1) {
                    out.extend_from_slice(labels.get(at)?.as_bytes());
                }
            }
            Cell::Set(width, labels) => {
                let mut bits = wire.uint_le(usize::from(*width))?;
                let start = out.len();
                while bits > 0 {
                    if out.len() > start {
                        out.push(b',');
                    }
                    out.extend_from_slice(labels.get(u64::from(bits.trailing_zeros()))?.as_bytes());
                    bits &= bits - 1;
                }
            }
            // The others are not text and never come here.
            _ => return Err(ValueFault::Length),
        }
        Ok(())
    }

    #[inline(always)]
    fn push_end(&mut self) -> Result<(), ValueFault> {
        self.fixed.push(i32::try_from(self.bytes.len()).map_err(|_| ValueFault::Full)?);
        Ok(())
    }

    /// A date that could not be read: NULL where it is one that no calendar has and the policy says so.
    #[cold]
    fn push_zero_date(
        &mut self,
        policy: ZeroDates,
        fault: ValueFault,
        row: usize,
    ) -> Result<(), ValueFault> {
        if fault != ValueFault::ZeroDate || policy != ZeroDates::Null {
            return Err(fault);
        }
        self.zero_dates += 1;
        self.push_null(row)
    }
}

impl Labels {
    fn get(&self, at: u64) -> Result<&str, ValueFault> {
        let label = usize::try_from(at).ok().and_then(|at| self.0.get(at));
        label.map(String::as_str).ok_or(ValueFault::Label)
    }
}

/// A value whose trailing zeros were cut off.
fn padded<const N: usize>(value: &[u8]) -> Result<[u8; N], ValueFault> {
    let mut whole = [0; N];
    let (head, _) = whole.split_at_mut_checked(value.len()).ok_or(ValueFault::Length)?;
    head.copy_from_slice(value);
    Ok(whole)
}

#[inline(always)]
pub(crate) fn read_length(wire: &mut Wire<'_>, prefix: Prefix) -> Result<usize, WireFault> {
    match prefix {
        1 => wire.u8().map(usize::from),
        2 => wire.u16().map(usize::from),
        3 => usize::try_from(wire.u24()?).map_err(|_| WireFault::End),
        _ => usize::try_from(wire.u32()?).map_err(|_| WireFault::End),
    }
}

fn with_margin(bytes: usize) -> usize {
    bytes.saturating_add(bytes / 8)
}

/// Leaves what stands behind the first `bytes` bytes.
fn split_fixed(buffer: &mut MutableBuffer, bytes: usize) -> MutableBuffer {
    let mut rest = MutableBuffer::new(0);
    rest.extend_from_slice(buffer.as_slice().get(bytes..).unwrap_or_default());
    let mut head = std::mem::replace(buffer, rest);
    head.truncate(bytes);
    head
}
