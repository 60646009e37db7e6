/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * http: reports what goes through stream sockets that speak HTTP, by the thread that moves it.
 *
 * Hook:   tail call from tp_btf/sys_exit for calls that send or receive, and
 *         tp_btf/inet_sock_set_state for the end of a connection; kernel >= 5.12.
 * Emits:  struct clew_stream on the stream ring.
 * Cost:   read and write of what is no socket: the look at a descriptor and its inode; of another
 *         socket one look-up beside that, and for its first call the judging of its first bytes.
 * Loses:  what lib/stream.h says; what sendfile and splice move, what is discarded unread, and what
 *         lies behind STREAM_RUN_BYTES_MAX of one direction is told by its length only. Not seen
 *         are calls by the 32-bit entry and through io_uring.
 */
#include "lib/beginning.h"
#include "lib/moved.h"
#include "lib/serving.h"
#include "lib/stream.h"

#define SOCK_STREAM 1
#define TCP_CLOSE 7
/* First bytes that are looked at. */
#define BEGINNING_BYTES 32
#define CONNECTIONS_MAX 65536

/* What is known of a connection. */
struct connection {
	/* Inode of the socket: another one means that its memory was used again. */
	u32 inode;
	/* `enum verdict`. */
	u32 verdict;
	/* 1 where a request is received or an answer sent: the process is the server. */
	u32 is_accepted;
	/* The process that read a request which was not answered yet; else 0. */
	u32 serving;
	/* Told as the connection's: the inode, and above it a number that a later socket with the
	 * same inode will not have. */
	u64 id;
	/* Bytes moved in each direction. */
	u64 moved[2];
	/* Bytes copied of each direction since the other one had its turn. */
	u32 run[2];
	struct beginning beginning[2];
	/* Who moved something last. */
	struct stream_owner owner;
};

/* Address of a socket → what is known of it. Written here, deleted when its connection ends; when
 * full the one not used for the longest goes, and is judged again by its next bytes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CONNECTIONS_MAX);
	__type(key, u64);
	__type(value, struct connection);
} connections SEC(".maps");

/* 0 → sockets whose first bytes were looked at; written here, read by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} judged SEC(".maps");

/* 0 → until when a socket may have been joined in the middle of a message, so that bytes that begin
 * none say nothing of it; nanoseconds since boot; written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} joining SEC(".maps");

/* System call number → the handler that has the call besides; written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SYSCALLS_MAX);
	__type(key, u32);
	__type(value, u32);
} behind SEC(".maps");

/* Goes on judging a connection by what its next bytes are. Global, as `tell` is: numbers that
 * steer a loop lie in memory, about which the verifier knows nothing, so that it goes round once. */
__noinline int judge(struct connection *known, struct moved *call)
{
	u8 first[BEGINNING_BYTES] = {};
	if (!known || !call || call->is_elsewhere)
		return 0;
	struct beginning *beginning = &known->beginning[call->direction & 1];
	u64 size = call->piece.iov_len < call->bytes ? call->piece.iov_len : call->bytes;
	if (size > sizeof(first))
		size = sizeof(first);
	asm volatile("" : "+r"(size));
	if (size > sizeof(first) ||
	    bpf_probe_read_user(first, size, (const void *)call->piece.iov_base))
		return 0;
	u32 verdict = UNDECIDED;
	for (u32 i = 0; i < BEGINNING_BYTES && i < size && verdict == UNDECIDED; i++)
		verdict = judge_byte(beginning, first[i]);
	/* Whoever is asked waits for it, so what is not decided begins a request. */
	known->is_accepted = (call->direction == RECEIVED) == (verdict != RESPONSE);
	known->verdict = verdict;
	return 0;
}

