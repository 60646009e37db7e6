/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * record: the maps that all programs share, and how a record is begun and handed up.
 *
 * A record is built in a buffer of the program's CPU, because its length is known only at the end
 * and the stack holds 512 bytes; then it is copied to the ring of its class. The kernel runs a
 * program of this family at most once at a time on a CPU (preemption is off, and from 5.19 a
 * second run is refused and counted in `recursion_misses`), so each program may own one buffer.
 * Numbers that steer a copy are kept in the buffer, not in registers: the verifier then knows
 * nothing about them, asks for a mask before each use, and its loops converge.
 */
#pragma once

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "lib/wire.h"

/* A field behind an untyped pointer. From 6.2 the pointer can be given its type, and the field is
 * one load with a fault handler; before, it is a call of `bpf_probe_read_kernel`. */
#define FIELD(type, pointer, member)                                                               \
	({                                                                                         \
		struct type *___typed = (struct type *)(pointer);                                  \
		typeof(___typed->member) ___value;                                                 \
		if (bpf_ksym_exists(bpf_rdonly_cast))                                              \
			___value = bpf_core_cast(___typed, struct type)->member;                   \
		else                                                                               \
			___value = BPF_CORE_READ(___typed, member);                                \
		___value;                                                                          \
	})

#define NO_SYSCALL 0xffffffffu
#define PF_KTHREAD 0x00200000
/* Flag of a record of a ring (uapi/linux/bpf.h): nobody is woken. */
#define BPF_RB_NO_WAKEUP 1ull

/* 0 → settings; written by user space before anything runs, and by `tasks` (own pid). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct clew_config);
} config SEC(".maps");

/* 0 → counters of a CPU; written here, read by user space every second; never emptied. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct clew_counts);
} counts SEC(".maps");

/* Records on processes, credentials, the kernel and cgroups; full: the record is dropped and
 * counted. User space sets the size. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ring_priority SEC(".maps");

/* Records on files and sockets; full: the record is dropped and counted. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} ring_bulk SEC(".maps");

/* Pieces of connections and stacks, which are many and large: they push nothing else out. Full: the
 * piece is dropped and counted, and is a gap to whoever reads the connection. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} ring_stream SEC(".maps");

/* 0 → 1 while user space sleeps until any record comes. While it does not, it looks at the rings of
 * its own accord, and the interrupt that a wake-up costs would be wasted. Written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} sleeping SEC(".maps");

/* Thread-group id → effective user last seen: what `uid_before` is read from. Written at fork,
 * exec and by the calls that change it, deleted at exit; when full the oldest entry goes and the
 * next change of that process tells the new user as the old one too. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, u32);
	__type(value, u32);
} users SEC(".maps");

/* A record under construction. */
struct scratch {
	/* Where the next text goes, counted from the start of the record. */
	u32 cursor;
	/* The scan of a path stops where it meets the root of the process. */
	u64 root_dentry, root_mount;
	/* Where it begins: memory, because a global function takes no kernel pointers. */
	u64 dentry, mount;
	union {
		struct clew_header header;
		u8 bytes[TEXT_START_MAX + 1 + PATH_BYTES_MAX];
	};
};

/* Declares the buffer of one program: 0 → the record that its CPU builds. */
#define SCRATCH(name)                                                                              \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                           \
		__uint(max_entries, 1);                                                            \
		__type(key, u32);                                                                  \
		__type(value, struct scratch);                                                     \
	} name SEC(".maps")

static __always_inline struct clew_config *settings(void)
{
	u32 zero = 0;
	return bpf_map_lookup_elem(&config, &zero);
}

/* Flags with which a record goes to the ring of files or of streams. Should user space fall asleep just
 * then, the record waits for the next one, or until user space's wait ends by itself. */
static __always_inline u64 wake_up(void)
{
	u32 zero = 0;
	u32 *is_sleeping = bpf_map_lookup_elem(&sleeping, &zero);
	return is_sleeping && !*(volatile u32 *)is_sleeping ? BPF_RB_NO_WAKEUP : 0;
}

/* Fills the header with who `task` (a typed pointer) is; numbers it; counts it as offered. */
static __always_inline bool identify(struct clew_header *header, u16 kind, struct task_struct *task)
{
	u32 zero = 0;
	struct clew_counts *count = bpf_map_lookup_elem(&counts, &zero);
	if (!count)
		return false;
	header->kind = kind;
	header->version = WIRE_VERSION;
	header->time_ns = bpf_ktime_get_boot_ns();
	header->sequence = __sync_fetch_and_add(&count->sequence, 1);
	__sync_fetch_and_add(&count->offered[kind], 1);
	header->cpu = bpf_get_smp_processor_id();
	header->syscall = NO_SYSCALL;
	header->tgid = task->tgid;
	header->tid = task->pid;
	header->start_ns = task->group_leader->start_boottime;
	header->result = 0;
	return true;
}

static __always_inline void count_dropped(u16 kind)
{
	u32 zero = 0;
	struct clew_counts *count = bpf_map_lookup_elem(&counts, &zero);
	if (count && kind < KINDS)
		__sync_fetch_and_add(&count->dropped[kind], 1);
}

static __always_inline void count_unread(void)
{
	u32 zero = 0;
	struct clew_counts *count = bpf_map_lookup_elem(&counts, &zero);
	if (count)
		__sync_fetch_and_add(&count->unread, 1);
}

/* Hands a record without texts up. `ring` is constant where this is used. */
static __always_inline void send_fixed(void *ring, struct clew_header *header, u32 size)
{
	header->size = size;
	if (bpf_ringbuf_output(ring, header, size, 0))
		count_dropped(header->kind);
}

/* Hands a record with texts up. */
static __always_inline void send(void *ring, struct scratch *s)
{
	u32 size = s->cursor;
	asm volatile("" : "+r"(size));
	if (size > sizeof(s->bytes))
		size = sizeof(s->bytes);
	s->header.size = size;
	if (bpf_ringbuf_output(ring, s->bytes, size, ring == &ring_bulk ? wake_up() : 0))
		count_dropped(s->header.kind);
}

/* Begins a record with `size` bytes of fixed part. */
static __always_inline struct scratch *begin(void *map, u32 size)
{
	u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(map, &zero);
	if (!s)
		return 0;
	__builtin_memset(s->bytes, 0, size);
	s->cursor = size;
	return s;
}
