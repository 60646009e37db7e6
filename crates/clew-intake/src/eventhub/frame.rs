//! Frames of AMQP 1.0 (OASIS, part 2: transport): what is said on a connection, and how it stands
//! in bytes.

use super::value::{Reader, Value};

/// Longest frame that is read; we tell so when a connection is opened.
pub(super) const FRAME_BYTES_MAX: usize = 64 << 10;
const HEAD_BYTES: usize = 8;

pub(super) const OPEN: u64 = 0x10;
pub(super) const BEGIN: u64 = 0x11;
pub(super) const ATTACH: u64 = 0x12;
pub(super) const FLOW: u64 = 0x13;
pub(super) const TRANSFER: u64 = 0x14;
pub(super) const DISPOSITION: u64 = 0x15;
pub(super) const DETACH: u64 = 0x16;
pub(super) const END: u64 = 0x17;
pub(super) const CLOSE: u64 = 0x18;
pub(super) const ACCEPTED: u64 = 0x24;
pub(super) const SOURCE: u64 = 0x28;
pub(super) const TARGET: u64 = 0x29;
pub(super) const MECHANISMS: u64 = 0x40;
pub(super) const INIT: u64 = 0x41;
pub(super) const OUTCOME: u64 = 0x44;

/// What kind of frames a connection has: first those of SASL, then those of AMQP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Amqp = 0,
    Sasl = 1,
}

/// One frame: what it says by its number, with its fields in their order, and the piece of a
/// message behind it. One that says nothing keeps the connection alive.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Frame {
    pub(super) code: u64,
    fields: Vec<Value>,
    pub(super) payload: Vec<u8>,
}

const NULL: &Value = &Value::Null;

impl Frame {
    pub(super) const fn of(code: u64, fields: Vec<Value>) -> Self {
        Self { code, fields, payload: Vec::new() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.code == 0
    }

    /// A field by its place; those that are left out are null.
    pub(super) fn field(&self, place: usize) -> &Value {
        self.fields.get(place).unwrap_or(NULL)
    }

    pub(super) fn number(&self, place: usize) -> Option<u32> {
        u32::try_from(self.field(place).number()?).ok()
    }

    pub(super) fn is_set(&self, place: usize) -> bool {
        *self.field(place) == Value::Bool(true)
    }

    /// Why something was ended, where one field tells it: its name, and words about it.
    pub(super) fn error(&self, place: usize) -> String {
        let Value::Described(error) = self.field(place) else { return "no reason is told".into() };
        let text = |place: usize| error.1.items().get(place).and_then(Value::as_text);
        format!("`{}` {}", text(0).unwrap_or_default(), text(1).unwrap_or_default())
    }

    pub(super) fn write(&self, layer: Layer) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0, 0, 2, layer as u8, 0, 0];
        if !self.is_empty() {
            Value::described(self.code, self.fields.clone()).write(&mut bytes);
        }
        bytes.extend_from_slice(&self.payload);
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        bytes.splice(..4, size.to_be_bytes());
        bytes
    }
}

/// Takes the next frame from what was received; `None` where it has not all come yet.
pub(super) fn next(received: &mut Vec<u8>, layer: Layer) -> Result<Option<Frame>, String> {
    let Some(&[a, b, c, d, offset, kind, ..]) = received.first_chunk::<HEAD_BYTES>() else {
        return Ok(None);
    };
    let size = u32::from_be_bytes([a, b, c, d]) as usize;
    let offset = usize::from(offset) * 4;
    if FRAME_BYTES_MAX < size || size < offset || offset < HEAD_BYTES || kind != layer as u8 {
        return Err(format!("a frame of {size} bytes and of kind {kind} is none of AMQP 1.0"));
    }
    let Some(whole) = received.get(..size) else { return Ok(None) };
    let frame = read(whole.get(offset..).unwrap_or_default());
    received.drain(..size);
    frame.map(Some).ok_or_else(|| "a frame cannot be read".to_owned())
}

fn read(body: &[u8]) -> Option<Frame> {
    if body.is_empty() {
        return Some(Frame::default());
    }
    let mut reader = Reader::of(body);
    let Value::Described(said) = reader.value()? else { return None };
    let (code, Value::List(fields)) = (said.0.number()?, said.1) else { return None };
    Some(Frame { code, fields, payload: reader.rest().to_vec() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn transfer(payload: &[u8]) -> Frame {
        let mut frame = Frame::of(TRANSFER, vec![Value::Uint(7), Value::Null, Value::Bool(true)]);
        frame.payload = payload.to_vec();
        frame
    }

    #[test]
    fn frames_are_taken_one_after_the_other_once_they_have_come() {
        let bytes = [transfer(b"abc"), Frame::default(), transfer(b"")]
            .map(|frame| frame.write(Layer::Amqp))
            .concat();
        for cut in 0..=bytes.len() {
            let (mut received, mut frames) = (Vec::new(), Vec::new());
            for part in [&bytes[..cut], &bytes[cut..]] {
                received.extend_from_slice(part);
                while let Some(frame) = next(&mut received, Layer::Amqp).unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, [transfer(b"abc"), Frame::default(), transfer(b"")], "{cut}");
        }
        assert_eq!((transfer(b"").number(0), transfer(b"").is_set(2)), (Some(7), true));
        assert_eq!((transfer(b"").number(1), transfer(b"").number(9)), (None, None));
    }

    #[test]
    fn a_frame_of_more_than_frame_bytes_max_is_refused_before_it_came() {
        let head = |size: usize, offset: u8, kind: u8| {
            let mut bytes = u32::try_from(size).unwrap().to_be_bytes().to_vec();
            bytes.extend([offset, kind, 0, 0]);
            next(&mut bytes, Layer::Amqp)
        };
        assert_eq!(head(FRAME_BYTES_MAX, 2, 0), Ok(None));
        for (size, offset, kind) in [(FRAME_BYTES_MAX + 1, 2, 0), (8, 3, 0), (8, 1, 0), (8, 2, 1)] {
            assert!(head(size, offset, kind).is_err(), "{size} {offset} {kind}");
        }
    }

    #[test]
    fn an_error_is_told_with_its_name() {
        let error = vec![Value::symbol("amqp:link:stolen"), Value::text("gone")];
        let error = Value::described(0x1d, error);
        let frame = Frame::of(DETACH, vec![Value::Uint(0), Value::Bool(true), error]);
        assert_eq!(frame.error(2), "`amqp:link:stolen` gone");
        assert_eq!(frame.error(1), "no reason is told");
    }

    proptest! {
        #[test]
        fn whatever_stands_in_a_frame_is_read_or_refused(body: Vec<u8>) {
            let frame = Frame { payload: body, ..Frame::default() };
            next(&mut frame.write(Layer::Amqp), Layer::Amqp).ok();
        }
    }
}
