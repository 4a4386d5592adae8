/* What the files of this room share: the structure of one PDF. Errors are sticky: file->watch.err. */
#ifndef SIGNET_PDF_FILE_H
#define SIGNET_PDF_FILE_H

#include "pdf/syntax.h"

enum entry_type {
	ENTRY_UNSET, /* no section said anything yet */
	ENTRY_FREE,
	ENTRY_PLAIN,  /* at: where "N G obj" stands */
	ENTRY_PACKED, /* at: number of its object stream; generation: its place in there */
};

struct entry {
	uint32_t at, generation;
	uint8_t type;
};

struct packed { /* an object stream, unpacked */
	struct packed *next;
	uint32_t number;
	int64_t count, first;
	size_t size;
	uint8_t bytes[];
};

struct pdf {
	struct watch watch;
	const uint8_t *bytes;
	size_t size;
	struct entry *entries;
	size_t entry_count, entry_room;
	struct packed *packed;
	size_t unpacked;      /* bytes of them all */
	struct value trailer; /* of the newest section: its dictionary */
	int64_t startxref;
	bool stream; /* is the newest section a stream? */
};

/* An indirect object. */
struct object {
	uint32_t number, generation;
	struct value value;
	const uint8_t *stream; /* where its data begin; NULL: no stream, or not plain */
	bool plain;            /* it stands in the file itself, not in an object stream */
};

/* xref.c: all sections from startxref on. */
bool xref_read(struct pdf *f);
/* Is there an object of this number? NULL: no. */
const struct entry *xref_entry(const struct pdf *f, int64_t number);

/* object.c */
/* False: there is no such object (the value is VALUE_NULL), or watch.err says why. */
bool object_get(struct pdf *f, int64_t number, uint32_t generation, struct object *o);
/* "N G obj" and a value at this place of the file. */
bool object_at(struct pdf *f, uint64_t at, struct object *o);
/* Follow references; what is missing is VALUE_NULL. `o` may be NULL: the last object on the way, number 0 if none. */
struct value object_resolve(struct pdf *f, struct value v, struct object *o);
/* Entry of a dictionary, references followed. */
struct value object_entry(struct pdf *f, const struct value *dict, const char *key);

/* stream.c: unpack what stands behind `o`. out: at most PDF_STREAM_MAX bytes. */
bool stream_read(struct pdf *f, const struct object *o, struct buf *out);

/* form.c */
struct form_node {
	struct value field; /* its dictionary */
	bool top;           /* not a kid of another field */
	bool is_signature;  /* FT is Sig, its own or inherited */
	char name[PDF_TEXT_MAX + 1];
};
typedef void form_fn(void *arg, struct pdf *f, const struct form_node *node);
/* The catalog; PDF_BAD_OBJECT where there is none. */
bool form_catalog(struct pdf *f, struct object *catalog);
/* Each node of the field tree, parents first. False after an error. */
bool form_walk(struct pdf *f, form_fn *fn, void *arg);

/* page.c: the first page; PDF_NO_PAGE. */
bool page_first(struct pdf *f, struct object *page);

/* text.c */
/* A text string as PDF writes it. False: too long, or no UTF-8. */
bool text_put(struct buf *out, const char *utf8);
/* "D:20250301153000+07'00'" */
bool text_put_time(struct buf *out, int64_t time, int offset_minutes);
/* The same as UTC in RFC 3339; "" where it is none. out: 24 bytes. */
void text_read_time(const struct value *v, char *out);

#endif
