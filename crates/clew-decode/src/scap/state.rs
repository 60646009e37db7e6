//! Which event is read how: calls that only change state here, the others in their family's file.

use std::sync::Arc;

use clew_event::container::AccountEvent;
use clew_event::{ContainerId, EventKind, EventType};

use super::descriptors::{Descriptor, Target};
use super::flags;
use super::machine::{Machine, Waiting};
use super::record::Record;

/// An event shorter than its type asks for.
#[derive(Debug)]
pub(super) struct Short;

/// Whether an event came of it.
pub(super) type Outcome = Result<bool, Short>;

impl Machine {
    /// Reads one event; false where it gives none of Clew's.
    pub(super) fn read(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        match record.kind {
            5 => self.close(record),
            307 | 3 | 59 | 327 | 337 => self.open(record, waiting),
            151 => self.fcntl(record),
            363 | 365 | 367 => self.duplicate(record, waiting),
            223 | 225 | 227 | 335 => self.fork(record, waiting),
            293 | 331 => self.execute(record, waiting),
            186 => self.exit(record, waiting),
            175..=181 | 277 | 279 | 301 | 303 | 305 | 309..=319 | 379..=385 => {
                self.change_file(record, waiting)
            }
            19 | 21 | 23 | 25 | 31 | 35 | 49 | 51 | 53 | 55 | 247 | 389 => {
                self.socket_call(record, waiting)
            }
            193..=201 | 427 | 429 | 241 | 285 | 353 => self.privilege(record, waiting),
            169 | 257 | 267 | 321 | 369 | 387 | 391 | 405 | 411 | 413 => {
                self.kernel_call(record, waiting)
            }
            354 | 358 => self.account(record, waiting),
            402 => self.asynchronous(record, waiting),
            95 | 97 => self.change_directory(record),
            275 => self.lead_session(record),
            _ => self.other(record),
        }
    }

    fn close(&mut self, record: &Record<'_>) -> Outcome {
        let result = record.signed(0).ok_or(Short)?;
        if 0 <= result
            && let Some(number) = record.signed(1)
        {
            self.threads.shrink(record.tid, |table| table.close(number));
        }
        Ok(false)
    }

    fn change_directory(&mut self, record: &Record<'_>) -> Outcome {
        const BY_PATH: u16 = 95;
        if record.signed(0).ok_or(Short)? < 0 {
            return Ok(false);
        }
        if record.kind == BY_PATH {
            self.threads.set_cwd(record.tid, record.str(1).ok_or(Short)?);
        } else if let Some(number) = record.signed(1)
            && let Some(open) = self.threads.descriptor(record.tid, number)
        {
            let name = open.name.clone();
            self.threads.set_cwd(record.tid, name.as_bytes());
        }
        Ok(false)
    }

    fn lead_session(&mut self, record: &Record<'_>) -> Outcome {
        if 0 <= record.signed(0).ok_or(Short)? {
            self.threads.lead_session(record.tid);
        }
        Ok(false)
    }

    fn fcntl(&mut self, record: &Record<'_>) -> Outcome {
        let result = record.signed(0).ok_or(Short)?;
        let (Some(number), Some(command)) = (record.signed(1), record.unsigned(2)) else {
            return Ok(false);
        };
        let is_closed = match command {
            flags::DUPLICATE => false,
            flags::DUPLICATE_CLOSED_ON_EXEC => true,
            flags::SET_DESCRIPTOR_FLAGS => record.unsigned(3).unwrap_or(0) & 1 != 0,
            _ => return Ok(false),
        };
        if result < 0 {
            return Ok(false);
        }
        if command == flags::SET_DESCRIPTOR_FLAGS {
            let change = |open: &mut Descriptor| open.is_closed_on_exec = is_closed;
            self.threads.shrink(record.tid, |table| table.change(number, change));
        } else if let Some(open) = self.threads.descriptor(record.tid, number) {
            let mut copy = Arc::clone(open);
            if copy.is_closed_on_exec != is_closed {
                Arc::make_mut(&mut copy).is_closed_on_exec = is_closed;
            }
            self.threads.put(record.tid, result, copy);
        }
        Ok(false)
    }

    /// Calls that make descriptors which nothing but their type tells apart.
    fn other(&mut self, record: &Record<'_>) -> Outcome {
        let kind = match record.kind {
            63 | 397 => "eventfd",
            139 | 395 => "inotify",
            137 => "timerfd",
            127 | 399 => "signalfd",
            375 | 377 => "eventpoll",
            339 => "io_uring",
            409 => "pidfd",
            43 => return self.socket_pair(record),
            61 | 393 => return self.pipe(record),
            451 => return self.close_range(record),
            _ => return Ok(false),
        };
        let result = record.signed(0).ok_or(Short)?;
        if 0 <= result {
            self.threads.put(record.tid, result, Descriptor::other(kind));
        }
        Ok(false)
    }

    fn socket_pair(&mut self, record: &Record<'_>) -> Outcome {
        let descriptor = Descriptor { target: Target::Unix, ..Descriptor::default() };
        self.two(record, descriptor)
    }

    fn pipe(&mut self, record: &Record<'_>) -> Outcome {
        let flags = record.u32(4).unwrap_or(0);
        let is_closed_on_exec = flags & flags::CLOSED_ON_EXEC != 0;
        self.two(record, Descriptor { target: Target::Pipe, is_closed_on_exec, ..<_>::default() })
    }

    fn two(&mut self, record: &Record<'_>, descriptor: Descriptor) -> Outcome {
        if record.signed(0).ok_or(Short)? < 0 {
            return Ok(false);
        }
        let (first, second) = record.signed(1).zip(record.signed(2)).ok_or(Short)?;
        let descriptor = Arc::new(descriptor);
        self.threads.put(record.tid, first, Arc::clone(&descriptor));
        self.threads.put(record.tid, second, descriptor);
        Ok(false)
    }

    fn close_range(&mut self, record: &Record<'_>) -> Outcome {
        const ONLY_MARK: u32 = 4;
        let (first, last) = record.u32(1).zip(record.u32(2)).ok_or(Short)?;
        let is_marked = record.u32(3).unwrap_or(0) & ONLY_MARK != 0;
        if record.signed(0).ok_or(Short)? == 0 && !is_marked {
            let close = |table: &mut super::descriptors::Table| {
                table.close_range(first.into(), last.into());
            };
            self.threads.shrink(record.tid, close);
        }
        Ok(false)
    }

    fn account(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        const GROUP: u16 = 358;
        let is_group = record.kind == GROUP;
        let (name, container) = if is_group { (1, 2) } else { (2, 5) };
        let id = record.u32(0).ok_or(Short)?;
        let container: Option<ContainerId> = match record.str(container) {
            None | Some(b"") => None,
            Some(short) => match self.container(short) {
                Some(whole) => Some(whole),
                None => return Ok(false),
            },
        };
        let account = AccountEvent { container, is_group, id, name: record.text(name) };
        let kind = EventKind::Account(account);
        self.emit((record.time_ns, None), EventType::Other, kind, waiting);
        Ok(true)
    }

    fn asynchronous(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        let (name, json) = (record.str(1).ok_or(Short)?, record.bytes(2).unwrap_or_default());
        let Some(container) = super::container::told(name, json) else { return Ok(false) };
        let kind = EventKind::Container(Box::new(container));
        self.emit((record.time_ns, None), EventType::Container, kind, waiting);
        Ok(true)
    }
}
