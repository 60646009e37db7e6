/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * call: what every handler of a system call begins with.
 *
 * A handler is reached by tail call from `on_sys_exit`, when the call has returned; the arguments
 * still lie in the saved registers. Memory they point at may have been changed by another thread
 * meanwhile, so whatever is read from there is a hint.
 */
#pragma once

#include "lib/quiet.h"
#include "lib/task.h"

#ifndef __TARGET_ARCH_x86
#error "registers and numbers of system calls are those of x86-64"
#endif

#ifdef CALLS_ARE_32_BIT
#include "lib/compat.h"
#else
#define ARGUMENT_0(regs) ((regs)->di)
#define ARGUMENT_1(regs) ((regs)->si)
#define ARGUMENT_2(regs) ((regs)->dx)
#define ARGUMENT_3(regs) ((regs)->r10)
#define ARGUMENT_4(regs) ((regs)->r8)
#define ARGUMENT_5(regs) ((regs)->r9)
/* Set in the number of a call of the x32 ABI, which otherwise has the same numbers. */
#define X32_BIT 0x40000000
#define NUMBER(regs) ((u32)(regs)->orig_ax & ~X32_BIT)
/* `struct user_msghdr` as far as it is read, `struct iovec`, and a pointer. */
struct given_msghdr {
	u64 msg_name;
	u32 msg_namelen, padding;
	u64 msg_iov, msg_iovlen;
};
struct given_iovec {
	u64 iov_base, iov_len;
};
typedef u64 given_pointer;
/* Where `struct mmsghdr` has the length of the message. */
#define MESSAGE_HEADER_BYTES 56
#endif
#define AT_FDCWD -100

/* Bits of classes of calls that failed stand above those of calls that succeeded. */
#define CLASS_FAILED 4

SCRATCH(call_scratch);

/* System call number → wanted classes, one bit each (`CallClass` of clew-event); written by user
 * space at the start and whenever the rules change. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SYSCALLS_MAX);
	__type(key, u32);
	__type(value, u32);
} interest SEC(".maps");

/* What is wanted of calls of that number. */
static __always_inline u32 interest_in(u32 number)
{
	u32 *wanted = bpf_map_lookup_elem(&interest, &number);
	return wanted ? *wanted : 0;
}

/* The bit of a class of calls. `detail` are the flags of an open, the kind of socket of a send or
 * receive, else 0. */
static __always_inline u32 class_bit(u32 detail, long result)
{
	return 1u << ((detail & O_ACCMODE) + (result < 0 ? CLASS_FAILED : 0));
}

/* Whether calls of that number are wanted. */
static __always_inline bool is_number_wanted(u32 number, u32 detail, long result)
{
	return interest_in(number) & class_bit(detail, result);
}

/* Whether calls like this one are wanted. */
static __always_inline bool is_wanted(struct pt_regs *regs, u32 flags, long result)
{
	return is_number_wanted(NUMBER(regs), flags, result);
}

/* Whether the current task is the sensor, which leaves itself out. */
static __always_inline bool is_own(void)
{
	struct clew_config *set = settings();
	return !set || (bpf_get_current_task_btf()->tgid == set->own_tgid && !set->is_own_reported);
}

/* Begins a record on the call that the current task returns from; 0 where none is wanted. */
static __always_inline struct scratch *begin_call(u16 kind, u32 size, struct pt_regs *regs,
						  long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	if (is_own())
		return 0;
	struct scratch *s = begin(&call_scratch, size);
	if (!s)
		return 0;
	if (!identify(&s->header, kind, task))
		return 0;
	s->header.cgroup = cgroup_of(task);
	s->header.syscall = NUMBER(regs);
	s->header.result = result;
	note_root(s, task);
	return s;
}

/* Appends the directory that `given` starts from, where it is relative. */
static __always_inline void put_base(struct scratch *s, struct clew_text *base,
				     struct clew_text *given, int directory)
{
	u32 at = given->offset & TEXT_START_MAX;
	struct task_struct *task = bpf_get_current_task_btf();
	if (!given->size || s->bytes[at] == '/')
		return;
	if (directory == AT_FDCWD) {
		put_cwd(s, base, task);
		return;
	}
	struct file *file = file_of(task, directory);
	if (file)
		put_file_path(s, base, file);
}
