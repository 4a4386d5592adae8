/*
 * Interface definitions: text -> tree of types.
 *
 * Invariant: an interface that parses is closed: every name in it stands for a
 * struct or enum of the same file, no member or field is there twice, and
 * nothing nests deeper than IDL_DEPTH_MAX. Blanks and comments are skipped between any
 * two words, but a member ends with its line, as the grammar wants it.
 *
 * Recursive descent over [varlink.org, Interface-Definition]; a failed parser
 * stays failed, its first message counts.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idl_type.h"

struct parser {
	struct idl *idl;
	const char *p;
	int line;
	char *name_end; /* free room in idl->names */
	signet_err err;
	char *why;
	size_t why_size;
};

static void printf_like(3, 4) fail_at(struct parser *ps, int line, const char *fmt, ...)
{
	va_list args;
	int n;

	if (ps->err != SIGNET_OK)
		return;
	ps->err = SIGNET_ERR_PROTOCOL;
	n = snprintf(ps->why, ps->why_size, "%d: ", line);
	if (n < 0 || (size_t)n >= ps->why_size)
		return;
	va_start(args, fmt);
	vsnprintf(ps->why + n, ps->why_size - (size_t)n, fmt, args);
	va_end(args);
}

static void
no_memory(struct parser *ps)
{
	if (ps->err != SIGNET_OK)
		return;
	ps->err = SIGNET_ERR_MEMORY;
	snprintf(ps->why, ps->why_size, "%d: out of memory", ps->line);
}

/* Blanks and comments; newlines too if `lines`. */
static void
skip(struct parser *ps, bool lines)
{
	for (;; ps->p++) {
		if (*ps->p == '#')
			ps->p += strcspn(ps->p, "\n");
		if (*ps->p == '\n' && lines)
			ps->line++;
		else if (*ps->p != ' ' && *ps->p != '\t' && *ps->p != '\r')
			return;
	}
}

/* The next character after blanks, taken if it is `c`. */
static bool
take(struct parser *ps, char c)
{
	skip(ps, true);
	if (ps->err != SIGNET_OK || *ps->p != c)
		return false;
	ps->p++;
	return true;
}

static void
expect(struct parser *ps, char c)
{
	if (!take(ps, c))
		fail_at(ps, ps->line, "expected '%c'", c);
}

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_alnum(char c)
{
	return is_alpha(c) || (c >= '0' && c <= '9');
}

/* Letters of one word, with those in `also`; 0 where there is none. */
static size_t
word_length(const char *p, const char *also)
{
	size_t n = 0;

	while (is_alnum(p[n]) || (p[n] != '\0' && strchr(also, p[n]) != NULL))
		n++;
	return n;
}

/* Names share one block as long as the text: each is followed in the text by at least one other character. */
static const char *
keep_name(struct parser *ps, size_t len)
{
	char *name = ps->name_end;

	memcpy(name, ps->p, len);
	name[len] = '\0';
	ps->name_end += len + 1;
	ps->p += len;
	return name;
}

/* [A-Z][A-Za-z0-9]* */
static const char *
member_name(struct parser *ps)
{
	size_t len;

	skip(ps, true);
	len = word_length(ps->p, "");
	if (len == 0 || *ps->p < 'A' || *ps->p > 'Z') {
		fail_at(ps, ps->line, "expected a name that begins with a capital letter");
		return "";
	}
	return keep_name(ps, len);
}

/* [A-Za-z](_?[A-Za-z0-9])* */
static const char *
field_name(struct parser *ps)
{
	size_t len;

	skip(ps, true);
	len = word_length(ps->p, "_");
	if (len == 0 || !is_alpha(*ps->p) || ps->p[len - 1] == '_' || memmem(ps->p, len, "__", 2) != NULL) {
		fail_at(ps, ps->line, "expected the name of a field");
		return "";
	}
	return keep_name(ps, len);
}

