/* daemon/signetd/job.c, entry.c, broker.c: every entry has the members of <signet/log.h>, in their order */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <signet/log.h>

#include "base/json.h"
#include "broker_case.h"
#include "signetd/identity.h"
#include "unit.h"

static int
teardown(void **state)
{
	case_stop(*state);
	case_remove_dir(*state);
	return 0;
}

struct member {
	const char *name, *type;
};

static const struct member members[] = {
    {"v", "i"}, {"kind", "s"}, {"time", "s"}, {"boot", "s"}, {"index", "i"}, {"clock", "s"},
#define FIELD(name, type, meaning) {name, type},
    SIGNET_LOG_FIELDS(FIELD)
#undef FIELD
};

static const char *const kinds[] = {
#define KIND(name, meaning) name,
    SIGNET_LOG_KINDS(KIND)
#undef KIND
};

static bool
has_type(const json_t *value, char type)
{
	switch (type) {
	case 'i':
		return json_is_integer(value);
	case 'a':
		return json_is_array(value);
	case 'o':
		return json_is_string(value) && strncmp(json_string_value(value), "sha256:", 7) == 0 &&
		       json_string_length(value) == 7 + 64;
	default:
		return json_is_string(value);
	}
}

static void
assert_sound(const char *text, size_t len)
{
	json_t *entry = NULL, *value;
	const char *name, *kind;
	size_t at = 0, k = 0;
	bool known = false;

	assert_int_equal(json_read(&entry, text, len, NULL), SIGNET_OK);
	json_object_foreach(entry, name, value)
	{
		for (; at < array_len(members) && strcmp(members[at].name, name) != 0; at++)
			;
		if (at == array_len(members))
			fail_msg("%s is unknown or out of order: %.*s", name, (int)len, text);
		if (!has_type(value, members[at].type[0]))
			fail_msg("%s has another type: %.*s", name, (int)len, text);
		if (k++ < 6)
			assert_int_equal(at, k - 1); /* the head is whole */
	}
	kind = json_member_str(entry, "kind");
	for (size_t i = 0; i < array_len(kinds); i++)
		known = known || strcmp(kinds[i], kind) == 0;
	assert_true(known);
	json_decref(entry);
}

struct reading {
	struct ledger_read read;
	bool done;
};

static void
on_read(struct ledger_read *r)
{
	((struct reading *)r->owner)->done = true;
}

static bool
is_read(const struct broker_case *c, const void *arg)
{
	(void)c;
	return ((const struct reading *)arg)->done;
}

/* The entry at `index` as text; the caller frees it. */
static char *
entry_text(struct broker_case *c, uint64_t index)
{
	struct reading r = {.done = false};
	char *text;

	r.read.index = index;
	r.read.done = on_read;
	r.read.owner = &r;
	ledger_read_row(c->b.log, &r.read);
	case_until(c, is_read, &r, "the row");
	assert_int_equal(r.read.err, SIGNET_OK);
	text = strndup((const char *)r.read.entry.data, r.read.entry.len);
	assert_non_null(text);
	buf_done(&r.read.entry);
	buf_done(&r.read.value);
	return text;
}

static void
check_all(struct broker_case *c)
{
	uint64_t size;

	case_quiet(c);
	size = ledger_size(c->b.log);
	for (uint64_t i = 0; i < size; i++) {
		char *text = entry_text(c, i);

		assert_sound(text, strlen(text));
		free(text);
	}
}

static char *
last_entry(struct broker_case *c)
{
	case_quiet(c);
	return entry_text(c, ledger_size(c->b.log) - 1);
}

#define SIGN_ALL                                                                                             \
	"{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"k\",\"pin\":\"1234\",\"digest\":" \
	"\"%s\","                                                                                            \
	"\"scheme\":\"ecdsa\",\"capacity\":\"chief\",\"onBehalfOf\":\"someone\",\"requestId\":\"r-1\","      \
	"\"document\":{\"id\":\"x\",\"date\":\"2026-01-31\",\"title\":\"T\",\"number\":\"12\","              \
	"\"mediaType\":\"application/pdf\"}}}"

static void
signature_has_every_member_it_can_have(void **state)
{
	static const char *const want[] = {"uid", "gid", "pid", "rule", "proof", "key", "token",
	    "tokenSerial", "operation", "digest", "format", "level", "scheme", "documentTag", "number",
	    "title", "date", "documentId", "mediaType", "capacity", "onBehalfOf", "requestId", "outcome",
	    "signatureHash"};
	struct broker_case *c = *state;
	struct client k;
	json_t *entry = NULL;
	char *text;

	client_connect(c, &k, CASE_ALICE);
	assert_string_equal(client_call(c, &k, SIGN_ALL, case_digest(1)), "");
	text = last_entry(c);
	assert_sound(text, strlen(text));
	assert_int_equal(json_read(&entry, text, strlen(text), NULL), SIGNET_OK);
	for (size_t i = 0; i < array_len(want); i++)
		if (json_object_get(entry, want[i]) == NULL)
			fail_msg("%s is missing: %s", want[i], text);
	assert_null(strstr(text, "someone")); /* no free text, no name */
	assert_null(strstr(text, "chief"));
	assert_string_equal(json_member_str(entry, "rule"), "people");
	assert_string_equal(json_member_str(entry, "proof"), "pin");
	assert_string_equal(json_member_str(entry, "outcome"), "ok");
	json_decref(entry);
	free(text);
	client_close(&k);
}

