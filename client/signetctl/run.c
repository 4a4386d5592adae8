/*
 * A program of the system, asked one question.
 *
 * Invariant: it gets no input, a plain environment, and is gone when
 * run_program returns: one that does not end in time is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

static char *const environment[] = {
    (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C.UTF-8", NULL};

static bool
start(const char *const *argv, bool errors, pid_t *pid, int *from)
{
	posix_spawn_file_actions_t actions;
	int pair[2], rc;

	if (pipe2(pair, O_CLOEXEC) != 0)
		return false;
	rc = posix_spawn_file_actions_init(&actions);
	if (rc == 0) {
		(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
		(void)posix_spawn_file_actions_adddup2(&actions, pair[1], STDOUT_FILENO);
		if (errors)
			(void)posix_spawn_file_actions_adddup2(&actions, pair[1], STDERR_FILENO);
		else
			(void)posix_spawn_file_actions_addopen(
			    &actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
		rc = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environment);
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	(void)close(pair[1]);
	if (rc != 0)
		(void)close(pair[0]);
	*from = pair[0];
	return rc == 0;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* To the end of file; false: too much, too long, or broken. */
static bool
read_all(int fd, char *text, size_t size)
{
	int64_t until = now_ms() + RUN_SECONDS * 1000;
	size_t len = 0;
	ssize_t got = 1;

	while (got > 0 && len + 1 < size) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = until - now_ms();

		if (left <= 0 || (poll(&p, 1, (int)left) <= 0 && errno != EINTR))
			return false;
		got = read(fd, text + len, size - 1 - len);
		if (got > 0)
			len += (size_t)got;
		else if (got < 0 && errno == EINTR)
			got = 1;
	}
	text[len] = '\0';
	return got == 0;
}

int
run_program(const char *const *argv, bool errors, char **out)
{
	char *text = malloc(RUN_OUTPUT_MAX);
	int from, status;
	bool whole;
	pid_t pid;

	*out = NULL;
	if (text == NULL || !start(argv, errors, &pid, &from)) {
		free(text);
		return -1;
	}
	whole = read_all(from, text, RUN_OUTPUT_MAX);
	(void)close(from);
	if (!whole)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!whole || !WIFEXITED(status)) {
		free(text);
		return -1;
	}
	*out = text;
	return WEXITSTATUS(status);
}

char *
run_find_signetd(void)
{
	static const char *const beside[] = {"../sbin/signetd", "../../daemon/signetd/signetd"};
	char here[PATH_MAX], *slash, *path = NULL;
	ssize_t len = readlink("/proc/self/exe", here, sizeof(here) - 1);
	size_t i;

	here[len < 0 ? 0 : len] = '\0';
	slash = strrchr(here, '/');
	if (slash != NULL)
		*slash = '\0';
	for (i = 0; slash != NULL && i < array_len(beside); i++) {
		if (asprintf(&path, "%s/%s", here, beside[i]) < 0)
			return NULL;
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return access("/usr/sbin/signetd", X_OK) == 0 ? strdup("/usr/sbin/signetd") : NULL;
}
