/*
 * preload: a library that opens /etc/shadow inside whatever program it is loaded into.
 */
#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void enter(void)
{
	int file = open("/etc/shadow", O_RDONLY);

	if (file >= 0)
		close(file);
}
