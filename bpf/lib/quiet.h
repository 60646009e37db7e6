/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * quiet: opens that no rule can match, whoever makes them.
 *
 * User space judges the path of an open once and marks it here; from then on such opens are
 * counted and not handed up. The key holds everything that the verdict depends on, the path to
 * its last byte included, so that no two files can be taken for one another.
 */
#pragma once

#include "lib/path.h"

#define O_ACCMODE 03
#define O_DIRECTORY 0200000

/* What an open is known by → generation in which it was found quiet. Written by user space; when
 * full the entry least used goes, and is asked for again. A change of rules raises the generation
 * in `config`, so that entries of before count no more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct clew_quiet_key);
	__type(value, u32);
} quiet SEC(".maps");

/* 0 → the key that a CPU looks up; it would fill a quarter of the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct clew_quiet_key);
} quiet_key SEC(".maps");

/* Whether the open of the file at `path`, which is in the record, is quiet; if so it is counted. */
static __always_inline bool is_quiet(struct scratch *s, struct clew_text *path, u32 flags)
{
	u32 zero = 0, size = path->size, at = path->offset & TEXT_START_MAX;
	struct clew_config *set = settings();
	struct clew_quiet_key *key = bpf_map_lookup_elem(&quiet_key, &zero);
	if (!set || !key || !set->quiet_generation || (path->flags & TEXT_TRUNCATED))
		return false;
	asm volatile("" : "+r"(size));
	if (!size || size > sizeof(key->path))
		return false;
	__builtin_memset(key, 0, sizeof(*key));
	key->syscall = s->header.syscall;
	key->flags = flags & (O_ACCMODE | O_DIRECTORY);
	if (bpf_probe_read_kernel(key->path, size, &s->bytes[at]))
		return false;
	u32 *generation = bpf_map_lookup_elem(&quiet, key);
	if (!generation || *generation != set->quiet_generation)
		return false;
	struct clew_counts *count = bpf_map_lookup_elem(&counts, &zero);
	if (count)
		__sync_fetch_and_add(&count->quieted[KIND_FILE], 1);
	return count;
}
