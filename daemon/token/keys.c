/*
 * Which object is the key that a URI names?
 *
 * Its public half is found before anybody logs in: the certificate with the
 * same CKA_ID, else the public key object. The private half is looked up after
 * each login, since a token may hide it before and may number it anew. In each
 * step exactly one object must match; what a URI leaves open is refused, never
 * guessed [RFC 7512, 2.3].
 */
#include <string.h>

#include <openssl/err.h>

#include "token/worker.h"

/* What an object must match: its class and whatever of id and object the URI names. */
struct pattern {
	CK_OBJECT_CLASS class;
	CK_ATTRIBUTE list[3];
	CK_ULONG count;
};

static void
pattern_of(struct pattern *p, P11KitUri *uri, CK_OBJECT_CLASS class)
{
	static const CK_ATTRIBUTE_TYPE named[] = {CKA_ID, CKA_LABEL};

	p->class = class;
	p->list[0] = (CK_ATTRIBUTE){CKA_CLASS, &p->class, sizeof(p->class)};
	p->count = 1;
	for (size_t i = 0; i < array_len(named); i++) {
		const CK_ATTRIBUTE *a = p11_kit_uri_get_attribute(uri, named[i]);

		/* the labels of a key's other objects may differ: the id binds them */
		if (a != NULL && (class == CKO_PRIVATE_KEY || p->count == 1))
			p->list[p->count++] = *a;
	}
}

/* Handles of at most two objects: the second one only says that there are several. */
static CK_RV
objects_find(
    CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE s, struct pattern *p, CK_OBJECT_HANDLE found[2], CK_ULONG *count)
{
	CK_RV rv = p11->C_FindObjectsInit(s, p->list, p->count);
	CK_ULONG got;

	*count = 0;
	if (rv != CKR_OK)
		return rv;
	do {
		got = 0;
		rv = p11->C_FindObjects(s, found + *count, 2 - *count, &got);
		if (rv == CKR_OK)
			*count += got;
	} while (rv == CKR_OK && got > 0 && *count < 2);
	(void)p11->C_FindObjectsFinal(s);
	return rv;
}

/* Finding one key's public half. */
struct search {
	struct token *token;
	const struct token_certs *certs;
	struct token_key *key;
	struct wire_key *info;
	EVP_PKEY *object;       /* from the public key object; owned */
	const CK_ATTRIBUTE *id; /* in force: the URI's or the public key object's */
	CK_ATTRIBUTE own_id;
	uint8_t id_bytes[TOKEN_ID_MAX];
	X509 *cert; /* the own certificate, borrowed */
	const struct token_cert *own; /* the same, with its CKA_ID */
};

static uint8_t
verdict(struct search *f, uint8_t state, const char *reason)
{
	if (f->info->reason[0] == '\0')
		text_printf(f->info->reason, sizeof(f->info->reason), "%s", reason);
	return state;
}

/* The URI itself: names an object, and no other token. WIRE_KEY_FOUND if it does. */
static uint8_t
parse_uri(struct search *f, const char *text)
{
	P11KitUri *uri = p11_kit_uri_new();

	f->key->uri = uri; /* kept: patterns borrow from it */
	if (uri == NULL ||
	    p11_kit_uri_parse(text, P11_KIT_URI_FOR_OBJECT_ON_TOKEN_AND_MODULE, uri) != P11_KIT_URI_OK)
		return verdict(f, WIRE_KEY_UNUSABLE, "its URI cannot be read");
	if (p11_kit_uri_any_unrecognized(uri))
		return verdict(f, WIRE_KEY_UNUSABLE, "its URI has an attribute that is not known");
	f->id = p11_kit_uri_get_attribute(uri, CKA_ID);
	if (f->id == NULL && p11_kit_uri_get_attribute(uri, CKA_LABEL) == NULL)
		return verdict(f, WIRE_KEY_UNUSABLE, "its URI names neither id nor object");
	if (!p11_kit_uri_match_token_info(uri, &f->token->about))
		return verdict(f, WIRE_KEY_ABSENT, "its URI names another token");
	return WIRE_KEY_FOUND;
}

