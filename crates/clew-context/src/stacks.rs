//! The stacks that were told before the events they belong to.

use clew_event::stack::StackEvent;
use clew_event::{Event, EventId, EventKind, ProcessKey};
use serde::{Deserialize, Serialize};

use crate::bounded::{Bounded, Standing};

/// Stacks that are kept: those of the last few seconds, at about a kilobyte each.
pub(crate) const STACKS_MAX: usize = 1_024;

/// What a stack belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Owner {
    Event(EventId),
    NextProgram(ProcessKey),
}

/// The last stacks; the oldest goes first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stacks {
    table: Bounded<Owner, StackEvent>,
}

impl Default for Stacks {
    fn default() -> Self {
        Self { table: Bounded::new(STACKS_MAX) }
    }
}

impl Stacks {
    /// Takes in a stack, and which program the last one of a process was for.
    pub(crate) fn observe(&mut self, event: &Event) {
        let Some(actor) = &event.actor else { return };
        let next = Owner::NextProgram(actor.process);
        match &event.kind {
            EventKind::Stack(stack) => {
                let owner = stack.of.map_or(next, Owner::Event);
                self.table.insert(owner, StackEvent::clone(stack), Standing::Live);
            }
            EventKind::Executed(_) => {
                if let Some(stack) = self.table.remove(&next) {
                    self.table.insert(Owner::Event(event.id), stack, Standing::Live);
                }
            }
            _ => {}
        }
    }

    /// The stack of that event, where one was told.
    pub(crate) fn of(&self, event: EventId) -> Option<&StackEvent> {
        self.table.get(&Owner::Event(event))
    }
}

#[cfg(test)]
mod tests {
    use clew_event::file::FileEvent;
    use clew_event::stack::Frame;
    use clew_event::{EventType, Text};

    use super::*;
    use crate::Context;
    use crate::tests::builders::{HOST, event, exec, program, shown};

    fn stack(of: Option<EventId>) -> EventKind {
        let frame = |file: &str, symbol: &str| Frame {
            file: file.into(),
            symbol: symbol.into(),
            ..Frame::default()
        };
        let frames = vec![
            frame("/lib/libc.so.6", ""),
            frame("", "Lorg/apache/Log;"),
            frame("/lib/libc.so.6", ""),
            frame("/bin/java", ""),
        ];
        EventKind::Stack(Box::new(StackEvent { of, frames, is_truncated: false }))
    }

    fn told(pid: u32, of: Option<EventId>) -> Event {
        event(Some((pid, HOST)), EventType::Other, stack(of))
    }

    #[test]
    fn a_call_is_seen_with_the_libraries_it_came_through() {
        let mut context = Context::default();
        let open = event(Some((1, HOST)), EventType::Openat, EventKind::File(FileEvent::default()));
        context.observe(&told(1, Some(open.id)));
        context.observe(&open);
        let check =
            |field, expected| assert_eq!(shown(&context.view(&open), field), expected, "{field}");
        check("stack.libraries", r#"["libc.so.6", "java"]"#);
        check("stack.files", r#"["/lib/libc.so.6", "/bin/java"]"#);
        check("stack.symbols", r#"["Lorg/apache/Log;"]"#);
        let told = context.view(&open).subject().libraries;
        assert_eq!(told, ["libc.so.6", "java"].map(Text::from));
    }

    #[test]
    fn a_stack_before_a_program_belongs_to_the_next_program_of_that_process_only() {
        let mut context = Context::default();
        context.observe(&told(1, None));
        let mut other = exec((2, HOST), program("sh", "sh"));
        other.id = EventId(2);
        context.observe(&other);
        assert_eq!(context.stacks.of(other.id), None);
        let mut executed = exec((1, HOST), program("sh", "sh"));
        executed.id = EventId(3);
        context.observe(&executed);
        assert!(context.stacks.of(executed.id).is_some());
        let mut again = exec((1, HOST), program("sh", "sh"));
        again.id = EventId(4);
        context.observe(&again);
        assert_eq!(context.stacks.of(again.id), None);
    }

    #[test]
    fn no_more_than_stacks_max_are_kept() {
        let mut stacks = Stacks::default();
        for id in 0..=STACKS_MAX as u128 {
            stacks.observe(&told(1, Some(EventId(id))));
        }
        assert_eq!(stacks.table.len(), STACKS_MAX);
        assert!(stacks.of(EventId(0)).is_none() && stacks.of(EventId(1)).is_some());
    }
}
