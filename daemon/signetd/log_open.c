/*
 * The daemon comes up with any log: who asks is told what is wrong with it, and
 * two people can begin a new one from here. What they want lies in a file,
 * `recover`, until the new log's first entry tells of it; a restored backup
 * brings a file `restored` along.
 *
 * Invariant: a log that is whole is never put aside.
 */
#include "log_open.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "broker.h"
#include "clock.h"
#include "credential.h"
#include "entry.h"
#include "installation.h"
#include "journal.h"
#include "ledger/files.h"
#include "ledger/proof.h"
#include "ledger/succeed.h"

static const char recover_file[] = "recover", restored_file[] = "restored";

enum { FILE_MAX = 4096 };

/* --- small files in the state directory --- */

static int
open_state(const struct broker *b)
{
	return open(b->config->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* NULL: it is not there, or nothing that we wrote. */
static json_t *
read_file(const struct broker *b, const char *name)
{
	owned(buf_done) struct buf text;
	json_t *j = NULL;
	int dir = open_state(b);

	buf_init(&text, 2 * FILE_MAX);
	if (dir >= 0 && file_read(dir, name, &text, FILE_MAX) == 0)
		j = json_loadb((const char *)text.data, text.len, 0, NULL);
	if (dir >= 0)
		close(dir);
	return j;
}

static void
remove_file(const struct broker *b, const char *name)
{
	int dir = open_state(b);

	if (dir < 0)
		return;
	if (unlinkat(dir, name, 0) != 0 || fsync(dir) != 0)
		say_warning("%s/%s cannot be removed: %s", b->config->state, name, strerror(errno));
	close(dir);
}

signet_err
log_ask_recovery(
    struct broker *b, uid_t asked_by, uid_t confirmed_by, const char *reason, char *why, size_t why_size)
{
	json_t *j = json_pack("{s:I,s:I,s:s}", "asked", (json_int_t)asked_by, "confirmed", (json_int_t)confirmed_by, "reason",
	    reason);
	char *text = j == NULL ? NULL : json_dumps(j, JSON_COMPACT);
	int dir = open_state(b), err = dir < 0 ? errno : text == NULL ? ENOMEM : 0;

	if (err == 0)
		err = file_replace(dir, "recover.new", recover_file, 0600, text, strlen(text));
	if (err == 0 && fsync(dir) != 0)
		err = errno;
	if (dir >= 0)
		close(dir);
	free(text);
	json_decref(j);
	if (err == 0)
		return SIGNET_OK;
	snprintf(why, why_size, "%s/%s cannot be written: %s", b->config->state, recover_file, strerror(err));
	return SIGNET_ERR_IO;
}

/* --- the first entries --- */

static void
on_origin(void *arg, signet_err err, uint64_t index)
{
	struct broker *b = arg;

	(void)index;
	if (err != SIGNET_OK)
		return; /* said in the journal; the next start tries again */
	if (ledger_settle(b->log) != SIGNET_OK)
		say_warning("%s/succession cannot be removed: the next start will tell of the old log once more",
		    b->config->state);
	remove_file(b, recover_file);
}

static void
tell_origin(struct broker *b, const struct succession *s)
{
	json_t *asked = read_file(b, recover_file);
	const char *reason = json_string_value(json_object_get(asked, "reason"));
	struct entry *e = entry_new(b, "origin", NULL);
	char detail[160];

	if (e == NULL) {
		json_decref(asked);
		return;
	}
	snprintf(detail, sizeof(detail), "asked by uid %lld, confirmed by uid %lld; the old files lie in %s",
	    json_integer_value(json_object_get(asked, "asked")), json_integer_value(json_object_get(asked, "confirmed")),
	    s->folder);
	entry_str(e, "operation", "recover");
	if (reason != NULL)
		entry_opening(e, "reason", reason);
	entry_str(e, "outcome", "ok");
	entry_str(e, "detail", detail);
	if (s->vkey[0] != '\0')
		entry_str(e, "oldKey", s->vkey);
	if (s->note[0] != '\0') {
		entry_str(e, "oldLog", s->origin);
		entry_int(e, "oldSize", s->size);
		entry_str(e, "oldRoot", s->root);
		entry_str(e, "oldCheckpoint", s->note);
	}
	entry_int(e, "oldEntries", s->entries);
	entry_tell(e, on_origin, b);
	entry_append(e);
	json_decref(asked);
}

static void
on_restored(void *arg, signet_err err, uint64_t index)
{
	(void)index;
	if (err == SIGNET_OK)
		remove_file(arg, restored_file);
}

static void
tell_restored(struct broker *b, const json_t *from)
{
	const char *machine = json_string_value(json_object_get(from, "machine"));
	struct entry *e = entry_new(b, "moved", NULL);

	if (e == NULL)
		return;
	entry_str(e, "operation", "restore");
	entry_str(e, "outcome", "ok");
	entry_int(e, "oldSize", (uint64_t)json_integer_value(json_object_get(from, "size")));
	entry_str(e, "movedFrom", machine != NULL ? machine : "unknown");
	entry_tell(e, on_restored, b);
	entry_append(e);
}

void
log_open_tell(struct broker *b)
{
	json_t *restored;

	if (ledger_broken(b->log))
		return;
	if (ledger_succession(b->log) != NULL)
		tell_origin(b, ledger_succession(b->log));
	restored = read_file(b, restored_file);
	if (restored != NULL)
		tell_restored(b, restored);
	json_decref(restored);
}

/* --- opening --- */

static void
on_kept(void *arg, const struct ledger_kept *kept, uint64_t index)
{
	struct broker *b = arg;
	struct replay *r = replay_find(&b->replay, kept->uid, kept->request_id);

	if (r == NULL)
		r = replay_bind(&b->replay, kept->uid, kept->request_id, kept->input, clock_now_us(NULL));
	if (r == NULL)
		return;
	memcpy(r->input, kept->input, sizeof(r->input));
	replay_settle(&b->replay, r, kept->unknown, index);
}

/* A record that the full disk had held up: its requestId was left bound as running. */
static void
on_late(void *arg, const struct ledger_kept *kept, uint64_t index)
{
	struct broker *b = arg;
	struct replay *r = replay_find(&b->replay, kept->uid, kept->request_id);

	if (r != NULL && r->state == REPLAY_RUNNING)
		replay_settle(&b->replay, r, kept->unknown, index);
}

static void
on_tried(void *arg, const struct ledger_tried *tried)
{
	struct pin_state *state = broker_pin_state(arg, tried->serial);

	for (int s = 0; state != NULL && s < PIN_SOURCES; s++)
		if (strcmp(pin_source_name((enum pin_source)s), tried->source) == 0) {
			state->note[s].failures = tried->failures;
			state->note[s].last_us = tried->last_us;
		}
}

/* The log that was opened is not the one to go on with: nothing of it is remembered but wrong PINs. */
static signet_err
let_go(struct broker *b)
{
	if (b->log != NULL)
		ledger_close(b->log, NULL, NULL);
	b->log = NULL;
	replay_done(&b->replay);
	return replay_init(&b->replay);
}

static signet_err
try_open(struct broker *b, const struct ledger_options *o, struct ledger_start *start, char *why, size_t why_size)
{
	signet_err err = ledger_open(&b->log, &b->loop, o, start, why, why_size);

	if (err != SIGNET_OK) {
		b->log = NULL;
		return err;
	}
	if (ledger_each_kept(b->log, on_kept, b) == SIGNET_OK && ledger_each_tried(b->log, on_tried, b) == SIGNET_OK)
		return SIGNET_OK;
	snprintf(why, why_size,
	    "%s/log.db is damaged (request ids or PIN notes cannot be read): restore the newest copy of the log, or begin a new "
	    "one with `signetctl log recover`", b->config->state);
	err = let_go(b);
	return err == SIGNET_OK ? SIGNET_ERR_LOG_UNAVAILABLE : err;
}

static signet_err
begin_anew(struct broker *b, const struct ledger_options *o, struct ledger_start *start, char *why, size_t why_size)
{
	signet_err err = let_go(b);

	if (err == SIGNET_OK)
		err = ledger_put_aside(o, why, why_size);
	return err == SIGNET_OK ? try_open(b, o, start, why, why_size) : err;
}

/* Open it, by way of what two people have asked for. */
static signet_err
open_some(struct broker *b, const struct ledger_options *o, struct ledger_start *start, char *why, size_t why_size)
{
	json_t *asked = read_file(b, recover_file);
	bool wanted = asked != NULL;
	signet_err err = try_open(b, o, start, why, why_size);

	json_decref(asked);
	if (wanted && (err == SIGNET_ERR_LOG_UNAVAILABLE || (err == SIGNET_OK && ledger_broken(b->log))))
		return begin_anew(b, o, start, why, why_size);
	if (wanted && err == SIGNET_OK && ledger_succession(b->log) == NULL) {
		say_warning("the signing log is whole again: no new one was begun");
		remove_file(b, recover_file);
	}
	return err;
}

static signet_err
open_or_hold(struct broker *b, const struct ledger_options *o, struct ledger_start *start, char *why, size_t why_size)
{
	signet_err err = open_some(b, o, start, why, why_size);

	if (err != SIGNET_ERR_LOG_UNAVAILABLE || ledger_open_shut(&b->log, &b->loop, o, why) != SIGNET_OK)
		return err;
	return SIGNET_OK;
}

/* What an administrator must know at once. */
static void
say_state(const struct broker *b, const struct ledger_start *start)
{
	struct journal_fields fields = {.message_id = SIGNET_MSG_LOG_UNAVAILABLE};

	if (ledger_broken(b->log))
		journal(LOG_ALERT, &fields, "nothing is signed: %s", ledger_why(b->log));
	if (start->anchor_missing)
		say_warning("%s is missing: whether the log was rolled back was not compared with it", b->config->anchor);
	if (start->recovered > 0)
		say_warning("%llu requests were interrupted; they are in the log with outcome \"unknown\"",
		    (unsigned long long)start->recovered);
}

signet_err
log_open(struct broker *b, char *why, size_t why_size)
{
	static char boot[SD_ID128_STRING_MAX];
	char key[512];
	sd_id128_t id = SD_ID128_NULL;
	struct ledger_options o = {.dir = b->config->state, .origin = b->config->origin, .tiles = b->config->tiles,
	    .anchor = b->config->anchor, .reserve = b->config->reserve, .now_us = clock_now_us,
	    .clock_state = clock_state, .arg = b, .boot_id = boot, .late = on_late};
	struct ledger_start start = {0};
	signet_err err;

	(void)sd_id128_get_boot(&id); /* all zeroes where there is none: said in every entry */
	sd_id128_to_string(id, boot);
	if (b->config->log_credential != NULL) {
		if (!credential_path(b->config->log_credential, key, sizeof(key), why, why_size))
			return SIGNET_ERR_LOG_UNAVAILABLE;
		o.log_key = key;
		o.key_is_given = true;
	}
	err = open_or_hold(b, &o, &start, why, why_size);
	if (err != SIGNET_OK)
		return err;
	b->log_was_available = !ledger_broken(b->log);
	b->anchor_missing = start.anchor_missing;
	say_state(b, &start);
	return installation_key(b->config->state, b->installation_key, why, why_size);
}
