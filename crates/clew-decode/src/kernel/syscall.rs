//! System calls of interest by their number on x86-64, and their numbers in the 32-bit ABI.
//!
//! Numbers are those of `arch/x86/entry/syscalls/syscall_{64,32}.tbl`. The sensor attaches
//! handlers by these tables, and the decoder names events by them, so neither can know a call
//! that the other does not.

use clew_event::EventType;

/// Calls that the sensor reports when they return, by number. Of programs put in place it is told
/// elsewhere; here only that one was not.
pub const REPORTED: &[(u32, EventType)] = &[
    (2, EventType::Open),
    (32, EventType::Dup),
    (33, EventType::Dup2),
    (41, EventType::Socket),
    (42, EventType::Connect),
    (43, EventType::Accept),
    (44, EventType::Sendto),
    (45, EventType::Recvfrom),
    (46, EventType::Sendmsg),
    (47, EventType::Recvmsg),
    (49, EventType::Bind),
    (50, EventType::Listen),
    (59, EventType::Execve),
    (76, EventType::Truncate),
    (77, EventType::Ftruncate),
    (80, EventType::Chdir),
    (81, EventType::Fchdir),
    (82, EventType::Rename),
    (83, EventType::Mkdir),
    (84, EventType::Rmdir),
    (85, EventType::Creat),
    (86, EventType::Link),
    (87, EventType::Unlink),
    (88, EventType::Symlink),
    (90, EventType::Chmod),
    (91, EventType::Fchmod),
    (92, EventType::Chown),
    (93, EventType::Fchown),
    (94, EventType::Lchown),
    (101, EventType::Ptrace),
    (105, EventType::Setuid),
    (106, EventType::Setgid),
    (113, EventType::Setreuid),
    (114, EventType::Setregid),
    (117, EventType::Setresuid),
    (119, EventType::Setresgid),
    (122, EventType::Setfsuid),
    (123, EventType::Setfsgid),
    (126, EventType::Capset),
    (155, EventType::PivotRoot),
    (161, EventType::Chroot),
    (165, EventType::Mount),
    (166, EventType::Umount2),
    (175, EventType::InitModule),
    (246, EventType::KexecLoad),
    (257, EventType::Openat),
    (258, EventType::Mkdirat),
    (260, EventType::Fchownat),
    (263, EventType::Unlinkat),
    (264, EventType::Renameat),
    (265, EventType::Linkat),
    (266, EventType::Symlinkat),
    (268, EventType::Fchmodat),
    (272, EventType::Unshare),
    (288, EventType::Accept4),
    (292, EventType::Dup3),
    (299, EventType::Recvmmsg),
    (304, EventType::OpenByHandleAt),
    (307, EventType::Sendmmsg),
    (308, EventType::Setns),
    (313, EventType::FinitModule),
    (316, EventType::Renameat2),
    (319, EventType::MemfdCreate),
    (320, EventType::KexecFileLoad),
    (321, EventType::Bpf),
    (322, EventType::Execveat),
    (323, EventType::Userfaultfd),
    // `move_mount` puts a mount where `mount` would; rules know it by that name.
    (429, EventType::Mount),
    (437, EventType::Openat2),
    // `fchmodat2`.
    (452, EventType::Fchmodat),
];

