/*
 * Proofs as text: what is taken is what writing it gives back (but for an
 * `extra` line), and no proof of an unsigned checkpoint holds.
 */
#include <assert.h>
#include <string.h>

#include "base/tlog.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[NOTE_SEED] = {1, 2, 3}, leaf[TLOG_HASH] = {7};
	const char *text = (const char *)data, *checkpoint = NULL;
	size_t checkpoint_len = 0;
	struct note_signer s;
	struct tlog_proof p;
	struct checkpoint c;
	uint64_t index = 0;
	struct buf out;
	signet_err err;

	if (tlog_proof_parse(&index, &p, &checkpoint, &checkpoint_len, text, size) == SIGNET_OK) {
		assert(p.count <= TLOG_PROOF_MAX && checkpoint + checkpoint_len == text + size);
		buf_init(&out, size + 1024);
		tlog_proof_write(&out, index, &p, checkpoint, checkpoint_len);
		assert(out.len == size ? memcmp(out.data, text, size) == 0
				       : memmem(text, size, "\nextra ", 7) != NULL);
		buf_done(&out);
	}
	err = note_signer_init(&s, "fuzz.example", seed);
	assert(err == SIGNET_OK);
	err = tlog_proof_verify(text, size, &s.key, leaf, &index, &c);
	assert(err == SIGNET_ERR_PROTOCOL || err == SIGNET_ERR_VERIFY);
	note_signer_done(&s);
	return 0;
}