/* [A-Za-z]([-]*[A-Za-z0-9])*(\.[A-Za-z0-9]([-]*[A-Za-z0-9])*)+ */
static const char *
interface_name(struct parser *ps)
{
	bool dot = false, good;
	size_t len, i;

	skip(ps, true);
	len = word_length(ps->p, "-.");
	good = len > 0 && is_alpha(ps->p[0]) && is_alnum(ps->p[len - 1]);
	for (i = 1; good && i < len; i++) {
		if (ps->p[i] != '.')
			continue;
		dot = true;
		good = is_alnum(ps->p[i - 1]) && is_alnum(ps->p[i + 1]);
	}
	if (!good || !dot) {
		fail_at(ps, ps->line, "expected the name of an interface, such as org.example.name");
		return "";
	}
	return keep_name(ps, len);
}

static struct idl_type *parse_type(struct parser *ps, unsigned depth);

static struct idl_type *
new_type(struct parser *ps, enum idl_kind kind)
{
	struct idl_type *t;

	if (ps->err != SIGNET_OK)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (t == NULL) {
		no_memory(ps);
		return NULL;
	}
	t->kind = kind;
	t->line = ps->line;
	t->next = ps->idl->types;
	ps->idl->types = t;
	return t;
}

static bool
has_field(const struct idl_type *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->field_count; i++) {
		if (strcmp(t->fields[i].name, name) == 0)
			return true;
	}
	return false;
}

/* A field without its type, which is NULL as in an enum. */
static struct idl_field *
add_field(struct parser *ps, struct idl_type *t)
{
	const char *name = field_name(ps);
	struct idl_field *f;

	if (ps->err != SIGNET_OK)
		return NULL;
	if (has_field(t, name)) {
		fail_at(ps, ps->line, "field \"%s\" is there twice", name);
		return NULL;
	}
	if (t->field_count == IDL_FIELDS_MAX) {
		fail_at(ps, ps->line, "more than %d fields in one type", IDL_FIELDS_MAX);
		return NULL;
	}
	f = reallocarray(t->fields, t->field_count + 1, sizeof(*f));
	if (f == NULL) {
		no_memory(ps);
		return NULL;
	}
	t->fields = f;
	f += t->field_count++;
	*f = (struct idl_field){.name = name, .len = strlen(name)};
	return f;
}

static void
parse_field_type(struct parser *ps, struct idl_type *t, struct idl_field *f, unsigned depth)
{
	f->type = parse_type(ps, depth + 1);
	if (f->type != NULL && !f->type->nullable)
		t->required |= UINT64_C(1) << (t->field_count - 1);
}

/*
 * Behind "(": the first field decides between (a: T, ...) and (a, ...); () is a
 * struct. Each further field must go on in the same way.
 */
static struct idl_type *
parse_fields(struct parser *ps, unsigned depth)
{
	struct idl_type *t = new_type(ps, IDL_STRUCT);
	struct idl_field *f;

	if (t == NULL || take(ps, ')'))
		return t;
	do {
		f = add_field(ps, t);
		if (f == NULL)
			return NULL;
		if (t->field_count == 1 && !take(ps, ':'))
			t->kind = IDL_ENUM;
		else if (t->kind == IDL_STRUCT && t->field_count > 1)
			expect(ps, ':');
		if (t->kind == IDL_STRUCT)
			parse_field_type(ps, t, f, depth);
	} while (take(ps, ','));
	expect(ps, ')');
	return ps->err == SIGNET_OK ? t : NULL;
}

/* Behind "[": "]" or "string]", then the type of the elements. */
static struct idl_type *
parse_container(struct parser *ps, unsigned depth)
{
	static const char key[] = "string";
	enum idl_kind kind = IDL_ARRAY;
	struct idl_type *t;

	if (strncmp(ps->p, key, sizeof(key) - 1) == 0) {
		ps->p += sizeof(key) - 1;
		kind = IDL_MAP;
	}
	if (*ps->p != ']') {
		fail_at(ps, ps->line, "expected [] or [string]");
		return NULL;
	}
	ps->p++;
	t = new_type(ps, kind);
	if (t != NULL)
		t->element = parse_type(ps, depth + 1);
	return t;
}

