/* daemon/signetd/config*.c */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signetd/config.h"
#include "signetd/config_parse.h"
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
char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);

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

char *
__wrap_strdup(const char *s)
{
	return runs_out() ? NULL : __real_strdup(s);
}

/* One folder per test: DIR/signetd.conf, DIR/signetd.conf.d, DIR/lib/module.so. */
static char dir[64], conf[128];

static const char *
in_dir(const char *name)
{
	static char path[4][256];
	static unsigned at;

	at = (at + 1) % 4;
	snprintf(path[at], sizeof(path[at]), "%s/%s", dir, name);
	return path[at];
}

static void
write_bytes(const char *name, const char *text, size_t len)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_dir(name), 0644), 0);
}

/* DIR in the text stands for the folder. */
static void
write_file(const char *name, const char *text)
{
	char out[16384];
	size_t n = 0;

	for (; *text != '\0'; text++) {
		assert_true(n + sizeof(dir) < sizeof(out));
		if (strncmp(text, "DIR", 3) == 0) {
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%s", dir);
			text += 2;
		} else {
			out[n++] = *text;
		}
	}
	write_bytes(name, out, n);
}

static int
make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/signet-config-XXXXXX");
	if (mkdtemp(dir) == NULL || chmod(dir, 0755) != 0)
		return -1;
	snprintf(conf, sizeof(conf), "%s/signetd.conf", dir);
	if (mkdir(in_dir("lib"), 0755) != 0 || mkdir(in_dir("signetd.conf.d"), 0755) != 0)
		return -1;
	write_bytes("lib/module.so", "", 0);
	return 0;
}

static int
remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static struct config *
loaded(void)
{
	struct config *c = NULL;
	char why[512] = "";

	if (config_load(&c, conf, why, sizeof(why)) != SIGNET_OK)
		fail_msg("%s", why);
	return c;
}

