/* Broker and worker read back what the other wrote, and refuse everything else. */
#include <stdlib.h>
#include <string.h>

#include "token/wire.h"
#include "unit.h"

static struct wire_config *
some_config(void)
{
	struct wire_config *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	strcpy(c->module, "/usr/lib/softhsm/libsofthsm2.so");
	strcpy(c->serial, "0123abcd");
	strcpy(c->label, "văn thư");
	strcpy(c->lock_dir, "/run/signet/locks");
	c->lanes = 4;
	c->verify = WIRE_VERIFY_FIRST;
	c->confine = 1;
	c->path_count = 2;
	strcpy(c->paths[0], "/var/lib/softhsm");
	strcpy(c->paths[1], "/dev/tpmrm0");
	c->key_count = 2;
	strcpy(c->uri[0], "pkcs11:id=%01");
	strcpy(c->uri[1], "pkcs11:object=x");
	return c;
}

static void
fill_key(struct wire_key *k, uint8_t certs)
{
	k->state = WIRE_KEY_FOUND;
	k->algorithm = WIRE_RSA;
	k->bits = 3072;
	k->always_auth = 1;
	k->not_before = -86400;
	k->not_after = INT64_MAX;
	strcpy(k->cert_serial, "0badc0de");
	memset(k->cert_hash, 0x5a, sizeof(k->cert_hash));
	strcpy(k->reason, "none");
	k->id_len = WIRE_ID_MAX;
	memset(k->id, 0x1d, sizeof(k->id));
	k->public_len = WIRE_PUBLIC_MAX;
	memset(k->public, 0x30, sizeof(k->public));
	k->cert_count = certs;
	k->certs = calloc(certs, sizeof(k->certs[0]));
	for (uint8_t i = 0; i < certs; i++) {
		k->certs[i].len = i == 0 ? WIRE_CERT_MAX : 1u + i;
		memset(k->certs[i].der, i + 1, k->certs[i].len);
	}
}

static struct wire_info *
some_info(void)
{
	struct wire_info *i = calloc(1, sizeof(*i));

	assert_non_null(i);
	i->presence = WIRE_PRESENT;
	strcpy(i->reason, "nothing");
	strcpy(i->serial, "0123abcd");
	strcpy(i->label, "test");
	strcpy(i->manufacturer, "SoftHSM project");
	strcpy(i->model, "SoftHSM v2");
	i->flags = 0x40d;
	i->pin_min = 4;
	i->pin_max = 255;
	i->key_count = 2;
	fill_key(&i->keys[0], 3);
	i->keys[1].state = WIRE_KEY_ABSENT;
	return i;
}

static void
free_info(struct wire_info *i)
{
	wire_info_done(i);
	free(i);
}

static struct secret *
pin_of(size_t len)
{
	char bytes[SECRET_MAX];
	struct secret *pin = NULL;

	memset(bytes, '7', len);
	assert_int_equal(secret_take(&pin, bytes, len), SIGNET_OK);
	return pin;
}

static struct wire_job
some_job(void)
{
	struct wire_job j = {.type = WIRE_SIGN, .job = 0xfeedf00d, .key = 63, .scheme = WIRE_PSS};

	j.digest.alg = DIGEST_SHA384;
	memset(j.digest.bytes, 0x33, digest_size(j.digest.alg));
	return j;
}

static struct wire_result
some_result(void)
{
	struct wire_result r = {.job = 0xfeedf00d, .err = SIGNET_ERR_TOKEN_FAILED, .login = WIRE_LOGIN_OK};

	r.logged_in = 1;
	r.fatal = 1;
	r.rv = 0x30;
	strcpy(r.stage, "sign");
	r.flags = 0x10000;
	r.work_us = 1234;
	r.sig_len = WIRE_SIG_MAX;
	memset(r.sig, 0xa5, sizeof(r.sig));
	r.cms = (const uint8_t *)"whole";
	r.cms_len = 5;
	return r;
}

/* A decoder of any record, without its result. */
typedef signet_err (*decoder)(uint8_t *frame, size_t len);

