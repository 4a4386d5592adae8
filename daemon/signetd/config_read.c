/*
 * Files and lines of the configuration, in front of inih.
 *
 * inih splits lines into keys and values, but cuts lines at its buffer and
 * section names at 49 bytes without a word, and does not say where a section
 * begins. So it gets its lines from here, one whole checked line at a time,
 * and section headers are read here.
 *
 * Invariant: a file is opened once; what is checked, hashed and parsed are the
 * same bytes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini.h>
#include <unistr.h>

#include "config_parse.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

/* NULL, or what is wrong with these bytes as a line. */
static const char *
why_not_line(const char *line, size_t len)
{
	size_t i;

	if (len > CONFIG_LINE_MAX)
		return "the line is longer than 198 bytes: break a list into several lines that begin with a "
		       "blank";
	for (i = 0; i < len; i++) {
		if (((uint8_t)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
			return "the line has a control character";
	}
	if (u8_check((const uint8_t *)line, len) != NULL)
		return "the line is not valid UTF-8";
	return NULL;
}

/* Section headers, indentation and ":" for "=", which inih would not tell us. `line` is NUL-terminated. */
static void
look_at(struct reading *r, const char *line)
{
	char header[CONFIG_LINE_MAX + 1];
	const char *start = line + strspn(line, " \t");

	r->indented = start > line;
	if (!r->indented && *start != '#' && *start != ';' && start[strcspn(start, "[=:")] == ':')
		config_fail(r, r->file, r->line, "a key is followed by \"=\", not by \":\"");
	if (*start != '[')
		return;
	if (r->indented) {
		config_fail(r, r->file, r->line, "a section begins at the start of its line");
		return;
	}
	snprintf(header, sizeof(header), "%s", line);
	config_begin_section(r, header);
}

/* fgets for inih, over the file in memory. NULL at its end and after any error: inih then stops. */
static char *
next_line(char *out, int room, void *stream)
{
	struct reading *r = stream;
	const char *newline, *wrong;
	size_t len, left = (size_t)(r->text_end - r->text);

	if (r->err != SIGNET_OK || left == 0)
		return NULL;
	r->line++;
	newline = memchr(r->text, '\n', left);
	len = newline != NULL ? (size_t)(newline - r->text) : left;
	wrong = why_not_line(r->text, len > 0 && r->text[len - 1] == '\r' ? len - 1 : len);
	if (wrong == NULL && (room < 1 || len >= (size_t)room))
		wrong = "the line is too long for the parser";
	if (wrong != NULL) {
		config_fail(r, r->file, r->line, "%s", wrong);
		return NULL;
	}
	memcpy(out, r->text, len);
	out[len] = '\0';
	r->text += newline != NULL ? len + 1 : len;
	if (len > 0 && out[len - 1] == '\r')
		out[len - 1] = '\0';
	look_at(r, out);
	return out;
}

/* inih cuts comments off values, but not off lines that go on with a value. */
static void
cut_comment(char *value)
{
	char *p;

	for (p = value; *p != '\0'; p++) {
		if (*p == ';' && (p == value || p[-1] == ' ' || p[-1] == '\t')) {
			*p = '\0';
			break;
		}
	}
	for (; p > value && (p[-1] == ' ' || p[-1] == '\t'); p--)
		p[-1] = '\0';
}

static int
take_value(void *user, const char *section, const char *name, const char *value)
{
	struct reading *r = user;
	char copy[CONFIG_LINE_MAX + 1];

	(void)section; /* perhaps cut */
	if (r->err != SIGNET_OK)
		return 0;
	snprintf(copy, sizeof(copy), "%s", value);
	cut_comment(copy);
	config_set(r, name, copy);
	return r->err == SIGNET_OK;
}

static void
parse(struct reading *r, const char *path, const char *text, size_t len)
{
	size_t mark = sizeof(byte_order_mark) - 1;
	int line;

	if (len >= mark && memcmp(text, byte_order_mark, mark) == 0) {
		text += mark;
		len -= mark;
	}
	r->file = path;
	r->line = 0;
	r->last = NULL;
	r->text = text;
	r->text_end = text + len;
	line = ini_parse_stream(next_line, r, take_value, r);
	if (line > 0 && (r->err == SIGNET_OK || line < r->line)) {
		/* inih goes on behind a line that it does not understand: its error may be the earlier one */
		if (r->err == SIGNET_ERR_CONFIG)
			r->err = SIGNET_OK;
		config_fail(r, path, line, "expected \"key = value\", a [section] or a comment");
	} else if (line < 0) {
		config_no_memory(r);
	}
}

/* Names and bytes, each with its length in front: no two sets of files run together. */
static void
hash_file(struct reading *r, const char *path, const char *text, size_t len)
{
	uint64_t sizes[2] = {htole64(strlen(path)), htole64(len)};

	if (EVP_DigestUpdate(r->hash, sizes, sizeof(sizes)) != 1 ||
	    EVP_DigestUpdate(r->hash, path, strlen(path)) != 1 || EVP_DigestUpdate(r->hash, text, len) != 1)
		config_no_memory(r);
}

/* NULL, or why others than root and we could have written this. */
static const char *
why_not_ours(const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "belongs to another user: chown it to root";
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "can be written by others: chmod go-w it";
	return NULL;
}

static bool
is_acceptable(struct reading *r, const char *path, int fd)
{
	const char *wrong;
	struct stat st;

	if (fstat(fd, &st) != 0)
		config_fail(r, path, 0, "cannot be examined: %s", strerror(errno));
	else if (!S_ISREG(st.st_mode))
		config_fail(r, path, 0, "is not a regular file");
	else if ((wrong = why_not_ours(&st)) != NULL)
		config_fail(r, path, 0, "%s", wrong);
	return r->err == SIGNET_OK;
}

static size_t
read_whole(struct reading *r, const char *path, int fd, char *text)
{
	size_t len = 0;
	ssize_t n;

	while (len <= CONFIG_FILE_MAX) {
		n = read(fd, text + len, CONFIG_FILE_MAX + 1 - len);
		if (n == 0)
			return len;
		if (n > 0)
			len += (size_t)n;
		else if (errno != EINTR) {
			config_fail(r, path, 0, "cannot be read: %s", strerror(errno));
			return 0;
		}
	}
	config_fail(r, path, 0, "is larger than 1 MiB");
	return 0;
}

static void
read_fd(struct reading *r, const char *path, int fd)
{
	char *text;
	size_t len;

	if (!is_acceptable(r, path, fd))
		return;
	text = malloc(CONFIG_FILE_MAX + 1);
	if (text == NULL) {
		config_no_memory(r);
		return;
	}
	len = read_whole(r, path, fd, text);
	if (r->err == SIGNET_OK)
		hash_file(r, path, text, len);
	if (r->err == SIGNET_OK)
		parse(r, path, text, len);
	free(text);
}

static void
read_file(struct reading *r, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO must not stop us */

	if (fd < 0) {
		config_fail(r, path, 0, "cannot be opened: %s", strerror(errno));
		return;
	}
	read_fd(r, path, fd);
	close(fd);
}

static int
is_drop_in(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 5 && strcmp(e->d_name + len - 5, ".conf") == 0;
}

/* By bytes: the order must not depend on the locale. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
read_drop_in(struct reading *r, const char *folder, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", folder, name) < 0) {
		config_no_memory(r);
		return;
	}
	read_file(r, path);
	free(path);
}

static void
read_folder(struct reading *r, const char *folder)
{
	struct dirent **entries = NULL;
	const char *wrong;
	struct stat st;
	int i, n;

	if (stat(folder, &st) != 0) {
		if (errno != ENOENT)
			config_fail(r, folder, 0, "cannot be examined: %s", strerror(errno));
		return;
	}
	wrong = S_ISDIR(st.st_mode) ? why_not_ours(&st) : "is not a folder";
	if (wrong != NULL) {
		config_fail(r, folder, 0, "%s", wrong);
		return;
	}
	n = scandir(folder, &entries, is_drop_in, by_name);
	if (n < 0)
		config_fail(r, folder, 0, "cannot be listed: %s", strerror(errno));
	else if (n > CONFIG_FILES_MAX)
		config_fail(r, folder, 0, "has more than %d files", CONFIG_FILES_MAX);
	for (i = 0; i < n; i++) {
		if (r->err == SIGNET_OK)
			read_drop_in(r, folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

void
config_read_all(struct reading *r, const char *path)
{
	char *folder = NULL;

	read_file(r, path);
	if (r->err != SIGNET_OK)
		return;
	if (asprintf(&folder, "%s.d", path) < 0) {
		config_no_memory(r);
		return;
	}
	read_folder(r, folder);
	free(folder);
}
