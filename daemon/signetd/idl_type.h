/* What idl.c makes of a definition and idl_check.c checks against: types as a tree with named links. */
#ifndef SIGNET_SIGNETD_IDL_TYPE_H
#define SIGNET_SIGNETD_IDL_TYPE_H

#include "idl.h"

enum {
	IDL_DEPTH_MAX = 16,  /* of types in each other, and of values checked against them */
	IDL_FIELDS_MAX = 64, /* of one struct or enum: a bit each while members are checked off */
};

enum idl_kind {
	IDL_BOOL,
	IDL_INT,
	IDL_FLOAT,
	IDL_STRING,
	IDL_OBJECT,
	IDL_ARRAY,  /* []element */
	IDL_MAP,    /* [string]element */
	IDL_STRUCT, /* fields with types */
	IDL_ENUM,   /* fields without */
	IDL_NAMED,  /* element is the struct or enum of that name */
};

struct idl_field {
	const char *name;
	size_t len;
	struct idl_type *type; /* NULL in an enum */
};

struct idl_type {
	enum idl_kind kind;
	bool nullable;
	const char *name; /* IDL_NAMED */
	int line;
	struct idl_type *element; /* IDL_NAMED: borrowed */
	struct idl_field *fields;
	size_t field_count;
	uint64_t required;     /* bit i: field i is not nullable */
	struct idl_type *next; /* all types of the interface, as its owner holds them */
};

enum idl_member_kind { IDL_TYPE, IDL_METHOD, IDL_ERROR };

/* One member of the interface; struct idl_method is a member of kind IDL_METHOD. */
struct idl_method {
	enum idl_member_kind kind;
	const char *name;
	struct idl_type *in; /* of a type or error: its type */
	struct idl_type *out;
	struct idl_method *next;
};

struct idl {
	const char *text;
	const char *name;
	struct idl_method *members, **last_member;
	struct idl_type *types;
	char *names; /* all names, NUL-terminated, one behind the other */
};

const struct idl_method *idl_member(const struct idl *i, enum idl_member_kind kind, const char *name);

#endif
