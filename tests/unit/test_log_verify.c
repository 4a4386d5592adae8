/*
 * client/libsignet/log_verify.c, log_folder.c, log_prove.c: a published log is good, and whatever is changed in it
 * is found and named.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <signet/log.h>

#include "published.h"
#include "unit.h"

enum { SIZE = 612, TRIES = 3000 };

static struct published log_;
static char folder[] = "/tmp/signet_log.XXXXXX";

/* Parts of these sizes were published before: they stay. */
static const uint64_t sizes[] = {1, 17, 256, 300, 511, 600, SIZE};

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int
make_log(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	published_init(&log_, folder, "log.example/v\xc4\x83n-th\xc6\xb0");
	for (size_t i = 0; i < array_len(sizes); i++)
		published_grow(&log_, sizes[i]);
	return 0;
}

static int
remove_log(void **state)
{
	(void)state;
	published_done(&log_);
	return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static signet_err
verify(signet_log_check *check, const signet_checkpoint *since, const signet_log_visitor *visitor)
{
	memset(check, 0, sizeof(*check));
	check->size = sizeof(*check);
	return signet_log_verify_folder(folder, log_.vkey, since, visitor, check);
}

struct file {
	char place[80];
	uint8_t *bytes;
	size_t size;
};

static void
full_path(char *out, size_t size, const char *place)
{
	assert_true(snprintf(out, size, "%s/%s", folder, place) < (int)size);
}

static void
read_file(struct file *f, const char *place)
{
	char path[256];
	struct stat st;
	FILE *in;

	(void)snprintf(f->place, sizeof(f->place), "%s", place);
	full_path(path, sizeof(path), place);
	in = fopen(path, "re");
	assert_non_null(in);
	assert_int_equal(fstat(fileno(in), &st), 0);
	f->size = (size_t)st.st_size;
	f->bytes = malloc(f->size + 1);
	assert_non_null(f->bytes);
	assert_int_equal(fread(f->bytes, 1, f->size, in), f->size);
	(void)fclose(in);
}

static void
write_file(const char *place, const void *bytes, size_t size)
{
	char path[256];
	FILE *out;

	full_path(path, sizeof(path), place);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, size, out), size);
	assert_int_equal(fclose(out), 0);
}

static void
put_back(struct file *f)
{
	write_file(f->place, f->bytes, f->size);
	free(f->bytes);
}

static void
remove_place(const char *place)
{
	char path[256];

	full_path(path, sizeof(path), place);
	assert_int_equal(unlink(path), 0);
}

/* --- what is right --- */

struct seen {
	uint64_t entries, calls, done, total;
	uint64_t stop_at;
};

static bool
see_entry(void *arg, uint64_t index, const char *entry, size_t size)
{
	struct seen *s = arg;
	size_t want_size;
	char *want = published_entry(&log_, index, &want_size);

	assert_int_equal(index, s->entries);
	assert_int_equal(size, want_size);
	assert_memory_equal(entry, want, size);
	free(want);
	s->entries++;
	return s->entries != s->stop_at;
}

static void
see_progress(void *arg, uint64_t done, uint64_t total)
{
	struct seen *s = arg;

	assert_true(done > s->done && done <= total);
	s->done = done;
	s->total = total;
	s->calls++;
}

static void
whole_log_verifies_and_every_entry_is_seen_once(void **state)
{
	struct seen seen = {0};
	signet_log_visitor visitor = {
	    .size = sizeof(visitor), .arg = &seen, .entry = see_entry, .progress = see_progress};
	signet_log_check check;

	(void)state;
	assert_int_equal(verify(&check, NULL, &visitor), SIGNET_OK);
	assert_int_equal(seen.entries, SIZE);
	assert_int_equal(seen.calls, 3);
	assert_int_equal(seen.total, SIZE);
	assert_int_equal(check.checked, SIZE);
	assert_int_equal(check.faults, 0);
	assert_true(check.authentic);
	assert_int_equal(check.checkpoint.size, SIZE);
	assert_string_equal(check.checkpoint.origin, log_.signer.key.name);
}

