/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trial_t1: asks the kernel whether it lets a program watch a kernel function.
 *
 * Hook:   fentry/security_file_open; kernel >= 5.5 with CONFIG_FUNCTION_TRACER.
 * Emits:  nothing.
 * Cost:   attached for a moment, by `clew doctor` only.
 * Loses:  nothing.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("fentry/security_file_open")
int BPF_PROG(trial, struct file *file)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
