/*
 * client/base/note.c, note_key.c, note_text.c, checkpoint.c: the vectors are the example of C2SP signed-note
 * and those of the documentation of golang.org/x/mod/sumdb/note.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/note.h"
#include "base/note_text.h"
#include "unit.h"

#define DASH "\xe2\x80\x94 "

static const char spec_key[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char spec_note[] = "This is an example message.\n\n" DASH
				"example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Zt"
				"g1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
static const char peter_key[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
static const char peter_secret[] = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"; /* 0x01 and the seed */
static const char enoch_key[] = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
#define PETER_TEXT                                                                                           \
	"If you think cryptography is the answer to your problem,\n"                                         \
	"then you don't know what your problem is.\n"
#define PETER_LINE                                                                                           \
	DASH "PeterNeumann "                                                                                 \
	     "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6R"           \
	     "yyBwJnAM=\n"
#define ENOCH_LINE                                                                                           \
	DASH "EnochRoot "                                                                                    \
	     "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc"      \
	     "+QQ=\n"
/* A signature of no type that is known here: four bytes of id and one more. */
#define STRANGE_LINE DASH "stranger AAAAAAA=\n"

static struct note_key
key(const char *vkey)
{
	struct note_key k;

	assert_int_equal(note_key_parse(&k, vkey, strlen(vkey)), SIGNET_OK);
	return k;
}

static void
peter(struct note_signer *s)
{
	uint8_t typed[33];
	size_t n = sizeof(typed);

	assert_int_equal(base64_decode(peter_secret, strlen(peter_secret), typed, &n), SIGNET_OK);
	assert_int_equal(note_signer_init(s, "PeterNeumann", typed + 1), SIGNET_OK);
}

/* The note is read from a block of just its size. */
static signet_err
verify(const char *note, size_t len, const char *vkey, size_t *text_len)
{
	struct note_key k = key(vkey);
	char *copy = malloc(len == 0 ? 1 : len);
	signet_err err;

	assert_non_null(copy);
	memcpy(copy, note, len);
	err = note_verify(copy, len, &k, text_len);
	free(copy);
	return err;
}

static signet_err
verdict(const char *note, const char *vkey)
{
	size_t text_len;

	return verify(note, strlen(note), vkey, &text_len);
}

static void
key_of_the_specification_has_the_id_it_states(void **state)
{
	struct note_key k = key(spec_key);
	static const uint8_t id[] = {0x53, 0x0d, 0x90, 0x3a};
	struct buf out;

	(void)state;
	assert_string_equal(k.name, "example.com/foo");
	assert_memory_equal(k.id, id, sizeof(id));
	buf_init(&out, 1024);
	note_key_write(&out, &k);
	assert_int_equal(out.len, strlen(spec_key));
	assert_memory_equal(out.data, spec_key, out.len);
	buf_done(&out);
}

static void
notes_of_the_standards_verify(void **state)
{
	size_t text_len;

	(void)state;
	assert_int_equal(verify(spec_note, strlen(spec_note), spec_key, &text_len), SIGNET_OK);
	assert_int_equal(text_len, strlen("This is an example message.\n"));
	assert_int_equal(note_read(spec_note, strlen(spec_note), &text_len), SIGNET_OK);
	assert_int_equal(text_len, strlen("This is an example message.\n"));
	assert_int_equal(verdict(PETER_TEXT "\n" PETER_LINE ENOCH_LINE, peter_key), SIGNET_OK);
	assert_int_equal(verdict(PETER_TEXT "\n" PETER_LINE ENOCH_LINE, enoch_key), SIGNET_OK);
}

static void
signing_makes_the_published_note(void **state)
{
	static const char want[] = PETER_TEXT "\n" PETER_LINE;
	struct note_signer s;
	struct buf out, name;

	(void)state;
	peter(&s);
	buf_init(&name, 1024);
	note_key_write(&name, &s.key);
	assert_int_equal(name.len, strlen(peter_key));
	assert_memory_equal(name.data, peter_key, name.len);
	buf_init(&out, 4096);
	assert_int_equal(note_sign(&out, PETER_TEXT, strlen(PETER_TEXT), &s), SIGNET_OK);
	assert_int_equal(out.len, strlen(want));
	assert_memory_equal(out.data, want, out.len);
	buf_done(&out);
	buf_done(&name);
	note_signer_done(&s);
	note_signer_done(&s); /* and once more */
}

