/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trial_t2: asks the kernel whether it lets a program take part in security decisions.
 *
 * Hook:   lsm/file_open; kernel >= 5.7 with `bpf` in its list of LSMs.
 * Emits:  nothing.
 * Cost:   attached for a moment, by `clew doctor` only.
 * Loses:  nothing.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("lsm/file_open")
int BPF_PROG(trial, struct file *file)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
