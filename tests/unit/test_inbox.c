/* daemon/signetd/inbox.c, inbox_agent.c, prompt.c, method_inbox.c, unlocking.c: people are asked for what a call lacks */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "broker_case.h"
#include "signetd/dispatch.h"
#include "unit.h"

enum { SOFTWARE = 2000, WAITING = 2001, ALICE = CASE_ALICE, BOB = CASE_BOB, GUEST = CASE_GUEST };

static const char with_holder[] =
    "[token a]\nmodule = /usr/bin/env\nlabel = a\nholder = An\nholder-user = 1000\n"
    "pin-from-client = no\n"
    "[token b]\nmodule = /usr/bin/env\nlabel = b\n"
    "[key k]\ntoken = a\nuri = pkcs11:token=a;id=%01\n"
    "[key l]\ntoken = a\nuri = pkcs11:token=a;id=%02\n"
    "[key m]\ntoken = b\nuri = pkcs11:token=b;id=%03\n";
static const char asking[] =
    "[rule admin]\nuser = 900\nverbs = admin read-log\n"
    "[rule software]\nuser = 2000\nverbs = sign list\nkeys = *\nprompt = yes\n"
    "[rule waiting]\nuser = 2001\nverbs = sign list\nkeys = *\nprompt = wait\n"
    "[rule guest]\nuser = 1002\nverbs = sign list\nkeys = k\n"
    "[rule people]\nuser = 1000 1001\nverbs = sign list unlock\nkeys = *\nprompt = yes\n";

static struct broker_case one;

static void
configure(struct broker_case *c, const char *limits, const char *tokens, const char *rules)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s%s%s", limits, tokens, rules);
	case_configure(c, text);
}

static int
setup(void **state)
{
	case_make(&one);
	configure(&one, "[limits]\nprompts = 5\nprompts-per-uid = 3\n", with_holder, asking);
	case_start(&one);
	case_until_state(&one, "a", TOKEN_LOCKED);
	case_until_state(&one, "b", TOKEN_LOCKED);
	case_quiet(&one);
	*state = &one;
	return 0;
}

static int
teardown(void **state)
{
	struct broker_case *c = *state;

	case_quiet(c);
	for (uid_t uid = SOFTWARE; uid <= WAITING; uid++)
		if (case_used(c, uid, QUOTA_PROMPTS) != 0 || case_used(c, uid, QUOTA_JOBS) != 0)
			return -1;
	if (c->b.inbox.count != 0 || c->b.inbox.first != NULL)
		return -1;
	case_stop(c);
	case_remove_dir(c);
	return 0;
}

/* --- an agent --- */

#define ATTACH "{\"method\":\"org.signetd.Inbox.Attach\",\"more\":true}"
#define LIST "{\"method\":\"org.signetd.Inbox.List\",\"more\":true}"
#define ANSWER                                                                                               \
	"{\"method\":\"org.signetd.Inbox.Answer\",\"parameters\":{\"prompt\":\"%s\",\"verdict\":\"%s\"%s}}"
#define PIN ",\"pin\":\"" CASE_PIN "\""
#define WRONG ",\"pin\":\"99999\""

struct agent {
	struct client at, answers;
	char id[64]; /* of the prompt that it was told last */
};

/* The next prompt that this connection is told, NULL for the end of the first state; as the interface has it. */
static json_t *
next_prompt(struct broker_case *c, struct client *k)
{
	json_t *reply = client_reply(c, k), *parameters = json_object_get(reply, "parameters");
	const struct idl *i = dispatch_interface("org.signetd.Inbox");
	json_t *prompt;
	char field[128] = "";

	if (!idl_check_output(idl_method(i, "Attach"), parameters, field, sizeof(field)))
		fail_msg("%s is not as declared", field);
	prompt = json_incref(json_object_get(parameters, "prompt"));
	json_decref(reply);
	if (json_is_null(prompt)) {
		json_decref(prompt);
		return NULL;
	}
	return prompt;
}

static void
attach(struct broker_case *c, struct agent *a, uid_t uid)
{
	memset(a->id, 0, sizeof(a->id));
	client_connect(c, &a->at, uid);
	client_connect(c, &a->answers, uid);
	client_send(&a->at, "%s", ATTACH);
}

static void
attach_empty(struct broker_case *c, struct agent *a, uid_t uid)
{
	attach(c, a, uid);
	assert_null(next_prompt(c, &a->at));
}

static void
leave(struct agent *a)
{
	client_close(&a->at);
	client_close(&a->answers);
}

/* "kind" of an open prompt, "kind closed" of one that ended. */
static const char *
told(struct broker_case *c, struct agent *a)
{
	static char text[64];
	json_t *p = next_prompt(c, &a->at);
	const char *closed = json_member_str(p, "closed");

	if (p == NULL)
		return "end";
	snprintf(text, sizeof(text), "%s%s%s", json_member_str(p, "kind"), closed != NULL ? " " : "",
	    closed != NULL ? closed : "");
	snprintf(a->id, sizeof(a->id), "%s", json_member_str(p, "id"));
	json_decref(p);
	return text;
}

