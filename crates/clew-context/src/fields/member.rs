//! Members of a record by a dotted path: what Sigma calls a field of a JSON log.
//!
//! `requestParameters.tags.key` goes through the array `tags` into each of its elements. A name
//! that itself holds dots (`annotations` of Kubernetes) wins over shorter ones. Values keep their
//! kind; a null, or an array without elements, is there and has no value. Logs of Azure are
//! exported with `operationName` by one way and `OperationName` by another, so their names are
//! compared without regard to case.

use clew_event::control_plane::ApiSource;
use clew_event::json::{Kind, Value};
use clew_event::{FieldArgument, FieldValue, Scalar};

use super::record::Asked;

/// Most values that are given of one member; more are left out, and a rule sees the first.
pub(crate) const MEMBER_VALUES_MAX: usize = 4096;

/// The values at the path.
pub(super) fn value<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let FieldArgument::Key(path) = asked.argument else { return FieldValue::Missing };
    let source = asked.view.event().api_call().map(|call| call.source);
    let ignores_case = match source {
        Some(ApiSource::AzureActivity | ApiSource::EntraSignIn) => true,
        Some(
            ApiSource::KubernetesAudit
            | ApiSource::Cloudtrail
            | ApiSource::GcpAudit
            | ApiSource::Github
            | ApiSource::Okta,
        )
        | None => false,
    };
    let mut found = FieldValue::Missing;
    Walk { ignores_case, found: &mut found }.descend(asked.record.root(), path.as_bytes());
    found
}

/// Every name and every value that is no object and no array.
pub(super) fn words<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let mut found = FieldValue::Missing;
    let root = asked.record.root();
    if root.kind() != Kind::Object {
        leaf(root, &mut found);
    }
    for (name, value) in asked.record.objects().flat_map(Value::members) {
        push(&mut found, Scalar::Text(name.as_text()));
        if value.kind() != Kind::Object {
            leaf(value, &mut found);
        }
    }
    found
}

struct Walk<'f, 'a> {
    ignores_case: bool,
    found: &'f mut FieldValue<'a>,
}

impl<'a> Walk<'_, 'a> {
    /// Recursion is bounded by `JSON_DEPTH_MAX`.
    fn descend(&mut self, value: Value<'_, 'a>, path: &[u8]) {
        match value.kind() {
            Kind::Object => {}
            Kind::Array => {
                for item in value.items() {
                    self.descend(item, path);
                }
                return;
            }
            Kind::String | Kind::Number | Kind::True | Kind::False | Kind::Null => return,
        }
        let longest =
            if self.ignores_case { longest_in_any_case(value, path) } else { value.longest(path) };
        let Some((length, member)) = longest else { return };
        match path.get(length + 1..) {
            None => leaf(member, self.found),
            Some(rest) => self.descend(member, rest),
        }
    }
}

/// As [`Value::longest`], without regard to case.
fn longest_in_any_case<'j, 'a>(
    object: Value<'j, 'a>,
    path: &[u8],
) -> Option<(usize, Value<'j, 'a>)> {
    let length = |name: Value<'_, '_>| {
        let name = name.string()?;
        let is_part = matches!(path.get(name.len()), None | Some(b'.'))
            && path.get(..name.len())?.eq_ignore_ascii_case(&name);
        is_part.then_some(name.len())
    };
    let found = object.members().filter_map(|(name, member)| Some((length(name)?, member)));
    // Of two of one length the first counts.
    found.reduce(|longest, next| if longest.0 < next.0 { next } else { longest })
}

/// Adds a value; of an array, its elements.
fn leaf<'a>(value: Value<'_, 'a>, found: &mut FieldValue<'a>) {
    match value.kind() {
        Kind::Array => {
            let mut items = value.items().peekable();
            if items.peek().is_none() {
                nothing(found);
            }
            // Recursion is bounded by `JSON_DEPTH_MAX`.
            items.for_each(|item| leaf(item, found));
        }
        Kind::Null => nothing(found),
        Kind::True => push(found, Scalar::Bool(true)),
        Kind::False => push(found, Scalar::Bool(false)),
        Kind::Number => push(found, number(value)),
        Kind::String | Kind::Object => push(found, Scalar::Text(value.as_text())),
    }
}

/// A whole number; any other one as it is written.
fn number<'a>(value: Value<'_, 'a>) -> Scalar<'a> {
    let raw = value.raw();
    let text = std::str::from_utf8(raw).unwrap_or_default();
    if let Ok(number) = text.parse() {
        return Scalar::Unsigned(number);
    }
    text.parse().map_or_else(|_| raw.into(), Scalar::Signed)
}

