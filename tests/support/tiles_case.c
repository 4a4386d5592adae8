#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tlog.h"
#include "tiles_case.h"

/* NULL: no such file. */
static uint8_t *
read_file(const char *dir, const char *name, size_t *len)
{
	char path[512];
	struct stat st;
	uint8_t *bytes = NULL;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && (bytes = malloc((size_t)st.st_size + 1)) != NULL) {
		ssize_t n = read(fd, bytes, (size_t)st.st_size);

		if (n != st.st_size) {
			free(bytes);
			bytes = NULL;
		} else {
			*len = (size_t)n;
		}
	}
	close(fd);
	return bytes;
}

/* The tile of that number in a tree that has `count` hashes on the level; a full one may stand for a partial one. */
static uint8_t *
read_tile(const char *dir, int level, uint64_t number, uint64_t count, unsigned *width, size_t *len)
{
	char path[128];
	uint8_t *bytes;

	*width = count - (number << 8) < 256 ? (unsigned)(count - (number << 8)) : 256;
	tlog_tile_path(path, sizeof(path), level, number, *width);
	bytes = read_file(dir, path, len);
	if (bytes != NULL || *width == 256)
		return bytes;
	tlog_tile_path(path, sizeof(path), level, number, 256);
	return read_file(dir, path, len);
}

static bool
read_bundle(uint8_t (*leaves)[NOTE_HASH], unsigned width, const uint8_t *bytes, size_t len)
{
	size_t at = 0;

	for (unsigned i = 0; i < width; i++) {
		size_t n;

		if (len - at < 2)
			return false;
		n = (size_t)bytes[at] << 8 | bytes[at + 1];
		at += 2;
		if (len - at < n)
			return false;
		tlog_leaf(leaves[i], bytes + at, n);
		at += n;
	}
	return true;
}

uint8_t (*tiles_case_leaves(const char *dir, uint64_t size))[NOTE_HASH]
{
	uint8_t(*leaves)[NOTE_HASH] = calloc(size + 1, NOTE_HASH);
	bool ok = leaves != NULL;

	for (uint64_t n = 0; ok && n << 8 < size; n++) {
		unsigned width;
		size_t len = 0;
		uint8_t *bytes = read_tile(dir, -1, n, size, &width, &len);

		ok = bytes != NULL && read_bundle(leaves + (n << 8), width, bytes, len);
		free(bytes);
	}
	if (ok)
		return leaves;
	free(leaves);
	return NULL;
}

/* Are these hashes those of the tiles of this level? */
static bool
same_tiles(const char *dir, int level, uint64_t count, uint8_t (*hashes)[NOTE_HASH])
{
	bool same = true;

	for (uint64_t n = 0; same && n << 8 < count; n++) {
		unsigned width;
		size_t len = 0;
		uint8_t *bytes = read_tile(dir, level, n, count, &width, &len);

		same = bytes != NULL && len >= (size_t)width * NOTE_HASH &&
		       memcmp(bytes, hashes[n << 8], (size_t)width * NOTE_HASH) == 0;
		free(bytes);
	}
	return same;
}

/* Each 256 hashes become one, in place. */
static uint64_t
reduce(uint8_t (*hashes)[NOTE_HASH], uint64_t count)
{
	for (int bit = 0; bit < 8; bit++, count /= 2)
		for (uint64_t i = 0; i + 1 < count; i += 2)
			tlog_node(hashes[i / 2], hashes[i], hashes[i + 1]);
	return count;
}

struct leaves {
	uint8_t (*hash)[NOTE_HASH];
};

static signet_err
get_node(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	const struct leaves *l = arg;
	uint8_t left[TLOG_HASH], right[TLOG_HASH];

	if (level == 0) {
		memcpy(out, l->hash[number], TLOG_HASH);
		return SIGNET_OK;
	}
	if (get_node(arg, level - 1, 2 * number, left) != SIGNET_OK ||
	    get_node(arg, level - 1, 2 * number + 1, right) != SIGNET_OK)
		return SIGNET_ERR_IO;
	tlog_node(out, left, right);
	return SIGNET_OK;
}

static const char *walk_wrong;
static const char *walk_dir;
static uint64_t walk_size;
static size_t walk_files;

static bool
exists(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", walk_dir, name);
	return access(path, F_OK) == 0;
}

/* Whether the tree, or a smaller one, needs this file. */
static bool
is_needed(const char *name)
{
	char path[128];
	const char *dot;

	if (strcmp(name, "checkpoint") == 0)
		return true;
	for (int level = -1; level < 8; level++) {
		uint64_t count = level <= 0 ? walk_size : walk_size >> (8 * level);

		for (uint64_t n = 0; n < count >> 8; n++) {
			tlog_tile_path(path, sizeof(path), level, n, 256);
			if (strcmp(name, path) == 0)
				return true;
		}
		for (unsigned width = 1; width <= (count & 255); width++) {
			tlog_tile_path(path, sizeof(path), level, count >> 8, width);
			if (strcmp(name, path) == 0)
				return true;
		}
	}
	dot = strstr(name, ".p/"); /* a newer tree's: its full tile must not be there yet */
	snprintf(path, sizeof(path), "%.*s", dot == NULL ? 0 : (int)(dot - name), name);
	return dot != NULL && !exists(path);
}

static int
look(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	walk_files += type == FTW_F;
	if (type == FTW_D && (st->st_mode & 07777) != 0750)
		walk_wrong = "a folder has another mode than 0750";
	if (type == FTW_F && (st->st_mode & 07777) != 0640)
		walk_wrong = "a file has another mode than 0640";
	if (walk_size > 0 && type == FTW_F && !is_needed(path + strlen(walk_dir) + 1))
		walk_wrong = "there is a file that no checkpoint needs";
	return 0;
}

/* size 0: only count. */
static const char *
walk(const char *dir, uint64_t size)
{
	walk_wrong = NULL;
	walk_dir = dir;
	walk_size = size;
	walk_files = 0;
	return nftw(dir, look, 8, FTW_PHYS) == 0 ? walk_wrong : "the folder cannot be read";
}

size_t
tiles_case_files(const char *dir)
{
	(void)walk(dir, 0);
	return walk_files;
}

const char *
tiles_case_tidy(const char *dir, uint64_t size)
{
	return walk(dir, size);
}

static const char *
check_hashes(const char *dir, const struct checkpoint *c)
{
	uint8_t(*hashes)[NOTE_HASH] = tiles_case_leaves(dir, c->size), root[NOTE_HASH];
	struct leaves l = {hashes};
	const char *wrong = NULL;
	uint64_t count = c->size;

	if (hashes == NULL)
		return "an entry bundle is missing or cannot be read";
	if (tlog_root(c->size, get_node, &l, root) != SIGNET_OK || memcmp(root, c->root, sizeof(root)) != 0)
		wrong = "the entries are not those of the checkpoint";
	for (int level = 0; count > 0 && wrong == NULL; level++) {
		if (!same_tiles(dir, level, count, hashes))
			wrong = "a tile has not the hashes of the entries";
		count = reduce(hashes, count);
	}
	free(hashes);
	return wrong;
}

const char *
tiles_case_verify(const char *dir, const struct note_key *k, struct checkpoint *c)
{
	const char *wrong;
	size_t len = 0;
	uint8_t *note = read_file(dir, "checkpoint", &len);

	if (note == NULL)
		return "there is no checkpoint";
	wrong = checkpoint_open(c, (const char *)note, len, k) == SIGNET_OK ? NULL
									    : "the checkpoint is not signed";
	free(note);
	if (wrong == NULL)
		wrong = check_hashes(dir, c);
	return wrong;
}
