/*
 * json_read promises: an object within every limit, or an error with a reason.
 * What was accepted survives being written and read again, by jansson's writer
 * and, string by string, by ours.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "fuzz.h"

static void
check_string(const char *s, size_t n)
{
	struct buf b;
	json_t *back;

	assert(memchr(s, 0, n) == NULL);
	buf_init(&b, 6 * n + 2);
	buf_json(&b, s, n);
	assert(!b.failed);
	back = json_loadb((const char *)b.data, b.len, JSON_DECODE_ANY, NULL);
	assert(json_is_string(back));
	assert(json_string_length(back) == n && memcmp(json_string_value(back), s, n) == 0);
	json_decref(back);
	buf_done(&b);
}

static void
check_value(json_t *value, unsigned depth)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_object(value) || json_is_array(value))
		assert(++depth <= JSON_DEPTH_MAX);
	if (json_is_string(value))
		check_string(json_string_value(value), json_string_length(value));
	if (json_is_object(value))
		json_object_foreach(value, key, member)
		{
			check_string(key, strlen(key));
			check_value(member, depth);
		}
	if (json_is_array(value))
		json_array_foreach(value, i, member)
		{
			check_value(member, depth);
		}
}

static void
check_round_trip(const json_t *message)
{
	char *text = json_dumps(message, JSON_COMPACT);
	json_t *again = NULL;
	signet_err err;

	assert(text != NULL);
	/* 1e9 is written as 1000000000.0: what just fitted may not fit any more */
	if (strlen(text) <= JSON_MESSAGE_MAX) {
		err = json_read(&again, text, strlen(text), NULL);
		assert(err == SIGNET_OK && json_equal(message, again));
		json_decref(again);
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	json_t *message = NULL;
	signet_err err = json_read(&message, (const char *)data, size, &why);

	if (err != SIGNET_OK) {
		assert(err == SIGNET_ERR_LIMIT || err == SIGNET_ERR_PROTOCOL);
		assert(message == NULL && why != NULL && why[0] != '\0');
		return 0;
	}
	assert(json_is_object(message));
	check_value(message, 0);
	check_round_trip(message);
	json_decref(message);
	return 0;
}
