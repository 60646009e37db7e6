/*
 * races: deeds hidden by time: an argument that another thread changes, a flood of events before,
 * a pid that was somebody else's.
 */
#include "evade.h"

#include <arpa/inet.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define TRIES_MAX 40000
#define EXECS_MAX 1000
#define CONNECTS_MAX 2000
#define FLOOD_COUNT 200000
#define REUSES_MAX 50

static char shared[16];
static const char secrets[2][16] = { SECRET, "/etc/passwd" };
static const char programs[2][16] = { PROGRAM, "/bin/nothing" };
/* The racing thread has begun; it shall stop. */
static volatile int has_begun, is_over;

static void race(void *(*flip)(void *), const void *choices, pthread_t *thread)
{
	pthread_create(thread, NULL, flip, (void *)choices);
	while (!has_begun)
		sched_yield();
}

static void *flip_path(void *given)
{
	const char (*choices)[16] = given;

	for (unsigned turn = 0; !is_over; turn++) {
		memcpy(shared, choices[turn & 1], sizeof(*choices));
		has_begun = turn > 1;
	}
	return NULL;
}

/* Opens whatever path is there at the moment; succeeds once it was the secret one. */
int race_open(void)
{
	pthread_t thread;
	struct stat secret, got;
	int is_done = 0;

	memcpy(shared, secrets[1], sizeof(shared));
	stat(SECRET, &secret);
	race(flip_path, secrets, &thread);
	for (int i = 0; i < TRIES_MAX && !is_done; i++) {
		int file = open(shared, O_RDONLY);
		if (file < 0)
			continue;
		is_done = fstat(file, &got) == 0 && got.st_ino == secret.st_ino;
		close(file);
	}
	is_over = 1;
	pthread_join(thread, NULL);
	return !is_done;
}

int race_exec(void)
{
	pthread_t thread;
	int is_done = 0;

	memcpy(shared, programs[1], sizeof(shared));
	race(flip_path, programs, &thread);
	/* The child of vfork shares the memory, so the thread goes on changing it. */
	for (int i = 0; i < EXECS_MAX && !is_done; i++) {
		pid_t child = vfork();
		if (child == 0) {
			become(shared);
			_exit(127);
		}
		is_done = wait_for(child) == 0;
	}
	is_over = 1;
	pthread_join(thread, NULL);
	return !is_done;
}

static struct sockaddr_in there = { .sin_family = AF_INET };

static void *flip_port(void *given)
{
	(void)given;
	for (unsigned turn = 0; !is_over; turn++) {
		*(volatile in_port_t *)&there.sin_port = htons(turn & 1 ? PEER_PORT : 9);
		has_begun = turn > 1;
	}
	return NULL;
}

int race_connect(void)
{
	pthread_t thread;
	struct sockaddr_in got = { 0 };
	int is_done = 0;

	inet_pton(AF_INET, PEER, &there.sin_addr);
	race(flip_port, NULL, &thread);
	for (int i = 0; i < CONNECTS_MAX && !is_done; i++) {
		socklen_t size = sizeof(got);
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		is_done = connect(fd, (struct sockaddr *)&there, sizeof(there)) == 0 &&
			  getpeername(fd, (struct sockaddr *)&got, &size) == 0 &&
			  got.sin_port == htons(PEER_PORT);
		close(fd);
	}
	is_over = 1;
	pthread_join(thread, NULL);
	return !is_done;
}

int flood(void)
{
	for (int i = 0; i < FLOOD_COUNT; i++)
		open_once("/etc/group");
	return become(PROGRAM);
}

/* A child gets the pid that an honest program had a moment ago. */
int reuse_pid(void)
{
	for (int i = 0; i < REUSES_MAX; i++) {
		pid_t wanted = fork();
		if (wanted == 0) {
			execl(PROGRAM, "true", "honest", NULL);
			_exit(127);
		}
		wait_for(wanted);
		struct clone_args how = { .exit_signal = SIGCHLD,
					  .set_tid = (uint64_t)(uintptr_t)&wanted,
					  .set_tid_size = 1 };
		long child = syscall(SYS_clone3, &how, sizeof(how));
		if (child == 0)
			_exit(open_once(SECRET));
		if (child > 0)
			return wait_for((pid_t)child);
		if (errno != EEXIST)
			impossible("clone3 with set_tid");
	}
	return 1;
}
