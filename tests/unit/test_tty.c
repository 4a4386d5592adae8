/*
 * Questions on a terminal: the test is the person, at the other end of a
 * pseudo-terminal, and sees what the terminal shows.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "tty.h"

#include "unit.h"

enum { ROOM = 8, REFUSED = 40, LONG = 41 };

struct terminal {
	int fd;
	pid_t child;
	char shown[4096];
	size_t len;
};

/* The child asks once and exits with what came of it: the length of the line, or why there is none. */
static void
ask(bool hidden)
{
	char line[ROOM];
	size_t len;
	signet_err err = tty_ask("Well? ", hidden, line, sizeof(line), &len);

	if (err == SIGNET_ERR_LIMIT)
		_exit(LONG);
	if (err != SIGNET_OK)
		_exit(REFUSED);
	_exit(memcmp(line, "12345678", len) == 0 ? (int)len : REFUSED);
}

static void
start(struct terminal *t, bool hidden)
{
	*t = (struct terminal){0};
	t->child = forkpty(&t->fd, NULL, NULL, NULL);
	assert_true(t->child >= 0);
	if (t->child == 0)
		ask(hidden);
}

/* Read what is shown until the question stands there `times` times. */
static void
await_question(struct terminal *t, int times)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};
	const char *at;
	ssize_t n;
	int seen;

	for (;;) {
		for (seen = 0, at = t->shown; (at = strstr(at, "Well? ")) != NULL; at++)
			seen++;
		if (seen >= times)
			return;
		assert_int_equal(poll(&p, 1, 10000), 1);
		n = read(t->fd, t->shown + t->len, sizeof(t->shown) - t->len - 1);
		assert_true(n > 0);
		t->len += (size_t)n;
	}
}

static void
type(struct terminal *t, const char *text)
{
	assert_int_equal(write(t->fd, text, strlen(text)), strlen(text));
}

static bool
echoes(const struct terminal *t)
{
	struct termios settings;

	assert_int_equal(tcgetattr(t->fd, &settings), 0);
	return (settings.c_lflag & ECHO) != 0;
}

/* The status of the child; `shown` is then complete. */
static int
finish(struct terminal *t)
{
	int status;
	ssize_t n;

	/* EIO: the last process left the terminal */
	while ((n = read(t->fd, t->shown + t->len, sizeof(t->shown) - t->len - 1)) > 0)
		t->len += (size_t)n;
	assert_int_equal(waitpid(t->child, &status, 0), t->child);
	(void)close(t->fd);
	return status;
}

static void
hidden_line_is_read_and_not_shown(void **state)
{
	struct terminal t;
	int status;

	(void)state;
	start(&t, true);
	await_question(&t, 1);
	assert_false(echoes(&t));
	type(&t, "12345\n");
	status = finish(&t);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 5);
	assert_null(strstr(t.shown, "123"));
}

static void
open_line_is_shown(void **state)
{
	struct terminal t;
	int status;

	(void)state;
	start(&t, false);
	await_question(&t, 1);
	assert_true(echoes(&t));
	type(&t, "123\n");
	status = finish(&t);
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_non_null(strstr(t.shown, "123"));
}

static void
line_that_fills_the_room_is_taken_and_a_longer_one_refused(void **state)
{
	struct terminal t;

	(void)state;
	start(&t, true);
	await_question(&t, 1);
	type(&t, "12345678\n");
	assert_int_equal(WEXITSTATUS(finish(&t)), 8);
	start(&t, true);
	await_question(&t, 1);
	type(&t, "123456789\n");
	assert_int_equal(WEXITSTATUS(finish(&t)), LONG);
}

static void
end_of_input_is_an_empty_line(void **state)
{
	struct terminal t;

	(void)state;
	start(&t, true);
	await_question(&t, 1);
	type(&t, "\x04");
	assert_int_equal(WEXITSTATUS(finish(&t)), 0);
}

/* The terminal outlives the child here: a second process keeps it open and tells how it was left. */
static void
interrupt_ends_the_process_with_the_echo_restored(void **state)
{
	int pty, terminal, status;
	struct termios settings;
	struct terminal t = {0};

	(void)state;
	assert_int_equal(openpty(&pty, &terminal, NULL, NULL, NULL), 0);
	t.fd = pty;
	t.child = fork();
	if (t.child == 0) {
		(void)close(pty);
		if (login_tty(terminal) != 0)
			_exit(REFUSED);
		ask(true);
	}
	await_question(&t, 1);
	assert_int_equal(tcgetattr(terminal, &settings), 0);
	assert_int_equal(settings.c_lflag & ECHO, 0);
	type(&t, "12\x03");
	assert_int_equal(waitpid(t.child, &status, 0), t.child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
	assert_int_equal(tcgetattr(terminal, &settings), 0);
	assert_int_equal(settings.c_lflag & ECHO, ECHO);
	(void)close(terminal);
	(void)close(pty);
}

static void
stop_restores_the_echo_and_the_question_comes_again(void **state)
{
	struct terminal t;
	int status;

	(void)state;
	start(&t, true);
	await_question(&t, 1);
	/* by kill, not by Ctrl-Z: the child leads its session, and an orphaned group is not stopped by the terminal */
	assert_int_equal(kill(t.child, SIGTSTP), 0);
	await_question(&t, 2);
	assert_false(echoes(&t));
	type(&t, "12345\n");
	status = finish(&t);
	assert_int_equal(WEXITSTATUS(status), 5);
	assert_null(strstr(t.shown, "123"));
}

static void
without_a_terminal_nothing_is_asked(void **state)
{
	char line[ROOM];
	size_t len;
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		(void)setsid();
		_exit(!tty_there() && tty_ask("Well? ", true, line, sizeof(line), &len) == SIGNET_ERR_IO ? 0
													 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hidden_line_is_read_and_not_shown),
	    cmocka_unit_test(open_line_is_shown),
	    cmocka_unit_test(line_that_fills_the_room_is_taken_and_a_longer_one_refused),
	    cmocka_unit_test(end_of_input_is_an_empty_line),
	    cmocka_unit_test(interrupt_ends_the_process_with_the_echo_restored),
	    cmocka_unit_test(stop_restores_the_echo_and_the_question_comes_again),
	    cmocka_unit_test(without_a_terminal_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