static signet_err
decode_config(uint8_t *frame, size_t len)
{
	struct wire_config *c = malloc(sizeof(*c));
	signet_err err = wire_get_config(c, frame, len);

	free(c);
	return err;
}

static signet_err
decode_info(uint8_t *frame, size_t len)
{
	struct wire_info *i = malloc(sizeof(*i));
	signet_err err = wire_get_info(i, frame, len);

	if (err == SIGNET_OK)
		wire_info_done(i);
	free(i);
	return err;
}

static signet_err
decode_job(uint8_t *frame, size_t len)
{
	struct wire_job j;
	signet_err err = wire_get_job(&j, frame, len);

	if (err == SIGNET_OK)
		wire_job_done(&j);
	return err;
}

static signet_err
decode_result(uint8_t *frame, size_t len)
{
	struct wire_result r;

	return wire_get_result(&r, frame, len);
}

static void
set_size(uint8_t *frame, size_t len)
{
	for (int i = 0; i < 4; i++)
		frame[i] = (uint8_t)((len - 4) >> 8 * i);
}

/* Decodes a copy of exactly `len` bytes whose size field says so. */
static signet_err
decode_cut(decoder decode, const struct buf *whole, size_t len)
{
	uint8_t *copy = calloc(1, len);
	signet_err err;

	assert_non_null(copy);
	memcpy(copy, whole->data, len < whole->len ? len : whole->len);
	set_size(copy, len);
	err = decode(copy, len);
	free(copy);
	return err;
}

static void
refuses_any_other_length(decoder decode, const struct buf *whole)
{
	assert_int_equal(decode_cut(decode, whole, whole->len), SIGNET_OK);
	for (size_t len = 5; len < whole->len; len++)
		assert_int_equal(decode_cut(decode, whole, len), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_cut(decode, whole, whole->len + 1), SIGNET_ERR_PROTOCOL);
}

static void
config_survives_the_way(void **state)
{
	struct wire_config *c = some_config(), *got = malloc(sizeof(*got));
	struct buf out;

	(void)state;
	buf_init(&out, WIRE_FRAME_MAX);
	wire_put_config(&out, c);
	assert_int_equal(wire_next(out.data, out.len, WIRE_FRAME_MAX), out.len);
	assert_int_equal(wire_get_config(got, out.data, out.len), SIGNET_OK);
	assert_memory_equal(c, got, sizeof(*c));
	refuses_any_other_length(decode_config, &out);
	buf_done(&out);
	free(c);
	free(got);
}

static void
info_survives_the_way(void **state)
{
	struct wire_info *i = some_info(), *got = malloc(sizeof(*got));
	struct wire_cert *theirs;
	struct buf out;

	(void)state;
	buf_init(&out, WIRE_FRAME_MAX);
	wire_put_info(&out, i);
	assert_int_equal(wire_get_info(got, out.data, out.len), SIGNET_OK);
	theirs = got->keys[0].certs;
	for (int k = 0; k < 3; k++) {
		assert_int_equal(theirs[k].len, i->keys[0].certs[k].len);
		assert_memory_equal(theirs[k].der, i->keys[0].certs[k].der, theirs[k].len);
	}
	got->keys[0].certs = i->keys[0].certs;
	assert_memory_equal(i, got, sizeof(*i));
	free(theirs);
	free(got);
	buf_done(&out);
	free_info(i);
}

static void
info_of_any_other_length_is_refused(void **state)
{
	struct wire_info *i = some_info();
	struct buf out;

	(void)state;
	i->keys[0].certs[0].len = 40; /* the loop is quadratic */
	buf_init(&out, WIRE_FRAME_MAX);
	wire_put_info(&out, i);
	refuses_any_other_length(decode_info, &out);
	buf_done(&out);
	free_info(i);
}

