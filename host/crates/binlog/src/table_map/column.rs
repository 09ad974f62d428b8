//! From the wire types of a table map to logical columns, and to how each cell of a row is read.

mod fit;
mod wire_type;

use std::sync::Arc;

use change::{Column, ColumnDefinition, ColumnType, TableDefinition, TableName, TableSchema};
use tracing::debug;

use super::metadata::{Metadata, bit_msb};
use super::{Head, MapRules, Vendor};
use crate::decode_error::DecodeError;
use crate::definition::{History, row_columns};
use crate::value::ZeroDates;
use crate::value::address::Address;
use crate::value::charset::Charset;
use crate::value::decimal::{DecimalLayout, PRECISION_128_MAX};
use crate::value::temporal::Fraction;
use crate::wire::Wire;
use fit::Misfit;
use wire_type::WireType;

/// No server has more columns in a table.
const COLUMNS_MAX: usize = 4_096;

/// Bytes of the length in front of a value, 1 to 4.
pub(crate) type Prefix = u8;

/// The labels of an ENUM or SET column, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Labels(pub(crate) Vec<String>);

/// How one cell of a row is read. Decided once a table map, so that the loop over rows is straight.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// One byte as it is: TINYINT.
    Byte,
    /// Two bytes as they are: SMALLINT.
    Two,
    /// MEDIUMINT, to be widened with its sign.
    Int24,
    /// MEDIUMINT UNSIGNED.
    UInt24,
    /// Four bytes as they are: INT, FLOAT.
    Four,
    /// Eight bytes as they are: BIGINT, DOUBLE.
    Eight,
    Year,
    /// BIT(1).
    Boolean,
    /// BIT(2) to BIT(64).
    Bits {
        bits: u8,
    },
    Decimal(DecimalLayout),
    /// More than 38 digits: text.
    WideDecimal(DecimalLayout),
    Date(ZeroDates),
    Time(Fraction),
    DateTime(Fraction, ZeroDates),
    Timestamp(Fraction, ZeroDates),
    /// Text in utf8mb3 or utf8mb4, and bytes; whether text is UTF-8 is checked for a column at once.
    Plain(Prefix),
    /// Text in another character set.
    Coded(Prefix, &'static Charset),
    /// MariaDB's COMPRESSED, and the character set of what is packed where it is neither utf8 nor bytes.
    Compressed(Prefix, Option<&'static Charset>),
    /// BINARY: the server cuts trailing zeros off.
    Padded(Prefix, u16),
    /// MariaDB's UUID, INET6 and INET4, with trailing zeros cut off as well.
    Address(Address),
    Enum(u8, Arc<Labels>),
    Set(u8, Arc<Labels>),
    Json(Prefix),
}

/// What a table map comes to.
pub(super) struct Built {
    pub(super) schema: TableSchema,
    pub(super) cells: Vec<Cell>,
    /// The definition, where it fits.
    pub(super) definition: Option<Arc<TableDefinition>>,
}

/// Reads what stands behind the head of a table map. Where the event names its columns, a definition that
/// does not fit is left aside, and the event's word is all there is.
pub(super) fn build(
    head: &Head<'_>,
    wire: &mut Wire<'_>,
    rules: MapRules,
    history: &History,
) -> Result<Built, DecodeError> {
    let raw = RawColumns::read(wire)?;
    let metadata = Metadata::read(wire)?;
    let table = head.name();
    let told = Told { raw: &raw, metadata: &metadata, rules, at: wire.at() };
    let known = history.get(&table).map(|definition| row_columns(definition));
    let misfit = match known {
        Some(known) => match told.build(&table, Some(known))? {
            Ok(built) => return Ok(built),
            Err(misfit) => Some(misfit),
        },
        None => None,
    };
    if metadata.names.is_none() {
        let reason = || history.reason(&table);
        return Err(match misfit {
            Some(Misfit(what)) => DecodeError::Misfit { what },
            None => DecodeError::NoDefinition { reason: reason() },
        });
    }
    if let Some(Misfit(what)) = misfit {
        debug!(%table, what, "a definition does not fit the log, and is left aside");
    }
    let built = told.build(&table, None)?;
    built.map_err(|Misfit(_)| DecodeError::Malformed { what: "columns without names", at: told.at })
}

/// What a table map tells.
struct Told<'a> {
    raw: &'a RawColumns<'a>,
    metadata: &'a Metadata<'a>,
    rules: MapRules,
    at: usize,
}

