/* daemon/signetd/dispatch.c: every method has a verb, a handler and a type, and each call its answer */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "broker_case.h"
#include "signetd/dispatch.h"
#include "unit.h"

static const struct {
	const char *interface, *name;
	enum verb verb;
	enum method_scope scope;
	void (*handler)(struct request *r);
} methods[] = {
#define METHOD(i, n, v, s, h) {i, n, VERB_##v, s, h},
#include "methods.def"
#undef METHOD
};

static struct broker_case one;

static int
setup(void **state)
{
	case_make(&one);
	case_start(&one);
	*state = &one;
	return 0;
}

static int
teardown(void **state)
{
	case_stop(*state);
	case_remove_dir(*state);
	return 0;
}

static void
every_declared_method_has_a_verb_and_a_handler(void **state)
{
	const struct idl *const *list;
	size_t interfaces = dispatch_interfaces(&list), declared = 0;

	(void)state;
	for (size_t i = 0; i < array_len(methods); i++) {
		bool service = strcmp(methods[i].interface, "org.varlink.service") == 0;

		assert_non_null(methods[i].handler);
		assert_true(methods[i].verb > VERB_NONE && methods[i].verb < VERB_COUNT);
		assert_int_equal(methods[i].verb == VERB_PUBLIC, service); /* open to everyone: only these */
		if (methods[i].scope == WHOLE)
			assert_false(verb_needs_key(methods[i].verb)); /* would be refused for ever */
		assert_non_null(idl_method(dispatch_interface(methods[i].interface), methods[i].name));
		for (size_t k = 0; k < i; k++)
			assert_false(strcmp(methods[i].interface, methods[k].interface) == 0 &&
				     strcmp(methods[i].name, methods[k].name) == 0);
	}
	for (size_t i = 0; i < interfaces; i++)
		declared += idl_method_count(list[i]);
	assert_int_equal(declared, array_len(methods));
}

/* A user without a rule: whatever he calls, with whatever parameters, he is refused and nothing happens. */
static void
stranger_is_refused_by_every_method(void **state)
{
	static const char *const params[] = {"{}", "{\"key\":\"k\",\"digest\":\"x\"}",
	    "{\"key\":\"k\",\"items\":[]}", "{\"token\":\"a\",\"pin\":\"1234\"}", "{\"token\":\"a\"}",
	    "{\"index\":0}", "{\"index\":0,\"reason\":\"x\"}", "{\"first\":0}", "{\"directory\":\"/tmp/x\"}",
	    "{\"limit\":1}", "{\"key\":\"k\"}"};
	static const char *const fine[] = {
	    "KeyNotFound", "TokenNotFound", "NotPermitted", "InvalidParameter", "RequestNotFound"};
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_STRANGER);
	for (size_t i = 0; i < array_len(methods); i++)
		for (size_t p = 0; p < array_len(params); p++) {
			const char *error;
			bool refused = false;

			if (methods[i].verb == VERB_PUBLIC)
				continue;
			error = client_call(c, &k, "{\"method\":\"%s.%s\",\"parameters\":%s}",
			    methods[i].interface, methods[i].name, params[p]);
			for (size_t n = 0; n < array_len(fine); n++)
				refused = refused || strcmp(error, fine[n]) == 0;
			if (!refused)
				fail_msg("%s %s: \"%s\"", methods[i].name, params[p], error);
		}
	assert_int_equal(c->logins, 0);
	client_close(&k);
}

static void
names_that_are_not_there_say_which_part(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	assert_string_equal(
	    client_call(c, &k, "{\"method\":\"org.signetd.Signer.Nothing\"}"), "MethodNotFound");
	assert_string_equal(client_call(c, &k, "{\"method\":\"org.signetd.Signer.\"}"), "MethodNotFound");
	assert_string_equal(
	    client_call(c, &k, "{\"method\":\"org.signetd.Nothing.Sign\"}"), "InterfaceNotFound");
	assert_string_equal(client_call(c, &k, "{\"method\":\"Sign\"}"), "InterfaceNotFound");
	assert_string_equal(client_call(c, &k, "{\"method\":\"\"}"), "InterfaceNotFound");
	assert_string_equal(
	    client_call(c, &k, "{\"method\":\"org.signetd.Signer.ListKeys\",\"upgrade\":true}"),
	    "MethodNotImplemented");
	client_close(&k);
}

static void
bad_parameters_are_named(void **state)
{
	static const struct {
		const char *call, *field;
	} table[] = {
	    {"Sign\",\"parameters\":{\"key\":\"k\"}", "digest"},
	    {"Sign\",\"parameters\":{\"key\":1,\"digest\":\"x\"}", "key"},
	    {"Sign\",\"parameters\":{\"key\":\"k\",\"digest\":\"x\",\"more\":1}", "more"},
	    {"Sign\",\"parameters\":{\"key\":\"k\",\"digest\":\"x\",\"scheme\":\"dsa\"}", "scheme"},
	    {"Sign\",\"parameters\":{\"key\":\"k\",\"digest\":\"x\",\"document\":{\"titel\":\"x\"}}",
		"document.titel"},
	    {"Sign\",\"parameters\":{\"key\":\"k\",\"digest\":\"x\",\"timeoutMs\":0}", "timeoutMs"},
	    {"Sign\",\"parameters\":{\"key\":\"k\",\"digest\":\"x\",\"timeoutMs\":600001}", "timeoutMs"},
	    {"Sign\",\"parameters\":{\"key\":\"k\",\"digest\":\"x\",\"pin\":\"\"}", "pin"},
	    {"SignBatch\",\"parameters\":{\"key\":\"k\",\"items\":[{\"digest\":\"x\"},{}]}",
		"items[1].digest"},
	    {"Collect\",\"parameters\":{}", "requestId"},
	    {"Collect\",\"parameters\":{\"index\":0,\"requestId\":\"x\"}", "index"},
	    {"Collect\",\"parameters\":{\"index\":-1}", "index"},
	};
	struct broker_case *c = *state;
	struct client k;

	client_connect(c, &k, CASE_ALICE);
	for (size_t i = 0; i < array_len(table); i++) {
		json_t *reply;

		client_send(&k, "{\"method\":\"org.signetd.Signer.%s}", table[i].call);
		reply = client_reply(c, &k);
		assert_string_equal(json_member_str(reply, "error"), "org.varlink.service.InvalidParameter");
		assert_string_equal(
		    json_member_str(json_object_get(reply, "parameters"), "parameter"), table[i].field);
		json_decref(reply);
	}
	client_close(&k);
}

static void
own_uid_is_refused_unless_it_is_welcome(void **state)
{
	struct broker_case *c = *state;
	struct client k;

	c->b.config->own_uid = false;
	client_connect(c, &k, geteuid());
	assert_string_equal(
	    client_call(c, &k, "{\"method\":\"org.varlink.service.GetInfo\"}"), "PermissionDenied");
	assert_string_equal(client_call(c, &k, CALL_RELOAD), "PermissionDenied");
	c->b.config->own_uid = true;
	client_close(&k);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    CASE(every_declared_method_has_a_verb_and_a_handler),
	    CASE(stranger_is_refused_by_every_method),
	    CASE(names_that_are_not_there_say_which_part),
	    CASE(bad_parameters_are_named),
	    CASE(own_uid_is_refused_unless_it_is_welcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
