//! Names of the numbers in system calls, as rules spell them.
//!
//! Numbers are the kernel's on x86-64 (`include/uapi`: `asm-generic/errno.h`, `fcntl.h`,
//! `linux/ptrace.h`, `linux/capability.h`, `linux/sched.h`, `linux/mount.h`, `linux/bpf.h`,
//! `linux/stat.h`, `bits/socket.h`). Names and the order in which set bits are listed are Falco's,
//! so that a condition such as `evt.arg.flags contains O_TRUNC` means the same.

/// Error names by number; index 0 is error 1.
#[rustfmt::skip]
const ERRORS: [&str; 133] = [
    "EPERM", "ENOENT", "ESRCH", "EINTR", "EIO", "ENXIO", "E2BIG", "ENOEXEC", "EBADF", "ECHILD",
    "EAGAIN", "ENOMEM", "EACCES", "EFAULT", "ENOTBLK", "EBUSY", "EEXIST", "EXDEV", "ENODEV",
    "ENOTDIR", "EISDIR", "EINVAL", "ENFILE", "EMFILE", "ENOTTY", "ETXTBSY", "EFBIG", "ENOSPC",
    "ESPIPE", "EROFS", "EMLINK", "EPIPE", "EDOM", "ERANGE", "EDEADLK", "ENAMETOOLONG", "ENOLCK",
    "ENOSYS", "ENOTEMPTY", "ELOOP", "", "ENOMSG", "EIDRM", "ECHRNG", "EL2NSYNC", "EL3HLT",
    "EL3RST", "ELNRNG", "EUNATCH", "ENOCSI", "EL2HLT", "EBADE", "EBADR", "EXFULL", "ENOANO",
    "EBADRQC", "EBADSLT", "", "EBFONT", "ENOSTR", "ENODATA", "ETIME", "ENOSR", "ENONET", "ENOPKG",
    "EREMOTE", "ENOLINK", "EADV", "ESRMNT", "ECOMM", "EPROTO", "EMULTIHOP", "EDOTDOT", "EBADMSG",
    "EOVERFLOW", "ENOTUNIQ", "EBADFD", "EREMCHG", "ELIBACC", "ELIBBAD", "ELIBSCN", "ELIBMAX",
    "ELIBEXEC", "EILSEQ", "ERESTART", "ESTRPIPE", "EUSERS", "ENOTSOCK", "EDESTADDRREQ",
    "EMSGSIZE", "EPROTOTYPE", "ENOPROTOOPT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EOPNOTSUPP",
    "EPFNOSUPPORT", "EAFNOSUPPORT", "EADDRINUSE", "EADDRNOTAVAIL", "ENETDOWN", "ENETUNREACH",
    "ENETRESET", "ECONNABORTED", "ECONNRESET", "ENOBUFS", "EISCONN", "ENOTCONN", "ESHUTDOWN",
    "ETOOMANYREFS", "ETIMEDOUT", "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "EALREADY",
    "EINPROGRESS", "ESTALE", "EUCLEAN", "ENOTNAM", "ENAVAIL", "EISNAM", "EREMOTEIO", "EDQUOT",
    "ENOMEDIUM", "EMEDIUMTYPE", "ECANCELED", "ENOKEY", "EKEYEXPIRED", "EKEYREVOKED",
    "EKEYREJECTED", "EOWNERDEAD", "ENOTRECOVERABLE", "ERFKILL", "EHWPOISON",
];

/// Capability names by number.
#[rustfmt::skip]
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
    "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
    "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
];

