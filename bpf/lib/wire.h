/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire: the records that the programs write and user space reads.
 *
 * Generated from crates/clew-wire by `cargo xtask codegen`; do not edit.
 */
#pragma once

/* Version of the wire format; a record of another version is counted and skipped. */
#define WIRE_VERSION 1
/* A process was made. */
#define KIND_FORK 1
/* A process took a new program. */
#define KIND_EXEC 2
/* A process ended. */
#define KIND_EXIT 3
/* A process was there when the sensor began. */
#define KIND_TASK 4
/* A cgroup was made or removed. */
#define KIND_CGROUP 5
/* A call that changes credentials or namespaces. */
#define KIND_PRIVILEGE 6
/* A call on the kernel or on another process. */
#define KIND_KERNEL 7
/* A descriptor was put on standard input, output or error. */
#define KIND_DESCRIPTOR 8
/* A call on a file. */
#define KIND_FILE 9
/* A call on a socket. */
#define KIND_SOCKET 10
/* A system call by the 32-bit entry that is of interest and not decoded: counted only. */
#define KIND_COMPAT 11
/* A process asked for a program and did not get it. */
#define KIND_EXEC_FAILED 12
/* A message to or from a name server. */
#define KIND_DNS 13
/* A piece of what went through a connection of an application. */
#define KIND_STREAM 14
/* The stack of a thread, from which the libraries that it called through are found. */
#define KIND_STACK 15
/* Number of kinds, unused 0 included: the length of each counter array. */
#define KINDS 16
/* The stack is that of the call whose number on this CPU the record has. */
#define STACK_AT_CALL 1
/* The stack is that of a process before it takes a new program. */
#define STACK_AT_EXEC 2
/* The stack is that of a thread that makes a process which begins on a stack of its own. */
#define STACK_AT_FORK 3
/* The piece was sent; else it was received. */
#define STREAM_SENT 1
/* The piece is plain text that a TLS library took or gave. */
#define STREAM_TLS 2
/* The connection ended; the record has no bytes. */
#define STREAM_END 4
/* The process took the connection (it is the server); else it asked for it, or that is not known. */
#define STREAM_ACCEPTED 8
/* In a word of interest, above the classes: the first bytes sent or received are wanted. */
#define INTEREST_PAYLOAD 256
/* A descriptor that no call can be given. */
#define NO_DESCRIPTOR 2147483648
/* The text was longer than its bound and is cut. */
#define TEXT_TRUNCATED 1
/* The memory that holds the text could not be read. */
#define TEXT_UNREAD 2
/* The text is a list of path components from the leaf to the root, each ended by `/`. */
#define TEXT_COMPONENTS 4
/* The executed file lies in the writable layer of an overlay file system. */
#define EXEC_UPPER_LAYER 1
/* The executed file was made by `memfd_create`. */
#define EXEC_MEMFD 2
/* The executed file has no name left. */
#define EXEC_UNLINKED 4
/* The executed file has a setuid or setgid bit. */
#define EXEC_SETUID 8
/* The executed file is writable for whoever runs it. */
#define EXEC_WRITABLE 16
/* The process is a thread of the kernel. */
#define EXEC_KERNEL_THREAD 32
/* A closed descriptor, or one of unknown kind. */
#define TARGET_NONE 0
/* A file, directory or device; the text is its path. */
#define TARGET_FILE 1
/* A pipe or FIFO. */
#define TARGET_PIPE 2
/* A socket of an internet family. */
#define TARGET_INTERNET 3
/* A unix socket; the text is its path. */
#define TARGET_UNIX 4
/* Something else; the text is its name. */
#define TARGET_OTHER 5
/* A cgroup was made. */
#define CGROUP_MADE 1
/* A cgroup was removed. */
#define CGROUP_REMOVED 2
/* Cgroups of version 2 are followed. */
#define CGROUP_VERSION_2 0
/* Cgroups of the version 1 hierarchy of `memory` are followed. */
#define CGROUP_MEMORY 1
/* Cgroups of the version 1 hierarchy of `pids` are followed. */
#define CGROUP_PIDS 2
/* Lowest bit of a mark of a quiet open, whose generation stands above it: it is quiet only where the path given has no `..`. */
#define QUIET_UNLESS_CLIMBING 1
/* Bytes of arguments that one record holds. */
#define ARGV_BYTES_MAX 4096
/* Bytes of environment that one record holds; user space keeps the allowed names only. */
#define ENVIRONMENT_BYTES_MAX 4096
/* Bytes of one path (`PATH_MAX` of `linux/limits.h`). */
#define PATH_BYTES_MAX 4096
/* Components of a path that are resolved; a deeper path is marked as truncated. */
#define PATH_COMPONENTS_MAX 64
/* Bytes of a socket address given by the caller (`sockaddr_un` takes 110). */
#define ADDRESS_BYTES_MAX 128
/* Bytes of a short name: a module's, a memory file's, a file system's type. */
#define NAME_BYTES_MAX 256
/* Where the last text of a record may begin; a text that would begin later is left out and marked as truncated. */
#define TEXT_START_MAX 16383
/* Bytes of payload that one record holds: what Falco takes by default (`snaplen`). */
#define PAYLOAD_BYTES_MAX 80
/* Pieces of a payload (`struct iovec`) that are put together. */
#define PAYLOAD_PIECES_MAX 8
/* Arguments of a program that was not put in place; later ones are left out and marked. */
#define FAILED_ARGUMENTS_MAX 32
/* Bytes of a message to or from a name server: what resolvers offer over UDP. */
#define DNS_BYTES_MAX 1232
/* Such messages that one CPU tells of in a second. */
#define DNS_PER_SECOND_MAX 2000
/* Bytes of one call on a connection of an application that one record holds. */
#define STREAM_BYTES_MAX 16384
/* Records that one call on such a connection makes at most; the rest is a gap. */
#define STREAM_RECORDS_MAX 8
/* Bytes of one direction that are copied before the other one has its turn: the head of a message and the beginning of its body. What follows is told by its length. */
#define STREAM_RUN_BYTES_MAX 65536
/* Bytes of such connections that are copied of the processes of one cgroup in a second. */
#define STREAM_WORKLOAD_BYTES_PER_SECOND_MAX 67108864
/* Bytes of such connections that one CPU copies in a second. */
#define STREAM_CPU_BYTES_PER_SECOND_MAX 134217728
/* Bytes of a stack that one record holds: what lies above the stack pointer, to the end of its page and three pages more. */
#define STACK_BYTES_MAX 16384
/* Stacks that one CPU copies in a second. */
#define STACKS_PER_SECOND_MAX 200
/* Bytes of the last part of a path whose opens are told with their stack, a NUL included. */
#define STACK_NAME_BYTES_MAX 64
/* Such names. */
#define STACK_NAMES_MAX 64
/* System call numbers that a program may be attached to. */
#define SYSCALLS_MAX 512
/* Calls within the 32-bit `socketcall`; a power of two. */
#define SOCKETCALLS_MAX 32

