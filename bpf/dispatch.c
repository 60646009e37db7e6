/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * dispatch: leads the return of every system call to its handler, if it has one.
 *
 * Hook:   tp_btf/sys_exit; kernel >= 5.12.
 * Emits:  nothing itself.
 * Cost:   one look-up in an array for every system call of the machine; the array of handlers is
 *         also the set of calls of interest, so that no other filter is asked.
 * Loses:  calls of 32-bit programs, counted in counts.dropped[KIND_COMPAT].
 */
#include "lib/call.h"

#define TS_COMPAT 0x0002

/* System call number → its handler; written by user space before the programs are attached. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SYSCALLS_MAX);
	__type(key, u32);
	__type(value, u32);
} handlers SEC(".maps");

/* System call number of the 32-bit ABI → `on_compat`; written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SYSCALLS_MAX);
	__type(key, u32);
	__type(value, u32);
} compat_handlers SEC(".maps");

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long result)
{
	u32 number = NUMBER(regs);
	if (bpf_get_current_task_btf()->thread_info.status & TS_COMPAT)
		bpf_tail_call(ctx, &compat_handlers, number);
	else
		bpf_tail_call(ctx, &handlers, number);
	return 0;
}

/* Counts a call of interest that was made by the 32-bit entry. */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_compat, struct pt_regs *regs, long result)
{
	u32 zero = 0;
	struct clew_counts *count = bpf_map_lookup_elem(&counts, &zero);
	if (count) {
		__sync_fetch_and_add(&count->sequence, 1);
		__sync_fetch_and_add(&count->offered[KIND_COMPAT], 1);
		__sync_fetch_and_add(&count->dropped[KIND_COMPAT], 1);
	}
	return 0;
}
