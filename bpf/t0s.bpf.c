/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * t0s: the tier that sees system calls where fentry and LSM programs are refused.
 *
 * Hook:   tp_btf/sys_exit; kernel >= 5.12. It shares the maps of t0.
 * Emits:  files, sockets, descriptors, privileges, calls on the kernel, programs that failed.
 * Cost:   every system call of the machine passes the dispatcher.
 * Loses:  what its parts say.
 */
#include "dispatch.c"
#include "file.c"
#include "sockets.c"
#include "privilege.c"
#include "exec_failed.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