/* Where in the record a text lies, and what had to be left out of it. */
struct clew_text {
	/* First byte, counted from the start of the record. */
	__u16 offset;
	/* Bytes; no NUL byte ends them. */
	__u16 size;
	/* `TEXT_*` flags. */
	__u16 flags;
	/* Zero. */
	__u16 reserved;
};
_Static_assert(sizeof(struct clew_text) == 8, "clew_text");
_Static_assert(__builtin_offsetof(struct clew_text, offset) == 0, "offset");
_Static_assert(__builtin_offsetof(struct clew_text, size) == 2, "size");
_Static_assert(__builtin_offsetof(struct clew_text, flags) == 4, "flags");
_Static_assert(__builtin_offsetof(struct clew_text, reserved) == 6, "reserved");

/* What every record begins with. */
struct clew_header {
	/* `KIND_*`. */
	__u16 kind;
	/* `WIRE_VERSION`. */
	__u16 version;
	/* Bytes of the whole record. */
	__u32 size;
	/* Nanoseconds since boot, time in suspend included. */
	__u64 time_ns;
	/* Counts the records this CPU offered: a hole is one that was lost or kept back. */
	__u64 sequence;
	/* CPU it happened on. */
	__u32 cpu;
	/* System call number; `u32::MAX` where there was none. */
	__u32 syscall;
	/* Thread-group id in the initial pid namespace. */
	__u32 tgid;
	/* Thread id in the initial pid namespace. */
	__u32 tid;
	/* Start of the thread-group leader, nanoseconds since boot. */
	__u64 start_ns;
	/* Id of the cgroup. */
	__u64 cgroup;
	/* What the system call returned. */
	__s64 result;
};
_Static_assert(sizeof(struct clew_header) == 64, "clew_header");
_Static_assert(__builtin_offsetof(struct clew_header, kind) == 0, "kind");
_Static_assert(__builtin_offsetof(struct clew_header, version) == 2, "version");
_Static_assert(__builtin_offsetof(struct clew_header, size) == 4, "size");
_Static_assert(__builtin_offsetof(struct clew_header, time_ns) == 8, "time_ns");
_Static_assert(__builtin_offsetof(struct clew_header, sequence) == 16, "sequence");
_Static_assert(__builtin_offsetof(struct clew_header, cpu) == 24, "cpu");
_Static_assert(__builtin_offsetof(struct clew_header, syscall) == 28, "syscall");
_Static_assert(__builtin_offsetof(struct clew_header, tgid) == 32, "tgid");
_Static_assert(__builtin_offsetof(struct clew_header, tid) == 36, "tid");
_Static_assert(__builtin_offsetof(struct clew_header, start_ns) == 40, "start_ns");
_Static_assert(__builtin_offsetof(struct clew_header, cgroup) == 48, "cgroup");
_Static_assert(__builtin_offsetof(struct clew_header, result) == 56, "result");

