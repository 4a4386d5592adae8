/*
 * client/base/tlog.c, tlog_tree.c, tlog_hash.c, tlog_text.c: every proof of every small tree against the recursive definitions
 * [RFC 6962, 2.1.1, 2.1.2].
 */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/tlog.h"
#include "unit.h"

enum { SIZES = 300 };

static uint8_t leaves[SIZES][TLOG_HASH];

static void
assert_hex(const uint8_t *hash, const char *hex)
{
	uint8_t want[TLOG_HASH];
	size_t n = sizeof(want);

	assert_int_equal(hex_decode(hex, strlen(hex), want, &n), SIGNET_OK);
	assert_int_equal(n, TLOG_HASH);
	assert_memory_equal(hash, want, TLOG_HASH);
}

static size_t
split(size_t n)
{
	size_t k = 1;

	while (2 * k < n)
		k *= 2;
	return k;
}

/* MTH(D[from:to]) */
static void
reference_root(size_t from, size_t to, uint8_t out[TLOG_HASH])
{
	uint8_t left[TLOG_HASH], right[TLOG_HASH];
	size_t k = split(to - from);

	if (to - from == 1) {
		memcpy(out, leaves[from], TLOG_HASH);
		return;
	}
	reference_root(from, from + k, left);
	reference_root(from + k, to, right);
	tlog_node(out, left, right);
}

/* Roots by range; the recursion of the proofs asks for the same ones again and again. */
static const uint8_t *
remembered_root(size_t from, size_t to)
{
	static uint8_t root[SIZES][SIZES + 1][TLOG_HASH];
	static bool known[SIZES][SIZES + 1];

	if (!known[from][to])
		reference_root(from, to, root[from][to]);
	known[from][to] = true;
	return root[from][to];
}

static void
append(struct tlog_proof *p, size_t from, size_t to)
{
	memcpy(p->hash[p->count++], remembered_root(from, to), TLOG_HASH);
}

/* PATH(m, D[from:to]) */
static void
reference_path(size_t m, size_t from, size_t to, struct tlog_proof *p)
{
	size_t k = split(to - from);

	if (to - from == 1)
		return;
	if (m < k) {
		reference_path(m, from, from + k, p);
		append(p, from + k, to);
	} else {
		reference_path(m - k, from + k, to, p);
		append(p, from, from + k);
	}
}

/* SUBPROOF(m, D[from:to], whole) */
static void
reference_subproof(size_t m, size_t from, size_t to, bool whole, struct tlog_proof *p)
{
	size_t k = split(to - from);

	if (m == to - from) {
		if (!whole)
			append(p, from, to);
		return;
	}
	if (m <= k) {
		reference_subproof(m, from, from + k, whole, p);
		append(p, from + k, to);
	} else {
		reference_subproof(m - k, from + k, to, false, p);
		append(p, from, from + k);
	}
}

/* Complete subtrees of a tree of *arg leaves. */
static signet_err
get(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	const size_t *size = arg;

	assert_true(level < 9);
	assert_true((number + 1) << level <= *size);
	memcpy(out, remembered_root((size_t)number << level, (size_t)(number + 1) << level), TLOG_HASH);
	return SIGNET_OK;
}

static int
make_leaves(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIZES; i++)
		tlog_leaf(leaves[i], &i, sizeof(i));
	return 0;
}

