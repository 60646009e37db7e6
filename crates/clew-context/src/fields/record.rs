//! Fields of records of audit logs: where in the record each one stands.
//!
//! Each log has a table from field to [`How`]; what needs more than a path is a function beside
//! its table. The record is read once per event, into an index that all its fields share. Meanings
//! are those that the documentation of Falco's plugins gives, and where that is silent those of
//! the plugins as of August 2026; an empty list counts as missing, as in Falco.

use std::borrow::Cow;

use clew_event::control_plane::ApiSource;
use clew_event::json::{Json, Value};
use clew_event::{FieldArgument, FieldId, FieldValue, Scalar};

use super::pod::{self, Part};
use super::{
    boolean_text, cloudtrail, gcp, github, json, kubernetes, maybe, okta, quirks, unsigned,
};
use crate::view::View;

/// Names of members of objects, from the outermost to the innermost.
pub(super) type Path = &'static [&'static str];

/// How a field is taken from a record.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// What stands there: a text, or any other value as JSON.
    Json(Path),
    /// A text; any other value as an empty one.
    Text(Path),
    /// A text, any other value as JSON; empty where nothing stands there.
    TextOrEmpty(Path),
    /// `true` or `false`.
    Flag(Path),
    /// A number.
    Number(Path),
    /// A number; 0 where nothing stands there.
    NumberOrZero(Path),
    /// The values of one array.
    List(Path),
    /// What stands there in each element of the arrays on the way, or in the n-th.
    Each(Path),
    /// The values of the arrays that stand there in each element, or in the n-th.
    Flat(Path),
    /// A part of each container of one of the lists of a pod, or of the n-th.
    Pod(&'static str, Part),
    /// A member of the last target of a type.
    Target(&'static str, &'static str),
    /// What a function makes of the record.
    Made(for<'v, 'a> fn(&Asked<'v, 'a>) -> FieldValue<'a>),
}

/// A record, and the argument of the field that it is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'v, 'a> {
    pub view: &'v View<'a>,
    pub record: &'v Json<'a>,
    pub argument: &'v FieldArgument,
}

impl<'v, 'a> Asked<'v, 'a> {
    pub(super) fn at(&self, path: &[&str]) -> Option<Value<'v, 'a>> {
        self.record.at(path)
    }

    /// What a text says; empty where none stands there.
    pub(super) fn text_at(&self, path: &[&str]) -> Vec<u8> {
        let text = self.at(path).and_then(Value::string);
        text.map_or_else(Vec::new, Cow::into_owned)
    }

    /// The number in brackets.
    pub(super) fn index(&self) -> Option<usize> {
        match self.argument {
            FieldArgument::Index(index) => usize::try_from(*index).ok(),
            FieldArgument::None | FieldArgument::Key(_) => None,
        }
    }

    /// What stands in brackets, as it was written.
    pub(super) fn key(&self) -> Cow<'v, str> {
        match self.argument {
            FieldArgument::None => Cow::Borrowed(""),
            FieldArgument::Index(index) => Cow::Owned(index.to_string()),
            FieldArgument::Key(key) => Cow::Borrowed(key),
        }
    }
}

/// The value of a field of records; `None` where the event is no record of a log that tells it.
pub(super) fn value<'a>(
    view: &View<'a>,
    id: FieldId,
    argument: &FieldArgument,
) -> Option<FieldValue<'a>> {
    let call = view.event.api_call()?;
    let quirk = view.is_falco().then(|| quirks::how(id)).flatten();
    let how = quirk.or_else(|| json::how(id)).or_else(|| how(call.source, id))?;
    Some(maybe(view.record(), |record| taken(how, &Asked { view, record, argument })))
}

fn how(source: ApiSource, id: FieldId) -> Option<How> {
    match source {
        ApiSource::KubernetesAudit => kubernetes::how(id),
        ApiSource::Cloudtrail => cloudtrail::how(id),
        ApiSource::GcpAudit => gcp::how(id),
        ApiSource::Github => github::how(id),
        ApiSource::Okta => okta::how(id),
        // No rule language has names of its own for these: `json.value` reads them.
        ApiSource::AzureActivity | ApiSource::EntraSignIn => None,
    }
}

/// True where some log tells the field.
pub(super) fn is_of_records(id: FieldId) -> bool {
    json::how(id).is_some() || ApiSource::ALL.iter().any(|&source| how(source, id).is_some())
}

fn taken<'a>(how: How, asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    match how {
        How::Json(path) => maybe(asked.at(path), as_text),
        How::Text(path) => maybe(asked.at(path), string_or_empty),
        How::TextOrEmpty(path) => asked.at(path).map_or_else(|| "".into(), as_text),
        How::Flag(path) => maybe(asked.at(path), |value| boolean_text(is_true(value))),
        How::Number(path) => maybe(asked.at(path).and_then(Value::unsigned), unsigned),
        How::NumberOrZero(path) => {
            unsigned(asked.at(path).and_then(Value::unsigned).unwrap_or_default())
        }
        How::List(path) => maybe(asked.at(path), |value| list(value.items().map(text_of))),
        How::Each(path) => each(asked, path, |found| list(found.flatten().map(text_of))),
        How::Flat(path) => {
            each(asked, path, |found| list(found.flatten().flat_map(Value::items).map(text_of)))
        }
        How::Pod(containers, part) => pod::value(asked, containers, part),
        How::Target(of_type, member) => okta::target(asked, of_type, member),
        How::Made(make) => make(asked),
    }
}