static const char *
answer(struct broker_case *c, struct agent *a, const char *verdict, const char *more)
{
	return client_call(c, &a->answers, ANSWER, a->id, verdict, more);
}

static void
software(struct broker_case *c, struct client *k, const char *key, const char *more)
{
	client_connect(c, k, SOFTWARE);
	client_send(k,
	    "{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"%s\",\"digest\":\"%s\"%s}}",
	    key, case_digest(1), more);
}

static void
pause_is_over(struct broker_case *c, const char *serial)
{
	struct pin_state *s = broker_pin_state(&c->b, serial);

	for (int i = 0; i < PIN_SOURCES; i++)
		if (s->note[i].failures > 0)
			s->note[i].last_us -= 2 * PIN_PAUSE_US;
}

/* --- cases --- */

static void
the_holder_is_asked_and_the_program_sees_no_pin(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;
	json_t *reply, *entry;
	const char *text;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	assert_false(client_has_reply(&k));
	assert_string_equal(answer(c, &an, "accept", PIN), "");
	reply = client_reply(c, &k);
	assert_null(json_object_get(reply, "error"));
	text = json_member_str(json_object_get(json_object_get(reply, "parameters"), "receipt"), "entry");
	entry = json_loads(text, 0, NULL);
	assert_string_equal(json_member_str(entry, "proof"), "agent");
	assert_int_equal(json_integer_value(json_object_get(entry, "agentUid")), ALICE);
	assert_int_equal(json_integer_value(json_object_get(entry, "uid")), SOFTWARE);
	assert_string_equal(json_member_str(entry, "rule"), "software");
	assert_non_null(strstr(text, "\"proof\":\"agent\",\"agentUid\":1000,\"key\""));
	assert_string_equal(told(c, &an), "pin answered");
	assert_int_equal(c->logins, 1);
	json_decref(entry);
	json_decref(reply);
	client_close(&k);
	leave(&an);
}

static void
a_prompt_says_who_asks_for_what(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;
	json_t *p, *item;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k",
	    ",\"document\":{\"number\":\"15/QĐ\",\"title\":\"Quyết định\"},\"capacity\":\"KT.\","
	    "\"onBehalfOf\":\"Bình\"");
	p = next_prompt(c, &an.at);
	assert_string_equal(json_member_str(p, "token"), "a");
	assert_string_equal(json_member_str(p, "serial"), "serial-a");
	assert_string_equal(json_member_str(p, "holder"), "An");
	assert_string_equal(json_member_str(p, "key"), "k");
	assert_string_equal(json_member_str(p, "operation"), "sign");
	assert_string_equal(json_member_str(p, "capacity"), "KT.");
	assert_string_equal(json_member_str(p, "onBehalfOf"), "Bình");
	assert_int_equal(json_integer_value(json_object_get(p, "itemCount")), 1);
	assert_int_equal(json_integer_value(json_object_get(p, "failures")), 0);
	assert_int_equal(
	    json_integer_value(json_object_get(json_object_get(p, "requester"), "uid")), SOFTWARE);
	item = json_array_get(json_object_get(p, "items"), 0);
	assert_string_equal(json_member_str(item, "digest"), case_digest(1));
	assert_string_equal(json_member_str(item, "number"), "15/QĐ");
	assert_string_equal(json_member_str(item, "title"), "Quyết định");
	assert_non_null(json_member_str(p, "created"));
	assert_non_null(json_member_str(p, "expires"));
	json_decref(p);
	client_close(&k);
	assert_string_equal(told(c, &an), "pin cancelled");
	leave(&an);
}

static void
names_the_local_account_of_the_caller(void **state)
{
	struct broker_case *c = *state;
	struct client k;
	json_t *p;

	configure(c, "", with_holder,
	    "[rule admin]\nuser = 900\nverbs = admin\n"
	    "[rule all]\nuser = *\nverbs = sign unlock\nkeys = *\nprompt = wait\n");
	client_connect(c, &k, 900);
	assert_string_equal(client_call(c, &k, "%s", CALL_RELOAD), "");
	client_close(&k);
	client_connect(c, &k, 0);
	client_send(&k, "%s", ATTACH);
	p = next_prompt(c, &k);
	assert_null(p);
	{
		struct client caller;

		client_connect(c, &caller, 0);
		client_send(&caller, CALL_SIGN, "m", case_digest(1));
		p = next_prompt(c, &k);
		assert_string_equal(json_member_str(json_object_get(p, "requester"), "user"), "root");
		json_decref(p);
		client_close(&caller);
		case_quiet(c);
	}
	client_close(&k);
}

