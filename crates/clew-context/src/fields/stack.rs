//! `stack.*`: the files that a call came through. Clew's own: Falco does not look at stacks.

use clew_event::stack::Frame;
use clew_event::{FieldId, FieldValue};

use crate::view::View;

/// The value of a field of this family; `None` where it is of another one.
pub(super) fn value<'a>(view: &View<'a>, id: FieldId) -> Option<FieldValue<'a>> {
    Some(match id {
        FieldId::StackLibraries => {
            list(view, |frame| if frame.file.is_empty() { b"" } else { frame.name() })
        }
        FieldId::StackFiles => list(view, |frame| frame.file.as_bytes()),
        FieldId::StackSymbols => list(view, |frame| frame.symbol.as_bytes()),
        _ => return None,
    })
}

/// One part of each frame from the caller outwards, each once; missing where no stack was told.
fn list<'a>(view: &View<'a>, part: fn(&Frame) -> &[u8]) -> FieldValue<'a> {
    let Some(stack) = view.context.stacks.of(view.event.id) else { return FieldValue::Missing };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in stack.frames.iter().map(part).filter(|part| !part.is_empty()) {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    FieldValue::Many(parts.into_iter().map(Into::into).collect())
}
