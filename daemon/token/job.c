/*
 * A job in, a result out: every job is answered by exactly one result, whose
 * error is that of the first thing that failed.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "token/worker.h"

signet_err
job_fail(struct wire_result *r, signet_err err, const char *stage, CK_RV rv)
{
	/* an error that Cryptoki calls success has no number of its own */
	if (err == SIGNET_OK)
		err = SIGNET_ERR_TOKEN_FAILED;
	if (r->err != SIGNET_OK)
		return err;
	r->err = (uint16_t)err;
	r->rv = (uint32_t)rv;
	if (rv != CKR_OK && ckr_fatal((uint32_t)rv))
		r->fatal = 1;
	snprintf(r->stage, sizeof(r->stage), "%s", stage);
	return err;
}

static signet_err
absent_err(uint8_t presence)
{
	return presence == WIRE_ABSENT ? SIGNET_ERR_TOKEN_ABSENT : SIGNET_ERR_TOKEN_FAILED;
}

/*
 * A worker that found no token does not adopt one later: it tells the broker, by
 * an answer that is both OK and fatal, that a fresh worker would find it.
 */
static void
probe_absent(struct token *t, struct wire_result *r)
{
	char reason[128];

	if (t->p11 != NULL && t->presence != WIRE_OWNED &&
	    token_find(t, reason, sizeof(reason)) == WIRE_PRESENT)
		r->fatal = 1;
	else
		job_fail(r, absent_err(t->presence), "probe", CKR_OK);
}

static void
without_token(struct token *t, const struct wire_job *j, struct wire_result *r)
{
	if (j->type == WIRE_PROBE)
		probe_absent(t, r);
	else if (j->type != WIRE_LOGOUT)
		job_fail(r, absent_err(t->presence), "find", CKR_OK);
}

static void
with_token(struct lane *l, struct wire_job *j, struct wire_result *r)
{
	/* what they return stands in the result as well */
	switch (j->type) {
	case WIRE_SIGN:
		sign_job(l, j, r);
		break;
	case WIRE_LOGIN:
		login_with(l->token, j->pin_in, j->flags, r);
		break;
	case WIRE_LOGOUT:
		login_end(l->token, r);
		break;
	default:
		login_probe(l->token, r);
	}
}

static int64_t
now_us(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

void
job_run(struct lane *l, struct wire_job *j, struct wire_result *r)
{
	int64_t start = now_us();

	/* all but the signature's 512 bytes: this is the path of every signature */
	memset(r, 0, offsetof(struct wire_result, sig));
	r->job = j->job;
	if (l->token->presence == WIRE_PRESENT)
		with_token(l, j, r);
	else
		without_token(l->token, j, r);
	r->logged_in = atomic_load(&l->token->logged_in);
	r->flags = atomic_load(&l->token->flags);
	r->work_us = (uint32_t)(now_us() - start);
}