/// What `list` makes of all that [`walk`] finds.
fn each<'v, 'a>(
    asked: &Asked<'v, 'a>,
    path: &[&str],
    list: impl FnOnce(std::vec::IntoIter<Option<Value<'v, 'a>>>) -> FieldValue<'a>,
) -> FieldValue<'a> {
    maybe(walk(asked.record.root(), path, asked.index()), |found| list(found.into_iter()))
}

/// What stands at `path` in each element of the arrays on the way (in the `index`-th alone, where
/// it is given): `None` for an element that has nothing there, and for all where an object on the
/// way has not. The last name may be empty: then it is the element itself.
pub(super) fn walk<'v, 'a>(
    from: Value<'v, 'a>,
    path: &[&str],
    index: Option<usize>,
) -> Option<Vec<Option<Value<'v, 'a>>>> {
    let mut found = Vec::new();
    descend(from, path, index, &mut found)?;
    Some(found)
}

/// Recursion is bounded by the length of the path and, for arrays in arrays, by `JSON_DEPTH_MAX`.
fn descend<'v, 'a>(
    mut value: Value<'v, 'a>,
    path: &[&str],
    index: Option<usize>,
    found: &mut Vec<Option<Value<'v, 'a>>>,
) -> Option<()> {
    for (at, name) in path.iter().enumerate() {
        if value.kind() == clew_event::json::Kind::Array {
            let rest = path.get(at..)?;
            let Some(index) = index else {
                for item in value.items() {
                    if descend(item, rest, None, found).is_none() {
                        found.push(None);
                    }
                }
                return Some(());
            };
            value = value.items().nth(index)?;
        }
        if !name.is_empty() {
            value = value.get(name)?;
        }
    }
    found.push(Some(value));
    Some(())
}

/// Several values; missing where there are none.
pub(super) fn list<'a>(values: impl Iterator<Item = Scalar<'a>>) -> FieldValue<'a> {
    let values: Vec<_> = values.collect();
    if values.is_empty() { FieldValue::Missing } else { FieldValue::Many(values) }
}

pub(super) fn text_of<'a>(value: Value<'_, 'a>) -> Scalar<'a> {
    Scalar::Text(value.as_text())
}

pub(super) fn as_text<'a>(value: Value<'_, 'a>) -> FieldValue<'a> {
    FieldValue::One(text_of(value))
}

pub(super) fn string_or_empty<'a>(value: Value<'_, 'a>) -> FieldValue<'a> {
    FieldValue::One(Scalar::Text(value.string().unwrap_or_default()))
}

pub(super) fn is_true(value: Value<'_, '_>) -> bool {
    value.kind() == clew_event::json::Kind::True
}

#[cfg(test)]
mod tests {
    use clew_event::control_plane::ApiCall;
    use clew_event::field::FIELDS;
    use clew_event::{Event, EventId, EventKind, EventType, FieldSource, TimestampNs};

    use super::*;
    use crate::Context;

    #[test]
    fn each_field_of_records_is_told_by_the_log_of_its_name() {
        let log = |name: &str| match name.split('.').next() {
            Some("ka") => Some(ApiSource::KubernetesAudit),
            Some("ct" | "s3" | "ec2" | "ecr" | "iam") => Some(ApiSource::Cloudtrail),
            Some("gcp") => Some(ApiSource::GcpAudit),
            Some("github") => Some(ApiSource::Github),
            Some("okta") => Some(ApiSource::Okta),
            _ => None,
        };
        for spec in FIELDS {
            let tellers: Vec<_> =
                ApiSource::ALL.into_iter().filter(|&log| how(log, spec.id).is_some()).collect();
            assert_eq!(tellers, log(spec.name).into_iter().collect::<Vec<_>>(), "{}", spec.name);
            let is_json = spec.name.starts_with("json.") || spec.name.starts_with("jevt.");
            let is_for_all = is_json || spec.name == "evt.plugininfo";
            assert_eq!(json::how(spec.id).is_some(), is_for_all, "{}", spec.name);
        }
    }

    #[test]
    fn every_field_can_be_asked_of_every_event() {
        let context = Context::default();
        for source in ApiSource::ALL {
            for record in ["{}", "[]", "not json", ""] {
                let call = ApiCall { source, record: record.into(), ..ApiCall::default() };
                let event = Event {
                    id: EventId(1),
                    time: TimestampNs::default(),
                    arrived: TimestampNs::default(),
                    event_type: EventType::PluginEvent,
                    actor: None,
                    kind: EventKind::CloudApi(Box::new(call)),
                };
                let view = context.view(&event);
                for spec in FIELDS {
                    for argument in [FieldArgument::None, FieldArgument::Index(7)] {
                        view.field(spec.id, &argument);
                    }
                }
            }
        }
    }

    #[test]
    fn a_walk_goes_through_arrays_and_keeps_the_place_of_what_is_not_there() {
        let json = Json::parse(br#"{"a":[{"b":1},{"c":2},{"b":[3,4]}],"d":{}}"#).unwrap();
        let check = |path: &[&str], index: Option<usize>, expected: Option<&[&str]>| {
            let found = walk(json.root(), path, index)
                .map(|found| found.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>());
            let expected = expected.map(|texts| texts.iter().map(ToString::to_string).collect());
            assert_eq!(found, expected, "{path:?} {index:?}");
        };
        check(&["a", "b"], None, Some(&["Some(1)", "None", "Some([3,4])"]));
        check(&["a", "b"], Some(2), Some(&["Some([3,4])"]));
        check(&["a", "b"], Some(1), None);
        check(&["a", "b"], Some(3), None);
        check(&["a", ""], Some(1), Some(&[r#"Some({"c":2})"#]));
        check(&["d", "b"], None, None);
    }
}
