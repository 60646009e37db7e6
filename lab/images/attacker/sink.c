/*
 * sink: the attacker's server, inside the lab's own network.
 *
 * Serves:  port 8000  any GET answers with the file /srv/beacon (the payload to drop)
 *          port 4444  reads one line, prints it with the peer's address, answers "bye"
 * Runs nothing and writes nothing, so a sensor that watches the whole machine sees only a server.
 * Bounds:  one connection at a time, each cut after two seconds of silence.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <fcntl.h>
#include <unistd.h>

#define PAYLOAD_PORT 8000
#define BEACON_PORT 4444
#define PAYLOAD "/srv/beacon"

static int listen_on(unsigned short port)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) || listen(listener, 16))
		return -1;
	return listener;
}

static void send_payload(int connection)
{
	char request[2048], head[128];
	struct stat status;
	off_t offset = 0;
	int file = open(PAYLOAD, O_RDONLY | O_CLOEXEC);

	if (file < 0 || fstat(file, &status))
		return;
	if (read(connection, request, sizeof(request)) > 0) {
		int length = snprintf(head, sizeof(head), "HTTP/1.0 200 OK\r\nContent-Length: %lld\r\n\r\n",
				      (long long)status.st_size);

		if (write(connection, head, (size_t)length) == length)
			while (offset < status.st_size &&
			       sendfile(connection, file, &offset, (size_t)(status.st_size - offset)) > 0)
				;
	}
	close(file);
}

static void take_beacon(int connection, struct sockaddr_in *peer)
{
	char line[128], address[INET_ADDRSTRLEN] = "";
	ssize_t count = read(connection, line, sizeof(line) - 1);

	if (count <= 0)
		return;
	line[count] = 0;
	line[strcspn(line, "\r\n")] = 0;
	inet_ntop(AF_INET, &peer->sin_addr, address, sizeof(address));
	printf("%s: %s\n", address, line);
	if (write(connection, "bye\n", 4) != 4)
		perror("sink");
}

int main(void)
{
	struct pollfd listeners[2] = { { .fd = listen_on(PAYLOAD_PORT), .events = POLLIN },
				       { .fd = listen_on(BEACON_PORT), .events = POLLIN } };
	struct timeval silence = { .tv_sec = 2 };

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (listeners[0].fd < 0 || listeners[1].fd < 0) {
		perror("sink");
		return 1;
	}
	while (poll(listeners, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			struct sockaddr_in peer;
			socklen_t length = sizeof(peer);
			int connection;

			if (!(listeners[i].revents & POLLIN))
				continue;
			connection = accept4(listeners[i].fd, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
			if (connection < 0)
				continue;
			setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
			if (i == 0)
				send_payload(connection);
			else
				take_beacon(connection, &peer);
			close(connection);
		}
	}
	return 0;
}
