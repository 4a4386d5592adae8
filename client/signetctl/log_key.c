/* The verifier key on the command line: the text itself, or a file that holds it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

char *
log_file(const char *path, size_t max, size_t *size)
{
	FILE *f = fopen(path, "rbe");
	char *bytes = malloc(max + 1);
	size_t n;

	if (bytes == NULL)
		abort();
	if (f == NULL) {
		warn_text(_("cannot read %s: %s"), path, strerror(errno));
		free(bytes);
		return NULL;
	}
	n = fread(bytes, 1, max + 1, f);
	if (ferror(f) != 0 || n > max) {
		if (n > max)
			warn_text(_("%s is too long"), path);
		else
			warn_text(_("cannot read %s: %s"), path, strerror(errno));
		free(bytes);
		bytes = NULL;
	} else {
		bytes[n] = '\0';
		if (size != NULL)
			*size = n;
	}
	(void)fclose(f);
	return bytes;
}

int
log_vkey(struct ctl *c, char **key)
{
	const char *value = c->value[OPT_VKEY];
	char *text;

	*key = NULL;
	if (value == NULL)
		return CTL_OK;
	if (signet_log_key(value, NULL, NULL) == SIGNET_OK) {
		*key = strdup(value);
		if (*key == NULL)
			abort();
		return CTL_OK;
	}
	/* the text of a key is no path that anybody has */
	text = log_file(value, NOTE_MAX, NULL);
	if (text == NULL)
		return fail_text(
		    CTL_USAGE, _("--vkey needs the verifier key of the log, or a file that holds it"));
	text[strcspn(text, "\r\n")] = '\0';
	if (signet_log_key(text, NULL, NULL) != SIGNET_OK) {
		free(text);
		return fail_text(CTL_USAGE, _("%s holds no verifier key of a log"), value);
	}
	*key = text;
	return CTL_OK;
}
