/* Groups of the doctor, on places that the test has made. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"

static char dir[] = "/tmp/signet-doctor-XXXXXX";

static void
write_file(const char *name, const char *text)
{
	char path[200];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static char *
at(char *out, const char *name)
{
	(void)snprintf(out, 200, "%s/%s", dir, name);
	return out;
}

static void
make_folder(const char *name)
{
	char path[200];

	assert_int_equal(mkdir(at(path, name), 0755), 0);
}

static void
drop(struct doctor *d)
{
	json_decref(d->checks);
	json_decref(d->config);
	json_decref(d->status);
	json_decref(d->keys);
	json_decref(d->tokens);
	*d = (struct doctor){.group = "test", .checks = json_array()};
}

static void
assert_found(const struct doctor *d, size_t i, const char *state, const char *part)
{
	const json_t *check = json_array_get(d->checks, i);

	assert_non_null(check);
	assert_string_equal(text_of(check, "state"), state);
	if (strstr(text_of(check, "text"), part) == NULL)
		fail_msg("\"%s\" is not in: %s", part, text_of(check, "text"));
}

static void
reads_slots_of_opensc(void **state)
{
	char path[200];

	(void)state;
	assert_int_equal(opensc_slots("/nonexistent"), 16);
	write_file("opensc.conf", "app default {\n # max_virtual_slots = 99;\n\tmax_virtual_slots = 32;\n}\n");
	assert_int_equal(opensc_slots(at(path, "opensc.conf")), 32);
	write_file("opensc.conf", "max_virtual_slots = many;\nmax_virtual_slotsx = 3;\n");
	assert_int_equal(opensc_slots(path), 16);
}

static void
counts_readers(void **state)
{
	char path[200], name[40];
	int i;

	(void)state;
	make_folder("usb");
	assert_int_equal(usb_readers("/nonexistent"), -1);
	assert_int_equal(usb_readers(at(path, "usb")), 0);
	for (i = 0; i < 18; i++) {
		(void)snprintf(name, sizeof(name), "usb/1-%d:1.0", i);
		make_folder(name);
		(void)strcat(name, "/bInterfaceClass");
		write_file(name, i == 0 ? "03\n" : "0b\n");
	}
	assert_int_equal(usb_readers(path), 17);
}

/* 15, 16 and 17 readers: good, the last one, too many. */
static void
judges_readers_around_their_limit(void **state)
{
	char path[200], last[200];
	struct places places = {.opensc_conf = "/nonexistent"};
	struct doctor d = {0};

	(void)state;
	drop(&d);
	places.usb = at(path, "usb");
	d.places = &places;
	doctor_readers(&d);
	assert_found(&d, 0, "fail", "17");
	assert_int_equal(unlink(at(last, "usb/1-17:1.0/bInterfaceClass")), 0);
	doctor_readers(&d);
	assert_found(&d, 1, "warn", "16");
	assert_int_equal(unlink(at(last, "usb/1-16:1.0/bInterfaceClass")), 0);
	doctor_readers(&d);
	assert_found(&d, 2, "ok", "15");
	drop(&d);
	json_decref(d.checks);
}

static void
sees_whom_pcscd_serves(void **state)
{
	static const char *rules[] = {NULL, NULL};
	char socket_path[200], action[200], folder[200];
	struct places places = {.polkit_rules = rules};
	struct doctor d = {0};

	(void)state;
	drop(&d);
	d.places = &places;
	places.pcscd_socket = at(socket_path, "pcscd.comm");
	places.polkit_action = at(action, "pcsc-lite.policy");
	doctor_pcscd(&d);
	assert_found(&d, 0, "ok", "does not listen");
	write_file("pcscd.comm", "");
	assert_int_equal(chmod(socket_path, 0666), 0);
	doctor_pcscd(&d);
	assert_found(&d, 1, "warn", "every user");
	assert_non_null(strstr(text_of(json_array_get(d.checks, 1), "todo"), "pcscd.socket.d/signet.conf"));
	write_file("pcsc-lite.policy", "");
	make_folder("rules.d");
	rules[0] = at(folder, "rules.d");
	doctor_pcscd(&d);
	assert_found(&d, 2, "warn", "no rule");
	write_file("rules.d/50-signet.rules", "org.debian.pcsc-lite.access_pcsc\nsubject.user == \"signet\"\n");
	doctor_pcscd(&d);
	assert_found(&d, 3, "ok", "polkit");
	drop(&d);
	json_decref(d.checks);
}

