/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * file: reports opens, calls that make, move, remove or change names, modes, owners and lengths,
 *       and changes of the working directory and the root.
 *
 * Hook:   tail call from tp_btf/sys_exit; kernel >= 5.12.
 * Emits:  struct clew_file on the bulk ring. The path of a file that was opened is read from its
 *         descriptor; all other paths are those given, with the directory they start from.
 * Cost:   per call one copy of the path and about ten reads a path component.
 * Loses:  a record when the ring is full, counted in counts.dropped[KIND_FILE]. An open that user
 *         space found quiet is kept back, counted in counts.quieted[KIND_FILE].
 */
#include "lib/call.h"
#include "lib/stack_of_call.h"

#define O_CREAT 0100
#define O_WRONLY 01
#define O_TRUNC 01000

enum {
	NR_OPEN = 2,
	NR_TRUNCATE = 76,
	NR_FTRUNCATE = 77,
	NR_CHDIR = 80,
	NR_FCHDIR = 81,
	NR_RENAME = 82,
	NR_MKDIR = 83,
	NR_RMDIR = 84,
	NR_CREAT = 85,
	NR_LINK = 86,
	NR_UNLINK = 87,
	NR_SYMLINK = 88,
	NR_CHMOD = 90,
	NR_FCHMOD = 91,
	NR_CHOWN = 92,
	NR_FCHOWN = 93,
	NR_LCHOWN = 94,
	NR_CHROOT = 161,
	NR_OPENAT = 257,
	NR_MKDIRAT = 258,
	NR_FCHOWNAT = 260,
	NR_UNLINKAT = 263,
	NR_RENAMEAT = 264,
	NR_LINKAT = 265,
	NR_SYMLINKAT = 266,
	NR_FCHMODAT = 268,
	NR_RENAMEAT2 = 316,
	NR_OPEN_BY_HANDLE_AT = 304,
	NR_OPENAT2 = 437,
	NR_FCHMODAT2 = 452,
};

/* Adds device and inode of `file`, and its true path. */
static __always_inline void put_file(struct scratch *s, struct clew_file *record,
				     struct file *file)
{
	struct inode *inode = FIELD(file, file, f_inode);
	record->inode = FIELD(inode, inode, i_ino);
	record->device = FIELD(super_block, FIELD(inode, inode, i_sb), s_dev);
	put_file_path(s, &record->path, file);
}

/* The arguments of an open, whichever form it has. */
struct opening {
	const void *path;
	int directory;
	u32 flags, mode;
};

static __always_inline struct opening opening_of(struct pt_regs *regs)
{
	u32 number = NUMBER(regs);
	struct opening call = { .path = (const void *)ARGUMENT_0(regs), .directory = AT_FDCWD };
	if (number == NR_OPENAT || number == NR_OPENAT2) {
		call.directory = ARGUMENT_0(regs);
		call.path = (const void *)ARGUMENT_1(regs);
	}
	if (number == NR_OPENAT) {
		call.flags = ARGUMENT_2(regs);
		call.mode = ARGUMENT_3(regs);
	} else if (number == NR_OPEN) {
		call.flags = ARGUMENT_1(regs);
		call.mode = ARGUMENT_2(regs);
	} else if (number == NR_OPEN_BY_HANDLE_AT) {
		call.directory = ARGUMENT_0(regs);
		call.path = 0;
		call.flags = ARGUMENT_2(regs);
	} else if (number == NR_OPENAT2) {
		struct open_how how = {};
		bpf_probe_read_user(&how, sizeof(how), (const void *)ARGUMENT_2(regs));
		call.flags = how.flags;
		call.mode = how.mode;
	} else {
		call.flags = O_CREAT | O_WRONLY | O_TRUNC;
		call.mode = ARGUMENT_1(regs);
	}
	return call;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_open, struct pt_regs *regs, long result)
{
	struct opening call = opening_of(regs);
	/* What an open is for tells nothing of `creat`, whose name says it. */
	if (!is_wanted(regs, NUMBER(regs) == NR_CREAT ? 0 : call.flags, result) || is_own())
		return 0;
	struct file *file = 0;
	if (result >= 0)
		file = file_of(bpf_get_current_task_btf(), result);
	if (file && is_quiet(NUMBER(regs), call.flags, file, call.path))
		return 0;
	struct scratch *s = begin_call(KIND_FILE, sizeof(struct clew_file), regs, result);
	if (!s)
		return 0;
	struct clew_file *record = (struct clew_file *)s->bytes;
	record->flags = call.flags;
	record->mode = call.mode;
	record->descriptor = call.directory;
	if (file)
		put_file(s, record, file);
	if (file && has_telling_name(file))
		tell_stack_of_call(&s->header, regs);
	put_user_string(s, &record->given, call.path, PATH_BYTES_MAX);
	if (!file)
		put_base(s, &record->base, &record->given, call.directory);
	send(&ring_bulk, s);
	return 0;
}

