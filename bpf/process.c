/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * process: reports every process made, every program put in place, and every process ended.
 *
 * Hook:   tp_btf/sched_process_{fork,exec,exit}; kernel >= 5.12 (ring buffer, atomic fetch).
 * Emits:  struct clew_fork, clew_exec, clew_exit on the priority ring; threads are left out.
 * Cost:   nothing for other system calls; an exec copies argv and environment once.
 * Loses:  a record when the ring is full, counted in counts.dropped[kind].
 */
#include "lib/serving.h"
#include "lib/task.h"

SCRATCH(exec_scratch);

/* A process by what its key is made of. */
struct ended_key {
	u64 start_ns, tgid;
};

/* Process that ended → nothing. Several threads may find themselves the last one, because the
 * count falls long before the hook; who puts the process here tells its end. Written at exit;
 * when full the oldest goes, whose threads are gone too. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct ended_key);
	__type(value, u8);
} ended SEC(".maps");

/* The system call that `task` is in, from its saved registers. */
static __always_inline u32 syscall_of(struct task_struct *task)
{
	if (task->flags & PF_KTHREAD)
		return NO_SYSCALL;
	if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return NO_SYSCALL;
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	return BPF_CORE_READ(regs, orig_ax);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct clew_fork fork = {};
	if (child->pid != child->tgid)
		return 0;
	if (!identify(&fork.header, KIND_FORK, parent))
		return 0;
	fork.header.cgroup = cgroup_of(parent);
	fork.header.syscall = syscall_of(parent);
	fork.child_tgid = child->tgid;
	fork.child_tid = child->pid;
	fork.child_start_ns = child->start_boottime;
	fork.child_vpid = number_of(BPF_CORE_READ(child, thread_pid), true);
	struct task_struct *real = BPF_CORE_READ(child, real_parent, group_leader);
	fork.parent_tgid = BPF_CORE_READ(real, tgid);
	fork.parent_start_ns = BPF_CORE_READ(real, start_boottime);
	fork.header.result = child->tgid;
	u32 tgid = child->tgid, user = BPF_CORE_READ(child, real_cred, euid.val);
	bpf_map_update_elem(&users, &tgid, &user, BPF_ANY);
	inherit_serving(parent, child);
	send_fixed(&ring_priority, &fork.header, sizeof(fork));
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct scratch *s = begin(&exec_scratch, sizeof(struct clew_exec));
	if (!s)
		return 0;
	struct clew_exec *exec = (struct clew_exec *)s->bytes;
	if (!identify(&exec->header, KIND_EXEC, task))
		return 0;
	exec->header.cgroup = cgroup_of(task);
	exec->header.syscall = syscall_of(task);
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	u64 start = BPF_CORE_READ(mm, arg_start);
	put_user_bytes(s, &exec->argv, (void *)start, BPF_CORE_READ(mm, arg_end) - start);
	put_kernel_string(s, &exec->filename, BPF_CORE_READ(bprm, filename), PATH_BYTES_MAX);
	put_program(s, exec, task);
	start = BPF_CORE_READ(mm, env_start);
	put_user_bytes(s, &exec->environment, (void *)start, BPF_CORE_READ(mm, env_end) - start);
	u32 tgid = exec->header.tgid, user = exec->uid;
	bpf_map_update_elem(&users, &tgid, &user, BPF_ANY);
	send(&ring_priority, s);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct clew_exit end = {};
	/* The last thread takes the process with it; `live` was counted down before this hook. */
	if (BPF_CORE_READ(task, signal, live.counter))
		return 0;
	struct ended_key key = { .start_ns = task->group_leader->start_boottime,
				 .tgid = task->tgid };
	u8 nothing = 0;
	if (bpf_map_update_elem(&ended, &key, &nothing, BPF_NOEXIST))
		return 0;
	if (!identify(&end.header, KIND_EXIT, task))
		return 0;
	end.header.cgroup = cgroup_of(task);
	u32 group_code = BPF_CORE_READ(task, signal, group_exit_code);
	end.code = group_code ? group_code : (u32)BPF_CORE_READ(task, group_leader, exit_code);
	u32 tgid = end.header.tgid;
	bpf_map_delete_elem(&users, &tgid);
	bpf_map_delete_elem(&serving, &tgid);
	send_fixed(&ring_priority, &end.header, sizeof(end));
	return 0;
}
