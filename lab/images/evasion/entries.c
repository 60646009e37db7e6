/*
 * entries: the same deeds by other entries of the kernel: io_uring, and the 32-bit system calls.
 *
 * What a 32-bit call points at must lie below 4 GiB, so it is copied there first.
 */
#include "evade.h"

#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define ENTRIES 4

struct uring {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static void *map_ring(int fd, size_t size, off_t what)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
}

static struct uring set_up(void)
{
	struct io_uring_params given = { 0 };
	struct uring ring = { .fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &given) };

	if (ring.fd < 0)
		impossible("io_uring_setup");
	char *sq = map_ring(ring.fd, given.sq_off.array + ENTRIES * sizeof(unsigned),
			    IORING_OFF_SQ_RING);
	char *cq = map_ring(ring.fd,
			    given.cq_off.cqes + given.cq_entries * sizeof(struct io_uring_cqe),
			    IORING_OFF_CQ_RING);
	ring.sqes = map_ring(ring.fd, ENTRIES * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || ring.sqes == MAP_FAILED)
		impossible("mmap of a ring");
	ring.sq_tail = (unsigned *)(sq + given.sq_off.tail);
	ring.sq_mask = (unsigned *)(sq + given.sq_off.ring_mask);
	ring.sq_array = (unsigned *)(sq + given.sq_off.array);
	ring.cq_head = (unsigned *)(cq + given.cq_off.head);
	ring.cq_tail = (unsigned *)(cq + given.cq_off.tail);
	ring.cq_mask = (unsigned *)(cq + given.cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(cq + given.cq_off.cqes);
	return ring;
}

/* Submits one entry; its result, or 0 where none is to be reported. */
static int submit(struct uring *ring, const struct io_uring_sqe *entry)
{
	unsigned tail = *ring->sq_tail, at = tail & *ring->sq_mask;
	int is_reported = !(entry->flags & IOSQE_CQE_SKIP_SUCCESS);

	ring->sqes[at] = *entry;
	ring->sq_array[at] = at;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring->fd, 1, is_reported, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		impossible("io_uring_enter");
	unsigned head = *ring->cq_head;
	if (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE))
		return 0;
	int result = ring->cqes[head & *ring->cq_mask].res;
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

static struct io_uring_sqe opening(void)
{
	return (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT,
				      .fd = AT_FDCWD,
				      .addr = (uint64_t)(uintptr_t)SECRET,
				      .open_flags = O_RDONLY };
}

int uring_open(int is_unreported)
{
	struct uring ring = set_up();
	struct io_uring_sqe entry = opening();

	if (is_unreported)
		entry.flags = IOSQE_CQE_SKIP_SUCCESS;
	return submit(&ring, &entry) < 0;
}

/* The file gets a place in the ring's own table, and no descriptor. */
int uring_open_direct(void)
{
	struct uring ring = set_up();
	int32_t none[2] = { -1, -1 };
	struct io_uring_sqe entry = opening();

	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, none, 2) < 0)
		impossible("io_uring_register");
	entry.file_index = 2;
	return submit(&ring, &entry) < 0;
}

static struct sockaddr_in peer(void)
{
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(PEER_PORT) };

	inet_pton(AF_INET, PEER, &there.sin_addr);
	return there;
}

int uring_connect(void)
{
	struct uring ring = set_up();
	struct sockaddr_in there = peer();
	struct io_uring_sqe entry = { .opcode = IORING_OP_CONNECT,
				      .fd = socket(AF_INET, SOCK_STREAM, 0),
				      .addr = (uint64_t)(uintptr_t)&there,
				      .off = sizeof(there) };

	return submit(&ring, &entry) < 0;
}

/* System call `number` of the 32-bit ABI. */
static long call_32(long number, long a, long b, long c)
{
	long result = number;

	asm volatile("push %%rbx\n\tmov %[a], %%rbx\n\tint $0x80\n\tpop %%rbx"
		     : "+a"(result)
		     : [a] "r"(a), "c"(b), "d"(c)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

static char *low_memory(void)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (low == MAP_FAILED)
		impossible("mmap below 4 GiB");
	return low;
}

int compat_open(void)
{
	return call_32(5, (long)strcpy(low_memory(), SECRET), O_RDONLY, 0) < 0;
}

int compat_execve(void)
{
	char *low = low_memory();
	uint32_t *argv = (uint32_t *)low;
	char *words = low + 64;

	strcpy(words, PROGRAM);
	strcpy(words + 64, "true");
	strcpy(words + 128, MARK);
	argv[0] = (uint32_t)(uintptr_t)(words + 64);
	argv[1] = (uint32_t)(uintptr_t)(words + 128);
	return (int)call_32(11, (long)words, (long)argv, 0);
}

int compat_connect(void)
{
	struct sockaddr_in there = peer();
	long fd = call_32(359, AF_INET, SOCK_STREAM, 0);

	return call_32(362, fd, (long)memcpy(low_memory(), &there, sizeof(there)), sizeof(there)) < 0;
}

/* The old entry for all calls on sockets; its arguments lie in memory. */
int compat_socketcall(void)
{
	struct sockaddr_in there = peer();
	char *low = low_memory();
	uint32_t *arguments = (uint32_t *)(low + 64);

	memcpy(low, &there, sizeof(there));
	arguments[0] = (uint32_t)call_32(359, AF_INET, SOCK_STREAM, 0);
	arguments[1] = (uint32_t)(uintptr_t)low;
	arguments[2] = sizeof(there);
	return call_32(102, 3, (long)arguments, 0) < 0;
}
