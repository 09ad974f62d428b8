//! Tests on values, one closure for each type. Everything exact becomes a range or a set of the
//! integers that are stored, so that no comparison ever goes through a float.

use std::cmp::Ordering;

use sluice_guest::calendar::{parse_date, parse_instant, parse_time, parse_timestamp};
use sluice_guest::{Bitmap, DataType, Decimal, Native, Value};

use super::Bound;
use crate::expression::{Comparison, Constant, Literal};
use crate::mistake::Mistake;
use crate::truth::{Matcher, Test};

/// Texts of a list up to which comparing with each is faster than a search: most differ in length.
const LINEAR_MAX: usize = 16;

/// A column that is itself the condition.
pub(super) fn truth_value(bound: Bound<'_>) -> Result<Test, Mistake> {
    if bound.data_type != DataType::Boolean {
        let Bound { data_type, name, .. } = bound;
        let message =
            format!("`{}` is {data_type}; alone it is no condition, compare it", name.name);
        return Err(Mistake::new(name.at, message));
    }
    let slot = bound.slot;
    Ok(leaf(slot, Box::new(move |batch| batch.column(slot)?.booleans())))
}

/// A column compared with a constant.
pub(super) fn constant(
    bound: Bound<'_>,
    comparison: Comparison,
    literal: &Literal,
) -> Result<Test, Mistake> {
    let slot = bound.slot;
    match stored(bound, literal)? {
        Stored::Boolean(wanted) => match comparison {
            Comparison::Equal => Ok(boolean(slot, wanted)),
            Comparison::NotEqual => Ok(boolean(slot, !wanted)),
            _ => Err(Mistake::new(literal.at, "truth values are equal or not, never smaller")),
        },
        Stored::Exact(number, scale) => {
            let (low, high) = bounds(comparison, number, scale);
            let range = Exact::Range { low, high, inside: comparison != Comparison::NotEqual };
            Ok(exact(bound, range))
        }
        Stored::Float32(wanted) => Ok(float(slot, move |v: f32| accepts(comparison, v, wanted))),
        Stored::Float64(wanted) => Ok(float(slot, move |v: f64| accepts(comparison, v, wanted))),
        Stored::Bytes(wanted) => Ok(match comparison {
            Comparison::Equal => bytes(slot, move |value| value == wanted),
            Comparison::NotEqual => bytes(slot, move |value| value != wanted),
            _ => bytes(slot, move |value| comparison.accepts(value.cmp(&wanted))),
        }),
    }
}

/// A column that is one of a list.
pub(super) fn member(bound: Bound<'_>, list: &[Literal]) -> Result<Test, Mistake> {
    let is_null = |literal: &&Literal| literal.constant == Constant::Null;
    let (nulls, values): (Vec<&Literal>, Vec<&Literal>) = list.iter().partition(is_null);
    let mut exacts = Vec::new();
    let mut parts = Vec::new();
    let mut texts = Vec::new();
    for literal in values {
        match stored(bound, literal)? {
            Stored::Exact(number, scale) => {
                if let (floor, true) = floor(number, scale) {
                    exacts.push(floor);
                }
            }
            Stored::Bytes(text) => texts.push(text),
            Stored::Boolean(_) | Stored::Float32(_) | Stored::Float64(_) => {
                parts.push(constant(bound, Comparison::Equal, literal)?);
            }
        }
    }
    texts.sort_unstable();
    exacts.sort_unstable();
    let test = match bound.data_type {
        DataType::Boolean | DataType::Float32 | DataType::Float64 => Test::Any(parts),
        DataType::Utf8 | DataType::Binary | DataType::Json if texts.len() <= LINEAR_MAX => {
            bytes(bound.slot, move |value| texts.iter().any(|text| text == value))
        }
        DataType::Utf8 | DataType::Binary | DataType::Json => bytes(bound.slot, move |value| {
            texts.binary_search_by(|text| text.as_slice().cmp(value)).is_ok()
        }),
        _ => exact(bound, Exact::Set(exacts)),
    };
    // `x in (1, null)` is true or unknown, never false.
    let unknown = (!nulls.is_empty()).then_some(Test::Known(None));
    Ok(match unknown {
        Some(unknown) => Test::Any(vec![test, unknown]),
        None => test,
    })
}

