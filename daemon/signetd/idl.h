/*
 * Varlink interface definitions [varlink.org, Interface-Definition]: the files
 * in include/signet, parsed at start, are what calls are checked against and
 * what GetInterfaceDescription serves byte for byte. So the description cannot
 * promise what the daemon does not take.
 */
#ifndef SIGNET_SIGNETD_IDL_H
#define SIGNET_SIGNETD_IDL_H

#include <jansson.h>

#include "base/base.h"

struct idl;	   /* one interface */
struct idl_method; /* one method of it */

/* SIGNET_ERR_PROTOCOL; `why` gets "LINE: what is wrong". `text` must outlive the interface. */
must_check signet_err idl_parse(struct idl **out, const char *text, char *why, size_t why_size);
void idl_free(struct idl *i);
const char *idl_name(const struct idl *i);
const char *idl_text(const struct idl *i);
const struct idl_method *idl_method(const struct idl *i, const char *name); /* "Sign"; NULL: no such method */
bool idl_has_error(const struct idl *i, const char *name);
size_t idl_method_count(const struct idl *i);
const char *idl_method_name(const struct idl *i, size_t n);

/*
 * Do these parameters have the method's input type? Unknown fields, missing fields and wrong types are named:
 * `field` gets the first path at fault ("items[3].digest"). null counts as absent. Enums are strings of their set.
 */
bool idl_check_input(const struct idl_method *m, const json_t *parameters, char *field, size_t field_size);
bool idl_check_output(const struct idl_method *m, const json_t *parameters, char *field, size_t field_size);
bool idl_check_error(const struct idl *i, const char *name, const json_t *parameters, char *field, size_t field_size);

#endif
