//! Tables as a plugin sees them: names, types, keys, id columns, route.
//!
//! The shapes are those of `wit/transform.wit`, one to one. Nothing here looks at rows.

use std::fmt;

use crate::failure::Failure;

/// The property that names a route variable whose value differs from row to row.
pub(crate) const ROW_ROUTE_PROPERTY: &str = "row-route";

/// The logical type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataType {
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
    /// DECIMAL up to 38 digits; a wider one arrives as [`DataType::Utf8`] with all its digits.
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
    /// DATETIME: microseconds since 1970-01-01T00:00 on the wall.
    TimestampMicrosLocal,
    /// CHAR, VARCHAR, TEXT, ENUM (the label), SET (labels joined by commas), UUID, INET4, INET6.
    Utf8,
    /// BINARY, VARBINARY, BLOB, GEOMETRY, VECTOR.
    Binary,
    /// JSON as text.
    Json,
}

impl DataType {
    /// Bytes a value takes in [`crate::ColumnBuffers::data`]; none for the bitmap of
    /// [`DataType::Boolean`] and for the types with offsets.
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

    /// Whether it is one of the eight integer types.
    #[must_use]
    pub fn is_integer(self) -> bool {
        matches!(
            self,
            Self::Int8
                | Self::Int16
                | Self::Int32
                | Self::Int64
                | Self::UInt8
                | Self::UInt16
                | Self::UInt32
                | Self::UInt64
        )
    }
}

impl fmt::Display for DataType {
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

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its logical type.
    pub data_type: DataType,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// The source's own type in lower case and without arguments; none for a column that an
    /// earlier plugin made.
    pub source_type: Option<String>,
    /// "charset", "labels" (JSON array), "srid", "generated", "invisible" where they are known.
    pub properties: Vec<(String, String)>,
}

/// A key that identifies a row: whole columns, none of them nullable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueKey {
    /// The key's name at the source.
    pub name: String,
    /// Indexes into the table's fields, in key order.
    pub fields: Vec<u32>,
}

/// A table as it reaches this plugin: the source's, or what the plugin before it made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableSchema {
    /// The database's name at the source.
    pub database: String,
    /// The table's name at the source.
    pub table: String,
    /// Its columns, in order.
    pub fields: Vec<Field>,
    /// Indexes into `fields`, in key order. None: not known. Empty: there is none.
    pub primary_key: Option<Vec<u32>>,
    /// None: not known. Empty: there is none.
    pub unique_keys: Option<Vec<UniqueKey>>,
    /// What the manifest and the plugins before this one decided, as indexes into `fields`.
    pub id_columns: Vec<u32>,
    /// What the plugins before this one decided, with `db` and `table`.
    pub route: Vec<(String, String)>,
    /// What else is known, by documented keys; ignore those that you do not know.
    pub properties: Vec<(String, String)>,
}

impl TableSchema {
    /// A field with its index, by exact name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(u32, &Field)> {
        (0_u32..).zip(&self.fields).find(|(_, field)| field.name == name)
    }

    /// The same as [`TableSchema::find`], where a missing column is a mistake of the configuration.
    ///
    /// # Errors
    /// `unknown-column`, which lists the columns that there are.
    pub fn field(&self, name: &str) -> Result<(u32, &Field), Failure> {
        self.find(name).ok_or_else(|| Failure::new("unknown-column", self.unknown(name)))
    }

    /// The value of a route variable as the plugins before this one left it; none where they give
    /// every row its own, see [`TableSchema::differs_by_row`].
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.route.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a plugin before this one sets a route variable row by row.
    #[must_use]
    pub fn differs_by_row(&self, variable: &str) -> bool {
        self.properties.iter().any(|(key, name)| key == ROW_ROUTE_PROPERTY && name == variable)
    }

    /// A field whose name differs from this one in case only.
    fn twin(&self, name: &str) -> Option<&Field> {
        let folded = name.to_lowercase();
        self.fields.iter().find(|f| f.name != name && f.name.to_lowercase() == folded)
    }

    /// Whether no column has this name, however it is written: only then may a configuration pass over
    /// a missing column, since `Email` for `email` is a slip.
    #[must_use]
    pub fn lacks(&self, name: &str) -> bool {
        self.find(name).is_none() && self.twin(name).is_none()
    }

    pub(crate) fn unknown(&self, name: &str) -> String {
        let known: Vec<&str> = self.fields.iter().map(|f| f.name.as_str()).collect();
        let twin = self.twin(name);
        let twin =
            twin.map_or_else(String::new, |f| format!("; `{}` differs in case only", f.name));
        format!(
            "table {}.{} has no column `{name}` (it has: {}){twin}",
            self.database,
            self.table,
            known.join(", ")
        )
    }
}
