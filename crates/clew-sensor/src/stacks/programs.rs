//! The programs that copy stacks: those of execs, and the names by which opens are chosen.

use clew_wire::limits::STACK_NAME_BYTES_MAX;
use libbpf_rs::{Link, MapCore, MapFlags, Object};

use super::TELLING_NAMES;
use crate::tier::{T0, T0s, attach, load_sharing};

static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stacks.bpf.o"));

/// Maps of T0 that the programs use.
const SHARED_MAPS: &[&str] = &["config", "counts", "ring_stream"];
const PROGRAMS: [&str; 2] = ["on_prepare_exec", "on_spawn"];

/// The loaded programs of execs.
#[derive(Debug)]
pub(crate) struct Programs {
    _attached: Vec<Link>,
    _object: Object,
}

impl Programs {
    /// Loads the programs onto the maps of `t0` and lets them run.
    pub(crate) fn start(t0: &T0) -> Result<Self, libbpf_rs::Error> {
        let object = load_sharing(OBJECT, SHARED_MAPS, |name| t0.map(name))?;
        let links = PROGRAMS.iter().map(|name| attach(&object, name));
        Ok(Self { _attached: links.collect::<Result<_, _>>()?, _object: object })
    }
}

/// Tells the programs of `t0s` of which files opens are told with their stack.
pub(crate) fn choose_opens(t0s: &T0s) -> Result<(), libbpf_rs::Error> {
    let names = t0s.map("stack_names")?;
    TELLING_NAMES.iter().try_for_each(|name| {
        let mut padded = [0; STACK_NAME_BYTES_MAX as usize];
        padded.iter_mut().zip(name.bytes()).for_each(|(to, byte)| *to = byte);
        names.update(&padded, &[1], MapFlags::ANY)
    })
}
