/*
 * Files of the daemon's configuration folder (signetd.conf.d), written by us.
 *
 * Invariant: a file is there whole or not at all, none is replaced unasked, and
 * one that the daemon refuses is taken away again (what stood there before
 * comes back), so that the next start does not fail of it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin.h"
#include "out.h"

enum { LINE_LIMIT = 198, FILE_LIMIT = 1 << 20 }; /* as signetd reads them */

int
conf_folder(struct ctl *c, char **folder)
{
	char *text = NULL;
	json_t *status;
	const char *path;
	signet_err err;
	int code = ctl_connect(c);

	*folder = NULL;
	if (code != CTL_OK)
		return code;
	err = signet_status(c->conn, &text);
	if (err != SIGNET_OK)
		return fail_call(c, err);
	status = json_loads(text, 0, NULL);
	free(text);
	path = text_member(status, "configPath");
	if (path == NULL || path[0] != '/')
		code = fail_text(CTL_FAILED, _("the daemon does not say where its configuration is"));
	else if (asprintf(folder, "%s.d", path) < 0)
		abort();
	json_decref(status);
	return code;
}

void
conf_text(struct conf *f, const char *fmt, ...)
{
	va_list args;
	char *more = NULL, *all = NULL;

	va_start(args, fmt);
	if (vasprintf(&more, fmt, args) < 0 || asprintf(&all, "%s%s", f->text == NULL ? "" : f->text, more) < 0)
		abort();
	va_end(args);
	free(more);
	free(f->text);
	f->text = all;
}

/* A value stands on one line and says nothing else. */
bool
conf_value_good(const char *value)
{
	const unsigned char *p;

	for (p = (const unsigned char *)value; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			return false;
	}
	return value[0] != '\0' && value[0] != ' ' && p[-1] != ' ' && strlen(value) < LINE_LIMIT - 20;
}

static void
percent(char *out, const unsigned char *bytes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		out += sprintf(out, "%%%02x", bytes[i]);
}

/* [RFC 7512, 2.3]: what is not plain is escaped. */
void
conf_uri_text(struct conf *f, const char *value)
{
	const char *p;
	char escaped[4];

	for (p = value; *p != '\0'; p++) {
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", *p) != NULL) {
			conf_text(f, "%c", *p);
		} else {
			percent(escaped, (const unsigned char *)p, 1);
			conf_text(f, "%s", escaped);
		}
	}
}

/* token or serial, then id or object of this certificate's key. */
void
conf_uri(struct conf *f, const json_t *token, const json_t *cert)
{
	const char *serial = text_member(token, "serial"), *id = text_member(cert, "id"), *p;

	conf_text(f, "pkcs11:%s=", serial != NULL ? "serial" : "token");
	conf_uri_text(f, serial != NULL ? serial : text_member(token, "label"));
	if (id == NULL) {
		conf_text(f, ";object=");
		conf_uri_text(f, text_member(cert, "label") == NULL ? "" : text_member(cert, "label"));
		return;
	}
	conf_text(f, ";id=");
	for (p = id; p[0] != '\0' && p[1] != '\0'; p += 2)
		conf_text(f, "%%%.2s", p);
}

char *
conf_read(const char *path)
{
	char *text = malloc(FILE_LIMIT + 1);
	FILE *f = fopen(path, "re");
	size_t n;

	if (text == NULL)
		abort();
	if (f == NULL) {
		free(text);
		return NULL;
	}
	n = fread(text, 1, FILE_LIMIT, f);
	text[n] = '\0';
	(void)fclose(f);
	return text;
}

int
conf_write(const char *path, const char *text, bool replace)
{
	mode_t mask = umask(022); /* the daemon's account must read it, and nobody else write */
	int err = out_write(path, text, strlen(text), replace);

	(void)umask(mask);
	return err;
}

/* Put back what was there: `before` NULL: nothing. */
void
conf_undo(const char *path, const char *before)
{
	int err = before == NULL ? (unlink(path) == 0 ? 0 : errno) : conf_write(path, before, true);

	if (err != 0)
		warn_text(_("%s could not be put back: %s"), path, strerror(err));
}

int
conf_reload(struct ctl *c)
{
	char *text = NULL;
	signet_err err;
	int code = ctl_connect(c);

	if (code != CTL_OK)
		return code;
	err = signet_reload(c->conn, &text);
	free(text);
	return err == SIGNET_OK ? CTL_OK : fail_call(c, err);
}

int
conf_put(struct ctl *c, const struct conf *f)
{
	char *before = conf_read(f->path);
	int code = CTL_OK, err;

	if (before != NULL && !f->replace) {
		code = fail_text(CTL_USAGE, _("%s is there already: --force replaces it"), f->path);
	} else {
		err = conf_write(f->path, f->text, f->replace);
		if (err != 0)
			code = fail_text(CTL_FAILED, _("%s cannot be written: %s"), f->path, strerror(err));
	}
	if (code == CTL_OK && c != NULL) {
		code = conf_reload(c);
		if (code != CTL_OK) {
			conf_undo(f->path, before);
			warn_text(_("the configuration is as it was"));
		}
	}
	free(before);
	return code;
}
