/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * text: appends strings to a record and notes where they lie.
 *
 * A text that does not fit is left out and marked, memory that cannot be read is marked and
 * counted; the record goes up in any case.
 */
#pragma once

#include "lib/record.h"

/* Where the next text may begin; false where the record is full. */
static __always_inline bool text_start(struct scratch *s, struct clew_text *text, u32 *at)
{
	u32 cursor = s->cursor;
	if (cursor > TEXT_START_MAX) {
		text->flags |= TEXT_TRUNCATED;
		return false;
	}
	asm volatile("%0 &= 0x3fff" : "+r"(cursor));
	text->offset = cursor;
	*at = cursor;
	return true;
}

/* Notes `size` bytes as the text. */
static __always_inline void text_end(struct scratch *s, struct clew_text *text, u32 size)
{
	text->size = size;
	s->cursor += size;
}

/* A NUL-terminated string of the caller. `size_max` counts the NUL. */
static __always_inline void put_user_string(struct scratch *s, struct clew_text *text,
					    const void *from, u32 size_max)
{
	u32 at;
	if (!from || !text_start(s, text, &at))
		return;
	long size = bpf_probe_read_user_str(&s->bytes[at], size_max, from);
	if (size <= 0) {
		text->flags |= TEXT_UNREAD;
		count_unread();
		return;
	}
	if (size == size_max)
		text->flags |= TEXT_TRUNCATED;
	text_end(s, text, size - 1);
}

/* A NUL-terminated string of the kernel. */
static __always_inline void put_kernel_string(struct scratch *s, struct clew_text *text,
					      const void *from, u32 size_max)
{
	u32 at;
	if (!from || !text_start(s, text, &at))
		return;
	long size = bpf_probe_read_kernel_str(&s->bytes[at], size_max, from);
	if (size <= 0) {
		text->flags |= TEXT_UNREAD;
		count_unread();
		return;
	}
	if (size == size_max)
		text->flags |= TEXT_TRUNCATED;
	text_end(s, text, size - 1);
}

/* `size` bytes of the caller, at most 4096. */
static __always_inline void put_user_bytes(struct scratch *s, struct clew_text *text,
					   const void *from, u64 size)
{
	u32 at;
	if (!from || !size || !text_start(s, text, &at))
		return;
	if (size > PATH_BYTES_MAX - 1) {
		size = PATH_BYTES_MAX - 1;
		text->flags |= TEXT_TRUNCATED;
	}
	asm volatile("%0 &= 0xfff" : "+r"(size));
	if (bpf_probe_read_user(&s->bytes[at], size, from)) {
		text->flags |= TEXT_UNREAD;
		count_unread();
		return;
	}
	text_end(s, text, size);
}

/* `size` bytes of the kernel, at most 255. */
static __always_inline void put_kernel_bytes(struct scratch *s, struct clew_text *text,
					     const void *from, u32 size)
{
	u32 at;
	if (!from || !size || !text_start(s, text, &at))
		return;
	asm volatile("%0 &= 0xff" : "+r"(size));
	if (bpf_probe_read_kernel(&s->bytes[at], size, from))
		return;
	text_end(s, text, size);
}