/* Where the URI gives only a label, the public key object's id leads to the certificate. */
static void
adopt_id(struct search *f, CK_OBJECT_HANDLE object)
{
	f->own_id = (CK_ATTRIBUTE){CKA_ID, f->id_bytes, sizeof(f->id_bytes)};
	if (f->id == NULL &&
	    f->token->p11->C_GetAttributeValue(f->token->anchor, object, &f->own_id, 1) == CKR_OK &&
	    f->own_id.ulValueLen > 0 && f->own_id.ulValueLen <= sizeof(f->id_bytes))
		f->id = &f->own_id;
}

static uint8_t
find_object(struct search *f)
{
	CK_OBJECT_HANDLE found[2];
	struct pattern p;
	CK_ULONG count;

	pattern_of(&p, f->key->uri, CKO_PUBLIC_KEY);
	if (objects_find(f->token->p11, f->token->anchor, &p, found, &count) != CKR_OK)
		return verdict(f, WIRE_KEY_UNUSABLE, "the token does not let its objects be searched");
	if (count > 1)
		return verdict(f, WIRE_KEY_AMBIGUOUS, "several public keys match its URI");
	if (count == 0)
		return WIRE_KEY_FOUND;
	adopt_id(f, found[0]);
	f->object = public_from_object(f->token->p11, f->token->anchor, found[0]);
	return WIRE_KEY_FOUND;
}

static bool
cert_matches(const struct search *f, const struct token_cert *c)
{
	const CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(f->key->uri, CKA_LABEL);

	if (f->id != NULL)
		return c->id_len == f->id->ulValueLen && memcmp(c->id, f->id->pValue, c->id_len) == 0;
	return label != NULL && strlen(c->label) == label->ulValueLen &&
	       memcmp(c->label, label->pValue, label->ulValueLen) == 0;
}

/* Of several certificates for one key the one that ends last is the own one: a renewed certificate. */
static uint8_t
find_cert(struct search *f)
{
	for (size_t i = 0; i < f->certs->count; i++) {
		X509 *x509 = f->certs->list[i].x509;

		if (!cert_matches(f, &f->certs->list[i]))
			continue;
		if (f->cert != NULL && EVP_PKEY_eq(X509_get0_pubkey(f->cert), X509_get0_pubkey(x509)) != 1)
			return verdict(f, WIRE_KEY_AMBIGUOUS, "certificates of several keys match its URI");
		if (f->cert == NULL ||
		    ASN1_TIME_compare(X509_get0_notAfter(f->cert), X509_get0_notAfter(x509)) < 0) {
			f->cert = x509;
			f->own = &f->certs->list[i];
		}
	}
	if (f->cert == NULL && f->object == NULL)
		return verdict(f, WIRE_KEY_ABSENT,
		    "no certificate and no public key that is understood matches its URI");
	if (f->cert != NULL && f->object != NULL && EVP_PKEY_eq(X509_get0_pubkey(f->cert), f->object) != 1)
		return verdict(f, WIRE_KEY_UNUSABLE, "its certificate is for another key");
	return WIRE_KEY_FOUND;
}

/* What lets a program that knows the token recognise the key. */
static void
tell_public(struct search *f, EVP_PKEY *public)
{
	const uint8_t *id = f->id != NULL ? f->id->pValue : f->own != NULL ? f->own->id : NULL;
	size_t n = f->id != NULL ? f->id->ulValueLen : f->own != NULL ? f->own->id_len : 0;
	uint8_t *to = f->info->public;
	int len = i2d_PUBKEY(public, NULL);

	if (id != NULL && n > 0 && n <= sizeof(f->info->id)) {
		memcpy(f->info->id, id, n);
		f->info->id_len = (uint8_t)n;
	}
	if (len > 0 && (size_t)len <= sizeof(f->info->public))
		f->info->public_len = (uint16_t)i2d_PUBKEY(public, &to);
}

