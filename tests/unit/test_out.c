/* Signature files: whole, new, and never written over by accident. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "out.h"

#include "unit.h"

static char folder[] = "/tmp/signetctl_out.XXXXXX";

static int
enter_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int
leave_folder(void **state)
{
	(void)state;
	return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1; /* the tests left nothing */
}

static void
assert_content(const char *path, const char *want)
{
	char got[64] = "";
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	assert_int_equal(fread(got, 1, sizeof(got) - 1, f), strlen(want));
	assert_string_equal(got, want);
	(void)fclose(f);
}

static size_t
files_here(void)
{
	DIR *d = opendir(".");
	size_t n = 0;

	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n - 2;
}

static void
writes_a_new_file_as_the_umask_says(void **state)
{
	struct stat st;
	mode_t mask = umask(027);

	(void)state;
	assert_int_equal(out_write("a.sig", "abc", 3, false), 0);
	(void)umask(mask);
	assert_content("a.sig", "abc");
	assert_int_equal(stat("a.sig", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(files_here(), 1);
	assert_int_equal(unlink("a.sig"), 0);
}

static void
replaces_only_when_asked(void **state)
{
	(void)state;
	assert_int_equal(out_write("a.sig", "old", 3, false), 0);
	assert_int_equal(out_write("a.sig", "new", 3, false), EEXIST);
	assert_content("a.sig", "old");
	assert_int_equal(files_here(), 1);
	assert_int_equal(out_write("a.sig", "new", 3, true), 0);
	assert_content("a.sig", "new");
	assert_int_equal(files_here(), 1);
	assert_int_equal(unlink("a.sig"), 0);
}

static void
does_not_follow_a_link_that_dangles(void **state)
{
	(void)state;
	assert_int_equal(symlink("elsewhere", "a.sig"), 0);
	assert_int_equal(out_write("a.sig", "abc", 3, false), EEXIST);
	assert_int_equal(access("elsewhere", F_OK), -1);
	assert_int_equal(unlink("a.sig"), 0);
}

static void
failure_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(out_write("missing/a.sig", "abc", 3, false), ENOENT);
	assert_int_equal(mkdir("a.sig", 0700), 0);
	assert_int_equal(out_write("a.sig", "abc", 3, true), EISDIR);
	assert_int_equal(files_here(), 1);
	assert_int_equal(rmdir("a.sig"), 0);
}

static void
takes_the_longest_name_that_a_file_can_have(void **state)
{
	char name[256];

	(void)state;
	memset(name, 'x', 255);
	name[255] = '\0';
	assert_int_equal(out_write(name, "abc", 3, false), 0);
	assert_content(name, "abc");
	assert_int_equal(unlink(name), 0);
}

static void
puts_the_signature_beside_the_file_or_into_the_folder(void **state)
{
	char *path;

	(void)state;
	path = out_path("dir/a.pdf", NULL, ".sig");
	assert_string_equal(path, "dir/a.pdf.sig");
	free(path);
	path = out_path("dir/a.pdf", "out", ".sig");
	assert_string_equal(path, "out/a.pdf.sig");
	free(path);
	path = out_path("a.pdf", "out", ".sig");
	assert_string_equal(path, "out/a.pdf.sig");
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_a_new_file_as_the_umask_says),
	    cmocka_unit_test(replaces_only_when_asked),
	    cmocka_unit_test(does_not_follow_a_link_that_dangles),
	    cmocka_unit_test(failure_leaves_nothing),
	    cmocka_unit_test(takes_the_longest_name_that_a_file_can_have),
	    cmocka_unit_test(puts_the_signature_beside_the_file_or_into_the_folder),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
