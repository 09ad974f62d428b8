//! The optional metadata behind a table map's columns: a list of type, length and value. A type that is
//! not known is skipped by its length, as the format intends.

use crate::decode_error::DecodeError;
use crate::wire::{Wire, WireFault};

/// What the optional metadata says; everything is still in the server's own order and numbers.
#[derive(Default)]
pub(super) struct Metadata<'a> {
    /// One bit for each numeric column, most significant first: 1 = unsigned.
    pub(super) unsigned: &'a [u8],
    pub(super) charsets: Collations,
    pub(super) label_charsets: Collations,
    pub(super) names: Option<Vec<&'a [u8]>>,
    /// For each SET column its labels.
    pub(super) set_labels: Vec<Vec<&'a [u8]>>,
    /// For each ENUM column its labels.
    pub(super) enum_labels: Vec<Vec<&'a [u8]>>,
    /// For each GEOMETRY column its kind.
    pub(super) geometry: Vec<u64>,
    /// Column indexes, in key order, with the length of the prefix that is a part of the key (0: all).
    pub(super) primary_key: Vec<(u64, u64)>,
    /// One bit for each column, most significant first: 1 = visible. MySQL only.
    pub(super) visible: Option<&'a [u8]>,
}

/// The collations of some columns, in one of the two ways to write them.
#[derive(Default)]
pub(super) enum Collations {
    #[default]
    Absent,
    /// One for all, and pairs of index and collation, ascending, for those that differ.
    Default(u64, Vec<(u64, u64)>),
    /// One for each.
    Each(Vec<u64>),
}

impl Collations {
    /// The collation of the `index`th column of those that these collations are about.
    pub(super) fn get(&self, index: usize) -> Option<u64> {
        match self {
            Self::Absent => None,
            Self::Default(default, others) => {
                let index = u64::try_from(index).ok()?;
                let found = others.binary_search_by_key(&index, |(column, _)| *column).ok();
                let other = found.and_then(|at| others.get(at));
                Some(other.map_or(*default, |(_, collation)| *collation))
            }
            Self::Each(all) => all.get(index).copied(),
        }
    }
}

/// The numbers of `Table_map_event::Optional_metadata_field_type`.
mod field {
    pub(super) const SIGNEDNESS: u8 = 1;
    pub(super) const DEFAULT_CHARSET: u8 = 2;
    pub(super) const COLUMN_CHARSET: u8 = 3;
    pub(super) const COLUMN_NAME: u8 = 4;
    pub(super) const SET_LABELS: u8 = 5;
    pub(super) const ENUM_LABELS: u8 = 6;
    pub(super) const GEOMETRY_TYPE: u8 = 7;
    pub(super) const SIMPLE_PRIMARY_KEY: u8 = 8;
    pub(super) const PRIMARY_KEY_WITH_PREFIX: u8 = 9;
    pub(super) const LABEL_DEFAULT_CHARSET: u8 = 10;
    pub(super) const LABEL_CHARSET: u8 = 11;
    pub(super) const VISIBILITY: u8 = 12;
}

impl<'a> Metadata<'a> {
    pub(super) fn read(wire: &mut Wire<'a>) -> Result<Self, DecodeError> {
        let mut metadata = Self::default();
        while !wire.is_empty() {
            let at = wire.at();
            let mut next =
                || -> Result<(u8, &'a [u8]), WireFault> { Ok((wire.u8()?, wire.lenenc_bytes()?)) };
            let (kind, value) = next().map_err(|fault| DecodeError::wire(fault, at))?;
            metadata.set(kind, value).map_err(|_| DecodeError::Malformed {
                what: "optional metadata that breaks its format",
                at,
            })?;
        }
        Ok(metadata)
    }

    fn set(&mut self, kind: u8, value: &'a [u8]) -> Result<(), WireFault> {
        let mut wire = Wire::new(value);
        match kind {
            field::SIGNEDNESS => self.unsigned = value,
            field::DEFAULT_CHARSET => self.charsets = default_collation(&mut wire)?,
            field::COLUMN_CHARSET => self.charsets = each_collation(&mut wire)?,
            field::COLUMN_NAME => self.names = Some(all(&mut wire, Wire::lenenc_bytes)?),
            field::SET_LABELS => self.set_labels = all(&mut wire, labels)?,
            field::ENUM_LABELS => self.enum_labels = all(&mut wire, labels)?,
            field::GEOMETRY_TYPE => self.geometry = all(&mut wire, Wire::lenenc)?,
            field::SIMPLE_PRIMARY_KEY => {
                self.primary_key = all(&mut wire, |w| Ok((w.lenenc()?, 0)))?;
            }
            field::PRIMARY_KEY_WITH_PREFIX => self.primary_key = all(&mut wire, pair)?,
            field::LABEL_DEFAULT_CHARSET => self.label_charsets = default_collation(&mut wire)?,
            field::LABEL_CHARSET => self.label_charsets = each_collation(&mut wire)?,
            field::VISIBILITY => self.visible = Some(value),
            // Among them the dimension of a VECTOR (13), which every value tells by its length.
            _ => {}
        }
        Ok(())
    }
}

/// Reads until the end. Every element takes a byte at least, so that the list stays within a small
/// multiple of the event.
fn all<'a, T>(
    wire: &mut Wire<'a>,
    mut read: impl FnMut(&mut Wire<'a>) -> Result<T, WireFault>,
) -> Result<Vec<T>, WireFault> {
    let mut found = Vec::new();
    while !wire.is_empty() {
        found.push(read(wire)?);
    }
    Ok(found)
}

fn pair(wire: &mut Wire<'_>) -> Result<(u64, u64), WireFault> {
    Ok((wire.lenenc()?, wire.lenenc()?))
}

fn labels<'a>(wire: &mut Wire<'a>) -> Result<Vec<&'a [u8]>, WireFault> {
    let count = wire.lenenc()?;
    let mut found = Vec::new();
    for _ in 0..count {
        found.push(wire.lenenc_bytes()?);
    }
    Ok(found)
}

fn default_collation(wire: &mut Wire<'_>) -> Result<Collations, WireFault> {
    let default = wire.lenenc()?;
    let mut others = all(wire, pair)?;
    others.sort_unstable();
    Ok(Collations::Default(default, others))
}

fn each_collation(wire: &mut Wire<'_>) -> Result<Collations, WireFault> {
    Ok(Collations::Each(all(wire, Wire::lenenc)?))
}

/// A bit of a bitmap whose first bit is the most significant one; absent bits are 0.
pub(super) fn bit_msb(bitmap: &[u8], index: usize) -> bool {
    bitmap.get(index / 8).is_some_and(|byte| byte & (0x80 >> (index % 8)) != 0)
}
