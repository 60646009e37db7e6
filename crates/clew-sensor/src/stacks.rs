//! Finds out which files a call came through, from the copied stack of its thread.
//!
//! Reading order: `memory` (what code a process has), `unwind` (from call to call), `table` and
//! `cfi` (how a function is left), `names` (code that a runtime made), `programs` (what copies
//! them). All of it is done when the
//! record is read, because the process may be gone a moment later; what a process has and how
//! functions are left is kept, so that most stacks cost no file.

mod cfi;
mod memory;
mod names;
mod programs;
mod table;
mod unwind;

use std::collections::{BTreeMap, VecDeque};

use clew_decode::kernel::{Stack, StackMoment};
use clew_event::stack::{Frame, StackEvent};
use clew_event::{Event, Text};

use memory::{Image, Images};
pub(crate) use programs::{Programs, choose_opens};
use table::Tables;
use unwind::{Call, Ending, Walk};

/// Files whose opens are told with their stack, by the last part of their path: keys, passwords and
/// tokens, which few programs have to do with.
pub(crate) const TELLING_NAMES: &[&str] = &[
    ".dockerconfigjson",
    ".env",
    ".git-credentials",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    "access_tokens.db",
    "admin.conf",
    "application_default_credentials.json",
    "authorized_keys",
    "azureProfile.json",
    "config.json",
    "credentials",
    "credentials.db",
    "environ",
    "gshadow",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_rsa",
    "kubeconfig",
    "kubelet.conf",
    "mem",
    "msal_token_cache.json",
    "shadow",
    "sudoers",
    "token",
    "wp-config.php",
];

/// Processes that are to take their first program and whose maker's stack is kept for it.
pub(crate) const MADE_MAX: usize = 1_024;
/// How often names of code are looked up for one process.
const NAMES_SPAN_NS: u64 = 1_000_000_000;
/// Addresses of one process whose names are kept; then all are forgotten.
pub(crate) const NAMES_MAX: usize = 4_096;

/// What was made of stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackCounts {
    /// Stacks that were walked.
    pub walked: u64,
    /// Those that were walked to their outermost call.
    pub whole: u64,
    /// Those of which nothing could be told, because the process's memory was gone.
    pub gone: u64,
}

/// Makes frames of stacks.
#[derive(Debug, Default)]
pub(crate) struct Stacks {
    images: Images,
    tables: Tables,
    /// By process id and start of who was made.
    made: BTreeMap<(u32, u64), Frames>,
    made_order: VecDeque<(u32, u64)>,
    counts: StackCounts,
}

/// The frames of one stack.
#[derive(Debug, Default)]
struct Frames {
    frames: Vec<Frame>,
    is_truncated: bool,
}

impl Stacks {
    pub(crate) const fn counts(&self) -> StackCounts {
        self.counts
    }

    /// The event that tells which files a call came through; `None` where that is for later, or
    /// could not be found out.
    pub(crate) fn take(&mut self, stack: &Stack<'_>, now_ns: u64) -> Option<Event> {
        let mut told = self.frames(stack, now_ns);
        match stack.moment {
            StackMoment::Fork(pid, start_ns) => {
                self.keep((pid, start_ns), told?);
                return None;
            }
            StackMoment::Exec(_) => {
                let process = stack.actor.process;
                if let Some(maker) = self.made.remove(&(process.pid, process.start_ns)) {
                    told.get_or_insert_default().append(maker);
                }
            }
            StackMoment::Call(_) => {}
        }
        let Frames { frames, is_truncated } = told?;
        stack.event(frames, is_truncated)
    }

    fn keep(&mut self, made: (u32, u64), frames: Frames) {
        self.made.insert(made, frames);
        self.made_order.push_back(made);
        if MADE_MAX < self.made_order.len()
            && let Some(oldest) = self.made_order.pop_front()
        {
            self.made.remove(&oldest);
        }
    }

