//! Values as AMQP 1.0 writes them (OASIS, part 1: types), read without trust.
//!
//! Whoever may send to a hub chooses what annotations and bodies hold. Values nest at most
//! [`DEPTH_MAX`] deep, so the stack is bounded, and every one of them takes a byte at least, so
//! memory is bounded by the length of what is read times the size of a [`Value`] pair.

/// How deep values may nest; what Event Hubs sends nests four deep.
pub(super) const DEPTH_MAX: usize = 16;

/// A value. Signed numbers and times are all `Long`, arrays are lists, and what nobody here asks
/// for (fractions, characters, UUIDs) is `Other`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Value {
    #[default]
    Null,
    Bool(bool),
    Ubyte(u8),
    Ushort(u16),
    Uint(u32),
    Ulong(u64),
    Long(i64),
    Text(String),
    Symbol(String),
    Bytes(Vec<u8>),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Described(Box<(Self, Self)>),
    Other,
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(super) fn symbol(text: &str) -> Self {
        Self::Symbol(text.to_owned())
    }

    pub(super) fn described(code: u64, fields: Vec<Self>) -> Self {
        Self::Described(Box::new((Self::Ulong(code), Self::List(fields))))
    }

    /// A number without a sign, whatever its width.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Ubyte(number) => Some((*number).into()),
            Self::Ushort(number) => Some((*number).into()),
            Self::Uint(number) => Some((*number).into()),
            Self::Ulong(number) => Some(*number),
            Self::Long(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Symbol(text) => Some(text),
            _ => None,
        }
    }

    /// What a list holds; of anything else nothing.
    pub(super) fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// What a map holds under a name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null | Self::Other => out.push(0x40),
            Self::Bool(is_true) => out.push(if *is_true { 0x41 } else { 0x42 }),
            Self::Ubyte(number) => out.extend([0x50, *number]),
            Self::Ushort(number) => put(out, 0x60, &number.to_be_bytes()),
            Self::Uint(number) => put(out, 0x70, &number.to_be_bytes()),
            Self::Ulong(number) => match u8::try_from(*number) {
                Ok(small) => out.extend([0x53, small]),
                Err(_) => put(out, 0x80, &number.to_be_bytes()),
            },
            Self::Long(number) => put(out, 0x81, &number.to_be_bytes()),
            Self::Bytes(bytes) => put_long(out, 0xb0, bytes),
            Self::Text(text) => put_long(out, 0xb1, text.as_bytes()),
            Self::Symbol(text) => put_long(out, 0xb3, text.as_bytes()),
            Self::List(items) => put_all(out, 0xd0, items.iter()),
            Self::Map(pairs) => {
                put_all(out, 0xd1, pairs.iter().flat_map(|(key, value)| [key, value]));
            }
            Self::Described(both) => {
                out.push(0x00);
                both.0.write(out);
                both.1.write(out);
            }
        }
    }
}

fn put(out: &mut Vec<u8>, code: u8, bytes: &[u8]) {
    out.push(code);
    out.extend_from_slice(bytes);
}

fn put_long(out: &mut Vec<u8>, code: u8, bytes: &[u8]) {
    put(out, code, &length(bytes.len()));
    out.extend_from_slice(bytes);
}

fn put_all<'a>(out: &mut Vec<u8>, code: u8, items: impl Iterator<Item = &'a Value>) {
    let (mut count, mut bytes) = (0, vec![0; 4]);
    for item in items {
        item.write(&mut bytes);
        count += 1;
    }
    bytes.splice(..4, length(count));
    put_long(out, code, &bytes);
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes()
}

