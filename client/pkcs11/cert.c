/*
 * What a certificate object shows of its certificate [RFC 5280, 4.1]: slices
 * of it. It is not judged here: the daemon and the program do that.
 */
#include <string.h>

#include "bridge.h"

enum { TAG_INTEGER = 0x02, TAG_UTC = 0x17, TAG_GENERAL = 0x18, TAG_SEQUENCE = 0x30, TAG_SET = 0x31, TAG_VERSION = 0xa0 };

static bool
digits(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] < '0' || p[i] > '9')
			return false;
	return true;
}

/* YYMMDD... or YYYYMMDD... [RFC 5280, 4.1.2.5] */
static bool
read_date(struct slice *in, CK_DATE *out)
{
	struct slice whole, body;
	uint8_t tag;

	if (!der_next(in, &tag, &whole, &body))
		return false;
	if (tag == TAG_UTC && body.n >= 6 && digits(body.p, 6)) {
		memcpy(out->year, body.p[0] < '5' ? "20" : "19", 2);
		memcpy(out->year + 2, body.p, 2);
		memcpy(out->month, body.p + 2, 2);
		memcpy(out->day, body.p + 4, 2);
		return true;
	}
	if (tag != TAG_GENERAL || body.n < 8 || !digits(body.p, 8))
		return false;
	memcpy(out->year, body.p, 4);
	memcpy(out->month, body.p + 4, 2);
	memcpy(out->day, body.p + 6, 2);
	return true;
}

/* The last common name that is UTF-8 or ASCII. */
static struct slice
common_name(struct slice subject)
{
	static const uint8_t oid[] = {0x06, 0x03, 0x55, 0x04, 0x03};
	struct slice found = {NULL, 0}, names, rdn, pair, whole, body;
	uint8_t tag;

	if (!der_take(&subject, TAG_SEQUENCE, &whole, &names))
		return found;
	while (der_take(&names, TAG_SET, &whole, &rdn))
		while (der_take(&rdn, TAG_SEQUENCE, &whole, &pair))
			if (der_next(&pair, &tag, &whole, &body) && whole.n == sizeof(oid) &&
			    memcmp(whole.p, oid, sizeof(oid)) == 0 && der_next(&pair, &tag, &whole, &body) &&
			    (tag == 0x0c || tag == 0x13 || tag == 0x16))
				found = body;
	return found;
}

bool
certificate_read(struct certificate *c, struct slice der)
{
	struct slice whole, certificate, tbs, body, validity;

	*c = (struct certificate){0};
	if (!der_take(&der, TAG_SEQUENCE, &whole, &certificate) || der.n != 0 ||
	    !der_take(&certificate, TAG_SEQUENCE, &whole, &tbs))
		return false;
	(void)der_take(&tbs, TAG_VERSION, &whole, &body);
	if (!der_take(&tbs, TAG_INTEGER, &c->serial, &body) || !der_take(&tbs, TAG_SEQUENCE, &whole, &body) ||
	    !der_take(&tbs, TAG_SEQUENCE, &c->issuer, &body) || !der_take(&tbs, TAG_SEQUENCE, &whole, &validity) ||
	    !der_take(&tbs, TAG_SEQUENCE, &c->subject, &body) || !der_take(&tbs, TAG_SEQUENCE, &c->info, &body))
		return false;
	c->dated = read_date(&validity, &c->start) && read_date(&validity, &c->end);
	c->name = common_name(c->subject);
	return true;
}