static void
visitor_may_stop(void **state)
{
	struct seen seen = {.stop_at = 300};
	signet_log_visitor visitor = {.size = sizeof(visitor), .arg = &seen, .entry = see_entry};
	signet_log_check check;

	(void)state;
	assert_int_equal(verify(&check, NULL, &visitor), SIGNET_OK);
	assert_int_equal(seen.entries, 300);
	assert_int_equal(check.checked, 300);
}

static void
without_a_key_all_but_the_signature_is_checked(void **state)
{
	signet_log_check check = {.size = sizeof(check)};

	(void)state;
	assert_int_equal(signet_log_verify_folder(folder, NULL, NULL, NULL, &check), SIGNET_OK);
	assert_false(check.authentic);
	assert_int_equal(check.checked, SIZE);
}

static void
remember(uint64_t size, signet_checkpoint *c)
{
	struct buf note;

	published_note(&log_, size, &note);
	assert_int_equal(signet_log_checkpoint((const char *)note.data, note.len, log_.vkey, c), SIGNET_OK);
	buf_done(&note);
}

static void
goes_on_from_every_remembered_checkpoint(void **state)
{
	signet_checkpoint since;
	signet_log_check check;

	(void)state;
	for (uint64_t size = 0; size <= SIZE; size++) {
		remember(size, &since);
		assert_int_equal(verify(&check, &since, NULL), SIGNET_OK);
		assert_int_equal(check.first, size - size % 256);
		assert_int_equal(check.checked, SIZE - check.first);
	}
}

static void
finds_that_the_remembered_log_was_another_one(void **state)
{
	signet_checkpoint since;
	signet_log_check check;

	(void)state;
	for (uint64_t size = 0; size <= SIZE; size++) {
		remember(size, &since);
		since.root[size % 32] ^= 0x10;
		assert_int_equal(verify(&check, &since, NULL), SIGNET_ERR_VERIFY);
		assert_int_equal(check.faults, 1);
	}
	remember(SIZE, &since);
	since.size = SIZE + 1;
	assert_int_equal(verify(&check, &since, NULL), SIGNET_ERR_VERIFY);
	assert_string_equal(check.place, "checkpoint");
	remember(17, &since);
	since.origin[0] = 'L';
	assert_int_equal(verify(&check, &since, NULL), SIGNET_ERR_VERIFY);
}

