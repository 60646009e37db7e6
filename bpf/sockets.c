/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * sockets: reports sockets made, connected, accepted and bound, what is sent and received on them,
 * and descriptors put on standard input, output or error.
 *
 * Hook:   tail call from tp_btf/sys_exit; kernel >= 5.12.
 * Emits:  struct clew_socket on the bulk ring, struct clew_descriptor on the priority ring. Both
 *         ends are those of the kernel's socket; the address given is added as a hint.
 * Cost:   per call one descriptor look-up; a send or receive on a kind of socket that no rule asks
 *         for ends there, and its first bytes are read only where a rule asks for them.
 * Loses:  a record when the ring is full, counted in counts.dropped[kind]. A connect that user space
 *         found quiet is kept back, counted in counts.quieted[KIND_SOCKET].
 */
#include "lib/quiet_connect.h"
#include "lib/stack_of_call.h"

#define SOCK_TYPE_MASK 0xf

enum {
	NR_SOCKET = 41,
	NR_SENDTO = 44,
	NR_RECVFROM = 45,
	NR_BIND = 49,
	NR_LISTEN = 50,
	NR_RECVMMSG = 299,
	NR_SENDMMSG = 307,
};

static __always_inline void put_socket(struct clew_socket *record, struct sock *sk)
{
	put_endpoint(&record->endpoint, sk);
	record->socket_type = BPF_CORE_READ(sk, sk_type);
	record->protocol = record->endpoint.protocol;
}

static __always_inline void put_socket_and_path(struct scratch *s, struct clew_socket *record,
						struct sock *sk)
{
	put_socket(record, sk);
	if (record->endpoint.family == AF_UNIX)
		put_unix_path(s, &record->path, sk);
}

static __always_inline void put_address(struct scratch *s, struct clew_text *text, u64 from,
					u64 size)
{
	if (size > ADDRESS_BYTES_MAX)
		size = ADDRESS_BYTES_MAX;
	put_user_bytes(s, text, (const void *)from, size);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_socket, struct pt_regs *regs, long result)
{
	if (!is_wanted(regs, 0, result))
		return 0;
	struct scratch *s = begin_call(KIND_SOCKET, sizeof(struct clew_socket), regs, result);
	if (!s)
		return 0;
	struct clew_socket *record = (struct clew_socket *)s->bytes;
	u32 number = NUMBER(regs);
	bool is_new = number != NR_BIND && number != NR_LISTEN;
	record->descriptor = is_new ? result : (int)ARGUMENT_0(regs);
	/* Of an accept that failed, the listening socket is told. */
	int asked = is_new && result < 0 ? (int)ARGUMENT_0(regs) : record->descriptor;
	if (number == NR_SOCKET && result < 0) {
		record->endpoint.family = ARGUMENT_0(regs);
		record->socket_type = ARGUMENT_1(regs) & SOCK_TYPE_MASK;
		record->protocol = ARGUMENT_2(regs);
	} else {
		struct sock *sk = sock_of(file_of(bpf_get_current_task_btf(), asked));
		if (sk)
			put_socket_and_path(s, record, sk);
	}
	if (number == NR_BIND)
		put_address(s, &record->given, ARGUMENT_1(regs), (u32)ARGUMENT_2(regs));
	send(&ring_bulk, s);
	return 0;
}

/* The path of a unix socket is the other end's, whatever name the caller's own has. */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_connect, struct pt_regs *regs, long result)
{
	if (!is_wanted(regs, 0, result) || is_own())
		return 0;
	struct sock *sk = sock_of(file_of(bpf_get_current_task_btf(), ARGUMENT_0(regs)));
	if (sk && is_quiet_connect(regs, result, sk))
		return 0;
	struct scratch *s = begin_call(KIND_SOCKET, sizeof(struct clew_socket), regs, result);
	if (!s)
		return 0;
	struct clew_socket *record = (struct clew_socket *)s->bytes;
	tell_stack_of_call(&s->header, regs);
	record->descriptor = ARGUMENT_0(regs);
	if (sk)
		put_socket(record, sk);
	if (sk && record->endpoint.family == AF_UNIX)
		put_unix_address(s, &record->path, unix_peer_address(sk));
	put_address(s, &record->given, ARGUMENT_1(regs), (u32)ARGUMENT_2(regs));
	send(&ring_bulk, s);
	return 0;
}

#define IPPROTO_TCP 6

/* The kind of socket that is sent to or received from, as `CallClass` of clew-event numbers it. */
static __always_inline u32 transfer_kind(struct sock *sk)
{
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return 2;
	return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP ? 1 : 0;
}

/* The first bytes of what was sent or received, put together from its pieces. `size` is what the
 * kernel says went through. */
