/*
 * One entry of a published log and its proof, made from the tiles.
 *
 * Invariant: nothing leaves here that does not verify against the checkpoint.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct proven {
	struct folder folder;
	struct bundle bundle;
	struct buf proof;
	const char *entry;
	size_t entry_size;
};

static signet_err
folder_error(const struct folder *f, signet_err err)
{
	return error_set(NULL, err, "%s: %s", f->place, f->why);
}

static signet_err
load_entry(struct proven *p, uint64_t index)
{
	signet_err err;

	if (index >= p->folder.head.size)
		return error_set(NULL, SIGNET_ERR_REQUEST_NOT_FOUND,
		    "the copy has %llu entries, counted from 0", (unsigned long long)p->folder.head.size);
	err = bundle_load(&p->folder, index / TLOG_TILE, &p->bundle);
	if (err != SIGNET_OK)
		return folder_error(&p->folder, err);
	p->entry = bundle_entry(&p->bundle, (unsigned)(index % TLOG_TILE), &p->entry_size);
	return SIGNET_OK;
}

static signet_err
make_proof(struct proven *p, uint64_t index)
{
	const struct checkpoint *head = &p->folder.head;
	struct tlog_proof hashes;
	uint8_t leaf[TLOG_HASH];
	signet_err err;

	err = tlog_prove_inclusion(index, head->size, folder_node, &p->folder, &hashes);
	if (err != SIGNET_OK)
		return folder_error(&p->folder, err);
	tlog_leaf(leaf, p->entry, p->entry_size);
	if (tlog_check_inclusion(index, head->size, leaf, &hashes, head->root) != SIGNET_OK)
		return error_set(NULL, SIGNET_ERR_VERIFY,
		    "entry %llu or a hash on its way to the checkpoint was changed; a verification of all "
		    "tells which",
		    (unsigned long long)index);
	tlog_proof_write(&p->proof, index, &hashes, p->folder.note, p->folder.note_len);
	buf_chr(&p->proof, '\0');
	return p->proof.failed ? error_plain(NULL, SIGNET_ERR_MEMORY) : SIGNET_OK;
}

static signet_err
give(const struct proven *p, char **entry, size_t *entry_size, char **proof)
{
	char *bytes = malloc(p->entry_size + 1), *text = malloc(p->proof.len);

	if (bytes == NULL || text == NULL) {
		free(bytes);
		free(text);
		return error_plain(NULL, SIGNET_ERR_MEMORY);
	}
	memcpy(bytes, p->entry, p->entry_size);
	bytes[p->entry_size] = '\0';
	memcpy(text, p->proof.data, p->proof.len);
	*entry = bytes;
	*proof = text;
	if (entry_size != NULL)
		*entry_size = p->entry_size;
	return SIGNET_OK;
}

/* The key of the checkpoint is another one: whether it follows from `k`, only the entries tell. */
static signet_err
follow_keys(struct proven *p, const char *path, const struct note_key *k)
{
	signet_log_check check = {.size = sizeof(check)};
	struct buf vkey;
	signet_err err;

	buf_init(&vkey, NOTE_MAX);
	note_key_write(&vkey, k);
	buf_chr(&vkey, '\0');
	err = vkey.failed ? SIGNET_ERR_MEMORY
			  : signet_log_verify_folder(path, (const char *)vkey.data, NULL, NULL, &check);
	buf_done(&vkey);
	if (err == SIGNET_ERR_MEMORY)
		return err;
	/* the folder may have been replaced meanwhile */
	if (err != SIGNET_OK || check.checkpoint.size != p->folder.head.size ||
	    memcmp(check.checkpoint.root, p->folder.head.root, SIGNET_LOG_HASH) != 0)
		return folder_refuse_key(&p->folder);
	return SIGNET_OK;
}

static signet_err
prove(struct proven *p, const char *path, const struct note_key *k, uint64_t index)
{
	signet_err err;

	err = folder_open(&p->folder, path, k);
	if (err == SIGNET_OK && p->folder.other_key)
		err = follow_keys(p, path, k);
	if (err != SIGNET_OK)
		return folder_error(&p->folder, err);
	err = load_entry(p, index);
	return err == SIGNET_OK ? make_proof(p, index) : err;
}

SIGNET_API signet_err
signet_log_prove_from_folder(
    const char *path, const char *vkey, uint64_t index, char **entry, size_t *entry_size, char **proof)
{
	struct proven *p;
	struct note_key k;
	signet_err err;

	error_clear();
	if (path == NULL || entry == NULL || proof == NULL)
		return error_plain(NULL, SIGNET_ERR_ARGUMENT);
	if (vkey != NULL) {
		err = log_key(&k, vkey);
		if (err != SIGNET_OK)
			return err;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return error_plain(NULL, SIGNET_ERR_MEMORY);
	bundle_init(&p->bundle);
	buf_init(&p->proof, NOTE_MAX + 8 * 1024);
	err = prove(p, path, vkey == NULL ? NULL : &k, index);
	if (err == SIGNET_OK)
		err = give(p, entry, entry_size, proof);
	folder_close(&p->folder);
	bundle_done(&p->bundle);
	buf_done(&p->proof);
	free(p);
	return err;
}
