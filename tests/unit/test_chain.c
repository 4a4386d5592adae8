/*
 * What is said of a certificate before it is used: what is sure, what cannot be
 * known, and that neither hides the other. Revocation lists come and go in a
 * folder while the process runs.
 */
#include "format/chain.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "format/serve.h"
#include "support/x509.h"
#include "unit.h"

static const int64_t now = 1790000000, day = 86400;

struct world {
	char dir[64], crls[80];
	EVP_PKEY *root_key, *middle_key, *key;
	X509 *root, *middle;
	struct chain_trust trust;
};

static X509 *
certificate(struct world *w, struct x509_plan p)
{
	(void)w;
	if (p.not_after == 0) {
		p.not_before = now - day;
		p.not_after = now + 30 * day;
	}
	return x509_make(&p);
}

static X509 *
person(struct world *w, const char *usage, const char *serial)
{
	return certificate(w, (struct x509_plan){.subject = "Person", .issuer = "Middle", .key = w->key,
				  .signer = w->middle_key, .usage = usage, .serial = serial});
}

static void
write_pem(const char *path, X509 *x509)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, x509), 1);
	fclose(f);
}

static void
open_trust(struct world *w, bool middle, bool crls)
{
	static struct ask config;
	char reason[ASK_REASON_SIZE] = "";

	memset(&config, 0, sizeof(config));
	config.anchor_count = 1;
	snprintf(config.anchors[0], ASK_PATH_SIZE, "%s/root.pem", w->dir);
	if (middle) {
		config.intermediate_count = 1;
		snprintf(config.intermediates[0], ASK_PATH_SIZE, "%s/middle.pem", w->dir);
	}
	if (crls)
		snprintf(config.crls, sizeof(config.crls), "%s", w->crls);
	if (w->trust.anchors != NULL)
		chain_trust_done(&w->trust);
	assert_int_equal(chain_trust_init(&w->trust, &config, reason, sizeof(reason)), SIGNET_OK);
	assert_string_equal(reason, "");
}

static int
make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char path[128];

	strcpy(w->dir, "/tmp/signet-chain-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->crls, sizeof(w->crls), "%s/crls", w->dir);
	assert_int_equal(mkdir(w->crls, 0755), 0);
	w->root_key = x509_key();
	w->middle_key = x509_key();
	w->key = x509_key();
	w->root = certificate(w, (struct x509_plan){.subject = "Root", .issuer = "Root", .key = w->root_key,
				     .signer = w->root_key, .constraints = "critical,CA:TRUE"});
	w->middle = certificate(w, (struct x509_plan){.subject = "Middle", .issuer = "Root", .key = w->middle_key,
				       .signer = w->root_key, .constraints = "critical,CA:TRUE", .serial = "77"});
	snprintf(path, sizeof(path), "%s/root.pem", w->dir);
	write_pem(path, w->root);
	snprintf(path, sizeof(path), "%s/middle.pem", w->dir);
	write_pem(path, w->middle);
	*state = w;
	return 0;
}

static int
end_world(void **state)
{
	struct world *w = *state;
	char command[128];

	if (w->trust.anchors != NULL)
		chain_trust_done(&w->trust);
	snprintf(command, sizeof(command), "rm -r %s", w->dir);
	assert_int_equal(system(command), 0);
	EVP_PKEY_free(w->root_key);
	EVP_PKEY_free(w->middle_key);
	EVP_PKEY_free(w->key);
	X509_free(w->root);
	X509_free(w->middle);
	free(w);
	return 0;
}

static enum ask_verdict
check_all(struct world *w, X509 *const *certs, size_t count, enum ask_purpose purpose, int64_t at)
{
	struct ask_blob blobs[4];
	uint8_t *der[4] = {NULL};
	char reason[ASK_REASON_SIZE];
	enum ask_verdict v;

	for (size_t i = 0; i < count; i++) {
		blobs[i].len = (size_t)i2d_X509(certs[i], &der[i]);
		blobs[i].bytes = der[i];
	}
	v = chain_check(&w->trust, blobs, count, purpose, at, reason, sizeof(reason));
	assert_true((v == VERDICT_GOOD) == (reason[0] == '\0'));
	for (size_t i = 0; i < count; i++)
		OPENSSL_free(der[i]);
	return v;
}

