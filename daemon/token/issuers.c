/*
 * Certificates of authorities from files, PEM, for chains that the token itself
 * does not hold: most tokens carry nothing but their owner's certificate.
 *
 * They are read before this process locks itself in. A file that cannot be
 * read, and what is no certificate in it, is passed over: a chain that stays
 * short is seen where it is judged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "token/worker.h"

enum { ISSUERS_MAX = 256 };

static bool
add_one(struct token_certs *c, X509 *x509)
{
	struct token_cert *grown = reallocarray(c->list, c->count + 1, sizeof(c->list[0]));

	if (grown == NULL)
		return false;
	c->list = grown;
	memset(&grown[c->count], 0, sizeof(grown[0]));
	grown[c->count++].x509 = x509;
	return true;
}

static void
read_file(struct token_certs *c, const char *path)
{
	FILE *file = fopen(path, "re");
	X509 *x509;

	if (file == NULL)
		return;
	while (c->count < ISSUERS_MAX && (x509 = PEM_read_X509(file, NULL, NULL, NULL)) != NULL)
		if (!add_one(c, x509)) {
			X509_free(x509);
			break;
		}
	fclose(file);
	ERR_clear_error();
}

void
issuers_read(struct token_certs *c, const struct wire_config *config)
{
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < config->issuer_count; i++)
		read_file(c, config->issuers[i]);
}

void
issuers_append(struct token_certs *to, struct token_certs *from)
{
	struct token_cert *grown;

	if (from->count == 0)
		return;
	grown = reallocarray(to->list, to->count + from->count, sizeof(to->list[0]));
	if (grown == NULL)
		return; /* chains stay short */
	to->list = grown;
	memcpy(to->list + to->count, from->list, from->count * sizeof(from->list[0]));
	to->count += from->count;
	free(from->list);
	memset(from, 0, sizeof(*from));
}
