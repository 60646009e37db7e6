/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * socket: both ends of a socket as the kernel holds them, and what a descriptor leads to.
 */
#pragma once

#include <bpf/bpf_endian.h>
#include "lib/path.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
/* `sa_family` and a path of `struct sockaddr_un`. */
#define UNIX_FAMILY_BYTES 2

/* The socket behind `file`, or 0 where it is none. */
static __always_inline struct sock *sock_of(struct file *file)
{
	if (!file)
		return 0;
	struct inode *inode = FIELD(file, file, f_inode);
	if ((FIELD(inode, inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	if (FIELD(super_block, FIELD(inode, inode, i_sb), s_magic) != SOCKFS_MAGIC)
		return 0;
	struct socket *socket = FIELD(file, file, private_data);
	return FIELD(socket, socket, sk);
}

static __always_inline void put_endpoint(struct clew_endpoint *end, struct sock *sk)
{
	end->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	end->protocol = BPF_CORE_READ(sk, sk_protocol);
	if (end->family == AF_INET) {
		end->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
		end->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
		BPF_CORE_READ_INTO((u32 *)end->local, sk, __sk_common.skc_rcv_saddr);
		BPF_CORE_READ_INTO((u32 *)end->remote, sk, __sk_common.skc_daddr);
	} else if (end->family == AF_INET6) {
		end->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
		end->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
		BPF_CORE_READ_INTO((struct in6_addr *)end->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO((struct in6_addr *)end->remote, sk, __sk_common.skc_v6_daddr);
	}
}

/* Address of what a unix socket is connected to; 0 where there is none. */
static __always_inline struct unix_address *unix_peer_address(struct sock *sk)
{
	struct unix_sock *own = (struct unix_sock *)sk;
	struct unix_sock *peer = (struct unix_sock *)BPF_CORE_READ(own, peer);
	return peer ? BPF_CORE_READ(peer, addr) : 0;
}

static __always_inline void put_unix_address(struct scratch *s, struct clew_text *text,
					     struct unix_address *address)
{
	if (!address)
		return;
	int size = BPF_CORE_READ(address, len);
	if (size <= UNIX_FAMILY_BYTES)
		return;
	put_kernel_bytes(s, text, &address->name[0].sun_path, size - UNIX_FAMILY_BYTES);
}

/* Path of a unix socket: its own, or that of the peer it is connected to. */
static __always_inline void put_unix_path(struct scratch *s, struct clew_text *text,
					  struct sock *sk)
{
	struct unix_sock *own = (struct unix_sock *)sk;
	struct unix_address *address = BPF_CORE_READ(own, addr);
	put_unix_address(s, text, address ? address : unix_peer_address(sk));
}

/* What `file` is. A subprogram, because an exec asks three times. */
static __noinline int put_target(struct scratch *s, struct clew_target *target, struct file *file)
{
	if (!file)
		return 0;
	struct inode *inode = FIELD(file, file, f_inode);
	u32 type = FIELD(inode, inode, i_mode) & S_IFMT;
	struct sock *sk = sock_of(file);
	if (sk) {
		put_endpoint(&target->endpoint, sk);
		if (target->endpoint.family == AF_UNIX) {
			target->kind = TARGET_UNIX;
			put_unix_path(s, &target->text, sk);
		} else if (target->endpoint.family == AF_INET ||
			   target->endpoint.family == AF_INET6) {
			target->kind = TARGET_INTERNET;
		} else {
			target->kind = TARGET_OTHER;
		}
		return 0;
	}
	if (type == S_IFIFO) {
		target->kind = TARGET_PIPE;
		return 0;
	}
	bool is_anonymous = FIELD(super_block, FIELD(inode, inode, i_sb), s_magic) == ANON_INODE_MAGIC;
	target->kind = is_anonymous ? TARGET_OTHER : TARGET_FILE;
	put_file_path(s, &target->text, file);
	return 0;
}
