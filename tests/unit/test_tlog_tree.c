/* client/base/tlog_tree.c */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/tlog.h"
#include "unit.h"

enum { SIZES = 300 };

static void
assert_hex(const uint8_t *hash, const char *hex)
{
	uint8_t want[TLOG_HASH];
	size_t n = sizeof(want);

	assert_int_equal(hex_decode(hex, strlen(hex), want, &n), SIGNET_OK);
	assert_int_equal(n, TLOG_HASH);
	assert_memory_equal(hash, want, TLOG_HASH);
}

/* MTH as the standard defines it, by recursion [RFC 6962, 2.1]. */
static void
reference(const uint8_t (*leaves)[TLOG_HASH], size_t n, uint8_t out[TLOG_HASH])
{
	uint8_t left[TLOG_HASH], right[TLOG_HASH];
	size_t k = 1;

	if (n == 1) {
		memcpy(out, leaves[0], TLOG_HASH);
		return;
	}
	while (2 * k < n)
		k *= 2;
	reference(leaves, k, left);
	reference(leaves + k, n - k, right);
	tlog_node(out, left, right);
}

static void
make_leaves(uint8_t (*leaves)[TLOG_HASH], size_t n)
{
	for (size_t i = 0; i < n; i++)
		tlog_leaf(leaves[i], &i, sizeof(i));
}

static void
roots_of_ct_test_leaves_are_the_published_ones(void **state)
{
	static const struct {
		const char *leaf;
		size_t len;
		const char *root;
	} vectors[] = {
	    {"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
	    {"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
	    {"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
	    {"\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
	    {"\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
	    {"\x40\x41\x42\x43", 4, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
	    {"\x50\x51\x52\x53\x54\x55\x56\x57", 8,
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
	    {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16,
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
	};
	uint8_t leaf[TLOG_HASH], root[TLOG_HASH], completed[TLOG_LEVELS][TLOG_HASH];
	struct tlog_tree tree = {0};

	(void)state;
	for (size_t i = 0; i < array_len(vectors); i++) {
		tlog_leaf(leaf, vectors[i].leaf, vectors[i].len);
		tlog_tree_push(&tree, leaf, completed);
		tlog_tree_root(&tree, root);
		assert_hex(root, vectors[i].root);
	}
}

static void
root_of_no_leaves_is_hash_of_nothing(void **state)
{
	struct tlog_tree tree = {0};
	uint8_t root[TLOG_HASH];

	(void)state;
	tlog_tree_root(&tree, root);
	assert_hex(root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void
roots_equal_recursive_definition_for_all_sizes(void **state)
{
	static uint8_t leaves[SIZES][TLOG_HASH];
	uint8_t root[TLOG_HASH], want[TLOG_HASH], completed[TLOG_LEVELS][TLOG_HASH];
	struct tlog_tree tree = {0};

	(void)state;
	make_leaves(leaves, SIZES);
	for (size_t n = 1; n <= SIZES; n++) {
		tlog_tree_push(&tree, leaves[n - 1], completed);
		assert_int_equal(tree.size, n);
		tlog_tree_root(&tree, root);
		reference(leaves, n, want);
		assert_memory_equal(root, want, TLOG_HASH);
	}
}

static void
push_completes_subtrees_of_two_four_eight_leaves(void **state)
{
	static uint8_t leaves[SIZES][TLOG_HASH];
	uint8_t want[TLOG_HASH], completed[TLOG_LEVELS][TLOG_HASH];
	struct tlog_tree tree = {0};

	(void)state;
	make_leaves(leaves, SIZES);
	for (size_t n = 1; n <= SIZES; n++) {
		unsigned count = tlog_tree_push(&tree, leaves[n - 1], completed);

		assert_int_equal(count, __builtin_ctzl(n));
		for (unsigned level = 1; level <= count; level++) {
			size_t width = (size_t)1 << level;

			reference(leaves + n - width, width, want);
			assert_memory_equal(completed[level - 1], want, TLOG_HASH);
		}
	}
}

static void
node_may_overwrite_its_child(void **state)
{
	uint8_t left[TLOG_HASH], right[TLOG_HASH], want[TLOG_HASH];

	(void)state;
	tlog_leaf(left, "l", 1);
	tlog_leaf(right, "r", 1);
	tlog_node(want, left, right);
	tlog_node(right, left, right);
	assert_memory_equal(right, want, TLOG_HASH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(roots_of_ct_test_leaves_are_the_published_ones),
	    cmocka_unit_test(root_of_no_leaves_is_hash_of_nothing),
	    cmocka_unit_test(roots_equal_recursive_definition_for_all_sizes),
	    cmocka_unit_test(push_completes_subtrees_of_two_four_eight_leaves),
	    cmocka_unit_test(node_may_overwrite_its_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