impl Told<'_> {
    /// Puts columns together, with the help of a definition where there is one. The inner error says that
    /// the definition does not fit.
    fn build(
        &self,
        table: &TableName,
        known: Option<TableDefinition>,
    ) -> Result<Result<Built, Misfit>, DecodeError> {
        let count = self.raw.types.len();
        let names = match (&self.metadata.names, &known) {
            (Some(names), _) if names.len() != count => {
                let what = "another number of column names than of columns";
                return Err(DecodeError::Malformed { what, at: self.at });
            }
            (Some(names), _) => {
                names.iter().map(|n| String::from_utf8_lossy(n).into_owned()).collect()
            }
            (None, Some(known)) => known.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>(),
            (None, None) => Vec::new(),
        };
        if let Some(known) = &known
            && let Err(misfit) = fit::names(known, &names, count)
        {
            return Ok(Err(misfit));
        }
        let primary_key = match (&self.metadata.names, &known) {
            (None, Some(known)) => known.primary_key(),
            _ => primary_key(&self.metadata.primary_key, count, self.at)?,
        };
        let unique_keys = known.as_ref().map(TableDefinition::unique_keys);
        let first_unique = unique_keys.iter().flatten().next().filter(|_| primary_key.is_empty());
        let mut types = Wire::new(self.raw.type_metadata);
        let mut builder = Builder {
            metadata: self.metadata,
            rules: self.rules,
            seen: Ordinals::default(),
            at: self.at,
        };
        let (mut columns, mut cells) = (Vec::new(), Vec::new());
        for (index, (code, name)) in self.raw.types.iter().zip(&names).enumerate() {
            let wire_type = WireType::read(*code, &mut types)
                .map_err(|fault| fault.into_error(name, self.at))?;
            let bits = self.raw.nullable.get(index / 8);
            let nullable = bits.is_some_and(|b| b & (1 << (index % 8)) != 0);
            let definition = known.as_ref().and_then(|known| known.columns.get(index));
            if let Some(definition) = definition
                && let Err(misfit) = fit::shape(definition, wire_type, nullable)
            {
                return Ok(Err(misfit));
            }
            let in_key = primary_key.contains(&index)
                || first_unique.is_some_and(|key| key.columns.contains(&index));
            let place = Place { index, in_key, nullable, definition };
            let (column, cell) = builder.column(name.clone(), wire_type, place)?;
            if let Some(definition) = definition
                && let Err(misfit) = fit::column(definition, &column)
            {
                return Ok(Err(misfit));
            }
            columns.push(column);
            cells.push(cell);
        }
        let schema = TableSchema {
            name: table.clone(),
            columns,
            primary_key: Some(primary_key),
            unique_keys,
            properties: Vec::new(),
        };
        Ok(Ok(Built { schema, cells, definition: known.map(Arc::new) }))
    }
}

/// What every table map has, one entry a column.
struct RawColumns<'a> {
    types: &'a [u8],
    type_metadata: &'a [u8],
    nullable: &'a [u8],
}

impl<'a> RawColumns<'a> {
    fn read(wire: &mut Wire<'a>) -> Result<Self, DecodeError> {
        let at = wire.at();
        let count = wire.lenenc().map_err(|fault| DecodeError::wire(fault, at))?;
        let count = usize::try_from(count).ok().filter(|c| (1..=COLUMNS_MAX).contains(c));
        let count = count
            .ok_or(DecodeError::Malformed { what: "a number of columns that no table has", at })?;
        let mut rest = || {
            let types = wire.take(count)?;
            let type_metadata = wire.lenenc_bytes()?;
            Ok(Self { types, type_metadata, nullable: wire.take(count.div_ceil(8))? })
        };
        rest().map_err(|fault| DecodeError::wire(fault, at))
    }
}

/// The key's columns; none where a part of it is only a prefix of a column, since such a key tells
/// no rows apart by whole columns.
fn primary_key(key: &[(u64, u64)], count: usize, at: usize) -> Result<Vec<usize>, DecodeError> {
    let index = |column: &u64| usize::try_from(*column).ok().filter(|c| *c < count);
    let all: Option<Vec<usize>> = key.iter().map(|(column, _)| index(column)).collect();
    let all =
        all.ok_or(DecodeError::Malformed { what: "a key of columns that do not exist", at })?;
    Ok(if key.iter().all(|(_, prefix)| *prefix == 0) { all } else { Vec::new() })
}

