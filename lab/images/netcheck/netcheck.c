/*
 * netcheck: a network status page with a command injection in it, on purpose.
 *
 * Serves:  GET /               a form
 *          GET /ping?host=H    the output of `ping H`      <- H reaches a shell: the vulnerability
 *          GET /disk           the output of `df -k /`
 *          GET /health         "ok"
 * Why:     many real status pages, routers and appliances run their diagnostics this way. An honest
 *          request and the attack take the same path: server -> worker -> `sh -c` -> program.
 * Bounds:  one worker a connection, at most WORKERS_MAX of them, each killed after WORKER_SECONDS.
 * Never run it outside the lab's own network.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT 8080
#define WORKERS_MAX 32
#define WORKER_SECONDS 30
#define REQUEST_BYTES_MAX 8192

static const char PAGE[] =
	"<!doctype html><title>netcheck</title><h1>netcheck</h1>"
	"<form action=/ping>Host <input name=host value=127.0.0.1><button>Ping</button></form>"
	"<p><a href=/disk>disk</a>";

static int hex(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return tolower((unsigned char)c) - 'a' + 10;
}

/* Decodes %XX and + in place. */
static void url_decode(char *text)
{
	char *out = text;

	for (char *in = text; *in; in++) {
		if (*in == '%' && isxdigit((unsigned char)in[1]) && isxdigit((unsigned char)in[2])) {
			*out++ = (char)(hex(in[1]) * 16 + hex(in[2]));
			in += 2;
		} else {
			*out++ = *in == '+' ? ' ' : *in;
		}
	}
	*out = 0;
}

static void begin(FILE *client, const char *status)
{
	fprintf(client, "HTTP/1.0 %s\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n", status);
}

/* Runs a command line in a shell and sends what it prints. */
static void send_output_of(FILE *client, const char *command)
{
	char chunk[1024];
	size_t count;
	FILE *output = popen(command, "r");

	begin(client, output ? "200 OK" : "500 Internal Server Error");
	if (!output)
		return;
	fputs("<pre>", client);
	while ((count = fread(chunk, 1, sizeof(chunk), output)) > 0)
		fwrite(chunk, 1, count, client);
	fputs("</pre>\n", client);
	pclose(output);
}

static void answer(FILE *client, char *path)
{
	char command[REQUEST_BYTES_MAX + 64];

	if (!strcmp(path, "/")) {
		begin(client, "200 OK");
		fputs(PAGE, client);
	} else if (!strcmp(path, "/health")) {
		begin(client, "200 OK");
		fputs("ok\n", client);
	} else if (!strcmp(path, "/disk")) {
		send_output_of(client, "df -k /");
	} else if (!strncmp(path, "/ping?host=", 11)) {
		url_decode(path + 11);
		/* The vulnerability: the parameter is pasted into a shell command, unchecked. */
		snprintf(command, sizeof(command), "ping -c 1 -W 1 %s", path + 11);
		send_output_of(client, command);
	} else {
		begin(client, "404 Not Found");
	}
}

static void serve(int connection)
{
	char request[REQUEST_BYTES_MAX], path[REQUEST_BYTES_MAX];
	FILE *client = fdopen(connection, "r+");

	signal(SIGCHLD, SIG_DFL);
	alarm(WORKER_SECONDS);
	if (!client || !fgets(request, sizeof(request), client))
		return;
	if (sscanf(request, "GET %8191s HTTP", path) != 1)
		return;
	while (fgets(request, sizeof(request), client) && request[0] != '\r' && request[0] != '\n')
		;
	fseek(client, 0, SEEK_CUR);
	answer(client, path);
	fclose(client);
}

int main(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int on = 1, workers = 0;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	signal(SIGPIPE, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) || listen(listener, 64)) {
		perror("netcheck");
		return 1;
	}
	for (;;) {
		int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		while (waitpid(-1, NULL, workers < WORKERS_MAX ? WNOHANG : 0) > 0)
			workers--;
		if (connection < 0)
			continue;
		if (fork() == 0) {
			serve(connection);
			_exit(0);
		}
		workers++;
		close(connection);
	}
}
