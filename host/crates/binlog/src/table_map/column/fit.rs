//! Whether a definition fits a table map. A column that is another one than the definition says shows in
//! its type, its length, its sign, its character set, or in that it may be NULL; what shows nowhere cannot
//! be told, which is why statements are read in full.

use change::definition::{ColumnDefinition, DeclaredType, TableDefinition, same_name};
use change::{Column, ColumnType};

use super::WireType;

/// What does not fit.
pub(super) struct Misfit(pub(super) String);

/// Bytes of a character, at most.
const CHARACTER_BYTES_MAX: u32 = 4;

/// ENUMs of more labels take two bytes.
const LABELS_OF_ONE_BYTE: usize = 255;

/// Compares the columns' number, and their names where the event tells them.
pub(super) fn names(known: &TableDefinition, names: &[String], count: usize) -> Result<(), Misfit> {
    if known.columns.len() != count {
        let known = known.columns.len();
        return Err(Misfit(format!("it has {known} columns, and the rows have {count}")));
    }
    let differs = |(column, name): &(&ColumnDefinition, &String)| !same_name(&column.name, name);
    match known.columns.iter().zip(names).find(differs) {
        Some((column, name)) => {
            let known = &column.name;
            Err(Misfit(format!("its column {known} is {name} in the rows")))
        }
        None => Ok(()),
    }
}

/// Compares what the event says of a column before it is read.
pub(super) fn shape(
    known: &ColumnDefinition,
    wire_type: WireType,
    nullable: bool,
) -> Result<(), Misfit> {
    if !is_of(&known.declared, wire_type) {
        let (name, declared) = (&known.name, &known.declared);
        return Err(Misfit(format!(
            "its column {name} is {declared}, and the rows have another type"
        )));
    }
    match known.nullable {
        Some(expected) if expected != nullable => {
            let (name, not) = (&known.name, if nullable { "" } else { "not " });
            Err(Misfit(format!("its column {name} may {not}be NULL in the rows")))
        }
        _ => Ok(()),
    }
}

/// Compares a column as it was read: its sign, and whether it is text or bytes, and in which character set.
pub(super) fn column(known: &ColumnDefinition, found: &Column) -> Result<(), Misfit> {
    let declared = &known.declared;
    let text = [ColumnType::Utf8, ColumnType::Json];
    let expected = declared.column_type();
    let is_type = expected.is_none_or(|expected| {
        // MariaDB keeps JSON as text. A charset that is not known may be the binary one.
        expected == found.column_type
            || (text.contains(&expected) && text.contains(&found.column_type))
            || (declared.is_text() && declared.charset.is_none())
            || (declared.word == "vector" && found.column_type == ColumnType::Binary)
    });
    let of_found = found.property("charset");
    let is_charset = match (declared.charset.as_deref(), of_found) {
        (Some(known), Some(found)) => is_same_charset(known, found),
        _ => true,
    };
    if is_type && is_charset {
        return Ok(());
    }
    let (name, found) = (&known.name, of_found.filter(|_| is_type).map(str::to_owned));
    let found = found.unwrap_or_else(|| "another type".to_owned());
    Err(Misfit(format!("its column {name} is {declared}, and the rows have {found}")))
}

/// `utf8` is utf8mb3 or utf8mb4, by a setting.
fn is_same_charset(known: &str, found: &str) -> bool {
    known == found || (known == "utf8" && found.starts_with("utf8"))
}

