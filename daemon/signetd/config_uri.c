/*
 * The URI of a key [RFC 7512]: names exactly the attributes that find one
 * private key on one token, and nothing else.
 *
 * p11-kit decodes the values; it also lets anything pass that it does not know
 * (an empty URI matches every object), so attributes are counted here first,
 * against the list of those we take. No value is repeated in a message: one
 * may be a PIN.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include "config.h"

static const char scheme[] = "pkcs11:";

enum { URI_MAX = 511 }; /* as the frame to the worker has room */

enum { TOKEN = 1, SERIAL = 2, ID = 4, OBJECT = 8, TYPE = 16, MANUFACTURER = 32, MODEL = 64 };

static const struct {
	const char *name;
	unsigned bit;
} attributes[] = {
    {"token", TOKEN},
    {"serial", SERIAL},
    {"id", ID},
    {"object", OBJECT},
    {"type", TYPE},
    {"manufacturer", MANUFACTURER},
    {"model", MODEL},
};

struct verdict_text {
	char *why;
	size_t size;
};

static signet_err printf_like(2, 3) refuse(const struct verdict_text *v, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(v->why, v->size, fmt, args);
	va_end(args);
	return SIGNET_ERR_CONFIG;
}

static bool
is_word(const char *p, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(p, word, len) == 0;
}

static unsigned
attribute_bit(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < array_len(attributes); i++) {
		if (is_word(name, len, attributes[i].name))
			return attributes[i].bit;
	}
	return 0;
}

/* Does a part "name=..." begin with this prefix? */
static bool
begins(const char *p, const char *prefix)
{
	return strncmp(p, prefix, strlen(prefix)) == 0;
}

static signet_err
refuse_attribute(const struct verdict_text *v, const char *name, size_t len)
{
	if (begins(name, "pin-"))
		return refuse(v, "no PIN belongs into a URI: remove the pin- attribute, use `credential`");
	if (begins(name, "module-") || begins(name, "library-"))
		return refuse(v, "the module is named by the token's section: remove %.*s", (int)len, name);
	if (begins(name, "slot-"))
		return refuse(v, "slots change: remove %.*s, use token or serial", (int)len, name);
	return refuse(v, "unknown attribute \"%.*s\"", (int)(len < 40 ? len : 40), name);
}

/* Which attributes are there; each known, once, with a value. */
static signet_err
count_attributes(const char *uri, unsigned *seen, const struct verdict_text *v)
{
	const char *p = uri + sizeof(scheme) - 1;
	size_t len, name;
	unsigned bit;

	for (*seen = 0;; p += len + 1) {
		len = strcspn(p, ";?&");
		name = strcspn(p, "=;?&");
		bit = attribute_bit(p, name);
		if (len == 0)
			return refuse(v, "there is an empty attribute");
		if (bit == 0)
			return refuse_attribute(v, p, name);
		if ((*seen & bit) != 0)
			return refuse(v, "%.*s is there twice", (int)name, p);
		if (name + 1 >= len)
			return refuse(v, "%.*s has no value", (int)name, p);
		*seen |= bit;
		if (p[len] == '\0')
			return SIGNET_OK;
		if (p[len] != ';') /* a query: nothing in it is for us, and it may hold a PIN */
			return refuse_attribute(v, p + len + 1, strcspn(p + len + 1, "=&"));
	}
}

static signet_err
check_seen(unsigned seen, const struct verdict_text *v)
{
	if ((seen & (TOKEN | SERIAL)) == 0)
		return refuse(v, "it names no token: add token= or serial=");
	if ((seen & (ID | OBJECT)) == 0)
		return refuse(v, "it names no key: add id= or object=");
	return SIGNET_OK;
}

/* CK_TOKEN_INFO pads with blanks. */
static bool
is_padded(const CK_UTF8CHAR *field, size_t size, const char *value)
{
	size_t i, len = strlen(value);

	if (len > size || memcmp(field, value, len) != 0)
		return false;
	for (i = len; i < size; i++) {
		if (field[i] != ' ')
			return false;
	}
	return true;
}

static signet_err
check_values(
    P11KitUri *uri, unsigned seen, const char *serial, const char *label, const struct verdict_text *v)
{
	const CK_TOKEN_INFO *info = p11_kit_uri_get_token_info(uri);
	const CK_ATTRIBUTE *class = p11_kit_uri_get_attribute(uri, CKA_CLASS);

	if (p11_kit_uri_any_unrecognized(uri))
		return refuse(v, "p11-kit does not know all of its attributes");
	if ((seen & TYPE) != 0 && (class == NULL || class->ulValueLen != sizeof(CK_OBJECT_CLASS) ||
				      *(const CK_OBJECT_CLASS *)class->pValue != CKO_PRIVATE_KEY))
		return refuse(v, "type must be private");
	if (serial != NULL && (seen & SERIAL) != 0 &&
	    !is_padded(info->serialNumber, sizeof(info->serialNumber), serial))
		return refuse(v, "its serial is not that of the token's section");
	if (label != NULL && (seen & TOKEN) != 0 && !is_padded(info->label, sizeof(info->label), label))
		return refuse(v, "its token is not the label of the token's section");
	return SIGNET_OK;
}

signet_err
config_check_uri(
    const char *uri, const char *token_serial, const char *token_label, char *why, size_t why_size)
{
	const struct verdict_text v = {why, why_size};
	unsigned seen;
	P11KitUri *parsed;
	signet_err err;
	int rc;

	if (!begins(uri, scheme))
		return refuse(&v, "it must begin with pkcs11:");
	if (strlen(uri) > URI_MAX)
		return refuse(&v, "it is longer than %d bytes", URI_MAX);
	err = count_attributes(uri, &seen, &v);
	if (err == SIGNET_OK)
		err = check_seen(seen, &v);
	if (err != SIGNET_OK)
		return err;
	parsed = p11_kit_uri_new();
	if (parsed == NULL)
		return SIGNET_ERR_MEMORY;
	rc = p11_kit_uri_parse(uri, P11_KIT_URI_FOR_ANY, parsed);
	if (rc != P11_KIT_URI_OK)
		err = refuse(&v, "%s", p11_kit_uri_message(rc));
	else
		err = check_values(parsed, seen, token_serial, token_label, &v);
	p11_kit_uri_free(parsed);
	return err;
}