/* The arguments of a call on names, whichever form it has. */
struct named {
	const void *path, *other;
	int directory, other_directory;
	u32 flags, mode, user, group;
};

static __always_inline struct named named_at(struct pt_regs *regs, u32 number)
{
	struct named call = { .path = (const void *)ARGUMENT_1(regs),
			      .directory = ARGUMENT_0(regs) };
	if (number == NR_MKDIRAT || number == NR_FCHMODAT || number == NR_FCHMODAT2) {
		call.mode = ARGUMENT_2(regs);
	} else if (number == NR_UNLINKAT) {
		call.flags = ARGUMENT_2(regs);
	} else if (number == NR_FCHOWNAT) {
		call.user = ARGUMENT_2(regs);
		call.group = ARGUMENT_3(regs);
		call.flags = ARGUMENT_4(regs);
	} else if (number == NR_SYMLINKAT) {
		call.other = (const void *)ARGUMENT_0(regs);
		call.directory = ARGUMENT_1(regs);
		call.path = (const void *)ARGUMENT_2(regs);
	} else {
		call.other_directory = ARGUMENT_2(regs);
		call.other = (const void *)ARGUMENT_3(regs);
		call.flags = number == NR_RENAMEAT ? 0 : ARGUMENT_4(regs);
	}
	return call;
}

static __always_inline struct named named_plain(struct pt_regs *regs, u32 number)
{
	struct named call = { .path = (const void *)ARGUMENT_0(regs), .directory = AT_FDCWD };
	if (number == NR_RENAME || number == NR_LINK) {
		call.other = (const void *)ARGUMENT_1(regs);
	} else if (number == NR_SYMLINK) {
		call.other = (const void *)ARGUMENT_0(regs);
		call.path = (const void *)ARGUMENT_1(regs);
	} else if (number == NR_MKDIR || number == NR_CHMOD) {
		call.mode = ARGUMENT_1(regs);
	} else if (number == NR_CHOWN || number == NR_LCHOWN) {
		call.user = ARGUMENT_1(regs);
		call.group = ARGUMENT_2(regs);
	}
	return call;
}

/* A call on an open file, known by its descriptor. */
static __always_inline void put_by_descriptor(struct scratch *s, struct clew_file *record,
					      struct pt_regs *regs, u32 number)
{
	struct file *file = file_of(bpf_get_current_task_btf(), ARGUMENT_0(regs));
	record->descriptor = ARGUMENT_0(regs);
	if (number == NR_FCHMOD) {
		record->mode = ARGUMENT_1(regs);
	} else if (number == NR_FCHOWN) {
		record->user = ARGUMENT_1(regs);
		record->group = ARGUMENT_2(regs);
	}
	if (file)
		put_file(s, record, file);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_name, struct pt_regs *regs, long result)
{
	if (!is_wanted(regs, 0, result))
		return 0;
	struct scratch *s = begin_call(KIND_FILE, sizeof(struct clew_file), regs, result);
	if (!s)
		return 0;
	struct clew_file *record = (struct clew_file *)s->bytes;
	u32 number = NUMBER(regs);
	if (number == NR_FCHMOD || number == NR_FCHOWN || number == NR_FTRUNCATE) {
		put_by_descriptor(s, record, regs, number);
		send(&ring_bulk, s);
		return 0;
	}
	struct named call =
		number < NR_OPENAT ? named_plain(regs, number) : named_at(regs, number);
	record->flags = call.flags;
	record->mode = call.mode;
	record->descriptor = call.directory;
	record->other_directory = call.other_directory;
	record->user = call.user;
	record->group = call.group;
	put_user_string(s, &record->given, call.path, PATH_BYTES_MAX);
	put_user_string(s, &record->other, call.other, PATH_BYTES_MAX);
	put_base(s, &record->base, &record->given, call.directory);
	send(&ring_bulk, s);
	return 0;
}

/* Calls that change where paths start from. The new working directory is read from the process
 * itself; a new root, seen from inside, is always `/`, so that one is told as given. */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_directory, struct pt_regs *regs, long result)
{
	if (!is_wanted(regs, 0, result))
		return 0;
	struct scratch *s = begin_call(KIND_FILE, sizeof(struct clew_file), regs, result);
	if (!s)
		return 0;
	struct clew_file *record = (struct clew_file *)s->bytes;
	u32 number = NUMBER(regs);
	if (number == NR_FCHDIR)
		record->descriptor = ARGUMENT_0(regs);
	else
		put_user_string(s, &record->given, (const void *)ARGUMENT_0(regs), PATH_BYTES_MAX);
	if (result >= 0 && number != NR_CHROOT)
		put_cwd(s, &record->path, bpf_get_current_task_btf());
	else
		put_base(s, &record->base, &record->given, AT_FDCWD);
	send(&ring_bulk, s);
	return 0;
}
