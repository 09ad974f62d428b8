//! MariaDB's UUID, INET6 and INET4 as the text that the server gives.
//!
//! Sources: MariaDB's `UUID::to_string` (sql/sql_type_uuid.h) and `Inet6::to_string`
//! (sql/sql_type_inet.cc), whose form of an IPv6 address is not quite that of RFC 5952: a single group of
//! zeros is left out too, and an IPv4 address stands only behind exactly 96 bits of prefix.

use std::io::Write as _;
use std::net::Ipv4Addr;

/// A type that a log shows as another one: MariaDB writes these as BINARY, under FULL metadata too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// UUID: 16 bytes, read as text in lower case.
    Uuid,
    /// INET6: 16 bytes, read as the text that the server gives.
    Inet6,
    /// INET4: four bytes, read as the text that the server gives.
    Inet4,
}

impl Address {
    /// The type, from the first word of a column's declaration; none for those that a log tells.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Uuid, Self::Inet6, Self::Inet4];
        all.into_iter().find(|declared| word.eq_ignore_ascii_case(declared.name()))
    }

    /// The source's word for it, in lower case.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Inet6 => "inet6",
            Self::Inet4 => "inet4",
        }
    }

    /// Bytes of a value.
    pub(crate) fn bytes(self) -> u16 {
        match self {
            Self::Uuid | Self::Inet6 => 16,
            Self::Inet4 => 4,
        }
    }
}

/// 8-4-4-4-12 digits in lower case.
pub(crate) fn append_uuid(bytes: [u8; 16], out: &mut Vec<u8>) {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let text = uuid::Uuid::from_bytes(bytes).as_hyphenated().encode_lower(&mut text);
    out.extend_from_slice(text.as_bytes());
}

/// Four numbers.
pub(crate) fn append_inet4(bytes: [u8; 4], out: &mut Vec<u8>) {
    // Writing to a vector never fails.
    let _ = write!(out, "{}", Ipv4Addr::from(bytes));
}

/// Groups in lower case without leading zeros, the first of the longest runs of zeros left out.
pub(crate) fn append_inet6(bytes: [u8; 16], out: &mut Vec<u8>) {
    let groups = std::net::Ipv6Addr::from(bytes).segments();
    let (gap, length) = longest_zeros(&groups);
    let is_v4 = gap == 0 && (length == 6 || (length == 5 && groups.get(5) == Some(&0xffff)));
    let mut at = 0;
    while let Some(group) = groups.get(at) {
        if at == gap && length > 0 {
            out.extend_from_slice(if at == 0 { b"::" } else { b":" });
            at += length;
            continue;
        }
        if at == 6 && is_v4 {
            let [.., a, b, c, d] = bytes;
            return append_inet4([a, b, c, d], out);
        }
        let end = if at + 1 < groups.len() { ":" } else { "" };
        let _ = write!(out, "{group:x}{end}");
        at += 1;
    }
}

/// Where the first of the longest runs of zeros starts, and how long it is.
fn longest_zeros(groups: &[u16]) -> (usize, usize) {
    let mut longest = (0, 0);
    let mut run = 0;
    for (index, group) in groups.iter().enumerate() {
        run = if *group == 0 { run + 1 } else { 0 };
        if run > longest.1 {
            longest = (index + 1 - run, run);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_the_server_prints_them() {
        let cases: [([u16; 8], &str); 9] = [
            ([0x2001, 0xdb8, 0, 0, 0, 0xff00, 0x42, 0x8329], "2001:db8::ff00:42:8329"),
            ([0; 8], "::"),
            ([0, 0, 0, 0, 0, 0, 0, 1], "::1"),
            ([0, 0, 0, 0, 0, 0xffff, 0xa00, 1], "::ffff:10.0.0.1"),
            ([0, 0, 0, 0, 0, 0, 0x102, 0x304], "::1.2.3.4"),
            ([1, 0, 2, 3, 4, 5, 6, 7], "1::2:3:4:5:6:7"),
            ([1, 0, 0, 2, 0, 0, 0, 3], "1:0:0:2::3"),
            ([0xfe80, 0, 0, 0, 0, 0, 0, 0], "fe80::"),
            ([0xffff; 8], "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ];
        for (groups, expected) in cases {
            let mut out = Vec::new();
            append_inet6(std::net::Ipv6Addr::from(groups).octets(), &mut out);
            assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
        }
        let mut out = Vec::new();
        append_inet4([192, 168, 1, 255], &mut out);
        append_uuid([0xab; 16], &mut out);
        assert_eq!(out, b"192.168.1.255abababab-abab-abab-abab-abababababab");
    }
}
