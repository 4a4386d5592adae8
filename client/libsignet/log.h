/*
 * The verification of logs from inside: what entry, receipt and folder have
 * in common. Sentences about faults go to error_set(NULL, ...).
 */
#ifndef SIGNET_LIBSIGNET_LOG_H
#define SIGNET_LIBSIGNET_LOG_H

#include <signet/log.h>

#include "base/keychain.h"
#include "base/tlog.h"
#include "conn.h"

/* SIGNET_ERR_ARGUMENT, and its sentence. */
must_check signet_err log_key(struct note_key *k, const char *vkey);
/* `k` NULL: the signature is not looked at. PROTOCOL, VERIFY, MEMORY, without a sentence. */
must_check signet_err log_checkpoint(
    struct checkpoint *c, const char *note, size_t size, const struct note_key *k);
void log_show_checkpoint(signet_checkpoint *shown, const struct checkpoint *c);
/* The index that an entry gives itself, in the one form that entries begin with. */
bool log_entry_index(const char *entry, size_t size, uint64_t *index);

/* --- log_folder.c: the files of a published log --- */

enum {
	FOLDER_LEVELS = 8, /* of tiles: 2^64 entries */
	FOLDER_PLACE = 64,
	BUNDLE_MAX = TLOG_TILE * (2 + SIGNET_ENTRY_MAX),
};

struct tile {
	bool loaded;
	uint64_t number;
	unsigned width;
	uint8_t hash[TLOG_TILE][TLOG_HASH];
};

struct folder {
	int fd;
	bool authentic;   /* the head is signed by the key that was given */
	bool other_key;   /* it is by none of that name and id: perhaps by one that followed */
	struct checkpoint head;
	char *note;
	size_t note_len;
	struct tile tile[FOLDER_LEVELS]; /* the one last used, per level */
	/* after a failure */
	char place[FOLDER_PLACE];
	char why[192];
};

/*
 * Open the folder and its checkpoint. `k` NULL: unauthenticated. One by another key opens too (other_key): it is for
 * the caller to find out whose that is, with folder_is_by(). On failure place and why are set.
 * SIGNET_ERR_IO, SIGNET_ERR_PROTOCOL, SIGNET_ERR_VERIFY, SIGNET_ERR_MEMORY.
 */
must_check signet_err folder_open(struct folder *f, const char *path, const struct note_key *k);
void folder_close(struct folder *f);
/* Is the head signed by this key? */
bool folder_is_by(const struct folder *f, const struct note_key *k);
/* SIGNET_ERR_VERIFY, and why. */
must_check signet_err folder_refuse_key(struct folder *f);

/* How many hashes the checkpoint's tile (level, number) has, 1..TLOG_TILE; level < 0: entries. */
unsigned folder_width(const struct folder *f, int level, uint64_t number);
/*
 * A file below the folder into `out`. place is set. SIGNET_ERR_VERIFY: missing, or longer than `max`; SIGNET_ERR_IO,
 * SIGNET_ERR_MEMORY; why is set.
 */
must_check signet_err folder_read(struct folder *f, const char *place, struct buf *out, size_t max);
/* The tile's hashes in f->tile[level]. Errors as above; VERIFY also where its length is not right. */
must_check signet_err folder_tile(struct folder *f, unsigned level, uint64_t number);
/* For tlog_prove_*(): any complete subtree, from the stored hashes. `arg` is the folder. */
must_check signet_err folder_node(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH]);

struct bundle {
	struct buf bytes;
	unsigned width;             /* entries that belong into the file; 0: it could not be read */
	unsigned count;             /* those that could be cut */
	uint32_t at[TLOG_TILE + 1]; /* entry i lies at bytes.data + at[i] + 2; at[count]: the end */
};

static inline const char *
bundle_entry(const struct bundle *b, unsigned i, size_t *size)
{
	*size = b->at[i + 1] - b->at[i] - 2;
	return (const char *)b->bytes.data + b->at[i] + 2;
}

void bundle_init(struct bundle *b);
void bundle_done(struct bundle *b);
/* As folder_tile(). After SIGNET_ERR_VERIFY the first `count` entries could be cut. */
must_check signet_err bundle_load(struct folder *f, uint64_t number, struct bundle *b);
/* Cut into entries; false: not exactly `width` of them, *count how many. */
bool bundle_cut(struct bundle *b, unsigned width);

#endif
