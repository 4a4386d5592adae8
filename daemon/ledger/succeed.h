/* Beginning a new log after one that cannot go on. */
#ifndef SIGNET_LEDGER_SUCCEED_H
#define SIGNET_LEDGER_SUCCEED_H

#include "base/keychain.h"
#include "ledger/ledger.h"

/* What is known of the old one. */
struct succession {
	unsigned generation;            /* of the new log: the first that was ever begun is 1 */
	bool moved;                     /* the old files have been put aside */
	char folder[32];                /* in the state directory: there they lie */
	char origin[NOTE_NAME_MAX + 1]; /* the rest: as the newest checkpoint that was found says; "" and 0: none was */
	uint64_t size;
	char root[48]; /* base64 */
	char vkey[KEYCHAIN_VKEY]; /* with which it was found good; "": with none */
	char note[1024];
	uint64_t entries; /* that stand in the old database; 0: it cannot be read */
};

/*
 * A log for who has none to open: nothing can be written or read, and ledger_why() says `why`. The state directory is
 * held. SIGNET_ERR_BUSY, SIGNET_ERR_LOG_UNAVAILABLE (it cannot be held), SIGNET_ERR_MEMORY.
 */
must_check signet_err ledger_open_shut(
    struct ledger **out, uv_loop_t *loop, const struct ledger_options *o, const char *why);
/* Nothing will ever be written to it again, as it is: it does not continue what was written last, or is shut. */
bool ledger_broken(const struct ledger *log);

/*
 * While no log is open: put the files of the old one aside, as they are, into a folder of the state directory. The
 * next ledger_open begins a new one. SIGNET_ERR_BUSY, SIGNET_ERR_LOG_UNAVAILABLE; `why` gets a sentence.
 */
must_check signet_err ledger_put_aside(const struct ledger_options *o, char *why, size_t why_size);
/* What the first entry of this log has to tell; NULL: nothing, or it is told. */
const struct succession *ledger_succession(const struct ledger *log);
/* That entry is durable. SIGNET_ERR_IO: the file about it stays, and the next start tells again. */
must_check signet_err ledger_settle(struct ledger *log);

#endif
