/*
 * signetctl setup: asks what a machine is for, and writes it.
 *
 * Invariant: every file appears whole, and each is good by itself: whoever
 * stops half-way has a daemon that starts, with fewer tokens. What is there
 * already is asked for no more.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "run.h"
#include "setup.h"
#include "tty.h"

enum { START_SECONDS = 20, MORE_MAX = 1000 };

static int
put(struct setup *s, const char *name, struct conf *f, bool reload)
{
	int code;

	if (asprintf(&f->path, "%s/%s", s->folder, name) < 0)
		abort();
	f->replace = given(s->c, OPT_FORCE);
	code = conf_put(reload ? s->c : NULL, f);
	if (code == CTL_OK) {
		print_safe(stderr, f->path);
		fprintf(stderr, ": %s\n", _("written"));
	}
	free(f->path);
	free(f->text);
	return code;
}

static bool
is_there(const struct setup *s, const char *name)
{
	char *path = NULL;
	bool there;

	if (asprintf(&path, "%s/%s", s->folder, name) < 0)
		abort();
	there = access(path, F_OK) == 0;
	free(path);
	return there;
}

/* --- the log and the people --- */

#define LOG_FILE "10-log.conf"
#define PEOPLE_FILE "20-people.conf"

/* A log that has begun keeps its name. */
static int
write_log(struct setup *s)
{
	char host[65] = "localhost", *usual = NULL, *origin;
	struct conf f = {0};
	int code = CTL_OK;

	(void)gethostname(host, sizeof(host) - 1);
	if (asprintf(&usual, "%s/signet", host) < 0)
		abort();
	origin = setup_text(s, OPT_ORIGIN, _("Name of this machine's signing log; it stays for ever"), usual);
	if (!conf_value_good(origin) || strpbrk(origin, " +") != NULL) {
		code = fail_text(CTL_USAGE, _("\"%s\" cannot be the name of a log: no blanks, no +"), origin);
	} else {
		conf_text(&f, "# %s\n[log]\norigin = %s\n", _("Written by signetctl; it may be edited."), origin);
		code = put(s, LOG_FILE, &f, false);
	}
	free(usual);
	free(origin);
	return code;
}

static int
write_people(struct setup *s, bool running)
{
	char *admins = setup_text(s, OPT_ADMIN, _("Accounts of the administrators, blanks between them"), "root");
	char *auditor = setup_text(s, OPT_AUDITOR, _("Account of the auditor (nothing: none)"), NULL);
	struct conf f = {0};
	int code;

	if (!conf_value_good(admins) || (auditor != NULL && !conf_value_good(auditor))) {
		code = fail_text(CTL_USAGE, _("names of accounts are needed"));
	} else {
		conf_text(&f, "# %s\n[rule administrators]\nuser = %s\nverbs = admin list unlock read-own read-log\nkeys = *\n",
		    _("Written by signetctl; it may be edited."), admins);
		if (auditor != NULL)
			conf_text(&f, "\n[rule auditor]\nuser = %s\nverbs = list read-log read-titles\nkeys = *\n", auditor);
		code = put(s, PEOPLE_FILE, &f, running);
	}
	free(admins);
	free(auditor);
	return code;
}

/* --- the daemon --- */

/* Does it tell us how it is? */
static bool
permits(struct setup *s)
{
	char *text = NULL;
	bool good;

	if (s->c->conn == NULL && signet_connect(&s->c->conn, s->c->value[OPT_SOCKET]) != SIGNET_OK) {
		s->c->conn = NULL;
		return false;
	}
	good = signet_status(s->c->conn, &text) == SIGNET_OK;
	free(text);
	return good;
}

static int
start_daemon(struct setup *s)
{
	static const char *const argv[] = {"systemctl", "restart", "signetd.socket", "signetd.service", NULL};
	struct timespec pause = {.tv_nsec = 200000000};
	char *out = NULL;
	int tries, rc;

	if (access("/run/systemd/system", F_OK) != 0 ||
	    !setup_yes(s, _("Start the daemon now with this configuration? (yes)")))
		return fail_text(CTL_NO_DAEMON, _("start the daemon, then run signetctl setup again: it goes on from here"));
	rc = run_program(argv, true, &out);
	if (rc != 0)
		warn_text("%s", out == NULL ? "systemctl" : out);
	free(out);
	signet_close(s->c->conn);
	s->c->conn = NULL;
	for (tries = 0; rc == 0 && tries < START_SECONDS * 5; tries++) {
		if (permits(s))
			return CTL_OK;
		(void)nanosleep(&pause, NULL);
	}
	return fail_text(CTL_NO_DAEMON, _("the daemon does not answer: look at journalctl -u signetd"));
}