/* `place`: file and line from DIR on, as "signetd.conf:3". */
static void
assert_not_loaded(const char *place, const char *part)
{
	struct config *c = NULL;
	char why[512] = "", head[256];

	assert_int_equal(config_load(&c, conf, why, sizeof(why)), SIGNET_ERR_CONFIG);
	assert_null(c);
	snprintf(head, sizeof(head), "%s/%s: ", dir, place);
	if (strncmp(why, head, strlen(head)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", why, head);
	if (strstr(why + strlen(head), part) == NULL)
		fail_msg("\"%s\" has no \"%s\"", why, part);
}

static void
assert_bad(const char *text, int line, const char *part)
{
	char place[32];

	write_file("signetd.conf", text);
	snprintf(place, sizeof(place), "signetd.conf:%d", line);
	assert_not_loaded(place, part);
}

/* Lines 1 to 5, all that a token needs; and 6 to 8, a key. */
#define TOKEN "[daemon]\nown-uid = yes\n[token t]\nmodule = DIR/lib/module.so\nserial = 12ab\n"
#define KEY "[key k]\ntoken = t\nuri = pkcs11:serial=12ab;id=%01\n"

static void
assert_good(const char *text)
{
	write_file("signetd.conf", text);
	config_unref(loaded());
}

/*
 * Values
 */

static void
an_empty_file_has_the_documented_defaults(void **state)
{
	struct config *c;

	(void)state;
	write_file("signetd.conf", "");
	c = loaded();
	assert_string_equal(c->socket, "/run/signet/signet.sock");
	assert_string_equal(c->state, "/var/lib/signet");
	assert_string_equal(c->lock_directory, "/run/lock");
	assert_non_null(strstr(c->token_program, "/signet-token"));
	assert_false(c->own_uid);
	assert_true(c->sandbox);
	assert_int_equal(c->connections, 1024);
	assert_int_equal(c->connections_per_uid, 256);
	assert_int_equal(c->jobs_per_uid, 1024);
	assert_int_equal(c->queue_per_token, 4096);
	assert_int_equal(c->bytes_per_uid, 16 << 20);
	assert_int_equal(c->refusals_per_day, 200);
	assert_int_equal(c->prompts, 256);
	assert_int_equal(c->prompts_per_uid, 32);
	assert_int_equal(strncmp(c->origin, "signet.invalid/", 15), 0);
	assert_true(strlen(c->origin) > 15);
	assert_int_equal(c->reserve, 64 << 20);
	assert_int_equal(c->token_count + c->key_count + c->policy->rule_count, 0);
	config_unref(c);
}

static void
reads_every_key_of_the_daemon(void **state)
{
	struct config *c;

	(void)state;
	write_file("signetd.conf",
	    "[daemon]\nsocket = /a/b.sock\nstate=/s\nlock-directory =/l\ntoken-program = /p\nown-uid = "
	    "yes\nsandbox = off\n"
	    "[limits]\nconnections = 4\nconnections-per-uid = 3\njobs-per-uid = 2\nqueue-per-token = 1\n"
	    "bytes-per-uid = 64K\nrefusals-per-day = 7\nprompts = 9\nprompts-per-uid = 8\n[log]\norigin = example.org/log\nreserve = 1G\n");
	c = loaded();
	assert_string_equal(c->socket, "/a/b.sock");
	assert_string_equal(c->state, "/s");
	assert_string_equal(c->lock_directory, "/l");
	assert_string_equal(c->token_program, "/p");
	assert_true(c->own_uid);
	assert_false(c->sandbox);
	assert_int_equal(c->connections, 4);
	assert_int_equal(c->connections_per_uid, 3);
	assert_int_equal(c->jobs_per_uid, 2);
	assert_int_equal(c->queue_per_token, 1);
	assert_int_equal(c->bytes_per_uid, 65536);
	assert_int_equal(c->refusals_per_day, 7);
	assert_int_equal(c->prompts, 9);
	assert_int_equal(c->prompts_per_uid, 8);
	assert_string_equal(c->origin, "example.org/log");
	assert_int_equal(c->reserve, 1 << 30);
	config_unref(c);
}

static void
a_token_has_the_documented_defaults(void **state)
{
	const struct config_token *t;
	struct config *c;

	(void)state;
	write_file("signetd.conf", TOKEN);
	c = loaded();
	t = config_token_find(c, "t");
	assert_non_null(t);
	assert_string_equal(t->serial, "12ab");
	assert_null(t->label);
	assert_null(t->holder);
	assert_int_equal(t->holder_user_count, 0);
	assert_int_equal(t->lanes, 1);
	assert_false(t->verify_first);
	assert_false(t->lease_shared);
	assert_int_equal(t->uses_max, 1000);
	assert_int_equal(t->seconds_max, 28800);
	assert_null(t->credential);
	assert_true(t->pin_from_client);
	assert_int_equal(t->sign_timeout_ms, 15000);
	assert_int_equal(t->login_timeout_ms, 15000);
	assert_int_equal(t->path_count + t->environment_count, 0);
	assert_string_equal(t->at.file, conf);
	assert_int_equal(t->at.line, 3);
	assert_null(config_token_find(c, "u"));
	config_unref(c);
}

static void
reads_every_key_of_a_token(void **state)
{
	const struct config_token *t;
	struct config *c;

	(void)state;
	write_file("signetd.conf",
	    "[daemon]\nown-uid = yes\n[token a.b_c-1]\nmodule = DIR/lib/module.so\nlabel = Con dấu 1\n"
	    "holder = Nguyễn Văn A\nholder-user = 1000 root\nlanes = 16\nverify = first\nlease = shared\nmax-uses = 5\nmax-seconds = "
	    "60\n"
	    "credential = seal-pin\npin-from-client = no\nsign-timeout = 500ms\nlogin-timeout = 2min\n"
	    "paths = /a /b\n\t/c ; the last\npaths = /d\nenvironment = A=1 B_2=x=y\n");
	c = loaded();
	t = config_token_find(c, "a.b_c-1");
	assert_non_null(t);
	assert_string_equal(t->label, "Con dấu 1");
	assert_string_equal(t->holder, "Nguyễn Văn A");
	assert_int_equal(t->holder_user_count, 2);
	assert_int_equal(t->holder_users[0], 1000);
	assert_int_equal(t->holder_users[1], 0);
	assert_int_equal(t->lanes, 16);
	assert_true(t->verify_first);
	assert_true(t->lease_shared);
	assert_int_equal(t->uses_max, 5);
	assert_int_equal(t->seconds_max, 60);
	assert_string_equal(t->credential, "seal-pin");
	assert_false(t->pin_from_client);
	assert_int_equal(t->sign_timeout_ms, 500);
	assert_int_equal(t->login_timeout_ms, 120000);
	assert_int_equal(t->path_count, 4);
	assert_string_equal(t->paths[0], "/a");
	assert_string_equal(t->paths[2], "/c");
	assert_string_equal(t->paths[3], "/d");
	assert_int_equal(t->environment_count, 2);
	assert_string_equal(t->environment[1], "B_2=x=y");
	config_unref(c);
}

static void
reads_every_key_of_a_key(void **state)
{
	const struct config_key *k;
	struct config *c;

	(void)state;
	write_file("signetd.conf",
	    TOKEN "holder = Ms B\n" KEY
		  "[key l]\ntoken = t\nuri = pkcs11:serial=12ab;object=x%20y;type=private ; a comment\n"
		  "use = seal\nscheme = pss\norganisation = UBND xã\nholder = Mr C\n");
	c = loaded();
	k = config_key_find(c, "k");
	assert_non_null(k);
	assert_int_equal(k->use, USE_PERSONAL);
	assert_int_equal(k->scheme, SCHEME_DEFAULT);
	assert_string_equal(k->holder, "Ms B"); /* the token's */
	assert_null(k->organisation);
	k = config_key_find(c, "l");
	assert_non_null(k);
	assert_string_equal(k->uri, "pkcs11:serial=12ab;object=x%20y;type=private");
	assert_int_equal(k->use, USE_SEAL);
	assert_int_equal(k->scheme, SCHEME_PSS);
	assert_string_equal(k->organisation, "UBND xã");
	assert_string_equal(k->holder, "Mr C");
	assert_int_equal(k->token, 0);
	assert_int_equal(k->at.line, 10);
	assert_null(config_key_find(c, "m"));
	config_unref(c);
}

static void
reads_every_key_of_a_rule(void **state)
{
	const struct policy_rule *r;
	struct config *c;
	char text[600];

	(void)state;
	snprintf(text, sizeof(text),
	    "%s[rule one]\nuser = %s 4000000000\ngroup = %s\n 77\nverbs = sign list\nverbs = admin\nkeys = "
	    "k\n"
	    "[rule two]\nuser = *\nverbs = read-own\n",
	    TOKEN KEY, getpwuid(0)->pw_name, getgrgid(0)->gr_name);
	write_file("signetd.conf", text);
	c = loaded();
	assert_int_equal(c->policy->rule_count, 2);
	r = &c->policy->rules[0];
	assert_string_equal(r->name, "one");
	assert_string_equal(r->file, conf);
	assert_int_equal(r->line, 9);
	assert_false(r->any_user);
	assert_int_equal(r->user_count, 2);
	assert_int_equal(r->users[0], 0);
	assert_int_equal(r->users[1], 4000000000);
	assert_int_equal(r->group_count, 2);
	assert_int_equal(r->groups[1], 77);
	assert_int_equal(r->verbs, 1u << VERB_SIGN | 1u << VERB_LIST | 1u << VERB_ADMIN);
	assert_false(r->any_key);
	assert_int_equal(r->key_count, 1);
	assert_string_equal(r->keys[0], "k");
	assert_true(c->policy->rules[1].any_user);
	assert_false(c->policy->rules[1].any_key);
	config_unref(c);
}

static void
numbers_are_taken_up_to_their_limits_and_not_beyond(void **state)
{
	static const struct {
		const char *head, *key, *good_low, *good_high, *low, *high;
	} table[] = {
	    {"[limits]\n", "connections", "1", "4096", "0", "4097"},
	    {"[limits]\n", "connections-per-uid", "1", "4096", "0", "4097"},
	    {"[limits]\n", "jobs-per-uid", "1", "65536", "0", "65537"},
	    {"[limits]\n", "queue-per-token", "1", "65536", "0", "65537"},
	    {"[limits]\n", "bytes-per-uid", "65536", "1G", "65535", "1073741825"},
	    {"[limits]\n", "refusals-per-day", "1", "10000", "0", "10001"},
	    {"[limits]\n", "prompts", "1", "4096", "0", "4097"},
	    {"[limits]\n", "prompts-per-uid", "1", "1024", "0", "1025"},
	    {"[log]\n", "reserve", "1M", "1024M", "1023K", "1025M"},
	    {TOKEN, "lanes", "1", "16", "0", "17"},
	    {TOKEN, "max-uses", "1", "1000000", "0", "1000001"},
	    {TOKEN, "max-seconds", "1", "86400", "0", "86401"},
	    {TOKEN, "sign-timeout", "100ms", "10min", "99ms", "600001ms"},
	    {TOKEN, "login-timeout", "1s", "600s", "0s", "601s"},
	};
	char text[300];
	size_t i;

	(void)state;
	for (i = 0; i < array_len(table); i++) {
		int line = strcmp(table[i].head, TOKEN) == 0 ? 6 : 2;

		snprintf(text, sizeof(text), "%s%s = %s\n", table[i].head, table[i].key, table[i].good_low);
		assert_good(text);
		snprintf(text, sizeof(text), "%s%s = %s\n", table[i].head, table[i].key, table[i].good_high);
		assert_good(text);
		snprintf(text, sizeof(text), "%s%s = %s\n", table[i].head, table[i].key, table[i].low);
		assert_bad(text, line, table[i].key);
		snprintf(text, sizeof(text), "%s%s = %s\n", table[i].head, table[i].key, table[i].high);
		assert_bad(text, line, table[i].key);
	}
}

static void
refuses_values_that_are_not_what_their_key_takes(void **state)
{
	(void)state;
	assert_bad("[limits]\nconnections = many\n", 2, "a number");
	assert_bad("[limits]\nconnections = -1\n", 2, "a number");
	assert_bad("[limits]\nconnections = 0x10\n", 2, "a number");
	assert_bad("[limits]\nconnections = 10 20\n", 2, "a number");
	assert_bad("[limits]\nconnections = 99999999999999999999999\n", 2, "a number");
	assert_bad("[limits]\nbytes-per-uid = 16MB\n", 2, "number of bytes");
	assert_bad("[limits]\nbytes-per-uid = 18446744073709551615G\n", 2, "number of bytes");
	assert_bad(TOKEN "sign-timeout = 15\n", 6, "units: ms, s, min");
	assert_bad(TOKEN "sign-timeout = 1h\n", 6, "units: ms, s, min");
	assert_bad("[daemon]\nsandbox = maybe\n", 2, "yes or no");
	assert_bad("[daemon]\nsocket = run/x\n", 2, "absolute");
	assert_bad("[daemon]\nsocket = /run/../x\n", 2, "absolute");
	assert_bad("[daemon]\nsocket = /run/./x\n", 2, "absolute");
	assert_bad("[daemon]\nsocket = /run//x\n", 2, "absolute");
	assert_bad(TOKEN "verify = never\n", 6, "one of always first");
	assert_bad(TOKEN "lease = all\n", 6, "one of own shared");
	assert_bad(TOKEN "paths = /a b\n", 6, "absolute");
	assert_bad(TOKEN KEY "use = any\n", 9, "one of personal seal timestamp log");
	assert_bad(TOKEN KEY "scheme = rsa\n", 9, "pkcs1 pss");
	assert_bad("[log]\norigin = a b\n", 2, "without blanks");
	assert_bad("[log]\norigin = a+b\n", 2, "without blanks");
	assert_bad(TOKEN "serial =\n", 6, "\"serial\" is there twice");
	assert_bad(TOKEN "holder-user = *\n", 6, "users by name or number");
	assert_bad(TOKEN "holder-user = no-such-user\n", 6, "unknown user");
	assert_good(TOKEN "holder-user = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
	assert_bad(TOKEN "holder-user = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n", 6, "more than 16 words");
	assert_good("[rule r]\nuser = 1\nverbs = sign\nkeys = *\nprompt = wait\n");
	assert_bad("[rule r]\nuser = 1\nverbs = sign\nkeys = *\nprompt = ask\n", 5, "one of no yes wait");
	assert_bad("[rule r]\nuser = 1\nverbs = admin\nprompt = yes\n", 4, "nothing that needs a PIN");
	assert_bad("[daemon]\nsocket =\n", 2, "no value");
	assert_bad("[daemon]\nsocket = ; nothing\n", 2, "no value");
}

static void
texts_for_people_are_checked_as_on_the_wire(void **state)
{
	(void)state;
	assert_bad(TOKEN "holder = a\xe2\x80\xae"
			 "b\n",
	    6, "direction");
	assert_bad(TOKEN "holder = e\xcc\x81\n", 6, "normalisation");
	assert_bad(TOKEN KEY "organisation = \xee\x80\x80\n", 9, "private-use");
}

static void
names_of_a_token_fit_into_its_own_fields(void **state)
{
	(void)state;
	assert_good(
	    "[daemon]\nown-uid = on\n[token t]\nmodule = DIR/lib/module.so\nserial = 1234567890123456\n");
	assert_bad(
	    "[daemon]\nown-uid = on\n[token t]\nmodule = DIR/lib/module.so\nserial = 12345678901234567\n", 5,
	    "16 bytes");
	assert_good("[daemon]\nown-uid = on\n[token t]\nmodule = DIR/lib/module.so\nlabel = "
		    "12345678901234567890123456789012\n");
	assert_bad("[daemon]\nown-uid = on\n[token t]\nmodule = DIR/lib/module.so\nlabel = "
		   "123456789012345678901234567890123\n",
	    5, "32 bytes");
}

static void
a_socket_path_fits_into_an_address(void **state)
{
	char text[300], path[110];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	snprintf(text, sizeof(text), "[daemon]\nsocket = %.107s\n", path);
	assert_good(text);
	snprintf(text, sizeof(text), "[daemon]\nsocket = %.108s\n", path);
	assert_bad(text, 2, "longer than 107");
}

/*
 * Sections and keys
 */

static void
refuses_unknown_sections_and_keys(void **state)
{
	(void)state;
	assert_bad("\n[demon]\n", 2, "unknown section [demon]");
	assert_bad("[]\n", 1, "unknown section");
	assert_bad("[daemon]\nsokcet = /x\n", 2, "unknown key \"sokcet\" in [daemon]");
	assert_bad("[daemon]\nlanes = 1\n", 2, "unknown key \"lanes\" in [daemon]");
	assert_bad(TOKEN "token = t\n", 6, "unknown key");
	assert_bad("socket = /x\n", 1, "before the first");
	assert_bad("[daemon]\nSocket = /x\n", 2, "unknown key");
}

static void
refuses_malformed_lines(void **state)
{
	(void)state;
	assert_bad("[daemon]\nsocket\n", 2, "key = value");
	assert_bad("[daemon]\nnonsense\nsokcet = 1\n", 2, "key = value"); /* the first error is told */
	assert_bad("[daemon]\nstate: /x\n", 2, "not by \":\"");
	assert_bad("[daemon\n", 1, "[SECTION]");
	assert_bad("[daemon] x\n", 1, "[SECTION]");
	assert_bad("  [daemon]\n", 1, "start of its line");
	assert_bad("[daemon]\n  socket = /x\n", 2, "start of its line");
	assert_bad("[daemon]\nsocket = /x\n  state = /y\n", 3, "goes on with a list");
	assert_bad("[daemon]\nsocket = /x\n  /y\n", 3, "goes on with a list");
}

static void
an_indented_line_belongs_to_no_list_of_another_section_or_file(void **state)
{
	(void)state;
	assert_bad("[rule r]\nuser = 1\nverbs = admin\n[rule s]\n read-log\n", 5, "key = value");
	assert_bad("[rule r]\nuser = 1\nverbs = admin\n[rule s]\n a = b\n", 5, "start of its line");
	write_file("signetd.conf", "[rule r]\nuser = 1\nverbs = admin\n");
	write_file("signetd.conf.d/a.conf", " read-log = 1\n");
	assert_not_loaded("signetd.conf.d/a.conf:1", "start of its line");
	unlink(in_dir("signetd.conf.d/a.conf"));
}

static void
refuses_what_is_there_twice(void **state)
{
	(void)state;
	assert_bad("[daemon]\n[daemon]\n", 2, "[daemon] is there twice");
	assert_bad(TOKEN "[token t]\n", 6, "[token t] is there twice: first in");
	assert_bad(TOKEN KEY KEY, 9, "[key k] is there twice");
	assert_bad("[rule r]\nuser = 1\nverbs = admin\n[rule r]\n", 4, "[rule r] is there twice");
	assert_bad("[daemon]\nstate = /a\nstate = /a\n", 3, "\"state\" is there twice: first in line 2");
	assert_bad(TOKEN "environment = A=1 A=2\n", 6, "A is there twice");
}

static void
sections_of_two_kinds_may_share_a_name(void **state)
{
	(void)state;
	assert_good(TOKEN "[key t]\ntoken = t\nuri = pkcs11:serial=12ab;id=%01\n[rule t]\nuser = *\nverbs = "
			  "sign\nkeys = t\n");
}

static void
names_of_sections_have_1_to_48_plain_characters(void **state)
{
	char text[300], name[50];

	(void)state;
	memset(name, 'a', sizeof(name));
	snprintf(text, sizeof(text), "[rule %.48s]\nuser = *\nverbs = admin\n", name);
	assert_good(text);
	snprintf(text, sizeof(text),
	    "[rule %.48s]\nuser = *\nverbs = admin\n[rule %.47sb]\nuser = *\nverbs = admin\n", name, name);
	assert_good(text); /* inih alone would cut both to the same name */
	snprintf(text, sizeof(text), "[rule %.49s]\n", name);
	assert_bad(text, 1, "needs a name of 1 to 48");
	assert_bad("[rule]\n", 1, "needs a name");
	assert_bad("[rule A]\n", 1, "needs a name");
	assert_bad("[rule a b]\n", 1, "needs a name");
	assert_bad("[rule .a]\n", 1, "needs a name");
	assert_bad("[rule -a]\n", 1, "needs a name");
	assert_bad("[rule ä]\n", 1, "needs a name");
	assert_bad("[daemon x]\n", 1, "takes no name");
	assert_good("[rule \t 0._-z ] ; a comment\nuser = *\nverbs = admin\n");
}

static void
says_where_a_pin_belongs(void **state)
{
	static const char *const names[] = {"pin", "user-pin", "so-pin", "pin-value", "password"};
	char text[300], why[512];
	struct config *c;
	size_t i;

	(void)state;
	for (i = 0; i < array_len(names); i++) {
		snprintf(text, sizeof(text), TOKEN "%s = 135790\n", names[i]);
		assert_bad(text, 6, "credential");
		assert_int_equal(config_load(&c, conf, why, sizeof(why)), SIGNET_ERR_CONFIG);
		assert_null(strstr(why, "135790"));
	}
	assert_bad("pin = 135790\n", 1, "credential");
	assert_bad("[daemon]\npin = 135790\n", 2, "credential");
	assert_bad(TOKEN "environment = X_PIN=135790\n", 6, "credential");
}

static void
refuses_environment_that_loads_code(void **state)
{
	(void)state;
	assert_bad(TOKEN "environment = A=1 LD_PRELOAD=/x.so\n", 6, "LD_PRELOAD");
	assert_bad(TOKEN "environment = A\n", 6, "NAME=VALUE");
	assert_bad(TOKEN "environment = =1\n", 6, "NAME=VALUE");
	assert_bad(TOKEN "environment = 1A=1\n", 6, "NAME=VALUE");
	assert_good(TOKEN "environment = A= b=2 _C=3\n");
}

static void
stored_pin_needs_a_lease_that_is_shared(void **state)
{
	(void)state;
	assert_bad(TOKEN "credential = c\n", 6, "lease = shared");
	assert_bad(TOKEN "lease = own\nholder = x\ncredential = c\n", 8, "lease = shared");
	assert_good(TOKEN "credential = c\nlease = shared\n");
	assert_good(TOKEN "lease = own\n");
}

static void
credentials_are_names_and_not_paths(void **state)
{
	(void)state;
	assert_good(TOKEN "lease = shared\ncredential = a.b_c-d\n");
	assert_bad(TOKEN "credential = ../x\n", 6, "name of a systemd credential");
	assert_bad(TOKEN "credential = a/b\n", 6, "name of a systemd credential");
	assert_bad(TOKEN "credential = a b\n", 6, "name of a systemd credential");
}

/* `n` words behind a list key, one on each line, each with a number between `left` and `right`. */
static void
assert_words(const char *key, const char *left, const char *right, unsigned n, const char *part)
{
	char text[8000] = TOKEN;
	unsigned i;

	for (i = 0; i < n; i++)
		snprintf(
		    text + strlen(text), sizeof(text) - strlen(text), "%s = %s%u%s\n", key, left, i, right);
	if (part == NULL)
		assert_good(text);
	else
		assert_bad(text, 5 + (int)n, part);
}

static void
a_worker_takes_16_paths_and_variables_and_not_17(void **state)
{
	(void)state;
	assert_words("paths", "/p", "", 15, NULL);
	assert_words("paths", "/p", "", 16, NULL);
	assert_words("paths", "/p", "", 17, "more than 16");
	assert_words("environment", "A", "=1", 16, NULL);
	assert_words("environment", "A", "=1", 17, "more than 16");
}

/* `n` keys on token t, each with three lines, and one on another with the words of the first. */
static void
write_keys(unsigned n)
{
	char text[8000] = TOKEN;
	unsigned i;

	for (i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "[key k%u]\ntoken = t\nuri = pkcs11:token=T;object=%u\n", i, i);
	strcat(text, "[token u]\nmodule = DIR/lib/module.so\nlabel = T\n"
		     "[key u]\ntoken = u\nuri = pkcs11:token=T;object=0\nuse = seal\n");
	write_file("signetd.conf", text);
}

static void
a_token_takes_64_keys_and_not_65(void **state)
{
	(void)state;
	write_keys(64);
	config_unref(loaded());
	write_keys(65);
	assert_not_loaded("signetd.conf:198", "more than 64 keys on one token");
}

static void
there_are_at_most_64_tokens(void **state)
{
	char text[16000] = "[daemon]\nown-uid = yes\n";
	unsigned i;

	(void)state;
	for (i = 0; i < 64; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "[token t%u]\nmodule=DIR/lib/module.so\nserial=%u\n", i, i);
	assert_good(text);
	strcat(text, "[token more]\n");
	assert_bad(text, 3 + 64 * 3, "more than 64 tokens");
}

/*
 * Between sections
 */

#define DEVICE "[daemon]\nown-uid = yes\n[device d]\nmodule = DIR/lib/module.so\nlabel = d\n"

static void
a_device_has_a_keeper_and_no_personal_keys(void **state)
{
	struct config *c;

	(void)state;
	write_file("signetd.conf",
	    DEVICE "keeper = Bà Lan\nprobe-interval = 2min\n[key s]\ntoken = d\nuri = pkcs11:token=d;id=%01\nuse = seal\n"
			"[key h]\ntoken = d\nuri = pkcs11:token=d;id=%02\nuse = log\nprobe = yes\n");
	c = loaded();
	assert_true(c->tokens[0].device);
	assert_string_equal(c->tokens[0].holder, "Bà Lan");
	assert_int_equal(c->tokens[0].probe_interval_ms, 120000);
	assert_false(c->keys[0].probe);
	assert_true(c->keys[1].probe);
	config_unref(c);
	assert_bad(DEVICE "[key k]\ntoken = d\nuri = pkcs11:token=d;id=%01\n", 6, "people sign with tokens of their own");
	assert_bad(DEVICE "holder = x\n", 6, "unknown key \"holder\" in [device]");
	assert_bad("[daemon]\nown-uid = yes\n[token t]\nkeeper = x\n", 4, "unknown key \"keeper\" in [token]");
	assert_bad("[daemon]\nown-uid = yes\n[token t]\nprobe-interval = 2min\n", 4, "unknown key \"probe-interval\"");
	assert_bad(DEVICE "[token d]\n", 6, "there twice");
	assert_bad(DEVICE "probe-interval = 59999ms\n", 6, "probe-interval");
	assert_bad(DEVICE "probe-interval = 86400001ms\n", 6, "probe-interval");
	assert_bad(DEVICE "[key h]\ntoken = d\nuri = pkcs11:token=d;id=%01\nuse = log\nprobe = yes\n"
			  "[key i]\ntoken = d\nuri = pkcs11:token=d;id=%02\nuse = log\nprobe = yes\n",
	    15, "[key h] has it already");
	assert_bad(TOKEN "[key k]\ntoken = t\nuri = pkcs11:serial=12ab;id=%01\nprobe = yes\n", 9, "is not on a [device]");
}

static void
a_token_needs_module_and_one_of_serial_and_label(void **state)
{
	(void)state;
	assert_bad("\n[token t]\nserial = 1\n", 2, "needs `module`");
	assert_bad(
	    "[daemon]\nown-uid = yes\n[token t]\nmodule = DIR/lib/module.so\n", 3, "`serial` or `label`");
	assert_bad(TOKEN "label = x\n", 3, "both");
}

static void
two_sections_never_mean_one_token(void **state)
{
	(void)state;
	assert_bad(
	    TOKEN "[token u]\nmodule = DIR/lib/module.so\nserial = 12ab\n", 6, "the same token as [token t]");
	assert_good(TOKEN "[token u]\nmodule = DIR/lib/module.so\nserial = 12ac\n");
	assert_good(TOKEN "[token u]\nmodule = DIR/lib/module.so\nlabel = 12ab\n");
}

static void
a_key_needs_its_token_and_a_uri(void **state)
{
	(void)state;
	assert_bad(TOKEN "[key k]\nuri = pkcs11:serial=12ab;id=%01\n", 6, "needs `token`");
	assert_bad(TOKEN "[key k]\ntoken = t\n", 6, "needs `uri`");
	assert_bad(TOKEN "[key k]\nuri = pkcs11:serial=12ab;id=%01\ntoken = u\n", 8, "no [token u]");
	assert_bad(TOKEN "[key k]\ntoken = t\nuri = pkcs11:serial=12ac;id=%01\n", 8,
	    "not that of the token's section");
	assert_bad(TOKEN "[key k]\ntoken = t\nuri = pkcs11:id=%01\n", 8, "no token");
}

static void
a_key_may_stand_before_its_token(void **state)
{
	struct config *c;

	(void)state;
	write_file("signetd.conf", KEY TOKEN "[token u]\nmodule = DIR/lib/module.so\nserial = 2\n[key "
					     "l]\ntoken=u\nuri=pkcs11:serial=2;id=a\n");
	c = loaded();
	assert_string_equal(c->tokens[config_key_find(c, "k")->token].name, "t");
	assert_string_equal(c->tokens[config_key_find(c, "l")->token].name, "u");
	config_unref(c);
}

static void
a_seal_has_no_second_name_for_other_uses(void **state)
{
	(void)state;
	assert_bad(TOKEN KEY "use = seal\n[key l]\ntoken = t\nuri = pkcs11:serial=12ab;id=%01\n", 12,
	    "[key k] has the same uri");
	assert_good(TOKEN KEY "[key l]\ntoken = t\nuri = pkcs11:serial=12ab;id=%01\nscheme = pss\n");
}

static void
a_rule_needs_someone_and_verbs(void **state)
{
	(void)state;
	assert_bad("[rule r]\nverbs = admin\n", 1, "needs `user` or `group`");
	assert_bad("[rule r]\nuser = *\n", 1, "needs `verbs`");
	assert_bad("[rule r]\nuser = *\nverbs = admin sing\n", 3, "sing: expected verbs among");
	assert_bad("[rule r]\nuser = *\nverbs = public\n", 3, "expected verbs among");
}

static void
a_rule_names_only_keys_that_are_there(void **state)
{
	(void)state;
	assert_bad(TOKEN KEY "[rule r]\nuser = *\nverbs = sign\nkeys = k\n l\n", 12, "no [key l]");
	assert_bad("[rule r]\nuser = *\nverbs = read-log sign\n", 1, "\"sign\" on no key");
	assert_good("[rule r]\nuser = *\nverbs = read-log read-own read-titles admin timestamp\n");
	assert_good("[rule r]\nuser = *\nverbs = sign\nkeys = *\n");
}

static void
a_star_stands_alone(void **state)
{
	(void)state;
	assert_bad("[rule r]\nuser = 1 *\nverbs = admin\n", 2, "beside the *");
	assert_bad("[rule r]\nuser = *\n 1\nverbs = admin\n", 3, "beside the *");
	assert_bad("[rule r]\nuser = 1\nverbs = sign\nkeys = * k\n", 4, "beside the *");
	assert_bad("[rule r]\nuser = 1\nverbs = sign\nkeys = *\nkeys = *\n", 5, "beside the *");
	assert_bad("[rule r]\ngroup = *\nverbs = admin\n", 2, "unknown group \"*\"");
}

static void
users_and_groups_exist_or_are_numbers(void **state)
{
	(void)state;
	assert_bad(
	    "[rule r]\nuser = no-such-user-here\nverbs = admin\n", 2, "unknown user \"no-such-user-here\"");
	assert_bad("[rule r]\ngroup = no-such-group-here\nverbs = admin\n", 2, "unknown group");
	assert_good("[rule r]\nuser = 4294967294\ngroup = 0\nverbs = admin\n");
	assert_bad("[rule r]\nuser = 4294967295\nverbs = admin\n", 2, "unknown user"); /* (uid_t)-1 */
	assert_bad("[rule r]\nuser = 18446744073709551616\nverbs = admin\n", 2, "unknown user");
	assert_bad("[rule r]\nuser = -1\nverbs = admin\n", 2, "unknown user");
	assert_bad("[rule r]\nuser = 1 # me\nverbs = admin\n", 2, "unknown user \"#\"");
}

/*
 * Lines and files
 */

static void
takes_lines_of_198_bytes_and_refuses_199(void **state)
{
	char text[512], line[300];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "state = /", 9);
	snprintf(text, sizeof(text), "[daemon]\n%.197s\n", line);
	assert_good(text);
	snprintf(text, sizeof(text), "[daemon]\n%.198s\n", line);
	assert_good(text);
	snprintf(text, sizeof(text), "[daemon]\n%.198s", line); /* no newline at the end */
	assert_good(text);
	snprintf(text, sizeof(text), "[daemon]\r\n%.198s\r\n", line);
	assert_good(text);
	snprintf(text, sizeof(text), "[daemon]\n%.199s\n", line);
	assert_bad(text, 2, "198 bytes");
	line[0] = '#';
	snprintf(text, sizeof(text), "[daemon]\n%.199s\n", line);
	assert_bad(text, 2, "198 bytes");
}

static void
reads_a_long_line_whole(void **state)
{
	char text[512], line[300];
	struct config *c;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "state = /", 9);
	snprintf(text, sizeof(text), "[daemon]\n%.198s\n", line);
	write_file("signetd.conf", text);
	c = loaded();
	assert_int_equal(strlen(c->state), 198 - 8);
	config_unref(c);
}

static void
counts_lines_across_comments_and_blanks(void **state)
{
	(void)state;
	assert_bad("# one\n\n; three\n   # four\n[daemon]\n\t\nsokcet = 1\n", 7, "sokcet");
	assert_bad("\xef\xbb\xbf[daemon]\r\n\r\nsokcet = 1\r\n", 3, "sokcet");
}

static void
cuts_comments_and_keeps_semicolons_without_a_blank(void **state)
{
	struct config *c;

	(void)state;
	write_file("signetd.conf", TOKEN KEY "[daemon2]\n");
	assert_not_loaded("signetd.conf:9", "daemon2");
	write_file("signetd.conf", "[daemon];x\nstate = /a;b ; c;d\nsocket = /s\t;e\n[rule r]\nuser = 1 ; "
				   "2\n 3 ; 4\n ; 5\nverbs=admin\n");
	c = loaded();
	assert_string_equal(c->state, "/a;b");
	assert_string_equal(c->socket, "/s");
	assert_int_equal(c->policy->rules[0].user_count, 2);
	assert_int_equal(c->policy->rules[0].users[1], 3);
	config_unref(c);
}

static void
refuses_bytes_that_are_not_text(void **state)
{
	static const char nul[] = "[daemon]\nstate = /a\0b\n";

	(void)state;
	write_bytes("signetd.conf", nul, sizeof(nul) - 1);
	assert_not_loaded("signetd.conf:2", "control character");
	assert_bad("[daemon]\nstate = /\x1b[0m\n", 2, "control character");
	assert_bad("[daemon]\nstate = /a\rb\n", 2, "control character");
	assert_bad("[daemon]\n# caf\xe9\n", 2, "UTF-8");
}

static void
reads_drop_ins_in_the_order_of_their_names(void **state)
{
	struct config *c;

	(void)state;
	write_file("signetd.conf", "[rule main]\nuser = *\nverbs = admin\n");
	write_file("signetd.conf.d/b.conf", "[rule b]\nuser = *\nverbs = admin\n");
	write_file("signetd.conf.d/B.conf", "[rule bb]\nuser = *\nverbs = admin\n");
	write_file("signetd.conf.d/a.conf", "[rule a]\nuser = *\nverbs = admin\n");
	write_file("signetd.conf.d/.hidden.conf", "[nonsense]\n");
	write_file("signetd.conf.d/a.conf.bak", "[nonsense]\n");
	write_file("signetd.conf.d/.conf", "[nonsense]\n");
	c = loaded();
	assert_int_equal(c->policy->rule_count, 4);
	assert_string_equal(c->policy->rules[0].name, "main");
	assert_string_equal(c->policy->rules[1].name, "bb");
	assert_string_equal(c->policy->rules[2].name, "a");
	assert_string_equal(c->policy->rules[3].name, "b");
	assert_string_equal(c->policy->rules[3].file, in_dir("signetd.conf.d/b.conf"));
	config_unref(c);
}

static void
an_error_in_a_drop_in_names_it(void **state)
{
	(void)state;
	write_file("signetd.conf", "[daemon]\n");
	write_file("signetd.conf.d/x.conf", "\n[limits]\nconnections = 0\n");
	assert_not_loaded("signetd.conf.d/x.conf:3", "connections");
	write_file("signetd.conf.d/x.conf", "[daemon]\n");
	assert_not_loaded("signetd.conf.d/x.conf:1", "twice: first in");
	write_file("signetd.conf.d/x.conf", "[key k]\ntoken = t\nuri = pkcs11:serial=1;id=a\n");
	assert_not_loaded("signetd.conf.d/x.conf:2", "no [token t]");
}

static void
works_without_a_folder_for_drop_ins(void **state)
{
	(void)state;
	assert_int_equal(rmdir(in_dir("signetd.conf.d")), 0);
	assert_good("[daemon]\n");
	write_bytes("signetd.conf.d", "", 0);
	assert_not_loaded("signetd.conf.d", "not a folder");
}

static void
refuses_files_that_others_can_change(void **state)
{
	(void)state;
	write_file("signetd.conf", "[daemon]\n");
	assert_int_equal(chmod(conf, 0664), 0);
	assert_not_loaded("signetd.conf", "written by others");
	assert_int_equal(chmod(conf, 0646), 0);
	assert_not_loaded("signetd.conf", "written by others");
	assert_int_equal(chmod(conf, 0600), 0);
	config_unref(loaded());
	write_file("signetd.conf.d/a.conf", "");
	assert_int_equal(chmod(in_dir("signetd.conf.d/a.conf"), 0666), 0);
	assert_not_loaded("signetd.conf.d/a.conf", "written by others");
	assert_int_equal(chmod(in_dir("signetd.conf.d/a.conf"), 0644), 0);
	assert_int_equal(chmod(in_dir("signetd.conf.d"), 0775), 0);
	assert_not_loaded("signetd.conf.d", "written by others");
}

static void
refuses_files_of_other_users(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	write_file("signetd.conf", "[daemon]\n");
	assert_int_equal(chown(conf, 4321, 0), 0);
	assert_not_loaded("signetd.conf", "belongs to another user");
}

static void
refuses_what_is_no_file(void **state)
{
	(void)state;
	assert_not_loaded("signetd.conf", "No such file");
	assert_int_equal(mkdir(conf, 0755), 0);
	assert_not_loaded("signetd.conf", "not a regular file");
	assert_int_equal(rmdir(conf), 0);
	assert_int_equal(mkfifo(conf, 0644), 0); /* nobody writes: open() must not wait */
	assert_not_loaded("signetd.conf", "not a regular file");
}

static void
takes_files_of_1_mib_and_not_one_byte_more(void **state)
{
	char *text = malloc(CONFIG_FILE_MAX + 1);
	size_t i;

	(void)state;
	assert_non_null(text);
	for (i = 0; i <= CONFIG_FILE_MAX; i++)
		text[i] = i % 64 == 0 ? '\n' : '#';
	write_bytes("signetd.conf", text, CONFIG_FILE_MAX);
	config_unref(loaded());
	write_bytes("signetd.conf", text, CONFIG_FILE_MAX + 1);
	assert_not_loaded("signetd.conf", "1 MiB");
	free(text);
}

static void
the_hash_covers_names_and_bytes_of_every_file(void **state)
{
	uint8_t first[32];
	struct config *c;

	(void)state;
	write_file("signetd.conf", "[daemon]\n");
	c = loaded();
	memcpy(first, c->hash, sizeof(first));
	config_unref(c);
	c = loaded();
	assert_memory_equal(first, c->hash, sizeof(first));
	config_unref(c);
	write_file("signetd.conf", "[daemon]\n# more\n");
	c = loaded();
	assert_memory_not_equal(first, c->hash, sizeof(first));
	memcpy(first, c->hash, sizeof(first));
	config_unref(c);
	write_file("signetd.conf.d/a.conf", "");
	c = loaded();
	assert_memory_not_equal(first, c->hash, sizeof(first));
	memcpy(first, c->hash, sizeof(first));
	config_unref(c);
	assert_int_equal(rename(in_dir("signetd.conf.d/a.conf"), in_dir("signetd.conf.d/b.conf")), 0);
	c = loaded();
	assert_memory_not_equal(first, c->hash, sizeof(first));
	config_unref(c);
}

/*
 * Modules
 */

static void
assert_module(const char *name, bool own_uid, const char *part)
{
	char why[512] = "";
	bool safe = config_file_is_safe(in_dir(name), own_uid, why, sizeof(why));

	if (safe != (part == NULL))
		fail_msg("%s is %s: %s", name, safe ? "taken" : "refused", why);
	if (part != NULL && strstr(why, part) == NULL)
		fail_msg("\"%s\" has no \"%s\"", why, part);
}

static void
takes_a_module_that_only_its_owner_can_change(void **state)
{
	(void)state;
	assert_module("lib/module.so", true, NULL);
	assert_int_equal(chmod(in_dir("lib/module.so"), 0400), 0);
	assert_module("lib/module.so", true, NULL);
}

static void
refuses_a_module_below_a_folder_that_others_can_write(void **state)
{
	(void)state;
	/* the folder of this test lies in /tmp, which is sticky: fit for a private daemon only */
	assert_module("lib/module.so", false, "/tmp can be written by others");
	assert_int_equal(chmod(in_dir("lib"), 0775), 0);
	assert_module("lib/module.so", true, "lib can be written by others");
	assert_int_equal(chmod(in_dir("lib"), 01777), 0);
	assert_module("lib/module.so", true, NULL);
	assert_int_equal(chmod(in_dir("lib"), 0757), 0);
	assert_module("lib/module.so", true, "lib can be written by others");
	assert_int_equal(chmod(in_dir("lib"), 0755), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_module("lib/module.so", true, "can be written by others");
}

static void
refuses_a_module_that_others_can_write(void **state)
{
	(void)state;
	assert_int_equal(chmod(in_dir("lib/module.so"), 0664), 0);
	assert_module("lib/module.so", true, "module.so can be written by others");
	assert_int_equal(
	    chmod(in_dir("lib/module.so"), 01646), 0); /* the sticky bit of a file means nothing */
	assert_module("lib/module.so", true, "module.so can be written by others");
}

static void
refuses_a_module_or_folder_of_another_user(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(in_dir("lib/module.so"), 4321, 0), 0);
	assert_module("lib/module.so", true, "belongs to uid 4321");
	assert_int_equal(chown(in_dir("lib/module.so"), 0, 0), 0);
	assert_int_equal(chown(in_dir("lib"), 4321, 0), 0);
	assert_module("lib/module.so", true, "belongs to uid 4321");
}

/* In /run every folder on the way is root's alone: only the owner of the file is left to judge. */
static void
takes_a_module_of_our_own_only_in_a_private_daemon(void **state)
{
	char folder[] = "/run/signet-config-XXXXXX", path[64], why[512] = "";
	bool private, not_ours, roots;
	int fd;

	(void)state;
	if (geteuid() != 0 || mkdtemp(folder) == NULL)
		skip();
	snprintf(path, sizeof(path), "%s/module.so", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(fd >= 0 && chmod(folder, 0755) == 0);
	roots = config_file_is_safe(path, false, why, sizeof(why));
	assert_int_equal(fchown(fd, 4321, 0), 0);
	close(fd);
	assert_int_equal(seteuid(4321), 0);
	private = config_file_is_safe(path, true, why, sizeof(why));
	not_ours = !config_file_is_safe(path, false, why, sizeof(why));
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(unlink(path) | rmdir(folder), 0);
	assert_true(roots);
	assert_true(private);
	assert_true(not_ours);
	assert_non_null(strstr(why, "belongs to uid 4321"));
}

static void
refuses_what_is_no_module(void **state)
{
	char why[512];

	(void)state;
	assert_module("lib/missing.so", true, "No such file");
	assert_module("missing/module.so", true, "No such file");
	assert_module("lib", true, "not a regular file");
	assert_module("lib/module.so/x", true, "not a folder");
	assert_false(config_file_is_safe("/", true, why, sizeof(why)));
	assert_false(config_file_is_safe("", true, why, sizeof(why)));
	assert_false(config_file_is_safe("lib/module.so", true, why, sizeof(why)));
	assert_non_null(strstr(why, "absolute"));
}

static void
follows_links_as_far_as_all_folders_on_the_way_are_safe(void **state)
{
	(void)state;
	assert_int_equal(symlink("module.so", in_dir("lib/link.so")), 0);
	assert_module("lib/link.so", true, NULL);
	assert_int_equal(symlink(in_dir("lib"), in_dir("absolute")), 0);
	assert_module("absolute/link.so", true, NULL);
	assert_int_equal(mkdir(in_dir("open"), 0755), 0);
	assert_int_equal(symlink("../lib/./module.so", in_dir("open/second.so")), 0);
	assert_int_equal(symlink("../open/second.so", in_dir("lib/first.so")), 0);
	assert_module("lib/first.so", true, NULL);
	/* neither the first link's folder nor the file's is open: the one between them is */
	assert_int_equal(chmod(in_dir("open"), 0777), 0);
	assert_module("lib/first.so", true, "open can be written by others");
}

static void
gives_up_on_links_that_lead_nowhere(void **state)
{
	(void)state;
	assert_int_equal(symlink("loop.so", in_dir("lib/loop.so")), 0);
	assert_module("lib/loop.so", true, "too many symbolic links");
	assert_int_equal(symlink("gone.so", in_dir("lib/dangling.so")), 0);
	assert_module("lib/dangling.so", true, "No such file");
	assert_int_equal(symlink(".", in_dir("lib/here.so")), 0);
	assert_module("lib/here.so", true, "not a regular file");
	assert_int_equal(symlink("../../../../../../../../..", in_dir("lib/up.so")), 0);
	assert_module("lib/up.so", true, "not a regular file");
}

static void
a_module_that_is_not_safe_is_told_with_its_line(void **state)
{
	(void)state;
	assert_int_equal(chmod(in_dir("lib/module.so"), 0664), 0);
	assert_bad(TOKEN, 4, "module.so can be written by others");
	assert_bad("[token t]\nserial = 1\nmodule = /tmp/signet-no-such-module.so\n", 3,
	    "module: /tmp can be written");
	assert_bad("[token t]\nserial = 1\nmodule = module.so\n", 3, "absolute");
}

static void
a_token_program_of_our_own_is_checked_like_a_module(void **state)
{
	(void)state;
	assert_bad("[daemon]\ntoken-program = DIR/lib/module.so\n", 2, "can be written by others");
	assert_good("[daemon]\ntoken-program = DIR/lib/module.so\nown-uid = yes\n");
}

/*
 * URIs
 */

static void
assert_uri(const char *uri, const char *serial, const char *label, const char *part)
{
	char why[300] = "";
	signet_err err = config_check_uri(uri, serial, label, why, sizeof(why));

	if (err != (part == NULL ? SIGNET_OK : SIGNET_ERR_CONFIG))
		fail_msg("%s: %s", uri, why);
	if (part != NULL && strstr(why, part) == NULL)
		fail_msg("%s: \"%s\" has no \"%s\"", uri, why, part);
}

static void
takes_uris_that_name_one_key_on_one_token(void **state)
{
	(void)state;
	assert_uri("pkcs11:serial=12ab;id=%01", "12ab", NULL, NULL);
	assert_uri("pkcs11:token=My%20Token;object=x", NULL, "My Token", NULL);
	assert_uri("pkcs11:object=x;token=T;type=private;id=%00%ff;serial=1;model=m;manufacturer=f", NULL,
	    "T", NULL);
	/* the other name of the token cannot be judged here */
	assert_uri("pkcs11:token=T;id=%01", "12ab", NULL, NULL);
	assert_uri("pkcs11:serial=99;id=%01", NULL, "T", NULL);
}

static void
refuses_uris_that_name_no_token_or_no_key(void **state)
{
	(void)state;
	assert_uri("pkcs11:", "1", NULL, "empty");
	assert_uri("pkcs11:id=%01", "1", NULL, "no token");
	assert_uri("pkcs11:object=x;manufacturer=m", "1", NULL, "no token");
	assert_uri("pkcs11:token=T", NULL, "T", "no key");
	assert_uri("pkcs11:token=T;type=private", NULL, "T", "no key");
}

static void
refuses_uris_of_another_token(void **state)
{
	(void)state;
	assert_uri("pkcs11:serial=12;id=%01", "12ab", NULL, "serial is not");
	assert_uri("pkcs11:serial=12abc;id=%01", "12ab", NULL, "serial is not");
	assert_uri("pkcs11:token=t;id=%01", NULL, "T", "not the label");
	assert_uri("pkcs11:token=TT;id=%01", NULL, "T", "not the label");
	assert_uri("pkcs11:token=T;id=%01;serial=2", "1", NULL, "serial is not");
	assert_uri("pkcs11:token=%54;id=%01", NULL, "T", NULL);
}

static void
refuses_pins_in_uris_without_repeating_them(void **state)
{
	char why[300];

	(void)state;
	assert_uri("pkcs11:token=T;id=%01?pin-value=135790", NULL, "T", "no PIN");
	assert_uri("pkcs11:token=T;id=%01?pin-source=file:/x", NULL, "T", "no PIN");
	assert_uri("pkcs11:token=T;id=%01;pin-value=135790", NULL, "T", "no PIN");
	assert_uri("pkcs11:token=T;id=%01&pin-value=135790", NULL, "T", "no PIN");
	assert_int_equal(
	    config_check_uri("pkcs11:token=T;id=%01?pin-value=135790", NULL, "T", why, sizeof(why)),
	    SIGNET_ERR_CONFIG);
	assert_null(strstr(why, "135790"));
}

static void
refuses_attributes_that_are_not_for_a_key(void **state)
{
	(void)state;
	assert_uri("pkcs11:token=T;id=%01?module-path=/x.so", NULL, "T", "remove module-path");
	assert_uri("pkcs11:token=T;id=%01?module-name=x", NULL, "T", "remove module-name");
	assert_uri("pkcs11:token=T;id=%01;library-version=3", NULL, "T", "remove library-version");
	assert_uri("pkcs11:token=T;id=%01;slot-id=0", NULL, "T", "remove slot-id");
	assert_uri("pkcs11:token=T;id=%01;colour=red", NULL, "T", "unknown attribute \"colour\"");
	assert_uri("pkcs11:token=T;id=%01?x-vendor=1", NULL, "T", "unknown attribute \"x-vendor\"");
	assert_uri("pkcs11:token=T;id=%01;type=cert", NULL, "T", "type must be private");
	assert_uri("pkcs11:token=T;id=%01;type=public", NULL, "T", "type must be private");
	assert_uri("pkcs11:token=T;id=%01;type=nonsense", NULL, "T", "p11-kit does not know");
}

static void
refuses_malformed_uris(void **state)
{
	char uri[600];

	(void)state;
	assert_uri("", NULL, "T", "begin with pkcs11:");
	assert_uri("PKCS11:token=T;id=%01", NULL, "T", "begin with pkcs11:");
	assert_uri("pkcs11:token=T;;id=%01", NULL, "T", "empty");
	assert_uri("pkcs11:token=T;id=%01;", NULL, "T", "empty");
	assert_uri("pkcs11:token=T;id=%01?", NULL, "T", "unknown attribute");
	assert_uri("pkcs11:token=T;id", NULL, "T", "no value");
	assert_uri("pkcs11:token=T;id=", NULL, "T", "no value");
	assert_uri("pkcs11:token=T;id=%01;id=%02", NULL, "T", "id is there twice");
	assert_uri("pkcs11:token=T;id=%0", NULL, "T", "URI");
	assert_uri("pkcs11:token=T;id=%zz", NULL, "T", "URI");
	memset(uri, 'a', sizeof(uri));
	memcpy(uri, "pkcs11:token=T;object=", 22);
	uri[511] = '\0';
	assert_uri(uri, NULL, "T", NULL);
	uri[511] = 'a';
	uri[512] = '\0';
	assert_uri(uri, NULL, "T", "longer than 511");
}

/*
 * The value
 */

static void
lives_until_its_last_owner_lets_go(void **state)
{
	struct config *c;

	(void)state;
	write_file("signetd.conf", TOKEN KEY);
	c = loaded();
	assert_ptr_equal(config_ref(c), c);
	config_unref(c);
	assert_non_null(config_key_find(c, "k"));
	config_unref(c);
	config_unref(NULL);
}

/* Is token t of these two configurations the same? */
static bool
equal(const char *x, const char *y)
{
	struct config *a, *b;
	bool same, back;

	write_file("signetd.conf", x);
	a = loaded();
	write_file("signetd.conf", y);
	b = loaded();
	same = config_token_equal(a, config_token_find(a, "t"), b, config_token_find(b, "t"));
	back = config_token_equal(b, config_token_find(b, "t"), a, config_token_find(a, "t"));
	assert_int_equal(same, back);
	config_unref(a);
	config_unref(b);
	return same;
}

#define OTHER                                                                                                \
	"[token u]\nmodule = DIR/lib/module.so\nserial = 2\n[key x]\ntoken = u\nuri = "                      \
	"pkcs11:serial=2;id=a\n"

static void
tokens_are_equal_wherever_they_stand(void **state)
{
	(void)state;
	assert_true(equal(TOKEN, TOKEN));
	assert_true(equal(TOKEN KEY, "# moved\n\n" TOKEN "# more\n" KEY));
	assert_true(equal(TOKEN KEY, OTHER TOKEN KEY));
	assert_true(equal(TOKEN OTHER KEY, OTHER TOKEN KEY));
	assert_true(equal(TOKEN, TOKEN "lanes = 1\nverify = always\n")); /* defaults, spelt out */
}

static void
every_change_to_a_token_is_seen(void **state)
{
	static const char *const changes[] = {
	    "holder = x\n",
	    "lanes = 2\n",
	    "verify = first\n",
	    "lease = shared\n",
	    "max-uses = 1\n",
	    "max-seconds = 1\n",
	    "lease = shared\ncredential = c\n",
	    "pin-from-client = no\n",
	    "sign-timeout = 1s\n",
	    "login-timeout = 1s\n",
	    "paths = /a\n",
	    "environment = A=1\n",
	};
	char text[400];
	size_t i;

	(void)state;
	for (i = 0; i < array_len(changes); i++) {
		snprintf(text, sizeof(text), TOKEN "%s", changes[i]);
		assert_false(equal(TOKEN, text));
	}
	assert_false(equal(TOKEN "lease = shared\n", TOKEN "lease = shared\ncredential = c\n"));
	assert_false(equal(TOKEN "paths = /a\n", TOKEN "paths = /b\n"));
	assert_false(equal(TOKEN "environment = A=1\n", TOKEN "environment = A=2\n"));
	assert_false(
	    equal(TOKEN, "[daemon]\nown-uid = yes\n[token t]\nmodule = DIR/lib/module.so\nserial = 12ac\n"));
	assert_false(
	    equal(TOKEN, "[daemon]\nown-uid = yes\n[token t]\nmodule = DIR/lib/module.so\nlabel = 12ab\n"));
	write_bytes("lib/other.so", "", 0);
	assert_false(
	    equal(TOKEN, "[daemon]\nown-uid = yes\n[token t]\nmodule = DIR/lib/other.so\nserial = 12ab\n"));
}

static void
every_change_to_its_keys_is_seen(void **state)
{
	(void)state;
	assert_false(equal(TOKEN KEY, TOKEN));
	assert_false(equal(TOKEN KEY, TOKEN KEY "use = seal\n"));
	assert_false(equal(TOKEN KEY, TOKEN KEY "scheme = pss\n"));
	assert_false(equal(TOKEN KEY, TOKEN KEY "organisation = x\n"));
	assert_false(equal(TOKEN KEY, TOKEN KEY "holder = x\n"));
	assert_false(equal(TOKEN KEY, TOKEN "holder-user = 1\n" KEY));
	assert_false(equal(TOKEN "holder-user = 1\n" KEY, TOKEN "holder-user = 2\n" KEY));
	assert_true(equal(TOKEN "holder-user = 1\n" KEY, TOKEN "holder-user = 1\n" KEY));
	assert_false(equal(TOKEN KEY, TOKEN "[key l]\ntoken = t\nuri = pkcs11:serial=12ab;id=%01\n"));
	assert_false(equal(TOKEN KEY, TOKEN "[key k]\ntoken = t\nuri = pkcs11:serial=12ab;id=%02\n"));
	assert_false(equal(TOKEN KEY "[key l]\ntoken = t\nuri = pkcs11:serial=12ab;id=b\n",
	    TOKEN "[key l]\ntoken = t\nuri = pkcs11:serial=12ab;id=b\n" KEY));
	assert_false(equal(TOKEN OTHER KEY, TOKEN OTHER "[key k]\ntoken = u\nuri = pkcs11:serial=2;id=b\n"));
}

static void
a_small_room_for_the_reason_is_enough(void **state)
{
	struct config *c = NULL;
	char why[8] = "";

	(void)state;
	write_file("signetd.conf", "nonsense\n");
	assert_int_equal(config_load(&c, conf, why, sizeof(why)), SIGNET_ERR_CONFIG);
	assert_int_equal(strlen(why), 7);
	assert_int_equal(config_load(&c, conf, why, 0), SIGNET_ERR_CONFIG);
	assert_null(c);
}

static void
survives_every_allocation_that_fails(void **state)
{
	struct config *c = NULL;
	signet_err err;
	char why[512];

	(void)state;
	write_file("signetd.conf",
	    TOKEN "holder = x\npaths = /a /b\nenvironment = A=1\n" KEY
		  "organisation = y\n[rule r]\nuser = 1\ngroup = 2\nverbs = sign\nkeys = k\n");
	write_file("signetd.conf.d/a.conf", "[log]\norigin = z\n[rule s]\nuser = *\nverbs = admin\n");
	for (fail_at = 1;; fail_at++) {
		allocations = 0;
		err = config_load(&c, conf, why, sizeof(why));
		if (err == SIGNET_OK)
			break;
		assert_int_equal(err, SIGNET_ERR_MEMORY);
		assert_string_equal(why, signet_strerror(SIGNET_ERR_MEMORY));
		assert_null(c);
	}
	assert_true(fail_at > 40);
	fail_at = 0;
	config_unref(c);
}

/*
 * What is written about it
 */

static char *
read_text(const char *path)
{
	char *text = calloc(1, 1 << 17);
	FILE *f = fopen(path, "r");

	assert_non_null(text);
	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 17) - 1, f) > 0);
	fclose(f);
	return text;
}

