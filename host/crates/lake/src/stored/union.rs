//! Two forms of one table's columns brought together: the columns of both, each in a type that holds
//! the values of both exactly.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use change::ColumnType;

use super::{StoredSchema, stored_type};

/// Digits that a Delta decimal has at most.
const DECIMAL_DIGITS_MAX: u8 = 38;

/// The type that holds all values of two stored types exactly; none where there is none.
///
/// Integers become wider integers, floats doubles, decimals get more digits at the same scale, and
/// integers become decimals.
#[must_use]
pub fn wider(a: &DataType, b: &DataType) -> Option<DataType> {
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (DataType::Float32, DataType::Float64) | (DataType::Float64, DataType::Float32) => {
            Some(DataType::Float64)
        }
        (DataType::Decimal128(p, s), DataType::Decimal128(q, t)) if s == t => {
            Some(DataType::Decimal128(*p.max(q), *s))
        }
        (DataType::Decimal128(precision, scale), integer)
        | (integer, DataType::Decimal128(precision, scale)) => {
            let needed = digits(integer)?.checked_add(u8::try_from(*scale).ok()?)?;
            let precision = needed.max(*precision);
            (precision <= DECIMAL_DIGITS_MAX).then_some(DataType::Decimal128(precision, *scale))
        }
        _ => {
            let wide = if digits(a)? > digits(b)? { a } else { b };
            Some(wide.clone())
        }
    }
}

/// The decimal digits of an integer type.
fn digits(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::Int8 => Some(3),
        DataType::Int16 => Some(5),
        DataType::Int32 => Some(10),
        DataType::Int64 => Some(19),
        _ => None,
    }
}

/// A logical type that is stored as `stored`: one of the two where it fits.
fn logical(a: ColumnType, b: ColumnType, stored: &DataType) -> ColumnType {
    match stored {
        _ if stored_type(a) == *stored => a,
        _ if stored_type(b) == *stored => b,
        DataType::Decimal128(precision, scale) => {
            ColumnType::Decimal { precision: *precision, scale: u8::try_from(*scale).unwrap_or(0) }
        }
        _ => a,
    }
}

impl StoredSchema {
    /// The columns of both, those that only `other` has at the end; none where these are the own ones.
    ///
    /// # Errors
    /// Says what does not go together.
    pub(crate) fn union(&self, other: &Self) -> Result<Option<Self>, String> {
        if std::ptr::eq(self, other) || self.arrow == other.arrow {
            return self.check_ids(other).map(|()| None);
        }
        self.check_ids(other)?;
        let theirs = |name: &str| {
            let (index, field) = other.arrow.column_with_name(name)?;
            Some((field, *other.column_types.get(index)?))
        };
        let (mut fields, mut types) = (Vec::new(), Vec::new());
        for (field, own) in self.arrow.fields().iter().zip(&self.column_types) {
            let (stored, column_type) = match theirs(field.name()) {
                None => (field.data_type().clone(), *own),
                Some((their, their_type)) => {
                    let (a, b) = (field.data_type(), their.data_type());
                    let stored = wider(a, b).ok_or_else(|| {
                        format!("column `{}` is stored as {a} and as {b}", field.name())
                    })?;
                    let column_type = logical(*own, their_type, &stored);
                    (stored, column_type)
                }
            };
            fields.push(Field::new(field.name(), stored, true));
            types.push(column_type);
        }
        let folded: BTreeMap<String, &str> = self
            .arrow
            .fields()
            .iter()
            .map(|f| (f.name().to_lowercase(), f.name().as_str()))
            .collect();
        for (field, column_type) in other.arrow.fields().iter().zip(&other.column_types) {
            match folded.get(&field.name().to_lowercase()) {
                Some(own) if *own == field.name() => {}
                Some(own) => {
                    return Err(format!(
                        "column `{}` differs from `{own}` by case only",
                        field.name()
                    ));
                }
                None => {
                    fields.push(field.as_ref().clone());
                    types.push(*column_type);
                }
            }
        }
        let arrow = Arc::new(Schema::new(fields));
        if arrow == self.arrow {
            return Ok(None);
        }
        let id_columns =
            if self.is_whole_row() { (0..types.len()).collect() } else { self.id_columns.clone() };
        Ok(Some(Self { arrow, column_types: types, id_columns, ..self.clone() }))
    }

    /// The id columns have to be the same ones, in whatever order; of whole rows they are all.
    fn check_ids(&self, other: &Self) -> Result<(), String> {
        match (self.is_whole_row(), other.is_whole_row()) {
            (true, true) => return Ok(()),
            (false, false) => {}
            _ => return Err("the rows of one have id columns, those of the other no key".into()),
        }
        let ids = |s: &Self| {
            let mut names: Vec<String> = s.id_names().map(str::to_owned).collect();
            names.sort_unstable();
            names
        };
        if ids(self) == ids(other) {
            return Ok(());
        }
        let list = |s: &Self| s.id_names().collect::<Vec<_>>().join(", ");
        Err(format!("their id columns are ({}) and ({})", list(self), list(other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_type_holds_every_value_of_both() {
        use DataType::{Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Utf8};
        let cases = [
            (Int8, Int16, Some(Int16)),
            (Int64, Int32, Some(Int64)),
            (Float32, Float64, Some(Float64)),
            (Decimal128(10, 2), Decimal128(12, 2), Some(Decimal128(12, 2))),
            (Decimal128(10, 2), Decimal128(12, 3), None),
            (Int64, Decimal128(20, 0), Some(Decimal128(20, 0))),
            (Decimal128(5, 2), Int32, Some(Decimal128(12, 2))),
            (Int64, Decimal128(38, 20), None),
            (Int64, Float64, None),
            (Int32, Utf8, None),
            (Utf8, Utf8, Some(Utf8)),
        ];
        for (a, b, expected) in cases {
            assert_eq!(wider(&a, &b), expected, "{a} and {b}");
            assert_eq!(wider(&b, &a), expected, "{b} and {a}");
        }
    }
}