/// Address families by number.
#[rustfmt::skip]
const FAMILIES: [&str; 45] = [
    "AF_UNSPEC", "AF_UNIX", "AF_INET", "AF_AX25", "AF_IPX", "AF_APPLETALK", "AF_NETROM",
    "AF_BRIDGE", "AF_ATMPVC", "AF_X25", "AF_INET6", "AF_ROSE", "AF_DECnet", "AF_NETBEUI",
    "AF_SECURITY", "AF_KEY", "AF_NETLINK", "AF_PACKET", "AF_ASH", "AF_ECONET", "AF_ATMSVC",
    "AF_RDS", "AF_SNA", "AF_IRDA", "AF_PPPOX", "AF_WANPIPE", "AF_LLC", "AF_IB", "AF_MPLS",
    "AF_CAN", "AF_TIPC", "AF_BLUETOOTH", "AF_IUCV", "AF_RXRPC", "AF_ISDN", "AF_PHONET",
    "AF_IEEE802154", "AF_CAIF", "AF_ALG", "AF_NFC", "AF_VSOCK", "AF_KCM", "AF_QIPCRTR", "AF_SMC",
    "AF_XDP",
];

/// `bpf` commands by number.
#[rustfmt::skip]
const BPF_COMMANDS: [&str; 36] = [
    "BPF_MAP_CREATE", "BPF_MAP_LOOKUP_ELEM", "BPF_MAP_UPDATE_ELEM", "BPF_MAP_DELETE_ELEM",
    "BPF_MAP_GET_NEXT_KEY", "BPF_PROG_LOAD", "BPF_OBJ_PIN", "BPF_OBJ_GET", "BPF_PROG_ATTACH",
    "BPF_PROG_DETACH", "BPF_PROG_TEST_RUN", "BPF_PROG_GET_NEXT_ID", "BPF_MAP_GET_NEXT_ID",
    "BPF_PROG_GET_FD_BY_ID", "BPF_MAP_GET_FD_BY_ID", "BPF_OBJ_GET_INFO_BY_FD", "BPF_PROG_QUERY",
    "BPF_RAW_TRACEPOINT_OPEN", "BPF_BTF_LOAD", "BPF_BTF_GET_FD_BY_ID", "BPF_TASK_FD_QUERY",
    "BPF_MAP_LOOKUP_AND_DELETE_ELEM", "BPF_MAP_FREEZE", "BPF_BTF_GET_NEXT_ID",
    "BPF_MAP_LOOKUP_BATCH", "BPF_MAP_LOOKUP_AND_DELETE_BATCH", "BPF_MAP_UPDATE_BATCH",
    "BPF_MAP_DELETE_BATCH", "BPF_LINK_CREATE", "BPF_LINK_UPDATE", "BPF_LINK_GET_FD_BY_ID",
    "BPF_LINK_GET_NEXT_ID", "BPF_ENABLE_STATS", "BPF_ITER_CREATE", "BPF_LINK_DETACH",
    "BPF_PROG_BIND_MAP",
];

/// `ptrace` requests that are not numbered in a row.
#[rustfmt::skip]
const PTRACE_REQUESTS: [(u64, &str); 39] = [
    (0, "PTRACE_TRACEME"), (1, "PTRACE_PEEKTEXT"), (2, "PTRACE_PEEKDATA"), (3, "PTRACE_PEEKUSR"),
    (4, "PTRACE_POKETEXT"), (5, "PTRACE_POKEDATA"), (6, "PTRACE_POKEUSR"), (7, "PTRACE_CONT"),
    (8, "PTRACE_KILL"), (9, "PTRACE_SINGLESTEP"), (12, "PTRACE_GETREGS"), (13, "PTRACE_SETREGS"),
    (14, "PTRACE_GETFPREGS"), (15, "PTRACE_SETFPREGS"), (16, "PTRACE_ATTACH"),
    (17, "PTRACE_DETACH"), (18, "PTRACE_GETFPXREGS"), (19, "PTRACE_SETFPXREGS"),
    (24, "PTRACE_SYSCALL"), (25, "PTRACE_GET_THREAD_AREA"), (26, "PTRACE_SET_THREAD_AREA"),
    (30, "PTRACE_ARCH_PRCTL"), (31, "PTRACE_SYSEMU"), (32, "PTRACE_SYSEMU_SINGLESTEP"),
    (33, "PTRACE_SINGLEBLOCK"), (0x4200, "PTRACE_SETOPTIONS"), (0x4201, "PTRACE_GETEVENTMSG"),
    (0x4202, "PTRACE_GETSIGINFO"), (0x4203, "PTRACE_SETSIGINFO"), (0x4204, "PTRACE_GETREGSET"),
    (0x4205, "PTRACE_SETREGSET"), (0x4206, "PTRACE_SEIZE"), (0x4207, "PTRACE_INTERRUPT"),
    (0x4208, "PTRACE_LISTEN"), (0x4209, "PTRACE_PEEKSIGINFO"), (0x420a, "PTRACE_GETSIGMASK"),
    (0x420b, "PTRACE_SETSIGMASK"), (0x420c, "PTRACE_SECCOMP_GET_FILTER"),
    (0x420d, "PTRACE_SECCOMP_GET_METADATA"),
];