static void
info_too_large_for_a_frame_fails_the_buffer(void **state)
{
	struct wire_info *i = calloc(1, sizeof(*i));
	struct buf out;

	(void)state;
	i->presence = WIRE_PRESENT;
	i->key_count = WIRE_KEYS_MAX;
	for (int k = 0; k < WIRE_KEYS_MAX; k++)
		fill_key(&i->keys[k], 1);
	buf_init(&out, WIRE_FRAME_MAX);
	wire_put_info(&out, i);
	assert_true(out.failed);
	buf_done(&out);
	free_info(i);
}

static void
job_survives_the_way(void **state)
{
	struct wire_job j = some_job(), got;
	struct buf out;

	(void)state;
	buf_init_secret(&out, WIRE_JOB_MAX);
	wire_put_job(&out, &j);
	refuses_any_other_length(decode_job, &out);
	assert_int_equal(wire_get_job(&got, out.data, out.len), SIGNET_OK);
	assert_int_equal(got.type, j.type);
	assert_int_equal(got.job, j.job);
	assert_int_equal(got.flags, j.flags);
	assert_int_equal(got.key, j.key);
	assert_int_equal(got.scheme, j.scheme);
	assert_int_equal(got.digest.alg, j.digest.alg);
	assert_memory_equal(got.digest.bytes, j.digest.bytes, digest_size(j.digest.alg));
	assert_null(got.pin_in);
	assert_null(got.pin);
	buf_done(&out);
}

enum { TYPE_AT = 4, JOB_AT = 5, FLAGS_AT = 9, KEY_AT = 10, SCHEME_AT = 12, FORMAT_AT, ALG_AT };

/* A time-stamp at every limit. */
static struct wire_job
stamp_job(void)
{
	struct wire_job j = some_job();

	j.format = WIRE_TST;
	j.time_us = INT64_C(1790000000123456);
	memset(j.stamp.policy, '1', WIRE_POLICY_SIZE - 1);
	j.stamp.accuracy_ms = 1000;
	j.stamp.cert_req = 1;
	memset(j.stamp.serial, 0x7f, sizeof(j.stamp.serial));
	j.stamp.nonce_len = WIRE_NONCE_MAX;
	memset(j.stamp.nonce, 0xee, sizeof(j.stamp.nonce));
	return j;
}

static void
job_with_a_format_survives_the_way(void **state)
{
	struct wire_job j = stamp_job(), got;
	struct buf out;

	(void)state;
	buf_init_secret(&out, WIRE_JOB_MAX);
	wire_put_job(&out, &j);
	refuses_any_other_length(decode_job, &out);
	assert_int_equal(wire_get_job(&got, out.data, out.len), SIGNET_OK);
	assert_int_equal(got.format, WIRE_TST);
	assert_int_equal(got.time_us, j.time_us);
	assert_string_equal(got.stamp.policy, j.stamp.policy);
	assert_int_equal(got.stamp.accuracy_ms, 1000);
	assert_int_equal(got.stamp.cert_req, 1);
	assert_memory_equal(got.stamp.serial, j.stamp.serial, sizeof(j.stamp.serial));
	assert_int_equal(got.stamp.nonce_len, WIRE_NONCE_MAX);
	assert_memory_equal(got.stamp.nonce, j.stamp.nonce, WIRE_NONCE_MAX);
	buf_reset(&out);
	j.format = WIRE_CADES;
	j.commitment = WIRE_COMMITMENT_ORIGIN;
	wire_put_job(&out, &j);
	refuses_any_other_length(decode_job, &out);
	assert_int_equal(wire_get_job(&got, out.data, out.len), SIGNET_OK);
	assert_int_equal(got.format, WIRE_CADES);
	assert_int_equal(got.commitment, WIRE_COMMITMENT_ORIGIN);
	assert_int_equal(got.time_us, j.time_us);
	buf_done(&out);
}

static signet_err
decode_changed_stamp(size_t at, uint8_t value)
{
	struct wire_job j = stamp_job();
	signet_err err;
	struct buf out;

	buf_init_secret(&out, WIRE_JOB_MAX);
	wire_put_job(&out, &j);
	out.data[at] = value;
	err = decode_job(out.data, out.len);
	buf_done(&out);
	return err;
}

