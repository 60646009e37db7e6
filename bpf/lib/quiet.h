/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * quiet: opens that no rule can match, whoever makes them, and the table of all quiet calls.
 *
 * User space judges the path of an open once and marks it here; from then on such opens are
 * counted and nothing else is done for them. The key holds everything that the verdict depends
 * on, the path to its last byte included: read anew from dentries and mounts at each open, because
 * neither a pointer nor an inode number proves a name (both are used again, files have several
 * names). Short names lie in the dentry and are copied by words, without a call.
 */
#pragma once

#include "lib/path.h"
#include "lib/serving.h"

#define O_ACCMODE 03
#define O_DIRECTORY 0200000
/* Names and mounts that a path of a key may have. */
#define QUIET_STEPS_MAX 24
/* A name in words of the dentry, and where it may end up. */
#define NAME_WORDS 5
#define NAME_INLINE_MAX (NAME_WORDS * 8 - 1)

/* What an open or a connect is known by → generation in which it was found quiet, and how often it was kept
 * back. Written by user space, counted here; when full the entry least used goes with its count,
 * and is asked for again. A change of rules raises the generation in `config`, so that entries of
 * before hold no more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct clew_quiet_key);
	__type(value, struct clew_quiet_mark);
} quiet SEC(".maps");

/* A key under construction. Names are stored in whole words, so one may reach over its end. */
struct quiet_scratch {
	struct clew_quiet_key key;
	u64 spare[NAME_WORDS + 1];
	u8 given[128];
};

/* 0 → what a CPU builds; it would fill the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct quiet_scratch);
} quiet_scratch SEC(".maps");

#define QUIET_PATH_BYTES sizeof(((struct clew_quiet_key *)0)->path)

/* Appends the name of `dentry` and a slash at `*end`; false where it does not fit. */
static __always_inline bool put_key_name(u8 *path, u32 *end, struct dentry *dentry)
{
	u32 at = *end, size = FIELD(dentry, dentry, d_name.len);
	struct dentry___words *inlined = (void *)dentry;
	if (at > QUIET_PATH_BYTES || size > QUIET_PATH_BYTES || at + size + 1 > QUIET_PATH_BYTES)
		return false;
	asm volatile("%0 &= 0x7f" : "+r"(at));
	asm volatile("%0 &= 0x7f" : "+r"(size));
	if (size <= NAME_INLINE_MAX && bpf_ksym_exists(bpf_rdonly_cast) &&
	    bpf_core_field_exists(inlined->d_shortname)) {
		inlined = bpf_core_cast(dentry, struct dentry___words);
#pragma unroll
		for (u32 word = 0; word < NAME_WORDS; word++) {
			if (word * 8 > size)
				break;
			*(u64 *)&path[at + word * 8] = inlined->d_shortname.words[word];
		}
	} else if (bpf_probe_read_kernel(&path[at], size, FIELD(dentry, dentry, d_name.name))) {
		return false;
	}
	u32 behind = at + size;
	asm volatile("%0 &= 0x7f" : "+r"(behind));
	path[behind] = '/';
	*end = behind + 1;
	return true;
}

/* Writes the whole path of `file` as its process sees it, as `put_walk` would; false where it is
 * not whole or does not fit. */
static __always_inline bool put_key_path(u8 *path, struct task_struct *task, struct file *file)
{
	struct fs_struct *fs = task->fs;
	struct dentry *dentry = FIELD(file, file, f_path.dentry);
	struct vfsmount *mnt = FIELD(file, file, f_path.mnt);
	u64 root_dentry, root_mount;
	u32 end = 0;
	if (!fs)
		return false;
	root_dentry = (u64)fs->root.dentry;
	root_mount = (u64)fs->root.mnt;
	for (int i = 0; i < QUIET_STEPS_MAX; i++) {
		if ((u64)dentry == root_dentry && (u64)mnt == root_mount)
			goto whole;
		if (dentry == FIELD(vfsmount, mnt, mnt_root)) {
			struct mount *here =
				(void *)mnt - bpf_core_field_offset(struct mount, mnt);
			struct mount *above = FIELD(mount, here, mnt_parent);
			if (above == here || !above)
				goto whole;
			dentry = FIELD(mount, here, mnt_mountpoint);
			mnt = (void *)above + bpf_core_field_offset(struct mount, mnt);
			continue;
		}
		struct dentry *parent = FIELD(dentry, dentry, d_parent);
		if (parent == dentry || !put_key_name(path, &end, dentry))
			return false;
		dentry = parent;
	}
	return false;
whole:
	if (!end)
		return false;
	asm volatile("%0 &= 0x7f" : "+r"(end));
	/* What a last word brought along behind its name. */
	*(u64 *)&path[end] = 0;
	return true;
}

/* Whether the path given holds "..", or may. */
static __always_inline bool is_climbing(u8 *given, u32 room, const void *from)
{
	long size = bpf_probe_read_user_str(given, room, from);
	if (size <= 0 || size == room)
		return true;
	for (int i = 0; i + 1 < room && i + 1 < size; i++)
		if (given[i] == '.' && given[i + 1] == '.')
			return true;
	return false;
}

/* Generation of marks that count; 0 where none does. */
static __always_inline u32 quiet_generation(void)
{
	struct clew_config *set = settings();
	return set ? set->quiet_generation : 0;
}

/* Counts one more call that `mark` keeps back; false where it may be the effect of a request, which
 * whoever judges effects has to see. */
static __always_inline bool keep_back(struct clew_quiet_mark *mark, u32 kind)
{
	u32 zero = 0;
	struct clew_counts *count = bpf_map_lookup_elem(&counts, &zero);
	if (!count || is_serving(bpf_get_current_task_btf()))
		return false;
	__sync_fetch_and_add(&count->quieted[kind], 1);
	__sync_fetch_and_add(&mark->count, 1);
	return true;
}

/* Whether the open of `file`, asked for as `given`, is quiet; if so it is counted. */
static __always_inline bool is_quiet(u32 syscall, u32 flags, struct file *file, const void *given)
{
	u32 zero = 0;
	u32 generation = quiet_generation();
	struct quiet_scratch *s = bpf_map_lookup_elem(&quiet_scratch, &zero);
	if (!s || !generation)
		return false;
	__builtin_memset(&s->key, 0, sizeof(s->key));
	s->key.syscall = syscall;
	s->key.flags = flags & (O_ACCMODE | O_DIRECTORY);
	if (!put_key_path((u8 *)s->key.path, bpf_get_current_task_btf(), file))
		return false;
	struct clew_quiet_mark *mark = bpf_map_lookup_elem(&quiet, &s->key);
	if (!mark || mark->generation >> 1 != generation)
		return false;
	if (mark->generation & QUIET_UNLESS_CLIMBING && is_climbing(s->given, sizeof(s->given), given))
		return false;
	return keep_back(mark, KIND_FILE);
}
