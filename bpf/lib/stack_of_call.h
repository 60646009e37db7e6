/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * stack_of_call: tells the stack of a call that is told, as a record of its own before the call's.
 *
 * Of opens only those whose file has a telling name: a look-up for each open that is told, and
 * nothing for those that are only counted. Stacks of calls by the 32-bit entry are not told.
 */
#pragma once

#include "lib/call.h"
#ifdef CALLS_ARE_32_BIT

static __always_inline void tell_stack_of_call(struct clew_header *call, struct pt_regs *regs)
{
}

static __always_inline bool has_telling_name(struct file *file)
{
	return false;
}

#else
#include "lib/stack.h"

/* A last part of a path, padded with NUL bytes. */
struct stack_name {
	u8 bytes[STACK_NAME_BYTES_MAX];
};

/* Last part of a path → nothing; written by user space at the start. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STACK_NAMES_MAX);
	__type(key, struct stack_name);
	__type(value, u8);
} stack_names SEC(".maps");

static __always_inline bool has_telling_name(struct file *file)
{
	struct stack_name name = {};
	struct dentry *dentry = FIELD(file, file, f_path.dentry);
	u32 size = FIELD(dentry, dentry, d_name.len);
	if (!size || size >= sizeof(name))
		return false;
	asm volatile("%0 &= 0x3f" : "+r"(size));
	if (bpf_probe_read_kernel(&name, size, FIELD(dentry, dentry, d_name.name)))
		return false;
	return bpf_map_lookup_elem(&stack_names, &name);
}

/* `call` is the header of the call's record, which goes up after this. */
static __always_inline void tell_stack_of_call(struct clew_header *call, struct pt_regs *regs)
{
	struct stack_scratch *s =
		begin_stack(STACK_AT_CALL, bpf_get_current_task_btf(), regs);
	if (!s)
		return;
	s->record.header.cgroup = call->cgroup;
	/* It stands before what it explains. */
	s->record.header.time_ns = call->time_ns - 1;
	s->record.of = call->sequence;
	send_stack(s);
}
#endif