/// How many columns of each family came before: the optional metadata counts within families.
#[derive(Default)]
struct Ordinals {
    numeric: usize,
    character: usize,
    label: usize,
    enumeration: usize,
    set: usize,
    geometry: usize,
}

impl Ordinals {
    fn next(counter: &mut usize) -> usize {
        let index = *counter;
        *counter += 1;
        index
    }
}

/// What is known of a column besides its type.
struct Place<'a> {
    index: usize,
    in_key: bool,
    nullable: bool,
    definition: Option<&'a ColumnDefinition>,
}

struct Builder<'a> {
    metadata: &'a Metadata<'a>,
    rules: MapRules,
    seen: Ordinals,
    at: usize,
}

/// What else is known of a column, by documented keys.
type Properties = Vec<(String, String)>;

/// A type with its parts: the source's word for it, the logical type, how to read it, properties.
type Parts = (&'static str, ColumnType, Cell, Properties);

impl Builder<'_> {
    fn column(
        &mut self,
        name: String,
        wire_type: WireType,
        place: Place<'_>,
    ) -> Result<(Column, Cell), DecodeError> {
        let address = place.definition.and_then(|d| Address::of_word(&d.declared.word));
        // The key of a row is never made null.
        let zero_dates = if place.in_key { ZeroDates::Error } else { self.rules.zero_dates };
        let (source_type, column_type, cell, mut properties) = match wire_type {
            WireType::Char(bytes) if address.is_some_and(|a| a.bytes() == bytes) => {
                self.address(address)
            }
            WireType::Char(bytes) => self.character(&name, Stored::Char(bytes))?,
            WireType::Varchar(bytes) => self.character(&name, Stored::Varchar(bytes))?,
            WireType::Blob(prefix) => self.character(&name, Stored::Blob(prefix))?,
            WireType::VarcharCompressed(bytes) => {
                self.character(&name, Stored::VarcharCompressed(bytes))?
            }
            WireType::BlobCompressed(prefix) => {
                self.character(&name, Stored::BlobCompressed(prefix))?
            }
            WireType::Enum(width) => self.enumeration(&name, width, place.definition)?,
            WireType::Set(width) => self.set(&name, width, place.definition)?,
            WireType::Geometry(prefix) => self.geometry(prefix),
            WireType::Vector(prefix) => {
                // MySQL lists it among the columns with a character set, as binary.
                Ordinals::next(&mut self.seen.character);
                ("vector", ColumnType::Binary, Cell::Plain(prefix), Vec::new())
            }
            other => self.simple(other, zero_dates),
        };
        let dated = matches!(cell, Cell::Date(_) | Cell::DateTime(..) | Cell::Timestamp(..));
        let nullable = place.nullable || (dated && zero_dates == ZeroDates::Null);
        let is_hidden = place.definition.is_some_and(|d| d.invisible);
        if self.metadata.visible.map_or(is_hidden, |bits| !bit_msb(bits, place.index)) {
            properties.push(("invisible".to_owned(), "true".to_owned()));
        }
        if place.definition.is_some_and(|d| d.generated) {
            properties.push(("generated".to_owned(), "true".to_owned()));
        }
        let source_type = Some(source_type.to_owned());
        Ok((Column { name, column_type, nullable, source_type, properties }, cell))
    }

    /// The types that need no more than the signedness.
    fn simple(&mut self, wire_type: WireType, zero_dates: ZeroDates) -> Parts {
        let unsigned = wire_type.is_numeric() && {
            let index = Ordinals::next(&mut self.seen.numeric);
            bit_msb(self.metadata.unsigned, index)
        };
        let signed = |yes, no| if unsigned { no } else { yes };
        let (source_type, column_type, cell) = match wire_type {
            WireType::Tiny => ("tinyint", signed(ColumnType::Int8, ColumnType::UInt8), Cell::Byte),
            WireType::Short => {
                ("smallint", signed(ColumnType::Int16, ColumnType::UInt16), Cell::Two)
            }
            WireType::Int24 if unsigned => ("mediumint", ColumnType::UInt32, Cell::UInt24),
            WireType::Int24 => ("mediumint", ColumnType::Int32, Cell::Int24),
            WireType::Long => ("int", signed(ColumnType::Int32, ColumnType::UInt32), Cell::Four),
            WireType::LongLong => {
                ("bigint", signed(ColumnType::Int64, ColumnType::UInt64), Cell::Eight)
            }
            WireType::Float => ("float", ColumnType::Float32, Cell::Four),
            WireType::Double => ("double", ColumnType::Float64, Cell::Eight),
            WireType::Year => ("year", ColumnType::Int16, Cell::Year),
            WireType::Decimal(layout) if layout.precision() > PRECISION_128_MAX => {
                ("decimal", ColumnType::Utf8, Cell::WideDecimal(layout))
            }
            WireType::Decimal(layout) => {
                let (precision, scale) = (layout.precision(), layout.scale());
                ("decimal", ColumnType::Decimal { precision, scale }, Cell::Decimal(layout))
            }
            WireType::Bit(1) => ("bit", ColumnType::Boolean, Cell::Boolean),
            WireType::Bit(bits) => ("bit", ColumnType::UInt64, Cell::Bits { bits }),
            WireType::Date => ("date", ColumnType::Date, Cell::Date(zero_dates)),
            WireType::Time(fraction) => ("time", ColumnType::TimeMicros, Cell::Time(fraction)),
            WireType::DateTime(fraction) => {
                ("datetime", ColumnType::TimestampMicrosLocal, Cell::DateTime(fraction, zero_dates))
            }
            WireType::Timestamp(fraction) => {
                ("timestamp", ColumnType::TimestampMicrosUtc, Cell::Timestamp(fraction, zero_dates))
            }
            WireType::Json(prefix) => ("json", ColumnType::Json, Cell::Json(prefix)),
            // The other types have their own ways and never come here.
            WireType::Char(_)
            | WireType::Varchar(_)
            | WireType::Blob(_)
            | WireType::VarcharCompressed(_)
            | WireType::BlobCompressed(_)
            | WireType::Enum(_)
            | WireType::Set(_)
            | WireType::Geometry(_)
            | WireType::Vector(_) => ("blob", ColumnType::Binary, Cell::Plain(4)),
        };
        (source_type, column_type, cell, Vec::new())
    }

    fn character(&mut self, name: &str, stored: Stored) -> Result<Parts, DecodeError> {
        let index = Ordinals::next(&mut self.seen.character);
        let charset = self.charset(name, self.metadata.charsets.get(index))?;
        let (text_type, binary_type) = stored.source_types();
        let prefix = stored.prefix();
        if charset.is_binary() {
            let cell = match stored {
                Stored::Char(width) => Cell::Padded(prefix, width),
                Stored::Varchar(_) | Stored::Blob(_) => Cell::Plain(prefix),
                Stored::VarcharCompressed(_) | Stored::BlobCompressed(_) => {
                    Cell::Compressed(prefix, None)
                }
            };
            return Ok((binary_type, ColumnType::Binary, cell, Vec::new()));
        }
        let coded = (!charset.is_utf8()).then_some(charset);
        let cell = match (stored, coded) {
            (Stored::VarcharCompressed(_) | Stored::BlobCompressed(_), _) => {
                Cell::Compressed(prefix, coded)
            }
            (_, Some(charset)) => Cell::Coded(prefix, charset),
            (_, None) => Cell::Plain(prefix),
        };
        let properties = vec![("charset".to_owned(), charset.name().to_owned())];
        Ok((text_type, ColumnType::Utf8, cell, properties))
    }

    /// What the log shows as BINARY, and its definition as another type.
    fn address(&mut self, declared: Option<Address>) -> Parts {
        Ordinals::next(&mut self.seen.character);
        let declared = declared.unwrap_or(Address::Uuid);
        (declared.name(), ColumnType::Utf8, Cell::Address(declared), Vec::new())
    }

    fn geometry(&mut self, prefix: Prefix) -> Parts {
        if self.rules.vendor == Vendor::MariaDb {
            Ordinals::next(&mut self.seen.character);
        }
        let index = Ordinals::next(&mut self.seen.geometry);
        let kind = self.metadata.geometry.get(index).copied().unwrap_or(0);
        (geometry_name(kind), ColumnType::Binary, Cell::Plain(prefix), Vec::new())
    }

    fn enumeration(
        &mut self,
        name: &str,
        width: u8,
        definition: Option<&ColumnDefinition>,
    ) -> Result<Parts, DecodeError> {
        let index = Ordinals::next(&mut self.seen.enumeration);
        let raw = self.metadata.enum_labels.get(index);
        let (labels, properties) = self.labels(name, raw, definition)?;
        Ok(("enum", ColumnType::Utf8, Cell::Enum(width, labels), properties))
    }

    fn set(
        &mut self,
        name: &str,
        width: u8,
        definition: Option<&ColumnDefinition>,
    ) -> Result<Parts, DecodeError> {
        let index = Ordinals::next(&mut self.seen.set);
        let raw = self.metadata.set_labels.get(index);
        let (labels, properties) = self.labels(name, raw, definition)?;
        Ok(("set", ColumnType::Utf8, Cell::Set(width, labels), properties))
    }

    /// Labels as text, and the properties that tell them: from the event, else from the definition.
    fn labels(
        &mut self,
        name: &str,
        raw: Option<&Vec<&[u8]>>,
        definition: Option<&ColumnDefinition>,
    ) -> Result<(Arc<Labels>, Properties), DecodeError> {
        let index = Ordinals::next(&mut self.seen.label);
        let missing = DecodeError::Malformed { what: "no labels for an ENUM or SET", at: self.at };
        let (labels, charset) = match (raw, definition) {
            (Some(raw), _) => {
                let charset = self.charset(name, self.metadata.label_charsets.get(index))?;
                let labels: Result<Vec<String>, _> =
                    raw.iter().map(|label| charset.text(label)).collect();
                let labels = labels.map_err(|_| DecodeError::Malformed {
                    what: "a label that is no text in its character set",
                    at: self.at,
                })?;
                (labels, Some(charset.name().to_owned()))
            }
            (None, Some(definition)) => {
                (definition.declared.labels.clone(), definition.declared.charset.clone())
            }
            (None, None) => return Err(missing),
        };
        let shown = serde_json::Value::from(labels.clone()).to_string();
        let charset = charset.map(|charset| ("charset".to_owned(), charset));
        let properties = charset.into_iter().chain([("labels".to_owned(), shown)]).collect();
        Ok((Arc::new(Labels(labels)), properties))
    }

    fn charset(&self, name: &str, id: Option<u64>) -> Result<&'static Charset, DecodeError> {
        let what = "no character set for a text column";
        let id = id.ok_or(DecodeError::Malformed { what, at: self.at })?;
        Charset::of_collation(id)
            .ok_or_else(|| DecodeError::Collation { column: name.to_owned(), collation: id })
    }
}