    fn frames(&mut self, stack: &Stack<'_>, now_ns: u64) -> Option<Frames> {
        let own = stack.actor.process.pid;
        // Before an exec the memory of a new process is that of its parent, and when this is read
        // its own is another one already.
        let pids = match stack.moment {
            StackMoment::Exec(parent) => vec![own, parent],
            StackMoment::Call(_) | StackMoment::Fork(..) => vec![own],
        };
        let Some(image) = self.images.find(&pids, stack.image, now_ns) else {
            self.counts.gone += 1;
            return None;
        };
        let (mut calls, mut ending) = Walk::new(stack, image, &mut self.tables).calls();
        if ending == Ending::UnknownCode && image.refresh(stack.image, now_ns) {
            (calls, ending) = Walk::new(stack, image, &mut self.tables).calls();
        }
        self.counts.walked += 1;
        self.counts.whole += u64::from(ending == Ending::Whole);
        learn_names(image, &calls, now_ns);
        let mut frames = Frames { is_truncated: ending != Ending::Whole, ..Frames::default() };
        for call in calls {
            frames.push(frame(image, call));
        }
        (!frames.frames.is_empty()).then_some(frames)
    }
}

impl Frames {
    /// Adds a call, unless it is within the file of the one before.
    fn push(&mut self, frame: Frame) {
        let is_same = |last: &Frame| last.file == frame.file && last.symbol == frame.symbol;
        if self.frames.last().is_some_and(is_same) {
            return;
        }
        if self.frames.len() < StackEvent::FRAMES_MAX {
            self.frames.push(frame);
        } else {
            self.is_truncated = true;
        }
    }

    /// Adds the calls of who made the process.
    fn append(&mut self, maker: Self) {
        self.is_truncated |= maker.is_truncated;
        maker.frames.into_iter().for_each(|frame| self.push(frame));
    }
}

fn frame(image: &Image, call: Call) -> Frame {
    let Call { address, is_likely } = call;
    let mapping = image.at(address);
    let path = mapping.map_or_else(Text::default, |mapping| mapping.path.clone());
    let offset = mapping.filter(|_| !path.is_empty()).map(|mapping| mapping.place(address));
    let symbol = image.names.get(&address).cloned().unwrap_or_default();
    Frame { file: path, offset: offset.unwrap_or(address), symbol, is_likely }
}

/// Looks up the names of code that a runtime made, where they are not known and may be by now.
fn learn_names(image: &mut Image, calls: &[Call], now_ns: u64) {
    let is_nameless = |address: &u64| {
        image.at(*address).is_some_and(|mapping| mapping.path.is_empty())
            && image.names.get(address).is_none_or(Text::is_empty)
    };
    let nameless: Vec<_> = calls.iter().map(|call| call.address).filter(is_nameless).collect();
    if nameless.is_empty() || now_ns.saturating_sub(image.named_ns) < NAMES_SPAN_NS {
        return;
    }
    image.named_ns = now_ns;
    if NAMES_MAX < image.names.len() + nameless.len() {
        image.names.clear();
    }
    image.names.extend(names::names(image.pid, &nameless));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_wire::limits::{STACK_NAME_BYTES_MAX, STACK_NAMES_MAX};

    #[test]
    fn telling_names_fit_into_their_table_in_order() {
        assert!(TELLING_NAMES.len() <= STACK_NAMES_MAX as usize && TELLING_NAMES.is_sorted());
        assert!(TELLING_NAMES.iter().all(|name| name.len() < STACK_NAME_BYTES_MAX as usize));
    }

    fn at(file: &str) -> Frame {
        Frame { file: file.into(), ..Frame::default() }
    }

    #[test]
    fn calls_within_one_file_are_one_frame_and_the_rest_is_told_as_missing() {
        let mut frames = Frames::default();
        ["/libc", "/libc", "/a", "/libc"].into_iter().for_each(|file| frames.push(at(file)));
        let files: Vec<_> = frames.frames.iter().map(|frame| frame.file.to_string()).collect();
        assert_eq!(files, ["/libc", "/a", "/libc"]);
        assert!(!frames.is_truncated);
        for index in 0..=StackEvent::FRAMES_MAX {
            frames.push(at(&format!("/lib{index}")));
        }
        assert_eq!((frames.frames.len(), frames.is_truncated), (StackEvent::FRAMES_MAX, true));
    }

    #[test]
    fn beyond_made_max_the_oldest_maker_is_forgotten() {
        let mut stacks = Stacks::default();
        for pid in 0..=u32::try_from(MADE_MAX).expect("small") {
            stacks.keep((pid, 1), Frames::default());
        }
        assert_eq!(stacks.made.len(), MADE_MAX);
        assert!(!stacks.made.contains_key(&(0, 1)));
        const { assert!(NAMES_MAX >= unwind::STEPS_MAX) };
    }
}
