/*
 * Values [ISO 32000-1, 7.2 and 7.3].
 *
 * Invariant: every loop moves forward and charges what it passed; arrays and
 * dictionaries are passed over with a stack of one bit per level, so that
 * nesting costs no call. What is taken lies between p and end.
 */
#include <assert.h>
#include <string.h>

#include "pdf/syntax.h"

enum { IS_SPACE = 1, IS_DELIMITER = 2 };

bool
fail(struct watch *w, pdf_err err)
{
	if (w->err == PDF_OK)
		w->err = err;
	return false;
}

bool
spend(struct watch *w, uint64_t n)
{
	if (w->err != PDF_OK)
		return false;
	if (w->work < n) {
		w->work = 0;
		return fail(w, PDF_LIMIT);
	}
	w->work -= n;
	return true;
}

static int
class_of(uint8_t c)
{
	switch (c) {
	case 0:
	case '\t':
	case '\n':
	case '\f':
	case '\r':
	case ' ':
		return IS_SPACE;
	case '(':
	case ')':
	case '<':
	case '>':
	case '[':
	case ']':
	case '{':
	case '}':
	case '/':
	case '%':
		return IS_DELIMITER;
	default:
		return 0;
	}
}

void
lexer_init(struct lexer *l, struct watch *w, const uint8_t *p, const uint8_t *end)
{
	*l = (struct lexer){.watch = w, .p = p, .end = end};
}

static void
skip_space(struct lexer *l)
{
	while (l->p < l->end) {
		if (*l->p == '%') {
			while (l->p < l->end && *l->p != '\n' && *l->p != '\r')
				l->p++;
		} else if (class_of(*l->p) == IS_SPACE) {
			l->p++;
		} else {
			return;
		}
	}
}

/* To the end of a run of regular characters. */
static void
skip_regular(struct lexer *l)
{
	while (l->p < l->end && class_of(*l->p) == 0)
		l->p++;
}

/* Behind the bracket that closes a literal string; brackets inside come in pairs. */
static bool
skip_string(struct lexer *l)
{
	size_t open = 0;

	for (; l->p < l->end; l->p++) {
		if (*l->p == '\\' && l->end - l->p > 1)
			l->p++;
		else if (*l->p == '(')
			open++;
		else if (*l->p == ')' && --open == 0) {
			l->p++;
			return true;
		}
	}
	return false;
}

static bool
skip_hex(struct lexer *l)
{
	const uint8_t *close = memchr(l->p, '>', (size_t)(l->end - l->p));

	if (close == NULL)
		return false;
	l->p = close + 1;
	return true;
}

