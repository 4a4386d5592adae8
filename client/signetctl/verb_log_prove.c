/* signetctl log prove: the proof that an entry stands in the log, for who keeps it elsewhere. */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "log_out.h"

struct proven {
	uint64_t index;
	char *entry, *proof;
};

static bool
keep_proof(void *arg, const char *json, size_t size, bool continues)
{
	struct proven *p = arg;
	json_t *reply = json_loadb(json, size, 0, NULL);
	const char *text = json_string_value(json_object_get(reply, "tlogProof"));

	(void)continues;
	p->proof = text == NULL ? NULL : strdup(text);
	json_decref(reply);
	return true;
}

static bool
keep_entry(void *arg, struct log_entry *e)
{
	struct proven *p = arg;

	if (e->index == p->index)
		p->entry = strndup(e->text, e->size);
	return false;
}

int
log_prove(struct ctl *c, uint64_t index, const char *vkey, char **entry, char **proof)
{
	struct log_query q = {.from = index, .limit = 1};
	struct proven p = {.index = index};
	char parameters[64];
	signet_err err;
	int code;

	code = log_read(c, &q, keep_entry, &p);
	if (code == CTL_OK && p.entry == NULL)
		code = fail_text(
		    CTL_REFUSED, _("there is no entry %llu that you may read"), (unsigned long long)index);
	if (code == CTL_OK)
		code = ctl_connect(c);
	if (code != CTL_OK)
		goto failed;
	(void)snprintf(parameters, sizeof(parameters), "{\"index\":%llu}", (unsigned long long)index);
	err = signet_call(c->conn, "org.signetd.Log.ProveInclusion", parameters, NULL, 0, keep_proof, &p);
	if (err != SIGNET_OK) {
		code = fail_call(c, err);
	} else if (p.proof == NULL) {
		code = fail_text(CTL_LATER, _("no checkpoint covers this entry yet: try again in a moment"));
	} else if (signet_log_verify_entry(
		       p.entry, strlen(p.entry), p.proof, strlen(p.proof), vkey, NULL, NULL) != SIGNET_OK) {
		code = fail_text(CTL_FAILED, "%s", signet_error_message(NULL));
	} else {
		*entry = p.entry;
		*proof = p.proof;
		return CTL_OK;
	}
failed:
	free(p.entry);
	free(p.proof);
	return code;
}

static int
prove_by_daemon(struct ctl *c, uint64_t index, const char *vkey, char **entry, char **proof)
{
	struct log_head head = {0};
	int code = CTL_OK;

	if (vkey == NULL)
		code = log_head(c, &head);
	if (code == CTL_OK)
		code = log_prove(c, index, vkey == NULL ? head.key : vkey, entry, proof);
	log_head_done(&head);
	return code;
}

static int
prove_by_copy(struct ctl *c, uint64_t index, const char *vkey, char **entry, char **proof)
{
	signet_err err;

	if (!log_is_folder(c->copies[0]))
		return fail_text(CTL_USAGE, _("a proof is made by the daemon or from a published log"));
	err = signet_log_prove_from_folder(c->copies[0], vkey, index, entry, NULL, proof);
	return err == SIGNET_OK
		   ? CTL_OK
		   : fail_text(exit_for(err), "%s: %s", c->copies[0], signet_error_message(NULL));
}

static int
print_proof(struct ctl *c, const char *entry, const char *proof)
{
	struct log_out out;
	json_t *object;
	int code;

	code = log_out_open(&out, c);
	if (code != CTL_OK)
		return code;
	if (given(c, OPT_JSON)) {
		object = json_pack("{s:s, s:s}", "entry", entry, "tlogProof", proof);
		(void)json_dumpf(object, out.f, JSON_INDENT(2));
		fputc('\n', out.f);
		json_decref(object);
	} else {
		fputs(proof, out.f);
	}
	return log_out_close(&out, CTL_OK);
}

int
verb_log_prove(struct ctl *c)
{
	char *vkey = NULL, *entry = NULL, *proof = NULL;
	uint64_t index;
	int code;

	if (!log_index_read(c->args[0], &index))
		return fail_text(CTL_USAGE, _("\"%s\" is no number of an entry"), c->args[0]);
	if (c->copy_count > 1)
		return fail_text(CTL_USAGE, _("one copy at a time"));
	code = log_vkey(c, &vkey);
	if (code == CTL_OK)
		code = c->copy_count > 0 ? prove_by_copy(c, index, vkey, &entry, &proof)
					 : prove_by_daemon(c, index, vkey, &entry, &proof);
	if (code == CTL_OK)
		code = print_proof(c, entry, proof);
	free(vkey);
	free(entry);
	free(proof);
	return code;
}