static void
second_signature_leaves_the_first(void **state)
{
	static const uint8_t seed[NOTE_SEED] = {7};
	struct note_signer first, second;
	size_t text_len;
	struct buf out;

	(void)state;
	peter(&first);
	assert_int_equal(note_signer_init(&second, "token.example/2", seed), SIGNET_OK);
	buf_init(&out, NOTE_MAX);
	assert_int_equal(note_sign(&out, "text\n", 5, &first), SIGNET_OK);
	assert_int_equal(note_add_signature(&out, &second), SIGNET_OK);
	assert_int_equal(note_verify((char *)out.data, out.len, &first.key, &text_len), SIGNET_OK);
	assert_int_equal(note_verify((char *)out.data, out.len, &second.key, &text_len), SIGNET_OK);
	assert_int_equal(text_len, 5);
	buf_done(&out);
	note_signer_done(&first);
	note_signer_done(&second);
}

static void
every_changed_byte_of_a_note_is_found(void **state)
{
	char note[sizeof(spec_note)];

	(void)state;
	for (size_t at = 0; at < strlen(spec_note); at++) {
		for (int bit = 0; bit < 8; bit++) {
			memcpy(note, spec_note, sizeof(note));
			note[at] = (char)(note[at] ^ (1 << bit));
			if (note[at] != '\0')
				assert_int_not_equal(verdict(note, spec_key), SIGNET_OK);
		}
	}
	for (size_t len = 0; len < strlen(spec_note); len++) {
		size_t text_len;

		assert_int_equal(verify(spec_note, len, spec_key, &text_len), SIGNET_ERR_PROTOCOL);
	}
}

static void
unknown_signatures_are_passed_over(void **state)
{
	(void)state;
	assert_int_equal(verdict(PETER_TEXT "\n" STRANGE_LINE PETER_LINE, peter_key), SIGNET_OK);
	assert_int_equal(verdict(PETER_TEXT "\n" PETER_LINE STRANGE_LINE, peter_key), SIGNET_OK);
	assert_int_equal(verdict(PETER_TEXT "\n" STRANGE_LINE, peter_key), SIGNET_ERR_VERIFY);
	assert_int_equal(verdict(PETER_TEXT "\n" ENOCH_LINE, peter_key), SIGNET_ERR_VERIFY);
	/* the right name under another id is another key */
	assert_int_equal(
	    verdict(PETER_TEXT "\n" PETER_LINE DASH "PeterNeumann AAAAAAA=\n", peter_key), SIGNET_OK);
}

static void
wrong_signature_by_the_key_refuses_the_note_wherever_it_stands(void **state)
{
	static const char wrong[] = DASH "PeterNeumann x08gowA=\n"; /* its id, one byte of signature */

	(void)state;
	assert_int_equal(verdict(PETER_TEXT "\n" PETER_LINE, peter_key), SIGNET_OK);
	char note[1024];
	(void)snprintf(note, sizeof(note), "%s\n%s%s", PETER_TEXT, PETER_LINE, wrong);
	assert_int_equal(verdict(note, peter_key), SIGNET_ERR_VERIFY);
	(void)snprintf(note, sizeof(note), "%s\n%s%s", PETER_TEXT, wrong, PETER_LINE);
	assert_int_equal(verdict(note, peter_key), SIGNET_ERR_VERIFY);
}

static void
text_ends_at_the_last_empty_line(void **state)
{
	struct note_signer s;
	size_t text_len;
	struct buf out;

	(void)state;
	peter(&s);
	buf_init(&out, NOTE_MAX);
	assert_int_equal(note_sign(&out, "a\n\n\nb\n", 6, &s), SIGNET_OK);
	assert_int_equal(note_verify((char *)out.data, out.len, &s.key, &text_len), SIGNET_OK);
	assert_int_equal(text_len, 6);
	buf_done(&out);
	note_signer_done(&s);
}

