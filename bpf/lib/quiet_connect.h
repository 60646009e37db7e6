/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * quiet_connect: connects that no rule can match, whoever makes them.
 *
 * As opens are (lib/quiet.h): judged once by user space, then counted and nothing else. The key
 * holds the result, the kind of socket and the other end as the kernel's socket has it: all that
 * such a verdict depends on. Our own end is no part of it, and no verdict depends on that.
 */
#pragma once

#include "lib/call.h"
#include "lib/socket.h"

#define EINPROGRESS 115
#define UNIX_PATH_BYTES 108

_Static_assert(sizeof(struct clew_quiet_connect_key) == sizeof(struct clew_quiet_key),
	       "both lie in one table");

/* The other end of an internet socket; false where a record would tell it by something else.
 *
 * A connect that failed is told without it: the socket may have lost it already. That of an IPv6
 * socket may have been to either family. */
static __always_inline bool put_key_peer(struct clew_quiet_connect_key *key, struct sock *sk,
					 bool is_done)
{
	u32 *peer = (u32 *)key->peer;
	if (!is_done)
		return key->family == AF_INET;
	key->port = bpf_ntohs(FIELD(sock, sk, __sk_common.skc_dport));
	if (!key->port)
		return false;
	if (key->family == AF_INET) {
		peer[0] = FIELD(sock, sk, __sk_common.skc_daddr);
		return true;
	}
	BPF_CORE_READ_INTO((struct in6_addr *)peer, sk, __sk_common.skc_v6_daddr);
	if (!peer[0] && !peer[1] && peer[2] == bpf_htonl(0xffff)) {
		key->family = AF_INET;
		peer[0] = peer[3];
		peer[2] = 0;
		peer[3] = 0;
	}
	return true;
}

/* The path of the other end: the kernel's, and that given where it has none because the connect
 * failed. Abstract names, which may end in NUL bytes, are not kept back. */
static __always_inline bool put_key_path_of_peer(struct clew_quiet_connect_key *key,
						 struct sock *sk, struct pt_regs *regs)
{
	u8 *path = (u8 *)key->peer;
	struct unix_address *address = unix_peer_address(sk);
	u32 size = address ? BPF_CORE_READ(address, len) : (u32)ARGUMENT_2(regs);
	size -= UNIX_FAMILY_BYTES;
	if (!size || size > UNIX_PATH_BYTES)
		return false;
	asm volatile("%0 &= 0x7f" : "+r"(size));
	if (address)
		return !bpf_probe_read_kernel(path, size, &address->name[0].sun_path) && *path;
	const void *given = (const void *)ARGUMENT_1(regs);
	u16 family = 0;
	if (bpf_probe_read_user(&family, sizeof(family), given) || family != AF_UNIX)
		return false;
	return key->result < 0 &&
	       !bpf_probe_read_user(path, size, given + UNIX_FAMILY_BYTES) && *path;
}

/* Whether the connect of `sk` is quiet; if so it is counted. */
static __always_inline bool is_quiet_connect(struct pt_regs *regs, long result, struct sock *sk)
{
	u32 zero = 0, generation = quiet_generation();
	struct quiet_scratch *s = bpf_map_lookup_elem(&quiet_scratch, &zero);
	if (!s || !generation)
		return false;
	struct clew_quiet_connect_key *key = (void *)&s->key;
	__builtin_memset(key, 0, sizeof(*key));
	key->syscall = NUMBER(regs);
	key->result = result;
	key->family = FIELD(sock, sk, __sk_common.skc_family);
	key->protocol = FIELD(sock, sk, sk_protocol);
	key->socket_type = FIELD(sock, sk, sk_type);
	if (key->family == AF_UNIX) {
		if (!put_key_path_of_peer(key, sk, regs))
			return false;
	} else if (key->family == AF_INET || key->family == AF_INET6) {
		if (!put_key_peer(key, sk, !result || result == -EINPROGRESS))
			return false;
	} else {
		return false;
	}
	struct clew_quiet_mark *mark = bpf_map_lookup_elem(&quiet, &s->key);
	return mark && mark->generation >> 1 == generation && keep_back(mark, KIND_SOCKET);
}
