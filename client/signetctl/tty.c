/*
 * Questions on /dev/tty.
 *
 * Invariant: the terminal's settings are put back on every way out, signals
 * included: those that would end or stop the process are blocked except inside
 * ppoll(), where they only take a note; it is acted on when the terminal is as
 * it was. After a stop (Ctrl-Z, then fg) the question is asked again. SIGTTIN
 * and SIGTTOU stay as they are: they stop a background job before anything
 * was changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret.h"

#include "tty.h"

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

struct signals {
	struct sigaction old[array_len(caught)];
	sigset_t mask; /* as it was */
};

struct line {
	char *text;
	size_t size, len;
};

static volatile sig_atomic_t came;

static void
note(int sig)
{
	came = sig;
}

static void
catch_signals(struct signals *s)
{
	struct sigaction act = {.sa_handler = note};
	sigset_t set;
	size_t i;

	(void)sigemptyset(&act.sa_mask);
	(void)sigemptyset(&set);
	for (i = 0; i < array_len(caught); i++)
		(void)sigaddset(&set, caught[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &s->mask);
	came = 0;
	for (i = 0; i < array_len(caught); i++) {
		(void)sigaction(caught[i], NULL, &s->old[i]);
		/* what was ignored (nohup) stays ignored */
		if (s->old[i].sa_handler != SIG_IGN)
			(void)sigaction(caught[i], &act, NULL);
	}
}

static void
release_signals(const struct signals *s)
{
	size_t i;

	for (i = 0; i < array_len(caught); i++)
		(void)sigaction(caught[i], &s->old[i], NULL);
	(void)sigprocmask(SIG_SETMASK, &s->mask, NULL);
}

static bool
write_all(int fd, const char *text)
{
	size_t n = strlen(text);
	ssize_t done;

	for (; n > 0; text += done, n -= (size_t)done) {
		done = write(fd, text, n);
		if (done < 0)
			return false;
	}
	return true;
}

/* One byte; 0 at the end, -1 on an error or when a signal came. */
static ssize_t
read_byte(int fd, const sigset_t *mask, char *c)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (ppoll(&p, 1, NULL, mask) < 0)
		return -1;
	return read(fd, c, 1);
}

/* One line, byte by byte: what is behind it belongs to whoever reads next. */
static signet_err
read_line(int fd, const sigset_t *mask, struct line *line)
{
	bool cut = false;
	ssize_t got;
	char c;

	line->len = 0;
	while ((got = read_byte(fd, mask, &c)) == 1 && c != '\n') {
		if (line->len < line->size)
			line->text[line->len++] = c;
		else
			cut = true;
	}
	wipe(&c, sizeof(c));
	if (got < 0)
		return SIGNET_ERR_IO;
	return cut ? SIGNET_ERR_LIMIT : SIGNET_OK;
}

static signet_err
ask_hidden(int fd, const sigset_t *mask, const char *prompt, struct line *line)
{
	struct termios was, hidden;
	signet_err err;

	if (tcgetattr(fd, &was) != 0)
		return SIGNET_ERR_IO;
	hidden = was;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	hidden.c_lflag |= ICANON | ISIG;
	if (tcsetattr(fd, TCSAFLUSH, &hidden) != 0)
		return SIGNET_ERR_IO;
	err = write_all(fd, prompt) ? read_line(fd, mask, line) : SIGNET_ERR_IO;
	(void)tcsetattr(fd, TCSAFLUSH, &was);
	(void)write_all(fd, "\n");
	return err;
}

static signet_err
ask_shown(int fd, const sigset_t *mask, const char *prompt, struct line *line)
{
	return write_all(fd, prompt) ? read_line(fd, mask, line) : SIGNET_ERR_IO;
}

bool
tty_there(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

signet_err
tty_ask(const char *prompt, bool hidden, char *text, size_t size, size_t *len)
{
	struct line line = {.text = text, .size = size};
	struct signals signals;
	signet_err err;
	int fd, sig;

	fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return SIGNET_ERR_IO;
	do {
		catch_signals(&signals);
		err = (hidden ? ask_hidden : ask_shown)(fd, &signals.mask, prompt, &line);
		sig = came;
		release_signals(&signals);
		if (sig != 0) {
			wipe(text, size);
			line.len = 0;
			err = SIGNET_ERR_IO;
			/* as if we had never been in between: it ends or stops us here */
			(void)raise(sig);
		}
	} while (sig == SIGTSTP);
	(void)close(fd);
	*len = line.len;
	return err;
}