static void
refuses_what_is_no_note(void **state)
{
	static const char *const wrong[] = {"", "\n", "\n\n", "\n\n\n", "text\n", "text\n\n", PETER_LINE,
	    PETER_TEXT, PETER_TEXT PETER_LINE,                  /* no empty line */
	    PETER_TEXT "\n" PETER_LINE "\n",                    /* one after the signatures */
	    PETER_TEXT "\n" PETER_LINE "no signature\n",        /* */
	    PETER_TEXT "\n" PETER_LINE "- stranger AAAAAAA=\n", /* not the dash */
	    PETER_TEXT "\n" PETER_LINE DASH "stranger\n",       /* */
	    PETER_TEXT "\n" PETER_LINE DASH " AAAAAAA=\n",      /* no name */
	    PETER_TEXT "\n" PETER_LINE DASH "a+b AAAAAAA=\n",   /* */
	    PETER_TEXT "\n" PETER_LINE DASH "a b AAAAAAA=\n",   /* */
	    PETER_TEXT "\n" PETER_LINE DASH "a\xc2\xa0"
		       "b AAAAAAA=\n",                             /* Unicode space */
	    PETER_TEXT "\n" PETER_LINE DASH "stranger AAAAAA==\n", /* an id and nothing else */
	    PETER_TEXT "\n" PETER_LINE DASH "stranger AAAAAAB=\n", /* not canonical */
	    PETER_TEXT "\n" PETER_LINE DASH "stranger \n", PETER_TEXT "\x01\n\n" PETER_LINE,
	    PETER_TEXT "\t\n\n" PETER_LINE, PETER_TEXT "\xff\n\n" PETER_LINE,
	    PETER_TEXT "\xc0\x80\n\n" PETER_LINE, PETER_TEXT "\xed\xa0\x80\n\n" PETER_LINE,
	    PETER_TEXT "\xf4\x90\x80\x80\n\n" PETER_LINE, PETER_TEXT "\xe2\x80\n\n" PETER_LINE};
	size_t text_len;

	(void)state;
	for (size_t i = 0; i < array_len(wrong); i++) {
		if (verdict(wrong[i], peter_key) != SIGNET_ERR_PROTOCOL ||
		    note_read(wrong[i], strlen(wrong[i]), &text_len) != SIGNET_ERR_PROTOCOL)
			fail_msg("wrong[%zu]", i);
	}
}

static void
nul_is_no_text(void **state)
{
	static const char note[] = "a\0b\n\n" PETER_LINE;
	size_t text_len;

	(void)state;
	assert_int_equal(verify(note, sizeof(note) - 1, peter_key, &text_len), SIGNET_ERR_PROTOCOL);
}

static void
takes_as_many_signatures_as_the_limit_and_no_more(void **state)
{
	static const uint8_t seed[NOTE_SEED] = {9};
	struct note_signer s, other;
	size_t text_len;
	struct buf out;

	(void)state;
	peter(&s);
	assert_int_equal(note_signer_init(&other, "other", seed), SIGNET_OK);
	buf_init(&out, NOTE_MAX);
	assert_int_equal(note_sign(&out, "text\n", 5, &s), SIGNET_OK);
	for (unsigned i = 2; i < NOTE_SIGNATURES_MAX; i++)
		buf_str(&out, STRANGE_LINE);
	assert_int_equal(note_verify((char *)out.data, out.len, &s.key, &text_len), SIGNET_OK);
	assert_int_equal(note_add_signature(&out, &other), SIGNET_OK);
	assert_int_equal(note_verify((char *)out.data, out.len, &s.key, &text_len), SIGNET_OK);
	assert_int_equal(note_add_signature(&out, &other), SIGNET_ERR_LIMIT);
	buf_str(&out, STRANGE_LINE);
	assert_int_equal(note_verify((char *)out.data, out.len, &s.key, &text_len), SIGNET_ERR_PROTOCOL);
	assert_int_equal(note_add_signature(&out, &other), SIGNET_ERR_PROTOCOL);
	buf_done(&out);
	note_signer_done(&s);
	note_signer_done(&other);
}

static void
note_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
	static char text[NOTE_MAX];
	/* the empty line, dash, name, blank, signature, newline */
	size_t rest = 1 + 4 + strlen("PeterNeumann") + 1 + BASE64_LEN(68) + 1;
	struct note_signer s;
	size_t text_len;
	struct buf out;

	(void)state;
	peter(&s);
	memset(text, 'x', sizeof(text));
	for (size_t more = 0; more < 3; more++) {
		size_t len = NOTE_MAX - rest - 1 + more;

		text[len - 1] = '\n';
		buf_init(&out, sizeof(text) + 1024);
		assert_int_equal(note_sign(&out, text, len, &s), more < 2 ? SIGNET_OK : SIGNET_ERR_LIMIT);
		if (more < 2) {
			assert_int_equal(out.len, NOTE_MAX - 1 + more);
			assert_int_equal(
			    note_verify((char *)out.data, out.len, &s.key, &text_len), SIGNET_OK);
			assert_int_equal(text_len, len);
			assert_int_equal(note_add_signature(&out, &s), SIGNET_ERR_LIMIT);
		} else {
			assert_int_equal(out.len, 0);
		}
		text[len - 1] = 'x';
		buf_done(&out);
	}
	note_signer_done(&s);
}