/* A process was made. */
struct clew_fork {
	/* Common part; the actor is the one who called. */
	struct clew_header header;
	/* Start of the child, nanoseconds since boot. */
	__u64 child_start_ns;
	/* Start of the child's parent. */
	__u64 parent_start_ns;
	/* Thread-group id of the child. */
	__u32 child_tgid;
	/* Thread id of the child. */
	__u32 child_tid;
	/* Thread id of the child in its own pid namespace. */
	__u32 child_vpid;
	/* Thread-group id of the child's parent. */
	__u32 parent_tgid;
};
_Static_assert(sizeof(struct clew_fork) == 96, "clew_fork");
_Static_assert(__builtin_offsetof(struct clew_fork, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_fork, child_start_ns) == 64, "child_start_ns");
_Static_assert(__builtin_offsetof(struct clew_fork, parent_start_ns) == 72, "parent_start_ns");
_Static_assert(__builtin_offsetof(struct clew_fork, child_tgid) == 80, "child_tgid");
_Static_assert(__builtin_offsetof(struct clew_fork, child_tid) == 84, "child_tid");
_Static_assert(__builtin_offsetof(struct clew_fork, child_vpid) == 88, "child_vpid");
_Static_assert(__builtin_offsetof(struct clew_fork, parent_tgid) == 92, "parent_tgid");

/* The two ends of a socket, in the kernel's own words. */
struct clew_endpoint {
	/* `AF_*`; 0 where there is no socket. */
	__u16 family;
	/* `IPPROTO_*`. */
	__u16 protocol;
	/* Our port, host order. */
	__u16 local_port;
	/* Their port, host order. */
	__u16 remote_port;
	/* Our address: four bytes of IPv4 or sixteen of IPv6. */
	__u8 local[16];
	/* Their address. */
	__u8 remote[16];
};
_Static_assert(sizeof(struct clew_endpoint) == 40, "clew_endpoint");
_Static_assert(__builtin_offsetof(struct clew_endpoint, family) == 0, "family");
_Static_assert(__builtin_offsetof(struct clew_endpoint, protocol) == 2, "protocol");
_Static_assert(__builtin_offsetof(struct clew_endpoint, local_port) == 4, "local_port");
_Static_assert(__builtin_offsetof(struct clew_endpoint, remote_port) == 6, "remote_port");
_Static_assert(__builtin_offsetof(struct clew_endpoint, local) == 8, "local");
_Static_assert(__builtin_offsetof(struct clew_endpoint, remote) == 24, "remote");

/* What a descriptor leads to. */
struct clew_target {
	/* `TARGET_*`. */
	__u16 kind;
	/* Zero. */
	__u16 reserved[3];
	/* Ends of the socket. */
	struct clew_endpoint endpoint;
	/* Path or name, by the kind. */
	struct clew_text text;
};
_Static_assert(sizeof(struct clew_target) == 56, "clew_target");
_Static_assert(__builtin_offsetof(struct clew_target, kind) == 0, "kind");
_Static_assert(__builtin_offsetof(struct clew_target, reserved) == 2, "reserved");
_Static_assert(__builtin_offsetof(struct clew_target, endpoint) == 8, "endpoint");
_Static_assert(__builtin_offsetof(struct clew_target, text) == 48, "text");