/* Takes the certificate. */
static enum ask_verdict
check(struct world *w, X509 *own, enum ask_purpose purpose, int64_t at)
{
	enum ask_verdict v = check_all(w, (X509 *[]){own, w->middle}, 2, purpose, at);

	X509_free(own);
	return v;
}

static void
put_crl(struct world *w, const char *name, X509 *issuer, EVP_PKEY *key, const char *serial, int64_t next, bool pem)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)(now - day));
	char path[200];
	FILE *f;

	assert_int_equal(X509_CRL_set_version(crl, 1), 1);
	assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)), 1);
	assert_int_equal(X509_CRL_set1_lastUpdate(crl, at), 1);
	ASN1_TIME_set(at, (time_t)next);
	assert_int_equal(X509_CRL_set1_nextUpdate(crl, at), 1);
	if (serial != NULL) {
		X509_REVOKED *r = X509_REVOKED_new();
		BIGNUM *n = NULL;
		ASN1_INTEGER *i;

		assert_true(BN_hex2bn(&n, serial) > 0);
		i = BN_to_ASN1_INTEGER(n, NULL);
		ASN1_TIME_set(at, (time_t)(now - 2 * day));
		assert_int_equal(X509_REVOKED_set_serialNumber(r, i), 1);
		assert_int_equal(X509_REVOKED_set_revocationDate(r, at), 1);
		assert_int_equal(X509_CRL_add0_revoked(crl, r), 1);
		ASN1_INTEGER_free(i);
		BN_free(n);
	}
	assert_true(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
	snprintf(path, sizeof(path), "%s/%s", w->crls, name);
	(void)unlink(path); /* another file: its inode tells, also within a tick of the clock */
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(pem ? PEM_write_X509_CRL(f, crl) : i2d_X509_CRL_fp(f, crl), 1);
	fclose(f);
	X509_CRL_free(crl);
	ASN1_TIME_free(at);
}

static void
good_certificates_are_good(void **state)
{
	struct world *w = *state;
	static const char *const usages[] = {
	    NULL, "critical,digitalSignature", "critical,nonRepudiation", "digitalSignature,keyEncipherment"};

	open_trust(w, false, false);
	for (size_t i = 0; i < array_len(usages); i++)
		assert_int_equal(check(w, person(w, usages[i], "01"), ASK_FOR_SIGNATURES, now), VERDICT_GOOD);
}

static void
usage_is_for_signatures(void **state)
{
	struct world *w = *state;

	open_trust(w, false, false);
	assert_int_equal(
	    check(w, person(w, "critical,keyEncipherment", "01"), ASK_FOR_SIGNATURES, now), VERDICT_USAGE);
	assert_int_equal(check(w, person(w, "keyAgreement", "01"), ASK_FOR_SIGNATURES, now), VERDICT_USAGE);
}

static X509 *
stamper(struct world *w, const char *purpose)
{
	return certificate(w, (struct x509_plan){.subject = "Clock", .issuer = "Middle", .key = w->key,
				  .signer = w->middle_key, .purpose = purpose});
}

static void
time_stamps_need_a_critical_purpose_of_their_own(void **state)
{
	struct world *w = *state;

	open_trust(w, false, false);
	assert_int_equal(check(w, stamper(w, "critical,timeStamping"), ASK_FOR_STAMPS, now), VERDICT_GOOD);
	assert_int_equal(check(w, stamper(w, "timeStamping"), ASK_FOR_STAMPS, now), VERDICT_USAGE);
	assert_int_equal(
	    check(w, stamper(w, "critical,timeStamping,emailProtection"), ASK_FOR_STAMPS, now), VERDICT_USAGE);
	assert_int_equal(check(w, stamper(w, NULL), ASK_FOR_STAMPS, now), VERDICT_USAGE);
}