/// Numbers of the same calls in the 32-bit ABI, each with that of x86-64.
pub const COMPAT: &[(u32, u32)] = &[
    (5, 2),
    (8, 85),
    (9, 86),
    (10, 87),
    (11, 59),
    (12, 80),
    (15, 90),
    (16, 94),
    (21, 165),
    (23, 105),
    (26, 101),
    (38, 82),
    (39, 83),
    (40, 84),
    (41, 32),
    (46, 106),
    (52, 166),
    (61, 161),
    (63, 33),
    (70, 113),
    (71, 114),
    (83, 88),
    (92, 76),
    (93, 77),
    (94, 91),
    (95, 93),
    (128, 175),
    (133, 81),
    (138, 122),
    (139, 123),
    (164, 117),
    (170, 119),
    (182, 92),
    (185, 126),
    (193, 76),
    (194, 77),
    (198, 94),
    (203, 113),
    (204, 114),
    (207, 93),
    (208, 117),
    (210, 119),
    (212, 92),
    (213, 105),
    (214, 106),
    (215, 122),
    (216, 123),
    (217, 155),
    (283, 246),
    (295, 257),
    (296, 258),
    (298, 260),
    (301, 263),
    (302, 264),
    (303, 265),
    (304, 266),
    (306, 268),
    (310, 272),
    (330, 292),
    (337, 299),
    (342, 304),
    (345, 307),
    (346, 308),
    (350, 313),
    (353, 316),
    (356, 319),
    (357, 321),
    (358, 322),
    (359, 41),
    (361, 49),
    (362, 42),
    (363, 50),
    (364, 288),
    (369, 44),
    (370, 46),
    (371, 45),
    (372, 47),
    (374, 323),
    (417, 299),
    (429, 429),
    (437, 437),
    (452, 452),
];

/// Calls within the 32-bit `socketcall` (`linux/net.h`), each with its number on x86-64.
pub const SOCKETCALLS: &[(u32, u32)] = &[
    (1, 41),
    (2, 49),
    (3, 42),
    (4, 50),
    (5, 43),
    (9, 44),
    (10, 45),
    (11, 44),
    (12, 45),
    (16, 46),
    (17, 47),
    (18, 288),
    (19, 299),
    (20, 307),
];

/// Number of `socketcall`.
pub const SOCKETCALL: u32 = 102;

/// Calls of the 32-bit ABI that are of interest and not decoded: the old `umount` of one argument.
pub const COMPAT_COUNTED: &[u32] = &[22];

const FORK: u32 = 57;
const VFORK: u32 = 58;
const EXECVEAT: u32 = 322;
const CLONE3: u32 = 435;

/// The name of a reported call; `None` for any other.
pub(super) fn reported(number: u32) -> Option<EventType> {
    let place = REPORTED.binary_search_by_key(&number, |(known, _)| *known).ok()?;
    REPORTED.get(place).map(|(_, event_type)| *event_type)
}

/// The name of the call that made a process.
pub(super) const fn of_fork(number: u32) -> EventType {
    match number {
        FORK => EventType::Fork,
        VFORK => EventType::Vfork,
        CLONE3 => EventType::Clone3,
        _ => EventType::Clone,
    }
}

/// The name of the call that executed a program.
pub(super) const fn of_exec(number: u32) -> EventType {
    match number {
        EXECVEAT => EventType::Execveat,
        _ => EventType::Execve,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_within_the_bound() {
        assert!(REPORTED.is_sorted_by(|a, b| a.0 < b.0), "the search needs order");
        assert!(COMPAT.is_sorted_by(|a, b| a.0 < b.0));
        let last = REPORTED.iter().map(|call| call.0).chain(COMPAT.iter().map(|call| call.0)).max();
        assert!(last.is_some_and(|last| last < clew_wire::limits::SYSCALLS_MAX));
        let inner_max = SOCKETCALLS.iter().map(|call| call.0).max();
        assert!(inner_max.is_some_and(|last| last < clew_wire::limits::SOCKETCALLS_MAX));
    }

    #[test]
    fn every_call_of_the_32_bit_abi_is_told_as_one_that_is_reported() {
        for (compat, native) in COMPAT.iter().chain(SOCKETCALLS) {
            assert!(reported(*native).is_some(), "{compat} {native}");
        }
        let name = |number| {
            let found = COMPAT.iter().find(|(compat, _)| *compat == number);
            found.and_then(|(_, native)| reported(*native))
        };
        assert_eq!(name(5), Some(EventType::Open));
        assert_eq!(name(362), Some(EventType::Connect));
    }

    #[test]
    fn a_call_is_found_by_its_number() {
        assert_eq!(reported(257), Some(EventType::Openat));
        assert_eq!(reported(0), None);
        assert_eq!(of_fork(57), EventType::Fork);
        assert_eq!(of_exec(322), EventType::Execveat);
    }
}