/* --- tokens --- */

static char *
choose_module(struct setup *s)
{
	char *paths[SETUP_MODULES_MAX], *answer, *chosen = NULL;
	size_t i, count;
	unsigned long n;

	if (given(s->c, OPT_MODULE))
		return strdup(s->c->value[OPT_MODULE]);
	if (!s->may_ask)
		return NULL;
	count = setup_find_modules(paths);
	fprintf(stderr, "\n%s\n", _("Drivers of tokens that are installed here:"));
	for (i = 0; i < count; i++)
		fprintf(stderr, "  %zu  %s\n", i + 1, paths[i]);
	answer = setup_ask(s, _("Driver of the token (a number, a path; nothing: the configured ones)"), NULL);
	n = answer == NULL ? 0 : strtoul(answer, NULL, 10);
	if (answer != NULL && answer[0] == '/')
		chosen = strdup(answer);
	else if (n >= 1 && n <= count)
		chosen = strdup(paths[n - 1]);
	free(answer);
	for (i = 0; i < count; i++)
		free(paths[i]);
	return chosen;
}

/* Drivers that keep their tokens in files must be told where. */
static void
ask_files(struct setup *s, struct driver *d, char **paths, char **environment)
{
	char *place;

	*paths = given(s->c, OPT_PATHS) ? strdup(s->c->value[OPT_PATHS]) : NULL;
	*environment = given(s->c, OPT_ENVIRONMENT) ? strdup(s->c->value[OPT_ENVIRONMENT]) : NULL;
	if (d->module != NULL && strstr(d->module, "softhsm") != NULL && *paths == NULL && s->may_ask) {
		*paths = setup_ask(s, _("Folder in which this driver keeps its tokens"), NULL);
		place = setup_ask(s, _("Its configuration file (SOFTHSM2_CONF)"), NULL);
		if (place != NULL && asprintf(environment, "SOFTHSM2_CONF=%s", place) < 0)
			abort();
		free(place);
	}
	d->paths = *paths;
	d->environment = *environment;
}

static void
show_new(const json_t *found)
{
	const json_t *reply;
	size_t i;

	json_array_foreach(found, i, reply)
	{
		const json_t *token = json_object_get(reply, "token"), *certs[8];
		size_t count = own_certificates(token, certs, array_len(certs));
		const char *serial = text_member(token, "serial");

		if (serial == NULL || text_member(token, "configured") != NULL)
			continue;
		fprintf(stderr, "  ");
		print_safe(stderr, serial);
		fprintf(stderr, "  ");
		print_safe(stderr, count > 0 && text_member(certs[0], "subject") != NULL ? text_member(certs[0], "subject") : "-");
		fputc('\n', stderr);
	}
}

/* The reply that says that the token has been found, or has failed. */
static bool
not_yet(void *arg, const char *json, size_t size, bool continues)
{
	json_t *reply = json_loadb(json, size, 0, NULL);
	const json_t *token = json_object_get(reply, "token");
	const char *name = text_member(token, "name"), *state = text_member(token, "state");
	bool wait = name == NULL || state == NULL || strcmp(name, arg) != 0 || strcmp(state, "absent") == 0;

	(void)continues;
	json_decref(reply);
	return wait;
}

/* The daemon looks for it by itself: until then nothing can be said of its certificates. */
static void
wait_for(struct setup *s, char *name)
{
	signet_conn *conn = NULL; /* of its own: it is dead afterwards */
	signet_err err = signet_connect(&conn, s->c->value[OPT_SOCKET]);

	if (err == SIGNET_OK)
		err = signet_set_timeout(conn, START_SECONDS * 1000);
	if (err == SIGNET_OK)
		err = signet_call(conn, "org.signetd.Token.Watch", NULL, NULL, SIGNET_CALL_MORE, not_yet, name);
	if (err != SIGNET_OK)
		warn_text(_("the daemon does not see the token %s yet"), name);
	signet_close(conn);
}