static struct idl_type *
parse_word(struct parser *ps)
{
	static const char *const words[] = {
	    [IDL_BOOL] = "bool",
	    [IDL_INT] = "int",
	    [IDL_FLOAT] = "float",
	    [IDL_STRING] = "string",
	    [IDL_OBJECT] = "object",
	};
	size_t len = word_length(ps->p, "");
	struct idl_type *t;
	unsigned i;

	for (i = 0; i < array_len(words); i++) {
		if (strlen(words[i]) == len && memcmp(words[i], ps->p, len) == 0) {
			ps->p += len;
			return new_type(ps, (enum idl_kind)i);
		}
	}
	if (*ps->p < 'A' || *ps->p > 'Z') {
		fail_at(ps, ps->line, "expected a type");
		return NULL;
	}
	t = new_type(ps, IDL_NAMED);
	if (t != NULL)
		t->name = member_name(ps);
	return t;
}

static struct idl_type *
parse_type(struct parser *ps, unsigned depth)
{
	bool nullable = take(ps, '?');
	struct idl_type *t;

	if (ps->err != SIGNET_OK)
		return NULL;
	if (depth > IDL_DEPTH_MAX) {
		fail_at(ps, ps->line, "types are nested more than %d deep", IDL_DEPTH_MAX);
		return NULL;
	}
	if (take(ps, '('))
		t = parse_fields(ps, depth);
	else if (take(ps, '['))
		t = parse_container(ps, depth);
	else
		t = parse_word(ps);
	if (t != NULL)
		t->nullable = nullable;
	return t;
}

static struct idl_type *
parse_struct(struct parser *ps)
{
	struct idl_type *t = NULL;
	int line;

	skip(ps, true);
	line = ps->line;
	if (!take(ps, '('))
		fail_at(ps, line, "expected '('");
	else
		t = parse_fields(ps, 1);
	if (t != NULL && t->kind != IDL_STRUCT)
		fail_at(ps, line, "parameters need types");
	return t;
}

/* A member ends with its line. */
static void
expect_end_of_line(struct parser *ps)
{
	skip(ps, false);
	if (*ps->p != '\n' && *ps->p != '\0')
		fail_at(ps, ps->line, "expected the end of the line");
}

static struct idl_method *
add_member(struct parser *ps, enum idl_member_kind kind)
{
	const char *name = member_name(ps);
	struct idl_method *m;

	for (m = ps->idl->members; m != NULL; m = m->next) {
		if (strcmp(m->name, name) == 0)
			fail_at(ps, ps->line, "\"%s\" is there twice", name);
	}
	if (ps->err != SIGNET_OK)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (m == NULL) {
		no_memory(ps);
		return NULL;
	}
	m->kind = kind;
	m->name = name;
	*ps->idl->last_member = m;
	ps->idl->last_member = &m->next;
	return m;
}

static void
parse_typedef(struct parser *ps)
{
	struct idl_method *m = add_member(ps, IDL_TYPE);

	if (m == NULL)
		return;
	expect(ps, '(');
	if (ps->err == SIGNET_OK)
		m->in = parse_fields(ps, 1);
}

static void
parse_error(struct parser *ps)
{
	struct idl_method *m = add_member(ps, IDL_ERROR);

	if (m != NULL)
		m->in = parse_struct(ps);
}

static void
parse_method(struct parser *ps)
{
	struct idl_method *m = add_member(ps, IDL_METHOD);

	if (m == NULL)
		return;
	m->in = parse_struct(ps);
	skip(ps, true);
	if (strncmp(ps->p, "->", 2) != 0) {
		fail_at(ps, ps->line, "expected \"->\"");
		return;
	}
	ps->p += 2;
	m->out = parse_struct(ps);
}

/* One of the words at the start of a line, with a blank behind it. */
static bool
take_word(struct parser *ps, const char *word)
{
	size_t len = strlen(word);

	skip(ps, true);
	if (strncmp(ps->p, word, len) != 0 || ps->p[len] == '\0' || strchr(" \t\r\n#", ps->p[len]) == NULL)
		return false;
	ps->p += len;
	return true;
}

