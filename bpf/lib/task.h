/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * task: who a task is: its cgroup, ids, credentials, terminal, program and standard descriptors.
 */
#pragma once

#include "lib/socket.h"

#define S_ISUID 04000
#define S_ISGID 02000
#define CAP_DAC_OVERRIDE 1
#define NS_PER_S 1000000000ull
/* A device number as `makedev` of the kernel holds it. */
#define MINOR_BITS 20

/* Index into `css_set.subsys` of the version 1 hierarchy that is followed, or ~0. */
static __always_inline u32 followed_subsystem(void)
{
	struct clew_config *set = settings();
	if (!set)
		return ~0u;
	if (set->cgroup_hierarchy == CGROUP_MEMORY &&
	    bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	if (set->cgroup_hierarchy == CGROUP_PIDS &&
	    bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id);
	return ~0u;
}

static __always_inline u64 cgroup_of(struct task_struct *task)
{
	u32 subsystem = followed_subsystem();
	struct css_set *groups = task->cgroups;
	if (subsystem < 16) {
		struct cgroup_subsys_state *state = 0;
		bpf_core_read(&state, sizeof(state), &groups->subsys[subsystem]);
		return BPF_CORE_READ(state, cgroup, kn, id);
	}
	return groups->dfl_cgrp->kn->id;
}

/* The pid of `pid` in its own (deepest) namespace, or in the initial one. */
static __always_inline u32 number_of(struct pid *pid, bool is_own)
{
	struct upid number = {};
	if (!pid)
		return 0;
	u32 level = is_own ? BPF_CORE_READ(pid, level) : 0;
	bpf_core_read(&number, sizeof(number), &pid->numbers[level]);
	return number.nr;
}

static __always_inline void put_times(struct clew_exec *exec, struct inode *inode)
{
	if (bpf_core_field_exists(inode->i_ctime_sec)) {
		exec->exe_ctime_ns = BPF_CORE_READ(inode, i_ctime_sec) * NS_PER_S +
				     BPF_CORE_READ(inode, i_ctime_nsec);
		exec->exe_mtime_ns = BPF_CORE_READ(inode, i_mtime_sec) * NS_PER_S +
				     BPF_CORE_READ(inode, i_mtime_nsec);
		return;
	}
	struct inode___accessor *newer = (void *)inode;
	struct inode___old *old = (void *)inode;
	if (bpf_core_field_exists(newer->__i_ctime)) {
		exec->exe_ctime_ns = BPF_CORE_READ(newer, __i_ctime.tv_sec) * NS_PER_S +
				     BPF_CORE_READ(newer, __i_ctime.tv_nsec);
		exec->exe_mtime_ns = BPF_CORE_READ(newer, __i_mtime.tv_sec) * NS_PER_S +
				     BPF_CORE_READ(newer, __i_mtime.tv_nsec);
	} else if (bpf_core_field_exists(old->i_ctime)) {
		exec->exe_ctime_ns = BPF_CORE_READ(old, i_ctime.tv_sec) * NS_PER_S +
				     BPF_CORE_READ(old, i_ctime.tv_nsec);
		exec->exe_mtime_ns = BPF_CORE_READ(old, i_mtime.tv_sec) * NS_PER_S +
				     BPF_CORE_READ(old, i_mtime.tv_nsec);
	}
}

static __always_inline bool is_writable(struct clew_exec *exec, const struct cred *cred,
					struct inode *inode, u32 mode)
{
	if (exec->cap_effective & (1ull << CAP_DAC_OVERRIDE))
		return true;
	if (BPF_CORE_READ(cred, fsuid.val) == BPF_CORE_READ(inode, i_uid.val))
		return mode & 0200;
	if (BPF_CORE_READ(cred, fsgid.val) == BPF_CORE_READ(inode, i_gid.val))
		return mode & 0020;
	return mode & 0002;
}

static __always_inline bool is_memfd(struct file *file)
{
	const char expected[6] = "memfd:";
	char name[6] = {};
	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	for (int i = 0; i < 6; i++)
		if (name[i] != expected[i])
			return false;
	return true;
}

/* What is known of the executed file beside its path. */
static __always_inline void put_exe(struct clew_exec *exec, const struct cred *cred,
				    struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	u32 mode = BPF_CORE_READ(inode, i_mode);
	u32 flags = 0;
	exec->exe_inode = BPF_CORE_READ(inode, i_ino);
	exec->exe_device = BPF_CORE_READ(sb, s_dev);
	put_times(exec, inode);
	if (BPF_CORE_READ(sb, s_magic) == OVERLAYFS_MAGIC) {
		/* `struct ovl_inode` may be a module's type, but its `__upperdentry` always
		 * follows its `vfs_inode` (fs/overlayfs/ovl_entry.h). */
		void *upper = 0;
		bpf_probe_read_kernel(&upper, sizeof(upper),
				      (void *)inode + bpf_core_type_size(struct inode));
		if (upper)
			flags |= EXEC_UPPER_LAYER;
	}
	if (!BPF_CORE_READ(inode, i_nlink)) {
		flags |= EXEC_UNLINKED;
		if (is_memfd(file))
			flags |= EXEC_MEMFD;
	}
	if (mode & (S_ISUID | S_ISGID))
		flags |= EXEC_SETUID;
	if (is_writable(exec, cred, inode, mode))
		flags |= EXEC_WRITABLE;
	exec->flags |= flags;
}

static __always_inline void put_ids(struct clew_exec *exec, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *parent = BPF_CORE_READ(leader, real_parent, group_leader);
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct pid *pid = 0;
	exec->parent_tgid = BPF_CORE_READ(parent, tgid);
	exec->parent_start_ns = BPF_CORE_READ(parent, start_boottime);
	exec->vpid = number_of(BPF_CORE_READ(leader, thread_pid), true);
	bpf_core_read(&pid, sizeof(pid), &signal->pids[PIDTYPE_SID]);
	exec->sid = number_of(pid, false);
	bpf_core_read(&pid, sizeof(pid), &signal->pids[PIDTYPE_PGID]);
	exec->pgid = number_of(pid, false);
	struct tty_struct *tty = BPF_CORE_READ(signal, tty);
	if (tty) {
		u32 minor = BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index);
		exec->tty = BPF_CORE_READ(tty, driver, major) << MINOR_BITS | minor;
	}
	BPF_CORE_READ_INTO(&exec->comm, leader, comm);
}