static void
format_out_of_range_is_refused(void **state)
{
	enum {
		COMMITMENT_AT = 14,
		POLICY_AT = 14 + 1 + 8 + 2,
		CERT_REQ_AT = POLICY_AT + WIRE_POLICY_SIZE - 1 + 4,
		SERIAL_AT,
		NONCE_LEN_AT = SERIAL_AT + WIRE_SERIAL_SIZE,
	};
	struct wire_job logout = {.type = WIRE_LOGOUT, .format = WIRE_CADES};
	struct buf out;

	(void)state;
	assert_int_equal(decode_changed_stamp(COMMITMENT_AT, WIRE_COMMITMENT_ORIGIN), SIGNET_OK);
	assert_int_equal(decode_changed_stamp(COMMITMENT_AT, WIRE_COMMITMENT_ORIGIN + 1), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_changed_stamp(FORMAT_AT, WIRE_TST + 1), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_changed_stamp(POLICY_AT, '\n'), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_changed_stamp(CERT_REQ_AT, 0), SIGNET_OK);
	assert_int_equal(decode_changed_stamp(CERT_REQ_AT, 2), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_changed_stamp(SERIAL_AT, 0), SIGNET_OK);
	assert_int_equal(decode_changed_stamp(SERIAL_AT, 0x80), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_changed_stamp(NONCE_LEN_AT, WIRE_NONCE_MAX), SIGNET_OK);
	assert_int_equal(decode_changed_stamp(NONCE_LEN_AT, WIRE_NONCE_MAX + 1), SIGNET_ERR_PROTOCOL);
	/* nothing is made around a logout */
	buf_init_secret(&out, WIRE_JOB_MAX);
	wire_put_job(&out, &logout);
	assert_int_equal(decode_job(out.data, out.len), SIGNET_ERR_PROTOCOL);
	buf_done(&out);
}

static bool
holds(const struct buf *b, const uint8_t *bytes, size_t n)
{
	return memmem(b->data, b->len, bytes, n) != NULL;
}

static void
pin_leaves_the_frame_for_its_secret(void **state)
{
	static const size_t lengths[] = {1, 2, 254, 255};

	(void)state;
	for (size_t i = 0; i < array_len(lengths); i++) {
		owned(secret_freep) struct secret *pin = pin_of(lengths[i]);
		struct wire_job j = some_job(), got;
		struct buf out;

		j.flags = WIRE_WITH_PIN | WIRE_KEEP_PIN | WIRE_THEN_LOGOUT | WIRE_RESTORE;
		j.pin = pin;
		buf_init_secret(&out, WIRE_JOB_MAX);
		wire_put_job(&out, &j);
		assert_true(holds(&out, secret_bytes(pin), lengths[i]));
		assert_int_equal(wire_get_job(&got, out.data, out.len), SIGNET_OK);
		assert_int_equal(secret_len(got.pin_in), lengths[i]);
		assert_memory_equal(secret_bytes(got.pin_in), secret_bytes(pin), lengths[i]);
		assert_false(holds(&out, secret_bytes(pin), 1));
		wire_job_done(&got);
		assert_null(got.pin_in);
		buf_done(&out);
	}
}

/* The frame of a job with the PIN "7777", changed at one place. */
static void
refused_and_wiped(void (*change)(struct buf *))
{
	owned(secret_freep) struct secret *pin = pin_of(4);
	struct wire_job j = some_job(), got;
	struct buf out;

	j.flags = WIRE_WITH_PIN;
	j.pin = pin;
	buf_init_secret(&out, WIRE_JOB_MAX);
	wire_put_job(&out, &j);
	change(&out);
	assert_int_equal(wire_get_job(&got, out.data, out.len), SIGNET_ERR_PROTOCOL);
	assert_false(holds(&out, secret_bytes(pin), 2));
	buf_done(&out);
}


static void
type_unknown(struct buf *b)
{
	b->data[TYPE_AT] = WIRE_RESULT;
}

static void
type_without_pin(struct buf *b)
{
	b->data[TYPE_AT] = WIRE_PROBE;
}

