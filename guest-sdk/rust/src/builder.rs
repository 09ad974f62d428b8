//! Builders of computed columns: one push a row, then `finish`.

use crate::column::{ColumnBuffers, Native};
use crate::failure::Failure;
use crate::schema::DataType;

/// A computed column, ready for an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputedColumn {
    pub(crate) data_type: DataType,
    pub(crate) rows: usize,
    pub(crate) buffers: ColumnBuffers,
}

/// Bits that are appended one by one; NULLs are noted only once there is one.
#[derive(Debug, Default)]
struct Bits {
    rows: usize,
    bytes: Vec<u8>,
}

impl Bits {
    fn filled(rows: usize) -> Self {
        let mut bits = Self::default();
        (0..rows).for_each(|_| bits.push(true));
        bits
    }

    fn push(&mut self, bit: bool) {
        let place = self.rows % 8;
        if place == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << place;
        }
        self.rows += 1;
    }
}

#[derive(Debug, Default)]
struct Validity {
    rows: usize,
    bits: Option<Bits>,
}

impl Validity {
    fn push(&mut self, valid: bool) {
        if !valid && self.bits.is_none() {
            self.bits = Some(Bits::filled(self.rows));
        }
        if let Some(bits) = &mut self.bits {
            bits.push(valid);
        }
        self.rows += 1;
    }

    fn finish(self) -> Option<Vec<u8>> {
        self.bits.map(|bits| bits.bytes)
    }
}

/// Builds a column of utf8 or json.
#[derive(Debug)]
pub struct TextBuilder {
    bytes: BytesBuilder,
}

impl TextBuilder {
    /// Of type utf8, with room for `rows` values.
    #[must_use]
    pub fn utf8(rows: usize) -> Self {
        Self { bytes: BytesBuilder::of(DataType::Utf8, rows) }
    }

    /// Of type json; what is pushed must be JSON.
    #[must_use]
    pub fn json(rows: usize) -> Self {
        Self { bytes: BytesBuilder::of(DataType::Json, rows) }
    }

    /// One more row.
    pub fn push(&mut self, text: &str) {
        self.bytes.push(text.as_bytes());
    }

    /// One more row, which is NULL.
    pub fn push_null(&mut self) {
        self.bytes.push_null();
    }

    /// One more row, NULL where there is no text.
    pub fn push_option(&mut self, text: Option<&str>) {
        self.bytes.push_option(text.map(str::as_bytes));
    }

    /// The column.
    #[must_use]
    pub fn finish(self) -> ComputedColumn {
        self.bytes.finish()
    }
}

/// Builds a column of binary.
#[derive(Debug)]
pub struct BytesBuilder {
    data_type: DataType,
    validity: Validity,
    offsets: Vec<u8>,
    data: Vec<u8>,
}

impl BytesBuilder {
    /// With room for `rows` values.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        Self::of(DataType::Binary, rows)
    }

    /// One more row. A column of more than 4 GiB cannot cross the interface: the host refuses it.
    pub fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.row(true);
    }

    /// One more row, which is NULL.
    pub fn push_null(&mut self) {
        self.row(false);
    }

    /// One more row, NULL where there are no bytes.
    pub fn push_option(&mut self, bytes: Option<&[u8]>) {
        self.data.extend_from_slice(bytes.unwrap_or_default());
        self.row(bytes.is_some());
    }

    /// The column.
    #[must_use]
    pub fn finish(self) -> ComputedColumn {
        let rows = self.validity.rows;
        let validity = self.validity.finish();
        let buffers = ColumnBuffers { validity, offsets: self.offsets, data: self.data };
        ComputedColumn { data_type: self.data_type, rows, buffers }
    }

    fn of(data_type: DataType, rows: usize) -> Self {
        let mut offsets = Vec::with_capacity((rows + 1) * 4);
        offsets.extend_from_slice(&[0; 4]);
        Self { data_type, validity: Validity::default(), offsets, data: Vec::new() }
    }

    fn row(&mut self, valid: bool) {
        let end = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
        self.offsets.extend_from_slice(&end.to_le_bytes());
        self.validity.push(valid);
    }
}

/// Builds a column of numbers, dates, times, timestamps or decimals.
#[derive(Debug)]
pub struct NumberBuilder<T: Native> {
    data_type: DataType,
    validity: Validity,
    data: Vec<u8>,
    number: std::marker::PhantomData<T>,
}

