/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * path: the path of an open file or directory by walking dentries and mounts: kernel truth.
 *
 * Components are appended from the leaf to the root, each followed by a slash; user space turns
 * them round, which costs nothing here. The walk ends at the root of the process (so a path in a
 * container is the container's) or at the top of the mount tree, and after PATH_COMPONENTS_MAX
 * components or PATH_BYTES_MAX bytes it is marked as truncated.
 */
#pragma once

#include "lib/text.h"

#define S_IFMT 0170000
#define S_IFIFO 0010000
#define S_IFSOCK 0140000
#define SOCKFS_MAGIC 0x534f434b
#define OVERLAYFS_MAGIC 0x794c7630
#define ANON_INODE_MAGIC 0x09041934

/* Remembers the root of `task` for the paths of this record. */
static __always_inline void note_root(struct scratch *s, struct task_struct *task)
{
	struct fs_struct *fs = task->fs;
	s->root_dentry = fs ? (u64)fs->root.dentry : 0;
	s->root_mount = fs ? (u64)fs->root.mnt : 0;
}

/* Appends one name and a slash; false where it does not fit. */
static __always_inline bool put_component(struct scratch *s, u32 start, struct dentry *dentry)
{
	u32 cursor = s->cursor;
	if (cursor > TEXT_START_MAX || cursor - start > PATH_BYTES_MAX - 256)
		return false;
	u32 size = FIELD(dentry, dentry, d_name.len);
	const void *name = FIELD(dentry, dentry, d_name.name);
	asm volatile("%0 &= 0xff" : "+r"(size));
	asm volatile("%0 &= 0x3fff" : "+r"(cursor));
	if (bpf_probe_read_kernel(&s->bytes[cursor], size, name))
		return false;
	cursor += size;
	asm volatile("" : "+r"(cursor));
	if (cursor > TEXT_START_MAX + 256)
		return false;
	s->bytes[cursor] = '/';
	s->cursor = cursor + 1;
	return true;
}

/* Appends the path of (`s->dentry`, `s->mount`). A global function: the verifier goes through its
 * loop once a program and not once a call (278 k instructions for `on_exec` before, 59 k now). */
__noinline int put_walk(struct scratch *s, struct clew_text *text)
{
	u32 start;
	if (!s || !text)
		return 0;
	struct dentry *dentry = (void *)s->dentry;
	struct vfsmount *mnt = (void *)s->mount;
	if (!dentry || !text_start(s, text, &start))
		return 0;
	bool is_whole = false;
	for (int i = 0; i < PATH_COMPONENTS_MAX; i++) {
		if ((u64)dentry == s->root_dentry && (u64)mnt == s->root_mount) {
			is_whole = true;
			break;
		}
		if (mnt && dentry == FIELD(vfsmount, mnt, mnt_root)) {
			struct mount *here =
				(void *)mnt - bpf_core_field_offset(struct mount, mnt);
			struct mount *above = FIELD(mount, here, mnt_parent);
			if (above == here || !above) {
				is_whole = true;
				break;
			}
			dentry = FIELD(mount, here, mnt_mountpoint);
			mnt = (void *)above + bpf_core_field_offset(struct mount, mnt);
			continue;
		}
		struct dentry *parent = FIELD(dentry, dentry, d_parent);
		if (!put_component(s, start, dentry))
			break;
		if (parent == dentry) {
			is_whole = true;
			break;
		}
		dentry = parent;
	}
	text->size = s->cursor - start;
	text->flags |= TEXT_COMPONENTS | (is_whole ? 0 : TEXT_TRUNCATED);
	return 0;
}

static __always_inline void put_path(struct scratch *s, struct clew_text *text,
				     struct dentry *dentry, struct vfsmount *mnt)
{
	s->dentry = (u64)dentry;
	s->mount = (u64)mnt;
	put_walk(s, text);
}

static __always_inline void put_file_path(struct scratch *s, struct clew_text *text,
					  struct file *file)
{
	put_path(s, text, FIELD(file, file, f_path.dentry), FIELD(file, file, f_path.mnt));
}

static __always_inline void put_cwd(struct scratch *s, struct clew_text *text,
				    struct task_struct *task)
{
	struct fs_struct *fs = task->fs;
	if (fs)
		put_path(s, text, fs->pwd.dentry, fs->pwd.mnt);
}

/* The file that descriptor `number` of `task` leads to. */
static __always_inline struct file *file_of(struct task_struct *task, u32 number)
{
	struct files_struct *files = task->files;
	struct file *file = 0;
	if (!files)
		return 0;
	struct fdtable *table = files->fdt;
	if (number >= table->max_fds)
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), &table->fd[number]);
	return file;
}
