//! Processes and cgroups as the sensor tells them.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use clew_event::EventKind;
use clew_event::container::Lifecycle;
use clew_event::kernel::KernelOperation;
use clew_event::process::ExecutedFlags;

use clew_wire::limits::{ARGV_BYTES_MAX, PATH_COMPONENTS_MAX};

use crate::watch::watch;

#[test]
fn the_stream_begins_with_the_node_and_what_runs_on_it() {
    let Some(seen) = watch(|_| {}) else { return };
    let EventKind::NodeStarted(node) = &seen.bootstrap[0].kind else {
        panic!("not the node: {:?}", seen.bootstrap[0])
    };
    assert_eq!(node.tiers.first().map(String::as_str), Some("T0"));
    let own = seen.bootstrap.iter().find_map(|event| match &event.kind {
        EventKind::Running(running) if event.actor?.process.pid == std::process::id() => {
            Some(running)
        }
        _ => None,
    });
    let own = own.expect("this process runs");
    let exe = std::env::current_exe().expect("a path");
    assert_eq!(own.exe.to_string(), exe.display().to_string());
    assert!(own.argv.as_bytes().starts_with(exe.to_str().expect("utf-8").as_bytes()));
    assert_eq!(own.parent.pid, std::os::unix::process::parent_id());
    let cgroups = seen.bootstrap.iter().filter(|e| matches!(e.kind, EventKind::Cgroup(_)));
    assert!(cgroups.count() > 0, "the root is always there");
}

#[test]
fn an_exec_tells_script_interpreter_arguments_and_parent() {
    let Some(seen) = watch(|folder| {
        let script = folder.join("script");
        fs::write(&script, "#!/bin/sh\nexit 7\n").expect("a file");
        fs::set_permissions(&script, Permissions::from_mode(0o755)).expect("a mode");
        let status = Command::new(&script)
            .args(["one", "two words"])
            .env("LD_LIBRARY_PATH", "/x")
            .env("AWS_SECRET_ACCESS_KEY", "hunter2")
            .current_dir(folder)
            .status();
        assert_eq!(status.expect("runs").code(), Some(7));
    }) else {
        return;
    };
    let (actor, executed) = seen.exec_named("script");
    let script = seen.folder.join("script").display().to_string();
    assert_eq!(executed.filename.to_string(), script);
    let shell = fs::canonicalize("/bin/sh").expect("a shell").display().to_string();
    assert_eq!(executed.exe.to_string(), shell);
    let argv = format!("/bin/sh\0{script}\0one\0two words\0");
    assert_eq!(executed.argv.as_bytes(), argv.as_bytes());
    assert_eq!(executed.cwd.to_string(), seen.folder.display().to_string());
    assert_eq!(executed.parent, seen.own_key());
    let environment = executed.surroundings.as_ref().expect("always").environment.as_bytes();
    let has = |part: &[u8]| environment.windows(part.len()).any(|found| found == part);
    assert!(has(b"LD_LIBRARY_PATH=/x\0") && has(b"AWS_SECRET_ACCESS_KEY\0"));
    assert!(!has(b"hunter2"), "a secret left the sensor");
    let forked = seen.events.iter().find_map(|event| match &event.kind {
        EventKind::Forked(forked) if forked.child == actor.process => Some(forked),
        _ => None,
    });
    assert_eq!(forked.expect("a fork").parent, seen.own_key());
    let exit = seen.events.iter().find_map(|event| match &event.kind {
        EventKind::Exited(exited) if event.actor?.process == actor.process => Some(exited),
        _ => None,
    });
    assert_eq!(exit.map(|exit| (exit.status, exit.signal)), Some((7, 0)));
}

#[test]
fn events_come_in_order_of_time() {
    let Some(seen) = watch(|_| {
        for _ in 0..20 {
            Command::new("/bin/true").status().expect("runs");
        }
    }) else {
        return;
    };
    let live = seen.events.iter().filter(|event| event.actor.is_some());
    assert!(live.is_sorted_by_key(|event| event.time), "out of order");
    let ids: std::collections::BTreeSet<_> = seen.events.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), seen.events.len(), "an id is not unique");
}

#[test]
fn a_program_in_memory_is_told_as_such() {
    let Some(seen) = watch(|_| {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let mut memory = File::from(rustix::fs::memfd_create("hidden", flags).expect("made"));
        memory.write_all(&fs::read("/bin/true").expect("reads")).expect("writes");
        let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
        Command::new(path).arg("in-memory").status().expect("runs");
    }) else {
        return;
    };
    let executed = seen.exec_with("in-memory\0").1;
    assert!(executed.flags.has(ExecutedFlags::MEMFD | ExecutedFlags::UNLINKED));
    assert_eq!(executed.exe, "/memfd:hidden".into());
    // Sensors of other tests make such files too.
    let made = seen.kernel_all(KernelOperation::MemoryFile);
    assert!(made.iter().any(|made| made.path == "hidden".into()), "{made:?}");
}

#[test]
fn a_program_of_a_writable_layer_is_told_apart_from_one_of_the_image() {
    let Some(seen) = watch(|folder| {
        // An overlay cannot lie on another one, so its layers lie in memory.
        let script = "mount -t tmpfs none $PWD && cd $PWD && mkdir lower upper work merged \
             && cp /bin/true lower/image && cp /bin/true upper/dropped \
             && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work o merged \
             && merged/image && merged/dropped";
        let mut shell = Command::new("unshare");
        let status = shell.args(["-m", "sh", "-c", script]).current_dir(folder).status();
        assert!(status.expect("runs").success());
    }) else {
        return;
    };
    let is_upper = |name| seen.exec_named(name).1.flags.has(ExecutedFlags::UPPER_LAYER);
    assert!(is_upper("dropped") && !is_upper("image"));
    let mounted = seen.kernel_all(KernelOperation::Mount);
    assert!(mounted.iter().any(|mount| mount.result == 0), "{mounted:?}");
}

