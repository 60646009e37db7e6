/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * uring: reports opens, connections and changes of names that were asked for through io_uring.
 *
 * Hook:   tp_btf/io_uring_{submit_req,complete}; kernel >= 6.3.
 * Emits:  struct clew_file, struct clew_socket on the bulk ring, as if the system call of that name
 *         had been made, when the request is complete: with the path of the file that was opened,
 *         with both ends of the socket.
 * Cost:   one switch on the opcode for a request of another kind.
 * Loses:  a record when the ring is full, counted in counts.dropped[kind].
 *
 * Names are the kernel's copies, which no other thread can change. A request whose completion the
 * caller may withhold is told when it is asked for: by its name and with result 0, a connection by
 * the address given and as in progress.
 */
#include "lib/call.h"

#define IOSQE_CQE_SKIP_SUCCESS (1u << 6)
#define REQ_F_FIXED_FILE 1u
#define IORING_SETUP_DEFER_TASKRUN (1u << 13)
#define IORING_FILE_INDEX_ALLOC (~0u)
/* Bits of a place in a ring's own table that are no part of the pointer. */
#define FILE_POINTER_MASK (~3ul)
#define EINPROGRESS 115
/* Bytes of a name that is kept until its request is complete. */
#define ASKED_BYTES_MAX 256

enum {
	NR_CONNECT = 42,
};

enum {
	OP_CONNECT = 16,
	OP_OPENAT = 18,
	OP_OPENAT2 = 28,
	OP_RENAMEAT = 35,
	OP_UNLINKAT = 36,
	OP_MKDIRAT = 37,
	OP_SYMLINKAT = 38,
	OP_LINKAT = 39,
};

/* What the kernel forgets of a request before it is complete. */
struct asked {
	int descriptor;
	u8 name[ASKED_BYTES_MAX], other[ASKED_BYTES_MAX];
};

/* Request → its names and descriptor. Written when it is submitted, deleted when it is complete; when full the
 * oldest goes, and that request is told without the names as given. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, struct asked);
} asked_names SEC(".maps");

SCRATCH(submit_scratch);
SCRATCH(complete_scratch);

/* Where the new entry of `asked_names` is put together. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct asked);
} asked_scratch SEC(".maps");

/* The arguments of a request on names. */
struct wish {
	/* System call of that meaning; 0 where it is of another kind. */
	u32 syscall;
	const void *name, *other;
	int directory, other_directory;
	u32 flags, mode, slot;
};

static __always_inline struct wish wish_of(struct io_kiocb *req, u32 opcode)
{
	struct wish wish = {};
	if (opcode == OP_OPENAT || opcode == OP_OPENAT2) {
		struct io_open *open = (void *)req;
		wish.syscall = opcode == OP_OPENAT ? 257 : 437;
		wish.name = BPF_CORE_READ(open, filename, name);
		wish.directory = BPF_CORE_READ(open, dfd);
		wish.flags = BPF_CORE_READ(open, how.flags);
		wish.mode = BPF_CORE_READ(open, how.mode);
		wish.slot = BPF_CORE_READ(open, file_slot);
	} else if (opcode == OP_RENAMEAT) {
		struct io_rename *rename = (void *)req;
		wish.syscall = 316;
		wish.name = BPF_CORE_READ(rename, oldpath, name);
		wish.other = BPF_CORE_READ(rename, newpath, name);
		wish.directory = BPF_CORE_READ(rename, old_dfd);
		wish.other_directory = BPF_CORE_READ(rename, new_dfd);
		wish.flags = BPF_CORE_READ(rename, flags);
	} else if (opcode == OP_UNLINKAT) {
		struct io_unlink *unlink = (void *)req;
		wish.syscall = 263;
		wish.name = BPF_CORE_READ(unlink, filename, name);
		wish.directory = BPF_CORE_READ(unlink, dfd);
		wish.flags = BPF_CORE_READ(unlink, flags);
	} else if (opcode == OP_MKDIRAT) {
		struct io_mkdir *mkdir = (void *)req;
		wish.syscall = 258;
		wish.name = BPF_CORE_READ(mkdir, filename, name);
		wish.directory = BPF_CORE_READ(mkdir, dfd);
		wish.mode = BPF_CORE_READ(mkdir, mode);
	} else if (opcode == OP_SYMLINKAT || opcode == OP_LINKAT) {
		struct io_link *link = (void *)req;
		bool is_symbolic = opcode == OP_SYMLINKAT;
		const void *old = BPF_CORE_READ(link, oldpath, name);
		const void *new = BPF_CORE_READ(link, newpath, name);
		wish.syscall = is_symbolic ? 266 : 265;
		wish.name = is_symbolic ? new : old;
		wish.other = is_symbolic ? old : new;
		wish.directory = is_symbolic ? BPF_CORE_READ(link, new_dfd) :
					       BPF_CORE_READ(link, old_dfd);
		wish.other_directory = BPF_CORE_READ(link, new_dfd);
		wish.flags = BPF_CORE_READ(link, flags);
	}
	return wish;
}

