/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * tls: who uses TLS through which object, on which socket, and what went through it.
 *
 * All maps of sessions and threads forget what was not used for the longest when they are full: a
 * session then begins anew in its middle, which its reader takes for a gap.
 */
#pragma once

#include "lib/beginning.h"
#include "lib/stream.h"

#ifndef __TARGET_ARCH_x86
#error "registers and numbers of system calls are those of x86-64"
#endif

/* A plain hash; the others of the enum are in vmlinux.h. */
#define BPF_MAP_TYPE_HASH_ 1

#define TS_COMPAT 0x0002
#define EAGAIN 11
#define PROT_EXEC 4

enum {
	NR_READ = 0,
	NR_WRITE = 1,
	NR_MMAP = 9,
	NR_READV = 19,
	NR_WRITEV = 20,
	NR_SENDTO = 44,
	NR_RECVFROM = 45,
	NR_SENDMSG = 46,
	NR_RECVMSG = 47,
};
#define TLS_RECEIVES                                                                               \
	(1ull << NR_READ | 1ull << NR_READV | 1ull << NR_RECVFROM | 1ull << NR_RECVMSG)
#define TLS_SENDS (1ull << NR_WRITE | 1ull << NR_WRITEV | 1ull << NR_SENDTO | 1ull << NR_SENDMSG)
#define TLS_CALLS (TLS_RECEIVES | TLS_SENDS | 1ull << NR_MMAP)

/* A record of TLS (RFC 8446, 5.1): type, version 3.x, length; then the type of a handshake. */
#define TLS_START_BYTES 6
#define TLS_TYPE_MIN 0x14
#define TLS_HANDSHAKE 0x16
#define TLS_TYPE_MAX 0x17
#define TLS_CLIENT_HELLO 1
#define TLS_SERVER_HELLO 2

/* Where `crypto/tls.Conn` has whether it is a client: behind its connection, an interface. */
#define GO_IS_CLIENT 16
/* Second word of an interface: the value. */
#define GO_INTERFACE_VALUE 8
/* `Sysfd` in `net.netFD`, behind the lock of `internal/poll.FD`. */
#define GO_DESCRIPTOR 16

enum tls_role {
	TLS_UNKNOWN,
	TLS_CLIENT,
	TLS_SERVER,
};

/* What a piece of news tells; the thread-group id stands below it. `tls/news.rs` reads them. */
enum tls_news {
	TLS_EXECUTED = 1,
	TLS_MAPPED = 2,
	TLS_FORKED = 3,
	TLS_ENDED = 4,
};

/* An object of a library. Go's are known by goroutine, the others by thread. */
struct tls_key {
	u64 object;
	u32 tgid, reserved;
};

/* Who is inside a read. */
struct tls_caller {
	u64 id;
	u32 tgid, reserved;
};

/* A socket, by what no other one has at the same time and, where its memory is used again, after. */
struct tls_socket {
	/* 0 where none is known. */
	u64 address;
	u32 inode;
	/* `enum tls_role`, where its handshake was seen. */
	u32 role;
	struct clew_endpoint ends;
};

struct tls_session {
	/* Told as the connection's. */
	u64 id;
	struct tls_socket socket;
	/* Bytes that went before: received, sent. */
	u64 positions[2];
	/* Size of the last write; it is given again where the socket took not all of it. */
	u32 refused_size, is_refused;
	/* `STREAM_*` flags of its pieces. */
	u32 flags;
	/* `enum verdict` of what the client sends. */
	u32 verdict;
	struct beginning beginning;
	/* The direction of the last piece, and how many bytes went in it since the other one. */
	u32 is_sending, run_bytes;
	/* A request was read and nothing answered yet. */
	u32 is_serving, reserved;
};

struct tls_read {
	u64 object, buffer, size_at;
	/* A socket was read meanwhile: it is the object's. */
	u32 has_socket, reserved;
};

struct tls_thread {
	/* The one on which a TLS record was seen last. */
	struct tls_socket socket;
	/* The write begun last: its object, and where on the stack its return address lies. */
	u64 object, stack, caller;
};

/* Object → its session; written by the programs of the libraries, deleted when it is given back. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tls_key);
	__type(value, struct tls_session);
} tls_sessions SEC(".maps");

/* Thread or goroutine → the read it is inside of; written at entry, deleted at return. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tls_caller);
	__type(value, struct tls_read);
} tls_reads SEC(".maps");

/* Thread → the socket it spoke TLS on last; written when a system call returns; never deleted. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u32);
	__type(value, struct tls_thread);
} tls_threads SEC(".maps");

/* A handshake that was seen. */
struct tls_hello {
	u32 inode, role;
};

