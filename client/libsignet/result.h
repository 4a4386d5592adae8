/*
 * signet_result from inside. Two ways lead to one: through a tree of JSON, for
 * whatever a daemon may write, and `quick`, for exactly what ours does write:
 * a tree costs more than all the rest of a call.
 */
#ifndef SIGNET_LIBSIGNET_RESULT_H
#define SIGNET_LIBSIGNET_RESULT_H

#include "conn.h"

enum { LEAF_SIZE = 32 };

struct result {
	signet_result shown; /* first: what callers hold is a pointer to it */
	json_t *parameters;  /* owns the texts; NULL: they lie in `bytes` */
	uint8_t leaf[LEAF_SIZE];
	uint8_t bytes[]; /* the signature; behind it, perhaps, texts */
};

/* What Sign, Collect and a Result of a batch have in common. NULL: not of that form, or no memory. */
struct result *result_from_tree(const struct reply *reply, const json_t *object);

struct span {
	const char *text;
	size_t len;
};

/* A good reply, cut into pieces that point into it. */
struct quick {
	struct span signature, log, time, entry, leaf; /* base64; entry: still escaped */
	uint64_t index, item;
	bool continues;
};

/*
 * Cut up a good reply of Sign or (with `item`) of SignBatch. False: it is anything else, good or bad, and a tree has
 * to tell. Takes only what is well-formed JSON in the one order and form that the daemon writes.
 */
/*
 * Is this a reply of Log.Read with one entry, and more to come? Then these are its parameters, as text.
 */
bool quick_entry(const char *text, size_t len, const char **parameters, size_t *size);
bool quick_read(struct quick *q, const char *text, size_t len, bool item);
/* NULL: a piece is not what it should be, or no memory. */
struct result *result_from_quick(const struct quick *q);

#endif
