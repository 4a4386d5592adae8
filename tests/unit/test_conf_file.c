/* Names, values and files of the configuration folder, as signetctl writes them. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin.h"

static void
assert_name(const char *text, const char *want)
{
	char name[CONF_NAME_SIZE];

	conf_name(name, text);
	assert_string_equal(name, want);
	assert_true(conf_name_good(name));
}

static void
names_are_made_of_peoples_names(void **state)
{
	(void)state;
	assert_name("Nguyễn Văn An", "nguyen-van-an");
	assert_name("TRẦN THỊ ĐÀO", "tran-thi-dao");
	assert_name("Lê Ngọc Ước", "le-ngoc-uoc");
	assert_name("Nguye\xcc\x82\xcc\x83n", "nguyen"); /* marks of their own */
	assert_name("  Zoë O'Neill-Ñandú  ", "zoe-o-neill-nandu");
	assert_name("", "token");
	assert_name("日本", "token");
	assert_name("\xff\xfe\xc3", "token");
	assert_name("a------b", "a-b");
}

static void
names_have_at_most_48_bytes(void **state)
{
	char text[100], name[CONF_NAME_SIZE];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[99] = '\0';
	conf_name(name, text);
	assert_int_equal(strlen(name), 48);
	text[49] = '\0';
	assert_false(conf_name_good(text));
	text[48] = '\0';
	assert_true(conf_name_good(text));
	text[47] = '\0';
	assert_true(conf_name_good(text));
	assert_false(conf_name_good(""));
	assert_false(conf_name_good("-a"));
	assert_false(conf_name_good("A"));
	assert_false(conf_name_good("a]"));
	assert_false(conf_name_good("../a"));
}

static void
values_are_one_line(void **state)
{
	char text[300];

	(void)state;
	assert_true(conf_value_good("Nguyễn Văn An"));
	assert_false(conf_value_good(""));
	assert_false(conf_value_good("a\nuser = *"));
	assert_false(conf_value_good("a\r"));
	assert_false(conf_value_good("a\tb"));
	assert_false(conf_value_good(" a"));
	assert_false(conf_value_good("a "));
	memset(text, 'x', sizeof(text));
	text[178] = '\0';
	assert_false(conf_value_good(text));
	text[177] = '\0';
	assert_true(conf_value_good(text));
}

static void
uris_name_token_and_key(void **state)
{
	json_t *token = json_pack("{s:s,s:s}", "serial", "01 23;a", "label", "an"), *bare = json_pack("{s:n,s:s}", "serial", "label", "Thẻ");
	json_t *cert = json_pack("{s:s}", "id", "0a1b"), *labelled = json_pack("{s:n,s:s}", "id", "label", "a%b");
	struct conf f = {0};

	(void)state;
	conf_uri(&f, token, cert);
	assert_string_equal(f.text, "pkcs11:serial=01%2023%3ba;id=%0a%1b");
	free(f.text);
	f.text = NULL;
	conf_uri(&f, bare, labelled);
	assert_string_equal(f.text, "pkcs11:token=Th%e1%ba%bb;object=a%25b");
	free(f.text);
	json_decref(token);
	json_decref(bare);
	json_decref(cert);
	json_decref(labelled);
}

static char folder[] = "/tmp/signet-conf-XXXXXX";

static void
files_are_whole_and_never_replaced_unasked(void **state)
{
	char path[100], *text;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/a.conf", folder);
	(void)umask(077);
	assert_int_equal(conf_write(path, "one\n", false), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(conf_write(path, "two\n", false), EEXIST);
	text = conf_read(path);
	assert_string_equal(text, "one\n");
	free(text);
	assert_int_equal(conf_write(path, "two\n", true), 0);
	conf_undo(path, "one\n");
	text = conf_read(path);
	assert_string_equal(text, "one\n");
	free(text);
	conf_undo(path, NULL);
	assert_null(conf_read(path));
	assert_int_equal(rmdir(folder), 0); /* nothing else was left in it */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_made_of_peoples_names),
	    cmocka_unit_test(names_have_at_most_48_bytes),
	    cmocka_unit_test(values_are_one_line),
	    cmocka_unit_test(uris_name_token_and_key),
	    cmocka_unit_test(files_are_whole_and_never_replaced_unasked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
