/* What a file in this folder defines, and what libFuzzer or replay.c calls. */
#ifndef SIGNET_FUZZ_FUZZ_H
#define SIGNET_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* 0 always; a broken promise of the code under test ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