/// Reads values one behind the other; `None` where what stands there is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(super) fn value(&mut self) -> Option<Value> {
        self.value_at(0)
    }

    /// The number by which a described value is known, and the value, not yet read.
    pub(super) fn section(&mut self) -> Option<(u64, Self)> {
        if self.byte()? != 0x00 {
            return None;
        }
        let code = self.value()?.number()?;
        let start = self.0;
        self.skip(0)?;
        let length = start.len().checked_sub(self.0.len())?;
        Some((code, Self(start.get(..length)?)))
    }

    /// The bytes of a binary value, where it is one.
    pub(super) fn binary(mut self) -> Option<&'a [u8]> {
        let code = self.byte()?;
        if code == 0xa0 || code == 0xb0 { self.body(code) } else { None }
    }

    fn skip(&mut self, depth: usize) -> Option<()> {
        let code = self.byte()?;
        if code != 0x00 {
            return self.body(code).map(|_| ());
        }
        if DEPTH_MAX <= depth {
            return None;
        }
        self.skip(depth + 1)?;
        self.skip(depth + 1)
    }

    fn value_at(&mut self, depth: usize) -> Option<Value> {
        if DEPTH_MAX < depth {
            return None;
        }
        let code = self.byte()?;
        if code != 0x00 {
            return self.coded(code, depth);
        }
        let both = (self.value_at(depth + 1)?, self.value_at(depth + 1)?);
        Some(Value::Described(Box::new(both)))
    }

    fn coded(&mut self, code: u8, depth: usize) -> Option<Value> {
        let body = self.body(code)?;
        let text = || std::str::from_utf8(body).ok().map(str::to_owned);
        Some(match code {
            0x40 => Value::Null,
            0x41 => Value::Bool(true),
            0x42 => Value::Bool(false),
            0x50 => Value::Ubyte(u8::try_from(number(body)).ok()?),
            0x56 => Value::Bool(body != [0]),
            0x60 => Value::Ushort(u16::try_from(number(body)).ok()?),
            0x43 | 0x52 | 0x70 => Value::Uint(u32::try_from(number(body)).ok()?),
            0x44 | 0x53 | 0x80 => Value::Ulong(number(body)),
            0x51 | 0x54 | 0x55 | 0x61 | 0x71 | 0x81 | 0x83 => Value::Long(signed(body)),
            0xa0 | 0xb0 => Value::Bytes(body.to_vec()),
            0xa1 | 0xb1 => Value::Text(text()?),
            0xa3 | 0xb3 => Value::Symbol(text()?),
            0x45 => Value::List(Vec::new()),
            0xc0 | 0xd0 => Value::List(Self(body).items(code, depth)?),
            0xc1 | 0xd1 => Value::Map(pairs(Self(body).items(code, depth)?)),
            0xe0 | 0xf0 => Value::List(Self(body).array(code, depth)?),
            _ => Value::Other,
        })
    }

    fn items(mut self, code: u8, depth: usize) -> Option<Vec<Value>> {
        let count = self.count(code)?;
        (0..count).map(|_| self.value_at(depth + 1)).collect()
    }

    /// Items of an array share what tells their type.
    fn array(mut self, code: u8, depth: usize) -> Option<Vec<Value>> {
        let count = self.count(code)?;
        let of = self.byte()?;
        // No items of no width, of which a few bytes could hold billions.
        if self.0.len() < count || DEPTH_MAX <= depth {
            return None;
        }
        (0..count).map(|_| self.coded(of, depth + 1)).collect()
    }

    fn count(&mut self, code: u8) -> Option<usize> {
        let width = if matches!(code >> 4, 0xc | 0xe) { 1 } else { 4 };
        usize::try_from(number(self.take(width)?)).ok()
    }

    /// What stands behind a code: its upper half tells how long that is.
    fn body(&mut self, code: u8) -> Option<&'a [u8]> {
        let length = match code >> 4 {
            0x4 => 0,
            0x5 => 1,
            0x6 => 2,
            0x7 => 4,
            0x8 => 8,
            0x9 => 16,
            0xa | 0xc | 0xe => self.byte()?.into(),
            0xb | 0xd | 0xf => usize::try_from(number(self.take(4)?)).ok()?,
            _ => return None,
        };
        self.take(length)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

