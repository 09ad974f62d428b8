//! MySQL's binary JSON to text, in the form of `CAST(json AS CHAR)` (MySQL source, `json_binary.h` and
//! `Json_wrapper::to_string`). MariaDB stores JSON as text and never comes here.
//!
//! Every byte of a document may be read once: offsets that overlap, which would let a small document
//! grow without end, are refused like any other broken format.

mod diff;
mod number;

use crate::decode_error::ValueFault;
use crate::value::decimal::DecimalLayout;
use crate::value::temporal::{append_packed_datetime, append_packed_time};
use crate::wire::{Wire, WireFault};

pub(crate) use diff::{append_changed, append_patch};

/// The server's own limit is 100 levels (JSON_DOCUMENT_MAX_DEPTH); scalars may add one.
const DEPTH_MAX: u32 = 101;

/// Appends the text of a document; on an error `out` holds a part of it.
pub(crate) fn append_text(document: &[u8], out: &mut Vec<u8>) -> Result<(), ValueFault> {
    let Some((kind, body)) = document.split_first() else {
        // Written where a NULL was forced into a NOT NULL column; the server reads it as JSON null.
        out.extend_from_slice(b"null");
        return Ok(());
    };
    let mut printer = Printer { out, unread: document.len() };
    printer.value(*kind, body, 0).map_err(|_| ValueFault::Json)
}

/// The format is broken; where does not matter to anyone.
struct Broken;

impl From<WireFault> for Broken {
    fn from(_: WireFault) -> Self {
        Self
    }
}

impl From<ValueFault> for Broken {
    fn from(_: ValueFault) -> Self {
        Self
    }
}

/// How wide counts and offsets are within a container.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Small,
    Large,
}

impl Width {
    fn bytes(self) -> usize {
        match self {
            Self::Small => 2,
            Self::Large => 4,
        }
    }

    fn read(self, wire: &mut Wire<'_>) -> Result<usize, Broken> {
        usize::try_from(wire.uint_le(self.bytes())?).map_err(|_| Broken)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}

struct Printer<'o> {
    out: &'o mut Vec<u8>,
    /// Bytes of the document that may still be read.
    unread: usize,
}

