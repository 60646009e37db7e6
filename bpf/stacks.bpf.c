/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * stacks: tells the stack of whoever takes a new program, while its old memory is still there.
 *
 * Hook:   tp_btf/sched_prepare_exec, tp_btf/sched_process_fork; kernel >= 6.10.
 * Emits:  struct clew_stack on the stream ring: before each exec, and at a fork whose child begins
 *         on a stack of its own (`posix_spawn`, `system`, `popen`), because that one tells nothing.
 * Cost:   an exec copies at most STACK_BYTES_MAX; a fork compares two stack pointers.
 * Loses:  a record when the ring is full or the CPU told STACKS_PER_SECOND_MAX in this second,
 *         counted in counts.dropped[KIND_STACK].
 */
#include "lib/stack.h"
#include "lib/task.h"

static __always_inline struct pt_regs *registers_of(struct task_struct *task)
{
	return (struct pt_regs *)bpf_task_pt_regs(task);
}

SEC("tp_btf/sched_prepare_exec")
int BPF_PROG(on_prepare_exec, struct task_struct *task, struct linux_binprm *bprm)
{
	struct stack_scratch *s = begin_stack(STACK_AT_EXEC, task, registers_of(task));
	if (!s)
		return 0;
	s->record.header.cgroup = cgroup_of(task);
	s->record.relative_tgid = BPF_CORE_READ(task, group_leader, real_parent, tgid);
	send_stack(s);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_spawn, struct task_struct *parent, struct task_struct *child)
{
	if (child->pid != child->tgid || parent->flags & PF_KTHREAD)
		return 0;
	struct pt_regs *regs = registers_of(parent);
	if (BPF_CORE_READ(regs, sp) == BPF_CORE_READ(registers_of(child), sp))
		return 0;
	struct stack_scratch *s = begin_stack(STACK_AT_FORK, parent, regs);
	if (!s)
		return 0;
	s->record.header.cgroup = cgroup_of(parent);
	s->record.of = child->start_boottime;
	s->record.relative_tgid = child->tgid;
	send_stack(s);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
