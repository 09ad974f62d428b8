//! What a session had set when it ran a statement, as far as the QUERY event's status variables tell and
//! definitions hang on it.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Query__event.html>, "Status
//! variables". A variable that is not known ends the reading: its length is not known either, and those
//! that matter come first.

use super::token::Lexis;
use crate::event::Vendor;
use crate::value::charset::Charset;
use crate::wire::{Wire, WireFault};

/// Bits of `sql_mode` that both vendors share.
mod mode {
    pub(super) const REAL_AS_FLOAT: u64 = 1;
    pub(super) const ANSI_QUOTES: u64 = 1 << 2;
    /// MariaDB only; a MySQL server has no use for the bit.
    pub(super) const ORACLE: u64 = 1 << 9;
    pub(super) const NO_BACKSLASH_ESCAPES: u64 = 1 << 20;
    pub(super) const STRICT: u64 = 1 << 21 | 1 << 22;
}

/// Numbers of status variables.
mod variable {
    pub(super) const FLAGS: u8 = 0;
    pub(super) const SQL_MODE: u8 = 1;
    pub(super) const AUTO_INCREMENT: u8 = 3;
    pub(super) const CHARSET: u8 = 4;
    pub(super) const TIME_ZONE: u8 = 5;
    pub(super) const CATALOG: u8 = 6;
    pub(super) const LC_TIME_NAMES: u8 = 7;
    pub(super) const DATABASE_CHARSET: u8 = 8;
    pub(super) const TABLE_MAPS: u8 = 9;
    pub(super) const BYTES_WRITTEN: u8 = 0x0a;
    pub(super) const INVOKER: u8 = 0x0b;
    pub(super) const DATABASES: u8 = 0x0c;
    pub(super) const MICROSECONDS: u8 = 0x0d;
    pub(super) const TIMESTAMP_DEFAULTS: u8 = 0x10;
    /// MySQL: the number of the transaction that changed the dictionary.
    pub(super) const MYSQL_XID: u8 = 0x11;
    /// MariaDB: microseconds.
    pub(super) const FRACTION: u8 = 0x80;
    /// MariaDB: the number of the transaction that changed a definition.
    pub(super) const MARIADB_XID: u8 = 0x81;
    /// MariaDB: pairs of a character set and its default collation.
    pub(super) const COLLATIONS: u8 = 0x83;
}

/// With more databases than this the event names none.
const DATABASES_MAX: u8 = 16;

/// What a session had set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) lexis: Lexis,
    /// Whether a value that does not fit is an error, and not made to fit.
    pub(crate) is_strict: bool,
    pub(crate) real_is_float: bool,
    pub(crate) is_oracle: bool,
    /// Seconds east of Greenwich, where the zone is told and has one offset.
    pub(crate) zone_offset_seconds: Option<i64>,
    /// The character set of the default database.
    pub(crate) database_charset: Option<&'static str>,
    /// Whether the server says that the statement changed a definition. Where it does not say so, the
    /// statement may have changed one all the same.
    pub(crate) has_changed_definitions: bool,
}

impl Environment {
    /// A session of our own, in UTC and without any mode.
    pub(crate) fn plain(vendor: Option<Vendor>) -> Self {
        let lexis = Lexis { vendor, ..Lexis::default() };
        Self { lexis, zone_offset_seconds: Some(0), ..Self::default() }
    }

    /// Reads status variables up to the first that is not known.
    pub(crate) fn read(status: &[u8], vendor: Option<Vendor>) -> Self {
        let mut found = Self { lexis: Lexis { vendor, ..Lexis::default() }, ..Self::default() };
        let mut wire = Wire::new(status);
        while !wire.is_empty() && found.variable(&mut wire).is_ok_and(|known| known) {}
        found
    }