/* Whose it is, and who may use it. */
static int
enrol_one(struct setup *s, const json_t *reply)
{
	const json_t *certs[1];
	const char *subject = own_certificates(json_object_get(reply, "token"), certs, 1) > 0 ? text_member(certs[0], "subject") : NULL;
	char *holder = setup_text(s, OPT_HOLDER, _("Person who holds it"), subject);
	char *seal = setup_text(s, OPT_SEAL, _("Organisation, if it is a seal (nothing: a personal token)"), NULL);
	char *user = setup_text(s, OPT_USER, _("Account of the holder on this machine (nothing: none)"), NULL);
	char *clerk = setup_text(s, OPT_CLERK, _("Account of the clerk (nothing: none)"), NULL), *name = NULL;
	struct enrolment e = {.name = s->c->value[OPT_NAME], .holder = holder, .seal = seal, .user = user, .clerk = clerk};
	int code = CTL_USAGE;

	if (holder == NULL)
		(void)fail_text(CTL_USAGE, _("say whose it is with --holder"));
	else
		code = enrol(s->c, &e, reply, &name);
	if (code == CTL_OK) {
		print_safe(stderr, name);
		fprintf(stderr, ": %s\n", _("added"));
		wait_for(s, name);
	}
	free(name);
	free(holder);
	free(seal);
	free(user);
	free(clerk);
	return code;
}

static int
next_token(struct setup *s, const struct driver *d)
{
	const json_t *reply = NULL;
	json_t *found;
	char *serial = given(s->c, OPT_SERIAL) ? strdup(s->c->value[OPT_SERIAL]) : NULL;
	int code = admin_scan(s->c, d, &found);

	if (code == CTL_OK && serial == NULL && s->may_ask) {
		show_new(found);
		serial = setup_ask(s, _("Serial number of the token (nothing: the only one)"), NULL);
	}
	if (code == CTL_OK)
		code = pick_found(found, serial, &reply);
	if (code == CTL_OK)
		code = enrol_one(s, reply);
	json_decref(found);
	free(serial);
	return code;
}

static int
add_tokens(struct setup *s)
{
	char *module = choose_module(s), *paths, *environment, *more;
	struct driver d = {.module = module};
	bool wanted = given(s->c, OPT_HOLDER) || s->may_ask;
	int code = CTL_OK, count;

	ask_files(s, &d, &paths, &environment);
	for (count = 0; wanted && count < MORE_MAX; count++) {
		if (s->may_ask) {
			more = setup_ask(s, _("Insert a token and press Enter (q: that was all)"), NULL);
			wanted = more == NULL;
			free(more);
			if (!wanted)
				break;
		}
		code = next_token(s, &d);
		wanted = s->may_ask && !given(s->c, OPT_HOLDER); /* one that was named by options is one */
		if (wanted)
			code = CTL_OK; /* its fault was printed; the next may be better */
	}
	free(module);
	free(paths);
	free(environment);
	return code;
}

/* --- all of it --- */

static int
find_folder(struct setup *s)
{
	const char *path = given(s->c, OPT_CONFIG) ? s->c->value[OPT_CONFIG] : "/etc/signet/signetd.conf";

	if (permits(s) && !given(s->c, OPT_CONFIG))
		return conf_folder(s->c, &s->folder);
	if (asprintf(&s->folder, "%s.d", path) < 0)
		abort();
	return CTL_OK;
}

static int
set_up(struct setup *s)
{
	bool running;
	int code = find_folder(s);

	if (code != CTL_OK)
		return code;
	if (access(s->folder, W_OK) != 0)
		return fail_text(CTL_REFUSED, _("you may not write into %s: run this as root"), s->folder);
	running = permits(s);
	if (!running && !is_there(s, LOG_FILE))
		code = write_log(s);
	if (code == CTL_OK && (!is_there(s, PEOPLE_FILE) || given(s->c, OPT_FORCE)))
		code = write_people(s, running);
	if (code == CTL_OK && !permits(s))
		code = start_daemon(s);
	if (code == CTL_OK)
		code = add_tokens(s);
	return code == CTL_OK ? setup_record(s) : code;
}

int
verb_setup(struct ctl *c)
{
	struct setup s = {.c = c, .may_ask = !given(c, OPT_NO_ASK) && tty_there()};
	int code = set_up(&s);

	free(s.folder);
	return code;
}
