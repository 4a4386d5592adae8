/*
 * The frames of wire.h as bytes. Both directions are written side by side, a
 * record at a time, so that an encoder and its decoder can be read together.
 *
 * A decoder accepts exactly what the encoder of the same build can have
 * written: each count, enumeration and length is checked against wire.h, text
 * is UTF-8 without control characters (the broker logs it and puts it into
 * JSON), and the last field ends where the frame ends. A worker holds a
 * vendor's code and the broker's peer may be any of them, so neither end
 * believes the other.
 */
#include "wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

enum {
	SIZE_FIELD = 4,
	HEAD = SIZE_FIELD + 1, /* size and type */
	JOB_FLAGS = WIRE_WITH_PIN | WIRE_KEEP_PIN | WIRE_THEN_LOGOUT | WIRE_RESTORE,
};

static uint32_t
size_field(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

size_t
wire_next(const uint8_t *bytes, size_t len, size_t max)
{
	size_t size;

	if (len < SIZE_FIELD)
		return 0;
	size = size_field(bytes);
	if (size < HEAD - SIZE_FIELD || size > max - SIZE_FIELD)
		return SIZE_MAX;
	return len - SIZE_FIELD < size ? 0 : size + SIZE_FIELD;
}

/* Where the frame begins in `out`, for frame_end(). */
static size_t
frame_begin(struct buf *out, enum wire_type type)
{
	size_t at = out->len;

	buf_u32(out, 0);
	buf_u8(out, (uint8_t)type);
	return at;
}

static void
frame_end(struct buf *out, size_t at)
{
	size_t size = out->len - at - SIZE_FIELD;

	if (out->failed)
		return;
	for (int i = 0; i < SIZE_FIELD; i++)
		out->data[at + (size_t)i] = (uint8_t)(size >> 8 * i);
}

/* A cursor over the fields of one whole frame, whose type byte is handed out. */
static signet_err
frame_open(struct cursor *c, const uint8_t *frame, size_t len, size_t max, uint8_t *type)
{
	if (wire_next(frame, len, max) != len || len == 0)
		return SIGNET_ERR_PROTOCOL;
	cur_init(c, frame + SIZE_FIELD, len - SIZE_FIELD);
	*type = cur_u8(c);
	return SIGNET_OK;
}

static signet_err
frame_open_as(struct cursor *c, const uint8_t *frame, size_t len, enum wire_type want)
{
	uint8_t type = 0;
	signet_err err = frame_open(c, frame, len, WIRE_FRAME_MAX, &type);

	return err == SIGNET_OK && type != want ? SIGNET_ERR_PROTOCOL : err;
}

static void
put_text(struct buf *out, const char *s)
{
	buf_bytes16(out, s, strlen(s));
}

/* UTF-8 without control characters; an oversized or unclean text fails the cursor. */
static void
get_text(struct cursor *c, char *out, size_t size)
{
	json_t *checked;

	cur_str16(c, out, size);
	for (const char *p = out; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			c->failed = true;
	checked = json_string(out); /* NULL unless strict UTF-8 */
	if (checked == NULL)
		c->failed = true;
	json_decref(checked);
}

static uint8_t
get_within(struct cursor *c, uint8_t low, uint8_t high)
{
	uint8_t v = cur_u8(c);

	if (v < low || v > high)
		c->failed = true;
	return v;
}

/* A count above `max` fails and reads as 0, so that no loop runs on it. */
static uint16_t
get_count(struct cursor *c, uint16_t max)
{
	uint16_t n = cur_u16(c);

	if (n <= max)
		return n;
	c->failed = true;
	return 0;
}

void
wire_put_config(struct buf *out, const struct wire_config *c)
{
	size_t at = frame_begin(out, WIRE_CONFIG);

	assert(c->path_count <= WIRE_PATHS_MAX && c->key_count <= WIRE_KEYS_MAX);
	put_text(out, c->module);
	put_text(out, c->serial);
	put_text(out, c->label);
	put_text(out, c->lock_dir);
	buf_u8(out, c->lanes);
	buf_u8(out, c->verify);
	buf_u8(out, c->confine);
	buf_u16(out, c->path_count);
	for (size_t i = 0; i < c->path_count; i++)
		put_text(out, c->paths[i]);
	buf_u16(out, c->issuer_count);
	for (size_t i = 0; i < c->issuer_count; i++)
		put_text(out, c->issuers[i]);
	buf_u16(out, c->key_count);
	for (size_t i = 0; i < c->key_count; i++)
		put_text(out, c->uri[i]);
	frame_end(out, at);
}

signet_err
wire_get_config(struct wire_config *c, const uint8_t *frame, size_t len)
{
	struct cursor in;

	memset(c, 0, sizeof(*c));
	if (frame_open_as(&in, frame, len, WIRE_CONFIG) != SIGNET_OK)
		return SIGNET_ERR_PROTOCOL;
	get_text(&in, c->module, sizeof(c->module));
	get_text(&in, c->serial, sizeof(c->serial));
	get_text(&in, c->label, sizeof(c->label));
	get_text(&in, c->lock_dir, sizeof(c->lock_dir));
	c->lanes = get_within(&in, 1, WIRE_LANES_MAX);
	c->verify = get_within(&in, WIRE_VERIFY_ALWAYS, WIRE_VERIFY_FIRST);
	c->confine = get_within(&in, 0, 1);
	c->path_count = get_count(&in, WIRE_PATHS_MAX);
	for (size_t i = 0; i < c->path_count; i++)
		get_text(&in, c->paths[i], sizeof(c->paths[i]));
	c->issuer_count = get_count(&in, WIRE_PATHS_MAX);
	for (size_t i = 0; i < c->issuer_count; i++)
		get_text(&in, c->issuers[i], sizeof(c->issuers[i]));
	c->key_count = get_count(&in, WIRE_KEYS_MAX);
	for (size_t i = 0; i < c->key_count; i++)
		get_text(&in, c->uri[i], sizeof(c->uri[i]));
	return cur_done(&in) ? SIGNET_OK : SIGNET_ERR_PROTOCOL;
}

static void
put_key(struct buf *out, const struct wire_key *k)
{
	assert(k->cert_count <= WIRE_CERTS_MAX);
	buf_u8(out, k->state);
	buf_u8(out, k->algorithm);
	buf_u16(out, k->bits);
	buf_u8(out, k->always_auth);
	buf_u64(out, (uint64_t)k->not_before);
	buf_u64(out, (uint64_t)k->not_after);
	put_text(out, k->cert_serial);
	buf_put(out, k->cert_hash, sizeof(k->cert_hash));
	put_text(out, k->reason);
	buf_u8(out, k->id_len);
	buf_put(out, k->id, k->id_len);
	assert(k->public_len <= WIRE_PUBLIC_MAX);
	buf_bytes16(out, k->public, k->public_len);
	buf_u32(out, k->cms_room);
	buf_u32(out, k->tst_room);
	buf_u8(out, k->cert_count);
	for (size_t i = 0; i < k->cert_count; i++)
		buf_bytes16(out, k->certs[i].der, k->certs[i].len);
}

static void
get_certs(struct cursor *c, struct wire_key *k)
{
	uint8_t count = get_within(c, 0, WIRE_CERTS_MAX);

	if (c->failed || count == 0)
		return;
	k->certs = calloc(count, sizeof(k->certs[0]));
	if (k->certs == NULL) {
		c->failed = true;
		return;
	}
	k->cert_count = count;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *der = cur_bytes16(c, &k->certs[i].len);

		if (der == NULL || k->certs[i].len == 0 || k->certs[i].len > WIRE_CERT_MAX) {
			c->failed = true;
			k->certs[i].len = 0;
			return;
		}
		memcpy(k->certs[i].der, der, k->certs[i].len);
	}
}

static void
get_public(struct cursor *c, struct wire_key *k)
{
	const uint8_t *id, *public;
	size_t n;

	k->id_len = cur_u8(c);
	id = cur_take(c, k->id_len);
	if (id != NULL)
		memcpy(k->id, id, k->id_len);
	public = cur_bytes16(c, &n);
	if (n > WIRE_PUBLIC_MAX)
		c->failed = true;
	if (c->failed || public == NULL)
		return;
	k->public_len = (uint16_t)n;
	memcpy(k->public, public, n);
}

static void
get_key(struct cursor *c, struct wire_key *k)
{
	const uint8_t *hash;

	k->state = get_within(c, WIRE_KEY_ABSENT, WIRE_KEY_UNUSABLE);
	k->algorithm = get_within(c, WIRE_ALG_NONE, WIRE_ED25519);
	k->bits = cur_u16(c);
	k->always_auth = get_within(c, 0, 1);
	k->not_before = (int64_t)cur_u64(c);
	k->not_after = (int64_t)cur_u64(c);
	get_text(c, k->cert_serial, sizeof(k->cert_serial));
	hash = cur_take(c, sizeof(k->cert_hash));
	if (hash != NULL)
		memcpy(k->cert_hash, hash, sizeof(k->cert_hash));
	get_text(c, k->reason, sizeof(k->reason));
	get_public(c, k);
	k->cms_room = cur_u32(c);
	k->tst_room = cur_u32(c);
	if (k->cms_room > WIRE_CMS_MAX || k->tst_room > WIRE_CMS_MAX)
		c->failed = true;
	get_certs(c, k);
}

void
wire_put_info(struct buf *out, const struct wire_info *i)
{
	size_t at = frame_begin(out, WIRE_INFO);

	assert(i->key_count <= WIRE_KEYS_MAX);
	buf_u8(out, i->presence);
	put_text(out, i->reason);
	put_text(out, i->serial);
	put_text(out, i->label);
	put_text(out, i->manufacturer);
	put_text(out, i->model);
	buf_u32(out, i->flags);
	buf_u8(out, i->pin_min);
	buf_u8(out, i->pin_max);
	buf_u16(out, i->key_count);
	for (size_t k = 0; k < i->key_count; k++)
		put_key(out, &i->keys[k]);
	frame_end(out, at);
}

signet_err
wire_get_info(struct wire_info *i, const uint8_t *frame, size_t len)
{
	struct cursor in;

	memset(i, 0, sizeof(*i));
	if (frame_open_as(&in, frame, len, WIRE_INFO) != SIGNET_OK)
		return SIGNET_ERR_PROTOCOL;
	i->presence = get_within(&in, WIRE_PRESENT, WIRE_BROKEN);
	get_text(&in, i->reason, sizeof(i->reason));
	get_text(&in, i->serial, sizeof(i->serial));
	get_text(&in, i->label, sizeof(i->label));
	get_text(&in, i->manufacturer, sizeof(i->manufacturer));
	get_text(&in, i->model, sizeof(i->model));
	i->flags = cur_u32(&in);
	i->pin_min = cur_u8(&in);
	i->pin_max = cur_u8(&in);
	i->key_count = get_count(&in, WIRE_KEYS_MAX);
	for (size_t k = 0; k < i->key_count && !in.failed; k++)
		get_key(&in, &i->keys[k]);
	if (cur_done(&in))
		return SIGNET_OK;
	wire_info_done(i);
	return SIGNET_ERR_PROTOCOL;
}

void
wire_info_done(struct wire_info *i)
{
	if (i == NULL)
		return;
	for (size_t k = 0; k < WIRE_KEYS_MAX; k++) {
		free(i->keys[k].certs);
		i->keys[k].certs = NULL;
		i->keys[k].cert_count = 0;
	}
}

static void
put_seen_token(struct buf *out, const struct wire_seen_token *t)
{
	buf_u64(out, t->slot);
	buf_u32(out, t->flags);
	put_text(out, t->serial);
	put_text(out, t->label);
	put_text(out, t->manufacturer);
	put_text(out, t->model);
	put_text(out, t->reader);
}

static void
get_seen_token(struct cursor *c, struct wire_seen_token *t)
{
	t->slot = cur_u64(c);
	t->flags = cur_u32(c);
	get_text(c, t->serial, sizeof(t->serial));
	get_text(c, t->label, sizeof(t->label));
	get_text(c, t->manufacturer, sizeof(t->manufacturer));
	get_text(c, t->model, sizeof(t->model));
	get_text(c, t->reader, sizeof(t->reader));
}

void
wire_put_seen(struct buf *out, const struct wire_seen *s)
{
	size_t at = frame_begin(out, WIRE_SEEN);

	assert(s->count <= WIRE_SEEN_MAX);
	buf_u8(out, s->state);
	buf_u8(out, s->polling);
	put_text(out, s->reason);
	buf_u16(out, s->count);
	for (size_t i = 0; i < s->count; i++)
		put_seen_token(out, &s->tokens[i]);
	frame_end(out, at);
}

signet_err
wire_get_seen(struct wire_seen *s, const uint8_t *frame, size_t len)
{
	struct cursor in;

	memset(s, 0, sizeof(*s));
	if (frame_open_as(&in, frame, len, WIRE_SEEN) != SIGNET_OK)
		return SIGNET_ERR_PROTOCOL;
	s->state = get_within(&in, WIRE_WATCHING, WIRE_WATCH_LOST);
	s->polling = get_within(&in, 0, 1);
	get_text(&in, s->reason, sizeof(s->reason));
	s->count = get_count(&in, WIRE_SEEN_MAX);
	s->tokens = s->count > 0 ? calloc(s->count, sizeof(s->tokens[0])) : NULL;
	if (s->count > 0 && s->tokens == NULL)
		return SIGNET_ERR_PROTOCOL;
	for (size_t i = 0; i < s->count && !in.failed; i++)
		get_seen_token(&in, &s->tokens[i]);
	if (cur_done(&in))
		return SIGNET_OK;
	wire_seen_done(s);
	return SIGNET_ERR_PROTOCOL;
}

void
wire_seen_done(struct wire_seen *s)
{
	free(s->tokens);
	s->tokens = NULL;
	s->count = 0;
}

/* An absent PIN is an empty one: no token takes zero bytes, and `struct secret` cannot hold them. */
static void
put_pin(struct buf *out, const struct secret *pin)
{
	assert(pin == NULL || out->secret);
	if (pin == NULL)
		buf_u16(out, 0);
	else
		buf_bytes16(out, secret_bytes(pin), secret_len(pin));
}

static void
put_stamp(struct buf *out, const struct wire_stamp *s)
{
	assert(s->nonce_len <= WIRE_NONCE_MAX);
	put_text(out, s->policy);
	buf_u32(out, s->accuracy_ms);
	buf_u8(out, s->cert_req);
	buf_put(out, s->serial, sizeof(s->serial));
	buf_u8(out, s->nonce_len);
	buf_put(out, s->nonce, s->nonce_len);
}

/* What follows depends on the format: a bare signature has nothing more. */
static void
put_format(struct buf *out, const struct wire_job *j)
{
	buf_u8(out, j->format);
	if (j->format == WIRE_RAW)
		return;
	buf_u8(out, j->commitment);
	buf_u64(out, (uint64_t)j->time_us);
	if (j->format == WIRE_TST)
		put_stamp(out, &j->stamp);
}

void
wire_put_job(struct buf *out, const struct wire_job *j)
{
	size_t at = frame_begin(out, (enum wire_type)j->type);

	buf_u32(out, j->job);
	buf_u8(out, j->flags);
	buf_u16(out, j->key);
	buf_u8(out, j->scheme);
	put_format(out, j);
	buf_u8(out, (uint8_t)j->digest.alg);
	buf_put(out, j->digest.bytes, digest_size(j->digest.alg));
	put_pin(out, j->pin);
	frame_end(out, at);
}

/* The PIN is the last field: what `c` has left, wiped on return whatever it was. */
static signet_err
get_pin(struct cursor *c, uint8_t *frame, size_t len, struct secret **pin)
{
	size_t n, at, left = (size_t)(c->end - c->p);
	const uint8_t *bytes = cur_bytes16(c, &n);
	signet_err err = SIGNET_OK;

	if (c->failed || !cur_done(c) || n > SECRET_MAX)
		err = SIGNET_ERR_PROTOCOL;
	else if (n > 0) {
		at = (size_t)(bytes - frame);
		err = secret_take(pin, frame + at, n);
	}
	wipe(frame + len - left, left);
	return err;
}

static void
get_bytes(struct cursor *c, uint8_t *out, size_t n)
{
	const uint8_t *bytes = cur_take(c, n);

	if (bytes != NULL)
		memcpy(out, bytes, n);
}

static void
get_stamp(struct cursor *c, struct wire_stamp *s)
{
	get_text(c, s->policy, sizeof(s->policy));
	s->accuracy_ms = cur_u32(c);
	s->cert_req = get_within(c, 0, 1);
	get_bytes(c, s->serial, sizeof(s->serial));
	s->nonce_len = get_within(c, 0, WIRE_NONCE_MAX);
	get_bytes(c, s->nonce, c->failed ? 0 : s->nonce_len);
	if ((s->serial[0] & 0x80) != 0)
		c->failed = true; /* it would be negative */
}

static void
get_format(struct cursor *c, struct wire_job *j)
{
	j->format = get_within(c, WIRE_RAW, WIRE_TST);
	if (c->failed || j->format == WIRE_RAW)
		return;
	j->commitment = get_within(c, WIRE_COMMITMENT_NONE, WIRE_COMMITMENT_ORIGIN);
	j->time_us = (int64_t)cur_u64(c);
	if (j->format == WIRE_TST)
		get_stamp(c, &j->stamp);
}

static void
get_digest(struct cursor *c, struct digest *d, bool wanted)
{
	const uint8_t *bytes;

	d->alg = (enum signet_digest_alg)get_within(c, DIGEST_NONE, DIGEST_SHA512);
	if (wanted != (d->alg != DIGEST_NONE))
		c->failed = true;
	bytes = cur_take(c, c->failed ? 0 : digest_size(d->alg));
	if (bytes != NULL)
		memcpy(d->bytes, bytes, digest_size(d->alg));
}

static bool
job_is_sound(const struct wire_job *j)
{
	bool sign = j->type == WIRE_SIGN;

	if (j->type < WIRE_SIGN || j->type > WIRE_PROBE || (j->flags & ~JOB_FLAGS) != 0)
		return false;
	if (sign)
		return j->key < WIRE_KEYS_MAX && j->scheme >= WIRE_PKCS1 && j->scheme <= WIRE_EDDSA;
	return j->key == 0 && j->scheme == 0 && j->format == WIRE_RAW;
}

/* Only a login of its own or one within a signature carries a PIN. */
static bool
pin_is_expected(const struct wire_job *j)
{
	return j->type == WIRE_LOGIN || (j->type == WIRE_SIGN && (j->flags & WIRE_WITH_PIN) != 0);
}

signet_err
wire_get_job(struct wire_job *j, uint8_t *frame, size_t len)
{
	struct cursor in;
	signet_err err;

	/* not the digest's 64 bytes: this is the path of every signature */
	j->pin = NULL;
	j->pin_in = NULL;
	err = frame_open(&in, frame, len, WIRE_JOB_MAX, &j->type);
	if (err != SIGNET_OK) {
		wipe(frame, len);
		return err;
	}
	j->job = cur_u32(&in);
	j->flags = cur_u8(&in);
	j->key = cur_u16(&in);
	j->scheme = cur_u8(&in);
	get_format(&in, j);
	get_digest(&in, &j->digest, j->type == WIRE_SIGN);
	if (in.failed) {
		wipe(frame, len);
		return SIGNET_ERR_PROTOCOL;
	}
	err = get_pin(&in, frame, len, &j->pin_in);
	if (err == SIGNET_OK && (!job_is_sound(j) || (j->pin_in != NULL && !pin_is_expected(j)))) {
		wire_job_done(j);
		err = SIGNET_ERR_PROTOCOL;
	}
	return err;
}

void
wire_job_done(struct wire_job *j)
{
	if (j == NULL)
		return;
	secret_free(j->pin_in);
	j->pin_in = NULL;
}

void
wire_put_result(struct buf *out, const struct wire_result *r)
{
	size_t at = frame_begin(out, WIRE_RESULT);

	assert(r->sig_len <= WIRE_SIG_MAX && r->cms_len <= WIRE_CMS_MAX);
	buf_u32(out, r->job);
	buf_u16(out, r->err);
	buf_u8(out, r->login);
	buf_u8(out, r->logged_in);
	buf_u8(out, r->fatal);
	buf_u32(out, r->rv);
	put_text(out, r->stage);
	buf_u32(out, r->flags);
	buf_u32(out, r->work_us);
	buf_bytes16(out, r->sig, r->sig_len);
	buf_u32(out, r->cms_len);
	if (r->cms_len > 0)
		buf_put(out, r->cms, r->cms_len);
	frame_end(out, at);
}

/* A stage is a word of our own: it goes into the log as it is. */
static void
get_stage(struct cursor *c, char *out, size_t size)
{
	cur_str16(c, out, size);
	if (out[strspn(out, "abcdefghijklmnopqrstuvwxyz")] != '\0')
		c->failed = true;
}

signet_err
wire_get_result(struct wire_result *r, const uint8_t *frame, size_t len)
{
	struct cursor in;
	const uint8_t *sig;
	size_t n;

	if (frame_open_as(&in, frame, len, WIRE_RESULT) != SIGNET_OK)
		return SIGNET_ERR_PROTOCOL;
	r->job = cur_u32(&in);
	r->err = get_count(&in, SIGNET_ERR_COUNT - 1);
	r->login = get_within(&in, WIRE_LOGIN_NONE, WIRE_LOGIN_ERROR);
	r->logged_in = get_within(&in, 0, 1);
	r->fatal = get_within(&in, 0, 1);
	r->rv = cur_u32(&in);
	get_stage(&in, r->stage, sizeof(r->stage));
	r->flags = cur_u32(&in);
	r->work_us = cur_u32(&in);
	sig = cur_bytes16(&in, &n);
	r->cms_len = cur_u32(&in);
	r->cms = r->cms_len <= WIRE_CMS_MAX ? cur_take(&in, r->cms_len) : NULL;
	if (sig == NULL || n > WIRE_SIG_MAX || r->cms == NULL || !cur_done(&in))
		return SIGNET_ERR_PROTOCOL;
	memcpy(r->sig, sig, n);
	r->sig_len = (uint16_t)n;
	return SIGNET_OK;
}

bool
wire_serial_is_none(const char *serial)
{
	return serial[strspn(serial, "0")] == '\0';
}
