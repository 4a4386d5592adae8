/* daemon/signetd/policy.c */
#include <stdlib.h>
#include <string.h>

#include "signetd/policy.h"
#include "unit.h"

enum { ALICE = 1001, BOB = 1002, CLERKS = 2001, STAFF = 2002 };

#define BIT(verb) (1u << VERB_##verb)

static const struct policy_peer root = {.uid = 0, .gid = 0};
static const struct policy_peer alice = {.uid = ALICE, .gid = STAFF};
static const struct policy_peer bob = {
    .uid = BOB, .gid = BOB, .groups = (const gid_t[]){STAFF, CLERKS}, .group_count = 2};

static uid_t users[] = {ALICE};
static gid_t groups[] = {CLERKS};
static char *keys[] = {(char[]){"ec"}, (char[]){"rsa"}};

/* alice may sign with two keys, clerks may see all, everyone may read the own entries. */
static struct policy_rule rules[] = {
    {.name = (char[]){"alice"},
	.users = users,
	.user_count = 1,
	.verbs = BIT(SIGN) | BIT(READ_LOG),
	.keys = keys,
	.key_count = 2},
    {.name = (char[]){"clerks"},
	.groups = groups,
	.group_count = 1,
	.verbs = BIT(LIST) | BIT(SIGN),
	.any_key = true},
    {.name = (char[]){"all"}, .any_user = true, .verbs = BIT(READ_OWN) | BIT(TIMESTAMP)},
};
static const struct policy policy = {rules, array_len(rules)};
static const struct policy nothing = {NULL, 0};

static void
assert_by(const struct policy_peer *peer, enum verb verb, const char *key, const char *rule)
{
	struct verdict v = policy_permit(&policy, peer, verb, key);

	assert_true(v.permitted);
	assert_string_equal(v.rule, rule);
}

static void
assert_refused(const struct policy_peer *peer, enum verb verb, const char *key)
{
	struct verdict v = policy_permit(&policy, peer, verb, key);

	assert_false(v.permitted);
	assert_null(v.rule);
}

static void
permits_what_a_rule_names(void **state)
{
	(void)state;
	assert_by(&alice, VERB_SIGN, "ec", "alice");
	assert_by(&alice, VERB_SIGN, "rsa", "alice");
	assert_by(&bob, VERB_LIST, "anything", "clerks");
}

static void
refuses_another_user_verb_or_key(void **state)
{
	(void)state;
	assert_refused(&root, VERB_SIGN, "ec");
	assert_refused(&alice, VERB_SEAL, "ec");
	assert_refused(&alice, VERB_SIGN, "ed");
	assert_refused(&alice, VERB_SIGN, "e");
	assert_refused(&alice, VERB_SIGN, "ecx");
	assert_refused(&alice, VERB_SIGN, "");
}

static void
gives_root_nothing(void **state)
{
	unsigned v;

	(void)state;
	for (v = 0; v < VERB_COUNT; v++) {
		assert_int_equal(
		    policy_permit(&nothing, &root, (enum verb)v, "ec").permitted, v == VERB_PUBLIC);
		assert_int_equal(
		    policy_permit(&nothing, &root, (enum verb)v, NULL).permitted, v == VERB_PUBLIC);
	}
}

static void
matches_by_primary_or_supplementary_group(void **state)
{
	struct policy_peer primary = {.uid = 7, .gid = CLERKS};
	gid_t last[] = {1, 2, 3, CLERKS};
	struct policy_peer supplementary = {.uid = 7, .gid = 7, .groups = last, .group_count = 4};

	(void)state;
	assert_by(&primary, VERB_LIST, "ec", "clerks");
	assert_by(&supplementary, VERB_LIST, "ec", "clerks");
	supplementary.group_count = 3;
	assert_refused(&supplementary, VERB_LIST, "ec");
}

static void
never_takes_a_group_for_a_user(void **state)
{
	struct policy_peer confused = {.uid = CLERKS, .gid = ALICE};

	(void)state;
	assert_refused(&confused, VERB_LIST, "ec");
	assert_refused(&confused, VERB_SIGN, "ec");
}

static void
the_first_rule_that_matches_decides(void **state)
{
	gid_t clerks[] = {CLERKS};
	struct policy_peer both = {.uid = ALICE, .gid = STAFF, .groups = clerks, .group_count = 1};

	(void)state;
	assert_by(&both, VERB_SIGN, "ec", "alice");
	assert_by(&both, VERB_SIGN, "ed", "clerks"); /* a rule that does not match leaves it to the next */
}

static void
a_rule_without_keys_permits_nothing_on_a_key(void **state)
{
	(void)state;
	assert_by(&root, VERB_READ_OWN, NULL, "all");
	assert_refused(&root, VERB_READ_OWN, "ec");
	assert_by(&root, VERB_TIMESTAMP, NULL, "all");
	assert_refused(&root, VERB_TIMESTAMP, "ec");
}

static void
keys_of_a_rule_do_not_narrow_verbs_about_the_log(void **state)
{
	(void)state;
	assert_by(&alice, VERB_READ_LOG, NULL, "alice");
}

