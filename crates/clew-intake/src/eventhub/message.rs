//! One event of a hub: where it stands in its partition, and what was written.

use super::value::{Reader, Value};

const ANNOTATIONS: u64 = 0x72;
const PROPERTIES: u64 = 0x73;
const APPLICATION_PROPERTIES: u64 = 0x74;
const DATA: u64 = 0x75;
const VALUE: u64 = 0x77;

/// Partitions of one hub that are read; Event Hubs has at most 1024 of them.
const PARTITIONS_MAX: usize = 1024;

/// What is read of a message.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Message {
    /// Where it stands in its partition, in the words of the hub.
    pub(super) offset: Option<String>,
    /// Its number in its partition: each is one more than the one before.
    pub(super) sequence: Option<u64>,
    /// What was written; `None` where that is neither bytes nor text.
    pub(super) body: Option<Vec<u8>>,
}

impl Message {
    /// An error is what cannot be read of it, and leaves what stands before that.
    pub(super) fn read(bytes: &[u8]) -> (Self, Result<(), &'static str>) {
        let mut message = Self::default();
        let mut reader = Reader::of(bytes);
        while !reader.rest().is_empty() {
            let Some((code, mut section)) = reader.section() else {
                return (message, Err("it is no message of AMQP 1.0"));
            };
            match code {
                ANNOTATIONS => {
                    let Some(all) = section.value() else {
                        return (message, Err("its annotations cannot be read"));
                    };
                    let offset = all.get("x-opt-offset").and_then(Value::as_text);
                    message.offset = offset.map(str::to_owned);
                    message.sequence = all.get("x-opt-sequence-number").and_then(Value::number);
                }
                // Several of them are one text, cut.
                DATA => match section.binary() {
                    Some(bytes) => message.body.get_or_insert_default().extend_from_slice(bytes),
                    None => return (message, Err("its bytes cannot be read")),
                },
                VALUE => match section.value() {
                    Some(Value::Bytes(bytes)) => message.body = Some(bytes),
                    Some(Value::Text(text)) => message.body = Some(text.into_bytes()),
                    _ => return (message, Err("it is neither bytes nor text")),
                },
                _ => {}
            }
        }
        let has_body = message.body.is_some();
        (message, if has_body { Ok(()) } else { Err("it is neither bytes nor text") })
    }
}

/// What is asked of the hub itself: what it is like.
pub(super) fn question(hub: &str, reply_to: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let properties =
        vec![Value::text("1"), Value::Null, Value::Null, Value::Null, Value::text(reply_to)];
    Value::described(PROPERTIES, properties).write(&mut bytes);
    let asked = [("operation", "READ"), ("name", hub), ("type", "com.microsoft:eventhub")];
    let asked = asked.map(|(name, value)| (Value::text(name), Value::text(value)));
    let sections =
        [(APPLICATION_PROPERTIES, Value::Map(asked.into())), (VALUE, Value::Map(Vec::new()))];
    for (code, section) in sections {
        Value::Described(Box::new((Value::Ulong(code), section))).write(&mut bytes);
    }
    bytes
}

/// The ids of all partitions, from the answer to [`question`].
pub(super) fn partitions(answer: &[u8]) -> Result<Vec<String>, String> {
    let (mut status, mut body) = (Value::Null, Value::Null);
    let mut reader = Reader::of(answer);
    while let Some((code, mut section)) = reader.section() {
        match code {
            APPLICATION_PROPERTIES => status = section.value().unwrap_or_default(),
            VALUE => body = section.value().unwrap_or_default(),
            _ => {}
        }
    }
    let code = ["status-code", "statusCode"].iter().find_map(|name| status.get(name)?.number());
    if code != Some(200) {
        let text = ["status-description", "statusDescription"];
        let text = text.iter().find_map(|name| status.get(name)?.as_text()).unwrap_or_default();
        return Err(format!("asked for its partitions, the hub answered {code:?} {text}"));
    }
    let ids = body.get("partition_ids").map(Value::items).unwrap_or_default();
    let ids: Vec<_> = ids.iter().filter_map(Value::as_text).map(str::to_owned).collect();
    match ids.len() {
        0 => Err("the hub tells of no partitions".into()),
        1..=PARTITIONS_MAX => Ok(ids),
        many => Err(format!("the hub has {many} partitions, at most {PARTITIONS_MAX} are read")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn section(code: u64, value: Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        Value::Described(Box::new((Value::Ulong(code), value))).write(&mut bytes);
        bytes
    }

    fn annotations() -> Vec<u8> {
        let pairs = vec![
            (Value::symbol("x-opt-sequence-number"), Value::Long(7)),
            (Value::symbol("x-opt-offset"), Value::text("4096")),
        ];
        section(ANNOTATIONS, Value::Map(pairs))
    }

    #[test]
    fn bytes_and_texts_are_what_was_written() {
        let read = |body: &[Vec<u8>]| {
            Message::read(&[vec![annotations()], body.to_vec()].concat().concat())
        };
        let data = |text: &str| section(DATA, Value::Bytes(text.into()));
        let properties = section(PROPERTIES, Value::List(Vec::new()));
        let bodies = [
            vec![properties, data("ab")],
            vec![data("a"), data("b")],
            vec![section(VALUE, Value::text("ab"))],
        ];
        for body in bodies {
            let (message, outcome) = read(&body);
            assert_eq!(outcome, Ok(()));
            assert_eq!((message.offset.as_deref(), message.sequence), (Some("4096"), Some(7)));
            assert_eq!(message.body.as_deref(), Some(&b"ab"[..]));
        }
    }

    #[test]
    fn what_cannot_be_read_still_says_where_it_stands() {
        let wrong = [
            section(VALUE, Value::Ulong(1)),
            section(DATA, Value::text("a")),
            vec![1, 2, 3],
            Vec::new(),
        ];
        for body in wrong {
            let (message, outcome) = Message::read(&[annotations(), body].concat());
            assert!(outcome.is_err());
            assert_eq!((message.offset.as_deref(), message.body), (Some("4096"), None));
        }
    }

    #[test]
    fn a_hub_tells_its_partitions_or_why_not() {
        let status = |code, text| {
            let pairs = [
                (Value::text("status-code"), Value::Long(code)),
                (Value::text("status-description"), Value::text(text)),
            ];
            section(APPLICATION_PROPERTIES, Value::Map(pairs.into()))
        };
        let body = |count: usize| {
            let ids = Value::List((0..count).map(|id| Value::text(&id.to_string())).collect());
            section(VALUE, Value::Map(vec![(Value::text("partition_ids"), ids)]))
        };
        let told = |count| partitions(&[status(200, "OK"), body(count)].concat());
        assert_eq!(told(2).unwrap(), ["0", "1"]);
        assert_eq!(told(PARTITIONS_MAX).unwrap().len(), PARTITIONS_MAX);
        assert!(told(PARTITIONS_MAX + 1).unwrap_err().ends_with("at most 1024 are read"));
        let refused = partitions(&[status(401, "no claim"), body(1)].concat()).unwrap_err();
        assert!(refused.ends_with("Some(401) no claim"), "{refused}");
        assert!(partitions(&status(200, "OK")).is_err() && partitions(b"").is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_refused(bytes: Vec<u8>) {
            Message::read(&bytes).1.ok();
            partitions(&bytes).ok();
        }
    }
}
