//! Decodes calls that change credentials, namespaces, the kernel or another process.

use clew_event::kernel::{KernelEvent, KernelOperation};
use clew_event::privilege::{Capabilities, PrivilegeEvent, PrivilegeOperation};
use clew_event::{EventKind, EventType};
use clew_wire::limits;
use clew_wire::record::{Kernel, Privilege};

use super::{Bytes, Malformed, syscall};

pub(super) fn privilege(record: Bytes<'_>) -> Result<(EventType, EventKind), Malformed> {
    let privilege: Privilege = record.fixed()?;
    let number = privilege.header.syscall;
    let wrong = Malformed::WrongCall { kind: limits::KIND_PRIVILEGE, number };
    let event_type = syscall::reported(number).ok_or(wrong)?;
    let operation = match event_type {
        EventType::Setuid | EventType::Setreuid | EventType::Setresuid | EventType::Setfsuid => {
            PrivilegeOperation::SetUser
        }
        EventType::Setgid | EventType::Setregid | EventType::Setresgid | EventType::Setfsgid => {
            PrivilegeOperation::SetGroup
        }
        EventType::Capset => PrivilegeOperation::SetCapabilities,
        EventType::Setns => PrivilegeOperation::EnterNamespace,
        EventType::Unshare => PrivilegeOperation::LeaveNamespaces,
        _ => return Err(wrong),
    };
    let event = PrivilegeEvent {
        operation,
        result: privilege.header.result,
        argument: privilege.argument,
        descriptor: privilege.descriptor,
        uid_before: privilege.uid_before,
        uid_after: privilege.uid_after,
        gid_after: Some(privilege.gid_after),
        capabilities: Some(Capabilities {
            effective: privilege.cap_effective,
            permitted: privilege.cap_permitted,
            inheritable: privilege.cap_inheritable,
        }),
    };
    Ok((event_type, EventKind::Privilege(event)))
}

pub(super) fn kernel(record: Bytes<'_>) -> Result<(EventType, EventKind), Malformed> {
    let kernel: Kernel = record.fixed()?;
    let number = kernel.header.syscall;
    let wrong = Malformed::WrongCall { kind: limits::KIND_KERNEL, number };
    let event_type = syscall::reported(number).ok_or(wrong)?;
    let operation = match event_type {
        EventType::Mount => KernelOperation::Mount,
        EventType::Umount2 => KernelOperation::Unmount,
        EventType::PivotRoot => KernelOperation::PivotRoot,
        EventType::Ptrace => KernelOperation::Trace,
        EventType::MemfdCreate => KernelOperation::MemoryFile,
        EventType::Bpf => KernelOperation::Bpf,
        EventType::InitModule | EventType::FinitModule => KernelOperation::LoadModule,
        EventType::KexecLoad | EventType::KexecFileLoad => KernelOperation::LoadKernel,
        EventType::Userfaultfd => KernelOperation::UserFaults,
        _ => return Err(wrong),
    };
    let event = KernelEvent {
        operation,
        result: kernel.header.result,
        argument: kernel.argument,
        target_pid: kernel.target_pid,
        path: record.path(kernel.path)?,
        other: record.text(kernel.other)?,
    };
    Ok((event_type, EventKind::Kernel(event)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_wire::as_bytes;
    use clew_wire::record::Header;

    #[test]
    fn a_setuid_tells_the_user_before_and_after_and_what_rights_are_left() {
        let header = Header { syscall: 105, ..Header::default() };
        let record = Privilege {
            header,
            argument: 0,
            descriptor: -1,
            uid_before: 1000,
            gid_after: 7,
            cap_effective: 1,
            cap_permitted: 3,
            cap_inheritable: 4,
            ..Privilege::default()
        };
        let Ok((EventType::Setuid, EventKind::Privilege(event))) =
            privilege(Bytes(as_bytes(&record)))
        else {
            panic!("not a setuid")
        };
        assert_eq!((event.uid_before, event.uid_after, event.descriptor), (1000, 0, -1));
        let rights = Capabilities { effective: 1, permitted: 3, inheritable: 4 };
        assert_eq!((event.gid_after, event.capabilities), (Some(7), Some(rights)));
    }

    #[test]
    fn every_reported_call_has_exactly_one_kind_of_record() {
        for &(number, event_type) in syscall::REPORTED {
            let header = Header { syscall: number, ..Header::default() };
            let privilege_record = Privilege { header, ..Privilege::default() };
            let kernel_record = Kernel { header, ..Kernel::default() };
            let file_record = clew_wire::record::File { header, ..Default::default() };
            let socket_record = clew_wire::record::Socket { header, ..Default::default() };
            let descriptor_record = clew_wire::record::Descriptor { header, ..Default::default() };
            let exec_record = clew_wire::record::ExecFailed { header, ..Default::default() };
            let accepted = [
                privilege(Bytes(as_bytes(&privilege_record))).is_ok(),
                kernel(Bytes(as_bytes(&kernel_record))).is_ok(),
                super::super::file::file(Bytes(as_bytes(&file_record))).is_ok(),
                super::super::socket::socket(Bytes(as_bytes(&socket_record))).is_ok(),
                super::super::socket::descriptor(Bytes(as_bytes(&descriptor_record))).is_ok(),
                super::super::process::exec_failed(Bytes(as_bytes(&exec_record))).is_ok(),
            ];
            let count = accepted.iter().filter(|is_accepted| **is_accepted).count();
            assert_eq!(count, 1, "{number} {event_type:?}");
        }
    }
}