static void
dates_are_judged_of_the_whole_chain(void **state)
{
	struct world *w = *state;
	X509 *old, *own;

	open_trust(w, false, false);
	assert_int_equal(check(w, person(w, NULL, "01"), ASK_FOR_SIGNATURES, now + 30 * day - 1), VERDICT_GOOD);
	assert_int_equal(check(w, person(w, NULL, "01"), ASK_FOR_SIGNATURES, now + 30 * day + 1), VERDICT_EXPIRED);
	assert_int_equal(check(w, person(w, NULL, "01"), ASK_FOR_SIGNATURES, now - day - 1), VERDICT_NOT_YET_VALID);
	old = certificate(w, (struct x509_plan){.subject = "Middle", .issuer = "Root", .key = w->middle_key,
				 .signer = w->root_key, .constraints = "critical,CA:TRUE", .not_before = now - 9 * day,
				 .not_after = now - 1});
	own = person(w, NULL, "01");
	assert_int_equal(check_all(w, (X509 *[]){own, old}, 2, ASK_FOR_SIGNATURES, now), VERDICT_EXPIRED);
	X509_free(old);
	X509_free(own);
}

static void
a_path_is_built_from_what_came_along_or_is_configured(void **state)
{
	struct world *w = *state;
	X509 *own = person(w, NULL, "01");

	open_trust(w, false, false);
	assert_int_equal(check_all(w, &own, 1, ASK_FOR_SIGNATURES, now), VERDICT_UNTRUSTED);
	open_trust(w, true, false);
	assert_int_equal(check_all(w, &own, 1, ASK_FOR_SIGNATURES, now), VERDICT_GOOD);
	X509_free(own);
}

static void
strangers_and_forgeries_are_told_apart(void **state)
{
	struct world *w = *state;
	EVP_PKEY *other = x509_key();
	X509 *own = certificate(w, (struct x509_plan){.subject = "Me", .issuer = "Me", .key = other, .signer = other});
	X509 *forged = certificate(w, (struct x509_plan){.subject = "Person", .issuer = "Middle", .key = w->key,
					 .signer = other});
	struct ask_blob rubbish = {(const uint8_t *)"rubbish", 7};
	char reason[ASK_REASON_SIZE];

	open_trust(w, false, false);
	assert_int_equal(check(w, own, ASK_FOR_SIGNATURES, now), VERDICT_UNTRUSTED);
	assert_int_equal(check(w, forged, ASK_FOR_SIGNATURES, now), VERDICT_BROKEN);
	assert_int_equal(
	    chain_check(&w->trust, &rubbish, 1, ASK_FOR_SIGNATURES, now, reason, sizeof(reason)), VERDICT_BROKEN);
	EVP_PKEY_free(other);
}

static void
lists_come_and_go_while_it_runs(void **state)
{
	struct world *w = *state;
	int64_t next = now + 7 * day;

	open_trust(w, false, true);
	assert_int_equal(check(w, person(w, NULL, "11"), ASK_FOR_SIGNATURES, now), VERDICT_NO_REVOCATION);
	put_crl(w, "root.crl", w->root, w->root_key, NULL, next, true);
	assert_int_equal(check(w, person(w, NULL, "11"), ASK_FOR_SIGNATURES, now), VERDICT_NO_REVOCATION);
	put_crl(w, "middle.crl", w->middle, w->middle_key, NULL, next, false);
	assert_int_equal(check(w, person(w, NULL, "11"), ASK_FOR_SIGNATURES, now), VERDICT_GOOD);
	put_crl(w, "middle.crl", w->middle, w->middle_key, "11", next, false);
	assert_int_equal(check(w, person(w, NULL, "11"), ASK_FOR_SIGNATURES, now), VERDICT_REVOKED);
	assert_int_equal(check(w, person(w, NULL, "12"), ASK_FOR_SIGNATURES, now), VERDICT_GOOD);
}

static void
a_missing_or_old_list_hides_no_revocation(void **state)
{
	struct world *w = *state;
	char path[128];

	open_trust(w, false, true);
	/* the authority itself is revoked, and its own list is missing */
	snprintf(path, sizeof(path), "%s/middle.crl", w->crls);
	(void)unlink(path);
	put_crl(w, "root.crl", w->root, w->root_key, "77", now + 7 * day, true);
	assert_int_equal(check(w, person(w, NULL, "12"), ASK_FOR_SIGNATURES, now), VERDICT_REVOKED);
	/* the list is past its time */
	put_crl(w, "root.crl", w->root, w->root_key, NULL, now + 7 * day, true);
	put_crl(w, "middle.crl", w->middle, w->middle_key, "11", now - 1, true);
	assert_int_equal(check(w, person(w, NULL, "11"), ASK_FOR_SIGNATURES, now), VERDICT_REVOKED);
	assert_int_equal(check(w, person(w, NULL, "12"), ASK_FOR_SIGNATURES, now), VERDICT_NO_REVOCATION);
}

