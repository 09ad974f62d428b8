//! Decimals, exact: an integer and the number of digits behind its point.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Digits behind the point at most, so that ten to that power fits.
const SCALE_MAX: usize = 38;

/// `unscaled / 10^scale`.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    /// The digits as one integer.
    pub unscaled: i128,
    /// How many of them are behind the point, at most 38.
    pub scale: u8,
}

impl Decimal {
    /// An integer.
    #[must_use]
    pub fn integer(value: i128) -> Self {
        Self { unscaled: value, scale: 0 }
    }

    /// The same number with another scale; none where a digit would be lost or does not fit.
    #[must_use]
    pub fn rescaled(self, scale: u8) -> Option<Self> {
        let unscaled = match scale.checked_sub(self.scale) {
            Some(more) => self.unscaled.checked_mul(power(more)?)?,
            None => {
                let divisor = power(self.scale - scale)?;
                (self.unscaled % divisor == 0).then_some(self.unscaled / divisor)?
            }
        };
        Some(Self { unscaled, scale })
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    /// By value: 1.0 and 1.00 are equal.
    fn cmp(&self, other: &Self) -> Ordering {
        match self.scale.cmp(&other.scale) {
            Ordering::Equal => self.unscaled.cmp(&other.unscaled),
            Ordering::Less => compare(*self, *other),
            Ordering::Greater => compare(*other, *self).reverse(),
        }
    }
}

/// `coarse` has the smaller scale. Where it does not fit the finer one, it is beyond any number
/// that does, and its sign decides.
fn compare(coarse: Decimal, fine: Decimal) -> Ordering {
    match coarse.rescaled(fine.scale) {
        Some(same) => same.unscaled.cmp(&fine.unscaled),
        None => coarse.unscaled.cmp(&0),
    }
}

fn power(digits: u8) -> Option<i128> {
    10_i128.checked_pow(u32::from(digits))
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.unscaled.unsigned_abs(), width = scale + 1);
        match digits.split_at_checked(digits.len().saturating_sub(scale)) {
            Some((whole, fraction)) if scale > 0 => write!(f, "{sign}{whole}.{fraction}"),
            _ => write!(f, "{sign}{digits}"),
        }
    }
}

/// A text that is no decimal number of at most 38 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADecimal;

impl fmt::Display for NotADecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a decimal number of at most 38 digits, such as -12.30")
    }
}

impl std::error::Error for NotADecimal {}

impl FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = format!("{whole}{fraction}");
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !plain || fraction.len() > SCALE_MAX {
            return Err(NotADecimal);
        }
        let magnitude: i128 = digits.parse().map_err(|_| NotADecimal)?;
        let unscaled = if text.starts_with('-') { -magnitude } else { magnitude };
        Ok(Self { unscaled, scale: u8::try_from(fraction.len()).map_err(|_| NotADecimal)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    #[test]
    fn a_decimal_reads_back_from_its_text() {
        for text in ["0", "-0.05", "12.30", "-1", "99999999999999999999999999999999999999"] {
            assert_eq!(decimal(text).to_string(), text);
        }
        for wrong in ["", "-", ".", "1e3", "1.2.3", "0x1", "9".repeat(40).as_str()] {
            assert!(wrong.parse::<Decimal>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn decimals_compare_by_value_at_any_scale() {
        assert_eq!(decimal("1.0"), decimal("1.00"));
        assert!(decimal("0.1") > decimal("0.09999999999999999999999999999"));
        assert!(decimal("-0.1") < decimal("-0.09"));
        let huge = decimal("99999999999999999999999999999999999999");
        assert!(huge > decimal("0.00000000000000000000000000000000000001"));
        assert!(Decimal { unscaled: -huge.unscaled, scale: 0 } < decimal("-0.5"));
    }

    #[test]
    fn rescaling_never_loses_a_digit() {
        assert_eq!(decimal("1.20").rescaled(1).map(|d| d.unscaled), Some(12));
        assert!(decimal("1.25").rescaled(1).is_none());
        assert!(decimal("99999999999999999999999999999999999999").rescaled(2).is_none());
    }
}