static void
the_first_answer_counts(void **state)
{
	struct broker_case *c = *state;
	struct agent first, second;
	struct client k;

	attach_empty(c, &first, ALICE);
	attach_empty(c, &second, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &first), "pin");
	assert_string_equal(told(c, &second), "pin");
	assert_string_equal(answer(c, &second, "accept", PIN), "");
	assert_string_equal(answer(c, &first, "accept", PIN), "PromptClosed");
	assert_string_equal(answer(c, &first, "reject", ""), "PromptClosed");
	assert_string_equal(told(c, &first), "pin answered");
	assert_string_equal(client_error(c, &k), "");
	assert_int_equal(c->logins, 1);
	client_close(&k);
	leave(&first);
	leave(&second);
}

static void
others_neither_see_nor_answer_it(void **state)
{
	struct broker_case *c = *state;
	struct agent an, bob;
	struct client k, guest;
	json_t *reply;

	attach_empty(c, &an, ALICE);
	attach_empty(c, &bob, BOB); /* has `unlock` on this very token */
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	snprintf(bob.id, sizeof(bob.id), "%s", an.id);
	assert_string_equal(answer(c, &bob, "accept", PIN), "PromptNotFound");
	assert_string_equal(answer(c, &bob, "reject", ""), "PromptNotFound");
	client_send(&bob.answers, "%s", LIST);
	reply = client_reply(c, &bob.answers);
	assert_true(json_is_null(json_object_get(json_object_get(reply, "parameters"), "prompt")));
	json_decref(reply);
	client_connect(c, &guest, GUEST);
	assert_string_equal(client_call(c, &guest, "%s", ATTACH), "NotPermitted");
	assert_string_equal(client_call(c, &guest, "%s", LIST), "NotPermitted");
	assert_string_equal(client_call(c, &guest, ANSWER, an.id, "accept", PIN), "PromptNotFound");
	assert_false(client_has_reply(&k)); /* the program is still waiting */
	client_close(&guest);
	client_close(&k);
	leave(&an);
	leave(&bob);
}

static void
an_agent_that_comes_later_is_told_what_is_open(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;

	client_connect(c, &k, WAITING);
	client_send(&k, CALL_SIGN, "k", case_digest(1));
	case_quiet(c);
	assert_int_equal(c->b.inbox.count, 1);
	attach(c, &an, ALICE);
	assert_string_equal(told(c, &an), "pin");
	assert_null(next_prompt(c, &an.at));
	assert_string_equal(answer(c, &an, "accept", PIN), "");
	assert_string_equal(client_error(c, &k), "");
	client_close(&k);
	leave(&an);
}

static void
says_at_once_that_nobody_is_there(void **state)
{
	struct broker_case *c = *state;
	struct agent bob;
	struct client k;
	json_t *reply;

	attach_empty(c, &bob, BOB);
	software(c, &k, "k", "");
	reply = client_reply(c, &k);
	assert_string_equal(json_member_str(reply, "error"), "org.signetd.Signer.PinRequired");
	assert_non_null(
	    strstr(json_member_str(json_object_get(reply, "parameters"), "message"), "signetctl agent"));
	json_decref(reply);
	/* a token without holder-user asks the caller, and this one may not enter a PIN */
	client_send(&k, CALL_SIGN, "m", case_digest(1));
	reply = client_reply(c, &k);
	assert_non_null(
	    strstr(json_member_str(json_object_get(reply, "parameters"), "message"), "holder-user"));
	json_decref(reply);
	client_close(&k);
	leave(&bob);
}

static void
without_a_named_holder_the_caller_is_asked(void **state)
{
	struct broker_case *c = *state;
	struct agent an, bob;
	struct client k;

	attach_empty(c, &an, ALICE);
	attach_empty(c, &bob, BOB);
	client_connect(c, &k, BOB);
	client_send(&k, CALL_SIGN, "m", case_digest(1));
	assert_string_equal(told(c, &bob), "pin");
	assert_false(client_has_reply(&an.at));
	assert_string_equal(answer(c, &bob, "accept", PIN), "");
	assert_string_equal(client_error(c, &k), "");
	assert_false(client_has_reply(&an.at));
	client_close(&k);
	leave(&an);
	leave(&bob);
}

static void
a_prompt_ends_with_the_callers_patience(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;
	json_t *reply;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", ",\"timeoutMs\":200");
	assert_string_equal(told(c, &an), "pin");
	reply = client_reply(c, &k);
	assert_string_equal(json_member_str(reply, "error"), "org.signetd.Signer.PinRequired");
	assert_non_null(strstr(json_member_str(json_object_get(reply, "parameters"), "message"), "in time"));
	json_decref(reply);
	assert_string_equal(told(c, &an), "pin expired");
	assert_string_equal(answer(c, &an, "accept", PIN), "PromptClosed");
	assert_int_equal(c->logins, 0);
	client_close(&k);
	leave(&an);
}

