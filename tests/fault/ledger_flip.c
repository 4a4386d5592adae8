/*
 * Goal: a bit that turns over in log.db never changes an answer unnoticed.
 *
 * One bit of a whole log is turned over, the log is opened as a daemon would
 * and asked for everything: pages with titles, proofs, roots, the head. Either
 * nothing changes; or the daemon refuses; or an auditor who computes the
 * hashes again from these very answers finds it.
 * 300 bits; 5000 with SIGNET_LONG=1.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/tlog.h"
#include "ledger_case.h"
#include "unit.h"

enum { ROWS = 40, SHORT_FLIPS = 300, LONG_FLIPS = 5000, KNOWN_HEAD = 30 };

/* What the auditor knows from elsewhere. */
static struct note_key key;
static uint8_t known_root[TLOG_HASH]; /* of the first KNOWN_HEAD entries */

/* All answers as one hash, and what the auditor made of them. */
struct answers {
	EVP_MD_CTX *ctx;
	uint8_t hash[32];
	bool refused; /* the daemon said that something is wrong */
	bool wrong;   /* the auditor says so */
	struct tlog_tree tree;
	uint8_t roots[ROWS + 2][TLOG_HASH];
	uint64_t next;
};

static void
mix(struct answers *a, const void *bytes, size_t len)
{
	assert_int_equal(EVP_DigestUpdate(a->ctx, &len, sizeof(len)), 1);
	if (len > 0)
		assert_int_equal(EVP_DigestUpdate(a->ctx, bytes, len), 1);
}

/* Audit */

static void
audit_opening(
    struct answers *a, const json_t *entry, const char *field, const uint8_t *salt, const char *text)
{
	char want[80] = "sha256:";
	const char *have = json_string_value(json_object_get(entry, field));
	uint8_t hash[32];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_non_null(ctx);
	assert_int_equal(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL), 1);
	assert_int_equal(EVP_DigestUpdate(ctx, salt, LEDGER_HASH), 1);
	assert_int_equal(EVP_DigestUpdate(ctx, text, strlen(text)), 1);
	assert_int_equal(EVP_DigestFinal_ex(ctx, hash, NULL), 1);
	EVP_MD_CTX_free(ctx);
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(want + 7 + 2 * i, 3, "%02x", hash[i]);
	a->wrong = a->wrong || have == NULL || strcmp(have, want) != 0;
}

/* Every entry has a title here, and none was erased. */
static void
audit_openings(struct answers *a, const struct ledger_row *row)
{
	json_t *entry = json_loadb((const char *)row->entry, row->entry_len, 0, NULL);

	if (entry == NULL || row->opening_count != 1 || row->openings[0].text == NULL)
		a->wrong = true;
	else
		audit_opening(a, entry, row->openings[0].field, row->openings[0].salt, row->openings[0].text);
	json_decref(entry);
}

static void
audit_checkpoint(struct answers *a, const struct ledger_row *row)
{
	struct checkpoint says;

	if (row->checkpoint_len == 0)
		return;
	if (checkpoint_open(&says, row->checkpoint, row->checkpoint_len, &key) != SIGNET_OK ||
	    says.size != a->tree.size || memcmp(says.root, a->roots[says.size], TLOG_HASH) != 0)
		a->wrong = true;
}

static void
audit_row(struct answers *a, const struct ledger_row *row)
{
	uint8_t completed[TLOG_LEVELS][TLOG_HASH], leaf[TLOG_HASH];
	unsigned n;

	if (row->index != a->next++ || row->index > ROWS) {
		a->wrong = true;
		return;
	}
	tlog_leaf(leaf, row->entry, row->entry_len);
	n = tlog_tree_push(&a->tree, leaf, completed);
	tlog_tree_root(&a->tree, a->roots[a->tree.size]);
	if (memcmp(leaf, row->leaf, sizeof(leaf)) != 0 || row->subtrees_len != n * TLOG_HASH ||
	    memcmp(row->subtrees, completed, row->subtrees_len) != 0)
		a->wrong = true;
	audit_checkpoint(a, row);
	audit_openings(a, row);
}

