//! DATE, TIME, DATETIME and TIMESTAMP as they stand in row images (MySQL source, `my_time.cc`:
//! `my_datetime_packed_to_binary` and its neighbours). All four are exact to the microsecond.

use crate::decode_error::ValueFault;
use crate::value::decimal::push_padded;
use crate::wire::Wire;

/// What becomes of a date that no calendar has: `0000-00-00`, a month or day of zero, 31 February.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ZeroDates {
    /// An error that names the column.
    #[default]
    Error,
    /// NULL; the columns of these types count as nullable.
    Null,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Digits behind the second that a column may have.
const FRACTION_DIGITS_MAX: u8 = 6;

/// How many bytes hold the fraction of a second, and what one unit of them is in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fraction {
    bytes: u8,
    micros: u32,
}

impl Fraction {
    /// For a column with this many digits behind the second.
    pub(crate) fn new(digits: u8) -> Option<Self> {
        let (bytes, micros) = match digits {
            0 => (0, 0),
            1 | 2 => (1, 10_000),
            3 | 4 => (2, 100),
            5 | FRACTION_DIGITS_MAX => (3, 1),
            _ => return None,
        };
        Some(Self { bytes, micros })
    }

    /// Whether a column with this many digits behind the second is written in as many bytes.
    pub(crate) fn holds(self, digits: u32) -> bool {
        u32::from(self.bytes) == digits.div_ceil(2)
    }

    #[inline]
    fn read(self, wire: &mut Wire<'_>) -> Result<i64, ValueFault> {
        if self.bytes == 0 {
            return Ok(0);
        }
        self.to_micros(wire.uint_be(usize::from(self.bytes))?)
    }

    #[inline]
    fn to_micros(self, units: u64) -> Result<i64, ValueFault> {
        let micros = i64::try_from(units).unwrap_or(i64::MAX).saturating_mul(self.micros.into());
        if micros >= SECOND { Err(ValueFault::Time) } else { Ok(micros) }
    }
}

/// Days since 1970-01-01.
#[inline]
pub(crate) fn read_date(wire: &mut Wire<'_>) -> Result<i32, ValueFault> {
    let packed = wire.u24()?;
    days_of(packed >> 9, (packed >> 5) & 15, packed & 31)
}

/// Signed microseconds.
#[inline]
pub(crate) fn read_time(wire: &mut Wire<'_>, fraction: Fraction) -> Result<i64, ValueFault> {
    let bytes = u32::from(fraction.bytes);
    let packed = i64::try_from(wire.uint_be(3 + usize::from(fraction.bytes))?)
        .map_err(|_| ValueFault::Time)?;
    // The zero stands in the middle of the range; the fraction borrows from the second.
    let signed = packed - (1_i64 << (23 + 8 * bytes));
    let magnitude = signed.unsigned_abs();
    let hms = magnitude >> (8 * bytes);
    let (hour, minute, second) = ((hms >> 12) & 1023, (hms >> 6) & 63, hms & 63);
    if minute > 59 || second > 59 {
        return Err(ValueFault::Time);
    }
    let micros = fraction.to_micros(magnitude & ((1 << (8 * bytes)) - 1))?;
    let seconds = i64::try_from(hour * 3_600 + minute * 60 + second).unwrap_or(0);
    let value = seconds * SECOND + micros;
    Ok(if signed < 0 { -value } else { value })
}

/// Microseconds since 1970-01-01T00:00 on the wall.
#[inline]
pub(crate) fn read_datetime(wire: &mut Wire<'_>, fraction: Fraction) -> Result<i64, ValueFault> {
    let [a, b, c, d, e] = wire.array()?;
    let packed = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
    let micros = fraction.read(wire)?;
    // Negative ones are reserved and never written.
    let positive = packed.checked_sub(0x80_0000_0000).ok_or(ValueFault::Date)?;
    let moment = Moment::unpack(positive)?;
    let days = days_of(moment.year, moment.month, moment.day)?;
    Ok(i64::from(days) * DAY + moment.second_of_day()? * SECOND + micros)
}

