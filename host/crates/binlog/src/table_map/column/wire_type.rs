//! The type byte of a column and the metadata that belongs to it (MySQL source, `enum_field_types` and
//! `Table_map_event`, "column_type_def" and "metadata").

use super::Prefix;
use crate::decode_error::DecodeError;
use crate::value::decimal::DecimalLayout;
use crate::value::temporal::Fraction;
use crate::wire::{Wire, WireFault};

/// A column type with what its metadata says.
#[derive(Clone, Copy, Debug)]
pub(super) enum WireType {
    Tiny,
    Short,
    Int24,
    Long,
    LongLong,
    Float,
    Double,
    Year,
    Decimal(DecimalLayout),
    /// 1 to 64 bits.
    Bit(u8),
    Date,
    Time(Fraction),
    DateTime(Fraction),
    Timestamp(Fraction),
    /// The most bytes of a value.
    Char(u16),
    /// The most bytes of a value.
    Varchar(u16),
    Blob(Prefix),
    /// MariaDB's COMPRESSED; the most bytes of a value.
    VarcharCompressed(u16),
    /// MariaDB's COMPRESSED.
    BlobCompressed(Prefix),
    Geometry(Prefix),
    Json(Prefix),
    Vector(Prefix),
    /// Bytes of a value, 1 or 2.
    Enum(u8),
    /// Bytes of a value, 1 to 8.
    Set(u8),
}

/// Why a type byte and its metadata are no column.
pub(super) enum TypeFault {
    Wire(WireFault),
    /// Metadata that no server writes.
    Metadata,
    /// A type that is not read.
    Refused {
        source_type: String,
        remedy: &'static str,
    },
}

impl From<WireFault> for TypeFault {
    fn from(fault: WireFault) -> Self {
        Self::Wire(fault)
    }
}

impl TypeFault {
    pub(super) fn into_error(self, column: &str, at: usize) -> DecodeError {
        match self {
            Self::Wire(fault) => DecodeError::wire(fault, at),
            Self::Metadata => {
                DecodeError::Malformed { what: "column metadata out of its range", at }
            }
            Self::Refused { source_type, remedy } => {
                DecodeError::ColumnType { column: column.to_owned(), source_type, remedy }
            }
        }
    }
}

const REMEDY_REBUILD: &str = "run ALTER TABLE .. FORCE at the source, which gives the column the format of MySQL 5.6 and later";
const REMEDY_LEAVE: &str = "leave the table out of source.tables";

impl WireType {
    pub(super) fn read(code: u8, metadata: &mut Wire<'_>) -> Result<Self, TypeFault> {
        Ok(match code {
            1 => Self::Tiny,
            2 => Self::Short,
            3 => Self::Long,
            4 => sized(metadata, 4, Self::Float)?,
            5 => sized(metadata, 8, Self::Double)?,
            8 => Self::LongLong,
            9 => Self::Int24,
            10 | 14 => Self::Date,
            13 => Self::Year,
            15 | 253 => Self::Varchar(metadata.u16()?),
            16 => {
                let (bits, bytes) = (metadata.u8()?, metadata.u8()?);
                let all = u16::from(bytes) * 8 + u16::from(bits);
                let bits = u8::try_from(all).ok().filter(|b| (1..=64).contains(b));
                Self::Bit(bits.ok_or(TypeFault::Metadata)?)
            }
            17 => Self::Timestamp(fraction(metadata)?),
            18 => Self::DateTime(fraction(metadata)?),
            19 => Self::Time(fraction(metadata)?),
            140 => Self::BlobCompressed(prefix(metadata)?),
            141 => Self::VarcharCompressed(metadata.u16()?),
            242 => Self::Vector(prefix(metadata)?),
            245 => Self::Json(prefix(metadata)?),
            246 => {
                let layout = DecimalLayout::new(metadata.u8()?, metadata.u8()?);
                Self::Decimal(layout.ok_or(TypeFault::Metadata)?)
            }
            249..=252 => Self::Blob(prefix(metadata)?),
            254 => Self::string(metadata)?,
            255 => Self::Geometry(prefix(metadata)?),
            other => return Err(refused(other)),
        })
    }

    /// CHAR, BINARY, ENUM and SET share a type byte; the first byte of the metadata tells them apart.
    /// For CHAR two of its bits, flipped, are the ninth and tenth bit of the length.
    fn string(metadata: &mut Wire<'_>) -> Result<Self, TypeFault> {
        let (real, length) = (metadata.u8()?, metadata.u8()?);
        match real {
            247 if (1..=2).contains(&length) => Ok(Self::Enum(length)),
            248 if (1..=8).contains(&length) => Ok(Self::Set(length)),
            _ if real | 0x30 == 254 => {
                let high = u16::from((real & 0x30) ^ 0x30) << 4;
                Ok(Self::Char(high | u16::from(length)))
            }
            _ => Err(TypeFault::Metadata),
        }
    }

    /// Whether the signedness has a bit for it. YEAR is among them.
    pub(super) fn is_numeric(self) -> bool {
        matches!(
            self,
            Self::Tiny
                | Self::Short
                | Self::Int24
                | Self::Long
                | Self::LongLong
                | Self::Float
                | Self::Double
                | Self::Year
                | Self::Decimal(_)
        )
    }
}

fn sized(metadata: &mut Wire<'_>, bytes: u8, found: WireType) -> Result<WireType, TypeFault> {
    if metadata.u8()? == bytes { Ok(found) } else { Err(TypeFault::Metadata) }
}

fn prefix(metadata: &mut Wire<'_>) -> Result<Prefix, TypeFault> {
    let bytes = metadata.u8()?;
    if (1..=4).contains(&bytes) { Ok(bytes) } else { Err(TypeFault::Metadata) }
}

fn fraction(metadata: &mut Wire<'_>) -> Result<Fraction, TypeFault> {
    Fraction::new(metadata.u8()?).ok_or(TypeFault::Metadata)
}

fn refused(code: u8) -> TypeFault {
    let (source_type, remedy) = match code {
        0 => ("decimal in the format of before MySQL 5.0", REMEDY_REBUILD),
        7 => ("timestamp in the format of before MySQL 5.6", REMEDY_REBUILD),
        11 => ("time in the format of before MySQL 5.6", REMEDY_REBUILD),
        12 => ("datetime in the format of before MySQL 5.6", REMEDY_REBUILD),
        20 => ("array of a multi-valued index", REMEDY_LEAVE),
        _ => {
            let source_type = format!("number {code}");
            return TypeFault::Refused { source_type, remedy: REMEDY_LEAVE };
        }
    };
    TypeFault::Refused { source_type: source_type.to_owned(), remedy }
}
