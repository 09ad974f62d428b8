//! DECIMAL: groups of nine digits, big-endian, the first bit flipped, all bits flipped where negative
//! (MySQL source, `decimal2bin` in strings/decimal.cc).

use crate::decode_error::ValueFault;
use crate::wire::Wire;

/// The most digits that a server allows.
const PRECISION_MAX: u8 = 65;
/// The most digits that Arrow's 128-bit decimal holds.
pub(crate) const PRECISION_128_MAX: u8 = 38;
/// Digits in a full group, which takes four bytes.
const GROUP_DIGITS: u8 = 9;
/// The most groups that 65 digits make: a part of a group in front, and one behind.
const GROUPS_MAX: usize = 9;
/// The power of ten that a group of so many digits stays below.
const CEILINGS: [u32; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// How the digits of a DECIMAL column lie in its bytes. Worked out once a table map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DecimalLayout {
    precision: u8,
    scale: u8,
    /// Bytes of a value.
    bytes: u8,
    /// The groups in front of the point.
    whole: u8,
    /// All groups.
    count: u8,
    /// The digits of each group, in the order of their bytes.
    digits: [u8; GROUPS_MAX],
}

impl DecimalLayout {
    /// None where no server has such a column.
    pub(crate) fn new(precision: u8, scale: u8) -> Option<Self> {
        if !(1..=PRECISION_MAX).contains(&precision) {
            return None;
        }
        let whole = precision.checked_sub(scale)?;
        let full = |digits: u8| (0..digits / GROUP_DIGITS).map(|_| GROUP_DIGITS);
        let part = |digits: u8| Some(digits % GROUP_DIGITS).filter(|rest| *rest > 0);
        let front = part(whole).into_iter().chain(full(whole));
        let behind = full(scale).chain(part(scale));
        let mut layout = Self {
            precision,
            scale,
            bytes: 0,
            whole: u8::try_from(front.clone().count()).ok()?,
            count: u8::try_from(front.clone().chain(behind.clone()).count()).ok()?,
            digits: [0; GROUPS_MAX],
        };
        for (slot, digits) in layout.digits.iter_mut().zip(front.chain(behind)) {
            *slot = digits;
            layout.bytes += group_bytes(digits);
        }
        Some(layout)
    }

    pub(crate) fn precision(self) -> u8 {
        self.precision
    }

    pub(crate) fn scale(self) -> u8 {
        self.scale
    }

    /// The digits of each group.
    #[inline]
    fn groups(&self) -> impl Iterator<Item = u8> {
        self.digits.iter().take(usize::from(self.count)).copied()
    }

    /// The unscaled value of a column of at most 38 digits.
    #[inline]
    pub(crate) fn read_i128(self, wire: &mut Wire<'_>) -> Result<i128, ValueFault> {
        let mut groups = self.read_groups(wire)?;
        let mut value: i128 = 0;
        for digits in self.groups() {
            let (group, ceiling) = groups.next(digits)?;
            // Each group is below its power of ten, so 38 digits never leave 128 bits.
            value = value.wrapping_mul(i128::from(ceiling)).wrapping_add(i128::from(group));
        }
        Ok(if groups.negative { value.wrapping_neg() } else { value })
    }

    /// The value as text with all its digits, as CAST(.. AS CHAR) writes it.
    pub(crate) fn append_text(
        self,
        wire: &mut Wire<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ValueFault> {
        let mut groups = self.read_groups(wire)?;
        let start = out.len();
        let mut is_begun = false;
        let mut zero = true;
        if groups.negative {
            out.push(b'-');
        }
        for (index, digits) in self.groups().enumerate() {
            let (group, _) = groups.next(digits)?;
            zero &= group == 0;
            if index == usize::from(self.whole) {
                if !is_begun {
                    out.push(b'0');
                }
                out.push(b'.');
                is_begun = true;
            }
            if is_begun {
                push_padded(out, group, usize::from(digits));
            } else if group > 0 {
                push_padded(out, group, decimal_digits(group));
                is_begun = true;
            }
        }
        if !is_begun {
            out.push(b'0');
        }
        if zero && groups.negative {
            out.remove(start);
        }
        Ok(())
    }

    #[inline]
    fn read_groups<'a>(self, wire: &mut Wire<'a>) -> Result<Groups<'a>, ValueFault> {
        let bytes = wire.take(usize::from(self.bytes))?;
        let negative = bytes.first().is_none_or(|first| first & 0x80 == 0);
        let flip = if negative { u32::MAX } else { 0 };
        Ok(Groups { wire: Wire::new(bytes), negative, flip, sign: 0x80 })
    }
}

