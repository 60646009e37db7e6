//! Kinds, flags and bounds that the BPF programs and user space agree on.

/// Defines constants for both languages.
macro_rules! constants {
    ($( $(#[doc = $doc:literal])* $name:ident: $type:ty = $value:expr; )*) => {
        $( $(#[doc = $doc])* pub const $name: $type = $value; )*

        /// Name, value and documentation of every constant, in order.
        #[cfg(any(test, feature = "codegen"))]
        pub(crate) fn c_constants() -> Vec<(&'static str, u64, &'static str)> {
            vec![$( (stringify!($name), u64::from($name), concat!($($doc, "\n"),*)) ),*]
        }
    };
}

constants! {
    /// Version of the wire format; a record of another version is counted and skipped.
    WIRE_VERSION: u16 = 1;

    /// A process was made.
    KIND_FORK: u16 = 1;
    /// A process took a new program.
    KIND_EXEC: u16 = 2;
    /// A process ended.
    KIND_EXIT: u16 = 3;
    /// A process was there when the sensor began.
    KIND_TASK: u16 = 4;
    /// A cgroup was made or removed.
    KIND_CGROUP: u16 = 5;
    /// A call that changes credentials or namespaces.
    KIND_PRIVILEGE: u16 = 6;
    /// A call on the kernel or on another process.
    KIND_KERNEL: u16 = 7;
    /// A descriptor was put on standard input, output or error.
    KIND_DESCRIPTOR: u16 = 8;
    /// A call on a file.
    KIND_FILE: u16 = 9;
    /// A call on a socket.
    KIND_SOCKET: u16 = 10;
    /// A system call by the 32-bit entry that is of interest and not decoded: counted only.
    KIND_COMPAT: u16 = 11;
    /// A process asked for a program and did not get it.
    KIND_EXEC_FAILED: u16 = 12;
    /// A message to or from a name server.
    KIND_DNS: u16 = 13;
    /// A piece of what went through a connection of an application.
    KIND_STREAM: u16 = 14;
    /// The stack of a thread, from which the libraries that it called through are found.
    KIND_STACK: u16 = 15;
    /// Number of kinds, unused 0 included: the length of each counter array.
    KINDS: u16 = 16;

    /// The stack is that of the call whose number on this CPU the record has.
    STACK_AT_CALL: u32 = 1;
    /// The stack is that of a process before it takes a new program.
    STACK_AT_EXEC: u32 = 2;
    /// The stack is that of a thread that makes a process which begins on a stack of its own.
    STACK_AT_FORK: u32 = 3;

    /// The piece was sent; else it was received.
    STREAM_SENT: u32 = 1;
    /// The piece is plain text that a TLS library took or gave.
    STREAM_TLS: u32 = 2;
    /// The connection ended; the record has no bytes.
    STREAM_END: u32 = 4;
    /// The process took the connection (it is the server); else it asked for it, or that is not
    /// known.
    STREAM_ACCEPTED: u32 = 8;

    /// In a word of interest, above the classes: the first bytes sent or received are wanted.
    INTEREST_PAYLOAD: u32 = 256;

    /// A descriptor that no call can be given.
    NO_DESCRIPTOR: u32 = 0x8000_0000;

    /// The text was longer than its bound and is cut.
    TEXT_TRUNCATED: u16 = 1;
    /// The memory that holds the text could not be read.
    TEXT_UNREAD: u16 = 2;
    /// The text is a list of path components from the leaf to the root, each ended by `/`.
    TEXT_COMPONENTS: u16 = 4;

    /// The executed file lies in the writable layer of an overlay file system.
    EXEC_UPPER_LAYER: u32 = 1;
    /// The executed file was made by `memfd_create`.
    EXEC_MEMFD: u32 = 2;
    /// The executed file has no name left.
    EXEC_UNLINKED: u32 = 4;
    /// The executed file has a setuid or setgid bit.
    EXEC_SETUID: u32 = 8;
    /// The executed file is writable for whoever runs it.
    EXEC_WRITABLE: u32 = 16;
    /// The process is a thread of the kernel.
    EXEC_KERNEL_THREAD: u32 = 32;

    /// A closed descriptor, or one of unknown kind.
    TARGET_NONE: u16 = 0;
    /// A file, directory or device; the text is its path.
    TARGET_FILE: u16 = 1;
    /// A pipe or FIFO.
    TARGET_PIPE: u16 = 2;
    /// A socket of an internet family.
    TARGET_INTERNET: u16 = 3;
    /// A unix socket; the text is its path.
    TARGET_UNIX: u16 = 4;
    /// Something else; the text is its name.
    TARGET_OTHER: u16 = 5;

    /// A cgroup was made.
    CGROUP_MADE: u32 = 1;
    /// A cgroup was removed.
    CGROUP_REMOVED: u32 = 2;

    /// Cgroups of version 2 are followed.
    CGROUP_VERSION_2: u32 = 0;
    /// Cgroups of the version 1 hierarchy of `memory` are followed.
    CGROUP_MEMORY: u32 = 1;
    /// Cgroups of the version 1 hierarchy of `pids` are followed.
    CGROUP_PIDS: u32 = 2;

    /// Lowest bit of a mark of a quiet open, whose generation stands above it: it is quiet only
    /// where the path given has no `..`.
    QUIET_UNLESS_CLIMBING: u32 = 1;

    /// Bytes of arguments that one record holds.
    ARGV_BYTES_MAX: u32 = 4096;
    /// Bytes of environment that one record holds; user space keeps the allowed names only.
    ENVIRONMENT_BYTES_MAX: u32 = 4096;
    /// Bytes of one path (`PATH_MAX` of `linux/limits.h`).
    PATH_BYTES_MAX: u32 = 4096;
    /// Components of a path that are resolved; a deeper path is marked as truncated.
    PATH_COMPONENTS_MAX: u32 = 64;
    /// Bytes of a socket address given by the caller (`sockaddr_un` takes 110).
    ADDRESS_BYTES_MAX: u32 = 128;
    /// Bytes of a short name: a module's, a memory file's, a file system's type.
    NAME_BYTES_MAX: u32 = 256;
    /// Where the last text of a record may begin; a text that would begin later is left out and
    /// marked as truncated.
    TEXT_START_MAX: u32 = 16_383;
    /// Bytes of payload that one record holds: what Falco takes by default (`snaplen`).
    PAYLOAD_BYTES_MAX: u32 = 80;
    /// Pieces of a payload (`struct iovec`) that are put together.
    PAYLOAD_PIECES_MAX: u32 = 8;
    /// Arguments of a program that was not put in place; later ones are left out and marked.
    FAILED_ARGUMENTS_MAX: u32 = 32;
    /// Bytes of a message to or from a name server: what resolvers offer over UDP.
    DNS_BYTES_MAX: u32 = 1232;
    /// Such messages that one CPU tells of in a second.
    DNS_PER_SECOND_MAX: u32 = 2000;
    /// Bytes of one call on a connection of an application that one record holds.
    STREAM_BYTES_MAX: u32 = 16_384;
    /// Records that one call on such a connection makes at most; the rest is a gap.
    STREAM_RECORDS_MAX: u32 = 8;
    /// Bytes of one direction that are copied before the other one has its turn: the head of a
    /// message and the beginning of its body. What follows is told by its length.
    STREAM_RUN_BYTES_MAX: u32 = 65_536;
    /// Bytes of such connections that are copied of the processes of one cgroup in a second.
    STREAM_WORKLOAD_BYTES_PER_SECOND_MAX: u32 = 67_108_864;
    /// Bytes of such connections that one CPU copies in a second.
    STREAM_CPU_BYTES_PER_SECOND_MAX: u32 = 134_217_728;
    /// Bytes of a stack that one record holds: what lies above the stack pointer, to the end of its
    /// page and three pages more.
    STACK_BYTES_MAX: u32 = 16_384;
    /// Stacks that one CPU copies in a second.
    STACKS_PER_SECOND_MAX: u32 = 200;
    /// Bytes of the last part of a path whose opens are told with their stack, a NUL included.
    STACK_NAME_BYTES_MAX: u32 = 64;
    /// Such names.
    STACK_NAMES_MAX: u32 = 64;
    /// System call numbers that a program may be attached to.
    SYSCALLS_MAX: u32 = 512;
    /// Calls within the 32-bit `socketcall`; a power of two.
    SOCKETCALLS_MAX: u32 = 32;
}

/// Bytes of the largest record: the last text begins at its bound and is as long as allowed.
pub const RECORD_BYTES_MAX: usize = (TEXT_START_MAX + 1 + PATH_BYTES_MAX) as usize;

const _: () = assert!(RECORD_BYTES_MAX <= u16::MAX as usize, "offsets of texts are 16 bits");

/// Wire name of a kind, for counters and losses; empty where there is no such kind.
#[must_use]
pub const fn kind_name(kind: u16) -> &'static str {
    match kind {
        KIND_FORK => "fork",
        KIND_EXEC => "exec",
        KIND_EXIT => "exit",
        KIND_TASK => "task",
        KIND_CGROUP => "cgroup",
        KIND_PRIVILEGE => "privilege",
        KIND_KERNEL => "kernel",
        KIND_DESCRIPTOR => "descriptor",
        KIND_FILE => "file",
        KIND_SOCKET => "socket",
        KIND_COMPAT => "compat",
        KIND_EXEC_FAILED => "exec_failed",
        KIND_DNS => "dns",
        KIND_STREAM => "stream",
        KIND_STACK => "stack",
        _ => "",
    }
}

/// True for kinds that go to the bulk ring; pieces of connections and stacks have a ring of their
/// own, and all others go to the priority ring.
#[must_use]
pub const fn is_bulk(kind: u16) -> bool {
    matches!(kind, KIND_FILE | KIND_SOCKET | KIND_EXEC_FAILED | KIND_DNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = (1..KINDS).map(kind_name).collect();
        assert_eq!(names.len(), usize::from(KINDS - 1));
        assert_eq!((kind_name(0), kind_name(KINDS)), ("", ""));
    }

    #[test]
    fn no_record_outgrows_the_16_bit_offsets_of_its_texts() {
        let bounds = [
            ARGV_BYTES_MAX,
            ENVIRONMENT_BYTES_MAX,
            ADDRESS_BYTES_MAX,
            NAME_BYTES_MAX,
            PAYLOAD_BYTES_MAX,
        ];
        assert!(bounds.iter().all(|bound| *bound <= PATH_BYTES_MAX));
        assert_eq!(RECORD_BYTES_MAX, (TEXT_START_MAX + 1 + PATH_BYTES_MAX) as usize);
        assert!((TEXT_START_MAX + 1).is_power_of_two(), "the verifier needs a mask");
        // A component has at most 255 bytes and its slash.
        const { assert!(PATH_COMPONENTS_MAX * 256 >= PATH_BYTES_MAX) };
        const { assert!(462 < SYSCALLS_MAX) };
        const { assert!(SOCKETCALLS_MAX.is_power_of_two()) };
        const { assert!(STACK_BYTES_MAX.is_multiple_of(4096) && STACK_BYTES_MAX <= u16::MAX as u32) };
        const { assert!(STACK_NAME_BYTES_MAX == 64, "the mask of a name's length") };
        const { assert!(STACK_NAMES_MAX <= 256 && STACKS_PER_SECOND_MAX <= 1_000) };
        // Loops of the programs; the verifier walks through each.
        const { assert!(PAYLOAD_PIECES_MAX <= 8 && FAILED_ARGUMENTS_MAX <= 64) };
    }
}
