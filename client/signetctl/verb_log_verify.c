/*
 * signetctl log verify: is every entry the one that was logged?
 *
 * Invariant: exit status 0 means that all that was asked for was verified; what
 * was taken on somebody's word is said.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "log_out.h"

static int
read_remembered(struct ctl *c, signet_checkpoint *since)
{
	const char *path = c->value[OPT_FROM_CHECKPOINT];
	char *note, *vkey;
	size_t size;
	signet_err err;
	int code;

	code = log_vkey(c, &vkey);
	if (code != CTL_OK)
		return code;
	note = log_file(path, NOTE_MAX, &size);
	if (note == NULL) {
		free(vkey);
		return CTL_FAILED;
	}
	err = signet_log_checkpoint(note, size, vkey, since);
	free(note);
	free(vkey);
	return err == SIGNET_OK ? CTL_OK : fail_text(CTL_FAILED, "%s: %s", path, signet_error_message(NULL));
}

static json_t *
verdict_json(const struct log_verdict *v)
{
	return json_pack("{s:s*, s:s, s:b, s:I, s:I, s:I, s:I, s:s*, s:s*, s:b, s:I, s:s*, s:s*}", "copy", v->place, "log",
	    v->origin, "good", v->good, "from", (json_int_t)v->from, "entries", (json_int_t)v->entries,
	    "checkpoints", (json_int_t)v->checkpoints, "faults", (json_int_t)v->faults, "fault",
	    v->faults > 0 ? v->fault : NULL, "key", v->key, "keyWasGiven", v->key_was_given, "keyChanges",
	    (json_int_t)v->key_changes, "newestKey", v->newest, "continues", v->continues);
}

static void
print_key(const struct log_verdict *v)
{
	char fingerprint[2 * SIGNET_LOG_HASH + 1];

	if (v->key == NULL) {
		printf(
		    "  %s\n", _("who signed its checkpoint was NOT checked: give the log's key with --vkey"));
		return;
	}
	if (v->key_was_given && v->key_changes == 0) {
		printf("  %s\n", _("its checkpoint is signed with the key that you gave"));
		return;
	}
	if (v->key_was_given) {
		printf("  %s\n  ", _("its checkpoint is signed with the key that follows from the one that you gave; add it to your record:"));
		print_safe(stdout, v->newest == NULL ? "" : v->newest);
		putchar('\n');
		return;
	}
	printf("  %s\n  ", _("its checkpoint is signed with the key that the log itself names; compare it "
			     "with your record:"));
	print_safe(stdout, v->newest == NULL ? v->key : v->newest);
	if (signet_log_key(v->newest == NULL ? v->key : v->newest, NULL, fingerprint) == SIGNET_OK)
		printf("\n  %s %s", _("fingerprint"), fingerprint);
	putchar('\n');
}

static int
print_verdict(const struct log_verdict *v)
{
	char *line = log_verdict_text(v);
	int code = CTL_OK;

	if (v->good) {
		print_safe(stdout, line);
		putchar('\n');
		if (v->continues != NULL) {
			printf("  ");
			print_safe(stdout, v->continues);
			putchar('\n');
		}
		print_key(v);
	} else {
		code = fail_text(CTL_FAILED, "%s%s%s", v->place == NULL ? "" : v->place,
		    v->place == NULL ? "" : ": ", line);
		if (v->faults > 1)
			fprintf(stderr, _("  %llu faults in all\n"), (unsigned long long)v->faults);
	}
	free(line);
	return code;
}

static int
save(struct ctl *c, const struct log_verdict *v)
{
	struct log_out out;
	int code;

	code = log_out_open(&out, c);
	if (code != CTL_OK)
		return code;
	fputs(v->checkpoint, out.f);
	return log_out_close(&out, CTL_OK);
}

static int
verify_one(struct ctl *c, const char *copy, const signet_checkpoint *since, json_t *list)
{
	struct log_verdict v = {0};
	int code;

	code = log_verify(c, copy, since, &v, true, NULL, NULL);
	if (code == CTL_OK && list != NULL) {
		(void)json_array_append_new(list, verdict_json(&v));
		code = v.good ? CTL_OK : CTL_FAILED;
	} else if (code == CTL_OK) {
		code = print_verdict(&v);
	}
	if (code == CTL_OK && given(c, OPT_OUT))
		code = save(c, &v);
	log_verdict_done(&v);
	return code;
}

int
verb_log_verify(struct ctl *c)
{
	json_t *list = given(c, OPT_JSON) ? json_array() : NULL;
	signet_checkpoint since;
	bool remembered = given(c, OPT_FROM_CHECKPOINT);
	int code = CTL_OK, one;

	if (c->copy_count > 1 && (remembered || given(c, OPT_OUT)))
		return fail_text(CTL_USAGE, _("a checkpoint is one of a single log: one copy at a time"));
	if (remembered)
		code = read_remembered(c, &since);
	if (code != CTL_OK)
		return code;
	if (c->copy_count == 0)
		code = verify_one(c, NULL, remembered ? &since : NULL, list);
	for (int i = 0; i < c->copy_count; i++) {
		one = verify_one(c, c->copies[i], remembered ? &since : NULL, list);
		code = one == CTL_OK ? code : one;
	}
	if (list != NULL) {
		one = print_json(list);
		code = code == CTL_OK ? one : code;
		json_decref(list);
	}
	return code;
}