static void
flag_unknown(struct buf *b)
{
	b->data[FLAGS_AT] |= 16;
}

static void
pin_unannounced(struct buf *b)
{
	b->data[FLAGS_AT] = 0;
}

static void
key_out_of_range(struct buf *b)
{
	b->data[KEY_AT] = WIRE_KEYS_MAX;
}

static void
scheme_too_low(struct buf *b)
{
	b->data[SCHEME_AT] = WIRE_PKCS1 - 1;
}

static void
scheme_too_high(struct buf *b)
{
	b->data[SCHEME_AT] = WIRE_EDDSA + 1;
}

static void
digest_missing(struct buf *b)
{
	b->data[ALG_AT] = DIGEST_NONE;
}

static void
digest_unknown(struct buf *b)
{
	b->data[ALG_AT] = DIGEST_SHA512 + 1;
}

static void
one_byte_more(struct buf *b)
{
	buf_u8(b, 0);
	set_size(b->data, b->len);
}

static void
size_of_another(struct buf *b)
{
	b->data[0]++;
}

static void
refused_job_leaves_no_pin(void **state)
{
	(void)state;
	refused_and_wiped(type_unknown);
	refused_and_wiped(type_without_pin);
	refused_and_wiped(flag_unknown);
	refused_and_wiped(pin_unannounced);
	refused_and_wiped(key_out_of_range);
	refused_and_wiped(scheme_too_low);
	refused_and_wiped(scheme_too_high);
	refused_and_wiped(digest_missing);
	refused_and_wiped(digest_unknown);
	refused_and_wiped(one_byte_more);
	refused_and_wiped(size_of_another);
}

static void
refuses_a_pin_one_byte_too_long(void **state)
{
	struct wire_job got;
	struct buf out;

	(void)state;
	for (size_t len = SECRET_MAX; len <= SECRET_MAX + 1; len++) {
		buf_init_secret(&out, WIRE_JOB_MAX);
		wire_put_job(&out, &(struct wire_job){.type = WIRE_LOGIN});
		out.len -= 2; /* the empty PIN */
		buf_u16(&out, (uint16_t)len);
		for (size_t i = 0; i < len; i++)
			buf_u8(&out, '7');
		set_size(out.data, out.len);
		assert_int_equal(wire_get_job(&got, out.data, out.len),
		    len == SECRET_MAX ? SIGNET_OK : SIGNET_ERR_PROTOCOL);
		assert_false(holds(&out, (const uint8_t *)"7", 1));
		wire_job_done(&got);
		buf_done(&out);
	}
}

static void
only_a_signature_has_key_scheme_and_digest(void **state)
{
	const struct wire_job good[] = {{.type = WIRE_LOGIN, .flags = WIRE_KEEP_PIN | WIRE_RESTORE},
	    {.type = WIRE_LOGOUT}, {.type = WIRE_PROBE}};
	struct wire_job bad[] = {{.type = WIRE_LOGIN, .key = 1}, {.type = WIRE_LOGOUT, .scheme = WIRE_ECDSA},
	    {.type = WIRE_PROBE, .digest.alg = DIGEST_SHA256}};
	struct buf out;

	(void)state;
	buf_init_secret(&out, WIRE_JOB_MAX);
	for (size_t i = 0; i < array_len(good); i++) {
		wire_put_job(&out, &good[i]);
		assert_int_equal(decode_job(out.data, out.len), SIGNET_OK);
		buf_reset(&out);
		wire_put_job(&out, &bad[i]);
		assert_int_equal(decode_job(out.data, out.len), SIGNET_ERR_PROTOCOL);
		buf_reset(&out);
	}
	buf_done(&out);
}

static void
result_survives_the_way(void **state)
{
	struct wire_result r = some_result(), got = {0};
	struct buf out;

	(void)state;
	buf_init(&out, WIRE_FRAME_MAX);
	wire_put_result(&out, &r);
	refuses_any_other_length(decode_result, &out);
	assert_int_equal(wire_get_result(&got, out.data, out.len), SIGNET_OK);
	assert_int_equal(got.cms_len, 5);
	assert_memory_equal(got.cms, r.cms, 5);
	got.cms = r.cms;
	assert_memory_equal(&r, &got, sizeof(r));
	buf_done(&out);
}

