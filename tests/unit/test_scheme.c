/* daemon/signetd/scheme.c: algorithm x the key's configuration x the caller's word */
#include <string.h>

#include "signetd/scheme.h"
#include "unit.h"

static struct config_token conf_token;
static struct config_key conf_key;
static struct token token;
static struct key key;

static int
setup(void **state)
{
	static char name[] = "t", key_name[] = "k";

	(void)state;
	conf_token.name = name;
	conf_key = (struct config_key){.name = key_name};
	token.conf = &conf_token;
	key = (struct key){.token = &token, .conf = &conf_key};
	key.info.state = WIRE_KEY_FOUND;
	return 0;
}

static void
words_of_the_wire_are_schemes(void **state)
{
	(void)state;
	assert_int_equal(scheme_parse(NULL), SCHEME_DEFAULT);
	assert_int_equal(scheme_parse("pkcs1"), SCHEME_PKCS1);
	assert_int_equal(scheme_parse("pss"), SCHEME_PSS);
	assert_int_equal(scheme_parse("ecdsa"), SCHEME_ECDSA);
	assert_int_equal(scheme_parse("eddsa"), SCHEME_EDDSA);
	assert_int_equal(scheme_parse(""), SCHEME_DEFAULT);
}

/* Rows: algorithm; columns: what comes of each wanted scheme, 0 for a refusal. */
static const struct {
	enum wire_algorithm algorithm;
	int of[5]; /* default, pkcs1, pss, ecdsa, eddsa */
} table[] = {
    {WIRE_RSA, {WIRE_PKCS1, WIRE_PKCS1, WIRE_PSS, 0, 0}},
    {WIRE_P256, {WIRE_ECDSA, 0, 0, WIRE_ECDSA, 0}},
    {WIRE_P384, {WIRE_ECDSA, 0, 0, WIRE_ECDSA, 0}},
    {WIRE_P521, {WIRE_ECDSA, 0, 0, WIRE_ECDSA, 0}},
    {WIRE_ED25519, {WIRE_EDDSA, 0, 0, 0, WIRE_EDDSA}},
    {WIRE_ALG_NONE, {0, 0, 0, 0, 0}},
};

static void
scheme_fits_the_algorithm_or_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(table); i++)
		for (int wanted = SCHEME_DEFAULT; wanted <= SCHEME_EDDSA; wanted++) {
			enum wire_scheme got = 0;
			struct fault f;
			bool ok;

			key.info.algorithm = (uint8_t)table[i].algorithm;
			ok = scheme_resolve(&key, (enum key_scheme)wanted, &got, &f);
			assert_int_equal(ok, table[i].of[wanted] != 0);
			if (ok)
				assert_int_equal(got, table[i].of[wanted]);
			else
				assert_int_equal(f.err, SIGNET_ERR_UNSUPPORTED);
		}
}

static void
callers_word_goes_before_the_keys_and_that_before_the_algorithms(void **state)
{
	enum wire_scheme got;
	struct fault f;

	(void)state;
	key.info.algorithm = WIRE_RSA;
	conf_key.scheme = SCHEME_PSS;
	assert_true(scheme_resolve(&key, SCHEME_DEFAULT, &got, &f));
	assert_int_equal(got, WIRE_PSS);
	assert_true(scheme_resolve(&key, SCHEME_PKCS1, &got, &f));
	assert_int_equal(got, WIRE_PKCS1);
	key.info.algorithm = WIRE_P256; /* configured for another kind of key than it is */
	assert_false(scheme_resolve(&key, SCHEME_DEFAULT, &got, &f));
	assert_int_equal(f.err, SIGNET_ERR_UNSUPPORTED);
}

static void
key_that_is_not_there_is_said_to_be_so(void **state)
{
	enum wire_scheme got;
	struct fault f;

	(void)state;
	key.info.algorithm = WIRE_RSA;
	key.info.state = WIRE_KEY_ABSENT;
	assert_false(scheme_resolve(&key, SCHEME_DEFAULT, &got, &f));
	assert_int_equal(f.err, SIGNET_ERR_TOKEN_FAILED);
	assert_string_equal(f.reason, "key missing");
	key.info.state = WIRE_KEY_AMBIGUOUS;
	assert_false(scheme_resolve(&key, SCHEME_DEFAULT, &got, &f));
	assert_int_equal(f.err, SIGNET_ERR_TOKEN_FAILED);
	assert_string_equal(f.reason, "key ambiguous");
	key.info.state = WIRE_KEY_UNUSABLE;
	strcpy(key.info.reason, "rsa-1024 is too weak");
	assert_false(scheme_resolve(&key, SCHEME_DEFAULT, &got, &f));
	assert_int_equal(f.err, SIGNET_ERR_UNSUPPORTED);
	assert_non_null(strstr(f.message, "rsa-1024"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup(f, setup)
	    CASE(words_of_the_wire_are_schemes),
	    CASE(scheme_fits_the_algorithm_or_is_refused),
	    CASE(callers_word_goes_before_the_keys_and_that_before_the_algorithms),
	    CASE(key_that_is_not_there_is_said_to_be_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
