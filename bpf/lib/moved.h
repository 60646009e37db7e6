/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * moved: what a call moved through a stream, and where in the caller's memory it lies.
 *
 * A call that only looks at what waits, or takes it out of the order, moves nothing. What is moved
 * between kernel objects, or discarded unread, has a length and no bytes.
 */
#pragma once

#include "lib/call.h"

#define MSG_OOB 0x1
#define MSG_PEEK 0x2
#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000
/* Messages of one call for many that are counted. */
#define MESSAGES_MAX 16
#define MESSAGE_BYTES 64

enum {
	NR_READ = 0,
	NR_WRITE = 1,
	NR_READV = 19,
	NR_WRITEV = 20,
	NR_SENDFILE = 40,
	NR_SENDTO = 44,
	NR_RECVFROM = 45,
	NR_SENDMSG = 46,
	NR_RECVMSG = 47,
	NR_SPLICE = 275,
	NR_RECVMMSG = 299,
	NR_SENDMMSG = 307,
	NR_PREADV2 = 327,
	NR_PWRITEV2 = 328,
};

enum { RECEIVED = 0, SENT = 1 };

/* What one call moved, and where it lies in the caller's memory. */
struct moved {
	u64 pieces, pieces_count, bytes;
	/* The only piece, where it is given by itself; else the one looked at, and the one behind it,
	 * without bytes where that is not known. */
	struct given_iovec piece, following;
	/* How much of the piece was told. */
	u64 piece_told;
	u32 place, direction;
	/* Bytes that may be copied. */
	u32 copied_max;
	/* 1 where the bytes are nowhere in the caller's memory. */
	u32 is_elsewhere;
};

/* Reads the header of one message, or of the first of many. */
static __always_inline void read_message(struct moved *call, u64 from)
{
	struct given_msghdr message = {};
	bpf_probe_read_user(&message, sizeof(message), (const void *)from);
	call->pieces = message.msg_iov;
	call->pieces_count = message.msg_iovlen;
}

/* Sums up what many messages moved; only the first one's bytes are told. */
static __always_inline void read_messages(struct moved *call, u64 from, long count)
{
	read_message(call, from);
	call->bytes = 0;
	for (u32 i = 0; i < MESSAGES_MAX && i < count; i++) {
		u32 size = 0;
		bpf_probe_read_user(&size, sizeof(size),
				    (const void *)(from + i * MESSAGE_BYTES + MESSAGE_HEADER_BYTES));
		call->bytes += size;
	}
}

/* What the call is about; false where it moved nothing through the stream. */
static __always_inline bool read_call(struct moved *call, struct pt_regs *regs, u32 number,
				      long result)
{
	u32 flags = 0;
	call->bytes = result;
	switch (number) {
	case NR_SENDTO:
	case NR_RECVFROM:
		flags = ARGUMENT_3(regs);
		/* Falls through. */
	case NR_READ:
	case NR_WRITE:
		call->piece.iov_base = ARGUMENT_1(regs);
		call->piece.iov_len = ARGUMENT_2(regs);
		break;
	case NR_READV:
	case NR_WRITEV:
	case NR_PREADV2:
	case NR_PWRITEV2:
		call->pieces = ARGUMENT_1(regs);
		call->pieces_count = ARGUMENT_2(regs);
		break;
	case NR_SENDMSG:
	case NR_RECVMSG:
		flags = ARGUMENT_2(regs);
		read_message(call, ARGUMENT_1(regs));
		break;
	case NR_SENDMMSG:
	case NR_RECVMMSG:
		flags = ARGUMENT_3(regs);
		read_messages(call, ARGUMENT_1(regs), result);
		break;
	default:
		call->is_elsewhere = true;
	}
	if (call->direction == RECEIVED && flags & MSG_TRUNC)
		call->is_elsewhere = true;
	return !(flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE));
}

static __always_inline u32 direction_of(u32 number)
{
	return number == NR_WRITE || number == NR_WRITEV || number == NR_SENDFILE ||
	       number == NR_SENDTO || number == NR_SENDMSG || number == NR_SENDMMSG ||
	       number == NR_PWRITEV2;
}

/* Finds the piece that comes next; a piece without bytes where there is none. */
static __always_inline void next_piece(struct moved *call)
{
	const void *from = (const void *)(call->pieces + call->place * sizeof(call->piece));
	call->piece_told = 0;
	call->place++;
	if ((!call->pieces && call->place == 1) || call->is_elsewhere)
		return;
	call->piece = call->following;
	call->following.iov_len = 0;
	if (call->piece.iov_len)
		return;
	/* Two at once, for each read has its price. */
	if (call->place < call->pieces_count &&
	    !bpf_probe_read_user(&call->piece, 2 * sizeof(call->piece), from))
		return;
	call->following.iov_len = 0;
	if (call->place > call->pieces_count ||
	    bpf_probe_read_user(&call->piece, sizeof(call->piece), from))
		call->piece.iov_len = 0;
}
