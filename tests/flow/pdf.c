/*
 * signet_pdf by itself, with a key from a file: for the corpus of the flow
 * tests, where a daemon would add nothing.
 *
 *   signet-pdf sign IN OUT CERT KEY    one more signature; an ordinary CMS of libcrypto
 *   signet-pdf list IN                 a line for each signature
 * A PDF that is refused: its word on standard output, exit status 3.
 */
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pdf/pdf.h"

enum { ROOM = 4096, REFUSED = 3 };

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "signet-pdf: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void
refuse_unless_ok(pdf_err err)
{
	if (err == PDF_OK)
		return;
	puts(pdf_word(err));
	exit(REFUSED);
}

static uint8_t *
read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rbe");
	uint8_t *bytes;
	long n;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0)
		die(path);
	*size = (size_t)n;
	bytes = malloc(*size + 1);
	if (bytes == NULL || fread(bytes, 1, *size, f) != *size)
		die(path);
	(void)fclose(f);
	return bytes;
}

static void
write_file(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "wbe");

	if (f == NULL || fwrite(b->data, 1, b->len, f) != b->len || fclose(f) != 0)
		die(path);
}

static BIO *
open_or_die(const char *path)
{
	BIO *bio = BIO_new_file(path, "r");

	if (bio == NULL)
		die(path);
	return bio;
}

/* A detached CMS over what is signed of the draft. */
static size_t
make_cms(const struct pdf_draft *d, const char *cert_path, const char *key_path, uint8_t **der)
{
	const unsigned flags = CMS_DETACHED | CMS_BINARY | CMS_CADES | CMS_NOSMIMECAP;
	BIO *cert_bio = open_or_die(cert_path), *key_bio = open_or_die(key_path),
	    *content = BIO_new(BIO_s_mem());
	X509 *cert = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
	CMS_ContentInfo *cms;
	int n;

	if (BIO_write(content, d->bytes.data, (int)d->hole) != (int)d->hole)
		die("memory");
	n = (int)(d->bytes.len - d->hole_end);
	if (BIO_write(content, d->bytes.data + d->hole_end, n) != n)
		die("memory");
	cms = CMS_sign(cert, key, NULL, content, flags);
	n = cms == NULL ? -1 : i2d_CMS_ContentInfo(cms, der);
	if (n < 0)
		die("CMS");
	CMS_ContentInfo_free(cms);
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(content);
	BIO_free(cert_bio);
	BIO_free(key_bio);
	return (size_t)n;
}

static void
sign(struct pdf *f, char **argv)
{
	const struct pdf_signing how = {.room = ROOM,
	    .time = (int64_t)time(NULL),
	    .offset_minutes = 7 * 60,
	    .name = "Nguy\xe1\xbb\x85n V\xc4\x83n A",
	    .reason = "test (of it)",
	    .id = {1, 2, 3}};
	struct pdf_draft draft;
	uint8_t *der = NULL;
	size_t n;

	refuse_unless_ok(pdf_sign(f, &how, &draft));
	n = make_cms(&draft, argv[4], argv[5], &der);
	refuse_unless_ok(pdf_draft_fill(&draft, der, n));
	write_file(argv[3], &draft.bytes);
	OPENSSL_free(der);
	pdf_draft_done(&draft);
}

static void
print_changes(struct pdf *now, const uint8_t *bytes, size_t end)
{
	owned(pdf_closep) struct pdf *then = NULL;
	struct pdf_changes c;

	refuse_unless_ok(pdf_open(&then, bytes, end));
	refuse_unless_ok(pdf_compare(then, now, &c));
	printf(" added=%zu changed=%zu foreign=%zu", c.added, c.changed, c.foreign);
}

static void
list(struct pdf *f, const uint8_t *bytes, size_t size)
{
	struct pdf_signature *s;
	size_t count, i;

	refuse_unless_ok(pdf_signatures(f, &s, &count));
	for (i = 0; i < count; i++) {
		printf("%s %s %s whole=%d filled=%d end=%llu of %zu", s[i].field, s[i].kind, s[i].time,
		    s[i].whole, s[i].filled, (unsigned long long)s[i].end, size);
		if (s[i].whole)
			print_changes(f, bytes, s[i].end);
		putchar('\n');
	}
	free(s);
}

int
main(int argc, char **argv)
{
	owned(pdf_closep) struct pdf *f = NULL;
	uint8_t *bytes;
	size_t size;

	if (argc < 3 || (strcmp(argv[1], "sign") == 0 ? argc != 6 : strcmp(argv[1], "list") != 0))
		die("usage: sign IN OUT CERT KEY, or list IN");
	bytes = read_file(argv[2], &size);
	refuse_unless_ok(pdf_open(&f, bytes, size));
	if (argv[1][0] == 's')
		sign(f, argv);
	else
		list(f, bytes, size);
	free(bytes);
	return 0;
}
