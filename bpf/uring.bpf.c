/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * uring: the part that sees io_uring; loaded by itself, because its hooks differ between kernels.
 *
 * Hook:   tp_btf/io_uring_{submit_req,complete}; kernel >= 6.3. It shares the maps of t0 and t0s.
 * Emits:  files and sockets.
 * Cost:   none for system calls.
 * Loses:  what its part says.
 */
#include "uring.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
