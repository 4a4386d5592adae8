/*
 * signetctl token replace: a token or its certificates are new, its name and
 * the names of its keys stay. The lines that name the token and its objects
 * are changed where they stand, everything else in the files is left alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "run.h"

enum { CERTS_MAX = 16 };

/* What signetd reads now. NULL after the fault was printed. */
static json_t *
read_config(struct ctl *c, int *code)
{
	char *folder = NULL, *program = run_find_signetd(), *out = NULL;
	const char *argv[] = {program, "--check", "--json", "--config", NULL, NULL};
	json_t *config = NULL;

	*code = conf_folder(c, &folder);
	if (*code == CTL_OK && program == NULL)
		*code = fail_text(CTL_FAILED, _("signetd is not installed here: its configuration was not read"));
	if (*code == CTL_OK) {
		folder[strlen(folder) - 2] = '\0'; /* without ".d": the main file */
		argv[4] = folder;
		if (run_program(argv, true, &out) == 0)
			config = json_loads(out, 0, NULL);
		else
			*code = fail_text(CTL_FAILED, "%s", out == NULL ? _("signetd --check did not end") : out);
	}
	free(out);
	free(program);
	free(folder);
	return config;
}

static const json_t *
find_named(const json_t *list, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (text_member(item, "name") != NULL && strcmp(text_member(item, "name"), name) == 0)
			return item;
	}
	return NULL;
}

/*
 * The text with the value of `key` (or `other`) in the section that begins in line `at` (from 1) replaced; NULL: the key
 * is not there. free() it.
 */
static char *
with_value(const char *text, int at, const char *key, const char *other, const char *line)
{
	struct conf out = {0};
	const char *p = text, *end;
	bool done = false, inside = false;
	int number = 1;

	for (; *p != '\0'; p = end, number++) {
		size_t blanks, len;

		end = strchr(p, '\n');
		end = end == NULL ? p + strlen(p) : end + 1;
		if (*p == '[')
			inside = number == at;
		len = strcspn(p, " \t=\n");
		blanks = strspn(p + len, " \t");
		if (inside && !done && p[len + blanks] == '=' &&
		    ((strlen(key) == len && strncmp(p, key, len) == 0) || (strlen(other) == len && strncmp(p, other, len) == 0))) {
			conf_text(&out, "%s\n", line);
			done = true;
		} else {
			conf_text(&out, "%.*s", (int)(end - p), p);
		}
	}
	if (done)
		return out.text;
	free(out.text);
	return NULL;
}

/* Change one line of a file. The caller has what stood there before. */
static int
change_line(const char *path, int at, const char *key, const char *other, const char *line)
{
	char *text = conf_read(path), *changed = text == NULL ? NULL : with_value(text, at, key, other, line);
	int err = 0, code = CTL_OK;

	if (changed != NULL)
		err = conf_write(path, changed, true);
	if (changed == NULL || err != 0)
		code = fail_text(CTL_FAILED, _("%s cannot be changed: %s"), path, err != 0 ? strerror(err) : _("its line was not found"));
	free(text);
	free(changed);
	return code;
}

/* The files that are changed, as they were. */
struct kept {
	char *path[CERTS_MAX + 1], *text[CERTS_MAX + 1];
	size_t count;
};

static int
keep(struct kept *k, const char *path)
{
	size_t i;

	for (i = 0; i < k->count; i++) {
		if (strcmp(k->path[i], path) == 0)
			return CTL_OK;
	}
	if (k->count == array_len(k->path))
		return fail_text(CTL_FAILED, _("too many keys: change the files by hand"));
	k->text[k->count] = conf_read(path);
	if (k->text[k->count] == NULL)
		return fail_text(CTL_FAILED, _("%s cannot be changed: %s"), path, strerror(errno));
	k->path[k->count++] = strdup(path);
	return CTL_OK;
}

static void
kept_done(struct kept *k, bool undo)
{
	size_t i;

	for (i = 0; i < k->count; i++) {
		if (undo)
			conf_undo(k->path[i], k->text[i]);
		free(k->path[i]);
		free(k->text[i]);
	}
}

