//! A cursor over the bytes of an event that never reads past their end.
//!
//! It must never allocate by a length that it read: what it hands out are slices of what is there.

/// Why a value cannot be read off the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireFault {
    /// There are fewer bytes than the value takes.
    End,
    /// The first byte of a length-encoded integer starts none (0xfb and 0xff).
    Length,
}

/// The bytes of an event that are still to be read.
#[derive(Clone, Debug)]
pub(crate) struct Wire<'a> {
    rest: &'a [u8],
    whole: usize,
}

impl<'a> Wire<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, whole: bytes.len() }
    }

    /// How many bytes have been read.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.whole.saturating_sub(self.rest.len())
    }

    /// What is left.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline(always)]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], WireFault> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(WireFault::End)?;
        self.rest = rest;
        Ok(head)
    }

    /// [`Self::take`] for a length as it stands on the wire.
    #[inline]
    pub(crate) fn take_long(&mut self, count: u64) -> Result<&'a [u8], WireFault> {
        self.take(usize::try_from(count).map_err(|_| WireFault::End)?)
    }

    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireFault> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(WireFault::End)?;
        self.rest = rest;
        Ok(*head)
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self) -> Result<u8, WireFault> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    #[inline(always)]
    pub(crate) fn u16(&mut self) -> Result<u16, WireFault> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline(always)]
    pub(crate) fn u24(&mut self) -> Result<u32, WireFault> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_le_bytes([a, b, c, 0]))
    }

    #[inline(always)]
    pub(crate) fn u32(&mut self) -> Result<u32, WireFault> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u48(&mut self) -> Result<u64, WireFault> {
        let [a, b, c, d, e, f] = self.array()?;
        Ok(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }

    #[inline(always)]
    pub(crate) fn u64(&mut self) -> Result<u64, WireFault> {
        self.array().map(u64::from_le_bytes)
    }

    /// A little-endian integer of at most eight bytes.
    #[inline(always)]
    pub(crate) fn uint_le(&mut self, bytes: usize) -> Result<u64, WireFault> {
        let head = self.take(bytes)?;
        Ok(head.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    }

    /// A big-endian integer of at most eight bytes.
    #[inline(always)]
    pub(crate) fn uint_be(&mut self, bytes: usize) -> Result<u64, WireFault> {
        let head = self.take(bytes)?;
        Ok(head.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    }

    /// A length-encoded integer (`net_field_length`, the protocol's `int<lenenc>`).
    #[inline]
    pub(crate) fn lenenc(&mut self) -> Result<u64, WireFault> {
        match self.u8()? {
            short @ 0..=250 => Ok(u64::from(short)),
            252 => self.u16().map(u64::from),
            253 => self.u24().map(u64::from),
            254 => self.u64(),
            251 | 255 => Err(WireFault::Length),
        }
    }

    /// Bytes behind their length-encoded length.
    #[inline]
    pub(crate) fn lenenc_bytes(&mut self) -> Result<&'a [u8], WireFault> {
        let count = self.lenenc()?;
        self.take_long(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_read_as_the_protocol_writes_them() {
        let mut wire = Wire::new(&[1, 2, 0, 3, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 1, 2, 1, 2]);
        assert_eq!(wire.u8(), Ok(1));
        assert_eq!(wire.u16(), Ok(2));
        assert_eq!(wire.u24(), Ok(3));
        assert_eq!(wire.u32(), Ok(4));
        assert_eq!(wire.u48(), Ok(5));
        assert_eq!(wire.uint_le(2), Ok(0x201));
        assert_eq!(wire.uint_be(2), Ok(0x102));
        assert_eq!((wire.at(), wire.is_empty()), (20, true));
        assert_eq!(wire.u8(), Err(WireFault::End));
    }

    #[test]
    fn a_length_is_checked_before_it_is_used() {
        type Case<'a> = (&'a [u8], Result<&'a [u8], WireFault>);
        let cases: [Case<'_>; 6] = [
            (&[2, 7, 8], Ok(&[7, 8])),
            (&[252, 1, 0, 7], Ok(&[7])),
            (&[253, 255, 255, 255], Err(WireFault::End)),
            (&[254, 255, 255, 255, 255, 255, 255, 255, 255], Err(WireFault::End)),
            (&[251], Err(WireFault::Length)),
            (&[255], Err(WireFault::Length)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Wire::new(bytes).lenenc_bytes(), expected, "{bytes:?}");
        }
    }
}