/* Address of a socket → who said hello on it; written with the first handshake record sent. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct tls_hello);
} tls_hellos SEC(".maps");

/* Thread-group id of a selected process → 1; written by user space and at fork, deleted at exit;
 * when full further processes are not watched, and user space counts them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_);
	__uint(max_entries, 8192);
	__type(key, u32);
	__type(value, u8);
} tls_watched SEC(".maps");

/* News for user space, 8 bytes each; full: counted in `tls_missed`. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} tls_news SEC(".maps");

/* 0 → pieces of news that found the ring full; read by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} tls_missed SEC(".maps");

static __always_inline void tell_news(u64 what, u32 tgid)
{
	u64 news = what << 32 | tgid;
	u32 zero = 0;
	if (!bpf_ringbuf_output(&tls_news, &news, sizeof(news), 0))
		return;
	u64 *missed = bpf_map_lookup_elem(&tls_missed, &zero);
	if (missed)
		__sync_fetch_and_add(missed, 1);
}

static __always_inline bool is_watched(void)
{
	u32 tgid = bpf_get_current_task_btf()->tgid;
	return bpf_map_lookup_elem(&tls_watched, &tgid);
}

static __always_inline struct tls_caller caller_thread(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tls_caller caller = { .id = task->pid, .tgid = task->tgid };
	return caller;
}

static __always_inline bool is_tls_record(const u8 *start)
{
	return start[0] >= TLS_TYPE_MIN && start[0] <= TLS_TYPE_MAX && start[1] == 3 &&
	       start[2] <= 4;
}

/* The socket behind descriptor `number`; false where there is none. */
static __always_inline bool find_socket(struct tls_socket *socket, u32 number)
{
	struct file *file = file_of(bpf_get_current_task_btf(), number);
	struct sock *sk = sock_of(file);
	if (!sk)
		return false;
	u64 address = (u64)sk;
	struct inode *inode = FIELD(file, file, f_inode);
	socket->address = address;
	socket->inode = FIELD(inode, inode, i_ino);
	socket->role = TLS_UNKNOWN;
	put_stream_ends(&socket->ends, sk);
	struct tls_hello *hello = bpf_map_lookup_elem(&tls_hellos, &address);
	if (hello && hello->inode == socket->inode)
		socket->role = hello->role;
	return true;
}

static __always_inline bool is_same_socket(struct tls_socket *one, struct tls_socket *other)
{
	return one->address == other->address && one->inode == other->inode;
}

static __always_inline void note_hello(struct tls_socket *socket, u32 role)
{
	u64 address = socket->address;
	struct tls_hello hello = { .inode = socket->inode, .role = role };
	socket->role = role;
	bpf_map_update_elem(&tls_hellos, &address, &hello, BPF_ANY);
}

/* Notes that the current thread speaks TLS on descriptor `number`; 0 where that is no socket. */
static __always_inline struct tls_thread *note_thread(u32 number)
{
	u32 tid = bpf_get_current_task_btf()->pid;
	struct tls_thread *thread = bpf_map_lookup_elem(&tls_threads, &tid);
	if (!thread) {
		struct tls_thread none = {};
		bpf_map_update_elem(&tls_threads, &tid, &none, BPF_ANY);
		thread = bpf_map_lookup_elem(&tls_threads, &tid);
	}
	return thread && find_socket(&thread->socket, number) ? thread : 0;
}

/* Where the bytes of a call that sends or receives begin. */
static __always_inline const void *first_bytes(struct pt_regs *regs, u32 number)
{
	u64 at = regs->si, pieces = at;
	if (number == NR_SENDMSG || number == NR_RECVMSG)
		/* `msg_iov` of `struct user_msghdr`. */
		bpf_probe_read_user(&pieces, sizeof(pieces), (const void *)(at + 16));
	else if (number != NR_READV && number != NR_WRITEV)
		return (const void *)at;
	at = 0;
	bpf_probe_read_user(&at, sizeof(at), (const void *)pieces);
	return (const void *)at;
}

/* A socket did not take what it was given: where that happened inside a library's write, the
 * program will give the same bytes again. The call is still running where its return address is
 * still in its place. */
static __always_inline void mark_refused(struct pt_regs *regs)
{
	u32 tid = bpf_get_current_task_btf()->pid;
	struct tls_thread *thread = bpf_map_lookup_elem(&tls_threads, &tid);
	u64 caller = 0;
	if (!thread || !thread->object || regs->sp >= thread->stack)
		return;
	bpf_probe_read_user(&caller, sizeof(caller), (const void *)thread->stack);
	if (caller != thread->caller)
		return;
	struct tls_key key = { .object = thread->object,
			       .tgid = bpf_get_current_task_btf()->tgid };
	struct tls_session *session = bpf_map_lookup_elem(&tls_sessions, &key);
	if (session)
		session->is_refused = 1;
}

/* The descriptor below a `crypto/tls.Conn` whose connection is a `net.TCPConn` or a
 * `net.UnixConn`; one that no call can be given where it is another. */
static __always_inline u32 descriptor_of_go(u64 object)
{
	u64 connection = 0, descriptor = 0, number = ~0ull;
	bpf_probe_read_user(&connection, sizeof(connection),
			    (const void *)(object + GO_INTERFACE_VALUE));
	bpf_probe_read_user(&descriptor, sizeof(descriptor), (const void *)connection);
	bpf_probe_read_user(&number, sizeof(number), (const void *)(descriptor + GO_DESCRIPTOR));
	return number < NO_DESCRIPTOR ? number : NO_DESCRIPTOR;
}
