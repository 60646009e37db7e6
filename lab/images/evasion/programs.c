/*
 * programs: a program that is run in an unusual way: from memory, without a name, by a thread, by
 * an orphan, under a name that is no text, with more arguments or folders than fit a record.
 */
#include "evade.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define LONG_BYTES 100000
#define FOLDERS 100

static int copy(int to)
{
	char chunk[65536];
	ssize_t count;
	int from = open(PROGRAM, O_RDONLY);

	while ((count = read(from, chunk, sizeof(chunk))) > 0)
		if (write(to, chunk, (size_t)count) != count)
			return 1;
	return close(from);
}

static int copy_to(const char *path)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);

	return file < 0 || copy(file) || close(file);
}

static int become_descriptor(int file)
{
	char *const argv[] = { "true", MARK, NULL };

	return fexecve(file, argv, environ);
}

int run_from_memory(void)
{
	int memory = memfd_create("libc.so.6", MFD_CLOEXEC);

	return copy(memory) || become_descriptor(memory);
}

int run_deleted(void)
{
	if (copy_to("/tmp/gone"))
		return 1;
	int file = open("/tmp/gone", O_RDONLY | O_CLOEXEC);
	return unlink("/tmp/gone") || become_descriptor(file);
}

int run_by_vfork(void)
{
	pid_t child = vfork();

	if (child == 0) {
		become(PROGRAM);
		_exit(127);
	}
	return wait_for(child);
}

static void *become_in_thread(void *given)
{
	(void)given;
	become(PROGRAM);
	return NULL;
}

/* The kernel ends the leader and gives its pid to the thread. */
int run_by_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, become_in_thread, NULL);
	pthread_join(thread, NULL);
	return 1;
}

int run_by_double_fork(void)
{
	int ended[2];
	char nothing;

	if (pipe(ended))
		return 1;
	pid_t child = fork();
	if (child == 0) {
		setsid();
		if (fork() == 0)
			become(PROGRAM);
		_exit(0);
	}
	close(ended[1]);
	/* The orphan holds the other end until it ends. */
	return wait_for(child) || read(ended[0], &nothing, 1) != 0;
}

int run_non_utf8(void)
{
	return copy_to("/tmp/\xff\xfe-\x1b[2J") || become("/tmp/\xff\xfe-\x1b[2J");
}

int run_with_long_argv(void)
{
	static char words[LONG_BYTES];
	char *argv[] = { "true", MARK, words, "the-end", NULL };

	memset(words, 'x', sizeof(words) - 1);
	return execve(PROGRAM, argv, environ);
}

/* Runs from a folder deeper than a record resolves. */
int run_deep(void)
{
	if (chdir("/tmp"))
		return 1;
	for (int i = 0; i < FOLDERS; i++)
		if (mkdir("deep", 0700) || chdir("deep"))
			return 1;
	return copy_to("here") || become("./here");
}

static int write_script(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);

	return file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text) || close(file);
}

int run_by_script_chain(void)
{
	if (write_script("/tmp/one", "#!/tmp/two\n") ||
	    write_script("/tmp/two", "#!" PROGRAM " true\n"))
		return 1;
	return become("/tmp/one");
}