/* The page has ".Ss [kind]" for a section and ".It Cm name" for a key: is keyword `n` next behind *at? */
static const struct config_keyword *
next_documented(char **at, char *kind, size_t size)
{
	static struct config_keyword found;
	static char name[64];
	char *line, word[64];

	while ((line = strsep(at, "\n")) != NULL) {
		if (sscanf(line, ".Ss [%31[a-z]", word) == 1) {
			snprintf(kind, size, "%s", word);
		} else if (sscanf(line, ".It Cm %63[a-z-]", word) == 1) {
			snprintf(name, sizeof(name), "%s", word);
			found.name = name;
			return &found;
		}
	}
	return NULL;
}

static void
the_man_page_has_the_parsers_keys_in_the_parsers_order(void **state)
{
	char *text = read_text(SIGNET_CONF_DIR "/signetd.conf.5"), *at = text, kind[64] = "";
	const struct config_keyword *k;
	size_t i;

	(void)state;
	for (i = 0; i < config_keyword_count; i++) {
		k = next_documented(&at, kind, sizeof(kind));
		assert_non_null(k);
		assert_string_equal(k->name, config_keywords[i].name);
		/* a device is a token with keys of its own at the end */
		assert_string_equal(strcmp(kind, "device") == 0 ? "token" : kind, config_kind_word(config_keywords[i].kind));
	}
	assert_null(next_documented(&at, kind, sizeof(kind)));
	free(text);
}

