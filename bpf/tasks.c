/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * tasks: lists every process that is there when the sensor begins.
 *
 * Hook:   iter/task; kernel >= 5.12.
 * Emits:  struct clew_exec of kind KIND_TASK into the iterator's file, without argv.
 * Cost:   once at the start.
 * Loses:  nothing: the reader's buffer grows with what is written.
 */
#include "lib/task.h"

SCRATCH(task_scratch);

SEC("iter/task")
int list_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct clew_config *set = settings();
	if (!task || !set)
		return 0;
	/* Whoever reads the list is the sensor; only here it learns its pid in the initial
	 * namespace. */
	if (ctx->meta->seq_num == 0)
		set->own_tgid = bpf_get_current_pid_tgid() >> 32;
	if (task->pid != task->tgid)
		return 0;
	struct scratch *s = begin(&task_scratch, sizeof(struct clew_exec));
	if (!s)
		return 0;
	struct clew_exec *exec = (struct clew_exec *)s->bytes;
	exec->header.kind = KIND_TASK;
	exec->header.version = WIRE_VERSION;
	exec->header.time_ns = bpf_ktime_get_boot_ns();
	exec->header.cpu = bpf_get_smp_processor_id();
	exec->header.syscall = NO_SYSCALL;
	exec->header.tgid = task->tgid;
	exec->header.tid = task->pid;
	exec->header.start_ns = task->start_boottime;
	exec->header.cgroup = cgroup_of(task);
	if (task->flags & PF_KTHREAD)
		exec->flags |= EXEC_KERNEL_THREAD;
	put_program(s, exec, task);
	u32 tgid = task->tgid, user = exec->uid;
	bpf_map_update_elem(&users, &tgid, &user, BPF_ANY);
	u32 size = s->cursor;
	asm volatile("" : "+r"(size));
	if (size > sizeof(s->bytes))
		size = sizeof(s->bytes);
	exec->header.size = size;
	bpf_seq_write(ctx->meta->seq, s->bytes, size);
	return 0;
}
