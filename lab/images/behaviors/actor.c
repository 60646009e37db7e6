/*
 * actor: does one harmless thing, under whatever name it was copied to.
 *
 * usage: actor exec PROGRAM [ARG]...        runs a program as a child, as a server would
 *        actor as UID PROGRAM [ARG]...      the same, as another user
 *        actor wait SECONDS open PATH       waits, then opens a file for reading
 *        actor open PATH                    opens a file for reading
 *        actor connect IPV4 PORT            starts a connection and does not wait for it
 *        actor stdio IPV4 PORT              connects and puts the socket onto its stdin, stdout, stderr
 *        actor spare IPV4 PORT              connects and puts the socket onto descriptor 9
 *        actor socket packet|udp|unix       opens a socket and closes it
 *        actor module                       offers the kernel eight zero bytes as a module; it declines
 *        actor attach | seize | traceme     traces its own child, or asks to be traced
 *        actor memfd PROGRAM [ARG]...       copies a program into a memfd and runs it there
 *        actor memfd-only                   makes a memfd, writes to it, runs nothing
 * Why:     a rule often depends on a program's name. Real ssh, debugfs or nginx would bring much
 *          else along; the behavior that counts is the system call, and that is real here.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_MAX 30

static int run(char **command, unsigned uid)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (uid && (setgid(uid) || setuid(uid)))
			_exit(126);
		execvp(command[0], command);
		_exit(127);
	}
	return waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : 1;
}

static int open_file(const char *path)
{
	int file = open(path, O_RDONLY);

	if (file >= 0)
		close(file);
	return 0;
}

static int connect_to(const char *address, const char *port, int flags)
{
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port)) };
	int connection = socket(AF_INET, SOCK_STREAM | flags, 0);

	inet_pton(AF_INET, address, &there.sin_addr);
	if (connect(connection, (struct sockaddr *)&there, sizeof(there)) && !(flags & SOCK_NONBLOCK))
		perror("actor: connect");
	return connection;
}

static int put_onto_stdio(int connection)
{
	for (int fd = 0; fd <= 2; fd++)
		dup2(connection, fd);
	return 0;
}

static int open_socket(const char *kind)
{
	if (!strcmp(kind, "packet"))
		return socket(AF_PACKET, SOCK_RAW, 0) < 0;
	return socket(!strcmp(kind, "udp") ? AF_INET : AF_UNIX, SOCK_DGRAM, 0) < 0;
}

/* Traces a child that only waits, and lets it go again. */
static int trace(int request)
{
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	if (ptrace(request, child, 0, 0))
		perror("actor: ptrace");
	kill(child, SIGKILL);
	return waitpid(child, NULL, 0) != child;
}

static int make_memfd(const char *program)
{
	char chunk[65536];
	ssize_t count;
	int memory = memfd_create("actor", MFD_CLOEXEC), file = open(program, O_RDONLY);

	while ((count = read(file, chunk, sizeof(chunk))) > 0)
		if (write(memory, chunk, (size_t)count) != count)
			return -1;
	close(file);
	return memory;
}

static int run_from_memory(char **command)
{
	int memory = make_memfd(command[0]);

	if (fork() == 0) {
		fexecve(memory, command, environ);
		_exit(127);
	}
	return wait(NULL) < 0;
}

static int is(const char *word, const char *given, int argc, int needed)
{
	return !strcmp(word, given) && argc >= needed;
}

int main(int argc, char **argv)
{
	const char *act = argc > 1 ? argv[1] : "";

	alarm(SECONDS_MAX);
	if (is("exec", act, argc, 3))
		return run(argv + 2, 0);
	if (is("as", act, argc, 4))
		return run(argv + 3, (unsigned)atoi(argv[2]));
	if (is("wait", act, argc, 5)) {
		sleep((unsigned)atoi(argv[2]));
		return open_file(argv[4]);
	}
	if (is("open", act, argc, 3))
		return open_file(argv[2]);
	if (is("connect", act, argc, 4))
		return connect_to(argv[2], argv[3], SOCK_NONBLOCK) < 0;
	if (is("stdio", act, argc, 4))
		return put_onto_stdio(connect_to(argv[2], argv[3], 0));
	if (is("spare", act, argc, 4))
		return dup2(connect_to(argv[2], argv[3], 0), 9) < 0;
	if (is("socket", act, argc, 3))
		return open_socket(argv[2]);
	if (is("module", act, argc, 2))
		return syscall(SYS_init_module, "\0\0\0\0\0\0\0", 8, "") == 0;
	if (is("attach", act, argc, 2))
		return trace(PTRACE_ATTACH);
	if (is("seize", act, argc, 2))
		return trace(PTRACE_SEIZE);
	if (is("traceme", act, argc, 2))
		return ptrace(PTRACE_TRACEME, 0, 0, 0) != 0;
	if (is("memfd-only", act, argc, 2))
		return make_memfd("/etc/passwd") < 0;
	if (is("memfd", act, argc, 3))
		return run_from_memory(argv + 2);
	fprintf(stderr, "actor: unknown act `%s`; the head of actor.c lists them\n", act);
	return 2;
}
