//! `json.*`, and `jevt.*` as its other name: any value of a record by its JSON pointer.

use std::borrow::Cow;

use clew_event::json::Value;
use clew_event::{FieldId, FieldValue};

use super::record::{Asked, How, as_text};
use super::{cloudtrail, maybe, member, owned};

pub(super) fn how(id: FieldId) -> Option<How> {
    use FieldId as F;
    let how = match id {
        F::JsonValue | F::JevtValue => How::Made(value),
        F::JsonObj | F::JevtObj => How::Made(object),
        F::JsonRawtime | F::JevtRawtime => How::Made(time),
        F::EvtPlugininfo => How::Made(in_short),
        F::JsonMember => How::Made(member::value),
        F::JsonWords => How::Made(member::words),
        _ => return None,
    };
    Some(how)
}

/// The value at a pointer of RFC 6901, whose first slash may be left out; the whole record where
/// it is empty.
fn value<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let pointer = asked.key();
    let root = asked.record.root();
    if pointer.is_empty() {
        return as_text(root);
    }
    let mut names = pointer.strip_prefix('/').unwrap_or(&pointer).split('/');
    maybe(names.try_fold(root, |value: Value<'_, 'a>, name| value.get(&unescaped(name))), as_text)
}

fn unescaped(name: &str) -> Cow<'_, str> {
    if name.contains('~') {
        return Cow::Owned(name.replace("~1", "/").replace("~0", "~"));
    }
    Cow::Borrowed(name)
}

fn object<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    owned(asked.record.root().indented())
}

fn time<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    owned(asked.view.event().time.unix_ns().to_string())
}

fn in_short<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    use clew_event::control_plane::ApiSource as S;
    match asked.view.event().api_call().map(|call| call.source) {
        Some(S::Cloudtrail) => cloudtrail::summary(asked),
        Some(
            S::KubernetesAudit
            | S::GcpAudit
            | S::Github
            | S::Okta
            | S::AzureActivity
            | S::EntraSignIn,
        ) => as_text(asked.record.root()),
        None => FieldValue::Missing,
    }
}
