/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * exec_failed: reports programs that were asked for and not put in place.
 *
 * Hook:   tail call from tp_btf/sys_exit; kernel >= 5.12.
 * Emits:  struct clew_exec_failed on the bulk ring, so that a flood of failures cannot push out
 *         the programs that run.
 * Cost:   per failure one copy of the path, the working directory and at most
 *         FAILED_ARGUMENTS_MAX arguments; an exec that succeeds ends at its result.
 * Loses:  a record when the ring is full, counted in counts.dropped[KIND_EXEC_FAILED]. Arguments
 *         are hints, and those that the kernel had not yet read may be marked as unread.
 */
#include "lib/call.h"

enum {
	NR_EXECVEAT = 322,
};

/* The arguments that `list` points at, each ended by a NUL byte. */
static __always_inline void put_arguments(struct scratch *s, struct clew_text *text, u64 list)
{
	u32 start;
	if (!list || !text_start(s, text, &start))
		return;
	text->flags |= TEXT_TRUNCATED;
	for (u32 i = 0; i < FAILED_ARGUMENTS_MAX; i++) {
		given_pointer argument = 0;
		u32 at = s->cursor;
		if (at - start > ARGV_BYTES_MAX || at > TEXT_START_MAX)
			break;
		const void *place = (const void *)(list + i * sizeof(argument));
		if (bpf_probe_read_user(&argument, sizeof(argument), place)) {
			text->flags |= TEXT_UNREAD;
			count_unread();
			break;
		}
		if (!argument) {
			text->flags &= ~TEXT_TRUNCATED;
			break;
		}
		asm volatile("%0 &= 0x3fff" : "+r"(at));
		long size = bpf_probe_read_user_str(&s->bytes[at], PATH_BYTES_MAX,
						    (const void *)(u64)argument);
		if (size <= 0) {
			text->flags |= TEXT_UNREAD;
			count_unread();
			break;
		}
		s->cursor = at + size;
	}
	text->size = s->cursor - start;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_exec_failed, struct pt_regs *regs, long result)
{
	if (result >= 0 || !is_wanted(regs, 0, result))
		return 0;
	struct scratch *s =
		begin_call(KIND_EXEC_FAILED, sizeof(struct clew_exec_failed), regs, result);
	if (!s)
		return 0;
	struct clew_exec_failed *record = (struct clew_exec_failed *)s->bytes;
	bool is_at = NUMBER(regs) == NR_EXECVEAT;
	put_user_string(s, &record->filename,
			(const void *)(is_at ? ARGUMENT_1(regs) : ARGUMENT_0(regs)),
			PATH_BYTES_MAX);
	put_cwd(s, &record->cwd, bpf_get_current_task_btf());
	put_arguments(s, &record->argv, is_at ? ARGUMENT_2(regs) : ARGUMENT_1(regs));
	send(&ring_bulk, s);
	return 0;
}
