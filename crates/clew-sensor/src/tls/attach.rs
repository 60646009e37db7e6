//! The programs, and how they are put into files.
//!
//! One link holds all places of a file at which a program runs, where the kernel has that
//! (`uprobe.multi`, 6.6); else each place has a link of its own. Which it is, is found by trying.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::Path;

use libbpf_rs::{
    Link, MapHandle, Object, ObjectBuilder, ProgramAttachType, UprobeMultiOpts, UprobeOpts,
};

use super::library::Probe;
use super::watch::WATCHED_MAX;
use crate::tier::{self, SHARED_MAPS, T0};

static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tls.bpf.o"));

/// Programs that run in no file.
const ALWAYS_ATTACHED: [&str; 4] = ["on_tls_call", "on_tls_fork", "on_tls_exec", "on_tls_exit"];

/// Every process of the machine, in terms of the kernel.
const ANY_PROCESS: i32 = -1;

/// How places in files are attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Many with one link.
    Multi,
    /// Each with its own.
    Single,
}

/// The loaded programs.
#[derive(Debug)]
pub(super) struct Programs {
    object: Object,
    form: Form,
    /// Taken off with this value.
    always: Vec<Link>,
}

impl Programs {
    /// Loads the programs onto the maps of `t0`; those that run in no file run from now on.
    pub(super) fn load(t0: &T0, form: Form) -> Result<Self, libbpf_rs::Error> {
        Self::load_onto(form, |name| SHARED_MAPS.contains(&name).then(|| t0.map(name)))
    }

    fn load_onto(
        form: Form,
        map_of: impl Fn(&str) -> Option<Result<MapHandle, libbpf_rs::Error>>,
    ) -> Result<Self, libbpf_rs::Error> {
        libbpf_rs::set_print(None);
        let mut open = ObjectBuilder::default().open_memory(OBJECT)?;
        for mut map in open.maps_mut() {
            match map.name().to_str().and_then(&map_of) {
                Some(shared) => map.reuse_fd(shared?.as_fd())?,
                None if map.name() == "tls_watched" => map.set_max_entries(WATCHED_MAX)?,
                None => {}
            }
        }
        for mut program in open.progs_mut() {
            if program.section() == "uprobe" && form == Form::Multi {
                program.set_attach_type(ProgramAttachType::TraceUprobeMulti);
            }
        }
        Ok(Self { object: open.load()?, form, always: Vec::new() })
    }

    /// Lets the programs run that run in no file.
    pub(super) fn attach(&mut self) -> Result<(), libbpf_rs::Error> {
        let links = ALWAYS_ATTACHED.iter().map(|name| tier::attach(&self.object, name));
        self.always = links.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// A map of the object by its own handle.
    pub(super) fn map(&self, name: &str) -> Result<MapHandle, libbpf_rs::Error> {
        tier::map(&self.object, name)
    }

    /// Puts programs into the file, for whoever runs it, as long as the links are kept.
    pub(super) fn put_into(
        &mut self,
        file: &Path,
        probes: &[Probe],
    ) -> Result<Vec<Link>, libbpf_rs::Error> {
        match (self.form, self.try_put_into(file, probes)) {
            (Form::Multi, Err(_)) => {
                // The kernel does not say what it lacks, so the other form has the last word.
                let single = Self::load_onto(Form::Single, |name| Some(self.map(name)))?;
                let links = single.try_put_into(file, probes)?;
                self.object = single.object;
                self.form = Form::Single;
                Ok(links)
            }
            (_, put) => put,
        }
    }

    fn try_put_into(&self, file: &Path, probes: &[Probe]) -> Result<Vec<Link>, libbpf_rs::Error> {
        let mut places: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for probe in probes {
            let offset = usize::try_from(probe.offset).unwrap_or(usize::MAX);
            places.entry((probe.program, probe.is_return)).or_default().push(offset);
        }
        let mut links = Vec::new();
        for ((name, is_return), offsets) in places {
            let program = tier::program(&self.object, name)?;
            if self.form == Form::Multi {
                let opts =
                    UprobeMultiOpts { offsets, retprobe: is_return, ..UprobeMultiOpts::default() };
                links.push(program.attach_uprobe_multi_with_opts(ANY_PROCESS, file, "", opts)?);
                continue;
            }
            for offset in offsets {
                let opts = UprobeOpts { retprobe: is_return, ..UprobeOpts::default() };
                links.push(program.attach_uprobe_with_opts(ANY_PROCESS, file, offset, opts)?);
            }
        }
        Ok(links)
    }
}
