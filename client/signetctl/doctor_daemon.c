/* Is there a daemon, is it ours, and what does it say of itself? Fetches what the other groups look at. */
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

/* The daemon's sentences that a group of ours has its own, better words for: by their beginning. */
static const char *const ours[] = {"the disk that holds", "nothing is signed:", "the clock is", "sandbox = off",
    "the certificate of key", "the PIN of token", "token "};

static bool
is_ours(const char *sentence)
{
	size_t i;

	for (i = 0; i < array_len(ours); i++) {
		if (strncmp(sentence, ours[i], strlen(ours[i])) == 0)
			return true;
	}
	return false;
}

struct listing {
	const char *name;
	json_t *list;
};

static bool
add_reply(void *arg, const char *json, size_t size, bool continues)
{
	struct listing *l = arg;
	json_t *reply = json_loadb(json, size, 0, NULL);

	(void)continues;
	(void)json_array_append(l->list, json_object_get(reply, l->name));
	json_decref(reply);
	return true;
}

/* NULL where the daemon does not tell. */
static json_t *
list_of(struct doctor *d, const char *method, const char *name, signet_err nothing)
{
	struct listing l = {.name = name, .list = json_array()};
	signet_err err = signet_call(d->c->conn, method, NULL, NULL, SIGNET_CALL_MORE, add_reply, &l);

	if (err == SIGNET_OK || err == nothing)
		return l.list;
	json_decref(l.list);
	return NULL;
}

static void
look_at_warnings(struct doctor *d)
{
	const json_t *w;
	size_t i;

	json_array_foreach(json_object_get(d->status, "warnings"), i, w)
	{
		if (json_is_string(w) && !is_ours(json_string_value(w)))
			found(d, FOUND_WARN, NULL, "%s", json_string_value(w));
	}
}

static void
look_at_tokens(struct doctor *d)
{
	const json_t *t;
	size_t i;

	json_array_foreach(json_object_get(d->status, "tokens"), i, t)
	{
		const char *state = text_of(t, "state"), *reason = text_of(t, "reason"), *name = text_of(t, "name");

		if (state != NULL && name != NULL && strcmp(state, "failed") == 0)
			found(d, FOUND_FAIL, _("pull the token out and insert it; if it stays so, look into the journal of signetd"),
			    _("the token %s does not work: %s"), name, reason == NULL ? _("unknown") : reason);
	}
}

static void
look_at_status(struct doctor *d)
{
	char *text = NULL;
	signet_err err = signet_status(d->c->conn, &text);
	const char *version;

	if (err != SIGNET_OK) {
		found(d, FOUND_SKIPPED, _("run this as an administrator whom a rule permits `admin`"),
		    _("the daemon does not tell you how it is: %s"), signet_error_message(d->c->conn));
		return;
	}
	d->status = json_loads(text, 0, NULL);
	free(text);
	version = text_of(d->status, "version");
	if (version != NULL && strcmp(version, SIGNET_VERSION) != 0)
		found(d, FOUND_WARN, _("restart it: systemctl restart signetd"),
		    _("the daemon that runs is version %s, this program is %s"), version, SIGNET_VERSION);
	look_at_tokens(d);
	look_at_warnings(d);
}

void
doctor_daemon(struct doctor *d)
{
	signet_err err = signet_connect(&d->c->conn, d->c->value[OPT_SOCKET]);

	if (err != SIGNET_OK) {
		d->c->conn = NULL;
		found(d, FOUND_FAIL, _("start it with: systemctl start signetd; or name its socket with --socket"),
		    "%s", _("no daemon answers on the socket"));
		return;
	}
	err = signet_server_trusted(d->c->conn);
	if (err == SIGNET_OK)
		found(d, FOUND_OK, NULL, "%s", _("it answers, and is the one that may see a PIN"));
	else
		found(d, FOUND_FAIL, _("no PIN is sent to it; check with --socket that this is the daemon's own socket"),
		    "%s", signet_error_message(d->c->conn));
	look_at_status(d);
	d->keys = list_of(d, "org.signetd.Signer.ListKeys", "key", SIGNET_ERR_KEY_NOT_FOUND);
	d->tokens = list_of(d, "org.signetd.Token.List", "token", SIGNET_ERR_TOKEN_NOT_FOUND);
}