#[test]
fn a_cgroup_is_told_when_it_comes_and_goes() {
    let root = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
        .into_iter()
        .find(|root| fs::exists(format!("{root}/cgroup.procs")).unwrap_or(false));
    let Some(root) = root else {
        eprintln!("skipped: no version 2 cgroups are mounted");
        return;
    };
    let name = format!("clew-test-{}", std::process::id());
    let Some(seen) = watch(|_| {
        fs::create_dir(format!("{root}/{name}")).expect("a cgroup");
        fs::remove_dir(format!("{root}/{name}")).expect("removed");
    }) else {
        return;
    };
    let changes = seen.events.iter().filter_map(|event| match &event.kind {
        EventKind::Cgroup(cgroup) if cgroup.path.to_string() == format!("/{name}") => {
            Some((cgroup.lifecycle, cgroup.cgroup))
        }
        _ => None,
    });
    let changes: Vec<_> = changes.collect();
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert_eq!((changes[0].0, changes[1].0), (Lifecycle::Started, Lifecycle::Stopped));
    assert_eq!(changes[0].1, changes[1].1);
}

#[test]
fn a_pid_namespace_gives_its_first_process_the_number_one() {
    let Some(seen) = watch(|_| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--pid", "--fork", "/bin/true", "first"]);
        assert!(unshare.status().expect("runs").success());
    }) else {
        return;
    };
    let (actor, executed) = seen.exec_named("true");
    assert_eq!(executed.session.vpid, 1);
    assert!(actor.process.pid > 1);
    let forked = seen.events.iter().find_map(|event| match &event.kind {
        EventKind::Forked(forked) if forked.child == actor.process => Some(forked.child_vpid),
        _ => None,
    });
    assert_eq!(forked, Some(1));
}

#[test]
fn what_is_longer_than_the_bounds_is_cut_and_says_so() {
    let argv_max = usize::try_from(ARGV_BYTES_MAX).expect("small");
    let Some(seen) = watch(|folder| {
        let long = "x".repeat(argv_max);
        Command::new("/bin/true").args(["short", &long]).status().expect("runs");
        let mut deep = folder.to_owned();
        for _ in 0..=PATH_COMPONENTS_MAX {
            deep.push("d");
        }
        fs::create_dir_all(&deep).expect("folders");
        fs::copy("/bin/true", deep.join("deep")).expect("copied");
        Command::new(deep.join("deep")).status().expect("runs");
    }) else {
        return;
    };
    let executed = seen.exec_with("xxx").1;
    assert!(executed.flags.has(ExecutedFlags::ARGV_TRUNCATED));
    assert!(executed.argv.as_bytes().starts_with(b"/bin/true\0short\0xxx"));
    assert_eq!(executed.argv.as_bytes().len(), argv_max - 1);
    let executed = seen.exec_named("deep").1;
    assert!(executed.flags.has(ExecutedFlags::PATH_TRUNCATED));
    assert!(executed.exe.as_bytes().starts_with(b".../d/") && executed.exe.file_name() == b"deep");
}

/// Set for the children of the next test, which then are what it watches.
const IS_CHILD: &str = "CLEW_TEST_HAS_MANY_THREADS";

/// Starts threads that wait for ever, and ends all of them at once.
#[allow(clippy::exit, reason = "the end of the whole process is what is watched")]
fn end_with_many_threads() -> ! {
    const THREADS: usize = 40;
    let all = std::sync::Arc::new(std::sync::Barrier::new(THREADS + 1));
    for _ in 0..THREADS {
        let all = std::sync::Arc::clone(&all);
        std::thread::spawn(move || {
            all.wait();
            std::thread::park();
        });
    }
    all.wait();
    std::process::exit(3)
}

#[test]
fn a_process_of_many_threads_ends_once() {
    if std::env::var_os(IS_CHILD).is_some() {
        end_with_many_threads();
    }
    // Which thread is the last one is a race: without its guard in the program about one process
    // in a hundred ends twice on a busy machine, more on kernels whose hook comes after `exit_mm`.
    const CHILDREN: usize = 100;
    let Some(seen) = watch(|_| {
        for _ in 0..CHILDREN {
            let own = std::env::current_exe().expect("a path");
            let name = "life::a_process_of_many_threads_ends_once";
            let mut child = Command::new(own);
            child.args(["--exact", name]).env(IS_CHILD, "").stdout(Stdio::null());
            assert_eq!(child.status().expect("runs").code(), Some(3));
        }
    }) else {
        return;
    };
    let mut ends = std::collections::BTreeMap::new();
    for event in &seen.events {
        if let (EventKind::Exited(exited), Some(actor)) = (&event.kind, event.actor) {
            ends.entry(actor.process).or_insert_with(Vec::new).push(exited.status);
        }
    }
    let of_threads = ends.values().filter(|statuses| statuses.contains(&3));
    assert!(of_threads.count() >= CHILDREN);
    let doubled: Vec<_> = ends.iter().filter(|(_, statuses)| statuses.len() > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
}
