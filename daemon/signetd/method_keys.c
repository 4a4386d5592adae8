/* ListKeys: public data only, from memory; never touches a token. */
#include <stdlib.h>

#include "base/base64.h"
#include "broker.h"
#include "clock.h"
#include "disabled.h"
#include "dispatch.h"
#include "permit.h"
#include "token.h"

static const char *
algorithm_name(const struct wire_key *k, char *out, size_t size)
{
	switch (k->algorithm) {
	case WIRE_RSA:
		snprintf(out, size, "rsa-%u", k->bits);
		return out;
	case WIRE_P256:
		return "p-256";
	case WIRE_P384:
		return "p-384";
	case WIRE_P521:
		return "p-521";
	case WIRE_ED25519:
		return "ed25519";
	default:
		return "unknown";
	}
}

static json_t *
schemes_of(const struct wire_key *k)
{
	switch (k->algorithm) {
	case WIRE_RSA:
		return json_pack("[s,s]", "pkcs1", "pss");
	case WIRE_P256:
	case WIRE_P384:
	case WIRE_P521:
		return json_pack("[s]", "ecdsa");
	case WIRE_ED25519:
		return json_pack("[s]", "eddsa");
	default:
		return json_array();
	}
}

static json_t *
formats_of(const struct wire_key *k)
{
	return k->cms_room > 0 ? json_pack("[s,s,s]", "raw", "cades", "pades") : json_pack("[s]", "raw");
}

static json_t *
certificates_of(const struct wire_key *k)
{
	static char text[BASE64_LEN(WIRE_CERT_MAX)];
	json_t *list = json_array();

	for (unsigned i = 0; i < k->cert_count; i++) {
		base64_encode(text, k->certs[i].der, k->certs[i].len);
		json_array_append_new(list, json_stringn(text, BASE64_LEN(k->certs[i].len)));
	}
	return list;
}

static json_t *
public_of(const struct wire_key *k)
{
	char text[BASE64_LEN((size_t)WIRE_PUBLIC_MAX)];

	if (k->public_len == 0)
		return json_null();
	base64_encode(text, k->public, k->public_len);
	return json_stringn(text, BASE64_LEN((size_t)k->public_len));
}

static json_t *
id_of(const struct wire_key *k)
{
	char text[2 * WIRE_ID_MAX + 1] = "";

	for (size_t i = 0; i < k->id_len; i++)
		snprintf(text + 2 * i, 3, "%02x", k->id[i]);
	return k->id_len == 0 ? json_null() : json_stringn(text, 2 * (size_t)k->id_len);
}

static json_t *
text_or_null(const char *s)
{
	return s != NULL && s[0] != '\0' ? json_string(s) : json_null();
}

static json_t *
reason_of(const struct key *k)
{
	if (k->token->reason[0] != '\0')
		return json_string(k->token->reason);
	return text_or_null(k->info.reason);
}

/* A key that is switched off is that first of all. */
static const char *
state_of(const struct key *k, const struct disabled *off)
{
	return off != NULL ? "disabled" : key_state_name(k);
}

static json_t *
describe_key(const struct key *k)
{
	const struct disabled *off = disabled_find(k->token->broker, k->conf);
	static const char *const uses[] = {"personal", "seal", "timestamp", "log"};
	const struct config_key *c = k->conf;
	char alg[16], until[CLOCK_TEXT] = "";

	if (k->info.not_after != 0)
		clock_format(k->info.not_after * 1000000, until);
	return json_pack("{s:s,s:s,s:s,s:o,s:o,s:s,s:o,s:o,s:o,s:o,s:s,s:o,s:o,s:o}", "name", c->name, "token",
	    k->token->conf->name, "use", uses[c->use], "holder",
	    text_or_null(c->holder != NULL ? c->holder : k->token->conf->holder), "organisation",
	    text_or_null(c->organisation), "algorithm", algorithm_name(&k->info, alg, sizeof(alg)), "schemes",
	    schemes_of(&k->info), "formats", formats_of(&k->info), "certificates", certificates_of(&k->info), "notAfter",
	    text_or_null(until), "state", state_of(k, off), "reason", off != NULL ? json_string(off->reason) : reason_of(k),
	    "id", id_of(&k->info), "publicKey", public_of(&k->info));
}

/* Where a walk over all keys stands. */
struct walk {
	size_t token, key;
};

/* The next key that the caller may list, or NULL. */
static const struct key *
next_key(const struct request *r, struct walk *w)
{
	const struct broker *b = r->broker;

	for (; w->token < b->token_count; w->token++, w->key = 0)
		while (w->key < b->tokens[w->token]->key_count) {
			const struct key *k = &b->tokens[w->token]->keys[w->key++];

			if (permit_again(r->broker, r->who, r->method->verb, k->conf->name).permitted)
				return k;
		}
	return NULL;
}

static void
reply_key(struct request *r, const struct key *k)
{
	request_reply(r, json_pack("{s:o}", "key", describe_key(k)));
}

static void
list_all(struct request *r)
{
	struct walk w = {0, 0};
	const struct key *k = next_key(r, &w), *next = k != NULL ? next_key(r, &w) : NULL;
	struct fault f;

	if (k == NULL) { /* an empty list has no reply of its own in Varlink: it is a named error */
		(void)permit_key(r->broker, r->who, r->method, "", &f);
		fault_set(&f, SIGNET_ERR_KEY_NOT_FOUND, "", "there is no key that you may use");
		request_fail(r, &f);
		return;
	}
	if (!r->call.more && next != NULL) {
		request_fail_with(r, SIGNET_ERR_EXPECTED_MORE, NULL, "%s", "");
		return;
	}
	for (; next != NULL; next = next_key(r, &w)) {
		request_continue(r, json_pack("{s:o}", "key", describe_key(k)));
		k = next;
	}
	reply_key(r, k);
}

void
method_list_keys(struct request *r)
{
	const char *name = json_member_str(r->call.parameters, "key");
	struct fault f;
	const struct key *k;

	if (name == NULL) {
		list_all(r);
		return;
	}
	k = permit_key(r->broker, r->who, r->method, name, &f);
	if (k == NULL)
		request_fail(r, &f);
	else
		reply_key(r, k);
}
