/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * compat: numbers and arguments of a call by the 32-bit entry, told as those of the 64-bit one.
 *
 * The programs of t0s are compiled a second time with these. A number is looked up in a table of
 * user space; arguments lie in other registers. `socketcall` is one number for all calls on
 * sockets: its arguments lie in user memory and are hints, the socket they lead to is the truth.
 */
#pragma once

#define COMPAT_SOCKETCALL 102
#define COMPAT_SEND 9
#define COMPAT_RECV 10
/* The calls within `socketcall` stand behind the numbers. */
#define COMPAT_KEY(regs)                                                                           \
	((u32)(regs)->orig_ax == COMPAT_SOCKETCALL ?                                               \
		 SYSCALLS_MAX + ((u32)(regs)->bx & (SOCKETCALLS_MAX - 1)) :                        \
		 (u32)(regs)->orig_ax)

/* Number of the 32-bit ABI, or its place within `socketcall` → number of x86-64; written by user
 * space before the programs are attached. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SYSCALLS_MAX + SOCKETCALLS_MAX);
	__type(key, u32);
	__type(value, u32);
} compat_numbers SEC(".maps");

static __always_inline u32 native_number(struct pt_regs *regs)
{
	u32 key = COMPAT_KEY(regs);
	u32 *number = bpf_map_lookup_elem(&compat_numbers, &key);
	return number ? *number : NO_SYSCALL;
}

static __always_inline u64 argument(struct pt_regs *regs, u32 place, u64 in_register)
{
	u32 value = 0, call = regs->bx;
	if ((u32)regs->orig_ax != COMPAT_SOCKETCALL)
		return (u32)in_register;
	/* `send` and `recv` are told as `sendto` and `recvfrom`, but take no address. */
	if ((call == COMPAT_SEND || call == COMPAT_RECV) && place > 3)
		return 0;
	bpf_probe_read_user(&value, sizeof(value), (void *)(u64)((u32)regs->cx + 4 * place));
	return value;
}

#define NUMBER(regs) native_number(regs)
#define ARGUMENT_0(regs) argument(regs, 0, (regs)->bx)
#define ARGUMENT_1(regs) argument(regs, 1, (regs)->cx)
#define ARGUMENT_2(regs) argument(regs, 2, (regs)->dx)
#define ARGUMENT_3(regs) argument(regs, 3, (regs)->si)
#define ARGUMENT_4(regs) argument(regs, 4, (regs)->di)
#define ARGUMENT_5(regs) argument(regs, 5, (regs)->bp)

/* `struct compat_msghdr` as far as it is read, `struct compat_iovec`, and a pointer. */
struct given_msghdr {
	u32 msg_name, msg_namelen, msg_iov, msg_iovlen;
};
struct given_iovec {
	u32 iov_base, iov_len;
};
typedef u32 given_pointer;
#define MESSAGE_HEADER_BYTES 28