/* A socket that was not seen before. */
static __always_inline struct connection *meet(u64 key, u32 inode, struct moved *call)
{
	u32 zero = 0;
	struct connection first = {
		.inode = inode,
		.id = (u64)bpf_get_prandom_u32() << 32 | inode,
	};
	u64 *count = bpf_map_lookup_elem(&judged, &zero);
	if (count)
		*count += 1;
	judge(&first, call);
	u64 *until_ns = bpf_map_lookup_elem(&joining, &zero);
	if (first.verdict == OTHER && until_ns && bpf_ktime_get_boot_ns() < *until_ns)
		return 0;
	bpf_map_update_elem(&connections, &key, &first, BPF_ANY);
	return bpf_map_lookup_elem(&connections, &key);
}

/* Notes which process has a request of this connection open at `now_ns`; 0 where none has any more. */
static __always_inline void note_serving(struct connection *known, u32 tgid, u64 now_ns)
{
	u32 before = __sync_lock_test_and_set(&known->serving, tgid);
	if (before == tgid)
		return;
	if (before)
		end_serving(before, now_ns);
	if (tgid)
		begin_serving(tgid);
}

static __always_inline void note_owner(struct connection *known, struct task_struct *task)
{
	if (known->owner.tid == task->pid && known->owner.tgid == task->tgid)
		return;
	known->owner.tgid = task->tgid;
	known->owner.tid = task->pid;
	known->owner.start_ns = task->group_leader->start_boottime;
	known->owner.cgroup = cgroup_of(task);
}

/* How many bytes of the following piece go into the record of the rest of this one, `size` bytes. */
static __always_inline u64 second_of(struct moved *call, u64 size)
{
	u64 left = call->bytes - size, following = call->following.iov_len;
	if (size > PAIR_FIRST_BYTES_MAX || call->piece_told + size < call->piece.iov_len)
		return 0;
	if (following > PAIR_SECOND_BYTES_MAX || call->copied_max - size < following)
		return 0;
	return following < left ? following : left;
}

/* Hands up the bytes of the call as far as they may be copied, and tells of the rest. */
__noinline int tell(struct stream_piece *out, struct moved *call)
{
	if (!out || !call)
		return 0;
	for (u32 i = 0; i < STREAM_RECORDS_MAX && call->bytes; i++) {
		if (call->piece_told >= call->piece.iov_len)
			next_piece(call);
		/* A piece may be empty. */
		if (!call->piece.iov_len && call->place < call->pieces_count &&
		    i + 1 < STREAM_RECORDS_MAX)
			continue;
		u64 size = call->is_elsewhere ? 0 : call->piece.iov_len - call->piece_told;
		size = size < call->bytes ? size : call->bytes;
		size = size < call->copied_max ? size : call->copied_max;
		size = size < STREAM_BYTES_MAX ? size : STREAM_BYTES_MAX;
		/* What follows is a gap. */
		bool is_last = !size || i + 1 == STREAM_RECORDS_MAX || size == call->copied_max;
		out->from = (const void *)(u64)call->piece.iov_base + call->piece_told;
		out->size = size;
		out->second_size = is_last ? 0 : second_of(call, size);
		out->second_from = (const void *)(u64)call->following.iov_base;
		size += out->second_size;
		out->moved = is_last ? call->bytes : size;
		emit_stream(out);
		if (is_last)
			return 0;
		out->position += size;
		call->copied_max -= size;
		call->bytes -= size;
		call->piece_told += out->size;
		if (!out->second_size)
			continue;
		next_piece(call);
		call->piece_told = out->second_size;
	}
	return 0;
}

