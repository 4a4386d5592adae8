/*
 * signet-bridge-check: a program that uses the bridge as others do, and says
 * what it got. Each mode is one file; all print to stderr what is wrong and
 * end with 1.
 */
#ifndef SIGNET_BRIDGE_CHECK_H
#define SIGNET_BRIDGE_CHECK_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

extern CK_FUNCTION_LIST *p11;

#define must(what)                                                                       \
	do                                                                               \
		if (!(what)) {                                                           \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			exit(1);                                                         \
		}                                                                        \
	while (0)

#define expect(wanted, call)                                                                                   \
	do {                                                                                                   \
		CK_RV rv_ = (call);                                                                            \
		if (rv_ != (wanted)) {                                                                         \
			fprintf(stderr, "%s:%d: 0x%lx instead of %s: %s\n", __FILE__, __LINE__, rv_, #wanted, #call); \
			exit(1);                                                                               \
		}                                                                                              \
	} while (0)

/* One key of the first token, its public half read back from the certificate, and a session. */
struct signer {
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key;
	struct evp_pkey_st *public;
};

CK_SLOT_ID first_slot(void);
CK_OBJECT_HANDLE find_one(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class, const char *label);
void signer_open(struct signer *s, const char *label);
/* Signs random data with the hashing mechanism of the key. CKR_OK: and the signature is right. */
CK_RV signer_sign(struct signer *s);
void signer_close(struct signer *s);

void check_conformance(const char *pin);
void check_not_initialized(void);
void check_initialize(void);
void check_fork(const char *label);
void check_load(const char *label, unsigned processes, unsigned threads, unsigned count);
void check_event(void);
void check_finalize_wakes(void);
void check_exit(const char *label);

#endif
