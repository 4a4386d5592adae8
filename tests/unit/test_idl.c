/* daemon/signetd/idl.c and idl_check.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signetd/idl.h"
#include "signetd/idl_type.h"
#include "unit.h"

/* Memory that runs out: the allocation with this number fails; 0: none. */
static unsigned fail_at, allocations;

static bool
runs_out(void)
{
	return fail_at > 0 && ++allocations == fail_at;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

void *
__wrap_malloc(size_t n)
{
	return runs_out() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return runs_out() ? NULL : __real_calloc(n, size);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return runs_out() ? NULL : __real_reallocarray(p, n, size);
}

#define HEAD "interface org.example.test\n"

static struct idl *
parsed(const char *text)
{
	struct idl *i = NULL;
	char why[200] = "";

	if (idl_parse(&i, text, why, sizeof(why)) != SIGNET_OK)
		fail_msg("does not parse: %s", why);
	return i;
}

static void
assert_refused(const char *text, const char *part)
{
	struct idl *i = NULL;
	char why[200] = "";

	assert_int_equal(idl_parse(&i, text, why, sizeof(why)), SIGNET_ERR_PROTOCOL);
	assert_null(i);
	if (strstr(why, part) == NULL)
		fail_msg("refused with \"%s\", not with \"%s\"", why, part);
}

/* Whole interfaces, from the files that are served. */

static char *
read_text(const char *name)
{
	char path[512], *text = calloc(1, 1 << 16);
	FILE *f;

	assert_non_null(text);
	snprintf(path, sizeof(path), "%s/%s.varlink", SIGNET_VARLINK_DIR, name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
	fclose(f);
	return text;
}

static void
parses_every_interface_that_is_served(void **state)
{
	static const struct {
		const char *name, *method, *error;
		size_t methods;
	} files[] = {
	    {"org.signetd.Signer", "SignBatch", "RequestIdReused", 4},
	    {"org.signetd.Token", "Unlock", "PinLastTry", 3},
	    {"org.signetd.Admin", "Reload", "ReloadFailed", 2},
	    {"org.varlink.service", "GetInfo", "ExpectedMore", 2},
	};
	size_t n;

	(void)state;
	for (n = 0; n < array_len(files); n++) {
		char *text = read_text(files[n].name);
		struct idl *i = parsed(text);

		assert_string_equal(idl_name(i), files[n].name);
		assert_ptr_equal(idl_text(i), text);
		assert_non_null(idl_method(i, files[n].method));
		assert_true(idl_has_error(i, files[n].error));
		assert_true(idl_method_count(i) >= files[n].methods);
		idl_free(i);
		free(text);
	}
}

static void
lists_methods_in_their_order(void **state)
{
	struct idl *i =
	    parsed(HEAD "method Second() -> ()\ntype T (a: int)\nerror E ()\nmethod First() -> ()\n");

	(void)state;
	assert_int_equal(idl_method_count(i), 2);
	assert_string_equal(idl_method_name(i, 0), "Second");
	assert_string_equal(idl_method_name(i, 1), "First");
	assert_null(idl_method_name(i, 2));
	idl_free(i);
}

static void
tells_methods_types_and_errors_apart(void **state)
{
	struct idl *i = parsed(HEAD "method M() -> ()\ntype T (a: int)\nerror E ()\n");

	(void)state;
	assert_non_null(idl_method(i, "M"));
	assert_null(idl_method(i, "T"));
	assert_null(idl_method(i, "E"));
	assert_null(idl_method(i, "m"));
	assert_null(idl_method(i, ""));
	assert_true(idl_has_error(i, "E"));
	assert_false(idl_has_error(i, "M"));
	idl_free(i);
}

static void
takes_comments_and_blanks_between_any_two_words(void **state)
{
	struct idl *i =
	    parsed("# before\n\n interface\t# name\n org.example.test # behind\r\n"
		   "method # m\n M # (\n ( # a\n a # :\n : # ?\n ? # [\n []int # ,\n , b: bool )\n"
		   "  -> # out\n ( ) # done");

	(void)state;
	assert_non_null(idl_method(i, "M"));
	idl_free(i);
}

static void
takes_names_of_interfaces_as_the_grammar_does(void **state)
{
	static const char *const good[] = {
	    "a.b", "org.example.x-1", "o--k.x", "A1.2b", "xn--lgbbat1ad8j.example.algeria"};
	static const char *const bad[] = {
	    "a", "1a.b", "a..b", ".a", "a.", "a.-b", "a-.b", "a.b-", "-a.b", "a_b.c", "", "a.b.c-", "ä.b"};
	char text[100];
	size_t n;

	(void)state;
	for (n = 0; n < array_len(good); n++) {
		struct idl *i;

		snprintf(text, sizeof(text), "interface %s", good[n]);
		i = parsed(text);
		assert_string_equal(idl_name(i), good[n]);
		idl_free(i);
	}
	for (n = 0; n < array_len(bad); n++) {
		snprintf(text, sizeof(text), "interface %s\n", bad[n]);
		assert_refused(text, "expected");
	}
}

static void
takes_names_of_fields_as_the_grammar_does(void **state)
{
	static const char *const good[] = {"a", "aB", "a_b", "A1", "a1_2"};
	static const char *const bad[] = {"1a", "_a", "a_", "a__b", "a-b", "a.b", ""};
	char text[100];
	size_t n;

	(void)state;
	for (n = 0; n < array_len(good); n++) {
		snprintf(text, sizeof(text), HEAD "type T (%s: int)", good[n]);
		idl_free(parsed(text));
	}
	for (n = 0; n < array_len(bad); n++) {
		snprintf(text, sizeof(text), HEAD "type T (%s: int)", bad[n]);
		assert_refused(text, "2: ");
	}
}

static void
refuses_what_the_grammar_does_not_have(void **state)
{
	(void)state;
	assert_refused("", "1: expected \"interface\"");
	assert_refused("interfaceorg.example.x\n", "expected \"interface\"");
	assert_refused("interface org.example.x method M() -> ()\n", "end of the line");
	assert_refused(HEAD "method M() -> () method N() -> ()\n", "2: expected the end of the line");
	assert_refused(HEAD "method m() -> ()\n", "capital");
	assert_refused(HEAD "method M()\n", "expected \"->\"");
	assert_refused(HEAD "method M() - > ()\n", "expected \"->\"");
	assert_refused(HEAD "method M(a, b) -> ()\n", "need types");
	assert_refused(HEAD "method M(a: int,) -> ()\n", "name of a field");
	assert_refused(HEAD "method M(a: int b: int) -> ()\n", "expected ')'");
	assert_refused(HEAD "method M(a: int\n", "expected ')'");
	assert_refused(HEAD "method M int -> ()\n", "expected '('");
	assert_refused(HEAD "error E\n", "expected '('");
	assert_refused(HEAD "error E (a, b)\n", "need types");
	assert_refused(HEAD "type T int\n", "expected '('");
	assert_refused(HEAD "type T (a, b: int)\n", "expected ')'");
	assert_refused(HEAD "type T (a: int, b)\n", "expected ':'");
	assert_refused(HEAD "type T (a: uint)\n", "expected a type");
	assert_refused(HEAD "type T (a: ??int)\n", "expected a type");
	assert_refused(HEAD "type T (a: [int]string)\n", "[] or [string]");
	assert_refused(HEAD "type T (a: [string int)\n", "[] or [string]");
	assert_refused(HEAD "type T (a: [])\n", "expected a type");
	assert_refused(HEAD "typ T (a: int)\n", "expected \"type\"");
	assert_refused(HEAD "interface org.example.y\n", "expected \"type\"");
}

static void
refuses_unknown_and_repeated_names(void **state)
{
	(void)state;
	assert_refused(HEAD "\nmethod M(a: []Thing) -> ()\n", "3: type \"Thing\" is not defined");
	assert_refused(HEAD "error E ()\nmethod M(a: E) -> ()\n", "3: type \"E\" is not defined");
	assert_refused(HEAD "type T (a: int)\ntype T (b: int)\n", "3: \"T\" is there twice");
	assert_refused(HEAD "type T (a: int)\nerror T ()\n", "twice");
	assert_refused(HEAD "type T (a: int, a: bool)\n", "field \"a\" is there twice");
	assert_refused(HEAD "type T (a, b, a)\n", "field \"a\" is there twice");
}

static void
says_the_line(void **state)
{
	(void)state;
	assert_refused("# one\n# two\ninterface org.example.x\n\n\ntype T (\n\ta: int,\n\tb: wrong\n)\n",
	    "8: expected a type");
}

/* "(a: (a: ... int))" with n structs, the one of the type itself included. */
static const char *
nested(size_t n)
{
	static char text[2000];
	size_t i;

	strcpy(text, HEAD "type T ");
	for (i = 0; i < n; i++)
		strcat(text, "(a: ");
	strcat(text, "int");
	for (i = 0; i < n; i++)
		strcat(text, ")");
	return text;
}

static void
refuses_types_nested_deeper_than_its_limit(void **state)
{
	(void)state;
	idl_free(parsed(nested(IDL_DEPTH_MAX - 2)));
	idl_free(parsed(nested(IDL_DEPTH_MAX - 1)));
	assert_refused(nested(IDL_DEPTH_MAX), "nested more than 16 deep");
	assert_refused(nested(100), "nested more than 16 deep");
}

static const char *
with_fields(int n)
{
	static char text[4000];
	int i;

	strcpy(text, HEAD "type T (");
	for (i = 0; i < n; i++)
		sprintf(text + strlen(text), "%sf%d: int", i > 0 ? ", " : "", i);
	strcat(text, ")\nmethod M(t: T) -> ()");
	return text;
}

static void
takes_64_fields_and_refuses_65(void **state)
{
	struct idl *i;
	char field[20];
	json_t *v;

	(void)state;
	idl_free(parsed(with_fields(IDL_FIELDS_MAX - 1)));
	i = parsed(with_fields(IDL_FIELDS_MAX));
	v = json_pack("{s:{}}", "t");
	assert_false(idl_check_input(idl_method(i, "M"), v, field, sizeof(field)));
	assert_string_equal(field, "t.f0");
	json_decref(v);
	idl_free(i);
	assert_refused(with_fields(IDL_FIELDS_MAX + 1), "more than 64 fields");
}

/*
 * Values
 */

static const char shapes[] =
    HEAD "type Pair (x: int, y: ?int)\n"
	 "type Tree (name: string, children: ?[]Tree)\n"
	 "type Colour (red, green)\n"
	 "method Plain(b: bool, i: int, f: float, s: string, o: object) -> (done: bool)\n"
	 "method Lists(a: ?[]int, n: ?[]?int, m: ?[string]Pair, mm: ?[string][]string) -> ()\n"
	 "method Shapes(p: ?Pair, t: ?Tree, c: ?Colour, e: ?(on, off), n: ?(in: (deep: int))) -> ()\n"
	 "error Failed (reason: string, pair: ?Pair)\n";

static struct idl *shape;

static int
parse_shapes(void **state)
{
	(void)state;
	shape = parsed(shapes);
	return 0;
}

static int
free_shapes(void **state)
{
	(void)state;
	idl_free(shape);
	return 0;
}

static json_t *
value(const char *text)
{
	json_t *v = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(v);
	return v;
}

static void
assert_fits(const char *method, const char *text)
{
	json_t *v = value(text);
	char field[100] = "";

	if (!idl_check_input(idl_method(shape, method), v, field, sizeof(field)))
		fail_msg("%s: \"%s\" is at fault", text, field);
	json_decref(v);
}

static void
assert_fault(const char *method, const char *text, const char *expected)
{
	json_t *v = value(text);
	char field[100] = "untouched";

	assert_false(idl_check_input(idl_method(shape, method), v, field, sizeof(field)));
	assert_string_equal(field, expected);
	json_decref(v);
}

static void
takes_each_plain_type_and_no_other(void **state)
{
	(void)state;
	assert_fits("Plain", "{\"b\":true,\"i\":-1,\"f\":1.5,\"s\":\"\",\"o\":{\"any\":[1,{}]}}");
	assert_fits("Plain", "{\"o\":{},\"s\":\"x\",\"f\":2,\"i\":9223372036854775807,\"b\":false}");
	assert_fault("Plain", "{\"b\":1,\"i\":1,\"f\":1,\"s\":\"\",\"o\":{}}", "b");
	assert_fault("Plain", "{\"b\":true,\"i\":1.0,\"f\":1,\"s\":\"\",\"o\":{}}", "i");
	assert_fault("Plain", "{\"b\":true,\"i\":\"1\",\"f\":1,\"s\":\"\",\"o\":{}}", "i");
	assert_fault("Plain", "{\"b\":true,\"i\":1,\"f\":\"1\",\"s\":\"\",\"o\":{}}", "f");
	assert_fault("Plain", "{\"b\":true,\"i\":1,\"f\":1,\"s\":5,\"o\":{}}", "s");
	assert_fault("Plain", "{\"b\":true,\"i\":1,\"f\":1,\"s\":\"\",\"o\":[]}", "o");
}

static void
names_missing_and_unknown_fields(void **state)
{
	(void)state;
	assert_fault("Plain", "{}", "b");
	assert_fault("Plain", "{\"b\":true,\"i\":1,\"f\":1,\"s\":\"\"}", "o");
	assert_fault("Plain", "{\"b\":true,\"i\":1,\"f\":1,\"s\":\"\",\"o\":{},\"z\":1}", "z");
	assert_fault("Plain", "{\"B\":true}", "B");
	assert_fault("Lists", "{\"\":1}", "");
	assert_fault("Lists", "{\"a\":[],\"ab\":[]}", "ab");
	assert_fault("Lists", "{\"unknown\":null}", "unknown");
}

static void
takes_null_for_absent(void **state)
{
	(void)state;
	assert_fits("Lists", "{\"a\":null}");
	assert_fits("Shapes", "{\"p\":{\"x\":1,\"y\":null},\"t\":null}");
	assert_fault("Plain", "{\"b\":null,\"i\":1,\"f\":1,\"s\":\"\",\"o\":{}}", "b");
	assert_fault("Shapes", "{\"p\":{\"x\":null}}", "p.x");
}

static void
takes_null_in_lists_only_where_elements_may_be_null(void **state)
{
	(void)state;
	assert_fits("Lists", "{\"n\":[1,null,3]}");
	assert_fault("Lists", "{\"a\":[1,null,3]}", "a[1]");
}

static void
looks_into_arrays_maps_and_structs(void **state)
{
	(void)state;
	assert_fits("Lists", "{\"a\":[],\"m\":{},\"mm\":{}}");
	assert_fits("Lists", "{\"a\":[1,2],\"m\":{\"any key\":{\"x\":1}},\"mm\":{\"\":[\"a\"]}}");
	assert_fault("Lists", "{\"a\":[1,\"2\"]}", "a[1]");
	assert_fault("Lists", "{\"a\":{}}", "a");
	assert_fault("Lists", "{\"m\":[]}", "m");
	assert_fault("Lists", "{\"m\":{\"k\":{\"x\":1,\"z\":2}}}", "m.k.z");
	assert_fault("Lists", "{\"m\":{\"k\":{}}}", "m.k.x");
	assert_fault("Lists", "{\"m\":{\"k\":null}}", "m.k");
	assert_fault("Lists", "{\"mm\":{\"k\":[\"a\",[]]}}", "mm.k[1]");
	assert_fault("Shapes", "{\"p\":[]}", "p");
	assert_fault("Shapes", "{\"n\":{\"in\":{\"deep\":\"no\"}}}", "n.in.deep");
}

static void
takes_only_words_of_an_enum(void **state)
{
	(void)state;
	assert_fits("Shapes", "{\"c\":\"red\",\"e\":\"off\"}");
	assert_fault("Shapes", "{\"c\":\"blue\"}", "c");
	assert_fault("Shapes", "{\"c\":\"re\"}", "c");
	assert_fault("Shapes", "{\"c\":\"redd\"}", "c");
	assert_fault("Shapes", "{\"c\":\"\"}", "c");
	assert_fault("Shapes", "{\"c\":1}", "c");
	assert_fault("Shapes", "{\"e\":\"red\"}", "e");
}

static void
parameters_must_be_an_object(void **state)
{
	(void)state;
	assert_fault("Lists", "[]", "");
	assert_fits("Lists", "{}");
}

/* {"t": {"name": "", "children": [{...}]}} with n trees in each other. */
static json_t *
tree(unsigned n)
{
	json_t *t = json_pack("{s:s}", "name", "");

	while (--n > 0)
		t = json_pack("{s:s,s:[o]}", "name", "", "children", t);
	return json_pack("{s:o}", "t", t);
}

static void
a_type_that_contains_itself_ends_with_the_value(void **state)
{
	const struct idl_method *m = idl_method(shape, "Shapes");
	char field[200];
	json_t *v;

	(void)state;
	v = tree(7); /* the parameters, 7 trees, 6 arrays between them: 14 levels, and names below */
	assert_true(idl_check_input(m, v, field, sizeof(field)));
	json_decref(v);
	v = tree(8);
	assert_false(idl_check_input(m, v, field, sizeof(field)));
	assert_non_null(strstr(field, "t.children[0].children[0]"));
	json_decref(v);
	v = tree(900);
	assert_false(idl_check_input(m, v, field, sizeof(field)));
	json_decref(v);
}

static void
a_struct_that_needs_itself_is_refused_by_every_value(void **state)
{
	struct idl *i = parsed(HEAD "type A (a: A)\nmethod M(a: A) -> ()\n");
	json_t *v = value("{\"a\":{\"a\":{\"a\":{}}}}");
	char field[50];

	(void)state;
	assert_false(idl_check_input(idl_method(i, "M"), v, field, sizeof(field)));
	assert_string_equal(field, "a.a.a.a");
	json_decref(v);
	idl_free(i);
}

static void
checks_output_and_errors_as_well(void **state)
{
	json_t *good = value("{\"done\":true}"), *bad = value("{\"done\":1}"),
	       *reason = value("{\"reason\":\"x\"}");
	char field[50];

	(void)state;
	assert_true(idl_check_output(idl_method(shape, "Plain"), good, field, sizeof(field)));
	assert_false(idl_check_output(idl_method(shape, "Plain"), bad, field, sizeof(field)));
	assert_string_equal(field, "done");
	assert_true(idl_check_error(shape, "Failed", reason, field, sizeof(field)));
	assert_false(idl_check_error(shape, "Failed", good, field, sizeof(field)));
	assert_string_equal(field, "done");
	assert_false(idl_check_error(shape, "Unknown", reason, field, sizeof(field)));
	assert_false(idl_check_error(shape, "Plain", reason, field, sizeof(field)));
	json_decref(good);
	json_decref(bad);
	json_decref(reason);
}

static void
cuts_a_long_path_between_two_characters(void **state)
{
	json_t *v = value("{\"mm\":{\"\\u20ac\\u20ac\\u20ac\":1}}");
	const struct idl_method *m = idl_method(shape, "Lists");
	char field[16];
	json_t *text;
	size_t size;

	(void)state;
	for (size = 1; size <= sizeof(field); size++) {
		size_t characters = size > 4 ? (size - 4) / 3 : 0;

		memset(field, 'x', sizeof(field));
		assert_false(idl_check_input(m, v, field, size));
		assert_true(strlen(field) < size);
		if (size >= 4)
			assert_memory_equal(field, "mm.", 3);
		if (size >= 4 && characters <= 3)
			assert_int_equal(strlen(field), 3 + 3 * characters);
		text = json_string(field); /* refuses what is not UTF-8 */
		assert_non_null(text);
		json_decref(text);
	}
	json_decref(v);
}

static void
nothing_is_written_where_there_is_no_room(void **state)
{
	json_t *v = value("{\"z\":1}");
	char field[1] = {'x'};

	(void)state;
	assert_false(idl_check_input(idl_method(shape, "Lists"), v, field, 0));
	assert_int_equal(field[0], 'x');
	json_decref(v);
}

static void
takes_fields_in_any_order(void **state)
{
	static const char *const members[] = {"\"b\":true", "\"i\":1", "\"f\":1", "\"s\":\"\"", "\"o\":{}"};
	char text[100];
	size_t start, step, i;

	(void)state;
	for (start = 0; start < 5; start++) {
		for (step = 1; step < 5; step++) {
			strcpy(text, "{");
			for (i = 0; i < 5; i++) {
				strcat(text, i > 0 ? "," : "");
				strcat(text, members[(start + i * step) % 5]);
			}
			strcat(text, "}");
			assert_fits("Plain", text);
		}
	}
}

static void
a_small_room_for_the_reason_is_enough(void **state)
{
	struct idl *i = NULL;
	char why[4] = "???";

	(void)state;
	assert_int_equal(idl_parse(&i, "nothing", why, sizeof(why)), SIGNET_ERR_PROTOCOL);
	assert_string_equal(why, "1: ");
	assert_int_equal(idl_parse(&i, "nothing", why, 0), SIGNET_ERR_PROTOCOL);
	idl_free(NULL);
}

static void
survives_every_allocation_that_fails(void **state)
{
	static const char text[] =
	    HEAD "type T (a: []int, b: ?(x, y))\nmethod M(t: T) -> (m: [string]T)\nerror E ()\n";
	struct idl *i = NULL;
	signet_err err;
	char why[100];

	(void)state;
	for (fail_at = 1;; fail_at++) {
		allocations = 0;
		err = idl_parse(&i, text, why, sizeof(why));
		if (err == SIGNET_OK)
			break;
		assert_int_equal(err, SIGNET_ERR_MEMORY);
		assert_null(i);
	}
	assert_true(fail_at > 15);
	fail_at = 0;
	idl_free(i);
}

static void
checks_without_allocating(void **state)
{
	json_t *good = value("{\"p\":{\"x\":1},\"t\":{\"name\":\"\",\"children\":[]},\"c\":\"red\"}");
	json_t *bad = value("{\"t\":{\"name\":\"\",\"children\":[{}]}}");
	char field[100];
	bool first, second;

	(void)state;
	fail_at = UINT32_MAX;
	allocations = 0;
	first = idl_check_input(idl_method(shape, "Shapes"), good, field, sizeof(field));
	second = idl_check_input(idl_method(shape, "Shapes"), bad, field, sizeof(field));
	fail_at = 0;
	assert_true(first);
	assert_false(second);
	assert_int_equal(allocations, 0);
	json_decref(good);
	json_decref(bad);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_every_interface_that_is_served),
	    cmocka_unit_test(lists_methods_in_their_order),
	    cmocka_unit_test(tells_methods_types_and_errors_apart),
	    cmocka_unit_test(takes_comments_and_blanks_between_any_two_words),
	    cmocka_unit_test(takes_names_of_interfaces_as_the_grammar_does),
	    cmocka_unit_test(takes_names_of_fields_as_the_grammar_does),
	    cmocka_unit_test(refuses_what_the_grammar_does_not_have),
	    cmocka_unit_test(refuses_unknown_and_repeated_names),
	    cmocka_unit_test(says_the_line),
	    cmocka_unit_test(refuses_types_nested_deeper_than_its_limit),
	    cmocka_unit_test(takes_64_fields_and_refuses_65),
	    cmocka_unit_test(takes_each_plain_type_and_no_other),
	    cmocka_unit_test(names_missing_and_unknown_fields),
	    cmocka_unit_test(takes_null_for_absent),
	    cmocka_unit_test(takes_null_in_lists_only_where_elements_may_be_null),
	    cmocka_unit_test(looks_into_arrays_maps_and_structs),
	    cmocka_unit_test(takes_only_words_of_an_enum),
	    cmocka_unit_test(parameters_must_be_an_object),
	    cmocka_unit_test(a_type_that_contains_itself_ends_with_the_value),
	    cmocka_unit_test(a_struct_that_needs_itself_is_refused_by_every_value),
	    cmocka_unit_test(checks_output_and_errors_as_well),
	    cmocka_unit_test(cuts_a_long_path_between_two_characters),
	    cmocka_unit_test(nothing_is_written_where_there_is_no_room),
	    cmocka_unit_test(takes_fields_in_any_order),
	    cmocka_unit_test(survives_every_allocation_that_fails),
	    cmocka_unit_test(checks_without_allocating),
	    cmocka_unit_test(a_small_room_for_the_reason_is_enough),
	};

	return cmocka_run_group_tests(tests, parse_shapes, free_shapes);
}
