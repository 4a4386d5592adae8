/* Which signature scheme a key uses for a call: the caller's word, the key's configuration, the algorithm. */
#ifndef SIGNET_SIGNETD_SCHEME_H
#define SIGNET_SIGNETD_SCHEME_H

#include "fault.h"
#include "token.h"

/* `word` as on the wire, NULL: the key's default. Needs the token's information. False: the fault says why. */
bool scheme_resolve(const struct key *k, enum key_scheme wanted, enum wire_scheme *out, struct fault *f);
/* Can this format have this level here? `level` as on the wire, NULL: b. */
bool level_check(const struct broker *b, enum wire_format format, const char *level, struct fault *f);
/* Does this key make what is asked for? Needs the token's information. */
bool format_check(const struct key *k, enum wire_format format, struct fault *f);
enum wire_format format_parse(const char *word); /* of a checked enum; NULL: WIRE_RAW */
enum key_scheme scheme_parse(const char *word); /* of a checked enum; NULL: SCHEME_DEFAULT */

#endif
