/*
 * The certificates that lie on the token, copied out through libp11.
 *
 * libp11 is used for this once, before the worker opens a session of its own,
 * and never asked for more: releasing its slots closes every session of the
 * process on them, unloading its context calls C_Finalize, and its login keeps
 * a PIN. So the slots go back here, and the context stays until the process ends.
 */
#include <stdlib.h>
#include <string.h>

#include <libp11.h>
#include <openssl/err.h>

#include "token/worker.h"

enum { CERTS_ON_TOKEN_MAX = 512 };

static signet_err
cert_copy(struct token_cert *out, const PKCS11_CERT *in)
{
	if (in->x509 == NULL || X509_up_ref(in->x509) != 1)
		return SIGNET_ERR_MEMORY;
	out->x509 = in->x509;
	out->id_len = in->id_len <= sizeof(out->id) ? in->id_len : 0;
	if (out->id_len > 0)
		memcpy(out->id, in->id, out->id_len);
	if (in->label != NULL)
		strncpy(out->label, in->label, sizeof(out->label) - 1);
	return SIGNET_OK;
}

static signet_err
certs_copy(struct token_certs *c, PKCS11_SLOT *slot)
{
	PKCS11_CERT *list = NULL;
	unsigned count = 0;
	signet_err err;

	/* no certificate at all is not an error; what else it may be shows when the keys are read */
	if (slot->token == NULL || PKCS11_enumerate_certs(slot->token, &list, &count) != 0 || count == 0)
		return SIGNET_OK;
	if (count > CERTS_ON_TOKEN_MAX)
		count = CERTS_ON_TOKEN_MAX;
	c->list = calloc(count, sizeof(c->list[0]));
	if (c->list == NULL)
		return SIGNET_ERR_MEMORY;
	for (unsigned i = 0; i < count; i++) {
		err = cert_copy(&c->list[c->count], &list[i]);
		if (err != SIGNET_OK)
			return err;
		c->count++;
	}
	return SIGNET_OK;
}

static PKCS11_SLOT *
slot_by_id(PKCS11_SLOT *slots, unsigned count, CK_SLOT_ID id)
{
	for (unsigned i = 0; i < count; i++)
		if (PKCS11_get_slotid_from_slot(&slots[i]) == id)
			return &slots[i];
	return NULL;
}

signet_err
certs_read(struct token_certs *c, const struct token *t, char *reason, size_t size)
{
	static PKCS11_CTX *ctx; /* stays reachable: it is never given back */
	PKCS11_SLOT *slots = NULL, *slot;
	signet_err err = SIGNET_ERR_TOKEN_FAILED;
	unsigned count = 0;

	memset(c, 0, sizeof(*c));
	ctx = PKCS11_CTX_new();
	if (ctx == NULL)
		return SIGNET_ERR_MEMORY;
	if (PKCS11_CTX_load(ctx, t->config->module) != 0 ||
	    PKCS11_enumerate_slots(ctx, &slots, &count) != 0) {
		unsigned long rv = (unsigned long)ERR_GET_REASON(ERR_peek_last_error());

		text_printf(reason, size, "reading the certificates: %s", ckr_name((uint32_t)rv));
		return err;
	}
	slot = slot_by_id(slots, count, t->slot);
	if (slot == NULL)
		text_printf(reason, size, "the token went away while its certificates were read");
	else
		err = certs_copy(c, slot);
	PKCS11_release_all_slots(ctx, slots, count);
	ERR_clear_error();
	if (err != SIGNET_OK)
		certs_done(c);
	return err;
}

void
certs_done(struct token_certs *c)
{
	for (size_t i = 0; i < c->count; i++)
		X509_free(c->list[i].x509);
	free(c->list);
	memset(c, 0, sizeof(*c));
}