static void
a_prompt_goes_with_its_caller(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	client_close(&k);
	assert_string_equal(told(c, &an), "pin cancelled");
	assert_string_equal(answer(c, &an, "accept", PIN), "PromptClosed");
	leave(&an);
}

static void
a_wrong_pin_is_asked_for_again_with_the_count(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;
	json_t *p;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	assert_string_equal(answer(c, &an, "accept", WRONG), "");
	assert_string_equal(told(c, &an), "pin answered");
	p = next_prompt(c, &an.at);
	assert_string_equal(json_member_str(p, "kind"), "pin");
	assert_int_equal(json_integer_value(json_object_get(p, "failures")), 1);
	snprintf(an.id, sizeof(an.id), "%s", json_member_str(p, "id"));
	json_decref(p);
	assert_string_equal(answer(c, &an, "accept", PIN), "Busy"); /* too early: nothing is kept */
	assert_int_equal(c->logins, 1);
	pause_is_over(c, "serial-a");
	assert_string_equal(answer(c, &an, "accept", PIN), "");
	assert_string_equal(client_error(c, &k), "");
	assert_int_equal(c->logins, 2);
	client_close(&k);
	leave(&an);
}

static void
the_last_try_is_asked_for_by_name(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	for (int i = 0; i < 2; i++) {
		assert_string_equal(told(c, &an), "pin");
		pause_is_over(c, "serial-a");
		assert_string_equal(answer(c, &an, "accept", WRONG), "");
		assert_string_equal(told(c, &an), "pin answered");
	}
	assert_string_equal(told(c, &an), "lastTry");
	pause_is_over(c, "serial-a");
	assert_string_equal(answer(c, &an, "accept", PIN), "PinLastTry");
	assert_string_equal(answer(c, &an, "accept", PIN ",\"lastTry\":false"), "PinLastTry");
	assert_int_equal(c->logins, 2);
	assert_string_equal(answer(c, &an, "accept", PIN ",\"lastTry\":true"), "");
	assert_string_equal(client_error(c, &k), "");
	assert_string_equal(told(c, &an), "lastTry answered");
	client_close(&k);
	leave(&an);
}

/* Another's wrong PINs while the prompt was open: the answer would be the last try, which nobody said. */
static void
a_prompt_that_became_the_last_try_is_asked_anew(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;
	struct pin_state *s;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	s = broker_pin_state(&c->b, "serial-a");
	s->note[PIN_CALL] = (struct pin_note){.failures = 2, .last_us = 1};
	assert_string_equal(answer(c, &an, "accept", PIN ",\"lastTry\":true"), "PinLastTry");
	assert_string_equal(told(c, &an), "pin cancelled");
	assert_string_equal(told(c, &an), "lastTry");
	assert_int_equal(c->logins, 0);
	assert_string_equal(answer(c, &an, "accept", PIN ",\"lastTry\":true"), "");
	assert_string_equal(client_error(c, &k), "");
	client_close(&k);
	leave(&an);
}

static void
the_person_says_no(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;
	json_t *reply;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	assert_string_equal(answer(c, &an, "reject", ",\"reason\":\"a\\u202eb\""), "InvalidParameter");
	assert_string_equal(answer(c, &an, "reject", ",\"reason\":\"không phải tôi\""), "");
	reply = client_reply(c, &k);
	assert_string_equal(json_member_str(reply, "error"), "org.signetd.Signer.Rejected");
	assert_string_equal(
	    json_member_str(json_object_get(reply, "parameters"), "reason"), "không phải tôi");
	json_decref(reply);
	assert_string_equal(told(c, &an), "pin rejected");
	assert_int_equal(c->logins, 0);
	client_close(&k);
	leave(&an);
}

static void
answers_that_do_not_fit_leave_it_open(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;
	char digest[200];

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	assert_string_equal(answer(c, &an, "accept", ""), "PinRequired");
	assert_string_equal(answer(c, &an, "accept", ",\"pin\":\"\""), "InvalidParameter");
	assert_string_equal(answer(c, &an, "perhaps", PIN), "InvalidParameter");
	snprintf(digest, sizeof(digest), PIN ",\"digest\":\"%s\"", case_digest(2));
	assert_string_equal(answer(c, &an, "accept", digest), "InvalidParameter");
	assert_int_equal(c->logins, 0);
	snprintf(digest, sizeof(digest), PIN ",\"digest\":\"%s\"", case_digest(1));
	assert_string_equal(answer(c, &an, "accept", digest), "");
	assert_string_equal(client_error(c, &k), "");
	client_close(&k);
	leave(&an);
}

static void
insertion_answers_the_prompt_for_the_token(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;

	c->presence = WIRE_ABSENT;
	case_worker_dies(c, case_worker(c, "a"));
	case_until_state(c, "a", TOKEN_ABSENT);
	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "insert");
	assert_string_equal(answer(c, &an, "accept", PIN), "InvalidParameter");
	c->presence = WIRE_PRESENT;
	assert_string_equal(told(c, &an), "insert inserted");
	assert_string_equal(told(c, &an), "pin");
	assert_string_equal(answer(c, &an, "accept", PIN), "");
	assert_string_equal(client_error(c, &k), "");
	assert_int_equal(c->logins, 1);
	client_close(&k);
	leave(&an);
}