#define CALL_READ "{\"method\":\"org.signetd.Log.Read\",\"parameters\":{\"limit\":1,\"titles\":true}}"
#define CALL_ERASE                                                                                           \
	"{\"method\":\"org.signetd.Log.Erase\",\"parameters\":{\"index\":%d,\"reason\":\"asked for\"}}"

static void
every_kind_of_entry_keeps_the_order(void **state)
{
	struct broker_case *c = *state;
	struct client k, admin, second, stranger;
	int texts; /* index of an entry with some */

	client_connect(c, &k, CASE_ALICE);
	client_connect(c, &admin, CASE_ADMIN);
	client_connect(c, &second, CASE_SECOND_ADMIN);
	client_connect(c, &stranger, CASE_STRANGER);
	/* start and the tokens stand there already */
	case_quiet(c);
	texts = (int)ledger_size(c->b.log);
	assert_string_equal(client_call(c, &k, SIGN_ALL, case_digest(1)), "");
	assert_string_equal(client_call(c, &k, CALL_SIGN_PIN, "k", case_digest(2), "0000"), "PinIncorrect");
	broker_token(&c->b, "a")->pin->note[PIN_CALL].last_us -= PIN_PAUSE_US;
	assert_string_equal(client_call(c, &k, CALL_UNLOCK, "a", CASE_PIN, 5), "");
	assert_string_equal(client_call(c, &k, CALL_LOCK, "a"), "");
	c->no_answers = true; /* unknown, and a token that failed */
	client_send(&k, CALL_SIGN_PIN, "k", case_digest(3), CASE_PIN);
	case_until_jobs(c, 1);
	case_worker_dies(c, case_worker(c, "a"));
	assert_string_equal(client_error(c, &k), "TokenFailed");
	c->no_answers = false;
	case_until_state(c, "a", TOKEN_LOCKED);
	for (int i = 0; i < 3; i++) /* a refusal at once, and one of those that were counted */
		assert_string_equal(client_call(c, &stranger, CALL_SIGN, "k", case_digest(1)), "KeyNotFound");
	refusals_flush(&c->b, 0, true);
	assert_string_equal(client_call(c, &admin, CALL_RELOAD), "");
	assert_string_equal(client_call(c, &admin, CALL_READ), "");
	assert_string_equal(client_call(c, &admin, CALL_ERASE, texts), "");
	assert_string_equal(client_call(c, &second, CALL_ERASE, texts), "");
	assert_string_equal(client_call(c, &admin, CALL_ERASE, texts), "");
	assert_string_equal(
	    client_call(c, &second, CALL_ERASE, texts), "RequestNotFound"); /* nothing is left */
	check_all(c);
	client_close(&k);
	client_close(&admin);
	client_close(&second);
	client_close(&stranger);
}

static void
stop_and_start_keep_it_too(void **state)
{
	struct broker_case *c = *state;

	case_stop(c);
	case_start(c);
	check_all(c);
}

static void
outcome_says_what_became_of_it(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	char *text;

	client_connect(c, &k, CASE_ALICE);
	assert_string_equal(client_call(c, &k, CALL_SIGN_PIN, "k", case_digest(2), "wr0ng"), "PinIncorrect");
	text = last_entry(c);
	assert_non_null(
	    strstr(text, "\"outcome\":\"failed\",\"error\":\"PinIncorrect\",\"detail\":\"login "));
	assert_null(strstr(text, "signatureHash"));
	assert_null(strstr(text, "wr0ng"));
	free(text);
	client_close(&k);
}

/* A worker's words go into entries: whatever they are, the entry stays JSON. */
static void
quotes_of_a_worker_do_not_leave_their_string(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	char *text;

	c->serial = "x\",\"outcome\":\"ok";
	c->cert_serial = "1\",\"uid\":0,\"x\":\"";
	case_worker_dies(c, case_worker(c, "a"));
	case_until_state(c, "a", TOKEN_STARTING);
	case_until_state(c, "a", TOKEN_LOCKED);
	client_connect(c, &k, CASE_ALICE);
	assert_string_equal(client_call(c, &k, CALL_SIGN_PIN, "k", case_digest(2), "0000"), "PinIncorrect");
	text = last_entry(c);
	assert_sound(text, strlen(text));
	assert_non_null(strstr(text, "\"certSerial\":\"1\\\",\\\"uid\\\":0"));
	assert_non_null(strstr(text, "\"tokenSerial\":\"x\\\",\\\"outcome\\\":\\\"ok\""));
	free(text);
	client_close(&k);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, case_setup, teardown)
	    CASE(signature_has_every_member_it_can_have),
	    CASE(every_kind_of_entry_keeps_the_order),
	    CASE(stop_and_start_keep_it_too),
	    CASE(outcome_says_what_became_of_it),
	    CASE(quotes_of_a_worker_do_not_leave_their_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
