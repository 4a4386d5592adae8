/*
 * systemd-ask-password(1): the question goes to whatever password agent the
 * machine has (console, plymouth, tty); it needs the right to ask there.
 *
 * Invariant: the PIN comes over a pipe and lies in its object only. The
 * question stands in the program's arguments, which every user of the machine
 * can read: so it names the token and who asks, and no document.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/secret.h"

#include "front.h"

static _Noreturn void
become(int out, const char *text, unsigned seconds, bool echo)
{
	char timeout[32], path[] = "systemd-ask-password";
	char *argv[] = {path, (char *)(uintptr_t) "--no-tty", (char *)(uintptr_t) "--id=signet",
	    (char *)(uintptr_t)(echo ? "--echo=yes" : "--echo=masked"), timeout, (char *)(uintptr_t) "--",
	    (char *)(uintptr_t)text, NULL};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)snprintf(timeout, sizeof(timeout), "--timeout=%u", seconds);
	front_end_with_parent();
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	(void)execvp(path, argv);
	_exit(127);
}

/* Its first line; len 0: none came. */
static bool
read_answer(int fd, char *line, size_t size, size_t *len)
{
	bool more = true;
	ssize_t n;

	*len = 0;
	while (more && *len < size) {
		n = read(fd, line + *len, size - *len);
		if (n < 0 && errno == EINTR)
			continue;
		more = n > 0;
		if (n > 0)
			*len += (size_t)n;
	}
	if (*len > 0 && line[*len - 1] == '\n')
		(*len)--;
	return !more;
}

static enum front_word
ask(const char *text, const json_t *prompt, bool echo, char *line, size_t size, size_t *len)
{
	int pair[2], status = -1;
	bool whole = false;
	pid_t pid;

	*len = 0;
	if (pipe2(pair, O_CLOEXEC) != 0)
		return FRONT_NONE;
	pid = fork();
	if (pid == 0)
		become(pair[1], text, prompt_seconds(prompt), echo);
	(void)close(pair[1]);
	if (pid > 0) {
		whole = read_answer(pair[0], line, size, len);
		(void)close(pair[0]); /* one that says more than a PIN ends here */
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	} else {
		(void)close(pair[0]);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && whole)
		return *len > 0 ? FRONT_YES : FRONT_NO;
	if (pid < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
		(void)fail_text(CTL_FAILED, _("systemd-ask-password cannot be started"));
	return FRONT_NONE;
}

static enum front_word
ask_pin(const json_t *prompt, signet_pin **pin)
{
	char line[SIGNET_PIN_MAX + 2], *text = prompt_line(prompt);
	size_t len;
	enum front_word word = ask(text, prompt, false, line, sizeof(line), &len);

	free(text);
	if (word == FRONT_YES && signet_pin_new(pin, line, len) != SIGNET_OK)
		word = FRONT_NONE;
	wipe(line, sizeof(line));
	return word;
}

static enum front_word
confirm(const json_t *prompt)
{
	char line[128], *text = prompt_warning(prompt);
	const char *token = prompt_token(prompt);
	size_t len;
	enum front_word word = ask(text, prompt, true, line, sizeof(line), &len);

	free(text);
	if (word == FRONT_YES && (len != strlen(token) || memcmp(line, token, len) != 0))
		word = FRONT_NO;
	return word;
}

static enum front_word
wait_for(const json_t *prompt)
{
	char line[128], *text = prompt_line(prompt);
	size_t len;
	enum front_word word = ask(text, prompt, true, line, sizeof(line), &len);

	free(text);
	return word == FRONT_NONE ? FRONT_NONE : FRONT_NO;
}

const struct front front_systemd = {"systemd", ask_pin, confirm, wait_for};