static __always_inline bool is_open(u32 syscall)
{
	return syscall == 257 || syscall == 437;
}

/* Begins a record on a request of the current task; 0 where none is wanted. A worker of io_uring
 * is a thread of the process that asked. */
static __always_inline struct scratch *begin_request(void *map, u16 kind, u32 size, u32 syscall,
						     long result)
{
	struct clew_config *set = settings();
	struct task_struct *task = bpf_get_current_task_btf();
	if (!set || (task->tgid == set->own_tgid && !set->is_own_reported))
		return 0;
	struct scratch *s = begin(map, size);
	if (!s || !identify(&s->header, kind, task))
		return 0;
	s->header.cgroup = cgroup_of(task);
	s->header.syscall = syscall;
	s->header.result = result;
	note_root(s, task);
	return s;
}

static __always_inline struct asked *asked_entry(void)
{
	u32 zero = 0;
	struct asked *names = bpf_map_lookup_elem(&asked_scratch, &zero);
	if (names) {
		names->name[0] = names->other[0] = 0;
		names->descriptor = -1;
	}
	return names;
}

static __always_inline void keep_names(u64 request, struct wish *wish)
{
	struct asked *names = asked_entry();
	if (!names)
		return;
	if (wish->name)
		bpf_probe_read_kernel_str(names->name, ASKED_BYTES_MAX, wish->name);
	if (wish->other)
		bpf_probe_read_kernel_str(names->other, ASKED_BYTES_MAX, wish->other);
	bpf_map_update_elem(&asked_names, &request, names, BPF_ANY);
}

/* Whether the caller may keep the request from ever being told as complete. */
static __always_inline bool is_withheld(struct io_kiocb *req)
{
	return FIELD(io_kiocb, req, flags) & IOSQE_CQE_SKIP_SUCCESS ||
	       BPF_CORE_READ(req, ctx, flags) & IORING_SETUP_DEFER_TASKRUN;
}

/* Tells a connection by the socket behind `file`, and by the address given as a hint. */
static __always_inline int tell_connect(void *scratch, struct io_kiocb *req, struct file *file,
					int descriptor, long result)
{
	if (!is_number_wanted(NR_CONNECT, 0, result))
		return 0;
	struct scratch *s = begin_request(scratch, KIND_SOCKET, sizeof(struct clew_socket),
					  NR_CONNECT, result);
	if (!s)
		return 0;
	struct clew_socket *record = (struct clew_socket *)s->bytes;
	struct io_connect *connect = (void *)req;
	struct sock *sk = sock_of(file);
	record->descriptor = descriptor;
	if (sk) {
		put_endpoint(&record->endpoint, sk);
		record->socket_type = BPF_CORE_READ(sk, sk_type);
		record->protocol = record->endpoint.protocol;
		if (record->endpoint.family == AF_UNIX)
			put_unix_path(s, &record->path, sk);
	}
	u32 size = BPF_CORE_READ(connect, addr_len);
	if (size > ADDRESS_BYTES_MAX)
		size = ADDRESS_BYTES_MAX;
	put_user_bytes(s, &record->given, BPF_CORE_READ(connect, addr), size);
	send(&ring_bulk, s);
	return 0;
}

