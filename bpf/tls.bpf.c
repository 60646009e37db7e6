/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * tls: reports the plain text that TLS libraries take and give, and the socket it belongs to.
 *
 * Hook:   uprobe (multi where the kernel has it) on functions of OpenSSL, BoringSSL, GnuTLS and Go;
 *         tp_btf/sys_exit and tp_btf/sched_process_{fork,exec,exit}; kernel >= 5.15.
 * Emits:  struct clew_stream with STREAM_TLS on the ring of streams; on `tls_news` what user space
 *         has to look at: processes that began, mapped a file, or ended.
 * Cost:   nothing while no workload is selected. Else one trap a write and two a read for whoever
 *         uses the same library file, and a look-up for each read, write or map of the machine.
 * Loses:  records as stream.h says; a piece of news when its ring is full, counted in `tls_missed`,
 *         upon which user space looks at every process. Plain text that moves by other functions
 *         (SSL_sendfile, early data) is not seen.
 *
 * A library does not say which socket an object belongs to. A socket read while a thread is inside
 * the library's read is the object's own: that is proof. Programs that read the socket themselves
 * and hand the bytes over (Node) get the socket on which their thread last saw a TLS record. Go's
 * object leads to its descriptor.
 */
#include "lib/tls_session.h"

/* The session of an object of the current thread. Its socket is found out with its first piece: by
 * then a handshake was read. Where it was not, the session keeps its number when it is. */
static __always_inline struct tls_session *session_of_thread(u64 object, bool is_sent)
{
	struct tls_key key = { .object = object, .tgid = bpf_get_current_task_btf()->tgid };
	u32 tid = bpf_get_current_task_btf()->pid;
	struct tls_session *session = bpf_map_lookup_elem(&tls_sessions, &key);
	struct tls_thread *thread = bpf_map_lookup_elem(&tls_threads, &tid);
	if (!session)
		return begin_session(&key, thread ? &thread->socket : 0, is_sent);
	if (!session->socket.address && thread)
		session->socket = thread->socket;
	return session;
}

/* As above, where the socket that was read meanwhile is the object's: another one means that the
 * object was used again. */
static __always_inline struct tls_session *session_of_read(struct tls_read *read)
{
	struct tls_key key = { .object = read->object, .tgid = bpf_get_current_task_btf()->tgid };
	u32 tid = bpf_get_current_task_btf()->pid;
	struct tls_session *session = session_of_thread(read->object, false);
	struct tls_thread *thread = bpf_map_lookup_elem(&tls_threads, &tid);
	if (!session || !read->has_socket || !thread)
		return session;
	if (is_same_socket(&session->socket, &thread->socket))
		return session;
	return begin_session(&key, &thread->socket, false);
}

SEC("uprobe")
int on_tls_write(struct pt_regs *ctx)
{
	u64 object = ctx->di, size = (u32)ctx->dx, told = 0;
	u32 tid = bpf_get_current_task_btf()->pid;
	if (!is_watched() || !size || (int)size < 0)
		return 0;
	struct tls_session *session = session_of_thread(object, true);
	if (!session)
		return 0;
	if (session->is_refused) {
		/* What the socket did not take is given again, with what came since. */
		told = session->refused_size < size ? session->refused_size : size;
		session->is_refused = 0;
	}
	session->refused_size = size;
	struct tls_thread *thread = bpf_map_lookup_elem(&tls_threads, &tid);
	if (thread) {
		thread->object = object;
		thread->stack = ctx->sp;
		bpf_probe_read_user(&thread->caller, sizeof(thread->caller), (void *)ctx->sp);
	}
	if (told < size)
		tell(session, ctx->si + told, size - told, true);
	return 0;
}

static __always_inline int begin_read(struct pt_regs *ctx, u64 size_at)
{
	struct tls_caller caller = caller_thread();
	struct tls_read read = { .object = ctx->di, .buffer = ctx->si, .size_at = size_at };
	if (is_watched())
		bpf_map_update_elem(&tls_reads, &caller, &read, BPF_ANY);
	return 0;
}

SEC("uprobe")
int on_tls_read(struct pt_regs *ctx)
{
	return begin_read(ctx, 0);
}

/* The size that was read is written to where the fourth argument points. */
SEC("uprobe")
int on_tls_read_ex(struct pt_regs *ctx)
{
	return begin_read(ctx, ctx->cx);
}

SEC("uprobe")
int on_tls_read_done(struct pt_regs *ctx)
{
	struct tls_caller caller = caller_thread();
	struct tls_read *held = bpf_map_lookup_elem(&tls_reads, &caller);
	if (!held)
		return 0;
	struct tls_read read = *held;
	bpf_map_delete_elem(&tls_reads, &caller);
	int result = ctx->ax;
	u64 size = result;
	if (result <= 0)
		return 0;
	if (read.size_at &&
	    bpf_probe_read_user(&size, sizeof(size), (const void *)read.size_at))
		return 0;
	struct tls_session *session = session_of_read(&read);
	if (session)
		tell(session, read.buffer, size, false);
	return 0;
}

/* The object is given back: another connection may have it next. */
SEC("uprobe")
int on_tls_free(struct pt_regs *ctx)
{
	struct tls_key key = { .object = ctx->di, .tgid = bpf_get_current_task_btf()->tgid };
	if (is_watched())
		end_session(&key);
	return 0;
}

/* --- Go: receiver and slice in AX, BX, CX; the running goroutine in R14 (its ABIInternal) ------- */

