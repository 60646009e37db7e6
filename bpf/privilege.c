/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * privilege: reports calls that change credentials or namespaces, and calls on the kernel itself
 * or on another process.
 *
 * Hook:   tail call from tp_btf/sys_exit; kernel >= 5.12.
 * Emits:  struct clew_privilege, struct clew_kernel on the priority ring.
 * Cost:   these calls are rare.
 * Loses:  a record when the ring is full, counted in counts.dropped[kind].
 */
#include "lib/call.h"

enum {
	NR_PTRACE = 101,
	NR_PIVOT_ROOT = 155,
	NR_MOUNT = 165,
	NR_UMOUNT2 = 166,
	NR_UNSHARE = 272,
	NR_SETNS = 308,
	NR_FINIT_MODULE = 313,
	NR_MEMFD_CREATE = 319,
	NR_KEXEC_FILE_LOAD = 320,
	NR_BPF = 321,
	NR_MOVE_MOUNT = 429,
};

SEC("tp_btf/sys_exit")
int BPF_PROG(on_privilege, struct pt_regs *regs, long result)
{
	struct scratch *s =
		begin_call(KIND_PRIVILEGE, sizeof(struct clew_privilege), regs, result);
	if (!s)
		return 0;
	struct clew_privilege *record = (struct clew_privilege *)s->bytes;
	bool is_setns = NUMBER(regs) == NR_SETNS;
	record->argument = is_setns ? ARGUMENT_1(regs) : ARGUMENT_0(regs);
	record->descriptor = is_setns ? (int)ARGUMENT_0(regs) : -1;
	struct task_struct *task = bpf_get_current_task_btf();
	u32 tgid = s->header.tgid, user = BPF_CORE_READ(task, real_cred, euid.val);
	u32 *before = bpf_map_lookup_elem(&users, &tgid);
	record->uid_before = before ? *before : user;
	record->uid_after = user;
	record->gid_after = BPF_CORE_READ(task, real_cred, egid.val);
	BPF_CORE_READ_INTO(&record->cap_effective, task, real_cred, cap_effective);
	BPF_CORE_READ_INTO(&record->cap_permitted, task, real_cred, cap_permitted);
	BPF_CORE_READ_INTO(&record->cap_inheritable, task, real_cred, cap_inheritable);
	bpf_map_update_elem(&users, &tgid, &user, BPF_ANY);
	send(&ring_priority, s);
	return 0;
}

static __always_inline void put_descriptor_path(struct scratch *s, struct clew_text *text, u32 fd)
{
	struct file *file = file_of(bpf_get_current_task_btf(), fd);
	if (file)
		put_file_path(s, text, file);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_kernel, struct pt_regs *regs, long result)
{
	if (!is_wanted(regs, 0, result))
		return 0;
	struct scratch *s = begin_call(KIND_KERNEL, sizeof(struct clew_kernel), regs, result);
	if (!s)
		return 0;
	struct clew_kernel *record = (struct clew_kernel *)s->bytes;
	const void *path = 0, *other = 0;
	u32 number = NUMBER(regs);
	record->argument = ARGUMENT_0(regs);
	if (number == NR_MOUNT) {
		path = (const void *)ARGUMENT_1(regs);
		other = (const void *)(ARGUMENT_0(regs) ? ARGUMENT_0(regs) : ARGUMENT_2(regs));
		record->argument = ARGUMENT_3(regs);
	} else if (number == NR_MOVE_MOUNT) {
		path = (const void *)ARGUMENT_3(regs);
		other = (const void *)ARGUMENT_1(regs);
		record->argument = ARGUMENT_4(regs);
	} else if (number == NR_UMOUNT2 || number == NR_MEMFD_CREATE) {
		path = (const void *)ARGUMENT_0(regs);
		record->argument = ARGUMENT_1(regs);
	} else if (number == NR_PIVOT_ROOT) {
		path = (const void *)ARGUMENT_0(regs);
		other = (const void *)ARGUMENT_1(regs);
		record->argument = 0;
	} else if (number == NR_PTRACE) {
		record->target_pid = ARGUMENT_1(regs);
	} else if (number == NR_FINIT_MODULE || number == NR_KEXEC_FILE_LOAD) {
		put_descriptor_path(s, &record->path, ARGUMENT_0(regs));
		record->argument = 0;
	}
	put_user_string(s, &record->path, path, PATH_BYTES_MAX);
	put_user_string(s, &record->other, other, PATH_BYTES_MAX);
	send(&ring_priority, s);
	return 0;
}
