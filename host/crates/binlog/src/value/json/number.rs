//! Numbers of a JSON document as the server prints them.

use std::io::Write as _;

use crate::decode_error::ValueFault;

/// Beyond this many digits before or behind the point the server prefers an exponent
/// (`MAX_DECPT_FOR_F_FORMAT` in strings/dtoa.cc).
const PLAIN_DIGITS_MAX: i32 = 15;
/// More than any `f64` takes in scientific form.
const SCIENTIFIC_BYTES_MAX: usize = 40;

pub(super) fn push_integer(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing to a vector never fails.
    let _ = write!(out, "{value}");
}

/// The shortest digits that read back as the same number, in the layout of `my_gcvt`, and `.0` behind
/// a whole number.
pub(super) fn push_double(out: &mut Vec<u8>, value: f64) -> Result<(), ValueFault> {
    if !value.is_finite() {
        return Err(ValueFault::Json);
    }
    let mut buffer = [0_u8; SCIENTIFIC_BYTES_MAX];
    let mut free = buffer.as_mut_slice();
    write!(free, "{:e}", value.abs()).map_err(|_| ValueFault::Json)?;
    let used = SCIENTIFIC_BYTES_MAX.saturating_sub(free.len());
    let text = buffer.get(..used).and_then(|b| std::str::from_utf8(b).ok());
    let (mantissa, exponent) = text.and_then(|t| t.split_once('e')).ok_or(ValueFault::Json)?;
    let (first, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().map_err(|_| ValueFault::Json)?;
    // Where the point stands, counted from the first digit.
    let point = exponent + 1;
    let digits = i32::try_from(first.len() + behind.len()).unwrap_or(i32::MAX);
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let plain = point > -PLAIN_DIGITS_MAX && (point <= PLAIN_DIGITS_MAX || digits > point);
    if plain {
        push_plain(out, first, behind, point);
    } else {
        out.extend_from_slice(first.as_bytes());
        if !behind.is_empty() {
            out.push(b'.');
            out.extend_from_slice(behind.as_bytes());
        }
        out.push(b'e');
        push_integer(out, exponent);
    }
    Ok(())
}

fn push_plain(out: &mut Vec<u8>, first: &str, behind: &str, point: i32) {
    let mut digits = first.bytes().chain(behind.bytes());
    if point <= 0 {
        out.extend_from_slice(b"0.");
        out.extend((point..0).map(|_| b'0'));
        out.extend(digits);
        return;
    }
    out.extend((0..point).map(|_| digits.next().unwrap_or(b'0')));
    out.push(b'.');
    let before = out.len();
    out.extend(digits);
    if out.len() == before {
        out.push(b'0');
    }
}
