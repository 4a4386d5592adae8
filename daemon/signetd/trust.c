/*
 * The order of the checks: what the broker knows by itself (the dates of the
 * certificate), then what signet-format has found. A certificate that is bad
 * for sure signs under no policy but "off"; what cannot be known here is the
 * policy's to decide, and stands in the entry either way.
 */
#include "trust.h"

#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "clock.h"
#include "journal.h"
#include "token.h"

void
trust_start(struct trust *t, struct broker *b)
{
	memset(t, 0, sizeof(*t));
	t->broker = b;
}

void
trust_forget(struct trust *t)
{
	for (size_t i = 0; i < TRUST_KEPT; i++)
		t->entries[i].until_ms = 0;
}

/* Every job whose certificate was asked for waits in its token's queue. */
static void
run_tokens(struct broker *b)
{
	for (size_t i = 0; i < b->token_count; i++)
		if (b->tokens[i]->queued.first != NULL)
			token_run(b->tokens[i]);
}

static void
on_answer(struct format_ask *a, const struct ask_answer *answer)
{
	struct trust_entry *e = a->owner;
	struct broker *b = e->trust->broker;
	unsigned keep = TRUST_FRESH_MS;

	e->asking = false;
	e->missing = answer == NULL || answer->err != SIGNET_OK;
	if (e->missing) {
		keep = TRUST_MISSING_MS;
		snprintf(e->reason, sizeof(e->reason), "signet-format gives no answer");
	} else {
		e->verdict = (enum ask_verdict)answer->verdict;
		snprintf(e->reason, sizeof(e->reason), "%s", answer->reason);
	}
	e->until_ms = uv_now(&b->loop) + keep;
	run_tokens(b);
}

/* The entry of this certificate; a new one takes the place of the one that has been known for longest. NULL: none is free. */
static struct trust_entry *
entry_of(struct trust *t, const struct key *k, enum ask_purpose purpose)
{
	struct trust_entry *oldest = NULL;

	for (size_t i = 0; i < TRUST_KEPT; i++) {
		struct trust_entry *e = &t->entries[i];

		if (e->used && e->purpose == purpose && memcmp(e->cert, k->info.cert_hash, sizeof(e->cert)) == 0)
			return e;
		if (!e->asking && (oldest == NULL || e->until_ms < oldest->until_ms))
			oldest = e;
	}
	if (oldest == NULL)
		return NULL;
	memset(oldest, 0, sizeof(*oldest));
	oldest->used = true;
	oldest->trust = t;
	oldest->purpose = purpose;
	memcpy(oldest->cert, k->info.cert_hash, sizeof(oldest->cert));
	return oldest;
}

/* False: it cannot even be asked. */
static bool
ask(struct trust *t, struct trust_entry *e, const struct key *k)
{
	struct ask *question = calloc(1, sizeof(*question));
	signet_err err;

	if (question == NULL)
		return false;
	question->type = ASK_CHECK;
	question->purpose = (uint8_t)e->purpose;
	question->now = clock_now_us(NULL) / 1000000;
	for (size_t i = 0; i < k->info.cert_count && i < ASK_CERTS_MAX; i++)
		question->blobs[question->blob_count++] =
		    (struct ask_blob){k->info.certs[i].der, k->info.certs[i].len};
	e->ask = (struct format_ask){.done = on_answer, .owner = e};
	err = format_submit(&t->broker->format, &e->ask, question);
	free(question);
	e->asking = err == SIGNET_OK;
	return e->asking;
}

static bool
refuse(const struct key *k, const char *word, const char *reason, struct fault *f)
{
	fault_set(f, SIGNET_ERR_CERTIFICATE_INVALID, NULL, "the certificate of key %s does not allow it (%s)%s%s",
	    k->conf->name, word, reason[0] != '\0' ? ": " : "", reason);
	fault_set_reason(f, "%s", word);
	return false;
}

/* Its dates need no chain. */
static bool
dates_allow(const struct key *k, struct fault *f)
{
	int64_t now = clock_now_us(NULL) / 1000000;

	if (k->info.not_after != 0 && now > k->info.not_after)
		return refuse(k, ask_verdict_word(VERDICT_EXPIRED), "it has to be renewed", f);
	if (now < k->info.not_before)
		return refuse(k, ask_verdict_word(VERDICT_NOT_YET_VALID), "or the clock of this machine is wrong", f);
	return true;
}

static enum trust_step
decide_by(const struct trust_entry *e, struct job *j, enum config_trust policy)
{
	const char *word = e->missing ? "unavailable" : ask_verdict_word(e->verdict);
	bool bad = !e->missing && ask_verdict_is_bad(e->verdict);
	bool open = e->missing || e->verdict != VERDICT_GOOD;

	if (bad || (open && policy == TRUST_STRICT)) {
		refuse(j->key, word, e->reason, &j->fault);
		return TRUST_FAIL;
	}
	j->cert_check = word;
	return TRUST_GO;
}

enum trust_step
trust_decide(struct job *j)
{
	struct trust *t = &j->token->broker->trust;
	const struct config *c = t->broker->config;
	struct trust_entry *e;

	j->cert_check = NULL;
	if (c->certificate_check == TRUST_OFF || j->key->info.cert_count == 0)
		return TRUST_GO;
	if (!dates_allow(j->key, &j->fault))
		return TRUST_FAIL;
	if (c->anchors.count == 0) {
		j->cert_check = "unchecked";
		return TRUST_GO;
	}
	e = entry_of(t, j->key, j->format == WIRE_TST ? ASK_FOR_STAMPS : ASK_FOR_SIGNATURES);
	if (e == NULL || e->asking)
		return TRUST_WAIT;
	if (uv_now(&t->broker->loop) < e->until_ms)
		return decide_by(e, j, c->certificate_check);
	if (ask(t, e, j->key))
		return TRUST_WAIT;
	e->missing = true;
	snprintf(e->reason, sizeof(e->reason), "too much is waiting to be looked at");
	return decide_by(e, j, c->certificate_check);
}