static void
without_an_agent_an_absent_token_is_told_as_ever(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	c->presence = WIRE_ABSENT;
	case_worker_dies(c, case_worker(c, "a"));
	case_until_state(c, "a", TOKEN_ABSENT);
	software(c, &k, "k", "");
	assert_string_equal(client_error(c, &k), "TokenAbsent");
	client_close(&k);
	client_connect(c, &k, WAITING);
	assert_string_equal(client_call(c, &k,
				"{\"method\":\"org.signetd.Signer.Sign\",\"parameters\":{\"key\":\"k\","
				"\"digest\":\"%s\",\"timeoutMs\":50}}",
				case_digest(1)),
	    "TokenAbsent"); /* it waited, and nobody inserted it */
	client_close(&k);
}

static void
a_token_pulled_while_the_pin_is_typed_is_asked_for(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	c->presence = WIRE_ABSENT;
	case_worker_dies(c, case_worker(c, "a"));
	case_until_state(c, "a", TOKEN_ABSENT);
	assert_string_equal(answer(c, &an, "accept", PIN), "");
	assert_string_equal(told(c, &an), "pin answered");
	assert_string_equal(told(c, &an), "insert");
	assert_int_equal(c->logins, 0);
	c->presence = WIRE_PRESENT;
	assert_string_equal(told(c, &an), "insert inserted");
	assert_string_equal(told(c, &an), "pin"); /* the one before was not kept */
	client_close(&k);
	assert_string_equal(told(c, &an), "pin cancelled");
	leave(&an);
}

static void
an_exchanged_token_is_shown_before_its_pin_is_taken(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;
	json_t *p;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	c->serial = "another";
	case_worker_dies(c, case_worker(c, "a"));
	assert_string_equal(told(c, &an), "pin cancelled");
	p = next_prompt(c, &an.at);
	assert_string_equal(json_member_str(p, "serial"), "another");
	json_decref(p);
	client_close(&k);
	assert_string_equal(told(c, &an), "pin cancelled");
	leave(&an);
}

#define UNLOCK "{\"method\":\"org.signetd.Token.Unlock\",\"parameters\":{\"token\":\"%s\",\"uses\":2%s}}"

static void
unlock_without_a_pin_asks_the_caller_alone(void **state)
{
	struct broker_case *c = *state;
	struct agent an, bob;
	struct client k;
	json_t *p;

	attach_empty(c, &an, ALICE);
	attach_empty(c, &bob, BOB);
	client_connect(c, &k, BOB);
	client_send(&k, UNLOCK, "a", ",\"seconds\":60");
	p = next_prompt(c, &bob.at);
	assert_string_equal(json_member_str(p, "operation"), "unlock");
	assert_int_equal(json_integer_value(json_object_get(p, "uses")), 2);
	assert_int_equal(json_integer_value(json_object_get(p, "seconds")), 60);
	assert_int_equal(json_integer_value(json_object_get(p, "itemCount")), 0);
	snprintf(bob.id, sizeof(bob.id), "%s", json_member_str(p, "id"));
	snprintf(an.id, sizeof(an.id), "%s", bob.id);
	json_decref(p);
	assert_false(client_has_reply(&an.at));
	assert_string_equal(answer(c, &an, "accept", PIN), "PromptNotFound");
	assert_string_equal(answer(c, &bob, "accept", PIN), "");
	assert_string_equal(client_error(c, &k), "");
	/* his lease serves him without a prompt, and nobody else */
	assert_string_equal(client_call(c, &k, CALL_SIGN, "k", case_digest(1)), "");
	assert_int_equal(c->logins, 1);
	assert_int_equal(c->b.inbox.numbers, 1);
	client_close(&k);
	leave(&an);
	leave(&bob);
}

static void
the_last_try_of_an_unlocking_is_the_holders(void **state)
{
	struct broker_case *c = *state;
	struct agent an, bob;
	struct client k;
	struct pin_state *s = broker_pin_state(&c->b, "serial-a");

	attach_empty(c, &an, ALICE);
	attach_empty(c, &bob, BOB);
	client_connect(c, &k, BOB);
	client_send(&k, UNLOCK, "a", "");
	assert_string_equal(told(c, &bob), "pin");
	s->note[PIN_CALL] = (struct pin_note){.failures = 2, .last_us = 1};
	assert_string_equal(answer(c, &bob, "accept", PIN ",\"lastTry\":true"), "PinLastTry");
	assert_string_equal(client_error(c, &k), "PinLastTry");
	assert_string_equal(client_call(c, &k, UNLOCK, "a", ""), "PinLastTry");
	assert_int_equal(c->logins, 0);
	client_close(&k);
	client_connect(c, &k, ALICE);
	client_send(&k, UNLOCK, "a", "");
	assert_string_equal(told(c, &an), "lastTry");
	assert_string_equal(answer(c, &an, "accept", PIN ",\"lastTry\":true"), "");
	assert_string_equal(client_error(c, &k), "");
	client_close(&k);
	leave(&an);
	leave(&bob);
}