    /// Reads one variable; false where it is not known.
    fn variable(&mut self, wire: &mut Wire<'_>) -> Result<bool, WireFault> {
        match wire.u8()? {
            variable::FLAGS | variable::AUTO_INCREMENT => wire.take(4).map(|_| ())?,
            variable::SQL_MODE => {
                let bits = wire.u64()?;
                let has = |bit: u64| bits & bit != 0;
                self.lexis.ansi_quotes = has(mode::ANSI_QUOTES);
                self.lexis.backslash = !has(mode::NO_BACKSLASH_ESCAPES);
                self.is_strict = has(mode::STRICT);
                self.real_is_float = has(mode::REAL_AS_FLOAT);
                self.is_oracle = has(mode::ORACLE) && self.lexis.vendor == Some(Vendor::MariaDb);
            }
            variable::CATALOG => {
                let bytes = usize::from(wire.u8()?);
                wire.take(bytes)?;
            }
            variable::CHARSET => wire.take(6).map(|_| ())?,
            variable::TIME_ZONE => {
                let bytes = usize::from(wire.u8()?);
                self.zone_offset_seconds = zone_offset_seconds(wire.take(bytes)?);
            }
            variable::LC_TIME_NAMES => wire.take(2).map(|_| ())?,
            variable::TABLE_MAPS => wire.take(8).map(|_| ())?,
            variable::BYTES_WRITTEN => wire.take(4).map(|_| ())?,
            variable::MICROSECONDS | variable::FRACTION => wire.take(3).map(|_| ())?,
            variable::TIMESTAMP_DEFAULTS => wire.take(1).map(|_| ())?,
            variable::INVOKER => {
                for _ in 0..2 {
                    let bytes = usize::from(wire.u8()?);
                    wire.take(bytes)?;
                }
            }
            variable::DATABASES => {
                let count = wire.u8()?;
                for _ in 0..if count > DATABASES_MAX { 0 } else { count } {
                    while wire.u8()? != 0 {}
                }
            }
            variable::MYSQL_XID | variable::MARIADB_XID => {
                wire.take(8)?;
                self.has_changed_definitions = true;
            }
            variable::DATABASE_CHARSET => {
                let charset = Charset::of_collation(wire.u16()?.into());
                self.database_charset = charset.map(Charset::name);
            }
            variable::COLLATIONS => {
                let pairs = usize::from(wire.u8()?);
                wire.take(pairs.saturating_mul(4))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `+02:00`, `-03:30`; none for a zone by name.
fn zone_offset_seconds(zone: &[u8]) -> Option<i64> {
    let zone = std::str::from_utf8(zone).ok()?;
    if zone.eq_ignore_ascii_case("UTC") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..=14).contains(&hours) && (0..60).contains(&minutes))
        .then_some(sign * (hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hexadecimal: &str) -> Environment {
        let bytes = hexadecimal.split(' ').map(|b| u8::from_str_radix(b, 16).expect("a byte"));
        Environment::read(&bytes.collect::<Vec<_>>(), Some(Vendor::Mysql))
    }

    #[test]
    fn the_status_variables_of_real_servers_are_read() {
        let mysql = "00 00 00 00 00 01 20 00 a0 45 00 00 00 00 06 03 73 74 64 04 ff 00 ff 00 ff 00 \
             05 06 2b 30 31 3a 33 30 0b 04 72 6f 6f 74 01 6c 0c 01 63 00 0d 0f dc 06 10 01 11 04 10 00 00 \
             00 00 00 00 12 ff 00";
        let found = read(mysql);
        assert!(found.has_changed_definitions);
        assert_eq!(found.zone_offset_seconds, Some(5_400));
        assert!(found.is_strict && found.lexis.backslash && !found.lexis.ansi_quotes);
        let mariadb = "00 00 00 00 01 01 04 00 10 00 00 00 00 00 06 03 73 74 64 83 01 21 00 00 08 04 08 \
             00 09 00 09 00 08 08 00";
        let found = read(mariadb);
        assert!(!found.has_changed_definitions);
        assert!(!found.is_strict && !found.lexis.backslash && found.lexis.ansi_quotes);
        assert_eq!(found.database_charset, Some("latin1"));
    }

    #[test]
    fn what_is_cut_off_or_not_known_ends_the_reading() {
        for status in ["", "01 20 00", "06 09 61", "7f 01 20 00 a0 45 00 00 00 00"] {
            let bytes: Vec<u8> =
                status.split(' ').filter_map(|b| u8::from_str_radix(b, 16).ok()).collect();
            let plain = Environment::read(&bytes, None);
            assert!(!plain.is_strict && plain.zone_offset_seconds.is_none(), "{status}");
        }
    }
}