static void
on_rows(struct ledger_query *q, void *arg)
{
	struct answers *a = arg;

	for (size_t i = 0; i < q->row_count; i++) {
		const struct ledger_row *row = &q->rows[i];

		mix(a, &row->index, sizeof(row->index));
		mix(a, row->entry, row->entry_len);
		mix(a, row->leaf, sizeof(row->leaf));
		mix(a, row->subtrees, row->subtrees_len);
		mix(a, row->checkpoint, row->checkpoint_len);
		for (size_t o = 0; o < row->opening_count; o++) {
			mix(a, row->openings[o].field, strlen(row->openings[o].field));
			mix(a, row->openings[o].salt, sizeof(row->openings[o].salt));
			mix(a, row->openings[o].text == NULL ? "" : row->openings[o].text,
			    row->openings[o].text == NULL ? 0 : strlen(row->openings[o].text) + 1);
		}
		if (!a->wrong)
			audit_row(a, row);
	}
}

static void
ask_rows(struct ledger_case *c, struct answers *a)
{
	struct ledger_query q = {.what = LEDGER_PAGE, .limit = 16, .titles = true};

	while (!q.at_end && !a->refused) {
		a->refused = case_query(c, &q, on_rows, a) != SIGNET_OK;
		q.from = q.next_from;
	}
	if (a->next < KNOWN_HEAD || (!a->wrong && memcmp(a->roots[KNOWN_HEAD], known_root, TLOG_HASH) != 0))
		a->wrong = true; /* what the known head covers is gone or changed */
}

static void
ask_proofs(struct ledger_case *c, struct answers *a)
{
	struct ledger_query q = {.size = ROWS};

	for (q.index = q.first = 0; q.index < ROWS; q.index++, q.first++) {
		q.what = LEDGER_INCLUSION;
		a->refused = a->refused || case_query(c, &q, NULL, NULL) != SIGNET_OK;
		if (a->refused)
			return;
		mix(a, q.leaf, sizeof(q.leaf));
		mix(a, q.proof.hash, q.proof.count * TLOG_HASH);
		if (!a->wrong &&
		    tlog_check_inclusion(q.index, q.size, q.leaf, &q.proof, a->roots[ROWS]) != SIGNET_OK)
			a->wrong = true;
		q.what = LEDGER_CONSISTENCY;
		a->refused = case_query(c, &q, NULL, NULL) != SIGNET_OK;
		mix(a, q.proof.hash, q.proof.count * TLOG_HASH);
		if (!a->wrong && !a->refused &&
		    tlog_check_consistency(q.first, q.size, a->roots[q.first], a->roots[ROWS], &q.proof) !=
			SIGNET_OK)
			a->wrong = true;
		q.what = LEDGER_ROOT;
		q.size = q.index;
		a->refused = a->refused || case_query(c, &q, NULL, NULL) != SIGNET_OK;
		q.size = ROWS;
		mix(a, q.root, sizeof(q.root));
		if (!a->wrong && !a->refused && memcmp(q.root, a->roots[q.index], TLOG_HASH) != 0)
			a->wrong = true;
	}
}

static void
ask_head(struct ledger_case *c, struct answers *a)
{
	struct checkpoint says, again;
	const char *note;
	size_t len;

	if (!ledger_head(c->log, &says, &note, &len)) {
		a->wrong = true; /* there was one */
		return;
	}
	mix(a, note, len);
	mix(a, &says.size, sizeof(says.size));
	mix(a, says.root, sizeof(says.root));
	if (!a->wrong && (checkpoint_open(&again, note, len, &key) != SIGNET_OK || again.size != says.size ||
			     says.size > ROWS || memcmp(says.root, a->roots[says.size], TLOG_HASH) != 0))
		a->wrong = true;
}

static void
ask_all(struct ledger_case *c, struct answers *a)
{
	memset(a, 0, sizeof(*a));
	a->ctx = EVP_MD_CTX_new();
	assert_non_null(a->ctx);
	assert_int_equal(EVP_DigestInit_ex(a->ctx, EVP_sha256(), NULL), 1);
	tlog_tree_root(&a->tree, a->roots[0]);
	if (case_try_open(c) != SIGNET_OK) {
		a->refused = true;
	} else {
		a->refused = !ledger_available(c->log);
		ask_rows(c, a);
		if (!a->wrong) /* the rows are those that were hashed: then the proofs must be theirs */
			ask_proofs(c, a);
		ask_head(c, a);
		case_close(c);
	}
	assert_int_equal(EVP_DigestFinal_ex(a->ctx, a->hash, NULL), 1);
	EVP_MD_CTX_free(a->ctx);
}