static void
unlock_without_a_pin_and_without_prompt_needs_one(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	configure(c, "", with_holder,
	    "[rule admin]\nuser = 900\nverbs = admin\n"
	    "[rule people]\nuser = 1000\nverbs = sign unlock\nkeys = *\n");
	client_connect(c, &k, 900);
	assert_string_equal(client_call(c, &k, "%s", CALL_RELOAD), "");
	client_close(&k);
	client_connect(c, &k, ALICE);
	assert_string_equal(client_call(c, &k, UNLOCK, "b", ""), "PinRequired");
	assert_string_equal(client_call(c, &k, UNLOCK, "b", ",\"timeoutMs\":0"), "InvalidParameter");
	assert_string_equal(client_call(c, &k, UNLOCK, "b", ",\"timeoutMs\":600001"), "InvalidParameter");
	assert_string_equal(client_call(c, &k, UNLOCK, "b", PIN ",\"timeoutMs\":600000"), "");
	client_close(&k);
}

static void
a_pin_from_the_program_asks_nobody(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;

	attach_empty(c, &an, ALICE);
	client_connect(c, &k, ALICE);
	assert_string_equal(client_call(c, &k, CALL_SIGN_PIN, "k", case_digest(1), CASE_PIN), "NotPermitted");
	assert_string_equal(client_call(c, &k, CALL_SIGN_PIN, "m", case_digest(1), "99999"), "PinIncorrect");
	assert_int_equal(c->b.inbox.numbers, 0);
	client_close(&k);
	leave(&an);
}

/* --- batches --- */

static void
send_batch(struct client *k, const char *key, unsigned count, const char *more)
{
	static char items[1 << 15];
	size_t n = 0;

	for (unsigned i = 0; i < count; i++)
		n += (size_t)snprintf(items + n, sizeof(items) - n,
		    "%s{\"digest\":\"%s\",\"document\":{\"number\":\"%u\"}}", i > 0 ? "," : "",
		    case_digest(i + 1), i + 1);
	client_send(k,
	    "{\"method\":\"org.signetd.Signer.SignBatch\",\"parameters\":{\"key\":\"%s\",\"items\":[%s]%s},"
	    "\"more\":true}",
	    key, items, more);
}

static void
a_batch_asks_once_and_shows_its_items(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;
	json_t *p, *reply;
	const json_t *items;

	attach_empty(c, &an, ALICE);
	client_connect(c, &k, SOFTWARE);
	for (unsigned count = PROMPT_ITEMS_MAX - 1; count <= PROMPT_ITEMS_MAX + 1; count++) {
		send_batch(&k, "k", count, "");
		p = next_prompt(c, &an.at);
		items = json_object_get(p, "items");
		assert_int_equal(json_integer_value(json_object_get(p, "itemCount")), count);
		assert_int_equal(json_array_size(items), count < PROMPT_ITEMS_MAX ? count : PROMPT_ITEMS_MAX);
		assert_string_equal(json_member_str(json_array_get(items, 1), "number"), "2");
		snprintf(an.id, sizeof(an.id), "%s", json_member_str(p, "id"));
		json_decref(p);
		assert_string_equal(answer(c, &an, "accept", PIN), "");
		for (unsigned i = 0; i < count; i++) {
			reply = client_reply(c, &k);
			assert_null(json_member_str(
			    json_object_get(json_object_get(reply, "parameters"), "result"), "error"));
			json_decref(reply);
		}
		assert_string_equal(told(c, &an), "pin answered");
	}
	assert_int_equal(c->logins, 3);
	client_close(&k);
	leave(&an);
}

static void
a_batch_with_a_wrong_pin_asks_again(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;

	attach_empty(c, &an, ALICE);
	client_connect(c, &k, SOFTWARE);
	send_batch(&k, "k", 2, "");
	assert_string_equal(told(c, &an), "pin");
	assert_string_equal(answer(c, &an, "accept", WRONG), "");
	assert_string_equal(told(c, &an), "pin answered");
	assert_string_equal(told(c, &an), "pin");
	pause_is_over(c, "serial-a");
	assert_string_equal(answer(c, &an, "accept", PIN), "");
	assert_string_equal(client_error(c, &k), "");
	assert_string_equal(client_error(c, &k), "");
	client_close(&k);
	leave(&an);
}

