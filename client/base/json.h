/*
 * jansson behind limits. Input is hostile: at most JSON_MESSAGE_MAX bytes,
 * JSON_DEPTH_MAX nested arrays and objects, strict UTF-8 (no overlong forms,
 * no surrogates), no NUL in a string, no duplicate keys, integers within
 * int64 and one object at the top. Everything else is refused before a
 * handler sees it.
 */
#ifndef SIGNET_BASE_JSON_H
#define SIGNET_BASE_JSON_H

#include <jansson.h>

#include "base/base.h"

enum {
	JSON_MESSAGE_MAX = 1 << 20, /* bytes of one message without its NUL */
	JSON_DEPTH_MAX = 16,
};

/*
 * SIGNET_ERR_LIMIT (too long, too deep), SIGNET_ERR_PROTOCOL (not such an object), SIGNET_ERR_MEMORY.
 * *why, may be NULL: a static sentence.
 */
must_check signet_err json_read(json_t **out, const char *text, size_t len, const char **why);

/*
 * Let jansson wipe each block that it frees: a PIN in a parsed message leaves
 * no copy on the heap. Process-wide, so only programs call it (signetd,
 * signetctl), first thing in main; never a library. It also ends the process
 * when jansson finds no memory: jansson 2.14 would drop a byte of the string
 * that it was reading, and go on.
 */
void json_wipe_freed_memory(void);

/* For owned() jansson itself has json_decrefp(). */

/* Member as a borrowed string, or NULL if absent, null or not a string. */
const char *json_member_str(const json_t *obj, const char *key);

#endif
