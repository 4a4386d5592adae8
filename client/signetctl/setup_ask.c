/* Questions of setup: each has an option that answers it beforehand. */
#include <stdlib.h>
#include <string.h>

#include "setup.h"
#include "tty.h"

char *
setup_ask(struct setup *s, const char *question, const char *otherwise)
{
	char line[512], *prompt = NULL;
	size_t len = 0;
	signet_err err;

	if (!s->may_ask)
		return otherwise == NULL ? NULL : strdup(otherwise);
	if (asprintf(&prompt, otherwise == NULL ? "%s: " : "%s [%s]: ", question, otherwise) < 0)
		abort();
	err = tty_ask(prompt, false, line, sizeof(line) - 1, &len);
	free(prompt);
	if (err != SIGNET_OK || len == 0)
		return otherwise == NULL ? NULL : strdup(otherwise);
	line[len] = '\0';
	return strdup(line);
}

char *
setup_text(struct setup *s, enum option_id id, const char *question, const char *otherwise)
{
	if (given(s->c, id))
		return strdup(s->c->value[id]);
	return setup_ask(s, question, otherwise);
}

bool
setup_yes(struct setup *s, const char *question)
{
	char *answer;
	bool yes;

	if (given(s->c, OPT_YES))
		return true;
	answer = setup_ask(s, question, NULL);
	yes = answer != NULL && (strcmp(answer, "y") == 0 || strcmp(answer, "yes") == 0 || strcmp(answer, _("yes")) == 0);
	free(answer);
	return yes;
}