/* The connection of a stream socket; 0 where the call goes to something else. */
static __always_inline struct sock *stream_of(struct file *file, u32 *inode)
{
	struct sock *sk = sock_of(file);
	if (!sk || FIELD(sock, sk, sk_type) != SOCK_STREAM)
		return 0;
	u16 family = FIELD(sock, sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return 0;
	struct inode *own = FIELD(file, file, f_inode);
	*inode = FIELD(inode, own, i_ino);
	return sk;
}

/* The other end of a unix socket has ended; an internet socket tells it by its state. */
static __always_inline void end_unix(struct connection *known, u64 key, struct sock *sk)
{
	struct stream_piece out = {};
	if (FIELD(sock, sk, __sk_common.skc_family) != AF_UNIX)
		return;
	out.connection = known->id;
	out.flags = STREAM_END | (known->is_accepted ? STREAM_ACCEPTED : 0);
	put_stream_ends(&out.ends, sk);
	emit_stream(&out);
	note_serving(known, 0, out.time_ns);
	bpf_map_delete_elem(&connections, &key);
}

static __always_inline void look(struct pt_regs *regs, u32 number, u32 descriptor, u32 direction,
				 long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 inode = 0;
	struct sock *sk = stream_of(file_of(task, descriptor), &inode);
	if (!sk)
		return;
	u64 key = (u64)sk;
	struct connection *known = bpf_map_lookup_elem(&connections, &key);
	if (known && known->inode == inode && known->verdict >= OTHER)
		return;
	struct moved call = { .direction = direction };
	if (is_own() || !read_call(&call, regs, number, result))
		return;
	next_piece(&call);
	if (!call.bytes) {
		if (known && known->inode == inode && direction == RECEIVED &&
		    (number == NR_READ || number == NR_RECVFROM) && call.piece.iov_len)
			end_unix(known, key, sk);
		return;
	}
	if (!known || known->inode != inode)
		known = meet(key, inode, &call);
	else if (known->verdict == UNDECIDED)
		judge(known, &call);
	if (!known || known->verdict >= OTHER)
		return;
	u32 own = direction & 1, other = own ^ 1;
	known->run[other] = 0;
	u32 run = known->run[own];
	call.copied_max = run < STREAM_RUN_BYTES_MAX ? STREAM_RUN_BYTES_MAX - run : 0;
	known->run[own] = call.bytes < call.copied_max ? run + call.bytes : STREAM_RUN_BYTES_MAX;
	note_owner(known, task);
	struct stream_piece out = {};
	out.connection = known->id;
	out.position = __sync_fetch_and_add(&known->moved[own], call.bytes);
	out.flags = (direction == SENT ? STREAM_SENT : 0) |
		    (known->is_accepted ? STREAM_ACCEPTED : 0);
	put_stream_ends(&out.ends, sk);
	tell(&out, &call);
	/* Over HTTP/2 an answer does not tell that there is no other request. */
	if (known->is_accepted && direction == RECEIVED)
		note_serving(known, task->tgid, out.time_ns);
	else if (known->is_accepted && !known->beginning[RECEIVED].is_multiplexed)
		note_serving(known, 0, out.time_ns);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_moved, struct pt_regs *regs, long result)
{
	u32 number = NUMBER(regs);
	if (result >= 0)
		look(regs, number, ARGUMENT_0(regs), direction_of(number), result);
	if (number >= NR_SENDTO && number != NR_SPLICE)
		bpf_tail_call(ctx, &behind, number);
	return 0;
}

/* From a socket to a pipe, or the other way. */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_spliced, struct pt_regs *regs, long result)
{
	if (result <= 0)
		return 0;
	look(regs, NR_SPLICE, ARGUMENT_0(regs), RECEIVED, result);
	look(regs, NR_SPLICE, ARGUMENT_2(regs), SENT, result);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int before, int now)
{
	u64 key = (u64)sk;
	if (now != TCP_CLOSE)
		return 0;
	struct connection *known = bpf_map_lookup_elem(&connections, &key);
	if (!known)
		return 0;
	if (known->verdict < OTHER) {
		struct stream_piece out = {};
		out.connection = known->id;
		out.owner = known->owner;
		out.flags = STREAM_END | (known->is_accepted ? STREAM_ACCEPTED : 0);
		put_stream_ends(&out.ends, sk);
		emit_stream(&out);
		note_serving(known, 0, out.time_ns);
	}
	bpf_map_delete_elem(&connections, &key);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