/// Whether values of a declared type are written as this type.
fn is_of(declared: &DeclaredType, wire_type: WireType) -> bool {
    let first = declared.arguments.first().copied();
    match declared.word.as_str() {
        "tinyint" => matches!(wire_type, WireType::Tiny),
        "smallint" => matches!(wire_type, WireType::Short),
        "mediumint" => matches!(wire_type, WireType::Int24),
        "int" => matches!(wire_type, WireType::Long),
        "bigint" => matches!(wire_type, WireType::LongLong),
        "float" => matches!(wire_type, WireType::Float),
        "double" => matches!(wire_type, WireType::Double),
        "year" => matches!(wire_type, WireType::Year),
        "date" => matches!(wire_type, WireType::Date),
        "decimal" => match wire_type {
            WireType::Decimal(layout) => {
                declared.precision_and_scale() == (layout.precision(), layout.scale())
            }
            _ => false,
        },
        "bit" => matches!(wire_type, WireType::Bit(bits) if u32::from(bits) == first.unwrap_or(1)),
        "time" => matches!(wire_type, WireType::Time(f) if f.holds(first.unwrap_or(0))),
        "datetime" => matches!(wire_type, WireType::DateTime(f) if f.holds(first.unwrap_or(0))),
        "timestamp" => matches!(wire_type, WireType::Timestamp(f) if f.holds(first.unwrap_or(0))),
        "enum" => {
            let bytes = if declared.labels.len() > LABELS_OF_ONE_BYTE { 2 } else { 1 };
            matches!(wire_type, WireType::Enum(width) if width == bytes)
        }
        "set" => {
            matches!(wire_type, WireType::Set(width) if width == set_bytes(declared.labels.len()))
        }
        "json" => matches!(wire_type, WireType::Json(_) | WireType::Blob(4)),
        "uuid" | "inet6" => matches!(wire_type, WireType::Char(16)),
        "inet4" => matches!(wire_type, WireType::Char(4)),
        // MariaDB keeps four bytes a dimension as VARBINARY.
        "vector" => match wire_type {
            WireType::Vector(_) => true,
            WireType::Varchar(bytes) => {
                Some(u32::from(bytes)) == first.map(|d| d.saturating_mul(4))
            }
            _ => false,
        },
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" => matches!(wire_type, WireType::Geometry(_)),
        _ => is_text_of(declared, wire_type),
    }
}

/// Text and bytes: by the length in characters or bytes.
fn is_text_of(declared: &DeclaredType, wire_type: WireType) -> bool {
    let length = declared.arguments.first().copied();
    let characters = |bytes: u16| {
        let (bytes, length) = (u32::from(bytes), length.unwrap_or(1));
        bytes == length
            || (2..=CHARACTER_BYTES_MAX).any(|width| bytes == length.saturating_mul(width))
    };
    match (declared.word.as_str(), wire_type) {
        ("char", WireType::Char(bytes)) | ("varchar", WireType::Varchar(bytes)) => {
            characters(bytes)
        }
        ("varchar", WireType::VarcharCompressed(bytes)) => declared.compressed && bytes > 0,
        ("binary", WireType::Char(bytes)) | ("varbinary", WireType::Varchar(bytes)) => {
            u32::from(bytes) == length.unwrap_or(1)
        }
        ("varbinary", WireType::VarcharCompressed(_)) => declared.compressed,
        // Without strict mode a VARCHAR that is too long becomes TEXT.
        ("varchar" | "varbinary", WireType::Blob(prefix)) => {
            length.is_some_and(|l| l > u32::from(u16::MAX) / CHARACTER_BYTES_MAX) && prefix > 1
        }
        ("tinytext" | "tinyblob", WireType::Blob(prefix)) => prefix >= 1,
        // TEXT(n) takes the smallest size that holds it, and a wider character set the next size.
        ("text" | "blob", WireType::Blob(prefix)) => prefix >= 2 || length.is_some(),
        ("mediumtext" | "mediumblob", WireType::Blob(prefix)) => prefix >= 3,
        ("longtext" | "longblob", WireType::Blob(prefix)) => prefix == 4,
        (word, WireType::BlobCompressed(_)) => {
            declared.compressed && (word.ends_with("text") || word.ends_with("blob"))
        }
        // A type that came after this release: its name is all that is known of it.
        ("unknown", _) => true,
        _ => false,
    }
}

/// Bytes of a SET: 1, 2, 3, 4 or 8.
fn set_bytes(labels: usize) -> u8 {
    match labels.div_ceil(8) {
        0 | 1 => 1,
        2 => 2,
        3 => 3,
        4 => 4,
        _ => 8,
    }
}
