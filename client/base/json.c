/*
 * jansson behind limits: one pass over the bytes before jansson sees them, and
 * jansson's own strictness for the rest.
 *
 * Invariant: what json_read returns keeps every limit of the header. jansson
 * recurses once per level, so depth is counted first, outside strings; it is
 * exact for valid JSON, and what is not valid jansson refuses later.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"

enum byte_class { PLAIN, QUOTE, OPEN, CLOSE };

static const uint8_t classes[256] = {
    ['"'] = QUOTE,
    ['['] = OPEN,
    ['{'] = OPEN,
    [']'] = CLOSE,
    ['}'] = CLOSE,
};

/* One past the closing quote of the string whose content starts at p; `end` if there is none. */
static const char *
skip_string(const char *p, const char *end)
{
	const char *quote, *back;

	while ((quote = memchr(p, '"', (size_t)(end - p))) != NULL) {
		/* an odd number of backslashes before it makes the quote content */
		for (back = quote; back > p && back[-1] == '\\'; back--)
			;
		p = quote + 1;
		if ((quote - back) % 2 == 0)
			return p;
	}
	return end;
}

static signet_err
refuse(const char **why, signet_err err, const char *sentence)
{
	if (why != NULL)
		*why = sentence;
	return err;
}

static signet_err
check_limits(const char *text, size_t len, const char **why)
{
	const char *p = text, *end = text + len;
	unsigned depth = 0;

	if (len > JSON_MESSAGE_MAX)
		return refuse(why, SIGNET_ERR_LIMIT, "the message is longer than 1 MiB");
	if (len > 0 && memchr(text, 0, len) != NULL)
		return refuse(why, SIGNET_ERR_PROTOCOL, "the message contains a NUL byte");
	while (p < end) {
		switch (classes[(uint8_t)*p++]) {
		case QUOTE:
			p = skip_string(p, end);
			break;
		case OPEN:
			if (++depth > JSON_DEPTH_MAX)
				return refuse(
				    why, SIGNET_ERR_LIMIT, "objects and arrays are nested more than 16 deep");
			break;
		case CLOSE:
			if (depth > 0)
				depth--;
			break;
		default:
			break;
		}
	}
	return SIGNET_OK;
}

/* jansson's own text quotes the input, which may hold a PIN: say it in our words. */
static signet_err
explain(const json_error_t *error, const char **why)
{
	switch (json_error_code(error)) {
	case json_error_out_of_memory:
	case json_error_unknown:
		return refuse(why, SIGNET_ERR_MEMORY, "out of memory");
	case json_error_invalid_utf8:
		return refuse(why, SIGNET_ERR_PROTOCOL, "the message is not valid UTF-8");
	case json_error_duplicate_key:
		return refuse(why, SIGNET_ERR_PROTOCOL, "the message has a member twice");
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return refuse(why, SIGNET_ERR_PROTOCOL, "a string contains a NUL character");
	case json_error_numeric_overflow:
		return refuse(why, SIGNET_ERR_PROTOCOL, "a number is out of range");
	case json_error_premature_end_of_input:
		return refuse(why, SIGNET_ERR_PROTOCOL, "the message ends in the middle");
	default:
		return refuse(why, SIGNET_ERR_PROTOCOL, "the message is not a JSON object");
	}
}

signet_err
json_read(json_t **out, const char *text, size_t len, const char **why)
{
	json_error_t error;
	json_t *message;
	signet_err err;

	err = check_limits(text, len, why);
	if (err != SIGNET_OK)
		return err;
	/* where jansson keeps its code; it leaves this alone when an allocation fails */
	error.text[sizeof(error.text) - 1] = (char)json_error_unknown;
	message = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (message == NULL) {
		err = explain(&error, why);
		wipe(&error, sizeof(error));
		return err;
	}
	if (!json_is_object(message)) {
		json_decref(message);
		return refuse(why, SIGNET_ERR_PROTOCOL, "the message is not a JSON object");
	}
	*out = message;
	return SIGNET_OK;
}

static void
free_wiped(void *block)
{
	/* the usable size, not the asked one: jansson does not say how much it asked for */
	wipe(block, malloc_usable_size(block));
	free(block);
}

static void *
malloc_or_abort(size_t n)
{
	void *block = malloc(n);

	/* not NULL: jansson's lexer would lose a byte and believe what is left, a key's name perhaps */
	if (block == NULL)
		abort();
	return block;
}

void
json_wipe_freed_memory(void)
{
	json_set_alloc_funcs(malloc_or_abort, free_wiped);
}

const char *
json_member_str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}
