/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * t0c: the handlers of t0s for calls by the 32-bit entry (int 0x80, 32-bit programs).
 *
 * Hook:   tail calls from the dispatcher of t0s, whose maps it shares.
 * Emits:  what t0s emits, under the numbers of x86-64.
 * Cost:   none for other calls.
 * Loses:  what its parts say.
 */
#define CALLS_ARE_32_BIT
#include "file.c"
#include "sockets.c"
#include "privilege.c"
#include "exec_failed.c"

/* Place within `socketcall` → its handler; written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SOCKETCALLS_MAX);
	__type(key, u32);
	__type(value, u32);
} socketcall_handlers SEC(".maps");

SEC("tp_btf/sys_exit")
int BPF_PROG(on_socketcall, struct pt_regs *regs, long result)
{
	bpf_tail_call(ctx, &socketcall_handlers, (u32)regs->bx & (SOCKETCALLS_MAX - 1));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
