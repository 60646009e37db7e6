/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * beginning: whether a stream begins as HTTP does, or as what hands requests on: FastCGI, and the
 * protocols of PostgreSQL and MySQL.
 *
 * A message may come byte by byte, so what was seen is kept as a state and not as bytes. A request
 * is a word, a space and a target; of a word that is no method of RFC 9110 the target has to begin
 * as one. Servers skip empty lines before a request. A proxy may tell addresses first (PROXY
 * protocol of haproxy). Whoever reads the stream decides in earnest.
 */
#pragma once

#include "lib/record.h"

#define EMPTY_LINE_BYTES_MAX 4
#define METHOD_BYTES_MAX 24

/* What its first bytes say of a connection. */
enum verdict {
	/* Nothing yet: what was seen may begin a message. */
	UNDECIDED = 0,
	REQUEST = 1,
	RESPONSE = 2,
	/* Anything else, from here on. */
	OTHER = 3,
	/* A record of TLS, whose library is looked at instead. */
	ENCRYPTED = 4,
};

enum { BEFORE_WORD = 0, IN_WORD = 1, BEHIND_WORD = 2, IN_NUMBERS = 3 };

/* The version of PostgreSQL's protocol behind the length, and the wish for TLS in its place. */
#define POSTGRES_VERSION 0x00030000u
#define POSTGRES_TLS 0x04d2162fu
/* Behind the length of a packet of MySQL and its number 0: the server's greeting, a statement. */
#define MYSQL_GREETING 0x0a
#define MYSQL_STATEMENT 0x03

/* What was seen of one direction. */
struct beginning {
	/* The last eight letters of the word. */
	u64 word;
	u16 count;
	u8 phase;
	/* The connection is HTTP/2: a response ends no request but its own. */
	u8 is_multiplexed;
	u32 reserved;
};

#define WORD4(a, b, c, d) ((u64)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define WORD3(a, b, c) WORD4(0, a, b, c)

static __always_inline bool is_method(u64 word)
{
	return word == WORD3('G', 'E', 'T') || word == WORD3('P', 'U', 'T') ||
	       word == WORD3('P', 'R', 'I') || word == WORD4('P', 'O', 'S', 'T') ||
	       word == WORD4('H', 'E', 'A', 'D') ||
	       word == (WORD4('P', 'A', 'T', 'C') << 8 | 'H') ||
	       word == (WORD4('T', 'R', 'A', 'C') << 8 | 'E') ||
	       word == (WORD4('P', 'R', 'O', 'X') << 8 | 'Y') ||
	       word == (WORD4('D', 'E', 'L', 'E') << 16 | WORD3(0, 'T', 'E')) ||
	       word == (WORD4('C', 'O', 'N', 'N') << 24 | WORD3('E', 'C', 'T')) ||
	       word == (WORD4('O', 'P', 'T', 'I') << 24 | WORD3('O', 'N', 'S'));
}

static __always_inline u32 judge_before_word(struct beginning *seen, u8 byte, bool is_letter)
{
	if (is_letter) {
		seen->phase = IN_WORD;
		seen->word = byte;
		seen->count = 1;
		return UNDECIDED;
	}
	if ((byte == '\r' || byte == '\n') && seen->count < EMPTY_LINE_BYTES_MAX) {
		seen->count++;
		return UNDECIDED;
	}
	/* The second form of the PROXY protocol goes on with a NUL byte. */
	if (!byte && seen->count == EMPTY_LINE_BYTES_MAX)
		return REQUEST;
	if (seen->count)
		return OTHER;
	if (byte == 0x16)
		return ENCRYPTED;
	seen->phase = IN_NUMBERS;
	seen->word = byte;
	seen->count = 1;
	return UNDECIDED;
}

/* A packet of MySQL: its length of three bytes, its number, and what it is. A message of PostgreSQL:
 * a letter and its length of four bytes. */
static __always_inline u32 judge_five(u64 word)
{
	u32 first = word >> 32, second = word >> 24 & 0xff, last = word & 0xff;
	bool is_conversation_begun = !(word >> 8 & 0xffff);
	if (is_conversation_begun && last == MYSQL_GREETING)
		return RESPONSE;
	if (is_conversation_begun && last == MYSQL_STATEMENT)
		return REQUEST;
	if ((first == 'Q' || first == 'P') && !second)
		return REQUEST;
	return first <= 1 ? UNDECIDED : OTHER;
}

/* A start of PostgreSQL: its length of four bytes, and the version. A record of FastCGI that begins a
 * request: version 1, kind 1, a number of two bytes, eight bytes of content and none to fill. */
static __always_inline u32 judge_eight(u64 word)
{
	u32 high = word >> 32, low = word;
	if (high < 0x10000)
		return low == POSTGRES_VERSION || low == POSTGRES_TLS ? REQUEST : OTHER;
	return high >> 16 == 0x0101 && low == 0x00080000 ? REQUEST : OTHER;
}

static __always_inline u32 judge_number(struct beginning *seen, u8 byte)
{
	seen->word = seen->word << 8 | byte;
	seen->count++;
	if (seen->count == 5)
		return judge_five(seen->word);
	return seen->count == 8 ? judge_eight(seen->word) : UNDECIDED;
}

/* Takes the next byte of a direction. */
static __always_inline u32 judge_byte(struct beginning *seen, u8 byte)
{
	u8 lower = byte | 0x20;
	bool is_letter = ('a' <= lower && lower <= 'z') || byte == '-' || byte == '_';
	if (seen->phase == BEFORE_WORD)
		return judge_before_word(seen, byte, is_letter);
	/* What is too short for a word begins a message whose length comes first. */
	if (seen->phase == IN_WORD && seen->count == 1 && !byte)
		seen->phase = IN_NUMBERS;
	if (seen->phase == IN_NUMBERS)
		return judge_number(seen, byte);
	if (seen->phase == IN_WORD) {
		if (is_letter && seen->count < METHOD_BYTES_MAX) {
			seen->word = seen->word << 8 | byte;
			seen->count++;
			return UNDECIDED;
		}
		if (byte == '/' && seen->word == WORD4('H', 'T', 'T', 'P'))
			return RESPONSE;
		if (byte != ' ' && byte != '\t')
			return OTHER;
		seen->phase = BEHIND_WORD;
		seen->is_multiplexed = seen->word == WORD3('P', 'R', 'I');
		return UNDECIDED;
	}
	if (byte == ' ' || byte == '\t')
		return UNDECIDED;
	if (byte == '/' || byte == '*' || lower == 'h' || is_method(seen->word))
		return REQUEST;
	return OTHER;
}
