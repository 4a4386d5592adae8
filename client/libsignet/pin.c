/*
 * A PIN on its way from a person to the wire.
 *
 * Invariant: the bytes are UTF-8 without a NUL, so they can be written into a
 * JSON string as they are; they lie in a `secret` and nowhere else.
 */
#include <stdlib.h>

#include "conn.h"

_Static_assert((int)SIGNET_PIN_MAX == (int)SECRET_MAX, "one limit for a PIN");

/* Wrap a secret, which is gone on any error. */
static signet_err
pin_wrap(signet_pin **pin, struct secret *secret)
{
	signet_pin *p = NULL;
	signet_err err = SIGNET_ERR_ARGUMENT;

	if (utf8_valid(secret_bytes(secret), secret_len(secret))) {
		p = malloc(sizeof(*p));
		err = SIGNET_ERR_MEMORY;
	}
	if (p == NULL) {
		secret_free(secret);
		return err;
	}
	p->secret = secret;
	*pin = p;
	return SIGNET_OK;
}

SIGNET_API signet_err
signet_pin_new(signet_pin **pin, void *bytes, size_t size)
{
	struct secret *secret;
	signet_err err;

	if (bytes == NULL)
		return SIGNET_ERR_ARGUMENT;
	if (pin == NULL) {
		wipe(bytes, size);
		return SIGNET_ERR_ARGUMENT;
	}
	err = secret_take(&secret, bytes, size);
	return err == SIGNET_OK ? pin_wrap(pin, secret) : err;
}

SIGNET_API signet_err
signet_pin_read(signet_pin **pin, int fd)
{
	struct secret *secret;
	signet_err err;

	if (pin == NULL)
		return SIGNET_ERR_ARGUMENT;
	err = secret_read_fd(&secret, fd);
	return err == SIGNET_OK ? pin_wrap(pin, secret) : err;
}

SIGNET_API void
signet_pin_free(signet_pin *pin)
{
	if (pin == NULL)
		return;
	secret_free(pin->secret);
	free(pin);
}
