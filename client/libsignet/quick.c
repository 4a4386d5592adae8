/*
 * A good reply without a tree: the literal text around the values is compared,
 * the values are taken as they lie.
 *
 * Invariant: what is accepted here is well-formed JSON [RFC 8259], and a tree
 * would give the same values; whatever else comes (errors, other members, other
 * order, white space, escapes but two) is left to the tree. A test holds the
 * two against each other.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

#include "conn.h"
#include "result.h"

struct reader {
	const char *p, *end;
	bool bad;
};

static void
expect(struct reader *r, const char *literal)
{
	size_t n = strlen(literal);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, literal, n) != 0)
		r->bad = true;
	if (!r->bad)
		r->p += n;
}

static bool
take_if(struct reader *r, const char *literal)
{
	size_t n = strlen(literal);

	if (r->bad || (size_t)(r->end - r->p) < n || memcmp(r->p, literal, n) != 0)
		return false;
	r->p += n;
	return true;
}

/* To the closing quote, which is taken too: printable ASCII that stands for itself. */
static struct span
plain(struct reader *r)
{
	struct span s = {.text = r->p};

	if (r->bad)
		return s;
	while (r->p < r->end && *r->p >= ' ' && *r->p < 0x7f && *r->p != '"' && *r->p != '\\')
		r->p++;
	s.len = (size_t)(r->p - s.text);
	expect(r, "\"");
	return s;
}

/* The same with \" and \\ in it. */
static struct span
escaped(struct reader *r)
{
	struct span s = {.text = r->p};

	while (!r->bad && r->p < r->end && *r->p != '"') {
		if (*r->p == '\\' && (r->end - r->p < 2 || (r->p[1] != '"' && r->p[1] != '\\')))
			r->bad = true;
		else if (*r->p < ' ' || *r->p >= 0x7f)
			r->bad = true;
		else
			r->p += *r->p == '\\' ? 2 : 1;
	}
	s.len = (size_t)(r->p - s.text);
	expect(r, "\"");
	return s;
}

/* The same with any letter of UTF-8, and line ends as escapes. */
static struct span
passage(struct reader *r)
{
	struct span s = {.text = r->p};

	while (!r->bad && r->p < r->end && *r->p != '"') {
		if (*r->p == '\\' && (r->end - r->p < 2 || strchr("\"\\n", r->p[1]) == NULL || r->p[1] == '\0'))
			r->bad = true;
		else if ((uint8_t)*r->p < ' ')
			r->bad = true;
		else
			r->p += *r->p == '\\' ? 2 : 1;
	}
	s.len = r->p < r->end ? (size_t)(r->p - s.text) : 0;
	expect(r, "\"");
	if (!utf8_valid(s.text, s.len))
		r->bad = true;
	return s;
}

/* No sign, no leading zero, no fraction, below 10^18: fits every integer on the way. */
static uint64_t
number(struct reader *r)
{
	const char *from = r->p;
	uint64_t n = 0;

	while (!r->bad && r->p < r->end && *r->p >= '0' && *r->p <= '9' && r->p - from < 18)
		n = 10 * n + (uint64_t)(*r->p++ - '0');
	if (r->p == from || (*from == '0' && r->p - from > 1))
		r->bad = true;
	return n;
}

static void
read_pieces(struct quick *q, struct reader *r)
{
	expect(r, "\"signature\":\"");
	q->signature = plain(r);
	expect(r, ",\"receipt\":{\"log\":\"");
	q->log = plain(r);
	expect(r, ",\"index\":");
	q->index = number(r);
	expect(r, ",\"time\":\"");
	q->time = plain(r);
	expect(r, ",\"entry\":\"");
	q->entry = escaped(r);
	expect(r, ",\"leafHash\":\"");
	q->leaf = plain(r);
	expect(r, "}");
}

bool
quick_read(struct quick *q, const char *text, size_t len, bool item)
{
	struct reader r = {.p = text, .end = text + len};

	*q = (struct quick){0};
	expect(&r, "{\"parameters\":{");
	if (item) {
		expect(&r, "\"result\":{\"item\":");
		q->item = number(&r);
		expect(&r, ",");
		read_pieces(q, &r);
		expect(&r, "}}");
		q->continues = take_if(&r, ",\"continues\":true");
	} else {
		read_pieces(q, &r);
		expect(&r, ",\"state\":\"done\"}");
	}
	expect(&r, "}");
	return !r.bad && r.p == r.end;
}

bool
quick_entry(const char *text, size_t len, const char **parameters, size_t *size)
{
	struct reader r = {.p = text, .end = text + len};

	expect(&r, "{\"parameters\":");
	*parameters = r.p;
	expect(&r, "{\"entry\":{\"index\":");
	(void)number(&r);
	expect(&r, ",\"entry\":\"");
	(void)passage(&r);
	expect(&r, ",\"leafHash\":\"");
	(void)plain(&r);
	if (take_if(&r, ",\"subtrees\":\""))
		(void)plain(&r);
	if (take_if(&r, ",\"checkpoint\":\""))
		(void)passage(&r);
	expect(&r, "}}");
	*size = (size_t)(r.p - *parameters);
	expect(&r, ",\"continues\":true}");
	return !r.bad && r.p == r.end;
}

/* Copy with a NUL behind it; returns where the next one goes. */
static char *
put(char *to, const char **shown, struct span s)
{
	*shown = to;
	memcpy(to, s.text, s.len);
	to[s.len] = '\0';
	return to + s.len + 1;
}

static char *
put_unescaped(char *to, const char **shown, struct span s)
{
	const char *p = s.text, *end = s.text + s.len, *back;
	size_t n;

	*shown = to;
	while (p < end) {
		back = memchr(p, '\\', (size_t)(end - p));
		n = (size_t)((back == NULL ? end : back) - p);
		memcpy(to, p, n);
		to += n;
		p += n;
		if (back != NULL) {
			*to++ = p[1];
			p += 2;
		}
	}
	*to++ = '\0';
	return to;
}

struct result *
result_from_quick(const struct quick *q)
{
	size_t size = q->signature.len / 4 * 3, leaf_size = LEAF_SIZE;
	struct result *r;
	char *to;

	r = malloc(sizeof(*r) + size + q->log.len + q->time.len + q->entry.len + 3);
	if (r == NULL)
		return NULL;
	to = (char *)r->bytes + size;
	r->shown = (signet_result){.item = q->item, .index = q->index, .state = "done"};
	r->parameters = NULL;
	if (base64_decode(q->signature.text, q->signature.len, r->bytes, &size) != SIGNET_OK || size == 0 ||
	    base64_decode(q->leaf.text, q->leaf.len, r->leaf, &leaf_size) != SIGNET_OK ||
	    leaf_size != LEAF_SIZE) {
		free(r);
		return NULL;
	}
	to = put(to, &r->shown.log, q->log);
	to = put(to, &r->shown.time, q->time);
	(void)put_unescaped(to, &r->shown.entry, q->entry);
	r->shown.signature = r->bytes;
	r->shown.signature_size = size;
	r->shown.leaf_hash = r->leaf;
	return r;
}
