//! Columns of a batch, read in place.
//!
//! [`Column`] checks lengths once; the typed views then loop without bounds checks over unaligned
//! bytes. Nothing is copied, nothing panics: a row beyond the end reads as NULL.

use crate::bitmap::Bitmap;
use crate::decimal::Decimal;
use crate::failure::Failure;
use crate::schema::DataType;
use crate::value::Value;

/// The buffers of a column as they cross the interface; `wit/transform.wit` gives their layout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnBuffers {
    /// Bitmap, 1 = not null; absent when no row is null.
    pub validity: Option<Vec<u8>>,
    /// For the types with offsets: rows + 1 times 4 bytes.
    pub offsets: Vec<u8>,
    /// The values.
    pub data: Vec<u8>,
}

/// One column of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    rows: usize,
    data_type: DataType,
    validity: Option<&'a [u8]>,
    offsets: &'a [[u8; 4]],
    data: &'a [u8],
}

impl<'a> Column<'a> {
    /// Checks that the buffers hold as many rows as they should.
    ///
    /// # Errors
    /// `column-length`: the host broke the interface.
    pub fn new(
        buffers: &'a ColumnBuffers,
        data_type: DataType,
        rows: usize,
    ) -> Result<Self, Failure> {
        let offsets = buffers.offsets.as_chunks::<4>().0;
        let data = buffers.data.as_slice();
        let enough = match data_type.fixed_width() {
            Some(width) => data.len() == rows * width,
            None if data_type.is_variable() => offsets.len() == rows + 1,
            None => data.len() == rows.div_ceil(8),
        };
        let validity = buffers.validity.as_deref();
        if enough && validity.is_none_or(|v| v.len() == rows.div_ceil(8)) {
            return Ok(Self { rows, data_type, validity, offsets, data });
        }
        Err(Failure::new(
            "column-length",
            format!("a column of type {data_type} is not {rows} rows long"),
        ))
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Its type.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Whether a row is NULL.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        row >= self.rows || !valid(self.validity, row)
    }

    /// The rows that are not NULL; absent when none is.
    #[must_use]
    pub fn validity(&self) -> Option<Bitmap> {
        self.validity.map(|bytes| Bitmap::from_bytes(bytes, self.rows))
    }

