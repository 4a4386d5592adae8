/* client/base/secret.c */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"
#include "unit.h"

/* Linked with --wrap for these four: what the file asks of the kernel is seen and disturbed here. */
ssize_t __real_read(int fd, void *bytes, size_t n);
ssize_t __wrap_read(int fd, void *bytes, size_t n);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __real_munmap(void *page, size_t n);
int __wrap_munmap(void *page, size_t n);
int __wrap_madvise(void *page, size_t n, int advice);
int __real_madvise(void *page, size_t n, int advice);

static unsigned interruptions;         /* reads that still fail with EINTR */
static size_t broken_after = SIZE_MAX; /* reads that succeed before the device breaks */
static int feed_fd = -1;               /* poll writes feed_text there: a person who types late */
static const char *feed_text = "";
static unsigned unwiped; /* pages given back with a byte left in them */
static bool no_advice;   /* an old kernel */

ssize_t
__wrap_read(int fd, void *bytes, size_t n)
{
	if (interruptions > 0 && interruptions-- % 2 == 1) {
		errno = EINTR;
		return -1;
	}
	if (broken_after == 0) {
		errno = EIO;
		return -1;
	}
	broken_after--;
	return __real_read(fd, bytes, n);
}

int
__wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	if (feed_fd < 0)
		return __real_poll(fds, n, timeout);
	assert_int_equal(timeout, -1);
	assert_int_equal(fds->events, POLLIN);
	if (*feed_text == '\0') {
		close(feed_fd);
		feed_fd = -1;
	} else {
		assert_int_equal(write(feed_fd, feed_text++, 1), 1);
	}
	return 1;
}

int
__wrap_munmap(void *page, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (((const uint8_t *)page)[i] != 0) {
			unwiped++;
			break;
		}
	}
	return __real_munmap(page, n);
}

int
__wrap_madvise(void *page, size_t n, int advice)
{
	if (no_advice) {
		errno = EINVAL;
		return -1;
	}
	return __real_madvise(page, n, advice);
}

static struct secret *
secret_of(const char *text)
{
	struct secret *s = NULL;
	char copy[SECRET_MAX + 1];

	strcpy(copy, text);
	assert_int_equal(secret_take(&s, copy, strlen(text)), SIGNET_OK);
	return s;
}

static void
assert_secret(const struct secret *s, const char *text)
{
	assert_non_null(s);
	assert_int_equal(secret_len(s), strlen(text));
	assert_memory_equal(secret_bytes(s), text, strlen(text));
}

static void
take_moves_the_bytes_and_wipes_the_source(void **state)
{
	char source[] = "123456rest";
	struct secret *s = NULL;

	(void)state;
	assert_int_equal(secret_take(&s, source, 6), SIGNET_OK);
	assert_secret(s, "123456");
	assert_memory_equal(source, "\0\0\0\0\0\0rest", 10);
	secret_free(s);
}

static void
take_knows_its_limits_and_wipes_the_source_all_the_same(void **state)
{
	static const uint8_t zeroes[SECRET_MAX + 1];
	uint8_t source[SECRET_MAX + 1];

	(void)state;
	for (size_t n = SECRET_MAX - 1; n <= SECRET_MAX + 1; n++) {
		owned(secret_freep) struct secret *s = NULL;

		memset(source, 'p', sizeof(source));
		assert_int_equal(secret_take(&s, source, n), n > SECRET_MAX ? SIGNET_ERR_LIMIT : SIGNET_OK);
		assert_memory_equal(source, zeroes, n);
		assert_true((s == NULL) == (n > SECRET_MAX));
	}
}

static void
take_refuses_an_empty_secret(void **state)
{
	struct secret *s = NULL;
	char source[] = "x";

	(void)state;
	assert_int_equal(secret_take(&s, source, 0), SIGNET_ERR_ARGUMENT);
	assert_int_equal(secret_take(&s, NULL, 0), SIGNET_ERR_ARGUMENT);
	assert_null(s);
	assert_string_equal(source, "x");
}

static void
dup_is_a_second_secret(void **state)
{
	struct secret *s = secret_of("4711"), *t = NULL;

	(void)state;
	assert_int_equal(secret_dup(&t, s), SIGNET_OK);
	assert_ptr_not_equal(secret_bytes(s), secret_bytes(t));
	secret_free(s);
	assert_secret(t, "4711");
	secret_free(t);
}

