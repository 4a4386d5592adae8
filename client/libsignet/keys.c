/*
 * Listing keys [org.signetd.Signer.ListKeys]: one reply, one key, one callback.
 *
 * Invariant: a key is handed over complete or not at all; its texts point into
 * the reply, which lives until the callback has returned.
 */
#include <stdlib.h>

#include "base/base64.h"

#include "conn.h"

struct key_reply {
	signet_key key;
	const char **schemes, **formats;
	uint8_t **certificates, *public_key;
	size_t *sizes;
};

static void
key_reply_done(struct key_reply *k)
{
	size_t i;

	for (i = 0; k->certificates != NULL && i < k->key.certificate_count; i++)
		free(k->certificates[i]);
	free(k->certificates);
	free(k->public_key);
	free(k->sizes);
	free(k->schemes);
	free(k->formats);
}

/* base64 to bytes of our own; NULL: it is none, or no memory. */
static uint8_t *
read_bytes(const json_t *text, size_t *size)
{
	size_t len = json_string_length(text);
	uint8_t *bytes;

	*size = len / 4 * 3;
	if (!json_is_string(text))
		return NULL;
	bytes = malloc(*size + 1);
	if (bytes == NULL || base64_decode(json_string_value(text), len, bytes, size) == SIGNET_OK)
		return bytes;
	free(bytes);
	return NULL;
}

static bool
read_public_key(struct key_reply *k, const json_t *text)
{
	if (text == NULL || json_is_null(text))
		return true;
	k->key.public_key = k->public_key = read_bytes(text, &k->key.public_key_size);
	return k->public_key != NULL;
}

static bool
read_certificate(struct key_reply *k, size_t i, const json_t *text)
{
	k->certificates[i] = read_bytes(text, &k->sizes[i]);
	return k->certificates[i] != NULL;
}

static bool
read_certificates(struct key_reply *k, const json_t *list)
{
	size_t i, n = json_array_size(list);
	const json_t *text;

	if (!json_is_array(list))
		return false;
	k->certificates = calloc(n + 1, sizeof(*k->certificates));
	k->sizes = calloc(n + 1, sizeof(*k->sizes));
	if (k->certificates == NULL || k->sizes == NULL)
		return false;
	k->key.certificate_count = n;
	json_array_foreach(list, i, text)
	{
		if (!read_certificate(k, i, text))
			return false;
	}
	k->key.certificates = (const uint8_t *const *)k->certificates;
	k->key.certificate_sizes = k->sizes;
	return true;
}

static bool
read_key(struct key_reply *k, const json_t *object)
{
	struct members m = {.object = object};

	k->key.name = member_str(&m, "name", true);
	k->key.token = member_str(&m, "token", true);
	k->key.use = member_str(&m, "use", true);
	k->key.holder = member_str(&m, "holder", false);
	k->key.organisation = member_str(&m, "organisation", false);
	k->key.algorithm = member_str(&m, "algorithm", true);
	k->key.schemes = k->schemes = member_texts(&m, "schemes");
	k->key.formats = k->formats = member_texts(&m, "formats");
	k->key.not_after = member_str(&m, "notAfter", false);
	k->key.state = member_str(&m, "state", true);
	k->key.reason = member_str(&m, "reason", false);
	k->key.id = member_str(&m, "id", false);
	return read_certificates(k, json_object_get(object, "certificates")) &&
	       read_public_key(k, json_object_get(object, "publicKey")) && !m.bad;
}

static signet_err
next_key(struct exchange *x, signet_key_fn *fn, void *arg)
{
	struct key_reply k = {0};
	struct reply r;
	signet_err err;

	err = exchange_next(x, &r);
	if (err != SIGNET_OK)
		return err;
	if (read_key(&k, json_object_get(r.parameters, "key")))
		fn(arg, &k.key);
	else
		err = exchange_nonsense(x, "it has no proper `key`");
	key_reply_done(&k);
	reply_done(&r);
	return err;
}

SIGNET_API signet_err
signet_keys(signet_conn *conn, const char *name, signet_key_fn *fn, void *arg)
{
	struct exchange x;
	signet_err err;

	err = exchange_begin(&x, conn, "org.signetd.Signer.ListKeys", NULL);
	if (err != SIGNET_OK)
		return err;
	param_str(&x, "key", name);
	err = fn == NULL ? error_plain(conn, SIGNET_ERR_ARGUMENT) : exchange_send(&x, SIGNET_CALL_MORE);
	while (err == SIGNET_OK && x.open)
		err = next_key(&x, fn, arg);
	exchange_end(&x);
	return err;
}