static void
result_holds_a_cms_of_the_largest_size_and_no_more(void **state)
{
	static uint8_t bytes[WIRE_CMS_MAX];
	struct wire_result r = some_result(), got;
	struct buf out;
	size_t at;

	(void)state;
	buf_init(&out, WIRE_FRAME_MAX);
	r.cms = bytes;
	r.cms_len = WIRE_CMS_MAX;
	wire_put_result(&out, &r);
	assert_int_equal(wire_get_result(&got, out.data, out.len), SIGNET_OK);
	assert_int_equal(got.cms_len, WIRE_CMS_MAX);
	/* the same with a byte more, as no encoder writes it */
	at = out.len - WIRE_CMS_MAX - 4;
	buf_u8(&out, 0);
	out.data[at] = (uint8_t)((WIRE_CMS_MAX + 1) & 0xff);
	out.data[at + 1] = (uint8_t)((WIRE_CMS_MAX + 1) >> 8 & 0xff);
	out.data[at + 2] = (uint8_t)((WIRE_CMS_MAX + 1) >> 16);
	set_size(out.data, out.len);
	assert_int_equal(decode_result(out.data, out.len), SIGNET_ERR_PROTOCOL);
	buf_done(&out);
}

static signet_err
decode_changed_result(size_t at, uint8_t value)
{
	struct wire_result r = some_result();
	signet_err err;
	struct buf out;

	buf_init(&out, WIRE_FRAME_MAX);
	wire_put_result(&out, &r);
	out.data[at] = value;
	err = decode_result(out.data, out.len);
	buf_done(&out);
	return err;
}

static void
result_out_of_range_is_refused(void **state)
{
	enum { ERR_AT = 9, LOGIN_AT = 11, LOGGED_IN_AT, FATAL_AT, STAGE_AT = 20 };

	(void)state;
	assert_int_equal(decode_changed_result(ERR_AT, SIGNET_ERR_COUNT - 1), SIGNET_OK);
	assert_int_equal(decode_changed_result(ERR_AT, SIGNET_ERR_COUNT), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_changed_result(LOGIN_AT, WIRE_LOGIN_ERROR), SIGNET_OK);
	assert_int_equal(decode_changed_result(LOGIN_AT, WIRE_LOGIN_ERROR + 1), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_changed_result(LOGGED_IN_AT, 2), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_changed_result(FATAL_AT, 2), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_changed_result(STAGE_AT, 'a'), SIGNET_OK);
	assert_int_equal(decode_changed_result(STAGE_AT, '{'), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_changed_result(STAGE_AT, 'A'), SIGNET_ERR_PROTOCOL);
}

static signet_err
decode_labelled(const char *label)
{
	struct wire_info *i = some_info();
	signet_err err;
	struct buf out;

	strcpy(i->label, label);
	buf_init(&out, WIRE_FRAME_MAX);
	wire_put_info(&out, i);
	err = decode_info(out.data, out.len);
	buf_done(&out);
	free_info(i);
	return err;
}

static void
text_that_the_log_could_not_hold_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_labelled("Đảng ủy xã"), SIGNET_OK);
	assert_int_equal(decode_labelled(" "), SIGNET_OK);
	assert_int_equal(decode_labelled("a\nb"), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_labelled("a\x1f"), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_labelled("a\x7f"), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_labelled("a\xff"), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_labelled("\xc0\x80"), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_labelled("\xed\xa0\x80"), SIGNET_ERR_PROTOCOL);
}

static signet_err
decode_lanes(uint8_t lanes)
{
	struct wire_config *c = some_config();
	signet_err err;
	struct buf out;

	c->lanes = lanes;
	buf_init(&out, WIRE_FRAME_MAX);
	wire_put_config(&out, c);
	err = decode_config(out.data, out.len);
	buf_done(&out);
	free(c);
	return err;
}