static void
the_man_page_explains_every_verb(void **state)
{
	char *text = read_text(SIGNET_CONF_DIR "/signetd.conf.5"), line[64];
	unsigned v;

	(void)state;
	for (v = VERB_PUBLIC + 1; v < VERB_COUNT; v++) {
		snprintf(line, sizeof(line), "\n.It Ic %s\n", verb_name((enum verb)v));
		if (strstr(text, line) == NULL)
			fail_msg("%s is not explained", verb_name((enum verb)v));
	}
	free(text);
}

/* Take the "#" off all lines that begin with it and no blank: the examples. */
static void
uncomment(char *text)
{
	char *from = text, *to = text;
	bool start = true;

	for (; *from != '\0'; from++) {
		if (start && *from == '#' && from[1] != ' ' && from[1] != '\n') {
			start = false;
			continue;
		}
		start = *from == '\n';
		*to++ = *from;
	}
	*to = '\0';
}

static void
the_default_file_loads_as_it_is(void **state)
{
	char *text = read_text(SIGNET_CONF_DIR "/signetd.conf");
	struct config *c;

	(void)state;
	write_file("signetd.conf", text);
	c = loaded();
	assert_int_equal(c->token_count + c->key_count + c->policy->rule_count, 0);
	config_unref(c);
	free(text);
}