static void
parse_interface(struct parser *ps)
{
	if (!take_word(ps, "interface")) {
		fail_at(ps, ps->line, "expected \"interface\"");
		return;
	}
	ps->idl->name = interface_name(ps);
	expect_end_of_line(ps);
	skip(ps, true);
	while (ps->err == SIGNET_OK && *ps->p != '\0') {
		if (take_word(ps, "type"))
			parse_typedef(ps);
		else if (take_word(ps, "method"))
			parse_method(ps);
		else if (take_word(ps, "error"))
			parse_error(ps);
		else
			fail_at(ps, ps->line, "expected \"type\", \"method\" or \"error\"");
		if (ps->err == SIGNET_OK)
			expect_end_of_line(ps);
		skip(ps, true);
	}
}

/* Names may be used before they are defined, so links come last. */
static void
link_names(struct parser *ps)
{
	const struct idl_method *m;
	struct idl_type *t;

	for (t = ps->idl->types; t != NULL; t = t->next) {
		if (t->kind != IDL_NAMED)
			continue;
		m = idl_member(ps->idl, IDL_TYPE, t->name);
		if (m != NULL)
			t->element = m->in;
		else
			fail_at(ps, t->line, "type \"%s\" is not defined", t->name);
	}
}

static struct idl *
idl_new(const char *text)
{
	struct idl *i = calloc(1, sizeof(*i));

	if (i == NULL)
		return NULL;
	i->text = text;
	i->last_member = &i->members;
	i->names = malloc(strlen(text) + 2);
	if (i->names != NULL)
		return i;
	free(i);
	return NULL;
}

signet_err
idl_parse(struct idl **out, const char *text, char *why, size_t why_size)
{
	struct parser ps = {.idl = idl_new(text), .p = text, .line = 1, .why = why, .why_size = why_size};

	if (ps.idl == NULL) {
		no_memory(&ps);
		return ps.err;
	}
	ps.name_end = ps.idl->names;
	parse_interface(&ps);
	if (ps.err == SIGNET_OK)
		link_names(&ps);
	if (ps.err != SIGNET_OK) {
		idl_free(ps.idl);
		return ps.err;
	}
	*out = ps.idl;
	return SIGNET_OK;
}

void
idl_free(struct idl *i)
{
	struct idl_method *m;
	struct idl_type *t;

	if (i == NULL)
		return;
	while ((m = i->members) != NULL) {
		i->members = m->next;
		free(m);
	}
	while ((t = i->types) != NULL) {
		i->types = t->next;
		free(t->fields);
		free(t);
	}
	free(i->names);
	free(i);
}

const char *
idl_name(const struct idl *i)
{
	return i->name;
}

const char *
idl_text(const struct idl *i)
{
	return i->text;
}

const struct idl_method *
idl_member(const struct idl *i, enum idl_member_kind kind, const char *name)
{
	const struct idl_method *m;

	for (m = i->members; m != NULL; m = m->next) {
		if (m->kind == kind && strcmp(m->name, name) == 0)
			return m;
	}
	return NULL;
}

const struct idl_method *
idl_method(const struct idl *i, const char *name)
{
	return idl_member(i, IDL_METHOD, name);
}

bool
idl_has_error(const struct idl *i, const char *name)
{
	return idl_member(i, IDL_ERROR, name) != NULL;
}

size_t
idl_method_count(const struct idl *i)
{
	const struct idl_method *m;
	size_t n = 0;

	for (m = i->members; m != NULL; m = m->next)
		n += m->kind == IDL_METHOD;
	return n;
}

const char *
idl_method_name(const struct idl *i, size_t n)
{
	const struct idl_method *m;

	for (m = i->members; m != NULL; m = m->next) {
		if (m->kind == IDL_METHOD && n-- == 0)
			return m->name;
	}
	return NULL;
}
