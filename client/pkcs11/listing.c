/*
 * What the daemon shows: its tokens and keys, copied out of two calls that
 * touch no token.
 *
 * Invariant: only keys that the bridge shows are in a listing: personal ones
 * that were found on their token and whose algorithm it knows. Seals, stamps
 * and the log's own key have other ways in.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/digest.h"

#include "bridge.h"

int64_t
time_read(const char *text)
{
	struct tm t = {0};

	return text == NULL || strptime(text, "%Y-%m-%dT%H:%M:%S", &t) == NULL ? 0 : timegm(&t);
}

static char *
copy(struct listing *l, const char *text)
{
	char *made = text == NULL ? NULL : strdup(text);

	if (text != NULL && made == NULL)
		l->failed = true;
	return made;
}

/* Room for one more at the end of an array, cleared; NULL: memory. */
static void *
append(struct listing *l, void *array, size_t *count, size_t size)
{
	void **at = array;
	char *grown = realloc(*at, (*count + 1) * size);

	if (grown == NULL) {
		l->failed = true;
		return NULL;
	}
	*at = grown;
	memset(grown + *count * size, 0, size);
	return grown + (*count)++ * size;
}

static void
on_token(void *arg, const signet_token *t)
{
	struct listing *l = arg;
	struct listed_token *to = append(l, &l->tokens, &l->token_count, sizeof(*to));

	if (to == NULL)
		return;
	to->name = copy(l, t->name);
	to->state = copy(l, t->state);
	to->serial = copy(l, t->serial);
	to->label = copy(l, t->label);
	to->manufacturer = copy(l, t->manufacturer);
	to->model = copy(l, t->model);
	to->uses = t->uses;
	to->shared = t->shared;
	to->pin_needed = t->pin_needed;
	to->prompted = t->prompted;
	to->count_low = t->pin_count_low;
	to->final_try = t->pin_final_try;
	to->pin_failures = t->pin_failures;
	to->max_uses = t->max_uses;
	to->max_seconds = t->max_seconds;
	to->until = time_read(t->until);
}

static void
copy_bytes(struct listing *l, struct bytes *to, const uint8_t *bytes, size_t n)
{
	to->p = malloc(n + 1);
	if (to->p == NULL) {
		l->failed = true;
		return;
	}
	to->n = n;
	if (n > 0)
		memcpy(to->p, bytes, n);
}

/* CKA_ID as the token has it; where that is not known, the key's name: no two keys share it. */
static void
copy_id(struct listing *l, struct listed_key *to, const signet_key *k)
{
	uint8_t id[256];
	size_t n = sizeof(id);

	if (k->id != NULL && hex_decode(k->id, strlen(k->id), id, &n) == SIGNET_OK)
		copy_bytes(l, &to->id, id, n);
	else
		copy_bytes(l, &to->id, (const uint8_t *)k->name, strlen(k->name));
}

static void
copy_certs(struct listing *l, struct listed_key *to, const signet_key *k)
{
	if (k->certificate_count == 0)
		return;
	to->certs = calloc(k->certificate_count, sizeof(*to->certs));
	if (to->certs == NULL) {
		l->failed = true;
		return;
	}
	for (size_t i = 0; i < k->certificate_count; i++)
		copy_bytes(l, &to->certs[to->cert_count++], k->certificates[i], k->certificate_sizes[i]);
}

static void
on_key(void *arg, const signet_key *k)
{
	struct listing *l = arg;
	struct listed_key *to;
	unsigned bits;

	if (strcmp(k->use, "personal") != 0 || key_kind_of(k->algorithm, &bits) == KEY_NONE)
		return;
	to = append(l, &l->keys, &l->key_count, sizeof(*to));
	if (to == NULL)
		return;
	to->name = copy(l, k->name);
	to->token = copy(l, k->token);
	to->algorithm = copy(l, k->algorithm);
	copy_id(l, to, k);
	if (k->public_key != NULL)
		copy_bytes(l, &to->public, k->public_key, k->public_key_size);
	copy_certs(l, to, k);
}

signet_err
listing_read(struct listing *l, signet_conn *conn)
{
	signet_err err;

	*l = (struct listing){0};
	err = signet_tokens(conn, NULL, on_token, l);
	if (err == SIGNET_OK)
		err = signet_keys(conn, NULL, on_key, l);
	/* nothing at all is an answer too */
	if (err == SIGNET_ERR_TOKEN_NOT_FOUND || err == SIGNET_ERR_KEY_NOT_FOUND)
		err = SIGNET_OK;
	if (err == SIGNET_OK && l->failed)
		err = SIGNET_ERR_MEMORY;
	if (err != SIGNET_OK)
		listing_done(l);
	return err;
}

void
listing_done(struct listing *l)
{
	for (size_t i = 0; i < l->token_count; i++) {
		struct listed_token *t = &l->tokens[i];

		free(t->name);
		free(t->state);
		free(t->serial);
		free(t->label);
		free(t->manufacturer);
		free(t->model);
	}
	for (size_t i = 0; i < l->key_count; i++) {
		struct listed_key *k = &l->keys[i];

		free(k->name);
		free(k->token);
		free(k->algorithm);
		free(k->id.p);
		free(k->public.p);
		for (size_t c = 0; c < k->cert_count; c++)
			free(k->certs[c].p);
		free(k->certs);
	}
	free(l->tokens);
	free(l->keys);
	*l = (struct listing){0};
}
