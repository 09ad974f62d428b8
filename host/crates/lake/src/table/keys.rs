//! The keys that an epoch looks for, and which rows of a file have them.
//!
//! Keys are equal when their stored values are bit-equal. A single id column that is an integer, a
//! decimal, a time or a string is compared as it lies; every other key as its Arrow row encoding.

use std::hash::Hash;
use std::sync::OnceLock;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, DataType, SchemaRef, TimeUnit};
use hashbrown::HashSet;

use crate::error::LakeError;
use crate::index::filter::{self, HashedKey};
use crate::table::bounds::{Bound, Bounds};

/// The keys that are looked for: ascending, each once.
#[derive(Debug)]
pub(crate) struct Wanted {
    schema: SchemaRef,
    keys: Keys,
    /// For each id column its values, in the order of the keys where the column is the only one, in
    /// any order otherwise.
    values: Vec<Option<Vec<Bound>>>,
    converter: Option<RowConverter>,
    /// The batches that hold them, in any order.
    batches: Vec<RecordBatch>,
    /// The keys as an index has them, once they were asked for; none where they have no such form.
    encoded: OnceLock<Option<Vec<HashedKey>>>,
}

#[derive(Debug)]
enum Keys {
    Integers(Vec<i64>),
    Decimals(Vec<i128>),
    Bytes(Vec<Box<[u8]>>),
}

fn arrow_error(action: &'static str) -> impl Fn(ArrowError) -> LakeError {
    move |source| LakeError::Arrow { action, source }
}

impl Wanted {
    /// Of batches that hold id columns alone, in key order; no value is NULL.
    pub(crate) fn of(schema: SchemaRef, batches: &[RecordBatch]) -> Result<Self, LakeError> {
        let columns: Vec<Vec<&ArrayRef>> = (0..schema.fields().len())
            .map(|i| batches.iter().filter_map(|b| b.columns().get(i)).collect())
            .collect();
        let values = columns.iter().map(|parts| bounds_of(parts)).collect();
        let mut wanted = Self {
            keys: Keys::Bytes(Vec::new()),
            schema,
            values,
            converter: None,
            batches: batches.to_vec(),
            encoded: OnceLock::new(),
        };
        wanted.keys = match columns.as_slice() {
            [only] if wanted.is_integer() => {
                let parts: Result<Vec<_>, _> = only.iter().map(|a| integers(a)).collect();
                Keys::Integers(ascending(parts?.concat()))
            }
            [only] if wanted.is_decimal() => {
                let parts = only.iter().filter_map(|a| a.as_primitive_opt::<Decimal128Type>());
                Keys::Decimals(ascending(parts.flat_map(|a| a.values().to_vec()).collect()))
            }
            [only] if wanted.is_bytes() => {
                let parts = only.iter().flat_map(|a| texts(a)).map(Box::from);
                Keys::Bytes(ascending(parts.collect()))
            }
            _ => {
                let fields = wanted.schema.fields().iter();
                let fields = fields.map(|f| SortField::new(f.data_type().clone())).collect();
                let wrong = arrow_error("encode keys");
                let converter = RowConverter::new(fields).map_err(&wrong)?;
                let mut keys = Vec::new();
                for batch in batches {
                    let rows = converter.convert_columns(batch.columns()).map_err(&wrong)?;
                    keys.extend(rows.iter().map(|r| Box::from(r.as_ref())));
                }
                wanted.converter = Some(converter);
                Keys::Bytes(ascending(keys))
            }
        };
        if let [Some(values)] = wanted.values.as_mut_slice() {
            values.sort_unstable();
        }
        Ok(wanted)
    }

    fn only_type(&self) -> Option<&DataType> {
        match self.schema.fields().as_ref() {
            [only] => Some(only.data_type()),
            _ => None,
        }
    }

    fn is_integer(&self) -> bool {
        self.only_type().is_some_and(is_integer)
    }

    fn is_decimal(&self) -> bool {
        matches!(self.only_type(), Some(DataType::Decimal128(..)))
    }

    fn is_bytes(&self) -> bool {
        matches!(self.only_type(), Some(DataType::Utf8 | DataType::Binary))
    }

