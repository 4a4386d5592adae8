/*
 * The keys of one log, from the first to the newest. A change is an entry of
 * kind "logkey" with `oldKey`, `newKey` and `handover`: a signed note by the
 * old key over the tree before the entry, whose last line names the new key.
 * So who trusts one of them follows to the newest with the entries alone.
 */
#ifndef SIGNET_BASE_KEYCHAIN_H
#define SIGNET_BASE_KEYCHAIN_H

#include "base/note.h"

enum { KEYCHAIN_VKEY = NOTE_NAME_MAX + 64 }; /* a vkey and its NUL */

struct key_link {
	struct note_key old, next;
	struct checkpoint at; /* the tree before the entry */
};

/* The text of `handover`. SIGNET_ERR_LIMIT, SIGNET_ERR_MEMORY. */
must_check signet_err key_link_sign(
    struct buf *out, const struct checkpoint *at, const struct note_key *next, const struct note_signer *old);

/* Is this an entry of kind "logkey"? */
bool key_link_is(const char *entry, size_t size);
/*
 * Read it. The old key has signed, and both keys have the name of the log; whether `at` is the tree before the entry
 * is for the caller to compare. SIGNET_ERR_PROTOCOL (of another form), SIGNET_ERR_VERIFY, SIGNET_ERR_MEMORY.
 */
must_check signet_err key_link_read(struct key_link *l, const char *entry, size_t size);

bool note_key_same(const struct note_key *a, const struct note_key *b);

#endif
