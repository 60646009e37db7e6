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
 *        actor udp IPV4 PORT                gives a datagram socket a peer and sends nothing
 *        actor receive IPV4 PORT            takes a datagram of its own at that address of its own
 *        actor fetch HEX                    receives these bytes over a connection to itself
 *        actor setuid UID | unshare         the call of that name, by itself
 *        actor bpf COMMAND | userfaultfd    the call of that name; Docker's seccomp profile refuses it
 * Why:     a rule often depends on a program's name. Real ssh, debugfs or nginx would bring much
 *          else along; the behavior that counts is the system call, and that is real here.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <sched.h>
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

static struct sockaddr_in address_of(const char *address, int port)
{
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };

	inet_pton(AF_INET, address, &there.sin_addr);
	return there;
}

/* One socket is bound where datagrams are taken, another one sends there. */
static int receive_datagram(const char *address, int port)
{
	struct sockaddr_in here = address_of(address, port), from;
	socklen_t size = sizeof(from);
	char room[16];
	int taker = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);

	if (bind(taker, (struct sockaddr *)&here, sizeof(here)))
		perror("actor: bind");
	sendto(sender, "x", 1, 0, (struct sockaddr *)&here, sizeof(here));
	return recvfrom(taker, room, sizeof(room), 0, (struct sockaddr *)&from, &size) != 1;
}

static int fetch(const char *hex)
{
	struct sockaddr_in here = address_of("127.0.0.1", 0);
	socklen_t size = sizeof(here);
	char bytes[64], room[64];
	int length = 0, server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);

	for (; hex[0] && hex[1] && length < (int)sizeof(bytes); hex += 2)
		sscanf(hex, "%2hhx", (unsigned char *)&bytes[length++]);
	if (bind(server, (struct sockaddr *)&here, size) || listen(server, 1) ||
	    getsockname(server, (struct sockaddr *)&here, &size) ||
	    connect(client, (struct sockaddr *)&here, size))
		perror("actor: fetch");
	send(accept(server, NULL, NULL), bytes, (size_t)length, 0);
	return recv(client, room, sizeof(room), 0) != length;
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
	if (is("udp", act, argc, 4)) {
		struct sockaddr_in there = address_of(argv[2], atoi(argv[3]));
		return connect(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&there, sizeof(there));
	}
	if (is("receive", act, argc, 4))
		return receive_datagram(argv[2], atoi(argv[3]));
	if (is("fetch", act, argc, 3))
		return fetch(argv[2]);
	if (is("setuid", act, argc, 3))
		return setuid((uid_t)atoi(argv[2]));
	if (is("unshare", act, argc, 2))
		return unshare(CLONE_NEWNS) && 0;
	if (is("bpf", act, argc, 3))
		return syscall(SYS_bpf, atoi(argv[2]), NULL, 0) && 0;
	if (is("userfaultfd", act, argc, 2))
		return syscall(SYS_userfaultfd, 0) && 0;
	fprintf(stderr, "actor: unknown act `%s`; the head of actor.c lists them\n", act);
	return 2;
}