static void
refuses_to_sign_what_is_no_text(void **state)
{
	static const char *const wrong[] = {"", "no newline", "tab\t\n", "\xff\n"};
	struct note_signer s;
	struct buf out;

	(void)state;
	peter(&s);
	buf_init(&out, NOTE_MAX);
	for (size_t i = 0; i < array_len(wrong); i++) {
		assert_int_equal(note_sign(&out, wrong[i], strlen(wrong[i]), &s), SIGNET_ERR_ARGUMENT);
		assert_int_equal(out.len, 0);
	}
	note_signer_done(&s);
	buf_done(&out);
}

static void
refuses_verifier_keys_that_are_not_exact(void **state)
{
	static const char *const wrong[] = {"", "+", "++", "example.com/foo", "example.com/foo+530d903a",
	    "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	    "example.com/foo+530d903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	    "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	    "example.com/foa+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	    "example.com/foo+530d903a+BOkyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	    "example.com/foo+530d903a-AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n",
	    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
	    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0=",
	    "example com+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"};
	struct note_key k;

	(void)state;
	for (size_t i = 0; i < array_len(wrong); i++) {
		if (note_key_parse(&k, wrong[i], strlen(wrong[i])) != SIGNET_ERR_PROTOCOL)
			fail_msg("%s", wrong[i]);
	}
}

static void
names_are_up_to_the_limit_without_space_or_plus(void **state)
{
	static const char *const wrong[] = {"", "a b", "a+b", "a\nb", "a\tb", "a\xc2\x85", "a\xc2\xa0",
	    "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
	    "\xe2\x81\x9f", "\xe3\x80\x80", "\xff", "a\x80"};
	static const char *const right[] = {
	    "a", "v\xc4\x83n-th\xc6\xb0.example/s\xe1\xbb\x95", "\xf0\x9f\x94\x91", "\xe2\x80\x8b", "a\x7f"};
	uint8_t seed[NOTE_SEED] = {1};
	char name[NOTE_NAME_MAX + 2];
	struct note_signer s;

	(void)state;
	for (size_t i = 0; i < array_len(wrong); i++)
		assert_int_equal(note_signer_init(&s, wrong[i], seed), SIGNET_ERR_ARGUMENT);
	for (size_t i = 0; i < array_len(right); i++) {
		assert_int_equal(note_signer_init(&s, right[i], seed), SIGNET_OK);
		note_signer_done(&s);
	}
	for (size_t n = NOTE_NAME_MAX - 1; n <= NOTE_NAME_MAX + 1; n++) {
		memset(name, 'n', n);
		name[n] = '\0';
		assert_int_equal(
		    note_signer_init(&s, name, seed), n > NOTE_NAME_MAX ? SIGNET_ERR_ARGUMENT : SIGNET_OK);
		if (n > NOTE_NAME_MAX)
			continue;
		assert_string_equal(s.key.name, name);
		note_signer_done(&s);
	}
}

#define ROOT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static void
assert_same_checkpoint(const struct checkpoint *a, const struct checkpoint *b)
{
	assert_string_equal(a->origin, b->origin);
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->root, b->root, NOTE_HASH);
}

static signet_err
parse(const char *text, struct checkpoint *c)
{
	return checkpoint_parse(c, text, strlen(text));
}

static void
checkpoint_is_what_was_written(void **state)
{
	static const uint64_t sizes[] = {0, 1, 9, 10, 1234067, INT64_MAX};
	struct checkpoint c = {.origin = "log.example/m\xc3\xa1y", .root = {1, 2, 3}}, back;
	struct buf out;

	(void)state;
	for (size_t i = 0; i < array_len(sizes); i++) {
		c.size = sizes[i];
		buf_init(&out, 1024);
		checkpoint_write(&out, &c);
		assert_int_equal(checkpoint_parse(&back, (char *)out.data, out.len), SIGNET_OK);
		assert_same_checkpoint(&back, &c);
		buf_done(&out);
	}
}

static void
checkpoint_may_have_extensions(void **state)
{
	struct checkpoint c;

	(void)state;
	assert_int_equal(parse("log\n0\n" ROOT "\n", &c), SIGNET_OK);
	assert_int_equal(parse("log\n7\n" ROOT "\nmore\nand more\n", &c), SIGNET_OK);
	assert_int_equal(c.size, 7);
	assert_string_equal(c.origin, "log");
}