static void
the_examples_of_the_default_file_are_in_order(void **state)
{
	char *text = read_text(SIGNET_CONF_DIR "/signetd.conf"), why[512] = "";
	struct config *c = NULL;

	(void)state;
	uncomment(text);
	write_file("signetd.conf", text);
	/* all of it is read; what stops it is a module that is not installed here */
	assert_int_equal(config_load(&c, conf, why, sizeof(why)), SIGNET_ERR_CONFIG);
	if (strstr(why, "module: ") == NULL || strstr(why, "No such file") == NULL)
		fail_msg("%s", why);
	free(text);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(an_empty_file_has_the_documented_defaults),
	    CASE(reads_every_key_of_the_daemon),
	    CASE(a_token_has_the_documented_defaults),
	    CASE(reads_every_key_of_a_token),
	    CASE(reads_every_key_of_a_key),
	    CASE(reads_every_key_of_a_rule),
	    CASE(numbers_are_taken_up_to_their_limits_and_not_beyond),
	    CASE(refuses_values_that_are_not_what_their_key_takes),
	    CASE(texts_for_people_are_checked_as_on_the_wire),
	    CASE(names_of_a_token_fit_into_its_own_fields),
	    CASE(a_socket_path_fits_into_an_address),
	    CASE(refuses_unknown_sections_and_keys),
	    CASE(refuses_malformed_lines),
	    CASE(an_indented_line_belongs_to_no_list_of_another_section_or_file),
	    CASE(refuses_what_is_there_twice),
	    CASE(sections_of_two_kinds_may_share_a_name),
	    CASE(names_of_sections_have_1_to_48_plain_characters),
	    CASE(says_where_a_pin_belongs),
	    CASE(refuses_environment_that_loads_code),
	    CASE(stored_pin_needs_a_lease_that_is_shared),
	    CASE(credentials_are_names_and_not_paths),
	    CASE(a_worker_takes_16_paths_and_variables_and_not_17),
	    CASE(a_token_takes_64_keys_and_not_65),
	    CASE(there_are_at_most_64_tokens),
	    CASE(a_device_has_a_keeper_and_no_personal_keys),
	    CASE(a_token_needs_module_and_one_of_serial_and_label),
	    CASE(two_sections_never_mean_one_token),
	    CASE(a_key_needs_its_token_and_a_uri),
	    CASE(a_key_may_stand_before_its_token),
	    CASE(a_seal_has_no_second_name_for_other_uses),
	    CASE(a_rule_needs_someone_and_verbs),
	    CASE(a_rule_names_only_keys_that_are_there),
	    CASE(a_star_stands_alone),
	    CASE(users_and_groups_exist_or_are_numbers),
	    CASE(takes_lines_of_198_bytes_and_refuses_199),
	    CASE(reads_a_long_line_whole),
	    CASE(counts_lines_across_comments_and_blanks),
	    CASE(cuts_comments_and_keeps_semicolons_without_a_blank),
	    CASE(refuses_bytes_that_are_not_text),
	    CASE(reads_drop_ins_in_the_order_of_their_names),
	    CASE(an_error_in_a_drop_in_names_it),
	    CASE(works_without_a_folder_for_drop_ins),
	    CASE(refuses_files_that_others_can_change),
	    CASE(refuses_files_of_other_users),
	    CASE(refuses_what_is_no_file),
	    CASE(takes_files_of_1_mib_and_not_one_byte_more),
	    CASE(the_hash_covers_names_and_bytes_of_every_file),
	    CASE(takes_a_module_that_only_its_owner_can_change),
	    CASE(refuses_a_module_below_a_folder_that_others_can_write),
	    CASE(refuses_a_module_that_others_can_write),
	    CASE(refuses_a_module_or_folder_of_another_user),
	    CASE(takes_a_module_of_our_own_only_in_a_private_daemon),
	    CASE(refuses_what_is_no_module),
	    CASE(follows_links_as_far_as_all_folders_on_the_way_are_safe),
	    CASE(gives_up_on_links_that_lead_nowhere),
	    CASE(a_module_that_is_not_safe_is_told_with_its_line),
	    CASE(a_token_program_of_our_own_is_checked_like_a_module),
	    CASE(takes_uris_that_name_one_key_on_one_token),
	    CASE(refuses_uris_that_name_no_token_or_no_key),
	    CASE(refuses_uris_of_another_token),
	    CASE(refuses_pins_in_uris_without_repeating_them),
	    CASE(refuses_attributes_that_are_not_for_a_key),
	    CASE(refuses_malformed_uris),
	    CASE(lives_until_its_last_owner_lets_go),
	    CASE(tokens_are_equal_wherever_they_stand),
	    CASE(every_change_to_a_token_is_seen),
	    CASE(every_change_to_its_keys_is_seen),
	    CASE(a_small_room_for_the_reason_is_enough),
	    CASE(survives_every_allocation_that_fails),
	    CASE(the_man_page_has_the_parsers_keys_in_the_parsers_order),
	    CASE(the_man_page_explains_every_verb),
	    CASE(the_default_file_loads_as_it_is),
	    CASE(the_examples_of_the_default_file_are_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