/// Two columns of one kind. Row by row, so slower than a constant.
pub(super) fn pair(
    left: Bound<'_>,
    comparison: Comparison,
    right: Bound<'_>,
) -> Result<Test, Mistake> {
    if kind(left.data_type) != kind(right.data_type) || kind(left.data_type) == Kind::Json {
        let message = format!(
            "`{}` is {} and `{}` is {}: they cannot be compared",
            left.name.name, left.data_type, right.name.name, right.data_type
        );
        return Err(Mistake::new(right.name.at, message));
    }
    let (l, r) = (left.slot, right.slot);
    let accepts: Matcher = Box::new(move |batch| {
        let (left, right) = (batch.column(l)?, batch.column(r)?);
        Ok(Bitmap::from_fn(batch.rows(), |row| {
            order(left.value(row), right.value(row)).is_some_and(|o| comparison.accepts(o))
        }))
    });
    Ok(Test::Leaf { slots: vec![l, r], accepts })
}

/// A test on the bytes of a utf8, json or binary column.
pub(super) fn bytes(slot: usize, accept: impl Fn(&[u8]) -> bool + 'static) -> Test {
    leaf(slot, Box::new(move |batch| Ok(batch.column(slot)?.bytes()?.matching(&accept))))
}

/// A constant as the column stores it.
enum Stored {
    Boolean(bool),
    /// To be compared with integers that have so many digits behind the point.
    Exact(Decimal, u8),
    Float32(f32),
    Float64(f64),
    Bytes(Vec<u8>),
}

fn stored(bound: Bound<'_>, literal: &Literal) -> Result<Stored, Mistake> {
    let Bound { data_type, name, .. } = bound;
    let wrong = |wanted: &str| {
        let message = format!("`{}` is {data_type}: compare it with {wanted}", name.name);
        Mistake::new(literal.at, message)
    };
    let time = |parsed: Option<i64>, form: &str| {
        let number = parsed.ok_or_else(|| wrong(form))?;
        Ok(Stored::Exact(Decimal::integer(number.into()), 0))
    };
    match (data_type, &literal.constant) {
        (DataType::Boolean, Constant::Boolean(bit)) => Ok(Stored::Boolean(*bit)),
        (DataType::Boolean, Constant::Number(number)) => match number {
            n if *n == Decimal::integer(0) => Ok(Stored::Boolean(false)),
            n if *n == Decimal::integer(1) => Ok(Stored::Boolean(true)),
            _ => Err(wrong("true, false, 1 or 0")),
        },
        (DataType::Decimal { scale, .. }, Constant::Number(number)) => {
            Ok(Stored::Exact(*number, scale))
        }
        (DataType::Float32, Constant::Number(number)) => {
            number.to_string().parse().map(Stored::Float32).map_err(|_| wrong("a number"))
        }
        (DataType::Float64, Constant::Number(number)) => {
            number.to_string().parse().map(Stored::Float64).map_err(|_| wrong("a number"))
        }
        (integer, Constant::Number(number)) if integer.is_integer() => {
            Ok(Stored::Exact(*number, 0))
        }
        (DataType::Date, Constant::Text(text)) => {
            time(parse_date(text).map(i64::from), "a date such as '2024-01-31'")
        }
        (DataType::TimeMicros, Constant::Text(text)) => {
            time(parse_time(text), "a time such as '12:30:00'")
        }
        (DataType::TimestampMicrosUtc, Constant::Text(text)) => {
            time(parse_instant(text), "an instant such as '2024-01-31 12:30:00Z'")
        }
        (DataType::TimestampMicrosLocal, Constant::Text(text)) => {
            time(parse_timestamp(text), "a timestamp such as '2024-01-31 12:30:00', without a zone")
        }
        (DataType::Binary, Constant::Text(text)) if bound.is_binary && is_address(text) => {
            let message = format!(
                "`{}` is binary: a UUID or INET column arrives as its bytes and equals no text; compare it with bytes such as x'00ff'",
                name.name
            );
            Err(Mistake::new(literal.at, message))
        }
        (DataType::Utf8 | DataType::Binary, Constant::Text(text)) => {
            Ok(Stored::Bytes(text.as_bytes().to_vec()))
        }
        (DataType::Binary, Constant::Bytes(bytes)) => Ok(Stored::Bytes(bytes.clone())),
        (DataType::Json, _) => {
            let message = format!("`{}` is json: only `is null` and `like` look at it", name.name);
            Err(Mistake::new(literal.at, message))
        }
        (other, _) => Err(wrong(wanted(other))),
    }
}