static void
a_verb_about_keys_without_a_key_is_refused(void **state)
{
	static const enum verb verbs[] = {VERB_SIGN, VERB_SEAL, VERB_UNLOCK, VERB_LIST, VERB_APPROVE};
	struct policy_rule all = {
	    .name = (char[]){"x"}, .any_user = true, .any_key = true, .verbs = UINT32_MAX};
	struct policy p = {&all, 1};
	size_t i;

	(void)state;
	for (i = 0; i < array_len(verbs); i++) {
		assert_true(verb_needs_key(verbs[i]));
		assert_false(policy_permit(&p, &root, verbs[i], NULL).permitted);
		assert_true(policy_permit(&p, &root, verbs[i], "ec").permitted);
	}
}

static void
a_forgotten_verb_is_never_permitted(void **state)
{
	struct policy_rule all = {
	    .name = (char[]){"x"}, .any_user = true, .any_key = true, .verbs = UINT32_MAX};
	struct policy p = {&all, 1};

	(void)state;
	assert_false(policy_permit(&p, &root, VERB_NONE, "ec").permitted);
	assert_false(policy_permit(&p, &root, VERB_NONE, NULL).permitted);
	assert_false(policy_permit(&p, &root, VERB_COUNT, "ec").permitted);
	assert_false(policy_permit(&p, &root, (enum verb)40, "ec").permitted);
	assert_false(verb_needs_key((enum verb)40));
}

static void
the_public_verb_needs_no_rule(void **state)
{
	struct verdict v = policy_permit(&nothing, &alice, VERB_PUBLIC, NULL);

	(void)state;
	assert_true(v.permitted);
	assert_null(v.rule);
}

static void
a_key_is_visible_to_whoever_may_do_anything_with_it(void **state)
{
	(void)state;
	assert_true(policy_visible(&policy, &alice, "ec"));
	assert_false(policy_visible(&policy, &alice, "ed"));
	assert_true(policy_visible(&policy, &bob, "ed"));
	assert_false(policy_visible(&policy, &root, "ec"));
	assert_false(policy_visible(&nothing, &root, "ec"));
}

static void
verbs_about_the_daemon_and_the_log_show_no_key(void **state)
{
	struct policy_rule auditor = {.name = (char[]){"x"},
	    .any_user = true,
	    .any_key = true,
	    .verbs = BIT(ADMIN) | BIT(READ_LOG) | BIT(READ_OWN) | BIT(READ_TITLES)};
	struct policy p = {&auditor, 1};

	(void)state;
	assert_false(policy_visible(&p, &root, "ec"));
	auditor.verbs |= BIT(TIMESTAMP);
	assert_true(policy_visible(&p, &root, "ec"));
}

static void
verbs_have_the_words_of_the_configuration(void **state)
{
	static const struct {
		enum verb verb;
		const char *word;
	} table[] = {
	    {VERB_SIGN, "sign"},
	    {VERB_SEAL, "seal"},
	    {VERB_TIMESTAMP, "timestamp"},
	    {VERB_UNLOCK, "unlock"},
	    {VERB_LIST, "list"},
	    {VERB_READ_LOG, "read-log"},
	    {VERB_READ_OWN, "read-own"},
	    {VERB_READ_TITLES, "read-titles"},
	    {VERB_APPROVE, "approve"},
	    {VERB_ADMIN, "admin"},
	};
	size_t i;

	(void)state;
	assert_int_equal(array_len(table), VERB_COUNT - 2);
	for (i = 0; i < array_len(table); i++) {
		assert_int_equal(verb_find(table[i].word), table[i].verb);
		assert_string_equal(verb_name(table[i].verb), table[i].word);
	}
}

static void
no_word_finds_what_no_rule_may_name(void **state)
{
	(void)state;
	assert_int_equal(verb_find("none"), VERB_NONE);
	assert_int_equal(verb_find("public"), VERB_NONE);
	assert_int_equal(verb_find("*"), VERB_NONE);
	assert_int_equal(verb_find("Sign"), VERB_NONE);
	assert_int_equal(verb_find(""), VERB_NONE);
	assert_string_equal(verb_name(VERB_COUNT), "none");
}

static void
frees_what_was_never_built(void **state)
{
	struct policy *half = calloc(1, sizeof(*half));

	(void)state;
	assert_non_null(half);
	half->rules = calloc(2, sizeof(*half->rules));
	assert_non_null(half->rules);
	half->rule_count = 2;
	policy_free(half);
	policy_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(permits_what_a_rule_names),
	    cmocka_unit_test(refuses_another_user_verb_or_key),
	    cmocka_unit_test(gives_root_nothing),
	    cmocka_unit_test(matches_by_primary_or_supplementary_group),
	    cmocka_unit_test(never_takes_a_group_for_a_user),
	    cmocka_unit_test(the_first_rule_that_matches_decides),
	    cmocka_unit_test(a_rule_without_keys_permits_nothing_on_a_key),
	    cmocka_unit_test(keys_of_a_rule_do_not_narrow_verbs_about_the_log),
	    cmocka_unit_test(a_verb_about_keys_without_a_key_is_refused),
	    cmocka_unit_test(a_forgotten_verb_is_never_permitted),
	    cmocka_unit_test(the_public_verb_needs_no_rule),
	    cmocka_unit_test(a_key_is_visible_to_whoever_may_do_anything_with_it),
	    cmocka_unit_test(verbs_about_the_daemon_and_the_log_show_no_key),
	    cmocka_unit_test(verbs_have_the_words_of_the_configuration),
	    cmocka_unit_test(no_word_finds_what_no_rule_may_name),
	    cmocka_unit_test(frees_what_was_never_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
