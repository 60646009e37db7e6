/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * serving: which processes have a request open.
 *
 * What a process does while it answers a request may be the request's effect, so nothing that it
 * does is kept back for being quiet. A child that is made meanwhile acts for the request as well.
 */
#pragma once

#include "lib/record.h"

/* An answer may be sent in parts, and work goes on between them. */
#define SERVING_GRACE_NS 100000000ull

/* Requests of one process. */
struct serving {
	/* Connections on which one was read and not yet answered. */
	s32 open_count;
	u32 reserved;
	/* When one was answered last, nanoseconds since boot. */
	u64 answered_ns;
};

/* Thread-group id → its requests. Written by the taps and at fork, deleted at exit; when full the
 * process not asked for the longest goes, and may have its calls kept back again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u32);
	__type(value, struct serving);
} serving SEC(".maps");

static __always_inline bool is_serving(struct task_struct *task)
{
	u32 tgid = task->tgid;
	struct serving *known = bpf_map_lookup_elem(&serving, &tgid);
	if (!known)
		return false;
	return 0 < known->open_count ||
	       bpf_ktime_get_boot_ns() - known->answered_ns < SERVING_GRACE_NS;
}

/* A child of a process with an open request counts as having one until it ends. */
static __always_inline void inherit_serving(struct task_struct *parent, struct task_struct *child)
{
	u32 tgid = child->tgid;
	struct serving inherited = { .open_count = 1 };
	if (is_serving(parent))
		bpf_map_update_elem(&serving, &tgid, &inherited, BPF_ANY);
}

/* Notes that a process read a request on one more connection. */
static __always_inline void begin_serving(u32 tgid)
{
	struct serving first = { .open_count = 1 };
	struct serving *known = bpf_map_lookup_elem(&serving, &tgid);
	if (known)
		__sync_fetch_and_add(&known->open_count, 1);
	else
		bpf_map_update_elem(&serving, &tgid, &first, BPF_ANY);
}

/* Notes that it answered, `now_ns` since boot. */
static __always_inline void end_serving(u32 tgid, u64 now_ns)
{
	struct serving *known = bpf_map_lookup_elem(&serving, &tgid);
	if (!known)
		return;
	known->answered_ns = now_ns;
	__sync_fetch_and_add(&known->open_count, -1);
}
