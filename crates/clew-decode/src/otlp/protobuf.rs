//! Bytes of a protobuf message into its fields.
//!
//! Of the format only what OTLP uses: no groups. A message that is cut or lies about a length ends
//! there; what was read before stays.

use thiserror::Error;

/// Why a message cannot be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Malformed {
    #[error("a field is longer than its message")]
    Cut,
    #[error("a number has more than ten bytes")]
    Number,
    #[error("a field is of a kind that does not exist")]
    Kind,
    #[error("no JSON: {0}")]
    Json(&'static str),
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Value<'a> {
    /// The bytes, of a text or of a message within; none of a number.
    pub(super) fn bytes(self) -> &'a [u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }

    pub(super) fn number(self) -> u64 {
        match self {
            Self::Number(number) | Self::Fixed64(number) => number,
            Self::Fixed32(number) => number.into(),
            Self::Bytes(_) => 0,
        }
    }
}

/// The fields of a message by their numbers, in their order.
#[derive(Debug)]
pub(super) struct Message<'a>(pub(super) &'a [u8]);

impl<'a> Message<'a> {
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(Malformed::Cut)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed::Number)
    }

    fn part(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (part, rest) = self.0.split_at_checked(length).ok_or(Malformed::Cut)?;
        self.0 = rest;
        Ok(part)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Malformed> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => {
                let bytes = self.part(8)?.first_chunk().ok_or(Malformed::Cut)?;
                Value::Fixed64(u64::from_le_bytes(*bytes))
            }
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Cut)?;
                Value::Bytes(self.part(length)?)
            }
            5 => {
                let bytes = self.part(4)?.first_chunk().ok_or(Malformed::Cut)?;
                Value::Fixed32(u32::from_le_bytes(*bytes))
            }
            _ => return Err(Malformed::Kind),
        };
        Ok((tag >> 3, value))
    }
}

impl<'a> Iterator for Message<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &[Result<(u64, Value<'_>), Malformed>]) {
        assert_eq!(Message(bytes).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn fields_of_every_kind_are_read_and_what_is_cut_ends_the_message() {
        check(b"\x08\x96\x01", &[Ok((1, Value::Number(150)))]);
        check(b"\x12\x02hi\x08", &[Ok((2, Value::Bytes(b"hi"))), Err(Malformed::Cut)]);
        check(b"\x09\x01\0\0\0\0\0\0\0", &[Ok((1, Value::Fixed64(1)))]);
        check(b"\x0d\x02\0\0\0", &[Ok((1, Value::Fixed32(2)))]);
        check(b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &[Err(Malformed::Cut)]);
        check(b"\x0b", &[Err(Malformed::Kind)]);
        check(&[0xff; 12], &[Err(Malformed::Number)]);
    }
}