fn pairs(items: Vec<Value>) -> Vec<(Value, Value)> {
    let mut items = items.into_iter();
    std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect()
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn signed(bytes: &[u8]) -> i64 {
    let start = if bytes.first().is_some_and(|byte| 0x80 <= *byte) { -1 } else { 0 };
    bytes.iter().fold(start, |number, byte| number << 8 | i64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<u8>().prop_map(Value::Ubyte),
            any::<u16>().prop_map(Value::Ushort),
            any::<u32>().prop_map(Value::Uint),
            any::<u64>().prop_map(Value::Ulong),
            any::<i64>().prop_map(Value::Long),
            ".*".prop_map(Value::Text),
            "[a-z:-]*".prop_map(Value::Symbol),
            any::<Vec<u8>>().prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let pair = (inner.clone(), inner.clone());
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(Value::List),
                proptest::collection::vec(pair.clone(), 0..4).prop_map(Value::Map),
                pair.prop_map(|both| Value::Described(Box::new(both))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in any_value()) {
            let mut bytes = Vec::new();
            value.write(&mut bytes);
            let mut reader = Reader::of(&bytes);
            prop_assert_eq!(reader.value(), Some(value));
            prop_assert_eq!(reader.rest(), b"");
        }

        #[test]
        fn whatever_stands_there_is_a_value_or_none(bytes: Vec<u8>, value in any_value(), at: usize, add: u8) {
            Reader::of(&bytes).value();
            Reader::of(&bytes).section();
            let mut written = Vec::new();
            value.write(&mut written);
            let at = at % written.len();
            written[at] = written[at].wrapping_add(add);
            Reader::of(&written).value();
            Reader::of(&written[..at]).section();
        }
    }

    #[test]
    fn each_form_of_a_number_is_read() {
        let read = |bytes: &[u8]| Reader::of(bytes).value().unwrap();
        assert_eq!(read(&[0x43]), Value::Uint(0));
        assert_eq!(read(&[0x44]), Value::Ulong(0));
        assert_eq!(read(&[0x52, 200]), Value::Uint(200));
        assert_eq!(read(&[0x55, 0xff]), Value::Long(-1));
        assert_eq!(read(&[0x71, 0, 0, 1, 0x9a]), Value::Long(410));
        assert_eq!(read(&[0x56, 1]), Value::Bool(true));
        assert_eq!(read(&[0x45]), Value::List(Vec::new()));
        let ids = [0xe0, 8, 2, 0xa1, 1, b'0', 1, b'1', 9, 9];
        assert_eq!(read(&ids), Value::List(vec![Value::text("0"), Value::text("1")]));
    }

    /// A list in a list in a list; the innermost is empty.
    fn nested(depth: usize) -> Vec<u8> {
        let inner = |mut inside: Vec<u8>, _| {
            let mut bytes = vec![0xd0];
            bytes.extend(length(inside.len() + 4));
            bytes.extend(length(1));
            bytes.append(&mut inside);
            bytes
        };
        (0..depth).fold(vec![0x45], inner)
    }

    #[test]
    fn values_nest_depth_max_deep_and_deeper_ones_are_none() {
        assert!(Reader::of(&nested(DEPTH_MAX)).value().is_some());
        assert!(Reader::of(&nested(DEPTH_MAX + 1)).value().is_none());
        assert!(Reader::of(&nested(2000)).value().is_none());
        // One that is only passed over is not looked into.
        let passed = [&[0x00, 0x53, 0x77][..], &nested(2000)].concat();
        assert!(Reader::of(&passed).section().is_some());
        // Descriptions of descriptions of descriptions.
        assert!(Reader::of(&vec![0x00; 1 << 20]).value().is_none());
        assert!(
            Reader::of(&[vec![0x00, 0x53, 0x77], vec![0x00; 1 << 20]].concat()).section().is_none()
        );
    }

    #[test]
    fn an_array_of_nothing_is_not_a_billion_of_it() {
        assert_eq!(Reader::of(&[0xf0, 0, 0, 0, 5, 255, 255, 255, 255, 0x40]).value(), None);
        assert_eq!(Reader::of(&[0xd0, 0, 0, 0, 4, 255, 255, 255, 255]).value(), None);
        assert_eq!(Reader::of(&[0xb0, 255, 255, 255, 255, 1]).value(), None);
    }
}
