/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * t0: the tier that loads wherever there is BTF and a ring buffer.
 *
 * Hook:   those of process, cgroup and tasks.
 * Emits:  processes and cgroups.
 * Cost:   none for system calls other than fork, exec, exit and changes of cgroups.
 * Loses:  what its parts say.
 */
#include "process.c"
#include "cgroup.c"
#include "tasks.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
