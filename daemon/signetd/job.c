/* Jobs: their memory and their members of an entry, in the order of <signet/log.h>. */
#include "job.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include <signet/log.h>

#include "broker.h"
#include "clock.h"
#include "document.h"
#include "replay.h"
#include "token.h"

struct job *
job_new(enum job_kind kind, struct token *t, struct identity *who)
{
	static uint32_t number;
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->kind = kind;
	j->token = t;
	j->number = ++number;
	j->level = "b";
	j->who = identity_ref(who);
	j->fault.index = -1;
	buf_init(&j->body, SIGNET_ENTRY_MAX);
	buf_init(&j->tail, 4096);
	return j;
}

void
job_free(struct job *j)
{
	if (j == NULL)
		return;
	if (j->replay != NULL) /* refused before the token: the requestId is free again */
		replay_release(&j->token->broker->replay, j->replay);
	for (size_t i = 0; i < j->opening_count; i++)
		free(j->openings[i].text);
	if (j->user != NULL) {
		quota_release(j->user, QUOTA_JOBS, 1);
		quota_user_put(&j->token->broker->quota, j->user);
	}
	secret_free(j->pin);
	free(j->stamp);
	free(j->cms);
	buf_done(&j->body);
	buf_done(&j->tail);
	buf_done(&j->op.entry);
	buf_done(&j->op.proof);
	identity_unref(j->who);
	free(j);
}

void
job_leave(struct job *j)
{
	j->finished = NULL;
	j->owner = NULL;
}

void
job_detach(struct job *j)
{
	job_leave(j);
	if (j->state != JOB_QUEUED)
		return;
	job_list_remove(&j->token->queued, j);
	job_free(j);
}

void
job_list_push(struct job_list *l, struct job *j)
{
	j->next = NULL;
	j->prev = l->last;
	if (l->last != NULL)
		l->last->next = j;
	else
		l->first = j;
	l->last = j;
	l->count++;
}

void
job_list_push_front(struct job_list *l, struct job *j)
{
	j->prev = NULL;
	j->next = l->first;
	if (l->first != NULL)
		l->first->prev = j;
	else
		l->last = j;
	l->first = j;
	l->count++;
}

void
job_list_insert(struct job_list *l, struct job *at, struct job *j)
{
	if (at == NULL) {
		job_list_push_front(l, j);
		return;
	}
	j->prev = at;
	j->next = at->next;
	if (at->next != NULL)
		at->next->prev = j;
	else
		l->last = j;
	at->next = j;
	l->count++;
}

void
job_list_remove(struct job_list *l, struct job *j)
{
	assert(l->count > 0);
	if (j->prev != NULL)
		j->prev->next = j->next;
	else
		l->first = j->next;
	if (j->next != NULL)
		j->next->prev = j->prev;
	else
		l->last = j->prev;
	j->next = j->prev = NULL;
	l->count--;
}

const char *
job_entry_kind(const struct job *j)
{
	switch (j->kind) {
	case JOB_SIGN:
		return j->format == WIRE_TST ? "timestamp" : "sign";
	case JOB_UNLOCK:
		return "unlock";
	default:
		return "lock";
	}
}

static void
add_json(struct buf *b, const char *name, const char *text)
{
	buf_str(b, name);
	buf_json(b, text, strlen(text));
}

static void
add_openings(struct job *j, const char *const *names)
{
	for (; *names != NULL; names++)
		for (size_t i = 0; i < j->opening_count; i++)
			if (strcmp(j->openings[i].field, *names) == 0) {
				buf_chr(&j->body, ',');
				opening_write(&j->body, &j->openings[i]);
			}
}

static void
add_stamp_members(struct job *j)
{
	char at[CLOCK_TEXT];

	clock_format(j->time_us, at);
	at[CLOCK_TEXT - 2] = '\0'; /* its Z stands behind the milliseconds */
	add_json(&j->body, ",\"stampPolicy\":", j->stamp->policy);
	buf_str(&j->body, ",\"stampSerial\":\"");
	buf_hex(&j->body, j->stamp->serial, sizeof(j->stamp->serial));
	buf_printf(&j->body, "\",\"stampTime\":\"%s.%03dZ\"", at, (int)(j->time_us / 1000 % 1000));
}