static void
config_out_of_range_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_lanes(0), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_lanes(1), SIGNET_OK);
	assert_int_equal(decode_lanes(WIRE_LANES_MAX), SIGNET_OK);
	assert_int_equal(decode_lanes(WIRE_LANES_MAX + 1), SIGNET_ERR_PROTOCOL);
}

static void
record_of_another_type_is_refused(void **state)
{
	struct wire_result r = some_result();
	struct buf out;

	(void)state;
	buf_init(&out, WIRE_FRAME_MAX);
	wire_put_result(&out, &r);
	assert_int_equal(decode_config(out.data, out.len), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_info(out.data, out.len), SIGNET_ERR_PROTOCOL);
	assert_int_equal(decode_job(out.data, out.len), SIGNET_ERR_PROTOCOL);
	buf_done(&out);
}

static void
put_seen(struct buf *out, uint16_t count)
{
	struct wire_seen s = {.state = WIRE_WATCHING, .polling = 1, .count = count};

	s.tokens = calloc(count + 1u, sizeof(*s.tokens));
	assert_non_null(s.tokens);
	for (uint16_t i = 0; i < count; i++) {
		s.tokens[i].slot = UINT64_MAX - i;
		s.tokens[i].flags = i;
		memset(s.tokens[i].serial, 'x', sizeof(s.tokens[i].serial) - 1);
		strcpy(s.tokens[i].label, "văn thư");
		strcpy(s.tokens[i].reader, "Virtual PCD 00 00");
	}
	buf_init(out, WIRE_FRAME_MAX);
	wire_put_seen(out, &s);
	wire_seen_done(&s);
	assert_false(out->failed);
}

static void
what_a_watcher_sees_survives_the_way(void **state)
{
	struct wire_seen s;
	struct buf out;

	(void)state;
	for (uint16_t count = 0; count <= WIRE_SEEN_MAX; count = (uint16_t)(count + WIRE_SEEN_MAX / 2)) {
		put_seen(&out, count);
		assert_int_equal(wire_get_seen(&s, out.data, out.len), SIGNET_OK);
		assert_int_equal(s.state, WIRE_WATCHING);
		assert_int_equal(s.count, count);
		for (uint16_t i = 0; i < count; i++) {
			assert_true(s.tokens[i].slot == UINT64_MAX - i);
			assert_int_equal(s.tokens[i].flags, i);
			assert_int_equal(strlen(s.tokens[i].serial), sizeof(s.tokens[i].serial) - 1);
			assert_string_equal(s.tokens[i].label, "văn thư");
			assert_string_equal(s.tokens[i].reader, "Virtual PCD 00 00");
		}
		wire_seen_done(&s);
		buf_done(&out);
	}
}

static void
a_watcher_that_lies_is_refused(void **state)
{
	enum { STATE = 5, POLLING = 6, COUNT = 9 };
	static const struct {
		size_t at;
		uint8_t byte;
	} lies[] = {{STATE, 0}, {STATE, WIRE_WATCH_LOST + 1}, {POLLING, 2}, {COUNT, 0}, {COUNT, 2}, {COUNT + 1, 2}, {4, WIRE_INFO}};
	struct wire_seen s;
	struct buf out;

	(void)state;
	put_seen(&out, 1);
	assert_int_equal(out.data[COUNT], 1);
	for (size_t i = 0; i < array_len(lies); i++) {
		uint8_t good = out.data[lies[i].at];

		out.data[lies[i].at] = lies[i].byte;
		assert_int_equal(wire_get_seen(&s, out.data, out.len), SIGNET_ERR_PROTOCOL);
		assert_null(s.tokens);
		out.data[lies[i].at] = good;
	}
	for (size_t len = 0; len < out.len; len++)
		assert_int_equal(wire_get_seen(&s, out.data, len), SIGNET_ERR_PROTOCOL);
	buf_done(&out);
}