/* A process took a new program, or was there already (`KIND_TASK`). */
struct clew_exec {
	/* Common part. */
	struct clew_header header;
	/* Start of the parent, nanoseconds since boot. */
	__u64 parent_start_ns;
	/* Inode of the executed file. */
	__u64 exe_inode;
	/* Last change of the inode, nanoseconds since the epoch. */
	__u64 exe_ctime_ns;
	/* Last change of the content, nanoseconds since the epoch. */
	__u64 exe_mtime_ns;
	/* Effective capabilities. */
	__u64 cap_effective;
	/* Permitted capabilities. */
	__u64 cap_permitted;
	/* Inheritable capabilities. */
	__u64 cap_inheritable;
	/* Thread-group id of the parent. */
	__u32 parent_tgid;
	/* Device of the executed file. */
	__u32 exe_device;
	/* `EXEC_*` flags. */
	__u32 flags;
	/* Effective user. */
	__u32 uid;
	/* Effective group. */
	__u32 gid;
	/* User who logged in. */
	__u32 login_uid;
	/* Pid in its own pid namespace. */
	__u32 vpid;
	/* Session leader. */
	__u32 sid;
	/* Process group leader. */
	__u32 pgid;
	/* Device number of the controlling terminal. */
	__u32 tty;
	/* `task->comm`, NUL-padded. */
	__u8 comm[16];
	/* Standard input, output and error. */
	struct clew_target stdio[3];
	/* Arguments, each ended by a NUL byte. */
	struct clew_text argv;
	/* Path of the file that runs. */
	struct clew_text exe;
	/* Path as the caller gave it. */
	struct clew_text filename;
	/* Working directory. */
	struct clew_text cwd;
	/* Environment as it lies in memory; user space keeps the allowed names only. */
	struct clew_text environment;
};
_Static_assert(sizeof(struct clew_exec) == 384, "clew_exec");
_Static_assert(__builtin_offsetof(struct clew_exec, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_exec, parent_start_ns) == 64, "parent_start_ns");
_Static_assert(__builtin_offsetof(struct clew_exec, exe_inode) == 72, "exe_inode");
_Static_assert(__builtin_offsetof(struct clew_exec, exe_ctime_ns) == 80, "exe_ctime_ns");
_Static_assert(__builtin_offsetof(struct clew_exec, exe_mtime_ns) == 88, "exe_mtime_ns");
_Static_assert(__builtin_offsetof(struct clew_exec, cap_effective) == 96, "cap_effective");
_Static_assert(__builtin_offsetof(struct clew_exec, cap_permitted) == 104, "cap_permitted");
_Static_assert(__builtin_offsetof(struct clew_exec, cap_inheritable) == 112, "cap_inheritable");
_Static_assert(__builtin_offsetof(struct clew_exec, parent_tgid) == 120, "parent_tgid");
_Static_assert(__builtin_offsetof(struct clew_exec, exe_device) == 124, "exe_device");
_Static_assert(__builtin_offsetof(struct clew_exec, flags) == 128, "flags");
_Static_assert(__builtin_offsetof(struct clew_exec, uid) == 132, "uid");
_Static_assert(__builtin_offsetof(struct clew_exec, gid) == 136, "gid");
_Static_assert(__builtin_offsetof(struct clew_exec, login_uid) == 140, "login_uid");
_Static_assert(__builtin_offsetof(struct clew_exec, vpid) == 144, "vpid");
_Static_assert(__builtin_offsetof(struct clew_exec, sid) == 148, "sid");
_Static_assert(__builtin_offsetof(struct clew_exec, pgid) == 152, "pgid");
_Static_assert(__builtin_offsetof(struct clew_exec, tty) == 156, "tty");
_Static_assert(__builtin_offsetof(struct clew_exec, comm) == 160, "comm");
_Static_assert(__builtin_offsetof(struct clew_exec, stdio) == 176, "stdio");
_Static_assert(__builtin_offsetof(struct clew_exec, argv) == 344, "argv");
_Static_assert(__builtin_offsetof(struct clew_exec, exe) == 352, "exe");
_Static_assert(__builtin_offsetof(struct clew_exec, filename) == 360, "filename");
_Static_assert(__builtin_offsetof(struct clew_exec, cwd) == 368, "cwd");
_Static_assert(__builtin_offsetof(struct clew_exec, environment) == 376, "environment");

