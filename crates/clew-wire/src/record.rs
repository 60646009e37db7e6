//! The records themselves: a header, and one fixed part a kind.

use crate::layout::records;
use crate::limits::KINDS;

records! {
    /// Where in the record a text lies, and what had to be left out of it.
    struct TextRef = "clew_text" {
        /// First byte, counted from the start of the record.
        offset: u16,
        /// Bytes; no NUL byte ends them.
        size: u16,
        /// `TEXT_*` flags.
        flags: u16,
        /// Zero.
        reserved: u16,
    }

    /// What every record begins with.
    struct Header = "clew_header" {
        /// `KIND_*`.
        kind: u16,
        /// `WIRE_VERSION`.
        version: u16,
        /// Bytes of the whole record.
        size: u32,
        /// Nanoseconds since boot, time in suspend included.
        time_ns: u64,
        /// Counts the records this CPU offered: a hole is one that was lost or kept back.
        sequence: u64,
        /// CPU it happened on.
        cpu: u32,
        /// System call number; `u32::MAX` where there was none.
        syscall: u32,
        /// Thread-group id in the initial pid namespace.
        tgid: u32,
        /// Thread id in the initial pid namespace.
        tid: u32,
        /// Start of the thread-group leader, nanoseconds since boot.
        start_ns: u64,
        /// Id of the cgroup.
        cgroup: u64,
        /// What the system call returned.
        result: i64,
    }

    /// A process was made.
    struct Fork = "clew_fork" {
        /// Common part; the actor is the one who called.
        header: Header,
        /// Start of the child, nanoseconds since boot.
        child_start_ns: u64,
        /// Start of the child's parent.
        parent_start_ns: u64,
        /// Thread-group id of the child.
        child_tgid: u32,
        /// Thread id of the child.
        child_tid: u32,
        /// Thread id of the child in its own pid namespace.
        child_vpid: u32,
        /// Thread-group id of the child's parent.
        parent_tgid: u32,
    }

    /// The two ends of a socket, in the kernel's own words.
    struct Endpoint = "clew_endpoint" {
        /// `AF_*`; 0 where there is no socket.
        family: u16,
        /// `IPPROTO_*`.
        protocol: u16,
        /// Our port, host order.
        local_port: u16,
        /// Their port, host order.
        remote_port: u16,
        /// Our address: four bytes of IPv4 or sixteen of IPv6.
        local: [u8; 16],
        /// Their address.
        remote: [u8; 16],
    }

    /// What a descriptor leads to.
    struct Target = "clew_target" {
        /// `TARGET_*`.
        kind: u16,
        /// Zero.
        reserved: [u16; 3],
        /// Ends of the socket.
        endpoint: Endpoint,
        /// Path or name, by the kind.
        text: TextRef,
    }

    /// A process took a new program, or was there already (`KIND_TASK`).
    struct Exec = "clew_exec" {
        /// Common part.
        header: Header,
        /// Start of the parent, nanoseconds since boot.
        parent_start_ns: u64,
        /// Inode of the executed file.
        exe_inode: u64,
        /// Last change of the inode, nanoseconds since the epoch.
        exe_ctime_ns: u64,
        /// Last change of the content, nanoseconds since the epoch.
        exe_mtime_ns: u64,
        /// Effective capabilities.
        cap_effective: u64,
        /// Permitted capabilities.
        cap_permitted: u64,
        /// Inheritable capabilities.
        cap_inheritable: u64,
        /// Thread-group id of the parent.
        parent_tgid: u32,
        /// Device of the executed file.
        exe_device: u32,
        /// `EXEC_*` flags.
        flags: u32,
        /// Effective user.
        uid: u32,
        /// Effective group.
        gid: u32,
        /// User who logged in.
        login_uid: u32,
        /// Pid in its own pid namespace.
        vpid: u32,
        /// Session leader.
        sid: u32,
        /// Process group leader.
        pgid: u32,
        /// Device number of the controlling terminal.
        tty: u32,
        /// `task->comm`, NUL-padded.
        comm: [u8; 16],
        /// Standard input, output and error.
        stdio: [Target; 3],
        /// Arguments, each ended by a NUL byte.
        argv: TextRef,
        /// Path of the file that runs.
        exe: TextRef,
        /// Path as the caller gave it.
        filename: TextRef,
        /// Working directory.
        cwd: TextRef,
        /// Environment as it lies in memory; user space keeps the allowed names only.
        environment: TextRef,
    }

    /// A process ended.
    struct Exit = "clew_exit" {
        /// Common part.
        header: Header,
        /// As `wait` tells it: status in bits 8-15, signal in bits 0-6.
        code: u32,
        /// Zero.
        reserved: u32,
    }

    /// A cgroup was made or removed.
    struct Cgroup = "clew_cgroup" {
        /// Common part.
        header: Header,
        /// The cgroup's id.
        id: u64,
        /// `CGROUP_*`.
        change: u32,
        /// Zero.
        reserved: u32,
        /// Path below the root of the hierarchy.
        path: TextRef,
    }

    /// A call on a file.
    struct File = "clew_file" {
        /// Common part.
        header: Header,
        /// Inode of the opened file; 0 where none was opened.
        inode: u64,
        /// Its device.
        device: u32,
        /// Flags as given.
        flags: u32,
        /// Permission bits as given.
        mode: u32,
        /// Descriptor given: of the file, or of the directory that the path starts from;
        /// `NO_DESCRIPTOR` where the call takes none.
        descriptor: i32,
        /// The same for the second path.
        other_directory: i32,
        /// Owner as given to a change of owner.
        user: u32,
        /// Group as given to it.
        group: u32,
        /// Zero.
        reserved: u32,
        /// Path of the file that a descriptor leads to: kernel truth.
        path: TextRef,
        /// Path as given.
        given: TextRef,
        /// Directory that a relative path starts from.
        base: TextRef,
        /// Second path, or content of a symbolic link, as given.
        other: TextRef,
    }

    /// A call on a socket.
    struct Socket = "clew_socket" {
        /// Common part.
        header: Header,
        /// Descriptor.
        descriptor: i32,
        /// `SOCK_*`.
        socket_type: u16,
        /// `IPPROTO_*`.
        protocol: u16,
        /// Both ends as the kernel holds them.
        endpoint: Endpoint,
        /// `struct sockaddr` as the caller gave it.
        given: TextRef,
        /// Path of a unix socket; a leading NUL byte marks an abstract one.
        path: TextRef,
        /// First bytes sent or received, where they are wanted.
        payload: TextRef,
    }

    /// A descriptor was put on standard input, output or error.
    struct Descriptor = "clew_descriptor" {
        /// Common part.
        header: Header,
        /// The number that was copied.
        old: i32,
        /// Zero.
        reserved: u32,
        /// What it leads to.
        target: Target,
    }

    /// A call that changes credentials or namespaces.
    struct Privilege = "clew_privilege" {
        /// Common part.
        header: Header,
        /// First argument, or flags.
        argument: u64,
        /// Descriptor given to `setns`; -1 elsewhere.
        descriptor: i32,
        /// Effective user before the call.
        uid_before: u32,
        /// Effective user after it.
        uid_after: u32,
        /// Effective group after it.
        gid_after: u32,
        /// Effective capabilities after it.
        cap_effective: u64,
        /// Permitted capabilities after it.
        cap_permitted: u64,
        /// Inheritable capabilities after it.
        cap_inheritable: u64,
    }

    /// A process asked for a program and did not get it.
    struct ExecFailed = "clew_exec_failed" {
        /// Common part.
        header: Header,
        /// Arguments as given, each ended by a NUL byte.
        argv: TextRef,
        /// Path as given.
        filename: TextRef,
        /// Working directory.
        cwd: TextRef,
    }

    /// A call on the kernel or on another process.
    struct Kernel = "clew_kernel" {
        /// Common part.
        header: Header,
        /// Request, command or flags, by the call.
        argument: u64,
        /// Process it was done to, as given.
        target_pid: u32,
        /// Zero.
        reserved: u32,
        /// Path or name, by the call.
        path: TextRef,
        /// Second path, or type of a file system.
        other: TextRef,
    }

    /// A message to or from a name server, told of who asked.
    struct Dns = "clew_dns" {
        /// Common part; without a process where it is not known.
        header: Header,
        /// Ends of the asker's socket: the other one is the server.
        ends: Endpoint,
        /// What was sent: over TCP with its length before it.
        message: TextRef,
    }

    /// A piece of what went through a connection of an application, in one direction.
    struct Stream = "clew_stream" {
        /// Common part; the actor is the thread that sent or received.
        header: Header,
        /// A number of the socket, unique within a boot; with TLS and without a socket the address
        /// of the library's object.
        connection: u64,
        /// Bytes of this direction that went before this piece, seen or not.
        position: u64,
        /// Bytes that the call moved: the record may hold fewer, and the rest is a gap.
        moved: u32,
        /// `STREAM_*` flags.
        flags: u32,
        /// Both ends of the socket.
        ends: Endpoint,
        /// The first bytes of the piece.
        bytes: TextRef,
    }

    /// The stack of a thread at a moment that is told.
    struct Stack = "clew_stack" {
        /// Common part; the actor is the thread whose stack it is.
        header: Header,
        /// Where the program's arguments lie, which tells its memory from that of another one.
        image: u64,
        /// Instruction pointer in user space.
        ip: u64,
        /// Stack pointer.
        sp: u64,
        /// Base pointer: a frame's, or anything.
        bp: u64,
        /// By `STACK_AT_CALL` the number of the call's record on this CPU; by `STACK_AT_FORK` the
        /// start of the child, nanoseconds since boot.
        of: u64,
        /// `STACK_AT_*`.
        moment: u32,
        /// Thread-group id of the parent, whose memory it may be; by `STACK_AT_FORK` of the child.
        relative_tgid: u32,
        /// What lies above the stack pointer.
        bytes: TextRef,
    }

    /// What user space tells the programs before they run.
    struct Config = "clew_config" {
        /// Thread-group id of the sensor; it learns it when it reads its list of tasks.
        own_tgid: u32,
        /// 1 where the sensor's own system calls are reported too.
        is_own_reported: u32,
        /// Hierarchy whose cgroups name containers, `CGROUP_*`.
        cgroup_hierarchy: u32,
        /// Quiet calls count only where they were marked with this number.
        quiet_generation: u32,
        /// 1 where stacks are told.
        has_stacks: u32,
    }

    /// An open that no rule can match, whoever makes it.
    struct QuietKey = "clew_quiet_key" {
        /// System call number.
        syscall: u32,
        /// Access mode and `O_DIRECTORY` as given.
        flags: u32,
        /// Path of the opened file as components (`TEXT_COMPONENTS`), padded with NUL bytes.
        path: [u64; 15],
    }

    /// A connect that no rule can match, whoever makes it; as long as the key of an open, in whose
    /// table it lies.
    struct QuietConnectKey = "clew_quiet_connect_key" {
        /// System call number.
        syscall: u32,
        /// What the call returned.
        result: i32,
        /// `AF_*`; IPv4 also where the peer is one in the clothes of IPv6.
        family: u16,
        /// `IPPROTO_*` of the socket.
        protocol: u16,
        /// `SOCK_*` of the socket.
        socket_type: u16,
        /// Port of the peer; 0 where it has none, or the connect failed.
        port: u16,
        /// Its address (nothing where the connect failed) or path, padded with NUL bytes.
        peer: [u64; 14],
    }

    /// What is remembered of a quiet call.
    struct QuietMark = "clew_quiet_mark" {
        /// Generation in which it was found quiet, above `QUIET_UNLESS_CLIMBING`.
        generation: u32,
        /// Times that it was kept back since it was marked; it wraps.
        count: u32,
    }

    /// What one CPU counted since the sensor began.
    struct Counts = "clew_counts" {
        /// Next value of `header.sequence`.
        sequence: u64,
        /// Records made, by kind; what was quiet is not among them.
        offered: [u64; KINDS as usize],
        /// Records that found their ring full, by kind.
        dropped: [u64; KINDS as usize],
        /// Calls of which no record was made because no rule can match them, by kind.
        quieted: [u64; KINDS as usize],
        /// Texts whose memory could not be read.
        unread: u64,
    }
}
