/* signetctl sign FILE...: digest here, signature there, FILE.sig beside the file. */
#include <stdlib.h>
#include <unistd.h>

#include "sign.h"

int
sign_begin(struct job *j)
{
	unsigned long seconds = 0;

	if (!option_number(j->c, OPT_TIMEOUT, 1, 600, &seconds))
		return CTL_USAGE;
	j->timeout_ms = (unsigned)seconds * 1000;
	return CTL_OK;
}

int
sign_with_pin(struct job *j)
{
	int code;

	code = pin_start(&j->pin, j->c);
	if (code != CTL_OK)
		return code;
	j->progress = j->count > 1 && isatty(STDERR_FILENO) == 1;
	j->ended = sign_run(j) != CTL_OK;
	return sign_report(j);
}

static int
sign_files(struct job *j)
{
	int code;

	code = sign_begin(j);
	if (code == CTL_OK)
		code = files_read(j);
	if (code != CTL_OK)
		return code;
	code = pick_key(&j->key, j->c);
	if (code != CTL_OK)
		return code;
	files_hash(j);
	code = files_resume(j);
	return code == CTL_OK ? sign_with_pin(j) : code;
}

int
verb_sign(struct ctl *c)
{
	struct job j = {.c = c};
	int code;

	code = sign_files(&j);
	pin_done(&j.pin);
	pick_done(&j.key);
	files_done(&j);
	return code;
}