/// Named bits, in the order in which they are listed.
pub(crate) type Bits = &'static [(u64, &'static str)];

/// `open` flags in Falco's own numbers, which [`open_flags`] gives.
#[rustfmt::skip]
pub(crate) const OPEN_FLAGS: Bits = &[
    (1 << 11, "O_LARGEFILE"), (1 << 10, "O_DIRECTORY"), (1 << 9, "O_DIRECT"), (1 << 8, "O_TRUNC"),
    (1 << 7, "O_SYNC"), (1 << 6, "O_NONBLOCK"), (1 << 5, "O_EXCL"), (1 << 4, "O_DSYNC"),
    (1 << 3, "O_APPEND"), (1 << 2, "O_CREAT"), (3, "O_RDWR"), (1 << 1, "O_WRONLY"),
    (1, "O_RDONLY"), (1 << 12, "O_CLOEXEC"), (1 << 13, "O_TMPFILE"),
];

/// Pairs of the machine's bit (x86-64) and Falco's, for what stands alone.
#[rustfmt::skip]
const OPEN_BITS: [(u32, u64); 10] = [
    (0o100, 1 << 2), (0o200, 1 << 5), (0o1000, 1 << 8), (0o2000, 1 << 3), (0o4000, 1 << 6),
    (0o10000, 1 << 4), (0o40000, 1 << 9), (0o100_000, 1 << 11), (0o200_000, 1 << 10),
    (0o2_000_000, 1 << 12),
];

/// What was seen of an executed file.
#[rustfmt::skip]
pub(crate) const EXECUTED_FLAGS: Bits = &[
    (1, "EXE_WRITABLE"), (1 << 1, "EXE_UPPER_LAYER"), (1 << 2, "EXE_FROM_MEMFD"),
    (1 << 3, "EXE_LOWER_LAYER"),
];

/// Permission bits.
#[rustfmt::skip]
pub(crate) const MODE: Bits = &[
    (0o1, "S_IXOTH"), (0o2, "S_IWOTH"), (0o4, "S_IROTH"), (0o10, "S_IXGRP"), (0o20, "S_IWGRP"),
    (0o40, "S_IRGRP"), (0o100, "S_IXUSR"), (0o200, "S_IWUSR"), (0o400, "S_IRUSR"),
    (0o1000, "S_ISVTX"), (0o2000, "S_ISGID"), (0o4000, "S_ISUID"),
];