/* The session of a `crypto/tls.Conn`, which another connection may have had before. */
static __always_inline struct tls_session *session_of_go(u64 object)
{
	struct tls_key key = { .object = object, .tgid = bpf_get_current_task_btf()->tgid };
	struct tls_socket socket = {};
	find_socket(&socket, descriptor_of_go(object));
	struct tls_session *session = bpf_map_lookup_elem(&tls_sessions, &key);
	if (session && is_same_socket(&session->socket, &socket))
		return session;
	u8 is_client = 0;
	bpf_probe_read_user(&is_client, sizeof(is_client), (void *)(object + GO_IS_CLIENT));
	session = begin_session(&key, &socket, is_client);
	if (session)
		session->flags = STREAM_TLS | (is_client ? 0 : STREAM_ACCEPTED);
	return session;
}

static __always_inline struct tls_caller caller_goroutine(struct pt_regs *ctx)
{
	struct tls_caller caller = { .id = ctx->r14, .tgid = bpf_get_current_task_btf()->tgid };
	return caller;
}

SEC("uprobe")
int on_go_write(struct pt_regs *ctx)
{
	if (!is_watched() || (s64)ctx->cx <= 0)
		return 0;
	struct tls_session *session = session_of_go(ctx->ax);
	if (session)
		tell(session, ctx->bx, ctx->cx, true);
	return 0;
}

SEC("uprobe")
int on_go_read(struct pt_regs *ctx)
{
	struct tls_caller caller = caller_goroutine(ctx);
	struct tls_read read = { .object = ctx->ax, .buffer = ctx->bx };
	if (is_watched())
		bpf_map_update_elem(&tls_reads, &caller, &read, BPF_ANY);
	return 0;
}

/* On each RET of the function: a return probe would put an address on a stack that Go may move. */
SEC("uprobe")
int on_go_read_done(struct pt_regs *ctx)
{
	struct tls_caller caller = caller_goroutine(ctx);
	struct tls_read *held = bpf_map_lookup_elem(&tls_reads, &caller);
	if (!held)
		return 0;
	struct tls_read read = *held;
	bpf_map_delete_elem(&tls_reads, &caller);
	if ((s64)ctx->ax <= 0)
		return 0;
	struct tls_session *session = session_of_go(read.object);
	if (session)
		tell(session, read.buffer, ctx->ax, false);
	return 0;
}

SEC("uprobe")
int on_go_close(struct pt_regs *ctx)
{
	struct tls_key key = { .object = ctx->ax, .tgid = bpf_get_current_task_btf()->tgid };
	if (is_watched())
		end_session(&key);
	return 0;
}

/* --- which socket a thread uses, and what user space has to look at ----------------------------- */

static __always_inline void note_received(struct pt_regs *regs, const void *from)
{
	struct tls_caller caller = caller_thread();
	struct tls_read *read = bpf_map_lookup_elem(&tls_reads, &caller);
	u8 start[TLS_START_BYTES] = {};
	bpf_probe_read_user(start, sizeof(start), from);
	if (!read && !is_tls_record(start))
		return;
	if (note_thread(regs->di) && read)
		read->has_socket = 1;
}

static __always_inline void note_sent(struct pt_regs *regs, const void *from, long result)
{
	u8 start[TLS_START_BYTES] = {};
	if (result == -EAGAIN)
		mark_refused(regs);
	if (result <= 0 || bpf_probe_read_user(start, sizeof(start), from) ||
	    !is_tls_record(start))
		return;
	struct tls_thread *thread = note_thread(regs->di);
	/* Whoever says hello first is the client (RFC 8446, 4). */
	if (thread && start[0] == TLS_HANDSHAKE && start[5] == TLS_CLIENT_HELLO)
		note_hello(&thread->socket, TLS_CLIENT);
	else if (thread && start[0] == TLS_HANDSHAKE && start[5] == TLS_SERVER_HELLO)
		note_hello(&thread->socket, TLS_SERVER);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_tls_call, struct pt_regs *regs, long result)
{
	u64 number = regs->orig_ax;
	if (number >= 64 || !(TLS_CALLS & (1ull << number)) || !is_watched())
		return 0;
	if (bpf_get_current_task_btf()->thread_info.status & TS_COMPAT)
		return 0;
	if (number == NR_MMAP) {
		if (regs->dx & PROT_EXEC && (int)regs->r8 >= 0)
			tell_news(TLS_MAPPED, bpf_get_current_task_btf()->tgid);
		return 0;
	}
	const void *from = first_bytes(regs, number);
	if (TLS_SENDS & (1ull << number))
		note_sent(regs, from, result);
	else if (result > 0)
		note_received(regs, from);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_tls_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 from = parent->tgid, to = child->tgid;
	u8 yes = 1;
	if (from == to || !bpf_map_lookup_elem(&tls_watched, &from))
		return 0;
	bpf_map_update_elem(&tls_watched, &to, &yes, BPF_ANY);
	tell_news(TLS_FORKED, to);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_tls_exec, struct task_struct *task)
{
	tell_news(TLS_EXECUTED, task->tgid);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_tls_exit, struct task_struct *task)
{
	u32 tgid = task->tgid;
	if (BPF_CORE_READ(task, signal, live.counter))
		return 0;
	if (!bpf_map_delete_elem(&tls_watched, &tgid))
		tell_news(TLS_ENDED, tgid);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