/// Whether a text is one of a UUID, INET4 or INET6.
fn is_address(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    let fits = |(at, b): (usize, u8)| match dashes.contains(&at) {
        true => b == b'-',
        false => b.is_ascii_hexdigit(),
    };
    let is_uuid = text.len() == 36 && text.bytes().enumerate().all(fits);
    is_uuid || text.parse::<std::net::IpAddr>().is_ok()
}

fn wanted(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "true or false",
        DataType::Utf8 => "a text in single quotes",
        DataType::Binary => "bytes such as x'00ff', or a text in single quotes",
        DataType::Date => "a date in single quotes",
        DataType::TimeMicros => "a time in single quotes",
        DataType::TimestampMicrosUtc | DataType::TimestampMicrosLocal => {
            "a timestamp in single quotes"
        }
        _ => "a number without quotes",
    }
}

/// A test on stored integers.
enum Exact {
    /// Both ends count; empty where `low` is above `high`. `inside` or not.
    Range { low: i128, high: i128, inside: bool },
    /// Ascending.
    Set(Vec<i128>),
}

fn exact(bound: Bound<'_>, test: Exact) -> Test {
    let slot = bound.slot;
    let matcher = match bound.data_type {
        DataType::Int8 => integers(slot, test, i8::MIN, i8::MAX),
        DataType::Int16 => integers(slot, test, i16::MIN, i16::MAX),
        DataType::Int32 | DataType::Date => integers(slot, test, i32::MIN, i32::MAX),
        DataType::UInt8 => integers(slot, test, u8::MIN, u8::MAX),
        DataType::UInt16 => integers(slot, test, u16::MIN, u16::MAX),
        DataType::UInt32 => integers(slot, test, u32::MIN, u32::MAX),
        DataType::UInt64 => integers(slot, test, u64::MIN, u64::MAX),
        DataType::Decimal { .. } => integers(slot, test, i128::MIN, i128::MAX),
        _ => integers(slot, test, i64::MIN, i64::MAX),
    };
    leaf(slot, matcher)
}

fn integers<T>(slot: usize, test: Exact, min: T, max: T) -> Matcher
where
    T: Native + Ord + Into<i128> + TryFrom<i128> + 'static,
{
    match test {
        Exact::Range { low, high, inside } => {
            let low = T::try_from(low.max(min.into()));
            let high = T::try_from(high.min(max.into()));
            // An end that does not fit lies on the far side: nothing is inside.
            let (low, high) = low.and_then(|low| Ok((low, high?))).unwrap_or((max, min));
            match inside {
                true => Box::new(move |batch| {
                    Ok(batch.column(slot)?.values::<T>()?.matching(|v| low <= v && v <= high))
                }),
                false => Box::new(move |batch| {
                    Ok(batch.column(slot)?.values::<T>()?.matching(|v| v < low || high < v))
                }),
            }
        }
        Exact::Set(set) => {
            let set: Vec<T> = set.into_iter().filter_map(|v| T::try_from(v).ok()).collect();
            Box::new(move |batch| {
                let values = batch.column(slot)?.values::<T>()?;
                Ok(values.matching(|value| set.binary_search(&value).is_ok()))
            })
        }
    }
}

fn boolean(slot: usize, wanted: bool) -> Test {
    leaf(
        slot,
        Box::new(move |batch| {
            let set = batch.column(slot)?.booleans()?;
            Ok(if wanted { set } else { !set })
        }),
    )
}