/* A connection is asked for. Its descriptor is known now, its socket when it is complete. */
static __always_inline int ask_connect(struct io_kiocb *req)
{
	u64 key = (u64)req;
	struct asked *names = asked_entry();
	if (!names)
		return 0;
	bool is_fixed = FIELD(io_kiocb, req, flags) & REQ_F_FIXED_FILE;
	names->descriptor = is_fixed ? -1 : FIELD(io_kiocb, req, cqe.fd);
	if (!is_withheld(req)) {
		bpf_map_update_elem(&asked_names, &key, names, BPF_ANY);
		return 0;
	}
	struct file *file = 0;
	if (!is_fixed)
		file = file_of(bpf_get_current_task_btf(), names->descriptor);
	return tell_connect(&submit_scratch, req, file, names->descriptor, -EINPROGRESS);
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_uring_submit, struct io_kiocb *req)
{
	u32 opcode = FIELD(io_kiocb, req, opcode);
	if (opcode == OP_CONNECT)
		return ask_connect(req);
	struct wish wish = wish_of(req, opcode);
	if (!wish.syscall)
		return 0;
	if (!is_withheld(req)) {
		keep_names((u64)req, &wish);
		return 0;
	}
	if (!is_number_wanted(wish.syscall, is_open(wish.syscall) ? wish.flags : 0, 0))
		return 0;
	struct scratch *s = begin_request(&submit_scratch, KIND_FILE, sizeof(struct clew_file),
					  wish.syscall, 0);
	if (!s)
		return 0;
	struct clew_file *record = (struct clew_file *)s->bytes;
	record->flags = wish.flags;
	record->mode = wish.mode;
	record->descriptor = wish.directory;
	record->other_directory = wish.other_directory;
	put_kernel_string(s, &record->given, wish.name, PATH_BYTES_MAX);
	put_kernel_string(s, &record->other, wish.other, PATH_BYTES_MAX);
	put_base(s, &record->base, &record->given, wish.directory);
	send(&ring_bulk, s);
	return 0;
}

/* The file that was opened: behind a descriptor, or in the ring's own table. */
static __always_inline struct file *opened_by(struct io_kiocb *req, struct wish *wish, int result)
{
	if (!wish->slot)
		return file_of(bpf_get_current_task_btf(), result);
	struct io_ring_ctx *ring = FIELD(io_kiocb, req, ctx);
	u32 place = wish->slot == IORING_FILE_INDEX_ALLOC ? (u32)result : wish->slot - 1;
	struct io_rsrc_node **nodes = 0, *node = 0;
	if (!bpf_core_field_exists(ring->file_table.data.nodes) ||
	    place >= BPF_CORE_READ(ring, file_table.data.nr))
		return 0;
	nodes = BPF_CORE_READ(ring, file_table.data.nodes);
	bpf_probe_read_kernel(&node, sizeof(node), nodes + place);
	return (struct file *)(BPF_CORE_READ(node, file_ptr) & FILE_POINTER_MASK);
}

static __always_inline int complete_connect(struct io_kiocb *req, int result)
{
	u64 key = (u64)req;
	struct asked *names = bpf_map_lookup_elem(&asked_names, &key);
	int descriptor = names ? names->descriptor : -1;
	bpf_map_delete_elem(&asked_names, &key);
	/* What a thread of the kernel cleans up was not waited for. */
	if (bpf_get_current_task_btf()->flags & PF_KTHREAD)
		return 0;
	return tell_connect(&complete_scratch, req, FIELD(io_kiocb, req, file), descriptor, result);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete, void *ring, void *request)
{
	struct io_kiocb *req = request;
	if (!req)
		return 0;
	u32 opcode = FIELD(io_kiocb, req, opcode);
	u64 key = (u64)req;
	int result = FIELD(io_kiocb, req, cqe.res);
	if (opcode == OP_CONNECT)
		return complete_connect(req, result);
	struct wish wish = wish_of(req, opcode);
	if (!wish.syscall)
		return 0;
	struct asked *names = bpf_map_lookup_elem(&asked_names, &key);
	bool is_new = is_open(wish.syscall);
	/* What a thread of the kernel cleans up was not waited for. */
	if (bpf_get_current_task_btf()->flags & PF_KTHREAD ||
	    !is_number_wanted(wish.syscall, is_new ? wish.flags : 0, result)) {
		bpf_map_delete_elem(&asked_names, &key);
		return 0;
	}
	struct scratch *s = begin_request(&complete_scratch, KIND_FILE, sizeof(struct clew_file),
					  wish.syscall, result);
	if (!s)
		return 0;
	struct clew_file *record = (struct clew_file *)s->bytes;
	record->flags = wish.flags;
	record->mode = wish.mode;
	record->descriptor = wish.directory;
	record->other_directory = wish.other_directory;
	if (names) {
		put_kernel_string(s, &record->given, names->name, ASKED_BYTES_MAX);
		put_kernel_string(s, &record->other, names->other, ASKED_BYTES_MAX);
		bpf_map_delete_elem(&asked_names, &key);
	}
	struct file *file = is_new && result >= 0 ? opened_by(req, &wish, result) : 0;
	if (file) {
		struct inode *inode = FIELD(file, file, f_inode);
		record->inode = FIELD(inode, inode, i_ino);
		record->device = FIELD(super_block, FIELD(inode, inode, i_sb), s_dev);
		put_file_path(s, &record->path, file);
	} else {
		put_base(s, &record->base, &record->given, wish.directory);
	}
	send(&ring_bulk, s);
	return 0;
}
