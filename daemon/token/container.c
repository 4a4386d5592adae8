/*
 * What a lane makes around a signature: the attributes that are signed in place
 * of the document's digest, and the CMS that carries both. The key signs the
 * digest of attributes that were built here, never of any that were sent.
 */
#include <assert.h>
#include <string.h>

#include "token/worker.h"

_Static_assert((int)WIRE_CADES == CMS_FORMAT_CADES && (int)WIRE_PADES == CMS_FORMAT_PADES &&
	       (int)WIRE_TST == CMS_FORMAT_TST, "the wire has the numbers of format/cms.h");
_Static_assert((int)WIRE_CMS_MAX == CMS_MAX && (int)WIRE_SERIAL_SIZE == TST_SERIAL_SIZE &&
	       (int)WIRE_NONCE_MAX == TST_NONCE_MAX && (int)WIRE_POLICY_SIZE == TST_POLICY_MAX + 1,
    "and its limits");

void
container_prepare(struct token_key *k, struct wire_key *info)
{
	const uint8_t *ders[WIRE_CERTS_MAX];
	size_t lens[WIRE_CERTS_MAX];

	for (size_t i = 0; i < info->cert_count; i++) {
		ders[i] = info->certs[i].der;
		lens[i] = info->certs[i].len;
	}
	if (info->cert_count == 0 || cms_signer_new(&k->signer, ders, lens, info->cert_count) != SIGNET_OK)
		return;
	info->cms_room = (uint32_t)cms_room(k->signer);
	info->tst_room = (uint32_t)tst_room(k->signer);
}

/* A time-stamp is signed with the digest that matches the key's strength; what it stamps has its own. */
static enum signet_digest_alg
hash_for(uint8_t algorithm)
{
	return algorithm == WIRE_P521 ? DIGEST_SHA512 : algorithm == WIRE_P384 ? DIGEST_SHA384 : DIGEST_SHA256;
}

static signet_err
begin_stamp(const struct token_key *k, const struct wire_job *j, struct cms **out, struct digest *to_sign)
{
	const struct wire_stamp *s = &j->stamp;
	struct tst_plan plan = {.imprint = j->digest, .hash = hash_for(k->algorithm), .pss = j->scheme == WIRE_PSS,
	    .cert_req = s->cert_req != 0, .time_us = j->time_us, .accuracy_ms = s->accuracy_ms, .policy = s->policy,
	    .nonce_len = s->nonce_len};

	memcpy(plan.serial, s->serial, sizeof(plan.serial));
	memcpy(plan.nonce, s->nonce, s->nonce_len);
	return tst_begin(out, k->signer, &plan, to_sign);
}

static signet_err
begin_signature(const struct token_key *k, const struct wire_job *j, struct cms **out, struct digest *to_sign)
{
	struct cms_plan plan = {.format = (enum cms_format)j->format,
	    .commitment = (enum cms_commitment)j->commitment, .pss = j->scheme == WIRE_PSS,
	    .time = j->time_us / 1000000, .digest = j->digest};

	return cms_begin(out, k->signer, &plan, to_sign);
}

signet_err
container_begin(struct lane *l, struct wire_job *j, struct cms **out, struct wire_result *r)
{
	const struct token_key *k = &l->token->keys[j->key];
	struct digest to_sign;
	signet_err err;

	if (j->format == WIRE_RAW)
		return SIGNET_OK;
	if (k->signer == NULL)
		return job_fail(r, SIGNET_ERR_UNSUPPORTED, "format", CKR_OK);
	if (j->format == WIRE_TST)
		err = begin_stamp(k, j, out, &to_sign);
	else
		err = begin_signature(k, j, out, &to_sign);
	if (err != SIGNET_OK)
		return job_fail(r, err, "format", CKR_OK);
	j->digest = to_sign;
	return SIGNET_OK;
}

signet_err
container_finish(struct lane *l, struct cms *c, struct wire_result *r)
{
	signet_err err;

	buf_reset(&l->container);
	err = cms_finish(c, r->sig, r->sig_len, &l->container);
	cms_free(c);
	if (err != SIGNET_OK) {
		r->sig_len = 0;
		return job_fail(r, err, "format", CKR_OK);
	}
	r->cms = l->container.data;
	r->cms_len = (uint32_t)l->container.len;
	return SIGNET_OK;
}
