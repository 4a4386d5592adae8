/*
 * The answer to a prompt, on its way to the daemon.
 *
 * Invariant: the PIN stays in its own object and goes out in a frame of the
 * library, never into a text of ours. After a wrong PIN the next one waits
 * here, with the person who typed it, and not in the daemon.
 */
#include <stdlib.h>
#include <time.h>

#include "base/json.h"

#include "inbox.h"

enum { BUSY_MAX_MS = 10000, BUSY_TRIES = 3 };

static char *
parameters_of(const json_t *prompt, bool accept, const char *reason)
{
	json_t *p = json_pack("{s:s*,s:s,s:s*}", "prompt", json_member_str(prompt, "id"), "verdict",
	    accept ? "accept" : "reject", "reason", reason);
	const json_t *items = json_object_get(prompt, "items");
	char *text;

	if (accept && prompt_is(prompt, "lastTry"))
		(void)json_object_set_new(p, "lastTry", json_true());
	/* what was shown is what is meant */
	if (accept && json_array_size(items) == 1 &&
	    json_integer_value(json_object_get(prompt, "itemCount")) == 1) {
		const char *digest = json_member_str(json_array_get(items, 0), "digest");

		if (digest != NULL)
			(void)json_object_set_new(p, "digest", json_string(digest));
	}
	text = json_dumps(p, JSON_COMPACT);
	json_decref(p);
	return text;
}

/* The daemon says how long; more than a person would sit through is not waited for. */
static bool
sit_through(signet_conn *conn)
{
	json_t *p = json_loads(signet_error_parameters(conn), 0, NULL);
	json_int_t ms = json_integer_value(json_object_get(p, "retryAfterMs"));
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	json_decref(p);
	return ms > 0 && ms <= BUSY_MAX_MS && nanosleep(&pause, NULL) == 0;
}

signet_err
prompt_answer(signet_conn *conn, const json_t *prompt, const signet_pin *pin, const char *reason)
{
	char *parameters = parameters_of(prompt, pin != NULL, reason);
	signet_err err = SIGNET_ERR_MEMORY;
	int tries = 0;

	if (parameters == NULL)
		return err;
	do
		err = signet_call(conn, "org.signetd.Inbox.Answer", parameters, pin, 0, NULL, NULL);
	while (err == SIGNET_ERR_BUSY && pin != NULL && tries++ < BUSY_TRIES && sit_through(conn));
	free(parameters);
	return err;
}
