/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * cgroup: reports every cgroup made or removed, with its path.
 *
 * Hook:   tp_btf/cgroup_{mkdir,rmdir}; kernel >= 5.12.
 * Emits:  struct clew_cgroup on the priority ring, for the hierarchy that names containers only.
 * Cost:   nothing but at these two moments.
 * Loses:  a record when the ring is full, counted in counts.dropped[KIND_CGROUP].
 */
#include "lib/task.h"

SCRATCH(cgroup_scratch);

/* Whether the cgroup belongs to the hierarchy that names containers. */
static __always_inline bool is_followed(struct cgroup *cgroup)
{
	u32 subsystem = followed_subsystem();
	if (subsystem < 16)
		return BPF_CORE_READ(cgroup, root, subsys_mask) & (1u << subsystem);
	/* The version 2 hierarchy always has the id 0 (`0::` in /proc/PID/cgroup). */
	return BPF_CORE_READ(cgroup, root, hierarchy_id) == 0;
}

static __always_inline int report(struct cgroup *cgroup, const char *path, u32 change)
{
	if (!is_followed(cgroup))
		return 0;
	struct scratch *s = begin(&cgroup_scratch, sizeof(struct clew_cgroup));
	if (!s)
		return 0;
	struct task_struct *task = bpf_get_current_task_btf();
	struct clew_cgroup *record = (struct clew_cgroup *)s->bytes;
	if (!identify(&record->header, KIND_CGROUP, task))
		return 0;
	record->header.cgroup = cgroup_of(task);
	record->id = BPF_CORE_READ(cgroup, kn, id);
	record->change = change;
	put_kernel_string(s, &record->path, path, PATH_BYTES_MAX);
	send(&ring_priority, s);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(on_cgroup_mkdir, struct cgroup *cgroup, const char *path)
{
	return report(cgroup, path, CGROUP_MADE);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(on_cgroup_rmdir, struct cgroup *cgroup, const char *path)
{
	return report(cgroup, path, CGROUP_REMOVED);
}
