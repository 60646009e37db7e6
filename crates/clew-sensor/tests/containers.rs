//! The watcher against the real Docker daemon: a container comes, is renamed, and goes.
#![allow(clippy::expect_used, reason = "a test fails by panicking, also in what it shares")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use clew_event::container::{AccountEvent, ContainerEvent, Lifecycle};
use clew_event::{Event, EventKind};
use clew_sensor::containers::{Settings, probe, watch};

const DEADLINE: Duration = Duration::from_secs(30);
const IMAGE: &str = "clew-test-watcher:1";

fn docker(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("docker").args(arguments).output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Makes an image of busybox and an account file, without any registry.
fn import_image() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    for name in ["bin", "etc"] {
        std::fs::create_dir(folder.path().join(name)).map_err(|e| e.to_string())?;
    }
    std::fs::copy("/bin/busybox", folder.path().join("bin/busybox"))
        .map_err(|e| format!("no /bin/busybox (package busybox-static): {e}"))?;
    std::fs::write(folder.path().join("etc/passwd"), "shopkeeper:x:4711:4711::/:/bin/false\n")
        .map_err(|e| e.to_string())?;
    let tar = Command::new("tar")
        .args(["--create", "--directory"])
        .arg(folder.path())
        .arg(".")
        .output()
        .map_err(|e| e.to_string())?;
    let mut import = Command::new("docker")
        .args(["import", "-", IMAGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())?;
    let mut input = import.stdin.take().ok_or("no standard input")?;
    input.write_all(&tar.stdout).map_err(|e| e.to_string())?;
    drop(input);
    let status = import.wait().map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("docker import: {status}")) }
}

/// Removes the container and the image, also where the test fails.
struct Cleanup(String);

impl Drop for Cleanup {
    fn drop(&mut self) {
        drop(docker(&["rm", "--force", &self.0]));
        drop(docker(&["rmi", "--force", IMAGE]));
    }
}

/// Waits for the event about `id` that `wanted` accepts.
fn next<T>(events: &Receiver<Event>, wanted: impl Fn(EventKind) -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let event = events.recv_timeout(left).expect("the event comes in time");
        if let Some(found) = wanted(event.kind) {
            return found;
        }
    }
}

fn about(id: &str, lifecycle: Lifecycle) -> impl Fn(EventKind) -> Option<ContainerEvent> {
    move |kind| match kind {
        EventKind::Container(container)
            if container.lifecycle == lifecycle
                && container.id.as_ref().is_some_and(|found| &*found.0 == id) =>
        {
            Some(*container)
        }
        _ => None,
    }
}

fn account_in(id: &str) -> impl Fn(EventKind) -> Option<AccountEvent> {
    move |kind| match kind {
        EventKind::Account(account)
            if account.container.as_ref().is_some_and(|found| &*found.0 == id) =>
        {
            Some(account)
        }
        _ => None,
    }
}

#[test]
fn a_real_container_is_told_from_its_start_to_its_end() {
    if let Err(reason) = docker(&["version"]).map(drop).and_then(|()| import_image()) {
        eprintln!("SKIPPED: a_real_container_is_told_from_its_start_to_its_end: {reason}");
        return;
    }
    let name = format!("clew-test-watcher-{}", std::process::id());
    let cleanup = Cleanup(name.clone());
    let (sender, events) = sync_channel(65_536);
    let watcher = watch(Settings::default(), sender);
    let run = [
        "run",
        "--detach",
        "--cap-add",
        "SYS_ADMIN",
        "--label",
        "app=shop",
        "--volume",
        "/tmp:/host:ro",
    ];
    let command = ["--name", &name, IMAGE, "/bin/busybox", "sleep", "600"];
    let id = docker(&[&run[..], &command[..]].concat()).expect("it runs");

    let created = next(&events, about(&id, Lifecycle::Known));
    // Whether it runs already is a race between the start and the runtime's answer.
    assert_eq!(created.name, name.as_str().into());
    let started = next(&events, about(&id, Lifecycle::Started));
    assert_eq!((started.name, started.image), (name.as_str().into(), IMAGE.into()));
    assert!(started.pid != 0 && started.started.unix_ns() != 0 && !started.is_privileged);
    assert!(started.capabilities_added.iter().any(|name| name.ends_with("SYS_ADMIN")));
    assert_eq!(started.labels.get("app"), Some(&"shop".into()));
    let mount = started.mounts.first().expect("a mount");
    assert_eq!((mount.source.clone(), mount.is_writable), ("/tmp".into(), false));
    let account = next(&events, account_in(&id));
    assert_eq!((account.id, account.name), (4711, "shopkeeper".into()));

    let renamed = format!("{name}-renamed");
    let cleanup = (cleanup, Cleanup(renamed.clone()));
    docker(&["rename", &name, &renamed]).expect("renamed");
    assert_eq!(next(&events, about(&id, Lifecycle::Known)).name, renamed.as_str().into());

    let statuses = watcher.statuses();
    assert!(statuses.iter().any(|status| status.name == "docker" && status.is_available));
    drop(cleanup);
    next(&events, about(&id, Lifecycle::Stopped));
    assert_eq!(watcher.counts().dropped, 0);
    watcher.stop();
}

#[test]
fn docker_tells_its_version_when_it_is_asked() {
    if let Err(reason) = docker(&["version"]) {
        eprintln!("SKIPPED: docker_tells_its_version_when_it_is_asked: {reason}");
        return;
    }
    let statuses = probe(DEADLINE);
    let docker = statuses.iter().find(|status| status.name == "docker").expect("asked");
    assert!(docker.is_available && docker.reason.starts_with("version "), "{docker:?}");
}