impl Printer<'_> {
    fn spend(&mut self, bytes: usize) -> Result<(), Broken> {
        self.unread = self.unread.checked_sub(bytes).ok_or(Broken)?;
        Ok(())
    }

    /// A value whose bytes start at the start of `body`.
    fn value(&mut self, kind: u8, body: &[u8], depth: u32) -> Result<(), Broken> {
        if depth > DEPTH_MAX {
            return Err(Broken);
        }
        let mut wire = Wire::new(body);
        match kind {
            0x00 => return self.container(Container::Object, Width::Small, body, depth),
            0x01 => return self.container(Container::Object, Width::Large, body, depth),
            0x02 => return self.container(Container::Array, Width::Small, body, depth),
            0x03 => return self.container(Container::Array, Width::Large, body, depth),
            0x04 => self.literal(wire.u8()?)?,
            0x05 => number::push_integer(self.out, i16::from_le_bytes(wire.array()?)),
            0x06 => number::push_integer(self.out, wire.u16()?),
            0x07 => number::push_integer(self.out, i32::from_le_bytes(wire.array()?)),
            0x08 => number::push_integer(self.out, wire.u32()?),
            0x09 => number::push_integer(self.out, i64::from_le_bytes(wire.array()?)),
            0x0a => number::push_integer(self.out, wire.u64()?),
            0x0b => number::push_double(self.out, f64::from_le_bytes(wire.array()?))?,
            0x0c => {
                let length = variable_length(&mut wire)?;
                self.string(wire.take(length)?);
            }
            0x0f => {
                let field_type = wire.u8()?;
                let length = variable_length(&mut wire)?;
                self.opaque(field_type, wire.take(length)?)?;
            }
            _ => return Err(Broken),
        }
        self.spend(wire.at())
    }

    /// Count, size, key entries, value entries, keys, values; offsets count from `body`'s start.
    fn container(
        &mut self,
        container: Container,
        width: Width,
        body: &[u8],
        depth: u32,
    ) -> Result<(), Broken> {
        let mut wire = Wire::new(body);
        let count = width.read(&mut wire)?;
        let size = width.read(&mut wire)?;
        let body = body.get(..size).ok_or(Broken)?;
        let key_entry = match container {
            Container::Object => width.bytes() + 2,
            Container::Array => 0,
        };
        let entries = count.checked_mul(key_entry + 1 + width.bytes()).ok_or(Broken)?;
        self.spend(entries.checked_add(2 * width.bytes()).ok_or(Broken)?)?;
        let mut keys = Wire::new(wire.take(count.checked_mul(key_entry).ok_or(Broken)?)?);
        let (open, close) = match container {
            Container::Object => (b'{', b'}'),
            Container::Array => (b'[', b']'),
        };
        self.out.push(open);
        for index in 0..count {
            self.comma(index);
            if container == Container::Object {
                let start = width.read(&mut keys)?;
                let length = usize::from(keys.u16()?);
                let end = start.checked_add(length).ok_or(Broken)?;
                self.spend(length)?;
                self.string(body.get(start..end).ok_or(Broken)?);
                self.out.extend_from_slice(b": ");
            }
            let kind = wire.u8()?;
            if is_inline(kind, width) {
                // Its bytes are a part of the entries, which are paid for.
                let inline = wire.take(width.bytes())?;
                self.inline(kind, inline)?;
            } else {
                let offset = width.read(&mut wire)?;
                self.value(kind, body.get(offset..).ok_or(Broken)?, depth + 1)?;
            }
        }
        self.out.push(close);
        Ok(())
    }

    /// What stands before a member or cell.
    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.out.extend_from_slice(b", ");
        }
    }

    fn inline(&mut self, kind: u8, bytes: &[u8]) -> Result<(), Broken> {
        let mut wire = Wire::new(bytes);
        match kind {
            0x04 => self.literal(wire.u8()?)?,
            0x05 => number::push_integer(self.out, i16::from_le_bytes(wire.array()?)),
            0x06 => number::push_integer(self.out, wire.u16()?),
            0x07 => number::push_integer(self.out, i32::from_le_bytes(wire.array()?)),
            0x08 => number::push_integer(self.out, wire.u32()?),
            _ => return Err(Broken),
        }
        Ok(())
    }

    fn literal(&mut self, literal: u8) -> Result<(), Broken> {
        self.out.extend_from_slice(match literal {
            0 => b"null",
            1 => b"true",
            2 => b"false",
            _ => return Err(Broken),
        });
        Ok(())
    }

    /// Whether the bytes are UTF-8 is checked with the whole column.
    fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for byte in text {
            let short = match byte {
                b'"' | b'\\' => *byte,
                0x08 => b'b',
                0x0c => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0..0x20 => {
                    self.out.extend_from_slice(b"\\u00");
                    self.out.push(b'0' + (byte >> 4));
                    self.out.push(hex_digit(byte & 15));
                    continue;
                }
                _ => {
                    self.out.push(*byte);
                    continue;
                }
            };
            self.out.push(b'\\');
            self.out.push(short);
        }
        self.out.push(b'"');
    }

    /// A value of an SQL type that JSON lacks, by the number of that type.
    fn opaque(&mut self, field_type: u8, data: &[u8]) -> Result<(), Broken> {
        let mut wire = Wire::new(data);
        match field_type {
            TYPE_NEWDECIMAL => {
                let layout = DecimalLayout::new(wire.u8()?, wire.u8()?).ok_or(Broken)?;
                layout.append_text(&mut wire, self.out)?;
                return Ok(());
            }
            TYPE_DATE | TYPE_DATETIME | TYPE_TIMESTAMP => {
                let packed = i64::from_le_bytes(wire.array()?);
                self.out.push(b'"');
                append_packed_datetime(packed, field_type != TYPE_DATE, self.out)?;
            }
            TYPE_TIME => {
                self.out.push(b'"');
                append_packed_time(i64::from_le_bytes(wire.array()?), self.out);
            }
            _ => {
                self.out.extend_from_slice(b"\"base64:type");
                number::push_integer(self.out, field_type);
                self.out.push(b':');
                push_base64(self.out, data);
            }
        }
        self.out.push(b'"');
        Ok(())
    }
}

const TYPE_TIMESTAMP: u8 = 7;
const TYPE_DATE: u8 = 10;
const TYPE_TIME: u8 = 11;
const TYPE_DATETIME: u8 = 12;
const TYPE_NEWDECIMAL: u8 = 246;

fn is_inline(kind: u8, width: Width) -> bool {
    matches!(kind, 0x04..=0x06) || (width == Width::Large && matches!(kind, 0x07 | 0x08))
}

/// Seven bits a byte, the lowest first, at most five bytes.
fn variable_length(wire: &mut Wire<'_>) -> Result<usize, Broken> {
    let mut length: u64 = 0;
    for shift in (0..35).step_by(7) {
        let byte = wire.u8()?;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(length).map_err(|_| Broken);
        }
    }
    Err(Broken)
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) }
}

/// As the server's `base64_encode` does: a line break after 76 characters, which JSON escapes.
fn push_base64(out: &mut Vec<u8>, data: &[u8]) {
    let digit = |sextet: u32| match u8::try_from(sextet & 63).unwrap_or(0) {
        value @ 0..26 => b'A' + value,
        value @ 26..52 => b'a' + (value - 26),
        value @ 52..62 => b'0' + (value - 52),
        62 => b'+',
        _ => b'/',
    };
    for (group, bytes) in data.chunks(3).enumerate() {
        if group > 0 && group % 19 == 0 {
            out.extend_from_slice(b"\\n");
        }
        let byte = |at: usize| u32::from(bytes.get(at).copied().unwrap_or(0));
        let word = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        out.push(digit(word >> 18));
        out.push(digit(word >> 12));
        out.push(if bytes.len() > 1 { digit(word >> 6) } else { b'=' });
        out.push(if bytes.len() > 2 { digit(word) } else { b'=' });
    }
}

#[cfg(test)]
mod tests;
