/*
 * Entries as comma-separated values [RFC 4180]: one column for each field that
 * an entry can have. Texts behind hashes stand in their columns where they were
 * asked for and may be read, else their hashes.
 *
 * Invariant: no cell is a formula for who opens the file in a spreadsheet: text
 * that begins like one gets an apostrophe in front.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"

static const char *const columns[] = {"kind", "time", "boot", "clock",
#define COLUMN(name, type, meaning) name,
    SIGNET_LOG_FIELDS(COLUMN)
#undef COLUMN
};

static void
put(FILE *f, const char *text)
{
	fputs(",\"", f);
	if (text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL)
		fputc('\'', f);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', f);
		fputc(*text, f);
	}
	fputc('"', f);
}

void
log_csv_heading(FILE *f)
{
	fputs("log,index", f);
	for (size_t i = 0; i < array_len(columns); i++)
		fprintf(f, ",%s", columns[i]);
	fputs("\r\n", f);
}

static void
put_member(FILE *f, struct log_entry *e, const char *name)
{
	const json_t *value = json_object_get(log_members(e), name);
	const char *opening = log_opening(e, name);
	char *text;

	if (opening != NULL) {
		put(f, opening);
	} else if (json_is_string(value)) {
		put(f, json_string_value(value));
	} else if (json_is_integer(value)) {
		fprintf(f, ",%lld", (long long)json_integer_value(value));
	} else if (value != NULL) {
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		put(f, text == NULL ? "" : text);
		free(text);
	} else {
		fputc(',', f);
	}
}

static void
put_first(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', f);
		fputc(*text, f);
	}
	fputc('"', f);
}

void
log_csv_line(FILE *f, struct log_entry *e)
{
	put_first(f, e->log);
	fprintf(f, ",%llu", (unsigned long long)e->index);
	for (size_t i = 0; i < array_len(columns); i++)
		put_member(f, e, columns[i]);
	fputs("\r\n", f);
}
