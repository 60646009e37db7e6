//! The BPF objects, one a tier, chosen by trial load.
//!
//! No kernel version is asked: what loads is used, what does not is told with the kernel's own
//! reason. T0 brings the maps; T0s shares them.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use clew_decode::kernel::syscall;
use clew_event::EventType;
use clew_event::interest::{CallClass, CallClasses, InterestSet};
use clew_wire::limits::{INTEREST_PAYLOAD, SYSCALLS_MAX};
use clew_wire::record::Config;
use libbpf_rs::{
    Iter, Link, MapCore, MapFlags, MapHandle, Object, ObjectBuilder, OpenObject, ProgramMut,
};

static T0_OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/t0.bpf.o"));
static T0S_OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/t0s.bpf.o"));

static T0C_OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/t0c.bpf.o"));
static URING_OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/uring.bpf.o"));

static TRIAL_T1_OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/trial_t1.bpf.o"));
static TRIAL_T2_OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/trial_t2.bpf.o"));

/// Maps that every object uses from T0.
pub(crate) const SHARED_MAPS: &[&str] = &[
    "config",
    "counts",
    "ring_priority",
    "ring_bulk",
    "ring_stream",
    "sleeping",
    "users",
    "serving",
];

/// Programs of T0 that are attached; the rest is run on demand.
const T0_ATTACHED: &[&str] =
    &["on_fork", "on_exec", "on_exit", "on_cgroup_mkdir", "on_cgroup_rmdir"];

/// The program that also keeps the users of processes up to date, and so always runs.
const ON_PRIVILEGE: &str = "on_privilege";

/// The program that tells of failures only: of successes T0 tells in any case.
const ON_EXEC_FAILED: &str = "on_exec_failed";

/// Sizes of the rings in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingSizes {
    pub(crate) priority: u32,
    pub(crate) bulk: u32,
    pub(crate) stream: u32,
}

/// A loaded tier T0: processes and cgroups.
#[derive(Debug)]
pub(crate) struct T0 {
    object: Object,
    list: Link,
    attached: Vec<Link>,
}

/// A loaded tier T0s: system calls, and where the kernel allows it those by the 32-bit entry and
/// requests through io_uring.
#[derive(Debug)]
pub(crate) struct T0s {
    object: Object,
    compat: Result<Object, libbpf_rs::Error>,
    uring: Result<Object, libbpf_rs::Error>,
    /// Calls that another program has first, and the table from which it leads them on.
    taken: Option<(&'static [(u32, &'static str)], MapHandle)>,
    attached: Vec<Link>,
}

impl T0 {
    /// Loads the programs; none runs yet.
    pub(crate) fn load(sizes: RingSizes) -> Result<Self, libbpf_rs::Error> {
        let mut open = open(T0_OBJECT)?;
        for mut map in open.maps_mut() {
            match map.name().to_str() {
                Some("ring_priority") => map.set_max_entries(sizes.priority)?,
                Some("ring_bulk") => map.set_max_entries(sizes.bulk)?,
                Some("ring_stream") => map.set_max_entries(sizes.stream)?,
                _ => {}
            }
        }
        let object = open.load()?;
        let list = attach(&object, "list_tasks")?;
        Ok(Self { object, list, attached: Vec::new() })
    }