/// Microseconds since 1970-01-01T00:00Z. The seconds are unsigned: MariaDB's end in 2106.
#[inline]
pub(crate) fn read_timestamp(wire: &mut Wire<'_>, fraction: Fraction) -> Result<i64, ValueFault> {
    let seconds = wire.array().map(u32::from_be_bytes)?;
    let micros = fraction.read(wire)?;
    if seconds == 0 {
        // Zero seconds are the zero date; 1970-01-01T00:00:00 itself is outside of the type.
        return Err(ValueFault::ZeroDate);
    }
    Ok(i64::from(seconds) * SECOND + micros)
}

/// A packed DATE or DATETIME of a JSON document as text; the time of day only for a DATETIME.
pub(crate) fn append_packed_datetime(
    packed: i64,
    with_time: bool,
    out: &mut Vec<u8>,
) -> Result<(), ValueFault> {
    let packed = u64::try_from(packed).map_err(|_| ValueFault::Date)?;
    let moment = Moment::unpack(packed >> 24)?;
    let micros = u32::try_from(packed & 0xff_ffff).unwrap_or(u32::MAX);
    push_padded(out, moment.year, 4);
    out.push(b'-');
    push_padded(out, moment.month, 2);
    out.push(b'-');
    push_padded(out, moment.day, 2);
    if with_time {
        out.push(b' ');
        push_clock(out, moment.hour, moment.minute, moment.second, micros);
    }
    Ok(())
}

/// A packed TIME of a JSON document as text.
pub(crate) fn append_packed_time(packed: i64, out: &mut Vec<u8>) {
    let magnitude = packed.unsigned_abs();
    let part = |shift: u32, mask: u64| u32::try_from((magnitude >> shift) & mask).unwrap_or(0);
    if packed < 0 {
        out.push(b'-');
    }
    push_clock(out, part(36, 1023), part(30, 63), part(24, 63), part(0, 0xff_ffff));
}

fn push_clock(out: &mut Vec<u8>, hour: u32, minute: u32, second: u32, micros: u32) {
    push_padded(out, hour, 2);
    out.push(b':');
    push_padded(out, minute, 2);
    out.push(b':');
    push_padded(out, second, 2);
    out.push(b'.');
    push_padded(out, micros, 6);
}

/// A wall-clock time to the second; not yet a date of the calendar.
struct Moment {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

impl Moment {
    /// 18 bits year * 13 + month, 5 day, 5 hour, 6 minute, 6 second.
    #[inline]
    fn unpack(packed: u64) -> Result<Self, ValueFault> {
        let part = |shift: u32, bits: u32| {
            u32::try_from((packed >> shift) & ((1 << bits) - 1)).unwrap_or(0)
        };
        let months = u32::try_from(packed >> 22).map_err(|_| ValueFault::Date)?;
        Ok(Self {
            year: months / 13,
            month: months % 13,
            day: part(17, 5),
            hour: part(12, 5),
            minute: part(6, 6),
            second: part(0, 6),
        })
    }

