//! Values of MariaDB's COMPRESSED columns.
//!
//! Format: MariaDB source, `Field_longstr::uncompress` in sql/field.cc. An empty value has no byte at
//! all. Otherwise the first byte is 0 where the value follows as it is; else its upper half is the
//! algorithm (8: zlib), bit 3 tells that zlib's wrapping is left out, and its lower three bits are the
//! number of bytes of the length, which stands behind it, most significant byte first.

use crate::compression::{Wrap, inflate};
use crate::decode_error::ValueFault;
use crate::value::charset::Charset;
use crate::wire::Wire;

const ZLIB: u8 = 8;

/// Appends what was packed, as UTF-8 where it has a character set.
pub(crate) fn append(
    packed: &[u8],
    charset: Option<&Charset>,
    out: &mut Vec<u8>,
) -> Result<(), ValueFault> {
    let Some(charset) = charset else {
        return unpack(packed, out);
    };
    let mut plain = Vec::new();
    unpack(packed, &mut plain)?;
    charset.append(&plain, out)
}

fn unpack(packed: &[u8], out: &mut Vec<u8>) -> Result<(), ValueFault> {
    let Some((head, data)) = packed.split_first() else {
        return Ok(());
    };
    if *head == 0 {
        out.extend_from_slice(data);
        return Ok(());
    }
    let bytes = usize::from(head & 7);
    if head >> 4 != ZLIB || !(1..=4).contains(&bytes) {
        return Err(ValueFault::Compressed);
    }
    let wrap = if head & 8 == 0 { Wrap::Zlib } else { Wrap::Raw };
    let mut wire = Wire::new(data);
    let length = wire.uint_be(bytes)?;
    inflate(wire.rest(), wrap, length, out).map_err(|_| ValueFault::Compressed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compression::tests::deflated;

    fn read(packed: &[u8], charset: Option<&Charset>) -> Result<Vec<u8>, ValueFault> {
        let mut out = Vec::new();
        append(packed, charset, &mut out).map(|()| out)
    }

    #[test]
    fn a_value_is_what_was_packed() {
        let text = b"caf\xe9 caf\xe9 caf\xe9";
        let raw = [&[0x89, 14][..], &deflated(text, Wrap::Raw)].concat();
        let wrapped = [&[0x82, 0, 14][..], &deflated(text, Wrap::Zlib)].concat();
        for packed in [raw, wrapped] {
            assert_eq!(read(&packed, None).as_deref(), Ok(text.as_slice()));
            let latin1 = Charset::of_collation(8);
            assert_eq!(read(&packed, latin1), Ok("café café café".as_bytes().to_vec()));
            for cut in 1..packed.len() {
                assert!(read(packed.get(..cut).expect("shorter"), None).is_err(), "{cut}");
            }
        }
        assert_eq!(read(b"\0plain", None).as_deref(), Ok(b"plain".as_slice()));
        assert_eq!(read(b"", None).as_deref(), Ok(b"".as_slice()));
        assert_eq!(read(&[0x71, 1, 0], None), Err(ValueFault::Compressed));
    }
}
