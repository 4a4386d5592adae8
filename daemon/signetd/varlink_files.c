/*
 * The assembler includes the files themselves, so what is served cannot differ
 * from what is shipped. SIGNET_VARLINK_DIR comes from the build.
 */
#include "varlink_files.h"

#define INCLUDE_TEXT(symbol, file)                                                                           \
	__asm__(".section .rodata\n"                                                                         \
		".global " #symbol "\n"                                                                      \
		".hidden " #symbol "\n"                                                                      \
		".type " #symbol ", @object\n" #symbol ":\n"                                                 \
		".incbin \"" SIGNET_VARLINK_DIR "/" file "\"\n"                                              \
		".byte 0\n"                                                                                  \
		".size " #symbol ", . - " #symbol "\n"                                                       \
		".previous\n")

INCLUDE_TEXT(varlink_service, "org.varlink.service.varlink");
INCLUDE_TEXT(varlink_signer, "org.signetd.Signer.varlink");
INCLUDE_TEXT(varlink_token, "org.signetd.Token.varlink");
INCLUDE_TEXT(varlink_inbox, "org.signetd.Inbox.varlink");
INCLUDE_TEXT(varlink_log, "org.signetd.Log.varlink");
INCLUDE_TEXT(varlink_admin, "org.signetd.Admin.varlink");