/* A process ended. */
struct clew_exit {
	/* Common part. */
	struct clew_header header;
	/* As `wait` tells it: status in bits 8-15, signal in bits 0-6. */
	__u32 code;
	/* Zero. */
	__u32 reserved;
};
_Static_assert(sizeof(struct clew_exit) == 72, "clew_exit");
_Static_assert(__builtin_offsetof(struct clew_exit, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_exit, code) == 64, "code");
_Static_assert(__builtin_offsetof(struct clew_exit, reserved) == 68, "reserved");

/* A cgroup was made or removed. */
struct clew_cgroup {
	/* Common part. */
	struct clew_header header;
	/* The cgroup's id. */
	__u64 id;
	/* `CGROUP_*`. */
	__u32 change;
	/* Zero. */
	__u32 reserved;
	/* Path below the root of the hierarchy. */
	struct clew_text path;
};
_Static_assert(sizeof(struct clew_cgroup) == 88, "clew_cgroup");
_Static_assert(__builtin_offsetof(struct clew_cgroup, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_cgroup, id) == 64, "id");
_Static_assert(__builtin_offsetof(struct clew_cgroup, change) == 72, "change");
_Static_assert(__builtin_offsetof(struct clew_cgroup, reserved) == 76, "reserved");
_Static_assert(__builtin_offsetof(struct clew_cgroup, path) == 80, "path");

/* A call on a file. */
struct clew_file {
	/* Common part. */
	struct clew_header header;
	/* Inode of the opened file; 0 where none was opened. */
	__u64 inode;
	/* Its device. */
	__u32 device;
	/* Flags as given. */
	__u32 flags;
	/* Permission bits as given. */
	__u32 mode;
	/* Descriptor given: of the file, or of the directory that the path starts from; `NO_DESCRIPTOR` where the call takes none. */
	__s32 descriptor;
	/* The same for the second path. */
	__s32 other_directory;
	/* Owner as given to a change of owner. */
	__u32 user;
	/* Group as given to it. */
	__u32 group;
	/* Zero. */
	__u32 reserved;
	/* Path of the file that a descriptor leads to: kernel truth. */
	struct clew_text path;
	/* Path as given. */
	struct clew_text given;
	/* Directory that a relative path starts from. */
	struct clew_text base;
	/* Second path, or content of a symbolic link, as given. */
	struct clew_text other;
};
_Static_assert(sizeof(struct clew_file) == 136, "clew_file");
_Static_assert(__builtin_offsetof(struct clew_file, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_file, inode) == 64, "inode");
_Static_assert(__builtin_offsetof(struct clew_file, device) == 72, "device");
_Static_assert(__builtin_offsetof(struct clew_file, flags) == 76, "flags");
_Static_assert(__builtin_offsetof(struct clew_file, mode) == 80, "mode");
_Static_assert(__builtin_offsetof(struct clew_file, descriptor) == 84, "descriptor");
_Static_assert(__builtin_offsetof(struct clew_file, other_directory) == 88, "other_directory");
_Static_assert(__builtin_offsetof(struct clew_file, user) == 92, "user");
_Static_assert(__builtin_offsetof(struct clew_file, group) == 96, "group");
_Static_assert(__builtin_offsetof(struct clew_file, reserved) == 100, "reserved");
_Static_assert(__builtin_offsetof(struct clew_file, path) == 104, "path");
_Static_assert(__builtin_offsetof(struct clew_file, given) == 112, "given");
_Static_assert(__builtin_offsetof(struct clew_file, base) == 120, "base");
_Static_assert(__builtin_offsetof(struct clew_file, other) == 128, "other");

/* A call on a socket. */
struct clew_socket {
	/* Common part. */
	struct clew_header header;
	/* Descriptor. */
	__s32 descriptor;
	/* `SOCK_*`. */
	__u16 socket_type;
	/* `IPPROTO_*`. */
	__u16 protocol;
	/* Both ends as the kernel holds them. */
	struct clew_endpoint endpoint;
	/* `struct sockaddr` as the caller gave it. */
	struct clew_text given;
	/* Path of a unix socket; a leading NUL byte marks an abstract one. */
	struct clew_text path;
	/* First bytes sent or received, where they are wanted. */
	struct clew_text payload;
};
_Static_assert(sizeof(struct clew_socket) == 136, "clew_socket");
_Static_assert(__builtin_offsetof(struct clew_socket, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_socket, descriptor) == 64, "descriptor");
_Static_assert(__builtin_offsetof(struct clew_socket, socket_type) == 68, "socket_type");
_Static_assert(__builtin_offsetof(struct clew_socket, protocol) == 70, "protocol");
_Static_assert(__builtin_offsetof(struct clew_socket, endpoint) == 72, "endpoint");
_Static_assert(__builtin_offsetof(struct clew_socket, given) == 112, "given");
_Static_assert(__builtin_offsetof(struct clew_socket, path) == 120, "path");
_Static_assert(__builtin_offsetof(struct clew_socket, payload) == 128, "payload");

