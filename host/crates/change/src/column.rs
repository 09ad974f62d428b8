//! Columns and their logical types.
//!
//! The types are those of `wit/transform.wit` (`data-type`), one to one: what a plugin sees is what
//! the host holds. Each has exactly one Arrow type.

use std::fmt;
use std::str::FromStr;

use arrow_schema::{DataType, TimeUnit};

/// The logical type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// BIT(1).
    Boolean,
    /// TINYINT.
    Int8,
    /// SMALLINT, YEAR.
    Int16,
    /// MEDIUMINT, INT.
    Int32,
    /// BIGINT.
    Int64,
    /// TINYINT UNSIGNED.
    UInt8,
    /// SMALLINT UNSIGNED.
    UInt16,
    /// MEDIUMINT UNSIGNED, INT UNSIGNED.
    UInt32,
    /// BIGINT UNSIGNED, BIT(2) to BIT(64).
    UInt64,
    /// FLOAT.
    Float32,
    /// DOUBLE.
    Float64,
    /// DECIMAL up to 38 digits; a wider one is [`ColumnType::Utf8`] with all its digits.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits behind the point, at most `precision`.
        scale: u8,
    },
    /// DATE: days since 1970-01-01.
    Date,
    /// TIME: signed microseconds, beyond 24 hours too.
    TimeMicros,
    /// TIMESTAMP: an instant, microseconds since 1970-01-01T00:00Z.
    TimestampMicrosUtc,
    /// DATETIME: a wall-clock time, microseconds since 1970-01-01T00:00.
    TimestampMicrosLocal,
    /// CHAR, VARCHAR, TEXT, ENUM (the label), SET (labels joined by commas), UUID, INET4, INET6.
    Utf8,
    /// BINARY, VARBINARY, BLOB, GEOMETRY (4 bytes SRID, then WKB), VECTOR.
    Binary,
    /// JSON as text.
    Json,
}

impl ColumnType {
    /// The Arrow type in which batches hold this type.
    ///
    /// TIME is a `Duration(Microsecond)`, since Arrow's `Time64` ends at 24 hours.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::UInt8 => DataType::UInt8,
            Self::UInt16 => DataType::UInt16,
            Self::UInt32 => DataType::UInt32,
            Self::UInt64 => DataType::UInt64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Decimal { precision, scale } => {
                DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))
            }
            Self::Date => DataType::Date32,
            Self::TimeMicros => DataType::Duration(TimeUnit::Microsecond),
            Self::TimestampMicrosUtc => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
            Self::TimestampMicrosLocal => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Utf8 | Self::Json => DataType::Utf8,
            Self::Binary => DataType::Binary,
        }
    }

    /// Bytes a value takes in `column.data` of the plugin interface; none for [`Self::Boolean`]
    /// (a bitmap) and for the types with offsets.
    #[must_use]
    pub fn fixed_width(self) -> Option<usize> {
        match self {
            Self::Boolean | Self::Utf8 | Self::Binary | Self::Json => None,
            Self::Int8 | Self::UInt8 => Some(1),
            Self::Int16 | Self::UInt16 => Some(2),
            Self::Int32 | Self::UInt32 | Self::Float32 | Self::Date => Some(4),
            Self::Int64
            | Self::UInt64
            | Self::Float64
            | Self::TimeMicros
            | Self::TimestampMicrosUtc
            | Self::TimestampMicrosLocal => Some(8),
            Self::Decimal { .. } => Some(16),
        }
    }

    /// Whether values are offsets and bytes.
    #[must_use]
    pub fn is_variable(self) -> bool {
        matches!(self, Self::Utf8 | Self::Binary | Self::Json)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Boolean => "boolean",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::UInt8 => "uint8",
            Self::UInt16 => "uint16",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Decimal { precision, scale } => return write!(f, "decimal({precision},{scale})"),
            Self::Date => "date",
            Self::TimeMicros => "time-micros",
            Self::TimestampMicrosUtc => "timestamp-micros-utc",
            Self::TimestampMicrosLocal => "timestamp-micros-local",
            Self::Utf8 => "utf8",
            Self::Binary => "binary",
            Self::Json => "json",
        };
        f.write_str(name)
    }
}

/// A text that names no [`ColumnType`].
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown column type `{0}`")]
pub struct UnknownColumnType(pub String);

impl FromStr for ColumnType {
    type Err = UnknownColumnType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownColumnType(text.to_owned());
        let simple = [
            Self::Boolean,
            Self::Int8,
            Self::Int16,
            Self::Int32,
            Self::Int64,
            Self::UInt8,
            Self::UInt16,
            Self::UInt32,
            Self::UInt64,
            Self::Float32,
            Self::Float64,
            Self::Date,
            Self::TimeMicros,
            Self::TimestampMicrosUtc,
            Self::TimestampMicrosLocal,
            Self::Utf8,
            Self::Binary,
            Self::Json,
        ];
        if let Some(found) = simple.into_iter().find(|t| t.to_string() == text) {
            return Ok(found);
        }
        let inner = text
            .strip_prefix("decimal(")
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or_else(unknown)?;
        let (precision, scale) = inner.split_once(',').ok_or_else(unknown)?;
        let precision: u8 = precision.trim().parse().map_err(|_| unknown())?;
        let scale: u8 = scale.trim().parse().map_err(|_| unknown())?;
        if !(1..=38).contains(&precision) || scale > precision {
            return Err(unknown());
        }
        Ok(Self::Decimal { precision, scale })
    }
}

impl serde::Serialize for ColumnType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ColumnType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One column of a table, at the source or as a chain left it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its logical type.
    pub column_type: ColumnType,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// The source's own type in lower case and without arguments ("tinyint", "enum"), as the log
    /// itself tells it; none for a column that a plugin made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// "charset", "labels" (JSON array), "srid", "generated", "invisible" where they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<(String, String)>,
}

impl Column {
    /// A column that no source table has.
    #[must_use]
    pub fn made(name: impl Into<String>, column_type: ColumnType, nullable: bool) -> Self {
        Self { name: name.into(), column_type, nullable, source_type: None, properties: Vec::new() }
    }

    /// The value of a property.
    #[must_use]
    pub fn property(&self, key: &str) -> Option<&str> {
        self.properties.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_reads_back_from_its_text() {
        for text in ["boolean", "uint64", "decimal(38,10)", "timestamp-micros-local", "json"] {
            assert_eq!(text.parse::<ColumnType>().map(|t| t.to_string()), Ok(text.to_owned()));
        }
        assert!("decimal(39,0)".parse::<ColumnType>().is_err());
        assert!("decimal(2,3)".parse::<ColumnType>().is_err());
        assert!("int".parse::<ColumnType>().is_err());
    }
}