/* The log */

static void
append_one(struct ledger_case *c, uint64_t i)
{
	char title[32], hex[80] = "", body[400];
	struct ledger_opening o = {.field = "title", .text = title};
	struct ledger_op op;
	uint8_t text[LEDGER_HASH + 32], hash[32];

	snprintf(title, sizeof(title), "document %llu", (unsigned long long)i);
	memset(o.salt, (int)i, sizeof(o.salt));
	memcpy(text, o.salt, LEDGER_HASH);
	memcpy(text + LEDGER_HASH, title, strlen(title));
	assert_int_equal(EVP_Digest(text, LEDGER_HASH + strlen(title), hash, NULL, EVP_sha256(), NULL), 1);
	for (size_t b = 0; b < sizeof(hash); b++)
		snprintf(hex + 2 * b, 3, "%02x", hash[b]);
	snprintf(body, sizeof(body), "\"uid\":%llu,\"key\":\"office\",\"title\":\"sha256:%s\"",
	    (unsigned long long)i, hex);
	op = case_append_op("sign", body);
	op.openings = &o;
	op.opening_count = 1;
	op.want_proof = i % 3 == 0;
	assert_int_equal(case_run(c, &op), SIGNET_OK);
	buf_done(&op.entry);
	buf_done(&op.proof);
}

static uint8_t *
read_log(const struct ledger_case *c, size_t *len)
{
	char path[128];
	struct stat st;
	uint8_t *bytes;
	int fd;

	snprintf(path, sizeof(path), "%s/log.db", c->dir);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	bytes = malloc(*len);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, *len), st.st_size);
	close(fd);
	return bytes;
}

static void
write_log(const struct ledger_case *c, const uint8_t *bytes, size_t len)
{
	static const char *const gone[] = {"log.db-wal", "log.db-shm", "search.db"};
	char path[128];
	int fd;

	for (size_t i = 0; i < array_len(gone); i++) {
		snprintf(path, sizeof(path), "%s/%s", c->dir, gone[i]);
		(void)unlink(path);
	}
	snprintf(path, sizeof(path), "%s/log.db", c->dir);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void
flipped_bit_never_changes_an_answer_unnoticed(void **state)
{
	struct ledger_case *c = *state;
	const char *text = getenv("SIGNET_LONG");
	unsigned flips = text != NULL && strcmp(text, "1") == 0 ? LONG_FLIPS : SHORT_FLIPS;
	unsigned harmless = 0, refused = 0, found = 0;
	struct ledger_query q = {.what = LEDGER_ROOT, .size = KNOWN_HEAD};
	static struct answers right, now;
	size_t len;
	uint8_t *bytes;

	for (uint64_t i = 0; i < ROWS; i++)
		append_one(c, i);
	key = case_key(c);
	assert_int_equal(case_query(c, &q, NULL, NULL), SIGNET_OK);
	memcpy(known_root, q.root, sizeof(known_root));
	case_close(c);
	ask_all(c, &right);
	assert_false(right.refused || right.wrong);
	assert_int_equal(right.next, ROWS);
	bytes = read_log(c, &len);
	srand(4711);
	for (unsigned i = 0; i < flips; i++) {
		size_t at = ((size_t)rand() << 15 ^ (size_t)rand()) % len;
		uint8_t bit = (uint8_t)(1 << rand() % 8);

		bytes[at] ^= bit;
		write_log(c, bytes, len);
		ask_all(c, &now);
		bytes[at] ^= bit;
		if (now.wrong)
			found++;
		else if (now.refused)
			refused++;
		else if (memcmp(now.hash, right.hash, sizeof(now.hash)) == 0)
			harmless++;
		else
			fail_msg("bit %02x at %zu changes an answer, and nobody finds it", bit, at);
	}
	print_message("%u bits: %u change nothing, %u the daemon refuses, %u an auditor finds\n", flips,
	    harmless, refused, found);
	assert_true(refused > 0 && found > 0);
	write_log(c, bytes, len);
	free(bytes);
	case_open(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		flipped_bit_never_changes_an_answer_unnoticed, case_setup_signed, case_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