static void
a_batch_goes_with_its_caller(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;

	attach_empty(c, &an, ALICE);
	client_connect(c, &k, SOFTWARE);
	send_batch(&k, "k", 2, "");
	assert_string_equal(told(c, &an), "pin");
	client_close(&k);
	assert_string_equal(told(c, &an), "pin cancelled");
	client_connect(c, &k, SOFTWARE);
	send_batch(&k, "k", 2, ",\"timeoutMs\":50");
	assert_string_equal(client_error(c, &k), "PinRequired");
	client_close(&k);
	leave(&an);
}

/* --- limits --- */

static void
prompts_of_one_user_and_of_all_are_bounded(void **state)
{
	struct broker_case *c = *state;
	struct client k[4], w[3];

	for (int i = 0; i < 3; i++) { /* prompts-per-uid = 3 */
		client_connect(c, &k[i], WAITING);
		client_send(&k[i], CALL_SIGN, "k", case_digest(1));
	}
	case_quiet(c);
	assert_int_equal(c->b.inbox.count, 3);
	client_connect(c, &k[3], WAITING);
	assert_string_equal(client_call(c, &k[3], CALL_SIGN, "k", case_digest(1)), "Busy");
	configure(c, "[limits]\nprompts = 5\nprompts-per-uid = 3\n", with_holder,
	    "[rule w]\nuser = 2000 2001\nverbs = sign\nkeys = *\nprompt = wait\n"
	    "[rule admin]\nuser = 900\nverbs = admin\n");
	{
		struct client admin;

		client_connect(c, &admin, 900);
		assert_string_equal(client_call(c, &admin, "%s", CALL_RELOAD), "");
		client_close(&admin);
	}
	for (int i = 0; i < 2; i++) { /* prompts = 5 */
		client_connect(c, &w[i], SOFTWARE);
		client_send(&w[i], CALL_SIGN, "k", case_digest(1));
	}
	case_quiet(c);
	assert_int_equal(c->b.inbox.count, 5);
	client_connect(c, &w[2], SOFTWARE);
	assert_string_equal(client_call(c, &w[2], CALL_SIGN, "k", case_digest(1)), "Busy");
	client_close(&k[0]);
	case_quiet(c);
	client_send(&w[2], CALL_SIGN, "k", case_digest(1));
	case_quiet(c);
	assert_int_equal(c->b.inbox.count, 5);
	for (int i = 1; i < 4; i++)
		client_close(&k[i]);
	for (int i = 0; i < 3; i++)
		client_close(&w[i]);
}

static void
list_tells_all_or_says_that_there_are_several(void **state)
{
	struct broker_case *c = *state;
	struct client k[2], an;
	json_t *p;

	for (int i = 0; i < 2; i++) {
		client_connect(c, &k[i], WAITING);
		client_send(&k[i], CALL_SIGN, "k", case_digest(1));
	}
	case_quiet(c);
	client_connect(c, &an, ALICE);
	client_send(&an, "%s", LIST);
	for (int i = 1; i <= 2; i++) {
		p = next_prompt(c, &an);
		assert_int_equal(json_integer_value(json_object_get(p, "number")), i);
		json_decref(p);
	}
	assert_string_equal(client_call(c, &an, "{\"method\":\"org.signetd.Inbox.List\"}"), "ExpectedMore");
	assert_string_equal(client_call(c, &an, "{\"method\":\"org.signetd.Inbox.Attach\"}"), "ExpectedMore");
	client_close(&k[0]);
	case_quiet(c);
	assert_string_equal(client_call(c, &an, "{\"method\":\"org.signetd.Inbox.List\"}"), "");
	client_close(&k[1]);
	client_close(&an);
}

/* --- what changes meanwhile --- */

static void
reload(struct broker_case *c, const char *tokens, const char *rules)
{
	struct client k;

	configure(c, "", tokens, rules);
	client_connect(c, &k, 900);
	assert_string_equal(client_call(c, &k, "%s", CALL_RELOAD), "");
	client_close(&k);
}

static void
the_policy_is_asked_again_after_the_answer(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	reload(c, with_holder,
	    "[rule admin]\nuser = 900\nverbs = admin\n"
	    "[rule people]\nuser = 1000\nverbs = sign unlock\nkeys = *\n");
	assert_string_equal(answer(c, &an, "accept", PIN), "");
	assert_string_equal(client_error(c, &k), "KeyNotFound");
	assert_int_equal(c->logins, 0);
	client_close(&k);
	leave(&an);
}

static void
who_lost_his_right_answers_no_more(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	reload(c, with_holder,
	    "[rule admin]\nuser = 900\nverbs = admin\n"
	    "[rule software]\nuser = 2000\nverbs = sign list\nkeys = *\nprompt = yes\n"
	    "[rule people]\nuser = 1000\nverbs = sign\nkeys = *\n");
	assert_string_equal(answer(c, &an, "accept", PIN), "PromptNotFound");
	assert_int_equal(c->logins, 0);
	client_close(&k);
	case_quiet(c);
	leave(&an);
}

