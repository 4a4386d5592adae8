/* What is said of a certificate, and the chain that is sent along. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/x509.h"
#include "token/worker.h"
#include "unit.h"

static EVP_PKEY *key, *other;

static int
make_keys(void **state)
{
	(void)state;
	key = x509_key();
	other = x509_key();
	return 0;
}

static int
free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	return 0;
}

static X509 *
cert(const char *subject, const char *issuer, EVP_PKEY *signer)
{
	return x509_make(
	    &(struct x509_plan){.subject = subject, .issuer = issuer, .key = key, .signer = signer});
}

static void
states_validity_serial_and_hash(void **state)
{
	struct wire_key k = {0};
	X509 *x = x509_make(&(struct x509_plan){.subject = "a",
	    .issuer = "b",
	    .key = key,
	    .signer = other,
	    .not_before = -1,
	    .not_after = INT64_C(4102444800), /* 2100: GeneralizedTime */
	    .serial = "00DEADBEEF"});
	uint8_t der[WIRE_CERT_MAX], *p = der, hash[32];
	int len = i2d_X509(x, &p);

	(void)state;
	assert_true(cert_describe(&k, x));
	assert_int_equal(k.not_before, -1);
	assert_int_equal(k.not_after, INT64_C(4102444800));
	assert_string_equal(k.cert_serial, "deadbeef");
	EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)len, hash, NULL);
	assert_memory_equal(k.cert_hash, hash, sizeof(hash));
	X509_free(x);
}

static bool
describes_serial_of(size_t bytes)
{
	struct wire_key k = {0};
	char serial[128];
	bool ok;
	X509 *x;

	memset(serial, '7', 2 * bytes);
	serial[2 * bytes] = '\0';
	x = x509_make(
	    &(struct x509_plan){.subject = "a", .issuer = "a", .key = key, .signer = key, .serial = serial});
	ok = cert_describe(&k, x);
	assert_string_equal(
	    ok ? k.cert_serial : k.reason, ok ? serial : "the certificate's serial number is too long");
	X509_free(x);
	return ok;
}

static void
serial_number_of_23_bytes_is_the_longest(void **state)
{
	(void)state;
	assert_true(describes_serial_of(1));
	assert_true(describes_serial_of(20));
	assert_true(describes_serial_of(23));
	assert_false(describes_serial_of(24));
}

/* A certificate of exactly `size` bytes; ECDSA signatures vary by a few. */
static X509 *
cert_of_size(int size)
{
	int padding = size - 400;

	for (int tries = 0; tries < 500; tries++) {
		X509 *x = x509_make(&(struct x509_plan){
		    .subject = "a", .issuer = "a", .key = key, .signer = key, .padding = padding});
		int is = i2d_X509(x, NULL);

		if (is == size)
			return x;
		padding += size - is;
		X509_free(x);
	}
	fail_msg("no certificate of %d bytes", size);
	return NULL;
}

static void
certificate_over_the_limit_is_refused(void **state)
{
	(void)state;
	for (int size = WIRE_CERT_MAX - 1; size <= WIRE_CERT_MAX + 1; size++) {
		struct token_certs pool = {0};
		struct wire_key k = {0};
		X509 *x = cert_of_size(size);
		bool fits = size <= WIRE_CERT_MAX;

		assert_int_equal(cert_describe(&k, x), fits);
		assert_int_equal(cert_chain(&k, x, &pool), SIGNET_OK);
		assert_int_equal(k.cert_count, fits);
		if (fits)
			assert_int_equal(k.certs[0].len, size);
		free(k.certs);
		X509_free(x);
	}
}

static bool
is(const struct wire_cert *c, X509 *x)
{
	uint8_t der[WIRE_CERT_MAX], *p = der;
	int len = i2d_X509(x, &p);

	return c->len == (size_t)len && memcmp(c->der, der, c->len) == 0;
}