static void
empty_log_is_good(void **state)
{
	char other[] = "/tmp/signet_log_empty.XXXXXX";
	signet_log_check check = {.size = sizeof(check)};
	struct published empty;

	(void)state;
	assert_non_null(mkdtemp(other));
	published_init(&empty, other, "empty.example");
	published_grow(&empty, 0);
	assert_int_equal(signet_log_verify_folder(other, empty.vkey, NULL, NULL, &check), SIGNET_OK);
	assert_int_equal(check.checked, 0);
	published_done(&empty);
	assert_int_equal(nftw(other, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void
logs_of_every_size_verify(void **state)
{
	char other[] = "/tmp/signet_log_sizes.XXXXXX";
	signet_log_check check = {.size = sizeof(check)};
	struct published grown;

	(void)state;
	assert_non_null(mkdtemp(other));
	published_init(&grown, other, "sizes.example");
	for (uint64_t size = 1; size <= 520; size += size < 5 || (size > 250 && size < 260) ? 1 : 5) {
		published_grow(&grown, size);
		assert_int_equal(signet_log_verify_folder(other, grown.vkey, NULL, NULL, &check), SIGNET_OK);
		assert_int_equal(check.checked, size);
	}
	published_done(&grown);
	assert_int_equal(nftw(other, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void
full_tile_stands_in_for_a_part_of_it(void **state)
{
	struct file part, part_hash;
	signet_log_check check;

	(void)state;
	/* a copy made while the log grew: the checkpoint is older than the tiles */
	struct file head;
	struct buf note;
	read_file(&head, "checkpoint");
	published_note(&log_, 300, &note);
	write_file("checkpoint", note.data, note.len);
	read_file(&part, "tile/entries/001.p/44");
	read_file(&part_hash, "tile/0/001.p/44");
	remove_place(part.place);
	remove_place(part_hash.place);
	assert_int_equal(verify(&check, NULL, NULL), SIGNET_OK);
	assert_int_equal(check.checked, 300);
	buf_done(&note);
	put_back(&part);
	put_back(&part_hash);
	put_back(&head);
}

/* --- what is wrong --- */

static const char *const places[] = {"checkpoint", "tile/entries/000", "tile/entries/001",
    "tile/entries/002.p/100", "tile/entries/000.p/1", "tile/entries/000.p/17", "tile/entries/001.p/44",
    "tile/entries/001.p/255", "tile/entries/002.p/88", "tile/0/000", "tile/0/001", "tile/0/002.p/100",
    "tile/0/000.p/1", "tile/0/000.p/17", "tile/0/001.p/44", "tile/0/001.p/255", "tile/0/002.p/88",
    "tile/1/000.p/1", "tile/1/000.p/2"};

/* The entry in whose length or bytes this byte lies; `first`: of the file. */
static uint64_t
entry_at(const struct file *f, uint64_t first, size_t byte)
{
	size_t at = 0;

	for (;; first++) {
		at += 2 + ((size_t)f->bytes[at] << 8 | f->bytes[at + 1]);
		if (byte < at)
			return first;
	}
}

static void
assert_found(const struct file *f, const signet_log_check *check, size_t byte)
{
	assert_string_equal(check->place, f->place);
	assert_true(check->faults >= 1);
	assert_true(strlen(check->fault) > 10);
	if (strncmp(f->place, "tile/entries/", 13) != 0)
		return;
	assert_true(check->has_index);
	assert_int_equal(check->index, entry_at(f, strtoull(f->place + 13, NULL, 10) * 256, byte));
}

static void
every_changed_byte_is_found_and_its_place_named(void **state)
{
	signet_log_check check;
	struct file f;

	(void)state;
	srandom(4);
	for (int i = 0; i < TRIES; i++) {
		size_t at;

		read_file(&f, places[(size_t)random() % array_len(places)]);
		at = (size_t)random() % f.size;
		uint8_t was = f.bytes[at];
		f.bytes[at] ^= (uint8_t)(1 + random() % 255);
		write_file(f.place, f.bytes, f.size);
		f.bytes[at] = was;
		signet_err err = verify(&check, NULL, NULL);
		if (err != SIGNET_ERR_VERIFY || strcmp(check.place, f.place) != 0)
			print_message("%s, byte %zu: %s: %s\n", f.place, at, check.place, check.fault);
		assert_int_equal(err, SIGNET_ERR_VERIFY);
		assert_found(&f, &check, at);
		put_back(&f);
	}
	assert_int_equal(verify(&check, NULL, NULL), SIGNET_OK);
}

static void
one_changed_byte_is_one_fault(void **state)
{
	signet_log_check check;
	struct file f;

	(void)state;
	for (size_t p = 0; p < array_len(places); p++) {
		read_file(&f, places[p]);
		f.bytes[f.size / 2] ^= 1;
		write_file(f.place, f.bytes, f.size);
		f.bytes[f.size / 2] ^= 1;
		assert_int_equal(verify(&check, NULL, NULL), SIGNET_ERR_VERIFY);
		assert_int_equal(check.faults, 1);
		put_back(&f);
	}
}

static void
files_that_are_cut_or_grown_are_found(void **state)
{
	signet_log_check check;
	struct file f;

	(void)state;
	srandom(5);
	for (size_t p = 0; p < array_len(places); p++) {
		for (int i = 0; i < 12; i++) {
			read_file(&f, places[p]);
			write_file(f.place, f.bytes,
			    i == 0   ? 0
			    : i == 1 ? f.size - 1
				     : (size_t)random() % f.size);
			assert_int_equal(verify(&check, NULL, NULL), SIGNET_ERR_VERIFY);
			assert_string_equal(check.place, f.place);
			f.bytes[f.size] = (uint8_t)random();
			write_file(f.place, f.bytes, f.size + 1);
			assert_int_equal(verify(&check, NULL, NULL), SIGNET_ERR_VERIFY);
			assert_string_equal(check.place, f.place);
			put_back(&f);
		}
	}
}

static bool
is_needed(const char *place)
{
	return strstr(place, ".p/") == NULL || strstr(place, ".p/100") != NULL ||
	       strcmp(place, "tile/1/000.p/2") == 0;
}

static void
missing_files_are_found(void **state)
{
	signet_log_check check;
	struct file f;

	(void)state;
	for (size_t p = 1; p < array_len(places); p++) {
		read_file(&f, places[p]);
		remove_place(f.place);
		if (is_needed(f.place)) {
			assert_int_equal(verify(&check, NULL, NULL), SIGNET_ERR_VERIFY);
			assert_string_equal(check.place, f.place);
			assert_string_equal(check.fault, "this file is missing");
		} else {
			assert_int_equal(
			    verify(&check, NULL, NULL), SIGNET_OK); /* a part that is superseded */
		}
		put_back(&f);
	}
	read_file(&f, "checkpoint");
	remove_place(f.place);
	assert_int_equal(verify(&check, NULL, NULL), SIGNET_ERR_IO);
	assert_string_equal(check.place, "checkpoint");
	put_back(&f);
}

/* Bytes of entry i in the file, its length included. */
static size_t
span(const struct file *f, unsigned i, size_t *at)
{
	for (*at = 0;; i--) {
		size_t n = 2 + ((size_t)f->bytes[*at] << 8 | f->bytes[*at + 1]);

		if (i == 0)
			return n;
		*at += n;
	}
}

static void
exchanged_and_removed_entries_are_found(void **state)
{
	uint8_t *changed;
	size_t at, next, n, m;
	signet_log_check check;
	struct file f;

	(void)state;
	read_file(&f, "tile/entries/001");
	changed = malloc(f.size);
	assert_non_null(changed);
	n = span(&f, 20, &at);
	m = span(&f, 21, &next);
	memcpy(changed, f.bytes, f.size);
	memcpy(changed + at, f.bytes + next, m);
	memcpy(changed + at + m, f.bytes + at, n);
	write_file(f.place, changed, f.size);
	assert_int_equal(verify(&check, NULL, NULL), SIGNET_ERR_VERIFY);
	assert_string_equal(check.place, f.place);
	assert_int_equal(check.index, 256 + 20);
	memcpy(changed, f.bytes, f.size);
	memcpy(changed + at, f.bytes + next, f.size - next);
	write_file(f.place, changed, f.size - n);
	assert_int_equal(verify(&check, NULL, NULL), SIGNET_ERR_VERIFY);
	assert_string_equal(check.place, f.place);
	assert_int_equal(check.index, 256 + 20);
	free(changed);
	put_back(&f);
}

/* An entry and its hash changed together, as by one who knows the format. */
static void
entry_and_hash_changed_together_are_found(void **state)
{
	signet_log_check check;
	struct file f, g;
	size_t at, n;

	(void)state;
	read_file(&f, "tile/entries/000");
	read_file(&g, "tile/0/000");
	uint8_t *entries = malloc(f.size), *hashes = malloc(g.size);
	assert_non_null(entries);
	assert_non_null(hashes);
	memcpy(entries, f.bytes, f.size);
	memcpy(hashes, g.bytes, g.size);
	n = span(&f, 77, &at);
	entries[at + n - 4] ^= 1;
	signet_log_leaf(entries + at + 2, n - 2, hashes + (size_t)77 * 32);
	write_file(f.place, entries, f.size);
	write_file(g.place, hashes, g.size);
	assert_int_equal(verify(&check, NULL, NULL), SIGNET_ERR_VERIFY);
	assert_string_equal(check.place, "tile/1/000.p/2");
	assert_string_equal(check.fault, "entries 0 to 255 are not those whose hash 0 stands in this file");
	free(entries);
	free(hashes);
	put_back(&f);
	put_back(&g);
}

struct faults {
	unsigned count;
	char place[8][64];
	unsigned stop_at;
};

static bool
see_fault(void *arg, const signet_log_check *check)
{
	struct faults *f = arg;

	assert_true(f->count < 8);
	(void)snprintf(f->place[f->count++], sizeof(f->place[0]), "%s", check->place);
	return f->count != f->stop_at;
}

static void
several_faults_are_all_named(void **state)
{
	static const char *const damaged[] = {"tile/entries/000", "tile/0/001", "tile/entries/002.p/100"};
	struct faults faults = {0};
	signet_log_visitor visitor = {.size = sizeof(visitor), .arg = &faults, .fault = see_fault};
	signet_log_check check;
	struct file f[3];

	(void)state;
	for (size_t i = 0; i < array_len(damaged); i++) {
		read_file(&f[i], damaged[i]);
		f[i].bytes[100] ^= 1;
		write_file(f[i].place, f[i].bytes, f[i].size);
		f[i].bytes[100] ^= 1;
	}
	assert_int_equal(verify(&check, NULL, &visitor), SIGNET_ERR_VERIFY);
	assert_int_equal(faults.count, 3);
	assert_int_equal(check.faults, 3);
	for (size_t i = 0; i < array_len(damaged); i++)
		assert_string_equal(faults.place[i], damaged[i]);
	assert_string_equal(check.place, damaged[0]);
	faults = (struct faults){.stop_at = 1};
	assert_int_equal(verify(&check, NULL, &visitor), SIGNET_ERR_VERIFY);
	assert_int_equal(faults.count, 1);
	for (size_t i = 0; i < array_len(damaged); i++)
		put_back(&f[i]);
}

static void
other_key_does_not_open_the_log(void **state)
{
	static const char other[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
	signet_log_check check = {.size = sizeof(check)};

	(void)state;
	assert_int_equal(signet_log_verify_folder(folder, other, NULL, NULL, &check), SIGNET_ERR_VERIFY);
	assert_string_equal(check.place, "checkpoint");
	assert_int_equal(signet_log_verify_folder(folder, "no key", NULL, NULL, &check), SIGNET_ERR_ARGUMENT);
	check.size = 8;
	assert_int_equal(
	    signet_log_verify_folder(folder, log_.vkey, NULL, NULL, &check), SIGNET_ERR_ARGUMENT);
}

static void
what_is_no_folder_or_no_file_is_told(void **state)
{
	signet_log_check check = {.size = sizeof(check)};
	struct file f;
	char path[256];

	(void)state;
	assert_int_equal(
	    signet_log_verify_folder("/nonexistent", log_.vkey, NULL, NULL, &check), SIGNET_ERR_IO);
	assert_true(strlen(check.fault) > 0);
	read_file(&f, "tile/entries/001");
	remove_place(f.place);
	full_path(path, sizeof(path), f.place);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(verify(&check, NULL, NULL), SIGNET_ERR_VERIFY);
	assert_string_equal(check.fault, "this is not a file");
	remove_place(f.place);
	put_back(&f);
}

/* --- one entry --- */

static void
every_entry_has_a_proof(void **state)
{
	char *entry, *proof, *want;
	signet_checkpoint c;
	size_t size, want_size;
	uint64_t index;

	(void)state;
	for (uint64_t i = 0; i < SIZE; i++) {
		assert_int_equal(
		    signet_log_prove_from_folder(folder, log_.vkey, i, &entry, &size, &proof), SIGNET_OK);
		want = published_entry(&log_, i, &want_size);
		assert_int_equal(size, want_size);
		assert_string_equal(entry, want);
		assert_int_equal(
		    signet_log_verify_entry(entry, size, proof, strlen(proof), log_.vkey, &index, &c),
		    SIGNET_OK);
		assert_int_equal(index, i);
		assert_int_equal(c.size, SIZE);
		free(want);
		free(entry);
		free(proof);
	}
	assert_int_equal(signet_log_prove_from_folder(folder, log_.vkey, SIZE, &entry, &size, &proof),
	    SIGNET_ERR_REQUEST_NOT_FOUND);
}

static void
changed_entry_has_no_proof(void **state)
{
	char *entry, *proof;
	struct file f;

	(void)state;
	read_file(&f, "tile/entries/000");
	f.bytes[100] ^= 1;
	write_file(f.place, f.bytes, f.size);
	f.bytes[100] ^= 1;
	assert_int_equal(
	    signet_log_prove_from_folder(folder, log_.vkey, 0, &entry, NULL, &proof), SIGNET_ERR_VERIFY);
	assert_int_equal(signet_log_prove_from_folder(folder, log_.vkey, 1, &entry, NULL, &proof), SIGNET_OK);
	free(entry);
	free(proof);
	put_back(&f);
}

/* --- a log with three levels of tiles --- */

static void
tiles_of_all_levels_are_checked(void **state)
{
	static const char *const upper[] = {"tile/1/000", "tile/1/001.p/1", "tile/2/000.p/1", "tile/0/255",
	    "tile/0/257.p/8", "tile/entries/256"};
	char other[] = "/tmp/signet_log_large.XXXXXX";
	signet_log_check check = {.size = sizeof(check)};
	struct published large;
	char path[256];

	(void)state;
	assert_non_null(mkdtemp(other));
	published_init(&large, other, "large.example");
	published_grow(&large, 65536 + 256 + 8);
	assert_int_equal(signet_log_verify_folder(other, large.vkey, NULL, NULL, &check), SIGNET_OK);
	assert_int_equal(check.checked, 65536 + 256 + 8);
	for (size_t i = 0; i < array_len(upper); i++) {
		for (int at = 3; at < 8; at += 4) {
			int fd, byte;

			(void)snprintf(path, sizeof(path), "%s/%s", other, upper[i]);
			FILE *f = fopen(path, "r+e");
			assert_non_null(f);
			assert_int_equal(fseek(f, at, SEEK_SET), 0);
			byte = fgetc(f);
			assert_int_equal(fseek(f, at, SEEK_SET), 0);
			assert_true(fputc(byte ^ 4, f) != EOF && fflush(f) == 0);
			assert_int_equal(signet_log_verify_folder(other, large.vkey, NULL, NULL, &check),
			    SIGNET_ERR_VERIFY);
			assert_string_equal(check.place, upper[i]);
			assert_int_equal(check.faults, 1);
			assert_int_equal(fseek(f, at, SEEK_SET), 0);
			assert_int_equal(fputc(byte, f), byte);
			fd = fclose(f);
			assert_int_equal(fd, 0);
		}
	}
	published_done(&large);
	assert_int_equal(nftw(other, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_log_verifies_and_every_entry_is_seen_once),
	    cmocka_unit_test(visitor_may_stop),
	    cmocka_unit_test(without_a_key_all_but_the_signature_is_checked),
	    cmocka_unit_test(goes_on_from_every_remembered_checkpoint),
	    cmocka_unit_test(finds_that_the_remembered_log_was_another_one),
	    cmocka_unit_test(empty_log_is_good),
	    cmocka_unit_test(logs_of_every_size_verify),
	    cmocka_unit_test(full_tile_stands_in_for_a_part_of_it),
	    cmocka_unit_test(every_changed_byte_is_found_and_its_place_named),
	    cmocka_unit_test(one_changed_byte_is_one_fault),
	    cmocka_unit_test(files_that_are_cut_or_grown_are_found),
	    cmocka_unit_test(missing_files_are_found),
	    cmocka_unit_test(exchanged_and_removed_entries_are_found),
	    cmocka_unit_test(entry_and_hash_changed_together_are_found),
	    cmocka_unit_test(several_faults_are_all_named),
	    cmocka_unit_test(other_key_does_not_open_the_log),
	    cmocka_unit_test(what_is_no_folder_or_no_file_is_told),
	    cmocka_unit_test(every_entry_has_a_proof),
	    cmocka_unit_test(changed_entry_has_no_proof),
	    cmocka_unit_test(tiles_of_all_levels_are_checked),
	};

	return cmocka_run_group_tests(tests, make_log, remove_log);
}
