/* daemon/signetd/document.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "signetd/broker.h"
#include "signetd/document.h"
#include "signetd/text.h"
#include "unit.h"

static struct broker broker;
static struct job job;
static struct fault fault;

static int
setup(void **state)
{
	(void)state;
	memset(&job, 0, sizeof(job));
	memset(&fault, 0, sizeof(fault));
	memset(broker.installation_key, 7, sizeof(broker.installation_key));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < job.opening_count; i++)
		free(job.openings[i].text);
	return 0;
}

static bool
take(const char *text, const char *capacity, const char *on_behalf_of)
{
	json_t *document = NULL;
	bool ok;

	if (text != NULL)
		assert_int_equal(json_read(&document, text, strlen(text), NULL), SIGNET_OK);
	ok = document_take(&broker, &job, document, "document", capacity, on_behalf_of, &fault);
	json_decref(document);
	return ok;
}

static const struct ledger_opening *
opening(const char *field)
{
	for (size_t i = 0; i < job.opening_count; i++)
		if (strcmp(job.openings[i].field, field) == 0)
			return &job.openings[i];
	return NULL;
}

static void
nothing_makes_nothing(void **state)
{
	(void)state;
	assert_true(take(NULL, NULL, NULL));
	assert_int_equal(job.opening_count, 0);
	assert_string_equal(job.document_tag, "");
	assert_true(take("{}", NULL, NULL));
	assert_int_equal(job.opening_count, 0);
}

static void
each_text_becomes_an_opening_with_a_salt_of_its_own(void **state)
{
	static const char *const fields[] = {
	    "number", "title", "date", "documentId", "capacity", "onBehalfOf"};

	(void)state;
	assert_true(take("{\"number\":\"12/Q\xc4\x90\",\"title\":\"T\",\"date\":\"2026-01-31\",\"id\":\"x\","
			 "\"mediaType\":\"application/pdf\"}",
	    "chief", "someone"));
	assert_int_equal(job.opening_count, array_len(fields));
	for (size_t i = 0; i < array_len(fields); i++) {
		assert_non_null(opening(fields[i]));
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(
			    opening(fields[i])->salt, opening(fields[k])->salt, LEDGER_HASH);
	}
	assert_string_equal(opening("number")->text, "12/Q\xc4\x90");
	assert_string_equal(opening("documentId")->text, "x");
	assert_string_equal(job.media_type, "application/pdf");
}

static void
assert_invalid(const char *text, const char *capacity, const char *field)
{
	assert_false(take(text, capacity, NULL));
	assert_int_equal(fault.err, SIGNET_ERR_INVALID_PARAMETER);
	assert_string_equal(fault.subject, field);
	assert_non_null(strstr(fault.message, field));
	teardown(NULL);
	setup(NULL);
}

static void
bad_text_names_its_member(void **state)
{
	(void)state;
	assert_invalid("{\"title\":\"a\\u202eb\"}", NULL, "document.title");
	assert_invalid("{\"title\":\"\"}", NULL, "document.title");
	assert_invalid("{\"number\":\"a\\nb\"}", NULL, "document.number");
	assert_invalid("{\"date\":\"\\u0007\"}", NULL, "document.date");
	assert_invalid("{\"id\":\"e\\u0301\"}", NULL, "document.id");
	assert_invalid(NULL, "\t", "capacity");
}

static void
text_of_512_bytes_is_taken_and_one_more_is_not(void **state)
{
	char text[TEXT_MAX + 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[TEXT_MAX] = '\0';
	assert_true(take(NULL, text, NULL));
	teardown(NULL);
	setup(NULL);
	text[TEXT_MAX] = 'a';
	text[TEXT_MAX + 1] = '\0';
	assert_invalid(NULL, text, "capacity");
}

static void
media_type_is_lower_case_with_a_slash_and_at_most_127_bytes(void **state)
{
	char text[160], type[130];

	(void)state;
	assert_invalid("{\"mediaType\":\"Application/PDF\"}", NULL, "document.mediaType");
	assert_invalid("{\"mediaType\":\"pdf\"}", NULL, "document.mediaType");
	assert_invalid("{\"mediaType\":\"\"}", NULL, "document.mediaType");
	assert_invalid("{\"mediaType\":\"a/b;c=d\"}", NULL, "document.mediaType");
	memset(type, 'a', sizeof(type));
	type[1] = '/';
	snprintf(text, sizeof(text), "{\"mediaType\":\"%.127s\"}", type);
	assert_true(take(text, NULL, NULL));
	snprintf(text, sizeof(text), "{\"mediaType\":\"%.128s\"}", type);
	assert_invalid(text, NULL, "document.mediaType");
}

/* Computed elsewhere: HMAC-SHA-256, key 32 bytes of 7, over "12" 1f "2026-01-31" and over "12" 1f. */
static void
tag_is_the_hmac_of_number_and_date(void **state)
{
	char tag[2 * LEDGER_HASH + 1], without[2 * LEDGER_HASH + 1], other[2 * LEDGER_HASH + 1];

	(void)state;
	assert_true(take("{\"number\":\"12\",\"date\":\"2026-01-31\"}", NULL, NULL));
	assert_string_equal(
	    job.document_tag, "2939c9045b25bde68481459d2c689dcd2b2129c471f783d2688c6cf5994a060b");
	assert_true(document_tag(&broker, "12", "2026-01-31", tag));
	assert_string_equal(tag, job.document_tag);
	assert_true(document_tag(&broker, "12", NULL, without));
	assert_string_equal(without, "ba993ac91c76e01b14e67169a100d0b8fc0235a633a6ced7697ddc8f5a9593cd");
	assert_true(document_tag(&broker, "1", "22026-01-31", other)); /* the border counts */
	assert_string_not_equal(other, tag);
	broker.installation_key[0] ^= 1;
	assert_true(document_tag(&broker, "12", "2026-01-31", other));
	assert_string_not_equal(other, tag);
}

static void
date_alone_has_no_tag(void **state)
{
	(void)state;
	assert_true(take("{\"date\":\"2026-01-31\"}", NULL, NULL));
	assert_string_equal(job.document_tag, "");
}

static void
opening_in_an_entry_is_the_hash_of_salt_and_text(void **state)
{
	char text[] = "abc";
	struct ledger_opening o = {.field = "title", .text = text};
	struct buf b;

	(void)state;
	memset(o.salt, 0x5a, sizeof(o.salt));
	buf_init(&b, 1024);
	opening_write(&b, &o);
	buf_u8(&b, 0);
	assert_string_equal((const char *)b.data,
	    "\"title\":\"sha256:4f472d92c12d81eec560548f7688c9b5d1ef96ac969bcce8b5ff03af3ca1a8c7\"");
	buf_done(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	    CASE(nothing_makes_nothing),
	    CASE(each_text_becomes_an_opening_with_a_salt_of_its_own),
	    CASE(bad_text_names_its_member),
	    CASE(text_of_512_bytes_is_taken_and_one_more_is_not),
	    CASE(media_type_is_lower_case_with_a_slash_and_at_most_127_bytes),
	    CASE(tag_is_the_hmac_of_number_and_date),
	    CASE(date_alone_has_no_tag),
	    CASE(opening_in_an_entry_is_the_hash_of_salt_and_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
