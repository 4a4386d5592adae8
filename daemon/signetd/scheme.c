/* Algorithm x scheme. A token that was never seen has no algorithm yet: then this is asked again at the claim. */
#include "scheme.h"

#include <string.h>

#include "broker.h"

enum key_scheme
scheme_parse(const char *word)
{
	static const char *const words[] = {"", "pkcs1", "pss", "ecdsa", "eddsa"};

	for (size_t i = 1; word != NULL && i < array_len(words); i++)
		if (strcmp(word, words[i]) == 0)
			return (enum key_scheme)i;
	return SCHEME_DEFAULT;
}

enum wire_format
format_parse(const char *word)
{
	static const char *const words[] = {"raw", "cades", "pades"};

	for (size_t i = 0; word != NULL && i < array_len(words); i++)
		if (strcmp(word, words[i]) == 0)
			return (enum wire_format)i;
	return WIRE_RAW;
}

static bool
fits(enum wire_algorithm algorithm, enum wire_scheme scheme)
{
	switch (algorithm) {
	case WIRE_RSA:
		return scheme == WIRE_PKCS1 || scheme == WIRE_PSS;
	case WIRE_P256:
	case WIRE_P384:
	case WIRE_P521:
		return scheme == WIRE_ECDSA;
	case WIRE_ED25519:
		return scheme == WIRE_EDDSA;
	default:
		return false;
	}
}

static enum wire_scheme
natural(enum wire_algorithm algorithm)
{
	if (algorithm == WIRE_RSA)
		return WIRE_PKCS1;
	return algorithm == WIRE_ED25519 ? WIRE_EDDSA : WIRE_ECDSA;
}

static bool
key_usable(const struct key *k, struct fault *f)
{
	const char *name = k->conf->name;

	if (k->info.state == WIRE_KEY_FOUND)
		return true;
	if (k->info.state == WIRE_KEY_UNUSABLE) {
		fault_set(f, SIGNET_ERR_UNSUPPORTED, "key", "key %s cannot be used: %s", name, k->info.reason);
		return false;
	}
	fault_set(f, SIGNET_ERR_TOKEN_FAILED, k->token->conf->name,
	    k->info.state == WIRE_KEY_AMBIGUOUS ? "several objects on the token match the uri of key %s: make it narrower"
						: "nothing on the token matches the uri of key %s",
	    name);
	fault_set_reason(f, "key %s", k->info.state == WIRE_KEY_AMBIGUOUS ? "ambiguous" : "missing");
	return false;
}

bool
level_check(const struct broker *b, enum wire_format format, const char *level, struct fault *f)
{
	if (level == NULL || strcmp(level, "t") != 0)
		return true;
	if (format == WIRE_RAW)
		fault_set(f, SIGNET_ERR_UNSUPPORTED, "level",
		    "a raw signature has no room for a time-stamp: leave `level` out");
	else if (b->config->timestamp_count == 0)
		fault_set(f, SIGNET_ERR_UNSUPPORTED, "level",
		    "this daemon has no source of time-stamps ([timestamp NAME]): leave `level` out");
	else
		return true;
	return false;
}

bool
format_check(const struct key *k, enum wire_format format, struct fault *f)
{
	const char *name = k->conf->name;

	if (format == WIRE_RAW || (format == WIRE_TST ? k->info.tst_room : k->info.cms_room) > 0)
		return true;
	if (k->info.algorithm == WIRE_ED25519)
		fault_set(f, SIGNET_ERR_UNSUPPORTED, "format",
		    "key %s is Ed25519, which signatures in documents have no place for: only raw", name);
	else
		fault_set(f, SIGNET_ERR_UNSUPPORTED, "format",
		    "key %s has no certificate that fits into a document's signature: only raw", name);
	return false;
}

bool
scheme_resolve(const struct key *k, enum key_scheme wanted, enum wire_scheme *out, struct fault *f)
{
	enum wire_algorithm algorithm = k->info.algorithm;

	if (!key_usable(k, f))
		return false;
	if (wanted == SCHEME_DEFAULT)
		wanted = k->conf->scheme;
	*out = wanted == SCHEME_DEFAULT ? natural(algorithm) : (enum wire_scheme)wanted;
	if (fits(algorithm, *out))
		return true;
	fault_set(f, SIGNET_ERR_UNSUPPORTED, "scheme", "key %s does not sign with this scheme; leave `scheme` out, or "
	    "ask ListKeys which ones it has", k->conf->name);
	return false;
}
