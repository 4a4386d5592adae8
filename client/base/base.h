/* Attributes and small helpers that every room uses. */
#ifndef SIGNET_BASE_BASE_H
#define SIGNET_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <signet/error.h>

#define must_check __attribute__((warn_unused_result))
#define owned(fn) __attribute__((cleanup(fn)))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))
#define array_len(a) (sizeof(a) / sizeof((a)[0]))

/* Last component of the Varlink error name, NULL if the code never crosses the wire. */
const char *err_wire_name(signet_err err);
/* The code of "org.signetd.Signer.KeyNotFound" or "KeyNotFound"; SIGNET_ERR_PROTOCOL if unknown. */
signet_err err_from_wire(const char *name);

#endif