static void
chain_follows_the_issuers_own_first(void **state)
{
	X509 *own = cert("own", "sub", key), *sub = cert("sub", "top", key), *top = cert("top", "top", key);
	X509 *stranger = cert("stranger", "top", key);
	struct token_cert list[] = {{.x509 = top}, {.x509 = stranger}, {.x509 = own}, {.x509 = sub}};
	struct token_certs pool = {array_len(list), list};
	struct wire_key k = {0};

	(void)state;
	assert_int_equal(cert_chain(&k, own, &pool), SIGNET_OK);
	assert_int_equal(k.cert_count, 3);
	assert_true(is(&k.certs[0], own));
	assert_true(is(&k.certs[1], sub));
	assert_true(is(&k.certs[2], top));
	free(k.certs);
	for (size_t i = 0; i < pool.count; i++)
		X509_free(list[i].x509);
}

/* A renewed authority has the old one's name and another key. */
static void
chain_takes_the_issuer_that_signed(void **state)
{
	X509 *own = cert("own", "top", key), *renamed, *top = cert("top", "top", key);
	struct token_cert list[2];
	struct token_certs pool = {array_len(list), list};
	struct wire_key k = {0};

	(void)state;
	renamed =
	    x509_make(&(struct x509_plan){.subject = "top", .issuer = "top", .key = other, .signer = other});
	list[0] = (struct token_cert){.x509 = renamed};
	list[1] = (struct token_cert){.x509 = top};
	assert_int_equal(cert_chain(&k, own, &pool), SIGNET_OK);
	assert_int_equal(k.cert_count, 2);
	assert_true(is(&k.certs[1], top));
	free(k.certs);
	X509_free(own);
	X509_free(renamed);
	X509_free(top);
}

static void
chain_ends_where_the_issuer_is_not_there(void **state)
{
	X509 *own = cert("own", "elsewhere", other);
	struct token_cert list[] = {{.x509 = own}};
	struct token_certs pool = {1, list};
	struct wire_key k = {0};

	(void)state;
	assert_int_equal(cert_chain(&k, own, &pool), SIGNET_OK);
	assert_int_equal(k.cert_count, 1);
	free(k.certs);
	X509_free(own);
}

static size_t
chain_length(size_t certs)
{
	struct token_cert list[WIRE_CERTS_MAX + 1];
	struct token_certs pool = {certs, list};
	struct wire_key k = {0};
	size_t got;

	for (size_t i = 0; i < certs; i++) {
		char subject[16], issuer[16];

		snprintf(subject, sizeof(subject), "ca %zu", i);
		snprintf(issuer, sizeof(issuer), "ca %zu", i + 1);
		list[i] = (struct token_cert){.x509 = cert(subject, issuer, key)};
	}
	assert_int_equal(cert_chain(&k, list[0].x509, &pool), SIGNET_OK);
	got = k.cert_count;
	free(k.certs);
	for (size_t i = 0; i < certs; i++)
		X509_free(list[i].x509);
	return got;
}

static void
chain_has_a_limit(void **state)
{
	(void)state;
	assert_int_equal(chain_length(WIRE_CERTS_MAX - 1), WIRE_CERTS_MAX - 1);
	assert_int_equal(chain_length(WIRE_CERTS_MAX), WIRE_CERTS_MAX);
	assert_int_equal(chain_length(WIRE_CERTS_MAX + 1), WIRE_CERTS_MAX);
}

/* Two authorities that certified each other. */
static void
chain_in_a_circle_ends(void **state)
{
	X509 *a = cert("a", "b", key), *b = cert("b", "a", key);
	struct token_cert list[] = {{.x509 = a}, {.x509 = b}};
	struct token_certs pool = {2, list};
	struct wire_key k = {0};

	(void)state;
	assert_int_equal(cert_chain(&k, a, &pool), SIGNET_OK);
	assert_int_equal(k.cert_count, WIRE_CERTS_MAX);
	free(k.certs);
	X509_free(a);
	X509_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(states_validity_serial_and_hash),
	    cmocka_unit_test(serial_number_of_23_bytes_is_the_longest),
	    cmocka_unit_test(certificate_over_the_limit_is_refused),
	    cmocka_unit_test(chain_follows_the_issuers_own_first),
	    cmocka_unit_test(chain_takes_the_issuer_that_signed),
	    cmocka_unit_test(chain_ends_where_the_issuer_is_not_there),
	    cmocka_unit_test(chain_has_a_limit),
	    cmocka_unit_test(chain_in_a_circle_ends),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