impl<T: Native> NumberBuilder<T> {
    /// With room for `rows` values.
    ///
    /// # Errors
    /// `column-type` where `T` is not how this type is stored (see [`crate::Column::values`]).
    pub fn new(data_type: DataType, rows: usize) -> Result<Self, Failure> {
        if !T::stores(data_type) {
            let stored = std::any::type_name::<T>();
            let detail = format!("a column of type {data_type} cannot be built from {stored}");
            return Err(Failure::new("column-type", detail));
        }
        let data = Vec::with_capacity(rows * size_of::<T>());
        Ok(Self {
            data_type,
            validity: Validity::default(),
            data,
            number: std::marker::PhantomData,
        })
    }

    /// One more row.
    pub fn push(&mut self, number: T) {
        self.data.extend_from_slice(number.write().as_ref());
        self.validity.push(true);
    }

    /// One more row, which is NULL.
    pub fn push_null(&mut self) {
        self.data.resize(self.data.len() + size_of::<T>(), 0);
        self.validity.push(false);
    }

    /// One more row, NULL where there is no number.
    pub fn push_option(&mut self, number: Option<T>) {
        match number {
            Some(number) => self.push(number),
            None => self.push_null(),
        }
    }

    /// The column.
    #[must_use]
    pub fn finish(self) -> ComputedColumn {
        let rows = self.validity.rows;
        let validity = self.validity.finish();
        let buffers = ColumnBuffers { validity, offsets: Vec::new(), data: self.data };
        ComputedColumn { data_type: self.data_type, rows, buffers }
    }
}

/// Builds a column of truth values.
#[derive(Debug, Default)]
pub struct BooleanBuilder {
    validity: Validity,
    bits: Bits,
}

impl BooleanBuilder {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more row.
    pub fn push(&mut self, bit: bool) {
        self.push_option(Some(bit));
    }

    /// One more row, which is NULL.
    pub fn push_null(&mut self) {
        self.push_option(None);
    }

    /// One more row, NULL where there is no truth value.
    pub fn push_option(&mut self, bit: Option<bool>) {
        self.bits.push(bit.unwrap_or_default());
        self.validity.push(bit.is_some());
    }

    /// The column.
    #[must_use]
    pub fn finish(self) -> ComputedColumn {
        let validity = self.validity.finish();
        let buffers = ColumnBuffers { validity, offsets: Vec::new(), data: self.bits.bytes };
        ComputedColumn { data_type: DataType::Boolean, rows: self.bits.rows, buffers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Column;
    use crate::value::Value;

    fn read(column: &ComputedColumn) -> Vec<Value<'_>> {
        let view = Column::new(&column.buffers, column.data_type, column.rows).expect("fits");
        (0..column.rows).map(|row| view.value(row)).collect()
    }

    #[test]
    fn what_was_pushed_is_read_back() {
        let mut texts = TextBuilder::utf8(3);
        texts.push("a");
        texts.push_null();
        texts.push_option(Some(""));
        assert_eq!(read(&texts.finish()), [Value::Utf8("a"), Value::Null, Value::Utf8("")]);

        let mut days = NumberBuilder::<i32>::new(DataType::Date, 2).expect("days");
        days.push(-1);
        days.push_option(None);
        assert_eq!(read(&days.finish()), [Value::Date(-1), Value::Null]);

        let mut bits = BooleanBuilder::new();
        (0..9).for_each(|row| bits.push(row == 8));
        bits.push_null();
        let bits = bits.finish();
        let bits = read(&bits);
        assert_eq!(bits.get(8..), Some([Value::Boolean(true), Value::Null].as_slice()));
        assert_eq!(bits.first(), Some(&Value::Boolean(false)));
    }

    #[test]
    fn a_column_without_nulls_has_no_bitmap() {
        let mut bytes = BytesBuilder::new(1);
        bytes.push(b"\xFF");
        assert_eq!(bytes.finish().buffers.validity, None);
    }

    #[test]
    fn a_builder_of_the_wrong_width_is_refused() {
        let error = NumberBuilder::<i32>::new(DataType::Int64, 0).expect_err("wrong");
        insta::assert_snapshot!(error, @"column-type: a column of type int64 cannot be built from i32");
    }
}