    /// Lets the programs run.
    pub(crate) fn attach(&mut self) -> Result<(), libbpf_rs::Error> {
        let links = T0_ATTACHED.iter().map(|name| attach(&self.object, name));
        self.attached = links.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Stops the programs; what they counted stays.
    pub(crate) fn detach(&mut self) {
        self.attached.clear();
    }

    /// A map of the object by its own handle.
    pub(crate) fn map(&self, name: &str) -> Result<MapHandle, libbpf_rs::Error> {
        map(&self.object, name)
    }

    /// A new run of the list of tasks.
    pub(crate) fn list(&self) -> Result<Iter, libbpf_rs::Error> {
        Iter::new(&self.list)
    }

    /// Tells the programs what to leave out.
    pub(crate) fn configure(&self, config: &Config) -> Result<(), libbpf_rs::Error> {
        let value = clew_wire::as_bytes(config);
        self.map("config")?.update(&0_u32.to_ne_bytes(), value, MapFlags::ANY)
    }

    /// What the programs were told, and what they found out themselves.
    pub(crate) fn configuration(&self) -> Result<Config, libbpf_rs::Error> {
        let value = self.map("config")?.lookup(&0_u32.to_ne_bytes(), MapFlags::ANY)?;
        Ok(value.and_then(|value| clew_wire::read(&value)).unwrap_or_default())
    }
}

impl T0s {
    /// Loads the programs onto the maps of `t0` and fills the table of handlers.
    pub(crate) fn load(t0: &T0) -> Result<Self, libbpf_rs::Error> {
        let object = load_sharing(T0S_OBJECT, SHARED_MAPS, |name| t0.map(name))?;
        let compat_handlers = map(&object, "compat_handlers")?;
        for &(number, _) in syscall::COMPAT {
            set_program(&compat_handlers, number, &object, "on_compat")?;
        }
        for &number in [syscall::SOCKETCALL].iter().chain(syscall::COMPAT_COUNTED) {
            set_program(&compat_handlers, number, &object, "on_compat")?;
        }
        let shared = [SHARED_MAPS, &["interest", "quiet"]].concat();
        let shared_map = |name: &str| t0.map(name).or_else(|_| map(&object, name));
        let compat = load_sharing(T0C_OBJECT, &shared, shared_map)
            .and_then(|compat| lead_compat_calls(&compat_handlers, compat));
        let uring = load_sharing(URING_OBJECT, &shared, shared_map);
        let tier = Self { object, compat, uring, taken: None, attached: Vec::new() };
        tier.set_interest(&InterestSet::everything())?;
        Ok(tier)
    }

    /// Why calls by the 32-bit entry are only counted, where they are.
    pub(crate) fn compat_refusal(&self) -> Option<&libbpf_rs::Error> {
        self.compat.as_ref().err()
    }

    /// Why requests through io_uring are not seen, where they are not.
    pub(crate) fn uring_refusal(&self) -> Option<&libbpf_rs::Error> {
        self.uring.as_ref().err()
    }

    /// A map of the object by its own handle.
    pub(crate) fn map(&self, name: &str) -> Result<MapHandle, libbpf_rs::Error> {
        map(&self.object, name)
    }

    /// Hands up calls of these classes only; a call of which none is wanted has no handler.
    ///
    /// Changes of credentials are handed up in any case. Calls by the 32-bit entry and requests
    /// through io_uring ask for the same classes.
    pub(crate) fn set_interest(&self, wanted: &InterestSet) -> Result<(), libbpf_rs::Error> {
        let handlers = map(&self.object, "handlers")?;
        let interest = map(&self.object, "interest")?;
        for &(number, event_type) in syscall::REPORTED {
            let handlers = match &self.taken {
                Some((calls, behind)) if calls.iter().any(|call| call.0 == number) => behind,
                _ => &handlers,
            };
            let classes = wanted.classes(event_type);
            let payload = if wanted.has_payload(event_type) { INTEREST_PAYLOAD } else { 0 };
            let bits = (u32::from(classes.bits()) | payload).to_ne_bytes();
            interest.update(&number.to_ne_bytes(), &bits, MapFlags::ANY)?;
            let is_meant = |name: &&str| *name == ON_PRIVILEGE || !classes.is_empty();
            match handler(event_type).filter(is_meant) {
                Some(name) => set_program(handlers, number, &self.object, name)?,
                None => clear_program(handlers, number)?,
            }
        }
        Ok(())
    }

    /// Leads `calls` to programs of `object` first, which lead them on by its table `behind`.
    pub(crate) fn take_first(
        &mut self,
        calls: &'static [(u32, &'static str)],
        object: &Object,
        wanted: &InterestSet,
    ) -> Result<(), libbpf_rs::Error> {
        self.taken = Some((calls, map(object, "behind")?));
        self.set_interest(wanted)?;
        let handlers = map(&self.object, "handlers")?;
        calls.iter().try_for_each(|&(number, name)| set_program(&handlers, number, object, name))
    }

    /// Leads all calls to the handlers of this tier alone.
    pub(crate) fn give_back(&mut self, wanted: &InterestSet) -> Result<(), libbpf_rs::Error> {
        let Some((calls, _)) = self.taken.take() else {
            return Ok(());
        };
        let handlers = map(&self.object, "handlers")?;
        calls.iter().try_for_each(|&(number, _)| clear_program(&handlers, number))?;
        self.set_interest(wanted)
    }

    /// Lets the programs run.
    pub(crate) fn attach(&mut self) -> Result<(), libbpf_rs::Error> {
        self.attached = vec![attach(&self.object, "on_sys_exit")?];
        if let Ok(uring) = &self.uring {
            for name in ["on_uring_submit", "on_uring_complete"] {
                self.attached.push(attach(uring, name)?);
            }
        }
        Ok(())
    }

    /// Stops the programs.
    pub(crate) fn detach(&mut self) {
        self.attached.clear();
    }
}

