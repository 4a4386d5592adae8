/*
 * Does a JSON value have a type of an interface?
 *
 * Invariant: the walk goes down one JSON level per step, at most IDL_DEPTH_MAX, so
 * types that contain themselves end with the value. It allocates nothing: a
 * path is a chain on the stack, written out only when something is wrong.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "idl_type.h"

struct step { /* how the walk came here; name NULL: by index */
	const struct step *up;
	const char *name;
	size_t len;
	size_t index;
};

struct path {
	char *out;
	size_t size, used;
};

/* Room for all of it, or as much as ends with a whole character. */
static void
put(struct path *p, const char *s, size_t len)
{
	size_t room = p->size - p->used - 1;

	if (len > room) {
		for (len = room; len > 0 && ((uint8_t)s[len] & 0xc0) == 0x80; len--)
			;
		p->size = p->used + len + 1; /* full: what follows must not look like the end of this */
	}
	memcpy(p->out + p->used, s, len);
	p->used += len;
	p->out[p->used] = '\0';
}

static void
put_step(struct path *p, const struct step *s)
{
	char index[32];
	int n;

	if (s == NULL)
		return;
	put_step(p, s->up);
	if (s->name != NULL) {
		if (p->used > 0)
			put(p, ".", 1);
		put(p, s->name, s->len);
		return;
	}
	n = snprintf(index, sizeof(index), "[%zu]", s->index);
	if (n > 0)
		put(p, index, (size_t)n);
}

/* Always false: the value at `s` is at fault. */
static bool
fault(struct path *p, const struct step *s)
{
	if (p->size > 0) {
		p->out[0] = '\0';
		put_step(p, s);
	}
	return false;
}

/*
 * Clients write members in the order of the definition: so the search begins
 * where the last one ended, and mostly ends there too.
 */
static size_t
find_field(const struct idl_type *t, const char *name, size_t len, size_t from)
{
	size_t i, at;

	for (i = 0; i < t->field_count; i++) {
		at = from + i < t->field_count ? from + i : from + i - t->field_count;
		if (t->fields[at].len == len && memcmp(t->fields[at].name, name, len) == 0)
			return at;
	}
	return t->field_count;
}

static bool check_value(
    const struct idl_type *t, const json_t *v, const struct step *s, unsigned depth, struct path *p);

static bool
check_missing(const struct idl_type *t, uint64_t seen, const struct step *s, struct path *p)
{
	uint64_t missing = t->required & ~seen;
	const struct idl_field *f;

	if (missing == 0)
		return true;
	f = &t->fields[__builtin_ctzll(missing)];
	return fault(p, &(struct step){.up = s, .name = f->name, .len = f->len});
}

static bool
check_struct(const struct idl_type *t, const json_t *v, const struct step *s, unsigned depth, struct path *p)
{
	json_t *object = (json_t *)(uintptr_t)v; /* jansson's iterators take no const; nothing is changed */
	uint64_t seen = 0;
	size_t next = 0;
	void *it;

	if (!json_is_object(v))
		return fault(p, s);
	for (it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
		struct step member = {
		    .up = s, .name = json_object_iter_key(it), .len = json_object_iter_key_len(it)};
		const json_t *value = json_object_iter_value(it);
		size_t at = find_field(t, member.name, member.len, next);

		if (at == t->field_count)
			return fault(p, &member);
		next = at + 1 < t->field_count ? at + 1 : 0;
		if (json_is_null(value))
			continue; /* as if it were not there */
		if (!check_value(t->fields[at].type, value, &member, depth, p))
			return false;
		seen |= UINT64_C(1) << at;
	}
	return check_missing(t, seen, s, p);
}

static bool
check_element(const struct idl_type *t, const json_t *v, const struct step *s, unsigned depth, struct path *p)
{
	if (json_is_null(v))
		return t->nullable || fault(p, s);
	return check_value(t, v, s, depth, p);
}

static bool
check_array(const struct idl_type *t, const json_t *v, const struct step *s, unsigned depth, struct path *p)
{
	size_t i, n = json_array_size(v);

	if (!json_is_array(v))
		return fault(p, s);
	for (i = 0; i < n; i++) {
		struct step element = {.up = s, .index = i};

		if (!check_element(t->element, json_array_get(v, i), &element, depth, p))
			return false;
	}
	return true;
}

static bool
check_map(const struct idl_type *t, const json_t *v, const struct step *s, unsigned depth, struct path *p)
{
	json_t *object = (json_t *)(uintptr_t)v;
	void *it;

	if (!json_is_object(v))
		return fault(p, s);
	for (it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
		struct step member = {
		    .up = s, .name = json_object_iter_key(it), .len = json_object_iter_key_len(it)};

		if (!check_element(t->element, json_object_iter_value(it), &member, depth, p))
			return false;
	}
	return true;
}

static bool
is_of_enum(const struct idl_type *t, const json_t *v)
{
	return json_is_string(v) &&
	       find_field(t, json_string_value(v), json_string_length(v), 0) < t->field_count;
}

static bool
has_plain_type(const struct idl_type *t, const json_t *v)
{
	switch (t->kind) {
	case IDL_BOOL:
		return json_is_boolean(v);
	case IDL_INT:
		return json_is_integer(v);
	case IDL_FLOAT:
		return json_is_number(v);
	case IDL_STRING:
		return json_is_string(v);
	case IDL_OBJECT:
		return json_is_object(v);
	case IDL_ENUM:
		return is_of_enum(t, v);
	default:
		return false;
	}
}

static bool
check_value(const struct idl_type *t, const json_t *v, const struct step *s, unsigned depth, struct path *p)
{
	if (t->kind == IDL_NAMED)
		t = t->element; /* a struct or enum, never another name */
	if (depth == IDL_DEPTH_MAX)
		return fault(p, s);
	switch (t->kind) {
	case IDL_STRUCT:
		return check_struct(t, v, s, depth + 1, p);
	case IDL_ARRAY:
		return check_array(t, v, s, depth + 1, p);
	case IDL_MAP:
		return check_map(t, v, s, depth + 1, p);
	default:
		return has_plain_type(t, v) || fault(p, s);
	}
}

static bool
check(const struct idl_type *t, const json_t *parameters, char *field, size_t field_size)
{
	struct path p = {.out = field, .size = field_size};

	return check_value(t, parameters, NULL, 0, &p);
}

bool
idl_check_input(const struct idl_method *m, const json_t *parameters, char *field, size_t field_size)
{
	return check(m->in, parameters, field, field_size);
}

bool
idl_check_output(const struct idl_method *m, const json_t *parameters, char *field, size_t field_size)
{
	return check(m->out, parameters, field, field_size);
}

bool
idl_check_error(
    const struct idl *i, const char *name, const json_t *parameters, char *field, size_t field_size)
{
	const struct idl_method *m = idl_member(i, IDL_ERROR, name);
	struct path p = {.out = field, .size = field_size};

	return m != NULL ? check(m->in, parameters, field, field_size) : fault(&p, NULL);
}