static __always_inline const struct cred *put_credentials(struct clew_exec *exec,
							   struct task_struct *task)
{
	const struct cred *cred = BPF_CORE_READ(task, real_cred);
	exec->uid = BPF_CORE_READ(cred, euid.val);
	exec->gid = BPF_CORE_READ(cred, egid.val);
	exec->login_uid = ~0u;
	if (bpf_core_field_exists(task->loginuid))
		exec->login_uid = BPF_CORE_READ(task, loginuid.val);
	BPF_CORE_READ_INTO(&exec->cap_effective, cred, cap_effective);
	BPF_CORE_READ_INTO(&exec->cap_permitted, cred, cap_permitted);
	BPF_CORE_READ_INTO(&exec->cap_inheritable, cred, cap_inheritable);
	return cred;
}

/* Everything that an exec and a running process have in common, argv and environment apart. */
static __always_inline void put_program(struct scratch *s, struct clew_exec *exec,
					struct task_struct *task)
{
	put_ids(exec, task);
	const struct cred *cred = put_credentials(exec, task);
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	note_root(s, task);
	if (file) {
		put_exe(exec, cred, file);
		put_file_path(s, &exec->exe, file);
	}
	put_cwd(s, &exec->cwd, task);
	for (u32 i = 0; i < 3; i++)
		put_target(s, &exec->stdio[i], file_of(task, i));
}
