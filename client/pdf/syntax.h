/*
 * Values as PDF writes them [ISO 32000-1, 7.2 and 7.3], as spans of the bytes
 * that they are read from. Reading charges each byte against a budget, so that
 * no arrangement of references makes it endless.
 */
#ifndef SIGNET_PDF_SYNTAX_H
#define SIGNET_PDF_SYNTAX_H

#include "pdf/pdf.h"

/* What has gone wrong first, and how much may still be done. */
struct watch {
	pdf_err err;
	uint64_t work;
};

/* Remember the first error. Always false, for `return fail(...)`. */
bool fail(struct watch *w, pdf_err err);
/* Charge n bytes. */
bool spend(struct watch *w, uint64_t n);

enum value_type {
	VALUE_NONE, /* there is no more */
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT,
	VALUE_REAL,
	VALUE_NAME,
	VALUE_STRING,
	VALUE_HEX,
	VALUE_ARRAY,
	VALUE_DICT,
	VALUE_REF,
	VALUE_WORD, /* obj, stream, xref, n, ... */
};

struct value {
	enum value_type type;
	const uint8_t *p; /* as written, brackets and slash included */
	size_t n;
	int64_t number; /* VALUE_INT; of VALUE_REF the object */
	uint32_t generation;
};

struct lexer {
	struct watch *watch;
	const uint8_t *p, *end;
};

void lexer_init(struct lexer *l, struct watch *w, const uint8_t *p, const uint8_t *end);
/*
 * The next value, an array or dictionary as a whole. VALUE_NONE at the end or after an error (watch->err; what is no
 * value is PDF_BAD_OBJECT).
 */
struct value lexer_value(struct lexer *l);
bool lexer_is_word(struct lexer *l, const char *word); /* take the next value, which shall be this */
/* The next reference, however deep in arrays and dictionaries; false at the end or after an error. */
bool lexer_reference(struct lexer *l, int64_t *number);
bool lexer_int(struct lexer *l, int64_t *n);           /* take the next value, which shall be one >= 0 */

bool value_is_name(const struct value *v, const char *name); /* #xx is understood */
bool value_same_name(const struct value *a, const struct value *b);
/* The same, however spaced. Strings and numbers are compared as they are written. Reading `b` is charged to `w`. */
bool value_same(const struct value *a, const struct value *b, struct watch *w);
bool value_is_word(const struct value *v, const char *word);
/* The elements of an array; of a dictionary: key, value, key, value. */
void value_inside(const struct value *v, struct watch *w, struct lexer *l);
/* Next entry of a dictionary; false at the end or after an error. */
bool lexer_entry(struct lexer *l, struct value *key, struct value *value);
/* An entry as it is written: VALUE_NULL where there is none. Twice the same key is PDF_BAD_OBJECT. */
struct value value_entry(const struct value *dict, struct watch *w, const char *key);
struct value value_entry_named(const struct value *dict, struct watch *w, const struct value *name);

/* A string as UTF-8 into `out`, NUL-terminated, cut at a character where `size` is too small. "" for what is no text. */
void value_text(const struct value *v, char *out, size_t size);
/* Exactly these ASCII characters, in whatever encoding? */
bool value_text_is(const struct value *v, const char *text);

#endif