    /// The column as numbers of one width: `i32` for int32 and date, `i64` for int64, time and
    /// timestamps, `i128` for decimals (unscaled), and so on.
    ///
    /// # Errors
    /// `column-type` where `T` is not how this type is stored.
    pub fn values<T: Native>(&self) -> Result<Values<'a, T>, Failure> {
        if T::stores(self.data_type) {
            return Ok(Values { raw: T::split(self.data), validity: self.validity });
        }
        Err(self.wrong(std::any::type_name::<T>()))
    }

    /// The column as bytes: utf8, json, binary.
    ///
    /// # Errors
    /// `column-type` for every other type.
    pub fn bytes(&self) -> Result<Bytes<'a>, Failure> {
        if self.data_type.is_variable() {
            return Ok(Bytes { offsets: self.offsets, data: self.data, validity: self.validity });
        }
        Err(self.wrong("bytes"))
    }

    /// The column as text: utf8, json.
    ///
    /// # Errors
    /// `column-type` for every other type.
    pub fn texts(&self) -> Result<Texts<'a>, Failure> {
        let text = matches!(self.data_type, DataType::Utf8 | DataType::Json);
        match std::str::from_utf8(self.data) {
            Ok(all) if text => Ok(Texts { all, bytes: self.bytes()? }),
            _ => Err(self.wrong("text")),
        }
    }

    /// The column as a bitmap; NULL is not set.
    ///
    /// # Errors
    /// `column-type` where it is not boolean.
    pub fn booleans(&self) -> Result<Bitmap, Failure> {
        if self.data_type != DataType::Boolean {
            return Err(self.wrong("boolean"));
        }
        let bits = Bitmap::from_bytes(self.data, self.rows);
        Ok(match self.validity() {
            Some(valid) => bits.and(&valid),
            None => bits,
        })
    }

    /// An integer of any width; none for NULL, other types and what does not fit.
    #[must_use]
    pub fn i64(&self, row: usize) -> Option<i64> {
        match self.value(row) {
            Value::Int(number) => Some(number),
            Value::UInt(number) => i64::try_from(number).ok(),
            _ => None,
        }
    }

    /// An integer of any width; none for NULL, other types and negative numbers.
    #[must_use]
    pub fn u64(&self, row: usize) -> Option<u64> {
        match self.value(row) {
            Value::Int(number) => u64::try_from(number).ok(),
            Value::UInt(number) => Some(number),
            _ => None,
        }
    }

    /// A float of either width; none for NULL and other types.
    #[must_use]
    pub fn f64(&self, row: usize) -> Option<f64> {
        match self.value(row) {
            Value::Float32(number) => Some(f64::from(number)),
            Value::Float64(number) => Some(number),
            _ => None,
        }
    }

    /// A truth value; none for NULL and other types.
    #[must_use]
    pub fn boolean(&self, row: usize) -> Option<bool> {
        match self.value(row) {
            Value::Boolean(bit) => Some(bit),
            _ => None,
        }
    }

    /// A decimal; none for NULL and other types.
    #[must_use]
    pub fn decimal(&self, row: usize) -> Option<Decimal> {
        match self.value(row) {
            Value::Decimal(number) => Some(number),
            _ => None,
        }
    }

    /// Text (utf8 or json); none for NULL and other types.
    #[must_use]
    pub fn utf8(&self, row: usize) -> Option<&'a str> {
        match self.value(row) {
            Value::Utf8(text) | Value::Json(text) => Some(text),
            _ => None,
        }
    }

    /// Bytes (utf8, json or binary); none for NULL and other types.
    #[must_use]
    pub fn binary(&self, row: usize) -> Option<&'a [u8]> {
        self.bytes().ok()?.get(row)
    }

    /// A value of whatever type; NULL beyond the end.
    #[must_use]
    pub fn value(&self, row: usize) -> Value<'a> {
        if self.is_null(row) {
            return Value::Null;
        }
        self.slot(row).unwrap_or(Value::Null)
    }

    fn slot(&self, row: usize) -> Option<Value<'a>> {
        Some(match self.data_type {
            DataType::Boolean => Value::Boolean(valid(Some(self.data), row)),
            DataType::Int8 => Value::Int(self.number::<i8>(row)?.into()),
            DataType::Int16 => Value::Int(self.number::<i16>(row)?.into()),
            DataType::Int32 => Value::Int(self.number::<i32>(row)?.into()),
            DataType::Int64 => Value::Int(self.number(row)?),
            DataType::UInt8 => Value::UInt(self.number::<u8>(row)?.into()),
            DataType::UInt16 => Value::UInt(self.number::<u16>(row)?.into()),
            DataType::UInt32 => Value::UInt(self.number::<u32>(row)?.into()),
            DataType::UInt64 => Value::UInt(self.number(row)?),
            DataType::Float32 => Value::Float32(self.number(row)?),
            DataType::Float64 => Value::Float64(self.number(row)?),
            DataType::Decimal { scale, .. } => {
                Value::Decimal(Decimal { unscaled: self.number(row)?, scale })
            }
            DataType::Date => Value::Date(self.number(row)?),
            DataType::TimeMicros => Value::Time(self.number(row)?),
            DataType::TimestampMicrosUtc => Value::TimestampUtc(self.number(row)?),
            DataType::TimestampMicrosLocal => Value::TimestampLocal(self.number(row)?),
            DataType::Utf8 => Value::Utf8(self.text(row)?),
            DataType::Json => Value::Json(self.text(row)?),
            DataType::Binary => Value::Binary(self.binary(row)?),
        })
    }

    fn number<T: Native>(&self, row: usize) -> Option<T> {
        T::split(self.data).get(row).map(|raw| T::read(*raw))
    }

    fn text(&self, row: usize) -> Option<&'a str> {
        std::str::from_utf8(self.binary(row)?).ok()
    }

    fn wrong(&self, asked: &str) -> Failure {
        let detail = format!("a column of type {} cannot be read as {asked}", self.data_type);
        Failure::new("column-type", detail)
    }
}

/// A number as the interface stores it.
pub trait Native: Copy + private::Sealed {
    /// Its bytes, little endian.
    type Raw: Copy + AsRef<[u8]>;
    /// The bytes of each value of a buffer.
    fn split(data: &[u8]) -> &[Self::Raw];
    /// From its bytes.
    fn read(raw: Self::Raw) -> Self;
    /// To its bytes.
    fn write(self) -> Self::Raw;
    /// Whether a column of this type is stored so.
    fn stores(data_type: DataType) -> bool;
}

macro_rules! native {
    ($($number:ty, $bytes:literal, $stores:pat,)*) => {$(
        impl private::Sealed for $number {}
        impl Native for $number {
            type Raw = [u8; $bytes];
            fn split(data: &[u8]) -> &[Self::Raw] {
                data.as_chunks::<$bytes>().0
            }
            #[inline]
            fn read(raw: Self::Raw) -> Self {
                <$number>::from_le_bytes(raw)
            }
            #[inline]
            fn write(self) -> Self::Raw {
                self.to_le_bytes()
            }
            fn stores(data_type: DataType) -> bool {
                matches!(data_type, $stores)
            }
        }
    )*};
}