/* Digits with a sign make an int, a point among them a real; anything else stays a word. */
static void
classify_regular(struct value *v)
{
	bool point = false, digits = false, negative = v->p[0] == '-';
	size_t i = v->p[0] == '-' || v->p[0] == '+' ? 1 : 0;
	int64_t n = 0;

	v->type = VALUE_WORD;
	for (; i < v->n; i++) {
		if (v->p[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (v->p[i] < '0' || v->p[i] > '9')
			return;
		digits = true;
		if (!point && n < INT64_MAX / 16)
			n = n * 10 + (v->p[i] - '0');
	}
	if (!digits && !point)
		return;
	v->type = point || n >= INT64_MAX / 16 ? VALUE_REAL : VALUE_INT;
	v->number = negative ? -n : n;
}

static enum value_type
word_type(const struct value *v)
{
	if (v->type != VALUE_WORD)
		return v->type;
	if (value_is_word(v, "null"))
		return VALUE_NULL;
	return value_is_word(v, "true") || value_is_word(v, "false") ? VALUE_BOOL : VALUE_WORD;
}

static bool
starts(const struct lexer *l, const char *two)
{
	return l->end - l->p > 1 && l->p[0] == (uint8_t)two[0] && l->p[1] == (uint8_t)two[1];
}

/* One token; the four brackets come as VALUE_ARRAY or VALUE_DICT of one or two bytes. */
static struct value
token(struct lexer *l)
{
	struct value v = {.type = VALUE_NONE};
	const uint8_t *from = l->p;
	bool good = true;

	skip_space(l);
	v.p = l->p;
	if (l->p == l->end) {
		(void)spend(l->watch, (uint64_t)(l->p - from));
		return v;
	}
	if (*l->p == '/') {
		v.type = VALUE_NAME;
		l->p++;
		skip_regular(l);
	} else if (*l->p == '(') {
		v.type = VALUE_STRING;
		good = skip_string(l);
	} else if (starts(l, "<<") || starts(l, ">>")) {
		v.type = VALUE_DICT;
		l->p += 2;
	} else if (*l->p == '<') {
		v.type = VALUE_HEX;
		good = skip_hex(l);
	} else if (*l->p == '[' || *l->p == ']') {
		v.type = VALUE_ARRAY;
		l->p++;
	} else if (class_of(*l->p) == IS_DELIMITER) {
		good = false;
	} else {
		skip_regular(l);
		v.n = (size_t)(l->p - v.p);
		classify_regular(&v);
	}
	v.n = (size_t)(l->p - v.p);
	v.type = word_type(&v);
	/* a token that has no end was searched for to the end */
	if (!spend(l->watch, (uint64_t)(l->p - from)) || !good) {
		(void)fail(l->watch, PDF_BAD_OBJECT);
		return (struct value){.type = VALUE_NONE};
	}
	return v;
}

/* `v` is the bracket that opens: take all up to the one that closes it. */
static struct value
whole(struct lexer *l, struct value v)
{
	uint64_t dicts = v.type == VALUE_DICT; /* a bit per open bracket: is it a dictionary? */
	unsigned depth = 1;

	_Static_assert(PDF_NESTING_MAX <= 64, "a bit for each level");
	while (depth > 0) {
		struct value t = token(l);

		if (t.type == VALUE_NONE) {
			(void)fail(l->watch, PDF_BAD_OBJECT);
			return t;
		}
		if (t.type != VALUE_DICT && t.type != VALUE_ARRAY)
			continue;
		if (t.p[0] == '<' || t.p[0] == '[') {
			if (depth == PDF_NESTING_MAX) {
				(void)fail(l->watch, PDF_LIMIT);
				return (struct value){.type = VALUE_NONE};
			}
			dicts = dicts << 1 | (t.type == VALUE_DICT);
			depth++;
			continue;
		}
		if ((dicts & 1) != (t.type == VALUE_DICT)) {
			(void)fail(l->watch, PDF_BAD_OBJECT);
			return (struct value){.type = VALUE_NONE};
		}
		dicts >>= 1;
		depth--;
	}
	v.n = (size_t)(l->p - v.p);
	return v;
}

/* An int may be the first part of a reference: "12 0 R". Otherwise the lexer stays behind the int. */
static struct value
maybe_reference(struct lexer *l, struct value v)
{
	struct lexer ahead = *l;
	struct watch quiet = {.work = l->watch->work};
	struct value generation, r;

	/* what is no reference need not be anything: it is read again as what it is */
	ahead.watch = &quiet;
	generation = token(&ahead);
	if (generation.type != VALUE_INT || generation.number < 0 || generation.number > 65535 ||
	    v.number < 0)
		return v;
	r = token(&ahead);
	if (!value_is_word(&r, "R"))
		return v;
	(void)spend(l->watch, (uint64_t)(ahead.p - l->p));
	l->p = ahead.p;
	v.type = VALUE_REF;
	v.generation = (uint32_t)generation.number;
	v.n = (size_t)(l->p - v.p);
	return v;
}

struct value
lexer_value(struct lexer *l)
{
	struct value v = token(l);

	if (v.type == VALUE_INT)
		return maybe_reference(l, v);
	if (v.type != VALUE_DICT && v.type != VALUE_ARRAY)
		return v;
	if (v.p[0] == '<' || v.p[0] == '[')
		return whole(l, v);
	(void)fail(l->watch, PDF_BAD_OBJECT);
	return (struct value){.type = VALUE_NONE};
}

bool
lexer_reference(struct lexer *l, int64_t *number)
{
	struct value v;

	do {
		v = token(l);
		if (v.type == VALUE_INT)
			v = maybe_reference(l, v);
		if (v.type == VALUE_REF) {
			*number = v.number;
			return true;
		}
	} while (v.type != VALUE_NONE);
	return false;
}

bool
lexer_is_word(struct lexer *l, const char *word)
{
	struct value v = token(l);

	return value_is_word(&v, word);
}

bool
lexer_int(struct lexer *l, int64_t *n)
{
	struct value v = token(l);

	if (v.type != VALUE_INT || v.number < 0)
		return false;
	*n = v.number;
	return true;
}

bool
value_is_word(const struct value *v, const char *word)
{
	return v->type == VALUE_WORD && v->n == strlen(word) && memcmp(v->p, word, v->n) == 0;
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The next character of a name as it is meant [7.3.5]; -1 at its end. */
static int
name_next(const uint8_t **p, const uint8_t *end)
{
	int c;

	if (*p >= end)
		return -1;
	c = *(*p)++;
	if (c != '#' || end - *p < 2 || hex_digit((*p)[0]) < 0 || hex_digit((*p)[1]) < 0)
		return c;
	c = hex_digit((*p)[0]) << 4 | hex_digit((*p)[1]);
	*p += 2;
	return c;
}

bool
value_is_name(const struct value *v, const char *name)
{
	const uint8_t *p;
	int c;

	if (v->type != VALUE_NAME)
		return false;
	p = v->p + 1;
	do {
		c = name_next(&p, v->p + v->n);
	} while (c >= 0 && c == (uint8_t)*name && *name++ != '\0');
	return c < 0 && *name == '\0';
}

bool
value_same_name(const struct value *a, const struct value *b)
{
	const uint8_t *p, *q;
	int c, d;

	if (a->type != VALUE_NAME || b->type != VALUE_NAME)
		return false;
	p = a->p + 1;
	q = b->p + 1;
	do {
		c = name_next(&p, a->p + a->n);
		d = name_next(&q, b->p + b->n);
	} while (c == d && c >= 0);
	return c == d;
}

bool
value_same(const struct value *a, const struct value *b, struct watch *w)
{
	struct lexer l, m;
	struct value x, y;

	if (a->type != b->type)
		return false;
	if (a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0))
		return true;
	if (a->n == 0 || b->n == 0)
		return false;
	lexer_init(&l, w, a->p, a->p + a->n);
	lexer_init(&m, w, b->p, b->p + b->n);
	do {
		x = token(&l);
		y = token(&m);
		if (x.type != y.type)
			return false;
		if (!value_same_name(&x, &y) && (x.n != y.n || (x.n > 0 && memcmp(x.p, y.p, x.n) != 0)))
			return false;
	} while (x.type != VALUE_NONE);
	return w->err == PDF_OK;
}

void
value_inside(const struct value *v, struct watch *w, struct lexer *l)
{
	size_t bracket = v->type == VALUE_DICT ? 2 : 1;

	if (v->type != VALUE_DICT && v->type != VALUE_ARRAY)
		lexer_init(l, w, NULL, NULL);
	else
		lexer_init(l, w, v->p + bracket, v->p + v->n - bracket);
}

bool
lexer_entry(struct lexer *l, struct value *key, struct value *value)
{
	*key = lexer_value(l);
	if (key->type == VALUE_NONE)
		return false;
	if (key->type != VALUE_NAME)
		return fail(l->watch, PDF_BAD_OBJECT);
	*value = lexer_value(l);
	if (value->type == VALUE_NONE || value->type == VALUE_WORD)
		return fail(l->watch, PDF_BAD_OBJECT);
	return true;
}

struct value
value_entry(const struct value *dict, struct watch *w, const char *key)
{
	/* with a slash in front it is as a file would have it; our own names need no more room */
	char name[32] = "/";
	struct value k = {.type = VALUE_NAME, .p = (const uint8_t *)name, .n = strlen(key) + 1};

	assert(k.n < sizeof(name));
	memcpy(name + 1, key, k.n);
	return value_entry_named(dict, w, &k);
}

struct value
value_entry_named(const struct value *dict, struct watch *w, const struct value *name)
{
	struct value found = {.type = VALUE_NULL}, k, v;
	bool seen = false;
	struct lexer l;

	if (dict->type != VALUE_DICT)
		return found;
	value_inside(dict, w, &l);
	while (lexer_entry(&l, &k, &v)) {
		if (!value_same_name(&k, name))
			continue;
		/* readers differ in which one they take: a file that shows two faces */
		if (seen)
			(void)fail(w, PDF_BAD_OBJECT);
		seen = true;
		found = v;
	}
	if (w->err != PDF_OK)
		found = (struct value){.type = VALUE_NULL};
	return found;
}

/* --- strings --- */

struct string { /* the bytes of a string, one after the other */
	const uint8_t *p, *end;
	bool hex;
};

static struct string
string_of(const struct value *v)
{
	struct string s = {.hex = v->type == VALUE_HEX};

	if ((v->type == VALUE_STRING || v->type == VALUE_HEX) && v->n >= 2) {
		s.p = v->p + 1;
		s.end = v->p + v->n - 1;
	}
	return s;
}

static int
next_hex(struct string *s)
{
	int c, high = -1;

	for (; s->p < s->end; s->p++) {
		c = hex_digit(*s->p);
		if (c < 0)
			continue;
		if (high < 0) {
			high = c;
			continue;
		}
		s->p++;
		return high << 4 | c;
	}
	return high < 0 ? -1 : high << 4; /* a last single digit has a 0 behind it */
}

static int
next_octal(struct string *s, int first)
{
	int i, c = first - '0';

	for (i = 0; i < 2 && s->p < s->end && *s->p >= '0' && *s->p <= '7'; i++)
		c = c << 3 | (*s->p++ - '0');
	return c & 0xff;
}

/* Behind a backslash; -2: it stood for nothing. */
static int
next_escape(struct string *s)
{
	static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
	const char *at;
	int c;

	if (s->p == s->end)
		return -2;
	c = *s->p++;
	if (c >= '0' && c <= '7')
		return next_octal(s, c);
	if (c == '\r' && s->p < s->end && *s->p == '\n')
		s->p++;
	if (c == '\r' || c == '\n')
		return -2;
	at = c == 0 ? NULL : strchr(from, c);
	return at == NULL ? c : to[at - from];
}

/* -1 at the end. */
static int
next_byte(struct string *s)
{
	int c = -2;

	if (s->hex)
		return next_hex(s);
	while (c == -2) {
		if (s->p >= s->end)
			return -1;
		c = *s->p++;
		if (c == '\\')
			c = next_escape(s);
	}
	return c;
}

/* UTF-8 of one character; false where it does not fit. */
static bool
put_char(char *out, size_t size, size_t *at, uint32_t c)
{
	uint8_t bytes[4];
	size_t n;

	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x80) {
		bytes[0] = (uint8_t)c;
		n = 1;
	} else if (c < 0x800) {
		bytes[0] = (uint8_t)(0xc0 | c >> 6);
		n = 2;
	} else if (c < 0x10000) {
		bytes[0] = (uint8_t)(0xe0 | c >> 12);
		n = 3;
	} else {
		bytes[0] = (uint8_t)(0xf0 | c >> 18);
		n = 4;
	}
	if (size - *at <= n)
		return false;
	for (size_t i = 1; i < n; i++)
		bytes[i] = (uint8_t)(0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
	memcpy(out + *at, bytes, n);
	*at += n;
	return true;
}

static uint32_t
next_utf16(struct string *s, bool *end)
{
	int high = next_byte(s), low = high < 0 ? -1 : next_byte(s);

	*end = low < 0;
	return *end ? 0 : (uint32_t)(high << 8 | low);
}

static void
text_utf16(struct string s, char *out, size_t size, size_t *at)
{
	bool end;

	for (;;) {
		struct string behind;
		uint32_t c = next_utf16(&s, &end), low;

		if (end)
			return;
		behind = s;
		if (c >= 0xd800 && c < 0xdc00) {
			low = next_utf16(&behind, &end);
			if (!end && low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
				s = behind;
			}
		}
		if (!put_char(out, size, at, c))
			return;
	}
}

/* PDFDocEncoding [ISO 32000-1, D.3]: ASCII and Latin 1 as they are, what lies between is left to guess. */
static void
text_bytes(struct string s, char *out, size_t size, size_t *at)
{
	int c;

	while ((c = next_byte(&s)) >= 0) {
		uint32_t shown = c < 0x20 || (c >= 0x7f && c < 0xa1) ? 0xfffd : (uint32_t)c;

		if (!put_char(out, size, at, c == '\n' || c == '\t' ? ' ' : shown))
			return;
	}
}

void
value_text(const struct value *v, char *out, size_t size)
{
	struct string s = string_of(v), behind = s;
	size_t at = 0;
	int c = next_byte(&behind);

	if (c == 0xfe && next_byte(&behind) == 0xff)
		text_utf16(behind, out, size, &at);
	else
		text_bytes(s, out, size, &at);
	out[at] = '\0';
}

bool
value_text_is(const struct value *v, const char *text)
{
	char shown[PDF_TEXT_MAX + 1];

	value_text(v, shown, sizeof(shown));
	return strcmp(shown, text) == 0;
}
