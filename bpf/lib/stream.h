/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * stream: hands up what one call moved through a connection of an application.
 *
 * Bytes are copied once, from the caller's memory into the ring; a record takes the room of the
 * smallest class that its bytes fit in. A uprobe may be preempted, so nothing is built in a buffer
 * of the CPU. What is over a budget, or finds the ring full, is counted in
 * counts.dropped[KIND_STREAM]; the position of the next piece tells how long the gap is.
 */
#pragma once

#include "lib/task.h"

/* Two pieces that go into one record: a head, and a content or its beginning. */
#define PAIR_FIRST_BYTES_MAX 512
#define PAIR_SECOND_BYTES_MAX 1536
#define STREAM_BUDGETS 4096

/* Whose a piece is, where that is not the current task. */
struct stream_owner {
	u64 start_ns, cgroup;
	u32 tgid, tid;
};

/* What one call moved, in one direction. */
struct stream_piece {
	/* Cookie of the socket, or another number that no other connection has. */
	u64 connection;
	/* Bytes of this direction that went before, seen or not. */
	u64 position;
	/* Where the bytes lie in the caller's memory, and how many of them are copied: at most
	 * STREAM_BYTES_MAX. */
	const void *from;
	u32 size;
	/* Bytes that follow those and lie elsewhere; at most PAIR_SECOND_BYTES_MAX, and then `size` at
	 * most PAIR_FIRST_BYTES_MAX. */
	u32 second_size;
	const void *second_from;
	/* Bytes that were moved: those, and what is left out behind them. */
	u32 moved;
	/* `STREAM_*` flags. */
	u32 flags;
	u32 reserved;
	/* When it was handed up: for whoever gave it, nanoseconds since boot. */
	u64 time_ns;
	/* Without a thread-group id: the current task. */
	struct stream_owner owner;
	struct clew_endpoint ends;
};

/* Bytes of the current second. */
struct stream_second {
	u64 number, bytes;
};

/* 0 → what this CPU copied in this second; written here only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stream_second);
} stream_seconds SEC(".maps");

/* Last bits of a cgroup's number → what was copied of its processes in this second; written here
 * only. The kernel numbers cgroups in turn, so only of thousands do two share a budget. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STREAM_BUDGETS);
	__type(key, u32);
	__type(value, struct stream_second);
} stream_workloads SEC(".maps");

/* Both ends of `sk`, by loads only. */
static __always_inline void put_stream_ends(struct clew_endpoint *end, struct sock *sk)
{
	end->family = FIELD(sock, sk, __sk_common.skc_family);
	if (end->family != AF_INET && end->family != AF_INET6)
		return;
	end->protocol = FIELD(sock, sk, sk_protocol);
	end->local_port = FIELD(sock, sk, __sk_common.skc_num);
	end->remote_port = bpf_ntohs(FIELD(sock, sk, __sk_common.skc_dport));
	if (end->family == AF_INET) {
		*(u32 *)end->local = FIELD(sock, sk, __sk_common.skc_rcv_saddr);
		*(u32 *)end->remote = FIELD(sock, sk, __sk_common.skc_daddr);
	} else {
		BPF_CORE_READ_INTO((struct in6_addr *)end->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO((struct in6_addr *)end->remote, sk, __sk_common.skc_v6_daddr);
	}
}

/* Counts `size` bytes in `second`; false where they are over the budget. */
static __always_inline bool spend(struct stream_second *second, u64 now_ns, u32 size, u32 bytes_max)
{
	u64 number = now_ns / NS_PER_S;
	if (second->number != number) {
		second->number = number;
		second->bytes = 0;
	}
	return __sync_fetch_and_add(&second->bytes, size) + size <= bytes_max;
}

static __always_inline bool is_in_budget(struct clew_header *header, u32 size)
{
	u32 zero = 0;
	struct stream_second *second = bpf_map_lookup_elem(&stream_seconds, &zero);
	if (!second || !spend(second, header->time_ns, size, STREAM_CPU_BYTES_PER_SECOND_MAX))
		return false;
	u32 place = header->cgroup % STREAM_BUDGETS;
	second = bpf_map_lookup_elem(&stream_workloads, &place);
	return second && spend(second, header->time_ns, size, STREAM_WORKLOAD_BYTES_PER_SECOND_MAX);
}

/* Writes a record with room for `room` bytes, and for `second_room` of those that lie elsewhere;
 * both are constant where this is used. */
static __always_inline void put_stream(struct clew_header *header, struct stream_piece *piece,
				       const u32 room, const u32 second_room)
{
	struct clew_stream *record = bpf_ringbuf_reserve(&ring_stream, sizeof(*record) + room + second_room, 0);
	if (!record) {
		count_dropped(KIND_STREAM);
		return;
	}
	u32 size = piece->size, second = piece->second_size;
	asm volatile("" : "+r"(size));
	if (size > room)
		size = room;
	asm volatile("" : "+r"(second));
	if (second > second_room)
		second = second_room;
	record->header = *header;
	record->header.size = sizeof(*record) + room + second_room;
	record->connection = piece->connection;
	record->position = piece->position;
	record->moved = piece->moved;
	record->flags = piece->flags;
	record->ends = piece->ends;
	record->bytes.offset = sizeof(*record);
	record->bytes.size = size + second;
	record->bytes.flags = size + second < piece->moved ? TEXT_TRUNCATED : 0;
	record->bytes.reserved = 0;
	u8 *bytes = (u8 *)(record + 1);
	if ((room && bpf_probe_read_user(bytes, size, piece->from)) ||
	    (second_room && bpf_probe_read_user(bytes + size, second, piece->second_from))) {
		record->bytes.size = 0;
		record->bytes.flags = TEXT_UNREAD;
		count_unread();
	}
	bpf_ringbuf_submit(record, wake_up());
}

/* Hands `piece` up. A global function: the verifier goes through it once a program. */
__noinline int emit_stream(struct stream_piece *piece)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct clew_header header = {};
	if (!piece || !identify(&header, KIND_STREAM, task))
		return 0;
	piece->time_ns = header.time_ns;
	if (piece->owner.tgid) {
		header.tgid = piece->owner.tgid;
		header.tid = piece->owner.tid;
		header.start_ns = piece->owner.start_ns;
		header.cgroup = piece->owner.cgroup;
	} else {
		header.cgroup = cgroup_of(task);
	}
	u32 size = piece->size, second = piece->second_size;
	if (size && !is_in_budget(&header, size + second))
		count_dropped(KIND_STREAM);
	else if (!size)
		put_stream(&header, piece, 0, 0);
	else if (second && size <= 256 && second <= 256)
		put_stream(&header, piece, 256, 256);
	else if (second && second <= 512)
		put_stream(&header, piece, PAIR_FIRST_BYTES_MAX, 512);
	else if (second)
		put_stream(&header, piece, PAIR_FIRST_BYTES_MAX, PAIR_SECOND_BYTES_MAX);
	else if (size <= 128)
		put_stream(&header, piece, 128, 0);
	else if (size <= 256)
		put_stream(&header, piece, 256, 0);
	else if (size <= 512)
		put_stream(&header, piece, 512, 0);
	else if (size <= 1024)
		put_stream(&header, piece, 1024, 0);
	else if (size <= 4096)
		put_stream(&header, piece, 4096, 0);
	else
		put_stream(&header, piece, STREAM_BYTES_MAX, 0);
	return 0;
}