/// What stays in the kernel where only `wanted` is handed up: names of system calls, sorted.
#[must_use]
pub fn left_out(wanted: &InterestSet) -> Vec<String> {
    let mut wanted = wanted.clone();
    let mut reported: Vec<_> =
        syscall::REPORTED.iter().map(|(_, event_type)| *event_type).collect();
    reported.retain(|event_type| handler(*event_type) != Some(ON_PRIVILEGE));
    for event_type in &reported {
        if handler(*event_type) == Some(ON_EXEC_FAILED) {
            let mut told = CallClasses::NONE;
            told.add(CallClass::of_call(*event_type, 0, 0));
            wanted.add(*event_type, told);
        }
    }
    let mut left_out: Vec<String> =
        reported.into_iter().filter_map(|event_type| wanted.left_out(event_type)).collect();
    left_out.sort_unstable();
    left_out.dedup();
    left_out
}

/// Whether the kernel lets a program be attached to a kernel function (T1).
pub(crate) fn try_t1() -> Result<(), libbpf_rs::Error> {
    attach(&open(TRIAL_T1_OBJECT)?.load()?, "trial").map(drop)
}

/// Whether the kernel lets a program take part in security decisions (T2).
pub(crate) fn try_t2() -> Result<(), libbpf_rs::Error> {
    attach(&open(TRIAL_T2_OBJECT)?.load()?, "trial").map(drop)
}

/// The program that reports a system call.
const fn handler(event_type: EventType) -> Option<&'static str> {
    use EventType as E;
    match event_type {
        E::Open | E::Openat | E::Openat2 | E::Creat | E::OpenByHandleAt => Some("on_open"),
        E::Rename
        | E::Renameat
        | E::Renameat2
        | E::Link
        | E::Linkat
        | E::Symlink
        | E::Symlinkat
        | E::Unlink
        | E::Unlinkat
        | E::Mkdir
        | E::Mkdirat
        | E::Rmdir
        | E::Chmod
        | E::Fchmod
        | E::Fchmodat
        | E::Chown
        | E::Fchown
        | E::Lchown
        | E::Fchownat
        | E::Truncate
        | E::Ftruncate => Some("on_name"),
        E::Chdir | E::Fchdir | E::Chroot => Some("on_directory"),
        E::Execve | E::Execveat => Some(ON_EXEC_FAILED),
        E::Connect => Some("on_connect"),
        E::Socket | E::Accept | E::Accept4 | E::Bind | E::Listen => Some("on_socket"),
        E::Sendto | E::Sendmsg | E::Sendmmsg | E::Recvfrom | E::Recvmsg | E::Recvmmsg => {
            Some("on_transfer")
        }
        E::Dup | E::Dup2 | E::Dup3 => Some("on_dup"),
        E::Setuid
        | E::Setgid
        | E::Setreuid
        | E::Setregid
        | E::Setresuid
        | E::Setresgid
        | E::Setfsuid
        | E::Setfsgid
        | E::Capset
        | E::Setns
        | E::Unshare => Some(ON_PRIVILEGE),
        E::Mount
        | E::Umount2
        | E::PivotRoot
        | E::Ptrace
        | E::MemfdCreate
        | E::Bpf
        | E::InitModule
        | E::FinitModule
        | E::KexecLoad
        | E::KexecFileLoad
        | E::Userfaultfd => Some("on_kernel"),
        _ => None,
    }
}

fn open(object: &[u8]) -> Result<OpenObject, libbpf_rs::Error> {
    // What libbpf prints goes to standard error past every caller; the error value tells enough.
    libbpf_rs::set_print(None);
    ObjectBuilder::default().open_memory(object)
}

