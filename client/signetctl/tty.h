/* Questions on the terminal of the process, whatever stdin and stdout are. */
#ifndef SIGNET_SIGNETCTL_TTY_H
#define SIGNET_SIGNETCTL_TTY_H

#include "base/base.h"

/* Is there a terminal to ask on? */
bool tty_there(void);

/*
 * Ask, and read one line without its newline into `line` (size bytes; no NUL is added). With `hidden` nothing of
 * it is shown. A signal that ends or stops the process finds the terminal as it was. SIGNET_ERR_IO (no
 * terminal), SIGNET_ERR_LIMIT (the line is longer; it is read and dropped).
 */
must_check signet_err tty_ask(const char *prompt, bool hidden, char *line, size_t size, size_t *len);

#endif
