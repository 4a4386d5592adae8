/* One question, one answer: all that signet-format does, without its sockets. */
#ifndef SIGNET_FORMAT_SERVE_H
#define SIGNET_FORMAT_SERVE_H

#include "format/chain.h"

/* Appends the answer's frame. `a` is anything but CONFIG. */
void serve(struct chain_trust *t, const struct ask *a, struct buf *out);

#endif