static void
refuses_checkpoints_that_are_not_exact(void **state)
{
	static const char *const wrong[] = {"", "\n", "log\n", "log\n0\n", "log\n0\n" ROOT, "\n0\n" ROOT "\n",
	    "log\n\n" ROOT "\n", "log\n00\n" ROOT "\n", "log\n01\n" ROOT "\n", "log\n-1\n" ROOT "\n",
	    "log\n+1\n" ROOT "\n", "log\n 1\n" ROOT "\n", "log\n1 \n" ROOT "\n", "log\n0x1\n" ROOT "\n",
	    "log\n9223372036854775808\n" ROOT "\n", "log\n18446744073709551616\n" ROOT "\n", "log\n1\n\n",
	    "log\n1\nAAAA\n", "log\n1\n" ROOT "AAAA\n", "log\n1\n" ROOT "\n\n", "log\n1\n" ROOT "\n\nmore\n",
	    "log\n1\n" ROOT "\nmore", "log\r\n1\n" ROOT "\n", "lo\xff\n1\n" ROOT "\n"};
	struct checkpoint c;

	(void)state;
	for (size_t i = 0; i < array_len(wrong); i++) {
		if (parse(wrong[i], &c) != SIGNET_ERR_PROTOCOL)
			fail_msg("wrong[%zu]: %s", i, wrong[i]);
	}
}

static void
origin_is_as_long_as_the_limit_and_no_longer(void **state)
{
	char text[NOTE_NAME_MAX + 80];
	struct checkpoint c;

	(void)state;
	for (int n = NOTE_NAME_MAX - 1; n <= NOTE_NAME_MAX + 1; n++) {
		memset(text, 'o', (size_t)n);
		(void)snprintf(text + n, sizeof(text) - (size_t)n, "\n1\n" ROOT "\n");
		assert_int_equal(parse(text, &c), n > NOTE_NAME_MAX ? SIGNET_ERR_PROTOCOL : SIGNET_OK);
	}
}

static void
opens_a_checkpoint_only_if_the_key_is_its_origins(void **state)
{
	struct checkpoint c = {.origin = "PeterNeumann", .size = 3, .root = {5}}, got;
	struct note_signer s;
	struct buf text, note;

	(void)state;
	peter(&s);
	for (int other = 0; other < 2; other++) {
		if (other == 1)
			strcpy(c.origin, "EnochRoot");
		buf_init(&text, 1024);
		buf_init(&note, NOTE_MAX);
		checkpoint_write(&text, &c);
		assert_int_equal(note_sign(&note, (char *)text.data, text.len, &s), SIGNET_OK);
		assert_int_equal(checkpoint_open(&got, (char *)note.data, note.len, &s.key),
		    other == 1 ? SIGNET_ERR_VERIFY : SIGNET_OK);
		if (other == 0)
			assert_same_checkpoint(&got, &c);
		buf_done(&text);
		buf_done(&note);
	}
	buf_init(&note, NOTE_MAX);
	assert_int_equal(note_sign(&note, "PeterNeumann\nno size\n", 21, &s), SIGNET_OK);
	assert_int_equal(checkpoint_open(&got, (char *)note.data, note.len, &s.key), SIGNET_ERR_PROTOCOL);
	buf_done(&note);
	note_signer_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(key_of_the_specification_has_the_id_it_states),
	    cmocka_unit_test(notes_of_the_standards_verify),
	    cmocka_unit_test(signing_makes_the_published_note),
	    cmocka_unit_test(second_signature_leaves_the_first),
	    cmocka_unit_test(every_changed_byte_of_a_note_is_found),
	    cmocka_unit_test(unknown_signatures_are_passed_over),
	    cmocka_unit_test(wrong_signature_by_the_key_refuses_the_note_wherever_it_stands),
	    cmocka_unit_test(text_ends_at_the_last_empty_line),
	    cmocka_unit_test(refuses_what_is_no_note),
	    cmocka_unit_test(nul_is_no_text),
	    cmocka_unit_test(takes_as_many_signatures_as_the_limit_and_no_more),
	    cmocka_unit_test(note_may_be_as_long_as_the_limit_and_no_longer),
	    cmocka_unit_test(refuses_to_sign_what_is_no_text),
	    cmocka_unit_test(refuses_verifier_keys_that_are_not_exact),
	    cmocka_unit_test(names_are_up_to_the_limit_without_space_or_plus),
	    cmocka_unit_test(checkpoint_is_what_was_written),
	    cmocka_unit_test(checkpoint_may_have_extensions),
	    cmocka_unit_test(refuses_checkpoints_that_are_not_exact),
	    cmocka_unit_test(origin_is_as_long_as_the_limit_and_no_longer),
	    cmocka_unit_test(opens_a_checkpoint_only_if_the_key_is_its_origins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