/// `clone`, `unshare` and `setns` flags.
#[rustfmt::skip]
pub(crate) const CLONE_FLAGS: Bits = &[
    (0x400, "CLONE_FILES"), (0x200, "CLONE_FS"), (0x8000_0000, "CLONE_IO"),
    (0x0800_0000, "CLONE_NEWIPC"), (0x4000_0000, "CLONE_NEWNET"), (0x0002_0000, "CLONE_NEWNS"),
    (0x2000_0000, "CLONE_NEWPID"), (0x0400_0000, "CLONE_NEWUTS"), (0x8000, "CLONE_PARENT"),
    (0x0010_0000, "CLONE_PARENT_SETTID"), (0x2000, "CLONE_PTRACE"), (0x800, "CLONE_SIGHAND"),
    (0x0004_0000, "CLONE_SYSVSEM"), (0x0001_0000, "CLONE_THREAD"), (0x0080_0000, "CLONE_UNTRACED"),
    (0x100, "CLONE_VM"), (0x1000_0000, "CLONE_NEWUSER"), (0x0020_0000, "CLONE_CHILD_CLEARTID"),
    (0x0100_0000, "CLONE_CHILD_SETTID"), (0x0008_0000, "CLONE_SETTLS"), (0x4000, "CLONE_VFORK"),
    (0x0200_0000, "CLONE_NEWCGROUP"), (0x80, "CLONE_NEWTIME"),
];

/// `mount` flags.
#[rustfmt::skip]
pub(crate) const MOUNT_FLAGS: Bits = &[
    (1, "RDONLY"), (1 << 1, "NOSUID"), (1 << 2, "NODEV"), (1 << 3, "NOEXEC"),
    (1 << 4, "SYNCHRONOUS"), (1 << 5, "REMOUNT"), (1 << 6, "MANDLOCK"), (1 << 7, "DIRSYNC"),
    (1 << 10, "NOATIME"), (1 << 11, "NODIRATIME"), (1 << 12, "BIND"), (1 << 13, "MOVE"),
    (1 << 14, "REC"), (1 << 15, "SILENT"), (1 << 16, "POSIXACL"), (1 << 17, "UNBINDABLE"),
    (1 << 18, "PRIVATE"), (1 << 19, "SLAVE"), (1 << 20, "SHARED"), (1 << 21, "RELATIME"),
    (1 << 22, "KERNMOUNT"), (1 << 23, "I_VERSION"), (1 << 24, "STRICTATIME"),
    (1 << 25, "LAZYTIME"),
];

/// `umount2` flags.
pub(crate) const UMOUNT_FLAGS: Bits =
    &[(1, "FORCE"), (1 << 1, "DETACH"), (1 << 2, "EXPIRE"), (1 << 3, "NOFOLLOW")];

/// `memfd_create` flags.
pub(crate) const MEMFD_FLAGS: Bits =
    &[(1, "MFD_CLOEXEC"), (1 << 1, "MFD_ALLOW_SEALING"), (1 << 2, "MFD_HUGETLB")];

/// `unlinkat` flags.
pub(crate) const UNLINKAT_FLAGS: Bits = &[(0x200, "AT_REMOVEDIR")];

/// `linkat` flags.
pub(crate) const LINKAT_FLAGS: Bits = &[(0x400, "AT_SYMLINK_FOLLOW"), (0x1000, "AT_EMPTY_PATH")];

/// `fchownat` flags, by Falco's names for them.
pub(crate) const FCHOWNAT_FLAGS: Bits =
    &[(0x100, "AT_SYMLINK_NOFOLLOW"), (0x1000, "AT_EMPTY_PATH")];

/// `renameat2` flags.
pub(crate) const RENAME_FLAGS: Bits =
    &[(1, "RENAME_NOREPLACE"), (1 << 1, "RENAME_EXCHANGE"), (1 << 2, "RENAME_WHITEOUT")];

/// The name of a negative result: `ENOENT` for -2.
pub(crate) fn error(result: i64) -> Option<&'static str> {
    let index = usize::try_from(result.checked_neg()?.checked_sub(1)?).ok()?;
    named(&ERRORS, index)
}

/// The name of an address family: `AF_PACKET` for 17.
pub(crate) fn family(family: u16) -> Option<&'static str> {
    named(&FAMILIES, family.into())
}

/// The name of a `bpf` command: `BPF_PROG_LOAD` for 5.
pub(crate) fn bpf_command(command: u64) -> Option<&'static str> {
    named(&BPF_COMMANDS, usize::try_from(command).ok()?)
}