static void
a_token_that_is_taken_out_takes_its_prompts_along(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	reload(c, case_tokens, asking);
	assert_string_equal(client_error(c, &k), "Busy");
	assert_string_equal(answer(c, &an, "accept", PIN), "PromptNotFound"); /* its holder is another now */
	client_close(&k);
	leave(&an);
}

static void
a_stop_ends_callers_and_agents(void **state)
{
	struct broker_case *c = *state;
	struct agent an;
	struct client k;

	attach_empty(c, &an, ALICE);
	software(c, &k, "k", "");
	assert_string_equal(told(c, &an), "pin");
	broker_stop(&c->b);
	assert_string_equal(client_error(c, &k), "Busy");
	assert_string_equal(told(c, &an), "pin cancelled");
	assert_string_equal(client_error(c, &an.at), "Busy");
	client_close(&k);
	leave(&an);
}

/* Replies that nobody reads are no queue: he is told later what is open by then. */
static void
an_agent_that_does_not_read_holds_nothing(void **state)
{
	enum { ROUNDS = 100 };
	struct broker_case *c = *state;
	struct client an, k, list;
	json_t *p;
	int rounds = 0, opened = 0, closed = 0;

	client_connect(c, &an, ALICE);
	client_send(&an, "%s", ATTACH);
	assert_null(next_prompt(c, &an));
	for (; rounds < ROUNDS; rounds++) {
		client_connect(c, &k, SOFTWARE);
		send_batch(&k, "k", PROMPT_ITEMS_MAX, "");
		case_quiet(c);
		assert_int_equal(c->b.inbox.count, 1);
		client_close(&k);
		case_quiet(c);
	}
	assert_true(case_used(c, ALICE, QUOTA_BYTES) < 4 * PEER_OUT_HIGH);
	client_connect(c, &k, SOFTWARE);
	send_batch(&k, "k", 1, "");
	case_quiet(c);
	do {
		p = next_prompt(c, &an);
		*(json_member_str(p, "closed") != NULL ? &closed : &opened) += 1;
		rounds = (int)json_integer_value(json_object_get(p, "number"));
		json_decref(p);
	} while (rounds < ROUNDS + 1);
	assert_true(opened > 1 && opened < ROUNDS);
	assert_int_equal(closed, opened - 1);
	client_connect(c, &list, ALICE);
	assert_string_equal(client_call(c, &list, "%s", LIST), "");
	client_close(&list);
	client_close(&k);
	client_close(&an);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The broker was stopped by the case itself. */
static int
teardown_stopped(void **state)
{
	case_stop(*state);
	case_remove_dir(*state);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    CASE(the_holder_is_asked_and_the_program_sees_no_pin),
	    CASE(a_prompt_says_who_asks_for_what),
	    CASE(names_the_local_account_of_the_caller),
	    CASE(the_first_answer_counts),
	    CASE(others_neither_see_nor_answer_it),
	    CASE(an_agent_that_comes_later_is_told_what_is_open),
	    CASE(says_at_once_that_nobody_is_there),
	    CASE(without_a_named_holder_the_caller_is_asked),
	    CASE(a_prompt_ends_with_the_callers_patience),
	    CASE(a_prompt_goes_with_its_caller),
	    CASE(a_wrong_pin_is_asked_for_again_with_the_count),
	    CASE(the_last_try_is_asked_for_by_name),
	    CASE(a_prompt_that_became_the_last_try_is_asked_anew),
	    CASE(the_person_says_no),
	    CASE(answers_that_do_not_fit_leave_it_open),
	    CASE(insertion_answers_the_prompt_for_the_token),
	    CASE(without_an_agent_an_absent_token_is_told_as_ever),
	    CASE(a_token_pulled_while_the_pin_is_typed_is_asked_for),
	    CASE(an_exchanged_token_is_shown_before_its_pin_is_taken),
	    CASE(unlock_without_a_pin_asks_the_caller_alone),
	    CASE(the_last_try_of_an_unlocking_is_the_holders),
	    CASE(unlock_without_a_pin_and_without_prompt_needs_one),
	    CASE(a_pin_from_the_program_asks_nobody),
	    CASE(a_batch_asks_once_and_shows_its_items),
	    CASE(a_batch_with_a_wrong_pin_asks_again),
	    CASE(a_batch_goes_with_its_caller),
	    CASE(prompts_of_one_user_and_of_all_are_bounded),
	    CASE(list_tells_all_or_says_that_there_are_several),
	    CASE(the_policy_is_asked_again_after_the_answer),
	    CASE(who_lost_his_right_answers_no_more),
	    CASE(a_token_that_is_taken_out_takes_its_prompts_along),
	    CASE(an_agent_that_does_not_read_holds_nothing),
	    cmocka_unit_test_setup_teardown(a_stop_ends_callers_and_agents, setup, teardown_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
