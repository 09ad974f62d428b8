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
/// At least the bytes that 65 digits take (30), whatever the scale.
const BYTES_MAX: usize = 36;

/// How the digits of a DECIMAL column lie in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DecimalLayout {
    precision: u8,
    scale: u8,
}

impl DecimalLayout {
    /// None where no server has such a column.
    pub(crate) fn new(precision: u8, scale: u8) -> Option<Self> {
        let valid = (1..=PRECISION_MAX).contains(&precision) && scale <= precision;
        valid.then_some(Self { precision, scale })
    }

    pub(crate) fn precision(self) -> u8 {
        self.precision
    }

    pub(crate) fn scale(self) -> u8 {
        self.scale
    }

    /// The digits of each group, in the order of their bytes, and whether they stand behind the point.
    fn groups(self) -> impl Iterator<Item = (u8, bool)> {
        let whole = self.precision.saturating_sub(self.scale);
        let full = |count: u8, behind| (0..count).map(move |_| (GROUP_DIGITS, behind));
        std::iter::once((whole % GROUP_DIGITS, false))
            .chain(full(whole / GROUP_DIGITS, false))
            .chain(full(self.scale / GROUP_DIGITS, true))
            .chain(std::iter::once((self.scale % GROUP_DIGITS, true)))
            .filter(|(digits, _)| *digits > 0)
    }

    fn bytes(self) -> usize {
        self.groups().map(|(digits, _)| group_bytes(digits)).sum()
    }

    /// The unscaled value of a column of at most 38 digits.
    pub(crate) fn read_i128(self, wire: &mut Wire<'_>) -> Result<i128, ValueFault> {
        let raw = self.raw(wire)?;
        let mut digits = Wire::new(raw.bytes());
        let mut value: i128 = 0;
        for (count, _) in self.groups() {
            let (group, ceiling) = read_group(&mut digits, count)?;
            value = value
                .checked_mul(i128::from(ceiling))
                .and_then(|v| v.checked_add(i128::from(group)))
                .ok_or(ValueFault::Decimal)?;
        }
        Ok(if raw.negative { -value } else { value })
    }

    /// The value as text with all its digits, as CAST(.. AS CHAR) writes it.
    pub(crate) fn append_text(
        self,
        wire: &mut Wire<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ValueFault> {
        let raw = self.raw(wire)?;
        let mut digits = Wire::new(raw.bytes());
        let start = out.len();
        let mut whole_digits = 0_usize;
        let mut point = false;
        let mut zero = true;
        if raw.negative {
            out.push(b'-');
        }
        for (count, behind) in self.groups() {
            let (group, _) = read_group(&mut digits, count)?;
            zero &= group == 0;
            if behind && !point {
                if whole_digits == 0 {
                    out.push(b'0');
                }
                out.push(b'.');
                point = true;
            }
            if behind || whole_digits > 0 {
                push_padded(out, group, usize::from(count));
            } else if group > 0 {
                push_padded(out, group, decimal_digits(group));
            }
            if !behind && (group > 0 || whole_digits > 0) {
                whole_digits = whole_digits.saturating_add(1);
            }
        }
        if whole_digits == 0 && !point {
            out.push(b'0');
        }
        if zero && raw.negative {
            out.remove(start);
        }
        Ok(())
    }

    fn raw(self, wire: &mut Wire<'_>) -> Result<Raw, ValueFault> {
        let mut bytes = [0; BYTES_MAX];
        let used = self.bytes();
        let head = wire.take(used)?;
        let target = bytes.get_mut(..used).ok_or(ValueFault::Decimal)?;
        target.copy_from_slice(head);
        let first = target.first_mut().ok_or(ValueFault::Decimal)?;
        let negative = *first & 0x80 == 0;
        *first ^= 0x80;
        if negative {
            for byte in target {
                *byte = !*byte;
            }
        }
        Ok(Raw { bytes, used, negative })
    }
}

/// A value's bytes as if it were positive.
struct Raw {
    bytes: [u8; BYTES_MAX],
    used: usize,
    negative: bool,
}

impl Raw {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}

fn group_bytes(digits: u8) -> usize {
    match digits {
        0 => 0,
        1 | 2 => 1,
        3 | 4 => 2,
        5 | 6 => 3,
        _ => 4,
    }
}

/// A group's value, and the power of ten that it stays below.
fn read_group(wire: &mut Wire<'_>, digits: u8) -> Result<(u32, u32), ValueFault> {
    let value = wire.uint_be(group_bytes(digits))?;
    let ceiling = 10_u32.pow(u32::from(digits.min(GROUP_DIGITS)));
    let value = u32::try_from(value).map_err(|_| ValueFault::Decimal)?;
    if value >= ceiling {
        return Err(ValueFault::Decimal);
    }
    Ok((value, ceiling))
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