static uint8_t
judge_key(struct search *f)
{
	EVP_PKEY *public = f->cert != NULL ? X509_get0_pubkey(f->cert) : f->object;

	if (public == NULL)
		return verdict(f, WIRE_KEY_UNUSABLE, "the key in its certificate cannot be read");
	f->key->algorithm = public_algorithm(public, &f->key->bits, f->info->reason, sizeof(f->info->reason));
	if (f->key->algorithm == WIRE_ALG_NONE)
		return WIRE_KEY_UNUSABLE;
	if (f->cert != NULL && !cert_describe(f->info, f->cert))
		return WIRE_KEY_UNUSABLE;
	EVP_PKEY_up_ref(public);
	f->key->public = public;
	tell_public(f, public);
	return WIRE_KEY_FOUND;
}

static signet_err
key_read(struct search *f, const char *uri)
{
	uint8_t state = parse_uri(f, uri);
	signet_err err = SIGNET_OK;

	if (state == WIRE_KEY_FOUND)
		state = find_object(f);
	if (state == WIRE_KEY_FOUND)
		state = find_cert(f);
	if (state == WIRE_KEY_FOUND)
		state = judge_key(f);
	if (f->cert != NULL && state == WIRE_KEY_FOUND)
		err = cert_chain(f->info, f->cert, f->certs);
	if (err == SIGNET_OK && state == WIRE_KEY_FOUND)
		container_prepare(f->key, f->info);
	EVP_PKEY_free(f->object);
	f->key->state = f->info->state = state;
	f->info->algorithm = f->key->algorithm;
	f->info->bits = f->key->bits;
	ERR_clear_error();
	return err;
}

signet_err
keys_read(struct token *t, struct wire_info *info, const struct token_certs *certs)
{
	for (size_t i = 0; i < t->config->key_count; i++) {
		struct search f = {.token = t, .certs = certs, .key = &t->keys[i], .info = &info->keys[i]};
		signet_err err = key_read(&f, t->config->uri[i]);

		if (err != SIGNET_OK)
			return err;
	}
	return SIGNET_OK;
}

/* Handle and always_auth of the one private key. With the login lock held. */
static signet_err
key_lookup(struct token *t, struct token_key *k, CK_RV *rv)
{
	CK_OBJECT_HANDLE found[2];
	CK_BBOOL always = CK_FALSE;
	CK_ATTRIBUTE a = {CKA_ALWAYS_AUTHENTICATE, &always, sizeof(always)};
	struct pattern p;
	CK_ULONG count;

	pattern_of(&p, k->uri, CKO_PRIVATE_KEY);
	*rv = objects_find(t->p11, t->anchor, &p, found, &count);
	if (*rv != CKR_OK)
		return ckr_err((uint32_t)*rv);
	if (count != 1)
		return count == 0 ? SIGNET_ERR_KEY_NOT_FOUND : SIGNET_ERR_UNSUPPORTED;
	/* older modules do not know the attribute: then it is false */
	if (t->p11->C_GetAttributeValue(t->anchor, found[0], &a, 1) != CKR_OK)
		always = CK_FALSE;
	atomic_store(&k->always_auth, always != CK_FALSE);
	atomic_store(&k->handle, found[0]);
	return SIGNET_OK;
}

signet_err
key_handle(struct token *t, struct token_key *k, CK_OBJECT_HANDLE *handle, CK_RV *rv)
{
	signet_err err = SIGNET_OK;

	*rv = CKR_OK;
	*handle = atomic_load(&k->handle);
	if (*handle != CK_INVALID_HANDLE)
		return SIGNET_OK;
	pthread_mutex_lock(&t->login);
	if (atomic_load(&k->handle) == CK_INVALID_HANDLE)
		err = key_lookup(t, k, rv);
	*handle = atomic_load(&k->handle);
	pthread_mutex_unlock(&t->login);
	return err;
}

void
keys_forget(struct token *t)
{
	for (size_t i = 0; i < t->config->key_count; i++)
		atomic_store(&t->keys[i].handle, CK_INVALID_HANDLE);
}