    /// The id columns, in key order.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn len(&self) -> usize {
        match &self.keys {
            Keys::Integers(keys) => keys.len(),
            Keys::Decimals(keys) => keys.len(),
            Keys::Bytes(keys) => keys.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys as Arrow rows, ascending, each once and with its hash: how an index has them.
    pub(crate) fn encoded(&self) -> Option<&[HashedKey]> {
        let encode = || {
            let fields = self.schema.fields().iter();
            let fields = fields.map(|f| SortField::new(f.data_type().clone())).collect();
            let converter = RowConverter::new(fields).ok()?;
            let mut keys = Vec::with_capacity(self.len());
            for batch in &self.batches {
                let rows = converter.convert_columns(batch.columns()).ok()?;
                keys.extend(rows.iter().map(|row| {
                    let key: &[u8] = row.as_ref();
                    (Box::from(key), filter::hash(key))
                }));
            }
            Some(ascending(keys))
        };
        self.encoded.get_or_init(encode).as_deref()
    }

    /// Whether a key may lie where the id columns have these bounds; a column without bounds may
    /// hold anything.
    pub(crate) fn may_lie_in(&self, bounds: &Bounds) -> bool {
        let mut known: Vec<(&[Bound], &(Bound, Bound))> = Vec::new();
        for (values, field) in self.values.iter().zip(self.schema.fields()) {
            if let (Some(values), Some(bounds)) = (values, bounds.of(field.name())) {
                known.push((values, bounds));
            }
        }
        match (known.as_slice(), self.values.len()) {
            ([], _) => !self.is_empty(),
            ([(values, (low, high))], 1) => {
                let at = values.partition_point(|v| v < low);
                values.get(at).is_some_and(|v| v <= high)
            }
            (known, _) => (0..self.len()).any(|i| {
                known.iter().all(|(values, (low, high))| {
                    values.get(i).is_none_or(|v| low <= v && v <= high)
                })
            }),
        }
    }

    /// Calls `hit` with the index of every row that has one of the keys. The columns are the id
    /// columns in key order, in the types of the schema.
    pub(crate) fn find(
        &self,
        columns: &[ArrayRef],
        hit: &mut dyn FnMut(usize),
    ) -> Result<(), LakeError> {
        let nullable = columns.iter().any(|c| c.null_count() > 0);
        let is_key = |row: usize| !nullable || columns.iter().all(|c| c.is_valid(row));
        let mut hit = |row: usize| {
            if is_key(row) {
                hit(row);
            }
        };
        match (&self.keys, columns) {
            (Keys::Integers(keys), [only]) => {
                if let Some(values) = only.as_primitive_opt::<Int64Type>() {
                    find(keys, values.values(), nullable, &mut hit);
                } else {
                    find(keys, &integers(only)?, nullable, &mut hit);
                }
            }
            (Keys::Decimals(keys), [only]) => {
                let values = only.as_primitive_opt::<Decimal128Type>();
                let values = values.map(|a| a.values().as_ref()).unwrap_or_default();
                find(keys, values, nullable, &mut hit);
            }
            (Keys::Bytes(keys), columns) => {
                let keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
                if let Some(converter) = &self.converter {
                    let wrong = arrow_error("encode keys");
                    let rows = converter.convert_columns(columns).map_err(wrong)?;
                    let rows: Vec<&[u8]> = rows.iter().map(|r| r.data()).collect();
                    find(&keys, &rows, nullable, &mut hit);
                } else if let [only] = columns {
                    find(&keys, &texts(only), nullable, &mut hit);
                }
            }
            _ => return Err(LakeError::Internal("keys do not fit their columns".into())),
        }
        Ok(())
    }
}

fn ascending<T: Ord>(mut keys: Vec<T>) -> Vec<T> {
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn is_integer(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Timestamp(TimeUnit::Microsecond, _)
    )
}

/// The values of an integer, date or timestamp column; the slots of NULLs hold anything.
fn integers(array: &ArrayRef) -> Result<Vec<i64>, LakeError> {
    fn wide<T: Copy + Into<i64>>(values: &[T]) -> Vec<i64> {
        values.iter().map(|v| (*v).into()).collect()
    }
    Ok(match array.data_type() {
        DataType::Int8 => wide(array.as_primitive::<Int8Type>().values()),
        DataType::Int16 => wide(array.as_primitive::<Int16Type>().values()),
        DataType::Int32 => wide(array.as_primitive::<Int32Type>().values()),
        DataType::Int64 => wide(array.as_primitive::<Int64Type>().values()),
        DataType::Date32 => wide(array.as_primitive::<Date32Type>().values()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            wide(array.as_primitive::<TimestampMicrosecondType>().values())
        }
        other => return Err(LakeError::Internal(format!("{other} is no integer key"))),
    })
}

/// The bytes of a string or binary column.
fn texts(array: &ArrayRef) -> Vec<&[u8]> {
    let rows = 0..array.len();
    if let Some(array) = array.as_string_opt::<i32>() {
        return rows.map(|i| array.value(i).as_bytes()).collect();
    }
    let binary = array.as_binary_opt::<i32>();
    binary.map(|array| rows.map(|i| array.value(i)).collect()).unwrap_or_default()
}

/// The values of an id column in the form that file bounds have; none where files have no bounds
/// for its type that can be trusted.
pub(crate) fn bounds_of(parts: &[&ArrayRef]) -> Option<Vec<Bound>> {
    let mut all = Vec::new();
    for array in parts {
        match array.data_type() {
            data_type if is_integer(data_type) => {
                all.extend(integers(array).ok()?.into_iter().map(|v| Bound::Number(v.into())));
            }
            DataType::Decimal128(..) => {
                let values = array.as_primitive_opt::<Decimal128Type>()?.values();
                all.extend(values.iter().map(|v| Bound::Number(*v)));
            }
            DataType::Utf8 | DataType::Binary => {
                all.extend(texts(array).into_iter().map(|v| Bound::Bytes(v.to_vec())));
            }
            _ => return None,
        }
    }
    Some(all)
}

/// Calls `hit` for every row whose value is among the ascending `keys`. Rows in ascending order are
/// met by binary search from the last hit on, others through a hash set.
fn find<T: Ord + Copy + Hash>(keys: &[T], rows: &[T], nullable: bool, hit: &mut dyn FnMut(usize)) {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return };
    if !nullable && rows.is_sorted() {
        let from = keys.partition_point(|k| k < first);
        let to = keys.partition_point(|k| k <= last);
        let mut at = 0;
        for key in keys.get(from..to).unwrap_or_default() {
            at = seek(rows, at, key);
            while rows.get(at) == Some(key) {
                hit(at);
                at += 1;
            }
        }
        return;
    }
    let keys: HashSet<T> = keys.iter().copied().collect();
    for (row, value) in rows.iter().enumerate() {
        if keys.contains(value) {
            hit(row);
        }
    }
}