fn float<T: Native + 'static>(slot: usize, accept: impl Fn(T) -> bool + 'static) -> Test {
    leaf(slot, Box::new(move |batch| Ok(batch.column(slot)?.values::<T>()?.matching(&accept))))
}

fn accepts<T: PartialOrd>(comparison: Comparison, value: T, wanted: T) -> bool {
    value.partial_cmp(&wanted).is_some_and(|order| comparison.accepts(order))
}

fn leaf(slot: usize, accepts: Matcher) -> Test {
    Test::Leaf { slots: vec![slot], accepts }
}

/// The stored integers that a comparison accepts (for `<>`: that it does not), both ends included.
fn bounds(comparison: Comparison, number: Decimal, scale: u8) -> (i128, i128) {
    let (floor, whole) = floor(number, scale);
    let above = floor.saturating_add(1);
    match comparison {
        Comparison::Equal | Comparison::NotEqual if whole => (floor, floor),
        Comparison::Equal | Comparison::NotEqual => (1, 0),
        Comparison::Less if whole => (i128::MIN, floor.saturating_sub(1)),
        Comparison::Less | Comparison::LessOrEqual => (i128::MIN, floor),
        Comparison::GreaterOrEqual if whole => (floor, i128::MAX),
        Comparison::Greater | Comparison::GreaterOrEqual => (above, i128::MAX),
    }
}

/// The largest integer not above `number * 10^scale`, and whether it is equal to it. What does not
/// fit is beyond every stored value, and its sign tells on which side.
fn floor(number: Decimal, scale: u8) -> (i128, bool) {
    match number.scale.checked_sub(scale) {
        Some(digits) if digits > 0 => match 10_i128.checked_pow(u32::from(digits)) {
            Some(divisor) => {
                let whole = number.unscaled.rem_euclid(divisor) == 0;
                (number.unscaled.div_euclid(divisor), whole)
            }
            None => (if number.unscaled < 0 { -1 } else { 0 }, number.unscaled == 0),
        },
        _ => match number.rescaled(scale) {
            Some(same) => (same.unscaled, true),
            None if number.unscaled < 0 => (i128::MIN, false),
            None => (i128::MAX, false),
        },
    }
}

/// What may be compared with each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Exact,
    Float,
    Date,
    Time,
    Utc,
    Local,
    Text,
    Binary,
    Json,
}

fn kind(data_type: DataType) -> Kind {
    match data_type {
        DataType::Boolean => Kind::Boolean,
        DataType::Float32 | DataType::Float64 => Kind::Float,
        DataType::Date => Kind::Date,
        DataType::TimeMicros => Kind::Time,
        DataType::TimestampMicrosUtc => Kind::Utc,
        DataType::TimestampMicrosLocal => Kind::Local,
        DataType::Utf8 => Kind::Text,
        DataType::Binary => Kind::Binary,
        DataType::Json => Kind::Json,
        _ => Kind::Exact,
    }
}

fn order(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Boolean(l), Value::Boolean(r)) => Some(l.cmp(&r)),
        (Value::Date(l), Value::Date(r)) => Some(l.cmp(&r)),
        (Value::Time(l), Value::Time(r))
        | (Value::TimestampUtc(l), Value::TimestampUtc(r))
        | (Value::TimestampLocal(l), Value::TimestampLocal(r)) => Some(l.cmp(&r)),
        (Value::Utf8(l), Value::Utf8(r)) => Some(l.cmp(r)),
        (Value::Binary(l), Value::Binary(r)) => Some(l.cmp(r)),
        _ => match (float_of(left), float_of(right)) {
            (Some(l), Some(r)) => l.partial_cmp(&r),
            _ => Some(decimal_of(left)?.cmp(&decimal_of(right)?)),
        },
    }
}

fn float_of(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Float32(number) => Some(f64::from(number)),
        Value::Float64(number) => Some(number),
        _ => None,
    }
}

fn decimal_of(value: Value<'_>) -> Option<Decimal> {
    match value {
        Value::Int(number) => Some(Decimal::integer(number.into())),
        Value::UInt(number) => Some(Decimal::integer(number.into())),
        Value::Decimal(number) => Some(number),
        _ => None,
    }
}