/* A descriptor was put on standard input, output or error. */
struct clew_descriptor {
	/* Common part. */
	struct clew_header header;
	/* The number that was copied. */
	__s32 old;
	/* Zero. */
	__u32 reserved;
	/* What it leads to. */
	struct clew_target target;
};
_Static_assert(sizeof(struct clew_descriptor) == 128, "clew_descriptor");
_Static_assert(__builtin_offsetof(struct clew_descriptor, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_descriptor, old) == 64, "old");
_Static_assert(__builtin_offsetof(struct clew_descriptor, reserved) == 68, "reserved");
_Static_assert(__builtin_offsetof(struct clew_descriptor, target) == 72, "target");

/* A call that changes credentials or namespaces. */
struct clew_privilege {
	/* Common part. */
	struct clew_header header;
	/* First argument, or flags. */
	__u64 argument;
	/* Descriptor given to `setns`; -1 elsewhere. */
	__s32 descriptor;
	/* Effective user before the call. */
	__u32 uid_before;
	/* Effective user after it. */
	__u32 uid_after;
	/* Effective group after it. */
	__u32 gid_after;
	/* Effective capabilities after it. */
	__u64 cap_effective;
	/* Permitted capabilities after it. */
	__u64 cap_permitted;
	/* Inheritable capabilities after it. */
	__u64 cap_inheritable;
};
_Static_assert(sizeof(struct clew_privilege) == 112, "clew_privilege");
_Static_assert(__builtin_offsetof(struct clew_privilege, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_privilege, argument) == 64, "argument");
_Static_assert(__builtin_offsetof(struct clew_privilege, descriptor) == 72, "descriptor");
_Static_assert(__builtin_offsetof(struct clew_privilege, uid_before) == 76, "uid_before");
_Static_assert(__builtin_offsetof(struct clew_privilege, uid_after) == 80, "uid_after");
_Static_assert(__builtin_offsetof(struct clew_privilege, gid_after) == 84, "gid_after");
_Static_assert(__builtin_offsetof(struct clew_privilege, cap_effective) == 88, "cap_effective");
_Static_assert(__builtin_offsetof(struct clew_privilege, cap_permitted) == 96, "cap_permitted");
_Static_assert(__builtin_offsetof(struct clew_privilege, cap_inheritable) == 104, "cap_inheritable");

/* A process asked for a program and did not get it. */
struct clew_exec_failed {
	/* Common part. */
	struct clew_header header;
	/* Arguments as given, each ended by a NUL byte. */
	struct clew_text argv;
	/* Path as given. */
	struct clew_text filename;
	/* Working directory. */
	struct clew_text cwd;
};
_Static_assert(sizeof(struct clew_exec_failed) == 88, "clew_exec_failed");
_Static_assert(__builtin_offsetof(struct clew_exec_failed, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_exec_failed, argv) == 64, "argv");
_Static_assert(__builtin_offsetof(struct clew_exec_failed, filename) == 72, "filename");
_Static_assert(__builtin_offsetof(struct clew_exec_failed, cwd) == 80, "cwd");

/* A call on the kernel or on another process. */
struct clew_kernel {
	/* Common part. */
	struct clew_header header;
	/* Request, command or flags, by the call. */
	__u64 argument;
	/* Process it was done to, as given. */
	__u32 target_pid;
	/* Zero. */
	__u32 reserved;
	/* Path or name, by the call. */
	struct clew_text path;
	/* Second path, or type of a file system. */
	struct clew_text other;
};
_Static_assert(sizeof(struct clew_kernel) == 96, "clew_kernel");
_Static_assert(__builtin_offsetof(struct clew_kernel, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_kernel, argument) == 64, "argument");
_Static_assert(__builtin_offsetof(struct clew_kernel, target_pid) == 72, "target_pid");
_Static_assert(__builtin_offsetof(struct clew_kernel, reserved) == 76, "reserved");
_Static_assert(__builtin_offsetof(struct clew_kernel, path) == 80, "path");
_Static_assert(__builtin_offsetof(struct clew_kernel, other) == 88, "other");