    #[inline]
    fn second_of_day(&self) -> Result<i64, ValueFault> {
        if self.hour > 23 || self.minute > 59 || self.second > 59 {
            return Err(ValueFault::Time);
        }
        Ok(i64::from(self.hour * 3_600 + self.minute * 60 + self.second))
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
#[inline]
pub(crate) fn days_of(year: u32, month: u32, day: u32) -> Result<i32, ValueFault> {
    if month > 12 || day > 31 || year > 9_999 {
        return Err(ValueFault::Date);
    }
    if day == 0 || day > days_in_month(year, month) {
        return Err(ValueFault::ZeroDate);
    }
    // Years are counted from March, so that the leap day is the last of its year.
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let year = i64::from(year) - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = i64::from((153 * shifted + 2) / 5 + day) - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    i32::try_from(era * 146_097 + day_of_era - 719_468).map_err(|_| ValueFault::Date)
}

/// 0 for month 0. The server counts year 0 as no leap year.
#[inline]
fn days_in_month(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap && year > 0 => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fraction(digits: u8) -> Fraction {
        Fraction::new(digits).expect("a fraction")
    }

    #[test]
    fn days_count_from_1970() {
        let cases = [
            ((1970, 1, 1), Ok(0)),
            ((1969, 12, 31), Ok(-1)),
            ((2000, 2, 29), Ok(11_016)),
            ((2024, 2, 29), Ok(19_782)),
            ((9999, 12, 31), Ok(2_932_896)),
            ((1, 1, 1), Ok(-719_162)),
            ((0, 1, 1), Ok(-719_528)),
            ((0, 0, 0), Err(ValueFault::ZeroDate)),
            ((2024, 0, 1), Err(ValueFault::ZeroDate)),
            ((2024, 1, 0), Err(ValueFault::ZeroDate)),
            ((2023, 2, 29), Err(ValueFault::ZeroDate)),
            ((1900, 2, 29), Err(ValueFault::ZeroDate)),
            ((2024, 13, 1), Err(ValueFault::Date)),
            ((10_000, 1, 1), Err(ValueFault::Date)),
        ];
        for ((year, month, day), expected) in cases {
            assert_eq!(days_of(year, month, day), expected, "{year}-{month}-{day}");
        }
    }

    /// Bytes as `my_time_packed_to_binary` writes them.
    #[test]
    fn a_time_keeps_sign_and_fraction() {
        let golden: [(u8, &[u8], i64); 7] = [
            (0, &[0x80, 0x00, 0x00], 0),
            (0, &[0x80, 0xc8, 0xb8], 45_296_000_000),
            (2, &[0x7f, 0xff, 0xfe, 0xce], -1_500_000),
            (2, &[0x7f, 0xff, 0xff, 0xce], -500_000),
            (4, &[0x7f, 0xff, 0xff, 0xff, 0xff], -100),
            (6, &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff], -1),
            (0, &[0xb4, 0x6e, 0xfb], 3_020_399_000_000),
        ];
        for (digits, bytes, micros) in golden {
            assert_eq!(read_time(&mut Wire::new(bytes), fraction(digits)), Ok(micros), "{bytes:?}");
        }
        let minute_60 = [0x80, 0x0f, 0x00];
        assert_eq!(read_time(&mut Wire::new(&minute_60), fraction(0)), Err(ValueFault::Time));
    }

    #[test]
    fn a_datetime_is_a_wall_clock_and_a_timestamp_an_instant() {
        // 2024-02-29 12:34:56.987654
        let packed: u64 =
            0x80_0000_0000 | ((2024 * 13 + 2) << 22 | 29 << 17 | 12 << 12 | 34 << 6 | 56);
        let mut bytes = packed.to_be_bytes().get(3..).expect("five bytes").to_vec();
        bytes.extend([0x0f, 0x12, 0x06]);
        let micros = 19_782 * DAY + 45_296 * SECOND + 987_654;
        assert_eq!(read_datetime(&mut Wire::new(&bytes), fraction(6)), Ok(micros));
        let late = [0xff, 0xff, 0xff, 0xff, 0x19];
        assert_eq!(
            read_timestamp(&mut Wire::new(&late), fraction(1)),
            Ok(4_294_967_295_250_000),
            "the seconds are unsigned"
        );
        let zero = read_timestamp(&mut Wire::new(&[0; 4]), fraction(0));
        assert_eq!(zero, Err(ValueFault::ZeroDate));
        let zero = read_datetime(&mut Wire::new(&[0x80, 0, 0, 0, 0]), fraction(0));
        assert_eq!(zero, Err(ValueFault::ZeroDate));
        let fraction_100 = read_timestamp(&mut Wire::new(&[1, 0, 0, 0, 100]), fraction(2));
        assert_eq!(fraction_100, Err(ValueFault::Time));
    }
}
