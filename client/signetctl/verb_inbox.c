/* signetctl inbox, inbox answer, inbox reject: what waits for a person, without an agent that stays. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#include "inbox.h"
#include "pin.h"

static bool
add_prompt(void *arg, const char *json, size_t size, bool continues)
{
	json_t *reply = json_loadb(json, size, 0, NULL), *prompt = json_object_get(reply, "prompt");

	(void)continues;
	if (json_is_object(prompt))
		(void)json_array_append(arg, prompt);
	json_decref(reply);
	return true;
}

/* CTL_OK and the open prompts, or the exit code after the fault was printed. json_decref() them in any case. */
static int
fetch(struct ctl *c, json_t **prompts)
{
	signet_err err;
	int code;

	*prompts = json_array();
	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	err = signet_call(
	    c->conn, "org.signetd.Inbox.List", NULL, NULL, SIGNET_CALL_MORE, add_prompt, *prompts);
	return err == SIGNET_OK ? CTL_OK : fail_call(c, err);
}

static void
print_prompt(const json_t *prompt)
{
	char *text = prompt_text(prompt), time[64];
	const char *expires = json_member_str(prompt, "expires");

	printf("[%lld] ", (long long)json_integer_value(json_object_get(prompt, "number")));
	puts(text);
	if (expires != NULL)
		printf(_("Waits until %s\n"), local_time(time, expires));
	free(text);
}

int
verb_inbox(struct ctl *c)
{
	json_t *prompts;
	size_t i;
	int code = fetch(c, &prompts);

	if (code == CTL_OK && given(c, OPT_JSON)) {
		code = print_json(prompts);
	} else if (code == CTL_OK) {
		if (json_array_size(prompts) == 0)
			puts(_("nothing waits for you"));
		for (i = 0; i < json_array_size(prompts); i++)
			print_prompt(json_array_get(prompts, i));
	}
	json_decref(prompts);
	return code;
}

/* The prompt whose number stands behind the verb. */
static int
pick(struct ctl *c, json_t **prompt)
{
	const char *wanted = c->args[0];
	char number[32];
	json_t *prompts;
	size_t i;
	int code = fetch(c, &prompts);

	*prompt = NULL;
	for (i = 0; code == CTL_OK && i < json_array_size(prompts); i++) {
		json_t *p = json_array_get(prompts, i);

		(void)snprintf(number, sizeof(number), "%lld",
		    (long long)json_integer_value(json_object_get(p, "number")));
		if (strcmp(number, wanted) == 0)
			*prompt = json_incref(p);
	}
	json_decref(prompts);
	if (code == CTL_OK && *prompt == NULL)
		return fail_text(CTL_REFUSED,
		    _("nothing with the number %s waits for you: signetctl inbox lists what does"), wanted);
	return code;
}

static int
said(struct ctl *c, signet_err err, const char *what)
{
	if (err != SIGNET_OK)
		return fail_call(c, err);
	if (given(c, OPT_JSON))
		puts("{}");
	else
		puts(what);
	return CTL_OK;
}

/* A PIN, and before the last try a word that names the token. */
static int
need_pin(struct ctl *c, struct pin *pin, const json_t *prompt)
{
	char *parameters;
	int code;

	if (!prompt_is(prompt, "lastTry") || pin->last_try)
		return pin_need(pin, c, prompt_token(prompt));
	parameters = json_text_of("token", prompt_token(prompt));
	code = pin_answer(pin, c, SIGNET_ERR_PIN_LAST_TRY, "", parameters);
	free(parameters);
	return code;
}

static int
answer(struct ctl *c, const json_t *prompt)
{
	struct pin pin;
	int code;

	if (!prompt_is(prompt, "pin") && !prompt_is(prompt, "lastTry"))
		return fail_text(
		    CTL_USAGE, _("insert the token \"%s\": that is the answer"), prompt_token(prompt));
	code = pin_start(&pin, c);
	if (code == CTL_OK && pin.pin == NULL && pin.may_ask)
		print_prompt(prompt);
	if (code == CTL_OK)
		code = need_pin(c, &pin, prompt);
	if (code == CTL_OK)
		code = said(c, prompt_answer(c->conn, prompt, pin.pin, NULL),
		    _("the PIN is on its way to the token"));
	pin_done(&pin);
	return code;
}

int
verb_inbox_answer(struct ctl *c)
{
	json_t *prompt;
	int code = pick(c, &prompt);

	if (code == CTL_OK)
		code = answer(c, prompt);
	json_decref(prompt);
	return code;
}

int
verb_inbox_reject(struct ctl *c)
{
	json_t *prompt;
	int code = pick(c, &prompt);

	if (code == CTL_OK)
		code = said(c, prompt_answer(c->conn, prompt, NULL, c->value[OPT_REASON]),
		    _("rejected: whoever asked is told so"));
	json_decref(prompt);
	return code;
}