static void
roots_of_ct_test_leaves_are_the_published_ones(void **state)
{
	static const struct {
		const char *leaf;
		size_t len;
	} inputs[] = {{"", 0}, {"\x00", 1}, {"\x10", 1}, {"\x20\x21", 2}, {"\x30\x31", 2},
	    {"\x40\x41\x42\x43", 4}, {"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
	    {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16}};
	uint8_t node[15][TLOG_HASH];

	(void)state;
	tlog_sha256(node[0], NULL, 0);
	assert_hex(node[0], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (size_t i = 0; i < array_len(inputs); i++)
		tlog_leaf(node[i], inputs[i].leaf, inputs[i].len);
	assert_hex(node[0], "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
	for (size_t i = 8; i < 15; i++) /* rows of four, two and one node */
		tlog_node(node[i], node[2 * (i - 8)], node[2 * (i - 8) + 1]);
	assert_hex(node[8], "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
	assert_hex(node[14], "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
	uint8_t three[TLOG_HASH];
	tlog_node(three, node[8], node[2]);
	assert_hex(three, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
}

static void
roots_are_those_of_the_definition(void **state)
{
	uint8_t root[TLOG_HASH], empty[TLOG_HASH];

	(void)state;
	tlog_sha256(empty, NULL, 0);
	assert_int_equal(tlog_root(0, get, NULL, root), SIGNET_OK);
	assert_memory_equal(root, empty, TLOG_HASH);
	for (size_t n = 1; n <= SIZES; n++) {
		assert_int_equal(tlog_root(n, get, &n, root), SIGNET_OK);
		assert_memory_equal(root, remembered_root(0, n), TLOG_HASH);
	}
}

static void
assert_same_proof(const struct tlog_proof *a, const struct tlog_proof *b)
{
	assert_int_equal(a->count, b->count);
	assert_memory_equal(a->hash, b->hash, a->count * TLOG_HASH);
}

static void
every_inclusion_proof_is_that_of_the_definition_and_holds(void **state)
{
	struct tlog_proof p, want;

	(void)state;
	for (size_t n = 1; n <= SIZES; n++) {
		for (size_t i = 0; i < n; i++) {
			want.count = 0;
			reference_path(i, 0, n, &want);
			assert_int_equal(tlog_prove_inclusion(i, n, get, &n, &p), SIGNET_OK);
			assert_same_proof(&p, &want);
			assert_int_equal(
			    tlog_check_inclusion(i, n, leaves[i], &p, remembered_root(0, n)), SIGNET_OK);
		}
	}
}

static void
every_consistency_proof_is_that_of_the_definition_and_holds(void **state)
{
	struct tlog_proof p, want;

	(void)state;
	for (size_t n = 1; n <= SIZES; n++) {
		for (size_t m = 1; m <= n; m++) {
			want.count = 0;
			reference_subproof(m, 0, n, true, &want);
			assert_int_equal(tlog_prove_consistency(m, n, get, &n, &p), SIGNET_OK);
			assert_same_proof(&p, &want);
			assert_int_equal(
			    tlog_check_consistency(m, n, remembered_root(0, m), remembered_root(0, n), &p),
			    SIGNET_OK);
		}
	}
}

/* Each with one hash changed, cut, doubled or exchanged with the next. */
enum mutation { CHANGED, CUT_FIRST, CUT_LAST, ONE_MORE, EXCHANGED, MUTATIONS };

static bool
mutate(struct tlog_proof *p, enum mutation what, size_t at)
{
	uint8_t spare[TLOG_HASH];

	switch (what) {
	case CHANGED:
		if (at >= p->count)
			return false;
		p->hash[at][at % TLOG_HASH] ^= (uint8_t)(1U << at % 8);
		return true;
	case CUT_FIRST:
		if (p->count == 0 || at > 0)
			return false;
		memmove(p->hash[0], p->hash[1], (p->count - 1) * TLOG_HASH);
		p->count--;
		return true;
	case CUT_LAST:
		if (p->count == 0 || at > 0)
			return false;
		p->count--;
		return true;
	case ONE_MORE:
		if (at > 0)
			return false;
		memset(p->hash[p->count++], 0x5a, TLOG_HASH);
		return true;
	case EXCHANGED:
		if (at + 1 >= p->count)
			return false;
		memcpy(spare, p->hash[at], TLOG_HASH);
		memcpy(p->hash[at], p->hash[at + 1], TLOG_HASH);
		memcpy(p->hash[at + 1], spare, TLOG_HASH);
		return true;
	default:
		return false;
	}
}

static void
no_changed_inclusion_proof_holds(void **state)
{
	struct tlog_proof p, bad;
	uint8_t root[TLOG_HASH], leaf[TLOG_HASH];

	(void)state;
	for (size_t n = 1; n <= SIZES; n += n < 70 ? 1 : 23) {
		for (size_t i = 0; i < n; i++) {
			memcpy(root, remembered_root(0, n), TLOG_HASH);
			assert_int_equal(tlog_prove_inclusion(i, n, get, &n, &p), SIGNET_OK);
			for (unsigned what = 0; what < MUTATIONS; what++) {
				for (size_t at = 0; at <= p.count; at++) {
					bad = p;
					if (mutate(&bad, what, at))
						assert_int_equal(
						    tlog_check_inclusion(i, n, leaves[i], &bad, root),
						    SIGNET_ERR_VERIFY);
				}
			}
			memcpy(leaf, leaves[i], TLOG_HASH);
			leaf[0] ^= 1;
			assert_int_equal(tlog_check_inclusion(i, n, leaf, &p, root), SIGNET_ERR_VERIFY);
			root[31] ^= 0x80;
			assert_int_equal(tlog_check_inclusion(i, n, leaves[i], &p, root), SIGNET_ERR_VERIFY);
		}
	}
}

static void
inclusion_proof_holds_for_no_other_index(void **state)
{
	struct tlog_proof p;

	(void)state;
	for (size_t n = 2; n <= 64; n++) {
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(tlog_prove_inclusion(i, n, get, &n, &p), SIGNET_OK);
			for (size_t j = 0; j <= n; j++) {
				if (j != i)
					assert_int_equal(
					    tlog_check_inclusion(j, n, leaves[i], &p, remembered_root(0, n)),
					    SIGNET_ERR_VERIFY);
			}
		}
	}
}

static void
no_changed_consistency_proof_holds(void **state)
{
	struct tlog_proof p, bad;
	uint8_t first[TLOG_HASH], second[TLOG_HASH];

	(void)state;
	for (size_t n = 1; n <= SIZES; n += n < 70 ? 1 : 23) {
		for (size_t m = 1; m <= n; m++) {
			memcpy(first, remembered_root(0, m), TLOG_HASH);
			memcpy(second, remembered_root(0, n), TLOG_HASH);
			assert_int_equal(tlog_prove_consistency(m, n, get, &n, &p), SIGNET_OK);
			for (unsigned what = 0; what < MUTATIONS; what++) {
				for (size_t at = 0; at <= p.count; at++) {
					bad = p;
					if (mutate(&bad, what, at))
						assert_int_equal(
						    tlog_check_consistency(m, n, first, second, &bad),
						    SIGNET_ERR_VERIFY);
				}
			}
			first[7] ^= 2;
			assert_int_equal(tlog_check_consistency(m, n, first, second, &p), SIGNET_ERR_VERIFY);
			first[7] ^= 2;
			second[9] ^= 4;
			assert_int_equal(tlog_check_consistency(m, n, first, second, &p), SIGNET_ERR_VERIFY);
		}
	}
}

static void
every_complete_subtree_has_a_proof_that_holds(void **state)
{
	struct tlog_proof p;
	uint8_t node[TLOG_HASH];

	(void)state;
	for (size_t n = 1; n <= SIZES; n += n < 70 ? 1 : 23) {
		for (unsigned level = 0; n >> level > 0; level++) {
			for (size_t i = 0; i < n >> level; i++) {
				memcpy(node, remembered_root(i << level, (i + 1) << level), TLOG_HASH);
				assert_int_equal(tlog_prove_node(level, i, n, get, &n, &p), SIGNET_OK);
				assert_int_equal(
				    tlog_check_node(level, i, n, node, &p, remembered_root(0, n)), SIGNET_OK);
				node[3] ^= 8;
				assert_int_equal(tlog_check_node(level, i, n, node, &p, remembered_root(0, n)),
				    SIGNET_ERR_VERIFY);
			}
			assert_int_equal(
			    tlog_prove_node(level, n >> level, n, get, &n, &p), SIGNET_ERR_ARGUMENT);
			assert_int_equal(tlog_check_node(level, n >> level, n, node, &p, remembered_root(0, n)),
			    SIGNET_ERR_VERIFY);
		}
	}
}

static void
growing_tree_has_the_roots_of_the_definition(void **state)
{
	uint8_t root[TLOG_HASH], completed[TLOG_LEVELS][TLOG_HASH];
	struct tlog_tree tree = {0}, loaded;

	(void)state;
	for (size_t n = 1; n <= SIZES; n++) {
		unsigned count = tlog_tree_push(&tree, leaves[n - 1], completed);

		assert_int_equal(tree.size, n);
		assert_int_equal(count, __builtin_ctzl(n));
		for (unsigned level = 1; level <= count; level++)
			assert_memory_equal(
			    completed[level - 1], remembered_root(n - ((size_t)1 << level), n), TLOG_HASH);
		tlog_tree_root(&tree, root);
		assert_memory_equal(root, remembered_root(0, n), TLOG_HASH);
		assert_int_equal(tlog_tree_load(&loaded, n, get, &n), SIGNET_OK);
		tlog_tree_root(&loaded, root);
		assert_memory_equal(root, remembered_root(0, n), TLOG_HASH);
	}
}

static void
empty_tree_is_extended_by_every_tree(void **state)
{
	struct tlog_proof p = {.count = 7};
	uint8_t empty[TLOG_HASH];
	size_t n = 5;

	(void)state;
	tlog_sha256(empty, NULL, 0);
	assert_int_equal(tlog_prove_consistency(0, n, get, &n, &p), SIGNET_OK);
	assert_int_equal(p.count, 0);
	assert_int_equal(tlog_check_consistency(0, n, empty, remembered_root(0, n), &p), SIGNET_OK);
	assert_int_equal(tlog_check_consistency(0, 0, empty, empty, &p), SIGNET_OK);
	assert_int_equal(tlog_check_consistency(0, 0, empty, leaves[0], &p), SIGNET_ERR_VERIFY);
	assert_int_equal(
	    tlog_check_consistency(0, n, leaves[0], remembered_root(0, n), &p), SIGNET_ERR_VERIFY);
	p.count = 1;
	assert_int_equal(tlog_check_consistency(0, n, empty, remembered_root(0, n), &p), SIGNET_ERR_VERIFY);
}

static void
nothing_is_included_in_the_empty_tree(void **state)
{
	struct tlog_proof p = {0};

	(void)state;
	assert_int_equal(tlog_check_inclusion(0, 0, leaves[0], &p, leaves[0]), SIGNET_ERR_VERIFY);
	assert_int_equal(tlog_prove_inclusion(0, 0, get, NULL, &p), SIGNET_ERR_ARGUMENT);
}

static void
refuses_places_that_are_not_in_the_tree(void **state)
{
	struct tlog_proof p = {0};
	size_t n = 5;

	(void)state;
	assert_int_equal(tlog_prove_inclusion(4, n, get, &n, &p), SIGNET_OK);
	assert_int_equal(tlog_prove_inclusion(5, n, get, &n, &p), SIGNET_ERR_ARGUMENT);
	assert_int_equal(tlog_prove_consistency(6, n, get, &n, &p), SIGNET_ERR_ARGUMENT);
	assert_int_equal(tlog_prove_consistency(1, UINT64_MAX, get, &n, &p), SIGNET_ERR_ARGUMENT);
	assert_int_equal(tlog_check_consistency(6, 5, leaves[0], leaves[0], &p), SIGNET_ERR_VERIFY);
}

static signet_err
refuse_upper(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	(void)arg;
	(void)number;
	memset(out, 0, TLOG_HASH);
	return level == 2 ? SIGNET_ERR_IO : SIGNET_OK;
}

static void
errors_of_the_source_are_passed_on_and_leave_the_proof(void **state)
{
	struct tlog_proof p = {.count = 3};
	uint8_t root[TLOG_HASH] = {1};

	(void)state;
	assert_int_equal(tlog_prove_inclusion(0, 8, refuse_upper, NULL, &p), SIGNET_ERR_IO);
	assert_int_equal(tlog_prove_consistency(4, 8, refuse_upper, NULL, &p), SIGNET_ERR_IO);
	assert_int_equal(tlog_root(7, refuse_upper, NULL, root), SIGNET_ERR_IO);
	assert_int_equal(p.count, 3);
	assert_int_equal(root[0], 1);
}

/* Any hash will do where only the shape matters. */
static signet_err
get_number(void *arg, unsigned level, uint64_t number, uint8_t out[TLOG_HASH])
{
	uint64_t seed[2] = {level, number};

	(void)arg;
	tlog_sha256(out, seed, sizeof(seed));
	return SIGNET_OK;
}

static void
largest_trees_stay_within_the_limits(void **state)
{
	struct tlog_proof p;
	uint8_t root[TLOG_HASH];

	(void)state;
	assert_int_equal(tlog_root(INT64_MAX, get_number, NULL, root), SIGNET_OK);
	assert_int_equal(tlog_prove_inclusion(0, INT64_MAX, get_number, NULL, &p), SIGNET_OK);
	assert_int_equal(p.count, 63);
	assert_int_equal(tlog_prove_inclusion(INT64_MAX - 1, INT64_MAX, get_number, NULL, &p), SIGNET_OK);
	assert_int_equal(p.count, 62);
	assert_int_equal(tlog_prove_consistency(1, INT64_MAX, get_number, NULL, &p), SIGNET_OK);
	assert_int_equal(p.count, 63);
	assert_int_equal(
	    tlog_prove_consistency(((uint64_t)1 << 62) + 1, INT64_MAX, get_number, NULL, &p), SIGNET_OK);
	assert_int_equal(p.count, TLOG_PROOF_MAX);
}

static void
tiles_have_the_paths_of_the_specification(void **state)
{
	static const struct {
		int level;
		uint64_t number;
		unsigned width;
		const char *path;
	} vectors[] = {
	    {0, 0, 256, "tile/0/000"},
	    {0, 0, 1, "tile/0/000.p/1"},
	    {0, 999, 256, "tile/0/999"},
	    {0, 1000, 256, "tile/0/x001/000"},
	    {1, 1234067, 256, "tile/1/x001/x234/067"},
	    {-1, 1234067, 256, "tile/entries/x001/x234/067"},
	    {-1, 1234067, 255, "tile/entries/x001/x234/067.p/255"},
	    {63, 999999, 17, "tile/63/x999/999.p/17"},
	    {-1, UINT64_MAX, 200, "tile/entries/x018/x446/x744/x073/x709/x551/615.p/200"},
	};
	char path[TLOG_TILE_PATH];

	(void)state;
	for (size_t i = 0; i < array_len(vectors); i++) {
		tlog_tile_path(path, sizeof(path), vectors[i].level, vectors[i].number, vectors[i].width);
		assert_string_equal(path, vectors[i].path);
	}
}

#define HASH "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"

static signet_err
parse(const char *text, size_t len, uint64_t *index, struct tlog_proof *p, size_t *checkpoint_len)
{
	char *copy = malloc(len == 0 ? 1 : len);
	const char *checkpoint;
	signet_err err;

	assert_non_null(copy);
	memcpy(copy, text, len);
	err = tlog_proof_parse(index, p, &checkpoint, checkpoint_len, copy, len);
	if (err == SIGNET_OK)
		assert_ptr_equal(checkpoint + *checkpoint_len, copy + len);
	free(copy);
	return err;
}

static void
proof_is_what_was_written(void **state)
{
	struct tlog_proof p, back;
	size_t n = SIZES, checkpoint_len;
	uint64_t index;
	struct buf out;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(tlog_prove_inclusion(i, n, get, &n, &p), SIGNET_OK);
		buf_init(&out, 65536);
		tlog_proof_write(&out, i, &p, "note", 4);
		assert_int_equal(parse((char *)out.data, out.len, &index, &back, &checkpoint_len), SIGNET_OK);
		assert_int_equal(index, i);
		assert_int_equal(checkpoint_len, 4);
		assert_same_proof(&back, &p);
		buf_done(&out);
	}
}

static void
proof_may_have_an_extra_line(void **state)
{
	static const char text[] = "c2sp.org/tlog-proof@v1\nextra AAAA\nindex 7\n" HASH "\nnote";
	struct tlog_proof p;
	uint64_t index;
	size_t n;

	(void)state;
	assert_int_equal(parse(text, strlen(text), &index, &p, &n), SIGNET_OK);
	assert_int_equal(index, 7);
	assert_int_equal(p.count, 1);
}

static void
refuses_proofs_that_are_not_exact(void **state)
{
	static const char *const wrong[] = {"", "c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v1\n",
	    "c2sp.org/tlog-proof@v2\nindex 7\n\nnote", "c2sp.org/tlog-proof@v1\n\nnote",
	    "c2sp.org/tlog-proof@v1\nindex 7\nnote", "c2sp.org/tlog-proof@v1\nindex 7\n\n",
	    "c2sp.org/tlog-proof@v1\nindex 07\n\nnote", "c2sp.org/tlog-proof@v1\nindex -7\n\nnote",
	    "c2sp.org/tlog-proof@v1\nindex \n\nnote", "c2sp.org/tlog-proof@v1\nindex\n\nnote",
	    "c2sp.org/tlog-proof@v1\nindex 7 \n\nnote",
	    "c2sp.org/tlog-proof@v1\nindex 9223372036854775808\n\nnote",
	    "c2sp.org/tlog-proof@v1\nindex 7\nAAAA\n\nnote",
	    ("c2sp.org/tlog-proof@v1\nindex 7\n" HASH "x\n\nnote"), ("c2sp.org/tlog-proof@v1\nindex 7\n" HASH),
	    "c2sp.org/tlog-proof@v1\nextra !\nindex 7\n\nnote",
	    "c2sp.org/tlog-proof@v1\nextra AAAA\nextra AAAA\nindex 7\n\nnote",
	    "c2sp.org/tlog-proof@v1\nindex 7\nextra AAAA\n\nnote",
	    "\nc2sp.org/tlog-proof@v1\nindex 7\n\nnote", "c2sp.org/tlog-proof@v1\r\nindex 7\n\nnote"};
	struct tlog_proof p;
	uint64_t index;
	size_t n;

	(void)state;
	for (size_t i = 0; i < array_len(wrong); i++) {
		if (parse(wrong[i], strlen(wrong[i]), &index, &p, &n) != SIGNET_ERR_PROTOCOL)
			fail_msg("wrong[%zu]: %s", i, wrong[i]);
	}
}

static void
proof_has_as_many_hashes_as_the_limit_and_no_more(void **state)
{
	struct tlog_proof p;
	struct buf text;
	uint64_t index;
	size_t n;

	(void)state;
	for (unsigned count = TLOG_PROOF_MAX - 1; count <= TLOG_PROOF_MAX + 1; count++) {
		buf_init(&text, 65536);
		buf_str(&text, "c2sp.org/tlog-proof@v1\nindex 7\n");
		for (unsigned i = 0; i < count; i++)
			buf_str(&text, HASH);
		buf_str(&text, "\nnote");
		assert_int_equal(parse((char *)text.data, text.len, &index, &p, &n),
		    count > TLOG_PROOF_MAX ? SIGNET_ERR_PROTOCOL : SIGNET_OK);
		buf_done(&text);
	}
}

/* The proof of leaf `at` in a tree of `n`, signed. */
static void
make_signed_proof(struct buf *out, struct note_signer *s, size_t at, size_t n)
{
	static const uint8_t seed[NOTE_SEED] = {3};
	struct checkpoint c = {.origin = "log.example", .size = n};
	struct buf text, note;
	struct tlog_proof p;

	assert_int_equal(note_signer_init(s, c.origin, seed), SIGNET_OK);
	memcpy(c.root, remembered_root(0, n), TLOG_HASH);
	buf_init(&text, 1024);
	buf_init(&note, NOTE_MAX);
	checkpoint_write(&text, &c);
	assert_int_equal(note_sign(&note, (char *)text.data, text.len, s), SIGNET_OK);
	assert_int_equal(tlog_prove_inclusion(at, n, get, &n, &p), SIGNET_OK);
	buf_init(out, 65536);
	tlog_proof_write(out, at, &p, (char *)note.data, note.len);
	assert_false(out->failed);
	buf_done(&text);
	buf_done(&note);
}

static void
signed_proof_answers_for_its_leaf_alone(void **state)
{
	struct note_signer s;
	struct checkpoint c;
	struct buf text;
	uint64_t index;

	(void)state;
	make_signed_proof(&text, &s, 17, 21);
	assert_int_equal(
	    tlog_proof_verify((char *)text.data, text.len, &s.key, leaves[17], &index, &c), SIGNET_OK);
	assert_int_equal(index, 17);
	assert_int_equal(c.size, 21);
	assert_string_equal(c.origin, "log.example");
	assert_int_equal(tlog_proof_verify((char *)text.data, text.len, &s.key, leaves[16], &index, &c),
	    SIGNET_ERR_VERIFY);
	buf_done(&text);
	note_signer_done(&s);
}

static void
every_changed_bit_of_a_signed_proof_is_found(void **state)
{
	struct note_signer s;
	struct checkpoint c;
	struct buf text;
	uint64_t index;

	(void)state;
	make_signed_proof(&text, &s, 17, 21);
	for (size_t bit = 0; bit < 8 * text.len; bit++) {
		text.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_not_equal(
		    tlog_proof_verify((char *)text.data, text.len, &s.key, leaves[17], &index, &c),
		    SIGNET_OK);
		text.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (size_t len = 0; len < text.len; len++)
		assert_int_not_equal(
		    tlog_proof_verify((char *)text.data, len, &s.key, leaves[17], &index, &c), SIGNET_OK);
	buf_done(&text);
	note_signer_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(roots_of_ct_test_leaves_are_the_published_ones),
	    cmocka_unit_test(roots_are_those_of_the_definition),
	    cmocka_unit_test(every_inclusion_proof_is_that_of_the_definition_and_holds),
	    cmocka_unit_test(every_consistency_proof_is_that_of_the_definition_and_holds),
	    cmocka_unit_test(no_changed_inclusion_proof_holds),
	    cmocka_unit_test(inclusion_proof_holds_for_no_other_index),
	    cmocka_unit_test(no_changed_consistency_proof_holds),
	    cmocka_unit_test(every_complete_subtree_has_a_proof_that_holds),
	    cmocka_unit_test(growing_tree_has_the_roots_of_the_definition),
	    cmocka_unit_test(empty_tree_is_extended_by_every_tree),
	    cmocka_unit_test(nothing_is_included_in_the_empty_tree),
	    cmocka_unit_test(refuses_places_that_are_not_in_the_tree),
	    cmocka_unit_test(errors_of_the_source_are_passed_on_and_leave_the_proof),
	    cmocka_unit_test(largest_trees_stay_within_the_limits),
	    cmocka_unit_test(tiles_have_the_paths_of_the_specification),
	    cmocka_unit_test(proof_is_what_was_written),
	    cmocka_unit_test(proof_may_have_an_extra_line),
	    cmocka_unit_test(refuses_proofs_that_are_not_exact),
	    cmocka_unit_test(proof_has_as_many_hashes_as_the_limit_and_no_more),
	    cmocka_unit_test(signed_proof_answers_for_its_leaf_alone),
	    cmocka_unit_test(every_changed_bit_of_a_signed_proof_is_found),
	};

	return cmocka_run_group_tests(tests, make_leaves, NULL);
}