static void
free_wipes_the_page(void **state)
{
	struct secret *s = secret_of("4711");

	(void)state;
	unwiped = 0;
	secret_free(s);
	s = secret_of("4711");
	secret_freep(&s);
	assert_null(s);
	secret_freep(&s);
	secret_free(NULL);
	assert_int_equal(unwiped, 0);
}

/* The VmFlags of the mapping that holds p. */
static void
vm_flags(const void *p, char *out, size_t size)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long from, to;
	bool here = false;
	char line[1000];

	assert_non_null(maps);
	out[0] = '\0';
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (unsigned long)p >= from && (unsigned long)p < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(out, size, "%s", line + 8);
	}
	fclose(maps);
	assert_string_not_equal(out, "");
}

static void
page_is_locked_and_in_no_core_file_and_in_no_child(void **state)
{
	struct secret *s = secret_of("4711");
	struct rlimit lock;
	char flags[1000];

	(void)state;
	vm_flags(secret_bytes(s), flags, sizeof(flags));
	assert_non_null(strstr(flags, " dd"));
	assert_non_null(strstr(flags, " wf"));
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &lock), 0);
	/* sanitizers make mlock a no-op */
#ifndef SIGNET_SANITIZED
	if (lock.rlim_cur >= 1 << 16)
		assert_non_null(strstr(flags, " lo"));
#endif
	secret_free(s);
}

static void
forked_child_finds_an_empty_secret(void **state)
{
	struct secret *s = secret_of("4711");
	int status;
	pid_t child;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		bool empty = secret_len(s) == 0 && secret_bytes(s)[0] == 0;

		_exit(empty ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_secret(s, "4711");
	secret_free(s);
}

static void
kernel_without_advice_still_keeps_a_secret(void **state)
{
	struct secret *s;

	(void)state;
	no_advice = true;
	s = secret_of("4711");
	no_advice = false;
	assert_secret(s, "4711");
	secret_free(s);
}

static void
a_thousand_secrets_at_once(void **state)
{
	struct secret *all[1000];
	char text[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "pin-%d", i);
		all[i] = secret_of(text);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "pin-%d", i);
		assert_secret(all[i], text);
		secret_free(all[i]);
	}
}

/* A pipe with this in it and no writer. */
static int
pipe_with(const char *text, size_t n)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, n), (ssize_t)n);
	close(ends[1]);
	return ends[0];
}

static signet_err
read_pipe(struct secret **s, const char *text, size_t n)
{
	int fd = pipe_with(text, n);
	signet_err err = secret_read_fd(s, fd);

	close(fd);
	return err;
}

static void
read_ends_at_the_end_of_the_file_or_the_first_newline(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {{"123456", "123456"}, {"123456\n", "123456"}, {"12\n3456\n", "12"}, {" 12 \n", " 12 "},
	    {"12\r\n", "12\r"}};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		owned(secret_freep) struct secret *s = NULL;

		assert_int_equal(read_pipe(&s, cases[i].in, strlen(cases[i].in)), SIGNET_OK);
		assert_secret(s, cases[i].out);
	}
}

static void
read_leaves_what_follows_the_newline(void **state)
{
	int fd = pipe_with("old\nnew\n", 8);
	owned(secret_freep) struct secret *first = NULL, *second = NULL;

	(void)state;
	assert_int_equal(secret_read_fd(&first, fd), SIGNET_OK);
	assert_int_equal(secret_read_fd(&second, fd), SIGNET_OK);
	assert_secret(first, "old");
	assert_secret(second, "new");
	close(fd);
}

static void
read_refuses_an_empty_pin(void **state)
{
	struct secret *s = NULL;

	(void)state;
	assert_int_equal(read_pipe(&s, "", 0), SIGNET_ERR_ARGUMENT);
	assert_int_equal(read_pipe(&s, "\n", 1), SIGNET_ERR_ARGUMENT);
	assert_int_equal(read_pipe(&s, "\n123456\n", 8), SIGNET_ERR_ARGUMENT);
	assert_null(s);
}

static void
read_takes_the_longest_pin_and_not_one_byte_more(void **state)
{
	char text[SECRET_MAX + 2];

	(void)state;
	for (size_t n = SECRET_MAX - 1; n <= SECRET_MAX + 1; n++) {
		for (size_t newline = 0; newline < 2; newline++) {
			owned(secret_freep) struct secret *s = NULL;

			memset(text, '7', sizeof(text));
			text[n] = '\n';
			assert_int_equal(
			    read_pipe(&s, text, n + newline), n > SECRET_MAX ? SIGNET_ERR_LIMIT : SIGNET_OK);
			if (n <= SECRET_MAX)
				assert_int_equal(secret_len(s), n);
		}
	}
}

