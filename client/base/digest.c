/*
 * Digests between their text and their bytes. One digest has one text, so
 * texts can be compared and logged as they came.
 */
#include <assert.h>
#include <string.h>

#include "base/digest.h"

static const struct {
	const char *name;
	size_t size;
} algs[] = {
    [DIGEST_SHA256] = {"sha256", 32},
    [DIGEST_SHA384] = {"sha384", 48},
    [DIGEST_SHA512] = {"sha512", 64},
};

/* Known, and refused by name: who asks for one of these learns why. */
static const char *const weak_algs[] = {"md5", "sha1", "sha224", "ripemd160"};

size_t
digest_size(enum signet_digest_alg alg)
{
	return (unsigned)alg < array_len(algs) ? algs[alg].size : 0;
}

const char *
digest_name(enum signet_digest_alg alg)
{
	return (unsigned)alg < array_len(algs) ? algs[alg].name : NULL;
}

static bool
same_name(const char *name, const char *text, size_t len)
{
	return strlen(name) == len && memcmp(name, text, len) == 0;
}

static enum signet_digest_alg
alg_from_name(const char *text, size_t len)
{
	unsigned i;

	for (i = DIGEST_SHA256; i < array_len(algs); i++) {
		if (same_name(algs[i].name, text, len))
			return (enum signet_digest_alg)i;
	}
	return DIGEST_NONE;
}

static const char *
why_not_alg(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < array_len(weak_algs); i++) {
		if (same_name(weak_algs[i], text, len))
			return "this algorithm is too weak: use sha256, sha384 or sha512";
	}
	return "the algorithm is not known: use sha256, sha384 or sha512";
}

static signet_err
refuse(const char **why, const char *sentence)
{
	if (why != NULL)
		*why = sentence;
	return SIGNET_ERR_BAD_DIGEST;
}

signet_err
digest_parse(struct digest *d, const char *text, const char **why)
{
	const char *colon = strchr(text, ':');
	struct digest parsed = {0};
	size_t n = sizeof(parsed.bytes), len;

	if (colon == NULL)
		return refuse(why, "a digest is written <algorithm>:<hex>");
	parsed.alg = alg_from_name(text, (size_t)(colon - text));
	if (parsed.alg == DIGEST_NONE)
		return refuse(why, why_not_alg(text, (size_t)(colon - text)));
	len = strlen(colon + 1);
	if (len % 2 != 0)
		return refuse(why, "the digest has an odd number of hex digits");
	if (len != 2 * digest_size(parsed.alg))
		return refuse(why, "the digest is not as long as its algorithm says");
	if (hex_decode(colon + 1, len, parsed.bytes, &n) != SIGNET_OK)
		return refuse(why, "the digest is not lower-case hex");
	*d = parsed;
	return SIGNET_OK;
}

void
digest_format(const struct digest *d, char *out)
{
	static const char hex[] = "0123456789abcdef";
	size_t i, size = digest_size(d->alg);
	const char *name = digest_name(d->alg);

	assert(size > 0);
	while (*name != '\0')
		*out++ = *name++;
	*out++ = ':';
	for (i = 0; i < size; i++) {
		*out++ = hex[d->bytes[i] >> 4];
		*out++ = hex[d->bytes[i] & 15];
	}
	*out = '\0';
}

/* Value of a lower-case hex digit, or 16. */
static unsigned
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	return 16;
}

signet_err
hex_decode(const char *text, size_t len, uint8_t *out, size_t *n)
{
	unsigned high, low;
	size_t i;

	if (len % 2 != 0)
		return SIGNET_ERR_ARGUMENT;
	if (len / 2 > *n)
		return SIGNET_ERR_LIMIT;
	for (i = 0; i < len / 2; i++) {
		high = hex_value(text[2 * i]);
		low = hex_value(text[2 * i + 1]);
		if ((high | low) > 15)
			return SIGNET_ERR_ARGUMENT;
		out[i] = (uint8_t)(high << 4 | low);
	}
	*n = len / 2;
	return SIGNET_OK;
}
