/*
 * A published log written straight from the definitions: every hash is that of
 * a recursion over its leaves, so that it shares no short cut with the readers
 * that are tested with it.
 */
#include "published.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void
check(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

void
published_init(struct published *p, const char *folder, const char *origin)
{
	static const uint8_t seed[NOTE_SEED] = {1, 2, 3, 4};
	struct buf vkey;
	signet_err err;

	memset(p, 0, sizeof(*p));
	p->folder = folder;
	err = note_signer_init(&p->signer, origin, seed);
	check(err == SIGNET_OK, origin);
	buf_init(&vkey, sizeof(p->vkey));
	note_key_write(&vkey, &p->signer.key);
	buf_chr(&vkey, '\0');
	check(!vkey.failed, origin);
	memcpy(p->vkey, vkey.data, vkey.len);
	buf_done(&vkey);
}

void
published_done(struct published *p)
{
	note_signer_done(&p->signer);
	free(p->leaf);
}

char *
published_entry(const struct published *p, uint64_t index, size_t *size)
{
	static const char *const keys[] = {"office", "seal", "\xc4\x91\xe1\xba\xa5u"};
	char *text = NULL;
	int n;

	n = asprintf(&text,
	    "{\"v\":1,\"kind\":\"sign\",\"time\":\"2026-%02u-%02uT%02u:%02u:41.%06uZ\","
	    "\"boot\":\"0123456789abcdef0123456789abcdef\",\"index\":%llu,\"clock\":\"synchronised\",\"uid\":"
	    "%u,"
	    "\"key\":\"%s\",\"digest\":\"sha256:%064llx\",\"outcome\":\"ok\",\"detail\":\"%.*s\"}",
	    (unsigned)(index / 10000 % 12) + 1, (unsigned)(index / 400 % 28) + 1, (unsigned)(index / 60 % 24),
	    (unsigned)(index % 60), (unsigned)(index % 1000000), (unsigned long long)index,
	    1000 + (unsigned)(index % 7), keys[index % 3], (unsigned long long)index, (int)p->padding,
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxx");
	check(n > 0, "an entry");
	*size = (size_t)n;
	return text;
}

/* MTH(D[from:to]) [RFC 6962, 2.1] */
static void
root_of(const struct published *p, uint64_t from, uint64_t to, uint8_t out[TLOG_HASH])
{
	uint8_t left[TLOG_HASH], right[TLOG_HASH];
	uint64_t k = 1;

	if (to - from == 1) {
		memcpy(out, p->leaf[from], TLOG_HASH);
		return;
	}
	while (2 * k < to - from)
		k *= 2;
	root_of(p, from, from + k, left);
	root_of(p, from + k, to, right);
	tlog_node(out, left, right);
}

signet_err
published_node(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	root_of(arg, number << level, (number + 1) << level, out);
	return SIGNET_OK;
}

static void
write_file(const struct published *p, const char *place, const struct buf *bytes)
{
	char path[4096], *slash;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", p->folder, place);
	for (slash = strchr(path + strlen(p->folder) + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0777);
		*slash = '/';
	}
	f = fopen(path, "we");
	check(!bytes->failed && f != NULL && fwrite(bytes->data, 1, bytes->len, f) == bytes->len, path);
	check(fclose(f) == 0, path);
}

static void
write_entries(struct published *p, uint64_t number, unsigned width)
{
	char place[TLOG_TILE_PATH];
	struct buf bytes;

	buf_init(&bytes, 32 << 20);
	for (uint64_t i = number * TLOG_TILE; i < number * TLOG_TILE + width; i++) {
		size_t size;
		char *entry = published_entry(p, i, &size);

		buf_u8(&bytes, (uint8_t)(size >> 8));
		buf_u8(&bytes, (uint8_t)size);
		buf_put(&bytes, entry, size);
		tlog_leaf(p->leaf[i], entry, size);
		free(entry);
	}
	tlog_tile_path(place, sizeof(place), -1, number, width);
	write_file(p, place, &bytes);
	buf_done(&bytes);
}

static void
write_tile(const struct published *p, unsigned level, uint64_t number, unsigned width)
{
	char place[TLOG_TILE_PATH];
	uint8_t hash[TLOG_HASH];
	struct buf bytes;

	buf_init(&bytes, TLOG_TILE * TLOG_HASH);
	for (unsigned i = 0; i < width; i++) {
		uint64_t at = number * TLOG_TILE + i;

		root_of(p, at << 8 * level, (at + 1) << 8 * level, hash);
		buf_put(&bytes, hash, sizeof(hash));
	}
	tlog_tile_path(place, sizeof(place), (int)level, number, width);
	write_file(p, place, &bytes);
	buf_done(&bytes);
}

/* What is new in one level of tiles; level < 0: entries. */
static void
grow_level(struct published *p, int level, uint64_t old, uint64_t size)
{
	for (uint64_t n = old / TLOG_TILE; n <= size / TLOG_TILE; n++) {
		unsigned width = n < size / TLOG_TILE ? TLOG_TILE : (unsigned)(size % TLOG_TILE);

		if (width == 0 || (n == old / TLOG_TILE && old == size))
			continue;
		if (level < 0)
			write_entries(p, n, width);
		else
			write_tile(p, (unsigned)level, n, width);
	}
}

void
published_note(const struct published *p, uint64_t size, struct buf *out)
{
	struct checkpoint c = {.size = size};
	struct buf text;
	signet_err err;

	memcpy(c.origin, p->signer.key.name, sizeof(c.origin));
	if (size == 0)
		tlog_sha256(c.root, NULL, 0);
	else
		root_of(p, 0, size, c.root);
	buf_init(&text, NOTE_MAX);
	checkpoint_write(&text, &c);
	buf_init(out, NOTE_MAX);
	err = note_sign(out, (const char *)text.data, text.len, &p->signer);
	check(err == SIGNET_OK, "a checkpoint");
	buf_done(&text);
}

void
published_grow(struct published *p, uint64_t size)
{
	uint64_t old = p->size;
	struct buf note;

	p->leaf = realloc(p->leaf, (size + 1) * TLOG_HASH);
	check(p->leaf != NULL, "memory");
	grow_level(p, -1, old, size);
	p->size = size;
	for (unsigned level = 0; size >> 8 * level > 0; level++)
		grow_level(p, (int)level, old >> 8 * level, size >> 8 * level);
	published_note(p, size, &note);
	write_file(p, "checkpoint", &note);
	buf_done(&note);
}