static void
add_signature_members(struct job *j)
{
	static const char *const document[] = {"number", "title", "date", "documentId", NULL};
	static const char *const person[] = {"capacity", "onBehalfOf", "reason", NULL};
	static const char *const scheme[] = {"", "pkcs1", "pss", "ecdsa", "eddsa"};
	static const char *const format[] = {"raw", "cades", "pades", "tst"};
	char digest[DIGEST_TEXT_MAX];

	digest_format(&j->digest, digest);
	if (j->cert_check != NULL)
		add_json(&j->body, ",\"certCheck\":", j->cert_check);
	buf_str(&j->body, ",\"operation\":\"");
	buf_str(&j->body, j->health ? "health" : j->format == WIRE_TST ? "timestamp" : "sign");
	buf_str(&j->body, "\",\"digest\":\"");
	buf_str(&j->body, digest);
	buf_str(&j->body, "\",\"format\":\"");
	buf_str(&j->body, format[j->format]);
	if (j->format != WIRE_TST) {
		buf_str(&j->body, "\",\"level\":\"");
		buf_str(&j->body, j->level);
	}
	buf_str(&j->body, "\",\"scheme\":\"");
	buf_str(&j->body, scheme[j->scheme]);
	buf_chr(&j->body, '"');
	if (j->stamp != NULL)
		add_stamp_members(j);
	if (j->document_tag[0] != '\0')
		add_json(&j->body, ",\"documentTag\":", j->document_tag);
	add_openings(j, document);
	if (j->media_type[0] != '\0')
		add_json(&j->body, ",\"mediaType\":", j->media_type);
	add_openings(j, person);
	if (j->request_id[0] != '\0')
		add_json(&j->body, ",\"requestId\":", j->request_id);
}

void
job_compose_body(struct job *j, const char *rule)
{
	struct buf *b = &j->body;

	buf_put(b, j->who->members.data, j->who->members.len);
	if (rule != NULL)
		add_json(b, ",\"rule\":", rule);
	if (j->proof != NULL)
		add_json(b, ",\"proof\":", j->proof);
	if (j->pin != NULL && j->source == PIN_AGENT)
		buf_printf(b, ",\"agentUid\":%u", j->agent_uid);
	if (j->kind == JOB_SIGN) {
		buf_chr(b, ',');
		buf_str(b, j->key->members);
		add_signature_members(j);
		return;
	}
	add_json(b, ",\"token\":", j->token->conf->name);
	if (j->token->serial[0] != '\0')
		add_json(b, ",\"tokenSerial\":", j->token->serial);
}

static void
add_hash(struct job *j, const char *name, const uint8_t *bytes, size_t len)
{
	static EVP_MD *sha256;
	uint8_t hash[32];

	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (sha256 == NULL || EVP_Digest(bytes, len, hash, NULL, sha256, NULL) != 1) {
		j->tail.failed = true;
		return;
	}
	buf_str(&j->tail, name);
	buf_hex(&j->tail, hash, sizeof(hash));
	buf_chr(&j->tail, '"');
}

void
job_compose_tail(struct job *j, const char *outcome, const char *detail)
{
	buf_str(&j->tail, "\"outcome\":\"");
	buf_str(&j->tail, outcome);
	buf_chr(&j->tail, '"');
	if (j->fault.err != SIGNET_OK) {
		const char *name = err_wire_name(j->fault.err);

		buf_str(&j->tail, ",\"error\":\"");
		buf_str(&j->tail, name != NULL ? name : "Internal");
		buf_chr(&j->tail, '"');
	}
	if (detail != NULL && detail[0] != '\0')
		add_json(&j->tail, ",\"detail\":", detail);
	if (j->sig_len > 0)
		add_hash(j, ",\"signatureHash\":\"sha256:", j->sig, j->sig_len);
	if (j->cms_len > 0)
		add_hash(j, ",\"cmsHash\":\"sha256:", j->cms, j->cms_len);
}