/// The groups of one value.
struct Groups<'a> {
    wire: Wire<'a>,
    negative: bool,
    /// The bits that a negative value has flipped.
    flip: u32,
    /// The bit that the first byte has flipped.
    sign: u32,
}

impl Groups<'_> {
    /// A group's value, and the power of ten that it stays below.
    #[inline(always)]
    fn next(&mut self, digits: u8) -> Result<(u32, u32), ValueFault> {
        let (raw, mask) = match group_bytes(digits) {
            1 => (u32::from(self.wire.u8()?) ^ self.sign, 0xff),
            2 => (u32::from(self.wire.array().map(u16::from_be_bytes)?) ^ (self.sign << 8), 0xffff),
            3 => {
                let [a, b, c] = self.wire.array()?;
                (u32::from_be_bytes([0, a, b, c]) ^ (self.sign << 16), 0xff_ffff)
            }
            _ => (self.wire.array().map(u32::from_be_bytes)? ^ (self.sign << 24), u32::MAX),
        };
        self.sign = 0;
        let value = (raw ^ self.flip) & mask;
        let ceiling = CEILINGS.get(usize::from(digits)).copied().unwrap_or(0);
        if value >= ceiling { Err(ValueFault::Decimal) } else { Ok((value, ceiling)) }
    }
}

#[inline(always)]
fn group_bytes(digits: u8) -> u8 {
    match digits {
        0 => 0,
        1 | 2 => 1,
        3 | 4 => 2,
        5 | 6 => 3,
        _ => 4,
    }
}

fn decimal_digits(value: u32) -> usize {
    value.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Appends `value` with zeros in front, to at least `width` digits.
pub(crate) fn push_padded(out: &mut Vec<u8>, value: u32, width: usize) {
    let digits = decimal_digits(value);
    out.resize(out.len() + width.saturating_sub(digits), b'0');
    let mut divisor = 10_u32.pow(u32::try_from(digits.saturating_sub(1)).unwrap_or(0));
    while divisor > 0 {
        let digit = u8::try_from((value / divisor) % 10).unwrap_or(0);
        out.push(b'0' + digit);
        divisor /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(precision: u8, scale: u8, bytes: &[u8]) -> Result<String, ValueFault> {
        let layout = DecimalLayout::new(precision, scale).expect("a layout");
        let mut out = Vec::new();
        layout.append_text(&mut Wire::new(bytes), &mut out)?;
        Ok(String::from_utf8(out).expect("digits"))
    }

    /// The bytes are those of the comment in MySQL's `decimal2bin`, and of its neighbours.
    #[test]
    fn a_decimal_reads_as_the_server_wrote_it() {
        let golden: [(u8, u8, &[u8], i128, &str); 6] = [
            (
                14,
                4,
                &[0x81, 0x0D, 0xFB, 0x38, 0xD2, 0x04, 0xD2],
                12_345_678_901_234,
                "1234567890.1234",
            ),
            (
                14,
                4,
                &[0x7E, 0xF2, 0x04, 0xC7, 0x2D, 0xFB, 0x2D],
                -12_345_678_901_234,
                "-1234567890.1234",
            ),
            (5, 2, &[0x80, 0x01, 0x05], 105, "1.05"),
            (5, 2, &[0x7f, 0xff, 0xfa], -5, "-0.05"),
            (4, 0, &[0x80, 0x00], 0, "0"),
            (3, 3, &[0x80, 0x07], 7, "0.007"),
        ];
        for (precision, scale, bytes, unscaled, shown) in golden {
            let layout = DecimalLayout::new(precision, scale).expect("a layout");
            assert_eq!(layout.read_i128(&mut Wire::new(bytes)), Ok(unscaled), "{shown}");
            assert_eq!(text(precision, scale, bytes).as_deref(), Ok(shown));
        }
    }

    #[test]
    fn groups_beyond_their_digits_are_refused() {
        let layout = DecimalLayout::new(9, 0).expect("a layout");
        let bytes = [0xff, 0xff, 0xff, 0xff];
        assert_eq!(layout.read_i128(&mut Wire::new(&bytes)), Err(ValueFault::Decimal));
        assert_eq!(layout.read_i128(&mut Wire::new(&[0x80])), Err(ValueFault::End));
        assert!(DecimalLayout::new(66, 0).is_none());
        assert!(DecimalLayout::new(0, 0).is_none());
        assert!(DecimalLayout::new(3, 4).is_none());
    }
}