/// The first index at or behind `from` whose value is not below `key`: doubling steps, then halving,
/// so that near hits are cheap.
fn seek<T: Ord>(rows: &[T], from: usize, key: &T) -> usize {
    let mut low = from;
    let mut step = 1_usize;
    while rows.get(low.saturating_add(step)).is_some_and(|v| v < key) {
        low = low.saturating_add(step);
        step = step.saturating_mul(2);
    }
    let high = low.saturating_add(step).saturating_add(1).min(rows.len());
    let part = rows.get(low..high).unwrap_or_default();
    low.saturating_add(part.partition_point(|v| v < key))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int32Array, StringArray};
    use arrow_schema::{Field, Schema};
    use proptest::prelude::*;

    use super::*;

    fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
        let fields: Vec<Field> = columns
            .iter()
            .enumerate()
            .map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true))
            .collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch")
    }

    fn found(keys: Vec<ArrayRef>, rows: &[ArrayRef]) -> Vec<usize> {
        let keys = batch(keys);
        let wanted = Wanted::of(keys.schema(), &[keys]).expect("keys");
        let mut hits = Vec::new();
        wanted.find(rows, &mut |row| hits.push(row)).expect("found");
        hits
    }

    fn ints(values: &[i32]) -> ArrayRef {
        Arc::new(Int32Array::from(values.to_vec()))
    }

    fn strings(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn a_key_of_two_columns_is_not_a_joined_string() {
        let rows = [strings(&["1", "12", "1"]), strings(&["23", "3", "2"])];
        assert_eq!(found(vec![strings(&["12"]), strings(&["3"])], &rows), [1]);
    }

    #[test]
    fn a_null_is_no_key() {
        let rows: [ArrayRef; 1] = [Arc::new(Int32Array::from(vec![None, Some(0), Some(1), None]))];
        assert_eq!(found(vec![ints(&[0, 1])], &rows), [1, 2]);
    }

    #[test]
    fn letters_of_another_case_are_another_key() {
        assert_eq!(found(vec![strings(&["a"])], &[strings(&["A", "a", "a "])]), [1]);
    }

    proptest! {
        #[test]
        fn rows_in_any_order_are_found_as_by_a_walk(
            keys in proptest::collection::vec(-40i32..40, 0..30),
            mut rows in proptest::collection::vec(-40i32..40, 0..80),
            sorted in any::<bool>(),
        ) {
            if sorted {
                rows.sort_unstable();
            }
            let by_walk: Vec<usize> =
                (0..rows.len()).filter(|i| keys.contains(&rows[*i])).collect();
            prop_assert_eq!(&found(vec![ints(&keys)], &[ints(&rows)]), &by_walk);
            let text = |values: &[i32]| -> ArrayRef {
                Arc::new(values.iter().map(|v| Some(format!("{v:+04}"))).collect::<StringArray>())
            };
            prop_assert_eq!(&found(vec![text(&keys)], &[text(&rows)]), &by_walk);
            let both = found(vec![ints(&keys), text(&keys)], &[ints(&rows), text(&rows)]);
            prop_assert_eq!(&both, &by_walk);
        }
    }
}