/// There is something, and it has no value.
fn nothing(found: &mut FieldValue<'_>) {
    if *found == FieldValue::Missing {
        *found = FieldValue::Many(Vec::new());
    }
}

fn push<'a>(found: &mut FieldValue<'a>, value: Scalar<'a>) {
    match found {
        FieldValue::Missing => *found = FieldValue::One(value),
        FieldValue::One(_) => {
            if let FieldValue::One(first) = std::mem::take(found) {
                *found = FieldValue::Many(vec![first, value]);
            }
        }
        FieldValue::Many(values) if values.len() < MEMBER_VALUES_MAX => values.push(value),
        FieldValue::Many(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use clew_event::control_plane::ApiCall;
    use clew_event::{Event, EventId, EventKind, EventType, FieldId, FieldSource, TimestampNs};

    use super::*;
    use crate::Context;

    fn shown(value: &FieldValue<'_>) -> String {
        let text = |value: &Scalar<'_>| match value {
            Scalar::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
            other => format!("{other:?}"),
        };
        match value {
            FieldValue::Missing => "absent".to_owned(),
            FieldValue::One(value) => text(value),
            FieldValue::Many(values) => values.iter().map(text).collect::<Vec<_>>().join(" | "),
        }
    }

    fn asked(source: ApiSource, record: &str, id: FieldId, path: &str) -> String {
        let call = ApiCall { source, record: record.into(), ..ApiCall::default() };
        let event = Event {
            id: EventId(1),
            time: TimestampNs::default(),
            arrived: TimestampNs::default(),
            event_type: EventType::PluginEvent,
            actor: None,
            kind: EventKind::CloudApi(Box::new(call)),
        };
        let argument = FieldArgument::Key(path.into());
        shown(&Context::default().view(&event).field(id, &argument))
    }

    #[test]
    fn a_dotted_path_goes_through_objects_and_arrays_and_values_keep_their_kind() {
        let record = r#"{"a":{"b":[{"c":1},{"c":"x"},{"d":2},{"c":[true,null]}],"e":null,"o":{"p": 1}},
            "a.e":"whole","n":-7,"f":1.50,"none":[],"esc\u0061pe":"y"}"#;
        let check = |path: &str, expected: &str| {
            let found = asked(ApiSource::Cloudtrail, record, FieldId::JsonMember, path);
            assert_eq!(found, expected, "{path}");
        };
        check("a.b.c", "Unsigned(1) | \"x\" | Bool(true)");
        check("a.e", "\"whole\"");
        check("a.o", "\"{\\\"p\\\":1}\"");
        check("n", "Signed(-7)");
        check("f", "\"1.50\"");
        check("none", "");
        check("escape", "\"y\"");
        check("A.b.c", "absent");
        check("a.b.c.d", "absent");
        check("n.x", "absent");
        check("", "absent");
        let null = r#"{"a":{"b":null}}"#;
        assert_eq!(asked(ApiSource::Okta, null, FieldId::JsonMember, "a.b"), "");
        assert_eq!(asked(ApiSource::Okta, null, FieldId::JsonMember, "a.c"), "absent");
    }

    #[test]
    fn names_of_azure_are_compared_without_regard_to_case() {
        let record = r#"{"OperationName":"x"}"#;
        let check = |source, expected: &str| {
            let found = asked(source, record, FieldId::JsonMember, "operationName");
            assert_eq!(found, expected, "{source:?}");
        };
        check(ApiSource::AzureActivity, "\"x\"");
        check(ApiSource::EntraSignIn, "\"x\"");
        check(ApiSource::GcpAudit, "absent");
    }

    #[test]
    fn the_words_of_a_record_are_its_names_and_its_values() {
        let record = r#"{"a":{"b":[1,{"c":"x"}]},"d":false}"#;
        let found = asked(ApiSource::GcpAudit, record, FieldId::JsonWords, "");
        for word in ["\"a\"", "\"b\"", "\"c\"", "\"x\"", "Unsigned(1)", "Bool(false)"] {
            assert!(found.contains(word), "{word} in {found}");
        }
    }

    #[test]
    fn a_member_has_a_bounded_number_of_values() {
        let many = vec!["1"; MEMBER_VALUES_MAX + 9].join(",");
        let record = format!("{{\"a\":[{many}]}}");
        let found = asked(ApiSource::Okta, &record, FieldId::JsonMember, "a");
        assert_eq!(found.split(" | ").count(), MEMBER_VALUES_MAX);
    }
}