/// The name of a `ptrace` request: `PTRACE_ATTACH` for 16.
pub(crate) fn ptrace_request(request: u64) -> Option<&'static str> {
    let position = PTRACE_REQUESTS.binary_search_by_key(&request, |(number, _)| *number).ok()?;
    PTRACE_REQUESTS.get(position).map(|(_, name)| *name)
}

/// The names of a set of capabilities, joined by spaces.
pub(crate) fn capabilities(set: u64) -> String {
    let is_in = |(bit, _): &(usize, &&str)| set & (1 << bit) != 0;
    let names = CAPABILITIES.iter().enumerate().filter(is_in).map(|(_, name)| *name);
    names.collect::<Vec<_>>().join(" ")
}

/// `open` flags of the machine in Falco's numbers.
pub(crate) fn open_flags(flags: u32) -> u64 {
    const TMPFILE: u32 = 0o20_200_000;
    const SYNC: u32 = 0o4_010_000;
    let access = match flags & 0o3 {
        0 => 1,
        1 => 2,
        _ => 3,
    };
    let mut shown = OPEN_BITS
        .iter()
        .filter(|(machine, _)| flags & machine != 0)
        .fold(access, |shown, (_, bit)| shown | bit);
    if flags & TMPFILE == TMPFILE {
        shown |= 1 << 13;
    }
    if flags & SYNC == SYNC {
        shown |= 1 << 7;
    }
    shown
}

/// The names of the set bits, joined by `|`.
pub(crate) fn bits(set: u64, names: Bits) -> String {
    let mut rest = set;
    let mut joined = String::new();
    for &(bit, name) in names {
        if rest & bit == bit {
            rest &= !bit;
            if !joined.is_empty() {
                joined.push('|');
            }
            joined.push_str(name);
        }
    }
    joined
}

fn named(names: &[&'static str], index: usize) -> Option<&'static str> {
    names.get(index).copied().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_names_that_rules_use() {
        assert_eq!(error(-2), Some("ENOENT"));
        assert_eq!(error(-115), Some("EINPROGRESS"));
        assert_eq!(error(-133), Some("EHWPOISON"));
        assert_eq!([error(0), error(3), error(-41), error(-134), error(i64::MIN)], [None; 5]);
        assert_eq!(family(17), Some("AF_PACKET"));
        assert_eq!(family(16), Some("AF_NETLINK"));
        assert_eq!(bpf_command(5), Some("BPF_PROG_LOAD"));
        assert_eq!(ptrace_request(16), Some("PTRACE_ATTACH"));
        assert_eq!(ptrace_request(0x4206), Some("PTRACE_SEIZE"));
        assert_eq!(ptrace_request(11), None);
        assert_eq!(
            capabilities(1 << 21 | 1 << 16 | 1 << 40),
            "CAP_SYS_MODULE CAP_SYS_ADMIN CAP_CHECKPOINT_RESTORE"
        );
    }

    #[test]
    fn open_flags_are_named_as_falco_names_them() {
        let check =
            |flags, expected: &str| assert_eq!(bits(open_flags(flags), OPEN_FLAGS), expected);
        check(0, "O_RDONLY");
        check(0o1 | 0o100 | 0o1000, "O_TRUNC|O_CREAT|O_WRONLY");
        check(0o2 | 0o2000, "O_APPEND|O_RDWR");
        check(0o2_000_000 | 0o200_000, "O_DIRECTORY|O_RDONLY|O_CLOEXEC");
        check(0o20_200_000 | 0o2, "O_DIRECTORY|O_RDWR|O_TMPFILE");
    }

    #[test]
    fn permission_bits_are_named_from_the_lowest() {
        assert_eq!(
            bits(0o4755, MODE),
            "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID"
        );
        assert_eq!(bits(0, MODE), "");
    }
}