/// How the bytes of a text or binary column are stored.
#[derive(Clone, Copy)]
enum Stored {
    /// At most so many bytes; the trailing spaces or zeros are cut off.
    Char(u16),
    /// At most so many bytes.
    Varchar(u16),
    /// A length of so many bytes.
    Blob(Prefix),
    /// As [`Self::Varchar`], packed.
    VarcharCompressed(u16),
    /// As [`Self::Blob`], packed.
    BlobCompressed(Prefix),
}

impl Stored {
    fn prefix(self) -> Prefix {
        match self {
            Self::Char(bytes) | Self::Varchar(bytes) | Self::VarcharCompressed(bytes) => {
                1 + u8::from(bytes > 255)
            }
            Self::Blob(prefix) | Self::BlobCompressed(prefix) => prefix,
        }
    }

    /// With a character set, and without.
    fn source_types(self) -> (&'static str, &'static str) {
        match self {
            Self::Char(_) => ("char", "binary"),
            Self::Varchar(_) | Self::VarcharCompressed(_) => ("varchar", "varbinary"),
            Self::Blob(1) | Self::BlobCompressed(1) => ("tinytext", "tinyblob"),
            Self::Blob(2) | Self::BlobCompressed(2) => ("text", "blob"),
            Self::Blob(3) | Self::BlobCompressed(3) => ("mediumtext", "mediumblob"),
            Self::Blob(_) | Self::BlobCompressed(_) => ("longtext", "longblob"),
        }
    }
}

/// The kinds of `Field::geometry_type`.
fn geometry_name(kind: u64) -> &'static str {
    match kind {
        1 => "point",
        2 => "linestring",
        3 => "polygon",
        4 => "multipoint",
        5 => "multilinestring",
        6 => "multipolygon",
        7 => "geometrycollection",
        _ => "geometry",
    }
}