native! {
    i8, 1, DataType::Int8,
    i16, 2, DataType::Int16,
    i32, 4, DataType::Int32 | DataType::Date,
    i64, 8, DataType::Int64
        | DataType::TimeMicros
        | DataType::TimestampMicrosUtc
        | DataType::TimestampMicrosLocal,
    i128, 16, DataType::Decimal { .. },
    u8, 1, DataType::UInt8,
    u16, 2, DataType::UInt16,
    u32, 4, DataType::UInt32,
    u64, 8, DataType::UInt64,
    f32, 4, DataType::Float32,
    f64, 8, DataType::Float64,
}

mod private {
    //! Keeps [`super::Native`] to the types of the interface.
    pub trait Sealed {}
}

/// A column of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a, T: Native> {
    raw: &'a [T::Raw],
    validity: Option<&'a [u8]>,
}

impl<'a, T: Native> Values<'a, T> {
    /// A value; none for NULL and beyond the end.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<T> {
        self.raw.get(row).filter(|_| valid(self.validity, row)).map(|raw| T::read(*raw))
    }

    /// Every slot in order; a NULL's slot is zero. The fastest loop.
    pub fn slots(&self) -> impl Iterator<Item = T> + use<'a, T> {
        self.raw.iter().map(|raw| T::read(*raw))
    }

    /// Every value in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<T>> + use<'a, T> {
        let validity = self.validity;
        self.slots().enumerate().map(move |(row, value)| valid(validity, row).then_some(value))
    }

    /// The rows that are not NULL and that the closure accepts.
    pub fn matching(&self, mut accept: impl FnMut(T) -> bool) -> Bitmap {
        let matching = Bitmap::from_slice(self.raw, |raw| accept(T::read(*raw)));
        without_nulls(matching, self.validity)
    }
}

/// A column of byte strings.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a> {
    offsets: &'a [[u8; 4]],
    data: &'a [u8],
    validity: Option<&'a [u8]>,
}

impl<'a> Bytes<'a> {
    /// A value; none for NULL and beyond the end.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&'a [u8]> {
        let (start, end) = self.range(row)?;
        self.data.get(start..end).filter(|_| valid(self.validity, row))
    }

    /// Every slot in order; a NULL's slot is empty.
    pub fn slots(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let data = self.data;
        let starts = self.offsets.iter();
        let ends = starts.clone().skip(1);
        starts.zip(ends).map(move |(from, to)| data.get(at(*from)..at(*to)).unwrap_or_default())
    }

    /// Every value in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let validity = self.validity;
        self.slots().enumerate().map(move |(row, value)| valid(validity, row).then_some(value))
    }

    /// The rows that are not NULL and that the closure accepts.
    pub fn matching(&self, mut accept: impl FnMut(&'a [u8]) -> bool) -> Bitmap {
        let (first, ends) = match self.offsets.split_first() {
            Some((first, ends)) => (at(*first), ends),
            None => (0, self.offsets),
        };
        let mut start = first;
        let matching = Bitmap::from_slice(ends, |raw| {
            let end = at(*raw);
            let value = self.data.get(start..end).unwrap_or_default();
            start = end;
            accept(value)
        });
        without_nulls(matching, self.validity)
    }

    fn range(&self, row: usize) -> Option<(usize, usize)> {
        Some((at(*self.offsets.get(row)?), at(*self.offsets.get(row + 1)?)))
    }
}

/// A column of text.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    all: &'a str,
    bytes: Bytes<'a>,
}

impl<'a> Texts<'a> {
    /// A value; none for NULL and beyond the end.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        let (start, end) = self.bytes.range(row)?;
        self.all.get(start..end).filter(|_| valid(self.bytes.validity, row))
    }

    /// Every value in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&'a str>> + use<'a> {
        let view = *self;
        (0..self.bytes.offsets.len().saturating_sub(1)).map(move |row| view.get(row))
    }
}

fn at(raw: [u8; 4]) -> usize {
    u32::from_le_bytes(raw) as usize
}

fn valid(validity: Option<&[u8]>, row: usize) -> bool {
    validity.is_none_or(|bytes| bytes.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1))
}

fn without_nulls(matching: Bitmap, validity: Option<&[u8]>) -> Bitmap {
    match validity {
        Some(bytes) => {
            let valid = Bitmap::from_bytes(bytes, matching.rows());
            matching.and(&valid)
        }
        None => matching,
    }
}

#[cfg(test)]
mod tests;
