/*
 * beacon HOST PORT: the lab's harmless payload.
 *
 * Connects to the sink, sends one line, waits for one line, exits. Lives at most SECONDS_MAX.
 * Static, so that it runs in any container it is dropped into.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECONDS_MAX 10

int main(int argc, char **argv)
{
	static const char hello[] = "beacon from the lab\n";
	struct sockaddr_in sink = { .sin_family = AF_INET };
	char reply[64];
	int connection;

	alarm(SECONDS_MAX);
	if (argc != 3 || inet_pton(AF_INET, argv[1], &sink.sin_addr) != 1) {
		fprintf(stderr, "usage: beacon IPV4 PORT\n");
		return 2;
	}
	sink.sin_port = htons((unsigned short)atoi(argv[2]));
	connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(connection, (struct sockaddr *)&sink, sizeof(sink)))
		return 1;
	if (write(connection, hello, strlen(hello)) < 0)
		return 1;
	return read(connection, reply, sizeof(reply)) > 0 ? 0 : 1;
}