static void
a_list_counts_by_its_signature_only(void **state)
{
	struct world *w = *state;
	char path[128];
	FILE *f;

	open_trust(w, false, true);
	put_crl(w, "root.crl", w->root, w->root_key, NULL, now + 7 * day, true);
	put_crl(w, "middle.crl", w->middle, w->key, NULL, now + 7 * day, true); /* by somebody else */
	assert_int_equal(check(w, person(w, NULL, "12"), ASK_FOR_SIGNATURES, now), VERDICT_NO_REVOCATION);
	snprintf(path, sizeof(path), "%s/rubbish", w->crls);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("no list", f);
	fclose(f);
	put_crl(w, "middle.crl", w->middle, w->middle_key, NULL, now + 7 * day, true);
	assert_int_equal(check(w, person(w, NULL, "12"), ASK_FOR_SIGNATURES, now), VERDICT_GOOD);
}

static void
imports_one_certificate_in_either_form(void **state)
{
	struct world *w = *state;
	BIO *bio = BIO_new(BIO_s_mem());
	uint8_t *der = NULL, *got = NULL;
	size_t len = (size_t)i2d_X509(w->middle, &der), got_len = 0;
	struct ask_blob in = {der, len};
	char *text;

	assert_int_equal(chain_import(&in, &got, &got_len), SIGNET_OK);
	assert_int_equal(got_len, len);
	assert_memory_equal(got, der, len);
	OPENSSL_free(got);
	assert_int_equal(PEM_write_bio_X509(bio, w->middle), 1);
	in.len = (size_t)BIO_get_mem_data(bio, &text);
	in.bytes = (const uint8_t *)text;
	assert_int_equal(chain_import(&in, &got, &got_len), SIGNET_OK);
	assert_int_equal(got_len, len);
	assert_memory_equal(got, der, len);
	OPENSSL_free(got);
	in = (struct ask_blob){der, len - 1};
	assert_int_equal(chain_import(&in, &got, &got_len), SIGNET_ERR_PROTOCOL);
	assert_null(got);
	BIO_free(bio);
	OPENSSL_free(der);
}

static void
every_question_has_an_answer_that_can_be_read(void **state)
{
	struct world *w = *state;
	uint8_t *der = NULL;
	size_t len = (size_t)i2d_X509(w->middle, &der);
	static struct ask a;
	struct ask_answer answer;
	struct buf out;

	open_trust(w, false, false);
	for (uint8_t type = ASK_CHECK; type < ASK_ANSWER; type++) {
		a.type = type;
		a.now = now;
		a.blob_count = type == ASK_ADD_STAMP ? 2 : 1;
		a.blobs[0] = a.blobs[1] = (struct ask_blob){der, len};
		buf_init(&out, ASK_FRAME_MAX);
		serve(&w->trust, &a, &out);
		assert_int_equal(ask_answer_get(&answer, out.data, out.len), SIGNET_OK);
		if (type == ASK_CHECK)
			assert_int_equal(answer.verdict, VERDICT_GOOD);
		else
			assert_int_equal(answer.err, type == ASK_IMPORT ? SIGNET_OK : SIGNET_ERR_PROTOCOL);
		buf_done(&out);
	}
	OPENSSL_free(der);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_certificates_are_good),
	    cmocka_unit_test(usage_is_for_signatures),
	    cmocka_unit_test(time_stamps_need_a_critical_purpose_of_their_own),
	    cmocka_unit_test(dates_are_judged_of_the_whole_chain),
	    cmocka_unit_test(a_path_is_built_from_what_came_along_or_is_configured),
	    cmocka_unit_test(strangers_and_forgeries_are_told_apart),
	    cmocka_unit_test(lists_come_and_go_while_it_runs),
	    cmocka_unit_test(a_missing_or_old_list_hides_no_revocation),
	    cmocka_unit_test(a_list_counts_by_its_signature_only),
	    cmocka_unit_test(imports_one_certificate_in_either_form),
	    cmocka_unit_test(every_question_has_an_answer_that_can_be_read),
	};

	return cmocka_run_group_tests(tests, make_world, end_world);
}
