/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * stack: copies what lies above a thread's stack pointer, for user space to unwind.
 *
 * Most libraries are built without frame pointers, which is all that the kernel could follow; user
 * space has the tables by which exceptions unwind. Pages that are not in memory end the copy.
 */
#pragma once

#include "lib/record.h"

#define STACK_PAGE 4096
#define STACK_PAGES (STACK_BYTES_MAX / STACK_PAGE)

/* A stack on its way up. */
struct stack_scratch {
	struct clew_stack record;
	u8 bytes[STACK_BYTES_MAX];
};

/* 0 → the stack that a CPU tells. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stack_scratch);
} stack_scratch SEC(".maps");

/* Stacks that a CPU copied in a second. */
struct stack_second {
	u64 number, count;
};

/* 0 → the running second of a CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stack_second);
} stack_seconds SEC(".maps");

static __always_inline bool is_over_stacks(u64 now_ns)
{
	u32 zero = 0;
	struct stack_second *second = bpf_map_lookup_elem(&stack_seconds, &zero);
	if (!second)
		return true;
	u64 number = now_ns / 1000000000ull;
	if (second->number != number) {
		second->number = number;
		second->count = 0;
	}
	second->count++;
	return second->count > STACKS_PER_SECOND_MAX;
}

/* Bytes that were copied from `sp` on. */
static __always_inline u32 copy_stack(u8 *to, u64 sp)
{
	u32 first = STACK_PAGE - (sp & (STACK_PAGE - 1)), size = first;
	if (bpf_probe_read_user(to, first, (const void *)sp))
		return 0;
#pragma unroll
	for (int page = 0; page < STACK_PAGES - 1; page++) {
		/* Hidden, because the compiler makes an OR of the sum, which has no bound. */
		u32 before = page * STACK_PAGE;
		asm volatile("" : "+r"(before));
		size = first + before;
		if (bpf_probe_read_user(to + size, STACK_PAGE, (const void *)(sp + size)))
			return size;
	}
	return size + STACK_PAGE;
}

/* Begins a stack of `task`, whose registers are `regs`; 0 where none is told. */
static __always_inline struct stack_scratch *begin_stack(u32 moment, struct task_struct *task,
							 struct pt_regs *regs)
{
	u32 zero = 0;
	struct clew_config *set = settings();
	struct mm_struct *mm = task->mm;
	if (!set || !set->has_stacks || !mm)
		return 0;
	if (task->tgid == set->own_tgid && !set->is_own_reported)
		return 0;
	struct stack_scratch *s = bpf_map_lookup_elem(&stack_scratch, &zero);
	if (!s)
		return 0;
	__builtin_memset(&s->record, 0, sizeof(s->record));
	if (!identify(&s->record.header, KIND_STACK, task))
		return 0;
	if (is_over_stacks(s->record.header.time_ns)) {
		count_dropped(KIND_STACK);
		return 0;
	}
	s->record.moment = moment;
	s->record.image = mm->arg_start;
	s->record.ip = BPF_CORE_READ(regs, ip);
	s->record.sp = BPF_CORE_READ(regs, sp);
	s->record.bp = BPF_CORE_READ(regs, bp);
	return s;
}

static __always_inline void send_stack(struct stack_scratch *s)
{
	u32 size = copy_stack(s->bytes, s->record.sp);
	s->record.bytes.offset = sizeof(s->record);
	s->record.bytes.size = size;
	size += sizeof(s->record);
	if (size > sizeof(*s))
		size = sizeof(*s);
	send_fixed(&ring_stream, &s->record.header, size);
}