static __always_inline void put_pieces(struct scratch *s, struct clew_text *text, u64 pieces,
				       u64 count, u64 size)
{
	u32 start, wanted = size < PAYLOAD_BYTES_MAX ? size : PAYLOAD_BYTES_MAX;
	if (!text_start(s, text, &start))
		return;
	for (u32 i = 0; i < PAYLOAD_PIECES_MAX && i < count; i++) {
		struct given_iovec piece = {};
		u32 at = s->cursor, left = wanted - (at - start);
		if (!left || left > PAYLOAD_BYTES_MAX || at > TEXT_START_MAX)
			break;
		const void *from = (const void *)(pieces + i * sizeof(piece));
		bpf_probe_read_user(&piece, sizeof(piece), from);
		u32 part = piece.iov_len < left ? piece.iov_len : left;
		asm volatile("%0 &= 0x7f" : "+r"(part));
		asm volatile("%0 &= 0x3fff" : "+r"(at));
		if (bpf_probe_read_user(&s->bytes[at], part, (const void *)(u64)piece.iov_base)) {
			text->flags |= TEXT_UNREAD;
			count_unread();
			break;
		}
		s->cursor = at + part;
	}
	text->size = s->cursor - start;
}

/* Where the other end's address and what was sent or received lie in the caller's memory. */
struct transfer {
	u64 address, pieces, pieces_count;
	u32 address_size;
	/* The only piece, where it is given by itself. */
	struct given_iovec piece;
};

static __always_inline struct transfer transfer_of(struct pt_regs *regs)
{
	u32 number = NUMBER(regs);
	struct transfer call = {};
	if (number == NR_SENDTO || number == NR_RECVFROM) {
		call.address = ARGUMENT_4(regs);
		call.address_size = ARGUMENT_5(regs);
		if (number == NR_RECVFROM && ARGUMENT_5(regs))
			bpf_probe_read_user(&call.address_size, sizeof(call.address_size),
					    (const void *)ARGUMENT_5(regs));
		call.piece.iov_base = ARGUMENT_1(regs);
		call.piece.iov_len = ARGUMENT_2(regs);
		return call;
	}
	/* `sendmmsg` and `recvmmsg` begin with the same struct; their first message is told. */
	struct given_msghdr message = {};
	bpf_probe_read_user(&message, sizeof(message), (const void *)ARGUMENT_1(regs));
	call.address = message.msg_name;
	call.address_size = message.msg_namelen;
	call.pieces = message.msg_iov;
	call.pieces_count = message.msg_iovlen;
	return call;
}

static __always_inline void put_payload(struct scratch *s, struct clew_text *text,
					struct transfer *call, u64 size)
{
	if (call->pieces) {
		put_pieces(s, text, call->pieces, call->pieces_count, size);
		return;
	}
	u64 given = call->piece.iov_len;
	size = size < given ? size : given;
	put_user_bytes(s, text, (const void *)(u64)call->piece.iov_base,
		       size < PAYLOAD_BYTES_MAX ? size : PAYLOAD_BYTES_MAX);
}

/* Bytes that went through. The calls for many messages return how many those were, and the kernel
 * has written the first one's length behind its header. */
static __always_inline u64 message_size(struct pt_regs *regs, long result)
{
	u32 number = NUMBER(regs);
	u32 size = 0;
	if (number != NR_SENDMMSG && number != NR_RECVMMSG)
		return result;
	bpf_probe_read_user(&size, sizeof(size),
			    (const void *)(ARGUMENT_1(regs) + MESSAGE_HEADER_BYTES));
	return size;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_transfer, struct pt_regs *regs, long result)
{
	u32 wanted = interest_in(NUMBER(regs));
	struct sock *sk = sock_of(file_of(bpf_get_current_task_btf(), ARGUMENT_0(regs)));
	if (!sk || !(wanted & class_bit(transfer_kind(sk), result)))
		return 0;
	struct scratch *s = begin_call(KIND_SOCKET, sizeof(struct clew_socket), regs, result);
	if (!s)
		return 0;
	struct clew_socket *record = (struct clew_socket *)s->bytes;
	record->descriptor = ARGUMENT_0(regs);
	put_socket_and_path(s, record, sk);
	struct transfer call = transfer_of(regs);
	put_address(s, &record->given, call.address, call.address_size);
	if (wanted & INTEREST_PAYLOAD && result > 0)
		put_payload(s, &record->payload, &call, message_size(regs, result));
	send(&ring_bulk, s);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_dup, struct pt_regs *regs, long result)
{
	if (result < 0 || result > 2 || !is_wanted(regs, 0, result))
		return 0;
	struct scratch *s =
		begin_call(KIND_DESCRIPTOR, sizeof(struct clew_descriptor), regs, result);
	if (!s)
		return 0;
	struct clew_descriptor *record = (struct clew_descriptor *)s->bytes;
	record->old = ARGUMENT_0(regs);
	put_target(s, &record->target, file_of(bpf_get_current_task_btf(), result));
	send(&ring_priority, s);
	return 0;
}