/* A message to or from a name server, told of who asked. */
struct clew_dns {
	/* Common part; without a process where it is not known. */
	struct clew_header header;
	/* Ends of the asker's socket: the other one is the server. */
	struct clew_endpoint ends;
	/* What was sent: over TCP with its length before it. */
	struct clew_text message;
};
_Static_assert(sizeof(struct clew_dns) == 112, "clew_dns");
_Static_assert(__builtin_offsetof(struct clew_dns, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_dns, ends) == 64, "ends");
_Static_assert(__builtin_offsetof(struct clew_dns, message) == 104, "message");

/* A piece of what went through a connection of an application, in one direction. */
struct clew_stream {
	/* Common part; the actor is the thread that sent or received. */
	struct clew_header header;
	/* A number of the socket, unique within a boot; with TLS and without a socket the address of the library's object. */
	__u64 connection;
	/* Bytes of this direction that went before this piece, seen or not. */
	__u64 position;
	/* Bytes that the call moved: the record may hold fewer, and the rest is a gap. */
	__u32 moved;
	/* `STREAM_*` flags. */
	__u32 flags;
	/* Both ends of the socket. */
	struct clew_endpoint ends;
	/* The first bytes of the piece. */
	struct clew_text bytes;
};
_Static_assert(sizeof(struct clew_stream) == 136, "clew_stream");
_Static_assert(__builtin_offsetof(struct clew_stream, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_stream, connection) == 64, "connection");
_Static_assert(__builtin_offsetof(struct clew_stream, position) == 72, "position");
_Static_assert(__builtin_offsetof(struct clew_stream, moved) == 80, "moved");
_Static_assert(__builtin_offsetof(struct clew_stream, flags) == 84, "flags");
_Static_assert(__builtin_offsetof(struct clew_stream, ends) == 88, "ends");
_Static_assert(__builtin_offsetof(struct clew_stream, bytes) == 128, "bytes");

/* The stack of a thread at a moment that is told. */
struct clew_stack {
	/* Common part; the actor is the thread whose stack it is. */
	struct clew_header header;
	/* Where the program's arguments lie, which tells its memory from that of another one. */
	__u64 image;
	/* Instruction pointer in user space. */
	__u64 ip;
	/* Stack pointer. */
	__u64 sp;
	/* Base pointer: a frame's, or anything. */
	__u64 bp;
	/* By `STACK_AT_CALL` the number of the call's record on this CPU; by `STACK_AT_FORK` the start of the child, nanoseconds since boot. */
	__u64 of;
	/* `STACK_AT_*`. */
	__u32 moment;
	/* Thread-group id of the parent, whose memory it may be; by `STACK_AT_FORK` of the child. */
	__u32 relative_tgid;
	/* What lies above the stack pointer. */
	struct clew_text bytes;
};
_Static_assert(sizeof(struct clew_stack) == 120, "clew_stack");
_Static_assert(__builtin_offsetof(struct clew_stack, header) == 0, "header");
_Static_assert(__builtin_offsetof(struct clew_stack, image) == 64, "image");
_Static_assert(__builtin_offsetof(struct clew_stack, ip) == 72, "ip");
_Static_assert(__builtin_offsetof(struct clew_stack, sp) == 80, "sp");
_Static_assert(__builtin_offsetof(struct clew_stack, bp) == 88, "bp");
_Static_assert(__builtin_offsetof(struct clew_stack, of) == 96, "of");
_Static_assert(__builtin_offsetof(struct clew_stack, moment) == 104, "moment");
_Static_assert(__builtin_offsetof(struct clew_stack, relative_tgid) == 108, "relative_tgid");
_Static_assert(__builtin_offsetof(struct clew_stack, bytes) == 112, "bytes");

/* What user space tells the programs before they run. */
struct clew_config {
	/* Thread-group id of the sensor; it learns it when it reads its list of tasks. */
	__u32 own_tgid;
	/* 1 where the sensor's own system calls are reported too. */
	__u32 is_own_reported;
	/* Hierarchy whose cgroups name containers, `CGROUP_*`. */
	__u32 cgroup_hierarchy;
	/* Quiet calls count only where they were marked with this number. */
	__u32 quiet_generation;
	/* 1 where stacks are told. */
	__u32 has_stacks;
};
_Static_assert(sizeof(struct clew_config) == 20, "clew_config");
_Static_assert(__builtin_offsetof(struct clew_config, own_tgid) == 0, "own_tgid");
_Static_assert(__builtin_offsetof(struct clew_config, is_own_reported) == 4, "is_own_reported");
_Static_assert(__builtin_offsetof(struct clew_config, cgroup_hierarchy) == 8, "cgroup_hierarchy");
_Static_assert(__builtin_offsetof(struct clew_config, quiet_generation) == 12, "quiet_generation");
_Static_assert(__builtin_offsetof(struct clew_config, has_stacks) == 16, "has_stacks");