static void
names_the_drop_in(void **state)
{
	char folder[200];
	struct places places = {0};
	struct doctor d = {0};

	(void)state;
	drop(&d);
	places.unit_folder = at(folder, "signetd.service.d");
	d.places = &places;
	d.config = json_loads("{\"sandbox\":true,\"tokens\":[{\"name\":\"device\",\"module\":\"/usr/lib/libtpm2_pkcs11.so.1\","
			      "\"environment\":[],\"paths\":[\"/x\"]}]}", 0, NULL);
	doctor_sandbox(&d);
	assert_found(&d, 0, "fail", "device");
	assert_non_null(strstr(text_of(json_array_get(d.checks, 0), "todo"), "signetd.service.d/tpm.conf"));
	make_folder("signetd.service.d");
	write_file("signetd.service.d/tpm.conf", "[Service]\nDeviceAllow=/dev/tpmrm0 rw\n");
	doctor_sandbox(&d);
	assert_found(&d, 1, "ok", "");
	drop(&d);
	json_decref(d.checks);
}

static void
judge_certificate(struct doctor *d, long seconds)
{
	time_t end = time(NULL) + seconds;
	char text[32];
	struct tm t;

	json_decref(d->keys);
	assert_non_null(gmtime_r(&end, &t));
	assert_true(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &t) > 0);
	d->keys = json_pack("[{s:s,s:s,s:s}]", "name", "an", "state", "ready", "notAfter", text);
	doctor_certificates(d);
}

/* A minute more than so many days is so many days whatever the second. */
static void
warns_60_30_and_7_days_before(void **state)
{
	static const struct {
		long days;
		const char *state, *part;
	} cases[] = {{60, "ok", ""}, {59, "warn", "59 days"}, {30, "warn", "30 days"}, {29, "warn", "29 days"},
	    {7, "warn", "7 days"}, {6, "fail", "6 days"}, {0, "fail", "0 days"}};
	struct doctor d = {0};
	size_t i;

	(void)state;
	drop(&d);
	for (i = 0; i < array_len(cases); i++) {
		judge_certificate(&d, cases[i].days * 86400 + 60);
		assert_found(&d, i, cases[i].state, cases[i].part);
	}
	judge_certificate(&d, -60);
	assert_found(&d, i, "fail", "has expired");
	drop(&d);
	json_decref(d.checks);
}

static void
tells_who_may_change_a_driver(void **state)
{
	char path[200], real[200], why[600];

	(void)state;
	write_file("driver.so", "");
	assert_int_equal(chmod(at(path, "driver.so"), 0644), 0);
	assert_true(file_is_safe(path, true, why, sizeof(why)));
	/* /tmp: sticky, but open to all */
	assert_false(file_is_safe(path, false, why, sizeof(why)));
	assert_int_equal(chmod(path, 0664), 0);
	assert_false(file_is_safe(path, true, why, sizeof(why)));
	assert_non_null(strstr(why, "driver.so can be written by others"));
	assert_int_equal(symlink(path, at(real, "link.so")), 0);
	assert_false(file_is_safe(real, true, why, sizeof(why)));
	assert_false(file_is_safe("driver.so", true, why, sizeof(why)));
	assert_false(file_is_safe(dir, true, why, sizeof(why)));
	assert_non_null(strstr(why, "regular file"));
	assert_true(file_is_safe("/usr/bin/env", false, why, sizeof(why)));
}

static void
judges_pins(void **state)
{
	struct doctor d = {0};

	(void)state;
	drop(&d);
	d.tokens = json_loads("[{\"name\":\"a\",\"state\":\"locked\",\"pinFailures\":0},{\"name\":\"b\",\"state\":\"blocked\","
			      "\"pinFailures\":3},{\"name\":\"c\",\"state\":\"locked\",\"pinFailures\":1},"
			      "{\"name\":\"d\",\"state\":\"locked\",\"pinFailures\":2}]", 0, NULL);
	doctor_pins(&d);
	assert_found(&d, 0, "fail", "b");
	assert_found(&d, 1, "warn", "c");
	assert_found(&d, 2, "warn", "d");
	assert_int_equal(json_array_size(d.checks), 3);
	assert_int_equal(d.worst, FOUND_FAIL);
	drop(&d);
	json_decref(d.checks);
}

static int
make_place(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
remove_place(void **state)
{
	char command[200];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_slots_of_opensc),
	    cmocka_unit_test(counts_readers),
	    cmocka_unit_test(judges_readers_around_their_limit),
	    cmocka_unit_test(sees_whom_pcscd_serves),
	    cmocka_unit_test(names_the_drop_in),
	    cmocka_unit_test(warns_60_30_and_7_days_before),
	    cmocka_unit_test(tells_who_may_change_a_driver),
	    cmocka_unit_test(judges_pins),
	};

	return cmocka_run_group_tests(tests, make_place, remove_place);
}
