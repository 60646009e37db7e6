/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * tls_session: what goes through one object of a TLS library, from its first piece to its end.
 */
#pragma once

#include "lib/beginning.h"
#include "lib/serving.h"
#include "lib/tls.h"

/* First bytes of plain text that are looked at. */
#define BEGINNING_BYTES 32

/* A new session on `socket`, where it is known. */
static __always_inline struct tls_session *begin_session(struct tls_key *key,
							 struct tls_socket *socket, bool is_sent)
{
	struct tls_session session = {};
	u32 number = key->object;
	if (socket && socket->address) {
		session.socket = *socket;
		number = socket->inode;
	}
	u32 role = session.socket.role;
	/* Of a connection that was there before, the one who speaks first is taken for the client. */
	bool is_server = role == TLS_UNKNOWN ? !is_sent : role == TLS_SERVER;
	session.id = (u64)bpf_get_prandom_u32() << 32 | number;
	session.flags = STREAM_TLS | (is_server ? STREAM_ACCEPTED : 0);
	bpf_map_update_elem(&tls_sessions, key, &session, BPF_ANY);
	return bpf_map_lookup_elem(&tls_sessions, key);
}

/* Notes that a server has a request to answer, or answers it. */
static __always_inline void note_serving(struct tls_session *session, bool is_serving)
{
	u32 tgid = bpf_get_current_task_btf()->tgid;
	if (!(session->flags & STREAM_ACCEPTED) || session->is_serving == is_serving)
		return;
	session->is_serving = is_serving;
	if (is_serving)
		begin_serving(tgid);
	else
		end_serving(tgid, bpf_ktime_get_boot_ns());
}

/* Judges what a client says first, where the connection is known from its handshake on. */
static __always_inline void judge(struct tls_session *session, u64 from, u64 size, bool is_sent)
{
	u8 first[BEGINNING_BYTES] = {};
	bool is_of_client = is_sent != !!(session->flags & STREAM_ACCEPTED);
	if (session->verdict != UNDECIDED || !session->socket.role || !is_of_client)
		return;
	if (size > sizeof(first))
		size = sizeof(first);
	asm volatile("" : "+r"(size));
	if (size > sizeof(first) || bpf_probe_read_user(first, size, (const void *)from))
		return;
	u32 verdict = UNDECIDED;
	for (u32 i = 0; i < BEGINNING_BYTES && i < size && verdict == UNDECIDED; i++)
		verdict = judge_byte(&session->beginning, first[i]);
	session->verdict = verdict;
}

/* Hands up `size` bytes of plain text at `from`, as far as they may be copied. */
static __always_inline void tell(struct tls_session *session, u64 from, u64 size, bool is_sent)
{
	judge(session, from, size, is_sent);
	if (session->verdict >= OTHER)
		return;
	if (session->is_sending != is_sent) {
		session->is_sending = is_sent;
		session->run_bytes = 0;
	}
	u32 run = session->run_bytes;
	u64 copied_max = run < STREAM_RUN_BYTES_MAX ? STREAM_RUN_BYTES_MAX - run : 0;
	session->run_bytes = size < copied_max ? run + size : STREAM_RUN_BYTES_MAX;
	if (!is_sent || !session->beginning.is_multiplexed)
		note_serving(session, !is_sent);
	struct stream_piece piece = {
		.connection = session->id,
		.position = __sync_fetch_and_add(&session->positions[is_sent], size),
		.flags = session->flags | (is_sent ? STREAM_SENT : 0),
		.ends = session->socket.ends,
	};
	for (u32 i = 0; i < STREAM_RECORDS_MAX && size; i++) {
		u64 part = size < copied_max ? size : copied_max;
		part = part < STREAM_BYTES_MAX ? part : STREAM_BYTES_MAX;
		bool is_last = !part || i + 1 == STREAM_RECORDS_MAX;
		piece.from = (const void *)from;
		piece.size = part;
		piece.moved = is_last ? size : part;
		emit_stream(&piece);
		if (is_last)
			return;
		piece.position += part;
		copied_max -= part;
		from += part;
		size -= part;
	}
}

static __always_inline void end_session(struct tls_key *key)
{
	struct tls_session *session = bpf_map_lookup_elem(&tls_sessions, key);
	if (!session)
		return;
	struct stream_piece piece = {
		.connection = session->id,
		.flags = session->flags | STREAM_END,
		.ends = session->socket.ends,
	};
	bool is_told = session->verdict < OTHER;
	note_serving(session, false);
	bpf_map_delete_elem(&tls_sessions, key);
	if (is_told)
		emit_stream(&piece);
}
