/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * sockets: reports sockets made, connected, accepted and bound, datagrams sent, and descriptors
 * put on standard input, output or error.
 *
 * Hook:   tail call from tp_btf/sys_exit; kernel >= 5.12.
 * Emits:  struct clew_socket on the bulk ring, struct clew_descriptor on the priority ring. Both
 *         ends are those of the kernel's socket; the address given is added as a hint.
 * Cost:   per call one descriptor look-up; a send on a stream socket ends there.
 * Loses:  a record when the ring is full, counted in counts.dropped[kind].
 */
#include "lib/call.h"

#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_TYPE_MASK 0xf

enum {
	NR_SOCKET = 41,
	NR_CONNECT = 42,
	NR_ACCEPT = 43,
	NR_SENDTO = 44,
	NR_BIND = 49,
	NR_ACCEPT4 = 288,
};

static __always_inline void put_socket(struct scratch *s, struct clew_socket *record,
				       struct sock *sk)
{
	put_endpoint(&record->endpoint, sk);
	record->socket_type = BPF_CORE_READ(sk, sk_type);
	record->protocol = record->endpoint.protocol;
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
	bool is_new = number == NR_SOCKET || number == NR_ACCEPT || number == NR_ACCEPT4;
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
			put_socket(s, record, sk);
	}
	if (number == NR_CONNECT || number == NR_BIND)
		put_address(s, &record->given, ARGUMENT_1(regs), (u32)ARGUMENT_2(regs));
	send(&ring_bulk, s);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_datagram, struct pt_regs *regs, long result)
{
	if (!is_wanted(regs, 0, result))
		return 0;
	struct sock *sk = sock_of(file_of(bpf_get_current_task_btf(), ARGUMENT_0(regs)));
	if (!sk)
		return 0;
	u16 type = BPF_CORE_READ(sk, sk_type);
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((type != SOCK_DGRAM && type != SOCK_RAW) || (family != AF_INET && family != AF_INET6))
		return 0;
	struct scratch *s = begin_call(KIND_SOCKET, sizeof(struct clew_socket), regs, result);
	if (!s)
		return 0;
	struct clew_socket *record = (struct clew_socket *)s->bytes;
	record->descriptor = ARGUMENT_0(regs);
	put_socket(s, record, sk);
	if (NUMBER(regs) == NR_SENDTO) {
		put_address(s, &record->given, ARGUMENT_4(regs), (u32)ARGUMENT_5(regs));
	} else {
		/* `sendmmsg` begins with the same struct; its first message is told. */
		struct given_msghdr message = {};
		bpf_probe_read_user(&message, sizeof(message), (const void *)ARGUMENT_1(regs));
		put_address(s, &record->given, (u64)message.msg_name, (u32)message.msg_namelen);
	}
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