/* The certificate for a key: the newest of its organisation, or of all where that says nothing. */
static const json_t *
certificate_for(const json_t *key, const json_t *token, size_t keys)
{
	const json_t *certs[CERTS_MAX], *best = NULL;
	size_t i, count = own_certificates(token, certs, array_len(certs));
	const char *wanted = text_member(key, "organisation");

	for (i = 0; i < count; i++) {
		const char *is = text_member(certs[i], "organisation");

		if (keys > 1 && (wanted == NULL || is == NULL || strcmp(wanted, is) != 0))
			continue;
		if (best == NULL || strcmp(text_member(certs[i], "notAfter"), text_member(best, "notAfter")) > 0)
			best = certs[i];
	}
	return best;
}

static size_t
keys_of(const json_t *config, const char *token, const json_t **keys)
{
	const json_t *key;
	size_t i, count = 0;

	json_array_foreach(json_object_get(config, "keys"), i, key)
	{
		if (count < CERTS_MAX && strcmp(text_member(key, "token"), token) == 0)
			keys[count++] = key;
	}
	return count;
}

static int
change_key(struct kept *k, const json_t *key, const json_t *token, size_t keys)
{
	const json_t *cert = certificate_for(key, token, keys);
	const char *file = text_member(key, "file");
	struct conf line = {0};
	int code;

	if (cert == NULL)
		return fail_text(CTL_TOKEN, _("no certificate on the token fits the key %s: change its `uri` by hand"), text_member(key, "name"));
	conf_text(&line, "uri = ");
	conf_uri(&line, token, cert);
	code = keep(k, file);
	if (code == CTL_OK)
		code = change_line(file, (int)json_integer_value(json_object_get(key, "line")), "uri", "uri", line.text);
	free(line.text);
	return code;
}

static int
change_all(struct kept *k, const json_t *config, const json_t *old, const json_t *token)
{
	const json_t *keys[CERTS_MAX];
	size_t i, count = keys_of(config, text_member(old, "name"), keys);
	const char *serial = text_member(token, "serial"), *file = text_member(old, "file");
	struct conf line = {0};
	int code = keep(k, file);

	conf_text(&line, "%s = %s", serial != NULL ? "serial" : "label", serial != NULL ? serial : text_member(token, "label"));
	if (code == CTL_OK)
		code = change_line(file, (int)json_integer_value(json_object_get(old, "line")), "serial", "label", line.text);
	for (i = 0; code == CTL_OK && i < count; i++)
		code = change_key(k, keys[i], token, count);
	free(line.text);
	return code;
}

static int
replace(struct ctl *c, const json_t *config, const json_t *reply)
{
	const json_t *old = find_named(json_object_get(config, "tokens"), c->args[0]);
	struct kept kept = {0};
	int code;

	if (old == NULL)
		return fail_text(CTL_REFUSED, _("the configuration has no token of the name %s"), c->args[0]);
	if (strcmp(text_member(old, "module"), text_member(reply, "module")) != 0)
		return fail_text(CTL_TOKEN, _("the new token has another driver: use token add"));
	code = change_all(&kept, config, old, json_object_get(reply, "token"));
	if (code == CTL_OK)
		code = conf_reload(c);
	kept_done(&kept, code != CTL_OK);
	if (code != CTL_OK) {
		warn_text(_("the configuration is as it was"));
		return code;
	}
	print_safe(stdout, c->args[0]);
	printf(": %s\n", _("replaced; the names of its keys are the same"));
	return CTL_OK;
}

int
verb_token_replace(struct ctl *c)
{
	struct driver d = driver_of_options(c);
	const json_t *reply = NULL;
	json_t *found = NULL, *config = NULL;
	int code = admin_scan(c, &d, &found);

	if (code == CTL_OK)
		code = pick_found(found, c->args[1], &reply);
	if (code == CTL_OK)
		config = read_config(c, &code);
	if (code == CTL_OK)
		code = replace(c, config, reply);
	json_decref(config);
	json_decref(found);
	return code;
}
