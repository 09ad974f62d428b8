//! The value that an INSERT which leaves out a column gave it, in the bytes of a column buffer.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DefaultValue {
    Null,
    /// Its bytes as the buffer of its column holds them.
    Fixed(Vec<u8>),
    /// Text or bytes.
    Variable(Vec<u8>),
}

impl DefaultValue {
    /// The first value of an array.
    pub(crate) fn of(array: &ArrayRef) -> Self {
        if array.is_empty() || array.is_null(0) {
            return Self::Null;
        }
        match array.data_type() {
            DataType::Utf8 => Self::Variable(array.as_string::<i32>().value(0).into()),
            DataType::Binary => Self::Variable(array.as_binary::<i32>().value(0).into()),
            DataType::Boolean => Self::Fixed(vec![u8::from(array.as_boolean().value(0))]),
            other => {
                let width = other.primitive_width().unwrap_or(0);
                let data = array.to_data();
                let start = data.offset().saturating_mul(width);
                let bytes = data.buffers().first().map(|b| b.as_slice()).unwrap_or_default();
                let value = bytes.get(start..).and_then(|rest| rest.get(..width));
                value.map_or(Self::Null, |value| Self::Fixed(value.to_vec()))
            }
        }
    }
}
