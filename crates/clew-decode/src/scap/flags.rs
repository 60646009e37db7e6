//! Numbers of captures (`PPM_*` of falcosecurity/libs, `driver/ppm_events_public.h`) into those
//! of Linux on x86-64.

/// A file was opened that lies in the upper layer of an overlay.
pub(super) const OPENED_DIRECTORY: u32 = 1 << 10;
pub(super) const CLOSED_ON_EXEC: u32 = 1 << 12;
/// `AT_FDCWD`.
pub(super) const WORKING_DIRECTORY: i64 = -100;

pub(super) const CLONE_NEW_PID: u32 = 1 << 6;
pub(super) const CLONE_PARENT: u32 = 1 << 8;
pub(super) const CLONE_THREAD: u32 = 1 << 13;
pub(super) const CLONE_VFORK: u32 = 1 << 27;
pub(super) const CHILD_IN_PID_NAMESPACE: u32 = 1 << 29;

pub(super) const DUPLICATE: u64 = 1;
pub(super) const SET_DESCRIPTOR_FLAGS: u64 = 3;
pub(super) const DUPLICATE_CLOSED_ON_EXEC: u64 = 26;

const OPEN: [(u32, u32); 12] = [
    (1 << 2, 0o100),
    (1 << 3, 0o2000),
    (1 << 4, 0o10_000),
    (1 << 5, 0o200),
    (1 << 6, 0o4000),
    (1 << 7, 0o4_010_000),
    (1 << 8, 0o1000),
    (1 << 9, 0o40_000),
    (OPENED_DIRECTORY, 0o200_000),
    (CLOSED_ON_EXEC, 0o2_000_000),
    (1 << 13, 0o20_200_000),
    (1 << 11, 0o100_000),
];

/// Flags of `open`; those that only the capture knows (created, layer of an overlay) are left out.
pub(super) fn open(flags: u32) -> u32 {
    let access = match flags & 3 {
        3 => 2,
        2 => 1,
        _ => 0,
    };
    translated(flags, &OPEN) | access
}

const CLONE: [(u32, u32); 10] = [
    (1 << 3, 0x0800_0000),
    (1 << 4, 0x4000_0000),
    (1 << 5, 0x0002_0000),
    (CLONE_NEW_PID, 0x2000_0000),
    (1 << 7, 0x0400_0000),
    (1 << 20, 0x1000_0000),
    (1 << 28, 0x0200_0000),
    (1, 0x0000_0400),
    (1 << 1, 0x0000_0200),
    (1 << 12, 0x0004_0000),
];

/// `CLONE_NEW*` of `setns` and `unshare`.
pub(super) fn namespaces(flags: u32) -> u32 {
    translated(flags, &CLONE)
}

fn translated(flags: u32, table: &[(u32, u32)]) -> u32 {
    table.iter().filter(|(bit, _)| flags & bit != 0).fold(0, |linux, (_, bit)| linux | bit)
}

const PTRACE: [(u64, u64); 21] = [
    (1, 0),
    (2, 1),
    (3, 2),
    (4, 3),
    (5, 4),
    (6, 5),
    (7, 6),
    (8, 7),
    (9, 8),
    (10, 9),
    (11, 16),
    (12, 17),
    (13, 24),
    (14, 0x4200),
    (18, 0x4204),
    (19, 0x4205),
    (20, 0x4206),
    (21, 0x4207),
    (22, 0x4208),
    (24, 0x420a),
    (27, 13),
];

/// Request of `ptrace`; one that has no number in Linux becomes a number that names nothing.
pub(super) fn ptrace(request: u64) -> u64 {
    PTRACE.iter().find(|(number, _)| *number == request).map_or(u64::MAX, |(_, linux)| *linux)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_open_become_those_of_linux() {
        let check = |flags, linux: u32| assert_eq!(open(flags), linux, "{flags:#x}");
        check(1, 0);
        check(2 | 1 << 2 | 1 << 8, 0o1101);
        check(3 | 1 << 12, 0o2_000_002);
        check(1 << 10 | 1, 0o200_000);
        check(1 << 14 | 1 << 15 | 1, 0);
    }

    #[test]
    fn namespaces_and_requests_become_those_of_linux() {
        assert_eq!(namespaces(1 << 4 | 1 << 5), 0x4002_0000);
        assert_eq!(namespaces(1 << 20 | 1 << 6), 0x3000_0000);
        assert_eq!((ptrace(11), ptrace(20), ptrace(6)), (16, 0x4206, 5));
        assert_eq!(ptrace(999), u64::MAX);
    }
}
