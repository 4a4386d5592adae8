/*
 * Output for people (text, tables) and for programs (JSON).
 *
 * Invariant: no byte that steers a terminal or turns the direction of writing
 * comes out of here, whoever wrote the text; JSON goes out as it is, since its
 * reader is a program.
 */
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "ctl.h"

/* Length of a control character (C0, DEL, C1) or a bidirectional one at p; 0: it may be shown. */
static size_t
unsafe_at(const unsigned char *p)
{
	if (*p < 0x20 || *p == 0x7f)
		return 1;
	if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
		return 2;
	if (p[0] == 0xd8 && p[1] == 0x9c) /* U+061C */
		return 2;
	if (p[0] != 0xe2)
		return 0;
	/* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069 */
	if (p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae)))
		return 3;
	return p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9 ? 3 : 0;
}

char *
safe_text(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	char *out = malloc(strlen(text) + 1), *to = out;
	size_t n;

	if (out == NULL)
		abort();
	while (*p != '\0') {
		n = unsafe_at(p);
		*to++ = n == 0 ? (char)*p : '?';
		p += n == 0 ? 1 : n;
	}
	*to = '\0';
	return out;
}

void
print_safe(FILE *f, const char *text)
{
	char *safe = safe_text(text);

	fputs(safe, f);
	free(safe);
}

void
print_padded(FILE *f, const char *text, int columns)
{
	wchar_t wide[128];
	size_t n = mbstowcs(wide, text, array_len(wide));
	int width = n >= array_len(wide) ? -1 : wcswidth(wide, n);

	if (width < 0)
		width = (int)strlen(text); /* not to be measured: a byte a column */
	fprintf(f, "%s%*s", text, width < columns ? columns - width : 0, "");
}

const char *
local_time(char *out, const char *text)
{
	struct tm t = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);
	time_t when;

	if (rest == NULL || text[strlen(text) - 1] != 'Z') {
		(void)snprintf(out, 64, "%s", text);
		return out;
	}
	when = timegm(&t);
	if (localtime_r(&when, &t) == NULL || strftime(out, 64, "%Y-%m-%d %H:%M", &t) == 0)
		(void)snprintf(out, 64, "%s", text);
	return out;
}

const char *
word_text(const char *word)
{
	static const char *const words[] = {N_("personal"), N_("seal"), N_("timestamp"), N_("log"),
	    N_("ready"), N_("locked"), N_("absent"), N_("blocked"), N_("failed"), N_("ambiguous"),
	    N_("missing"), N_("refused"), N_("expired"), N_("waiting"), N_("synchronised"),
	    N_("unsynchronised"), N_("disabled"), N_("unknown")};
	size_t i;

	for (i = 0; word != NULL && i < array_len(words); i++) {
		if (strcmp(word, words[i]) == 0)
			return _(words[i]);
	}
	return word;
}

int
print_json(const json_t *value)
{
	if (value == NULL)
		return fail_text(CTL_FAILED, _("out of memory"));
	if (json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) != 0 || putchar('\n') == EOF)
		return fail_text(CTL_FAILED, _("cannot write to standard output"));
	return CTL_OK;
}

struct listing {
	const char *name;
	json_t *list;
	bool failed;
};

static bool
add_reply(void *arg, const char *json, size_t size, bool continues)
{
	struct listing *l = arg;
	json_t *reply = json_loadb(json, size, 0, NULL);
	json_t *item = l->name == NULL ? reply : json_object_get(reply, l->name);

	(void)continues;
	if (json_array_append(l->list, item) != 0)
		l->failed = true;
	json_decref(reply);
	return true;
}

int
print_list_json(struct ctl *c, const char *method, const char *parameters, const char *name)
{
	struct listing l = {.name = name, .list = json_array()};
	signet_err err;
	int code;

	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	err = signet_call(c->conn, method, parameters, NULL, SIGNET_CALL_MORE, add_reply, &l);
	if (err != SIGNET_OK)
		code = fail_call(c, err);
	else
		code = print_json(l.failed ? NULL : l.list);
	json_decref(l.list);
	return code;
}

char *
json_text_of(const char *name, const char *value)
{
	json_t *object;
	char *text;

	if (value == NULL)
		return NULL;
	object = json_pack("{s:s}", name, value);
	/* a value that is not UTF-8: let the daemon say that there is no such thing */
	if (object == NULL)
		object = json_pack("{s:s}", name, "");
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (text == NULL)
		abort();
	return text;
}

struct libscols_table *
table_new(const char *const *headings, size_t count)
{
	struct libscols_table *t = scols_new_table();
	size_t i;

	if (t == NULL)
		abort();
	for (i = 0; i < count; i++) {
		/* the last column may be long: cut it on a narrow terminal, not in a file */
		if (scols_table_new_column(t, _(headings[i]), 0.1, i + 1 == count ? SCOLS_FL_TRUNC : 0) ==
		    NULL)
			abort();
	}
	return t;
}

void
table_row(struct libscols_table *t, const char *const *cells, size_t count)
{
	struct libscols_line *line = scols_table_new_line(t, NULL);
	size_t i;

	if (line == NULL)
		abort();
	for (i = 0; i < count; i++) {
		char *text = safe_text(cells[i] == NULL ? "" : cells[i]);

		if (scols_line_refer_data(line, i, text) != 0)
			abort();
	}
}

void
table_print(struct libscols_table *t, FILE *f)
{
	(void)scols_table_set_stream(t, f);
	(void)scols_print_table(t);
}

void
table_freep(struct libscols_table **t)
{
	scols_unref_table(*t);
}