static void
frames_stand_one_after_the_other(void **state)
{
	struct wire_result r = some_result();
	struct buf out;
	size_t first;

	(void)state;
	buf_init(&out, WIRE_FRAME_MAX);
	wire_put_result(&out, &r);
	first = out.len;
	wire_put_result(&out, &r);
	assert_int_equal(wire_next(out.data, out.len, WIRE_FRAME_MAX), first);
	assert_int_equal(wire_next(out.data + first, out.len - first, WIRE_FRAME_MAX), first);
	buf_done(&out);
}

static void
partial_frame_asks_for_more(void **state)
{
	const uint8_t frame[] = {3, 0, 0, 0, WIRE_LOGOUT, 1, 2, 99};

	(void)state;
	for (size_t len = 0; len < 7; len++)
		assert_int_equal(wire_next(frame, len, WIRE_JOB_MAX), 0);
	assert_int_equal(wire_next(frame, 7, WIRE_JOB_MAX), 7);
	assert_int_equal(wire_next(frame, 8, WIRE_JOB_MAX), 7);
}

static void
refuses_frame_one_byte_over_limit(void **state)
{
	uint8_t frame[5] = {0, 0, 0, 0, WIRE_SIGN};

	(void)state;
	assert_int_equal(wire_next(frame, sizeof(frame), WIRE_JOB_MAX), SIZE_MAX);
	set_size(frame, WIRE_JOB_MAX - 1);
	assert_int_equal(wire_next(frame, sizeof(frame), WIRE_JOB_MAX), 0);
	set_size(frame, WIRE_JOB_MAX);
	assert_int_equal(wire_next(frame, sizeof(frame), WIRE_JOB_MAX), 0);
	set_size(frame, WIRE_JOB_MAX + 1);
	assert_int_equal(wire_next(frame, sizeof(frame), WIRE_JOB_MAX), SIZE_MAX);
	memset(frame, 0xff, 4);
	assert_int_equal(wire_next(frame, sizeof(frame), WIRE_FRAME_MAX), SIZE_MAX);
}

static void
serial_of_zeroes_is_none(void **state)
{
	(void)state;
	assert_true(wire_serial_is_none(""));
	assert_true(wire_serial_is_none("0"));
	assert_true(wire_serial_is_none("0000000000000000"));
	assert_false(wire_serial_is_none("0000000000000001"));
	assert_false(wire_serial_is_none("1000000000000000"));
	assert_false(wire_serial_is_none("0 "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(serial_of_zeroes_is_none),
	    cmocka_unit_test(config_survives_the_way),
	    cmocka_unit_test(config_out_of_range_is_refused),
	    cmocka_unit_test(info_survives_the_way),
	    cmocka_unit_test(info_of_any_other_length_is_refused),
	    cmocka_unit_test(info_too_large_for_a_frame_fails_the_buffer),
	    cmocka_unit_test(text_that_the_log_could_not_hold_is_refused),
	    cmocka_unit_test(job_survives_the_way),
	    cmocka_unit_test(pin_leaves_the_frame_for_its_secret),
	    cmocka_unit_test(refused_job_leaves_no_pin),
	    cmocka_unit_test(refuses_a_pin_one_byte_too_long),
	    cmocka_unit_test(only_a_signature_has_key_scheme_and_digest),
	    cmocka_unit_test(result_survives_the_way),
	    cmocka_unit_test(result_holds_a_cms_of_the_largest_size_and_no_more),
	    cmocka_unit_test(job_with_a_format_survives_the_way),
	    cmocka_unit_test(format_out_of_range_is_refused),
	    cmocka_unit_test(result_out_of_range_is_refused),
	    cmocka_unit_test(record_of_another_type_is_refused),
	    cmocka_unit_test(what_a_watcher_sees_survives_the_way),
	    cmocka_unit_test(a_watcher_that_lies_is_refused),
	    cmocka_unit_test(frames_stand_one_after_the_other),
	    cmocka_unit_test(partial_frame_asks_for_more),
	    cmocka_unit_test(refuses_frame_one_byte_over_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