/// Loads an object onto maps that others brought.
pub(crate) fn load_sharing(
    object: &[u8],
    shared: &[&str],
    of_others: impl Fn(&str) -> Result<MapHandle, libbpf_rs::Error>,
) -> Result<Object, libbpf_rs::Error> {
    let mut open = open(object)?;
    for mut map in open.maps_mut() {
        if let Some(name) = map.name().to_str().filter(|name| shared.contains(name)) {
            let shared = of_others(name)?;
            map.reuse_fd(shared.as_fd())?;
        }
    }
    open.load()
}

/// Leads calls by the 32-bit entry to the programs of `compat`.
fn lead_compat_calls(table: &MapHandle, compat: Object) -> Result<Object, libbpf_rs::Error> {
    let numbers = map(&compat, "compat_numbers")?;
    let inner = map(&compat, "socketcall_handlers")?;
    let name_of = |native: u32| {
        let found = syscall::REPORTED.iter().find(|(number, _)| *number == native);
        found.and_then(|(_, event_type)| handler(*event_type))
    };
    let note = |key: u32, native: u32| {
        numbers.update(&key.to_ne_bytes(), &native.to_ne_bytes(), MapFlags::ANY)
    };
    for &(place, native) in syscall::SOCKETCALLS {
        note(SYSCALLS_MAX + place, native)?;
        if let Some(name) = name_of(native) {
            set_program(&inner, place, &compat, name)?;
        }
    }
    for &(number, native) in syscall::COMPAT {
        note(number, native)?;
        if let Some(name) = name_of(native) {
            set_program(table, number, &compat, name)?;
        }
    }
    set_program(table, syscall::SOCKETCALL, &compat, "on_socketcall")?;
    Ok(compat)
}

/// Attaches a program of that object.
pub(crate) fn attach(object: &Object, name: &str) -> Result<Link, libbpf_rs::Error> {
    program(object, name)?.attach()
}

/// A program of that object.
pub(crate) fn program<'a>(
    object: &'a Object,
    name: &str,
) -> Result<ProgramMut<'a>, libbpf_rs::Error> {
    object.progs_mut().find(|program| program.name() == name).ok_or_else(|| absent(name))
}

/// A map of that object by its own handle.
pub(crate) fn map(object: &Object, name: &str) -> Result<MapHandle, libbpf_rs::Error> {
    let found = object.maps().find(|map| map.name() == name).ok_or_else(|| absent(name))?;
    MapHandle::try_from(&found)
}

fn set_program(
    table: &MapHandle,
    number: u32,
    object: &Object,
    name: &str,
) -> Result<(), libbpf_rs::Error> {
    let program = object.progs().find(|program| program.name() == name);
    let fd = program.ok_or_else(|| absent(name))?.as_fd().as_raw_fd();
    table.update(&number.to_ne_bytes(), &fd.to_ne_bytes(), MapFlags::ANY)
}

/// Leaves a call without a handler, whether or not it had one.
fn clear_program(table: &MapHandle, number: u32) -> Result<(), libbpf_rs::Error> {
    match table.delete(&number.to_ne_bytes()) {
        Err(error) if error.kind() != libbpf_rs::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn absent(name: &str) -> libbpf_rs::Error {
    std::io::Error::new(std::io::ErrorKind::NotFound, format!("`{name}` is not in the object"))
        .into()
}

/// A descriptor of a map that outlives the object's handle.
pub(crate) fn descriptor(map: &MapHandle) -> std::io::Result<OwnedFd> {
    map.as_fd().try_clone_to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_in_the_kernel_is_told_once_and_never_a_change_of_credentials() {
        assert!(left_out(&InterestSet::everything()).is_empty());
        let none = left_out(&InterestSet::default());
        assert_eq!(none.iter().filter(|name| *name == "mount").count(), 1);
        assert!(none.contains(&"openat".to_owned()) && !none.contains(&"setuid".to_owned()));
        assert!(none.contains(&"execve (failed)".to_owned()));
    }

    #[test]
    fn every_reported_call_has_a_handler() {
        for &(number, event_type) in syscall::REPORTED {
            assert!(handler(event_type).is_some(), "{number} {event_type:?}");
        }
    }
}
