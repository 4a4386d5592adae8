/*
 * Reading PDF files, and digests of their signed parts.
 *
 * Invariant: the file is read once, whole, before anything of it is believed:
 * what is signed is what was looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"

#include "cms.h"
#include "hash.h"
#include "pdf_file.h"

/* PDF_OK, PDF_TOO_LARGE, PDF_MEMORY; PDF_NO_PDF with errno: it cannot be read. */
static pdf_err
read_whole(struct pdf_file *f, int fd)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return PDF_NO_PDF;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return PDF_NO_PDF;
	}
	if (st.st_size > PDF_FILE_MAX)
		return PDF_TOO_LARGE;
	f->bytes = malloc((size_t)st.st_size + 1);
	if (f->bytes == NULL)
		return PDF_MEMORY;
	while (f->size < (size_t)st.st_size) {
		n = read(fd, f->bytes + f->size, (size_t)st.st_size - f->size);
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return PDF_NO_PDF;
		f->size += (size_t)n;
	}
	return PDF_OK;
}

/* errno is 0 where the file could be read. */
static pdf_err
open_quietly(struct pdf_file *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), saved;
	pdf_err err;

	*f = (struct pdf_file){0};
	if (fd < 0)
		return PDF_NO_PDF;
	errno = 0;
	err = read_whole(f, fd);
	saved = err == PDF_NO_PDF ? errno : 0;
	(void)close(fd);
	if (err == PDF_OK)
		err = pdf_open(&f->pdf, f->bytes, f->size);
	errno = saved;
	return err;
}

int
pdf_file_refused(const char *path, pdf_err err)
{
	return fail_text(CTL_FAILED, "%s: %s", path, _(pdf_strerror(err)));
}

int
pdf_file_open(struct pdf_file *f, const char *path)
{
	pdf_err err = open_quietly(f, path);

	if (err == PDF_NO_PDF && errno != 0)
		return fail_text(CTL_FAILED, _("cannot read %s: %s"), path, strerror(errno));
	return err == PDF_OK ? CTL_OK : pdf_file_refused(path, err);
}

void
pdf_file_close(struct pdf_file *f)
{
	pdf_close(f->pdf);
	free(f->bytes);
	*f = (struct pdf_file){0};
}

bool
pdf_file_digest(
    const uint8_t *bytes, uint64_t hole, uint64_t hole_end, uint64_t end, signet_hash hash, uint8_t *digest)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	good = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_get_digestbyname(hash_name(hash)), NULL) == 1 &&
	       EVP_DigestUpdate(ctx, bytes, hole) == 1 &&
	       EVP_DigestUpdate(ctx, bytes + hole_end, end - hole_end) == 1 &&
	       EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

static bool
digest_of(const struct pdf_file *f, const struct pdf_signature *s, signet_hash hash, uint8_t *digest)
{
	return s->whole && pdf_file_digest(f->bytes, s->hole, s->hole_end, s->end, hash, digest);
}

int
pdf_file_last_digest(const char *path, signet_hash hash, uint8_t *digest)
{
	struct pdf_signature *list = NULL;
	struct pdf_file f;
	size_t count = 0;
	pdf_err err;
	int code;

	code = pdf_file_open(&f, path);
	if (code == CTL_OK) {
		err = pdf_signatures(f.pdf, &list, &count);
		if (err == PDF_OK && count == 0)
			err = PDF_NO_SIGNATURE;
		if (err == PDF_OK && !digest_of(&f, &list[count - 1], hash, digest))
			err = PDF_BAD_OBJECT;
		if (err != PDF_OK)
			code = pdf_file_refused(path, err);
	}
	free(list);
	pdf_file_close(&f);
	return code;
}

/* Without the zeroes that fill its room. */
static bool
cms_of(const struct pdf_signature *s, struct buf *cms, char *value_hash)
{
	size_t size;

	buf_reset(cms);
	if (!s->whole || pdf_signature_bytes(s, cms) != PDF_OK ||
	    !cms_value_hash(cms->data, cms->len, &size, value_hash))
		return false;
	cms->len = size;
	return true;
}

pdf_err
pdf_file_find(const struct pdf_file *f, const char *value_hash, struct pdf_signature *found)
{
	struct pdf_signature *list = NULL;
	char own[DIGEST_TEXT_MAX];
	size_t count = 0, i;
	struct buf cms;
	pdf_err err;

	err = pdf_signatures(f->pdf, &list, &count);
	if (err != PDF_OK)
		return err;
	buf_init(&cms, PDF_CONTENTS_MAX);
	for (i = 0; i < count && !(cms_of(&list[i], &cms, own) && strcmp(own, value_hash) == 0); i++)
		;
	if (i < count)
		*found = list[i];
	buf_done(&cms);
	free(list);
	return i < count ? PDF_OK : PDF_NO_SIGNATURE;
}

bool
pdf_file_last_cms(const char *path, struct buf *cms, char *value_hash)
{
	struct pdf_signature *list = NULL;
	struct pdf_file f;
	size_t count = 0;
	bool found;

	found = open_quietly(&f, path) == PDF_OK && pdf_signatures(f.pdf, &list, &count) == PDF_OK &&
		count > 0 && cms_of(&list[count - 1], cms, value_hash);
	free(list);
	pdf_file_close(&f);
	return found;
}

bool
pdf_file_has_digest(const char *path, signet_hash hash, const uint8_t *digest)
{
	struct pdf_signature *list = NULL;
	uint8_t own[SIGNET_DIGEST_MAX];
	struct pdf_file f;
	size_t count = 0, i;
	bool found = false;

	if (open_quietly(&f, path) == PDF_OK && pdf_signatures(f.pdf, &list, &count) == PDF_OK) {
		for (i = 0; i < count && !found; i++)
			found = digest_of(&f, &list[i], hash, own) &&
				memcmp(own, digest, signet_hash_size(hash)) == 0;
	}
	free(list);
	pdf_file_close(&f);
	return found;
}