static void
read_goes_on_after_signals(void **state)
{
	owned(secret_freep) struct secret *s = NULL;

	(void)state;
	interruptions = 9;
	assert_int_equal(read_pipe(&s, "123456\n", 7), SIGNET_OK);
	assert_int_equal(interruptions, 0);
	assert_secret(s, "123456");
}

static void
read_waits_where_the_descriptor_does_not_block(void **state)
{
	owned(secret_freep) struct secret *s = NULL;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	feed_fd = ends[1];
	feed_text = "4711";
	assert_int_equal(secret_read_fd(&s, ends[0]), SIGNET_OK);
	assert_secret(s, "4711");
	assert_int_equal(feed_fd, -1);
	close(ends[0]);
}

static void
read_reports_a_descriptor_that_cannot_be_read(void **state)
{
	struct secret *s = NULL;
	int fd = open("/", O_RDONLY);

	(void)state;
	assert_int_equal(secret_read_fd(&s, -1), SIGNET_ERR_IO);
	assert_true(fd >= 0);
	assert_int_equal(secret_read_fd(&s, fd), SIGNET_ERR_IO);
	assert_null(s);
	close(fd);
}

static const char needle[] = "0815-needle-4711-needle";

struct reader {
	int fd;
	struct secret *s;
	signet_err err;
};

static void *
read_on_this_stack(void *arg)
{
	struct reader *r = arg;

	r->err = secret_read_fd(&r->s, r->fd);
	return NULL;
}

/* Read the needle on a stack that can be searched afterwards. */
static void
assert_clean_stack(struct reader *r)
{
	const size_t size = 1 << 20;
	pthread_attr_t attr;
	pthread_t thread;
	uint8_t *stack;

	r->s = NULL;
	r->fd = pipe_with(needle, sizeof(needle) - 1);
	stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(stack != MAP_FAILED);
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstack(&attr, stack, size), 0);
	assert_int_equal(pthread_create(&thread, &attr, read_on_this_stack, r), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* half of it would be too much */
	assert_null(memmem(stack, size, needle, sizeof(needle) / 2));
	pthread_attr_destroy(&attr);
	__real_munmap(stack, size);
	close(r->fd);
}

static void
read_leaves_no_copy_on_its_stack(void **state)
{
	struct reader r;

	(void)state;
	assert_clean_stack(&r);
	assert_int_equal(r.err, SIGNET_OK);
	assert_secret(r.s, needle);
	secret_free(r.s);
}

static void
read_that_fails_half_way_leaves_no_copy_on_its_stack(void **state)
{
	struct reader r;

	(void)state;
	broken_after = sizeof(needle) - 2;
	assert_clean_stack(&r);
	broken_after = SIZE_MAX;
	assert_int_equal(r.err, SIGNET_ERR_IO);
	assert_null(r.s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(take_moves_the_bytes_and_wipes_the_source),
	    cmocka_unit_test(take_knows_its_limits_and_wipes_the_source_all_the_same),
	    cmocka_unit_test(take_refuses_an_empty_secret),
	    cmocka_unit_test(dup_is_a_second_secret),
	    cmocka_unit_test(free_wipes_the_page),
	    cmocka_unit_test(page_is_locked_and_in_no_core_file_and_in_no_child),
	    cmocka_unit_test(forked_child_finds_an_empty_secret),
	    cmocka_unit_test(kernel_without_advice_still_keeps_a_secret),
	    cmocka_unit_test(a_thousand_secrets_at_once),
	    cmocka_unit_test(read_ends_at_the_end_of_the_file_or_the_first_newline),
	    cmocka_unit_test(read_leaves_what_follows_the_newline),
	    cmocka_unit_test(read_refuses_an_empty_pin),
	    cmocka_unit_test(read_takes_the_longest_pin_and_not_one_byte_more),
	    cmocka_unit_test(read_goes_on_after_signals),
	    cmocka_unit_test(read_waits_where_the_descriptor_does_not_block),
	    cmocka_unit_test(read_reports_a_descriptor_that_cannot_be_read),
	    cmocka_unit_test(read_leaves_no_copy_on_its_stack),
	    cmocka_unit_test(read_that_fails_half_way_leaves_no_copy_on_its_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
