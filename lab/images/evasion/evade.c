/*
 * evade: does one of three harmless deeds in a way that is meant to hide it.
 *
 * usage: evade ACT, where ACT is one of the table below.
 * Deeds:  opens /etc/shadow for reading and closes it; runs `busybox true`; connects to the lab's
 *         sink. Nothing is read, changed or sent.
 * Bounds: an alarm ends it, every loop has a limit, children are waited for.
 * Exit:   0 the deed was done, 77 the evasion is impossible here, else it failed.
 */
#include "evade.h"

#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define SECONDS_MAX 30
#define PATH_BYTES 4096

void impossible(const char *what)
{
	fprintf(stderr, "evade: %s: %s\n", what, strerror(errno));
	exit(IMPOSSIBLE);
}

int open_once(const char *path)
{
	int file = open(path, O_RDONLY);

	if (file < 0)
		return 1;
	return close(file);
}

int become(const char *path)
{
	char *const argv[] = { "true", MARK, NULL };

	return execve(path, argv, environ);
}

int wait_for(pid_t child)
{
	int status;

	return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

static int rename_comm(void)
{
	prctl(PR_SET_NAME, "kworker/0:1");
	return open_once(SECRET);
}

/* The argument area then says that this is a harmless `sshd`. */
static int rewrite_argv(char **argv)
{
	size_t size = strlen(argv[0]) + 1 + strlen(argv[1]) + 1;

	memset(argv[0], 0, size);
	strncpy(argv[0], "sshd: idle", size - 1);
	return open_once(SECRET);
}

static int by_symlink(void)
{
	if (symlink("/etc", "/tmp/notes") || symlink("/tmp/notes/shadow", "/tmp/today"))
		return 1;
	return open_once("/tmp/today");
}

static int by_bind_mount(void)
{
	mkdir("/tmp/bound", 0700);
	if (mount("/etc", "/tmp/bound", NULL, MS_BIND, NULL))
		impossible("mount");
	return open_once("/tmp/bound/shadow");
}

static int by_hard_link(void)
{
	if (link(SECRET, "/etc/motd"))
		impossible("link");
	return open_once("/etc/motd");
}

static int by_descriptor(void)
{
	char path[PATH_BYTES];
	int folder = open("/etc", O_PATH | O_DIRECTORY);

	snprintf(path, sizeof(path), "/proc/self/fd/%d/shadow", folder);
	return open_once(path);
}

static int by_long_path(void)
{
	char path[PATH_BYTES] = "";

	while (strlen(path) < PATH_BYTES - 32)
		strcat(path, "/.");
	strcat(path, SECRET);
	return open_once(path);
}

static int by_openat2(void)
{
	struct open_how how = { .flags = O_RDONLY };
	long file = syscall(SYS_openat2, AT_FDCWD, SECRET, &how, sizeof(how));

	if (file < 0)
		impossible("openat2");
	return close((int)file);
}

/* Moves into the mount namespace of a child and acts there. */
static int by_setns(void)
{
	char path[64];
	int ready[2], status = 1;

	if (pipe(ready))
		return 1;
	pid_t child = fork();
	if (child == 0) {
		char verdict = unshare(CLONE_NEWNS) ? 1 : 0;
		if (write(ready[1], &verdict, 1) == 1)
			pause();
		_exit(0);
	}
	char verdict = 1;
	if (read(ready[0], &verdict, 1) == 1 && verdict == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", child);
		int space = open(path, O_RDONLY);
		if (setns(space, CLONE_NEWNS) == 0)
			status = open_once(SECRET);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	if (verdict)
		impossible("unshare");
	return status;
}

static const struct {
	const char *name;
	int (*act)(void);
} acts[] = {
	{ "comm", rename_comm },
	{ "symlink", by_symlink },
	{ "bind-mount", by_bind_mount },
	{ "hard-link", by_hard_link },
	{ "descriptor", by_descriptor },
	{ "long-path", by_long_path },
	{ "openat2", by_openat2 },
	{ "setns", by_setns },
	{ "uring-open-direct", uring_open_direct },
	{ "uring-connect", uring_connect },
	{ "compat-open", compat_open },
	{ "compat-execve", compat_execve },
	{ "compat-connect", compat_connect },
	{ "compat-socketcall", compat_socketcall },
	{ "race-open", race_open },
	{ "race-exec", race_exec },
	{ "race-connect", race_connect },
	{ "flood", flood },
	{ "reuse-pid", reuse_pid },
	{ "memory", run_from_memory },
	{ "deleted", run_deleted },
	{ "vfork", run_by_vfork },
	{ "thread", run_by_thread },
	{ "double-fork", run_by_double_fork },
	{ "non-utf8", run_non_utf8 },
	{ "long-argv", run_with_long_argv },
	{ "deep", run_deep },
	{ "script-chain", run_by_script_chain },
};

int main(int argc, char **argv)
{
	const char *act = argc > 1 ? argv[1] : "";

	alarm(SECONDS_MAX);
	if (!strcmp(act, "argv"))
		return rewrite_argv(argv);
	if (!strcmp(act, "open") && argc > 2)
		return open_once(argv[2]);
	if (!strcmp(act, "uring-open"))
		return uring_open(0);
	if (!strcmp(act, "uring-open-unreported"))
		return uring_open(1);
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (!strcmp(act, acts[i].name))
			return acts[i].act();
	fprintf(stderr, "evade: unknown act `%s`; the tables of evade.c list them\n", act);
	return 2;
}
