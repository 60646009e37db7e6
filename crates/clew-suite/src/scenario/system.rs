//! Calls that change rights and namespaces, and calls on the kernel and other processes.

use clew_event::kernel::{KernelEvent, KernelOperation};
use clew_event::privilege::{PrivilegeEvent, PrivilegeOperation};
use clew_event::{EventKind, EventType};

use super::line::Line;
use super::world::{Process, World};

/// `CLONE_NEW*` of `linux/sched.h`.
const NAMESPACES: &[(&str, u64)] = &[
    ("mount", 0x0002_0000),
    ("cgroup", 0x0200_0000),
    ("uts", 0x0400_0000),
    ("ipc", 0x0800_0000),
    ("user", 0x1000_0000),
    ("pid", 0x2000_0000),
    ("network", 0x4000_0000),
];
/// Requests of `linux/ptrace.h`.
const TRACE_REQUESTS: &[(&str, u64)] =
    &[("traceme", 0), ("poketext", 4), ("attach", 16), ("seize", 0x4206)];

pub(super) fn set_user(world: &mut World, line: &mut Line) -> Result<(), String> {
    let pid = line.need_as("pid")?;
    let process = world.process(pid)?;
    let uid: u32 = line.need_as("to")?;
    let result = line.take_as("result")?.unwrap_or(0);
    let uid_after = if result == 0 { uid } else { process.uid };
    let privilege = PrivilegeEvent {
        operation: PrivilegeOperation::SetUser,
        result,
        argument: u64::from(uid),
        descriptor: -1,
        uid_before: process.uid,
        uid_after,
        ..PrivilegeEvent::default()
    };
    world.update(pid, Process { uid: uid_after, ..process });
    world.push(EventType::Setuid, Some(process.actor), EventKind::Privilege(privilege));
    Ok(())
}

/// `setns` and `unshare`.
pub(super) fn change_namespaces(world: &mut World, line: &mut Line) -> Result<(), String> {
    let (event_type, operation, descriptor) = match line.verb.as_str() {
        "setns" => (EventType::Setns, PrivilegeOperation::EnterNamespace, 3),
        _ => (EventType::Unshare, PrivilegeOperation::LeaveNamespaces, -1),
    };
    let process = world.process(line.need_as("pid")?)?;
    let privilege = PrivilegeEvent {
        operation,
        result: line.take_as("result")?.unwrap_or(0),
        argument: line.take_bits("flags", NAMESPACES)?,
        descriptor,
        uid_before: process.uid,
        uid_after: process.uid,
        ..PrivilegeEvent::default()
    };
    world.push(event_type, Some(process.actor), EventKind::Privilege(privilege));
    Ok(())
}

/// `mount` and `umount`.
pub(super) fn mount(world: &mut World, line: &mut Line) -> Result<(), String> {
    let (event_type, operation) = match line.verb.as_str() {
        "mount" => (EventType::Mount, KernelOperation::Mount),
        _ => (EventType::Umount2, KernelOperation::Unmount),
    };
    let from = line.take("from").or_else(|| line.take("fs")).unwrap_or_default();
    let path = line.need("path")?.into();
    push(
        world,
        line,
        event_type,
        KernelEvent { operation, path, other: from.into(), ..KernelEvent::default() },
    )
}

pub(super) fn trace(world: &mut World, line: &mut Line) -> Result<(), String> {
    let kernel = KernelEvent {
        operation: KernelOperation::Trace,
        argument: line.take_bits("request", TRACE_REQUESTS)?,
        target_pid: line.take_as("target")?.unwrap_or(0),
        ..KernelEvent::default()
    };
    push(world, line, EventType::Ptrace, kernel)
}

/// `memfd`, `module` and `bpf`.
pub(super) fn ask_kernel(world: &mut World, line: &mut Line) -> Result<(), String> {
    let (event_type, operation) = match line.verb.as_str() {
        "memfd" => (EventType::MemfdCreate, KernelOperation::MemoryFile),
        "module" => (EventType::FinitModule, KernelOperation::LoadModule),
        _ => (EventType::Bpf, KernelOperation::Bpf),
    };
    let argument = line.take_as("cmd")?.unwrap_or(0);
    let path = line.take("path").unwrap_or_default().into();
    push(
        world,
        line,
        event_type,
        KernelEvent { operation, argument, path, ..KernelEvent::default() },
    )
}

fn push(
    world: &mut World,
    line: &mut Line,
    event_type: EventType,
    kernel: KernelEvent,
) -> Result<(), String> {
    let actor = world.process(line.need_as("pid")?)?.actor;
    let kernel = KernelEvent { result: line.take_as("result")?.unwrap_or(0), ..kernel };
    world.push(event_type, Some(actor), EventKind::Kernel(kernel));
    Ok(())
}
