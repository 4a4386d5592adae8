/*
 * Gives every file of one folder to the fuzz target that it is linked with.
 *
 * Invariant: each seed lies in a block of exactly its size, so that a sanitizer
 * sees a read past its end; a folder without seeds is a failure, not a success.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static int
is_seed(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The bytes of an ordinary file, to be freed; NULL after a message. */
static uint8_t *
read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = NULL;
	struct stat st;

	if (file == NULL || fstat(fileno(file), &st) != 0 || !S_ISREG(st.st_mode)) {
		fprintf(stderr, "%s: not a readable file\n", path);
		goto done;
	}
	*size = (size_t)st.st_size;
	bytes = malloc(*size > 0 ? *size : 1);
	if (bytes == NULL || fread(bytes, 1, *size, file) != *size) {
		fprintf(stderr, "%s: cannot be read whole\n", path);
		free(bytes);
		bytes = NULL;
	}
done:
	if (file != NULL)
		fclose(file);
	return bytes;
}

static int
replay(const char *folder, const char *name)
{
	char path[4096];
	uint8_t *bytes;
	size_t size;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path)) {
		fprintf(stderr, "%s/%s: the path is too long\n", folder, name);
		return -1;
	}
	bytes = read_file(path, &size);
	if (bytes == NULL)
		return -1;
	/* printed first: if the target dies, the last line names the seed */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
	return 0;
}

int
main(int argc, char **argv)
{
	struct dirent **seeds;
	int i, n, failed = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	n = scandir(argv[1], &seeds, is_seed, alphasort);
	if (n < 0) {
		perror(argv[1]);
		return 1;
	}
	for (i = 0; i < n; i++) {
		failed |= replay(argv[1], seeds[i]->d_name);
		free(seeds[i]);
	}
	free(seeds);
	if (n == 0)
		fprintf(stderr, "%s: no seed to replay\n", argv[1]);
	else
		printf("%d seeds replayed\n", n);
	return n == 0 || failed != 0;
}
