//! `stack.*`: the files that a call came through. Clew's own: Falco does not look at stacks.

use clew_event::stack::Frame;
use clew_event::{FieldId, FieldValue};

use crate::view::View;

/// The value of a field of this family; `None` where it is of another one.
pub(super) fn value<'a>(view: &View<'a>, id: FieldId) -> Option<FieldValue<'a>> {
    Some(match id {
        FieldId::StackLibraries => list(view, library),
        FieldId::StackFiles => list(view, |frame| frame.file.as_bytes()),
        FieldId::StackSymbols => list(view, |frame| frame.symbol.as_bytes()),
        _ => return None,
    })
}

/// Names of the files that the call came through; empty where no stack was told.
pub(crate) fn libraries<'a>(view: &View<'a>) -> Vec<&'a [u8]> {
    parts(view, library).unwrap_or_default()
}

fn library(frame: &Frame) -> &[u8] {
    if frame.file.is_empty() { b"" } else { frame.name() }
}

fn list<'a>(view: &View<'a>, part: fn(&Frame) -> &[u8]) -> FieldValue<'a> {
    let parts = parts(view, part);
    parts.map_or(FieldValue::Missing, |it| {
        FieldValue::Many(it.into_iter().map(Into::into).collect())
    })
}

/// One part of each frame from the caller outwards, each once; `None` where no stack was told.
fn parts<'a>(view: &View<'a>, part: fn(&Frame) -> &[u8]) -> Option<Vec<&'a [u8]>> {
    let stack = view.context.stacks.of(view.event.id)?;
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in stack.frames.iter().map(part).filter(|part| !part.is_empty()) {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    Some(parts)
}
