/* signetctl call METHOD [JSON]: any method, for finding faults. Every reply is one line of JSON. */
#include "ctl.h"

static bool
print_reply(void *arg, const char *json, size_t size, bool continues)
{
	(void)arg;
	(void)continues;
	(void)fwrite(json, 1, size, stdout);
	putchar('\n');
	/* replies may be minutes apart */
	(void)fflush(stdout);
	return !ferror(stdout);
}

int
verb_call(struct ctl *c)
{
	const char *parameters = c->arg_count > 1 ? c->args[1] : NULL;
	unsigned long seconds = 60;
	signet_err err;
	int code;

	if (!option_number(c, OPT_TIMEOUT, 1, 600, &seconds))
		return CTL_USAGE;
	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	err = signet_set_timeout(c->conn, (unsigned)seconds * 1000);
	if (err != SIGNET_OK)
		return fail_call(c, err);
	/* one document: the replies as an array */
	if (given(c, OPT_JSON))
		return print_list_json(c, c->args[0], parameters, NULL);
	err = signet_call(c->conn, c->args[0], parameters, NULL, SIGNET_CALL_MORE, print_reply, NULL);
	return err == SIGNET_OK ? CTL_OK : fail_call(c, err);
}
