//! The programs that read messages to and from name servers.
//!
//! They hang at the root of cgroup version 2, so that they see every socket of the machine, and
//! beside whatever else hangs there. Where nobody wants the messages they are taken off: a packet
//! then costs nothing.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use clew_event::EventType;
use clew_event::interest::InterestSet;
use libbpf_rs::{Link, Object};

use crate::cgroups;
use crate::tier::{T0, load_sharing, program};

static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dns.bpf.o"));

/// Maps of T0 that the programs use.
const SHARED_MAPS: &[&str] = &["config", "counts", "ring_bulk", "ring_stream"];
const PROGRAMS: [&str; 2] = ["on_dns_sent", "on_dns_received"];

/// The loaded programs.
#[derive(Debug)]
pub(crate) struct Dns {
    object: Object,
    root: PathBuf,
    attached: Vec<Link>,
}

impl Dns {
    /// Loads the programs onto the maps of `t0`; none runs yet.
    pub(crate) fn load(t0: &T0) -> Result<Self, libbpf_rs::Error> {
        let object = load_sharing(OBJECT, SHARED_MAPS, |name| t0.map(name))?;
        Ok(Self { object, root: root()?, attached: Vec::new() })
    }

    /// Lets the programs run.
    pub(crate) fn attached(mut self) -> Result<Self, libbpf_rs::Error> {
        self.attach()?;
        Ok(self)
    }

    /// Lets the programs run only where their messages are wanted.
    pub(crate) fn set_interest(&mut self, wanted: &InterestSet) -> Result<(), libbpf_rs::Error> {
        if wanted.classes(EventType::Dns).is_empty() {
            self.detach();
            Ok(())
        } else if self.attached.is_empty() {
            self.attach()
        } else {
            Ok(())
        }
    }

    /// Stops the programs.
    pub(crate) fn detach(&mut self) {
        self.attached.clear();
    }

    fn attach(&mut self) -> Result<(), libbpf_rs::Error> {
        let root = open(&self.root)?;
        let links = PROGRAMS.iter().map(|name| {
            let program = program(&self.object, name)?;
            program.attach_cgroup(root.as_raw_fd())
        });
        self.attached = links.collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// Where cgroup version 2 is mounted.
fn root() -> Result<PathBuf, libbpf_rs::Error> {
    cgroups::version_2().ok_or_else(|| {
        let absent = "cgroup version 2 is not mounted";
        std::io::Error::new(std::io::ErrorKind::NotFound, absent).into()
    })
}

fn open(path: &Path) -> Result<File, libbpf_rs::Error> {
    File::open(path).map_err(libbpf_rs::Error::from)
}