/* An open that no rule can match, whoever makes it. */
struct clew_quiet_key {
	/* System call number. */
	__u32 syscall;
	/* Access mode and `O_DIRECTORY` as given. */
	__u32 flags;
	/* Path of the opened file as components (`TEXT_COMPONENTS`), padded with NUL bytes. */
	__u64 path[15];
};
_Static_assert(sizeof(struct clew_quiet_key) == 128, "clew_quiet_key");
_Static_assert(__builtin_offsetof(struct clew_quiet_key, syscall) == 0, "syscall");
_Static_assert(__builtin_offsetof(struct clew_quiet_key, flags) == 4, "flags");
_Static_assert(__builtin_offsetof(struct clew_quiet_key, path) == 8, "path");

/* A connect that no rule can match, whoever makes it; as long as the key of an open, in whose table it lies. */
struct clew_quiet_connect_key {
	/* System call number. */
	__u32 syscall;
	/* What the call returned. */
	__s32 result;
	/* `AF_*`; IPv4 also where the peer is one in the clothes of IPv6. */
	__u16 family;
	/* `IPPROTO_*` of the socket. */
	__u16 protocol;
	/* `SOCK_*` of the socket. */
	__u16 socket_type;
	/* Port of the peer; 0 where it has none, or the connect failed. */
	__u16 port;
	/* Its address (nothing where the connect failed) or path, padded with NUL bytes. */
	__u64 peer[14];
};
_Static_assert(sizeof(struct clew_quiet_connect_key) == 128, "clew_quiet_connect_key");
_Static_assert(__builtin_offsetof(struct clew_quiet_connect_key, syscall) == 0, "syscall");
_Static_assert(__builtin_offsetof(struct clew_quiet_connect_key, result) == 4, "result");
_Static_assert(__builtin_offsetof(struct clew_quiet_connect_key, family) == 8, "family");
_Static_assert(__builtin_offsetof(struct clew_quiet_connect_key, protocol) == 10, "protocol");
_Static_assert(__builtin_offsetof(struct clew_quiet_connect_key, socket_type) == 12, "socket_type");
_Static_assert(__builtin_offsetof(struct clew_quiet_connect_key, port) == 14, "port");
_Static_assert(__builtin_offsetof(struct clew_quiet_connect_key, peer) == 16, "peer");

/* What is remembered of a quiet call. */
struct clew_quiet_mark {
	/* Generation in which it was found quiet, above `QUIET_UNLESS_CLIMBING`. */
	__u32 generation;
	/* Times that it was kept back since it was marked; it wraps. */
	__u32 count;
};
_Static_assert(sizeof(struct clew_quiet_mark) == 8, "clew_quiet_mark");
_Static_assert(__builtin_offsetof(struct clew_quiet_mark, generation) == 0, "generation");
_Static_assert(__builtin_offsetof(struct clew_quiet_mark, count) == 4, "count");

/* What one CPU counted since the sensor began. */
struct clew_counts {
	/* Next value of `header.sequence`. */
	__u64 sequence;
	/* Records made, by kind; what was quiet is not among them. */
	__u64 offered[16];
	/* Records that found their ring full, by kind. */
	__u64 dropped[16];
	/* Calls of which no record was made because no rule can match them, by kind. */
	__u64 quieted[16];
	/* Texts whose memory could not be read. */
	__u64 unread;
};
_Static_assert(sizeof(struct clew_counts) == 400, "clew_counts");
_Static_assert(__builtin_offsetof(struct clew_counts, sequence) == 0, "sequence");
_Static_assert(__builtin_offsetof(struct clew_counts, offered) == 8, "offered");
_Static_assert(__builtin_offsetof(struct clew_counts, dropped) == 136, "dropped");
_Static_assert(__builtin_offsetof(struct clew_counts, quieted) == 264, "quieted");
_Static_assert(__builtin_offsetof(struct clew_counts, unread) == 392, "unread");
