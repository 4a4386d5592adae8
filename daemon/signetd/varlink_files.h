/* The interface files of include/signet, byte for byte, NUL-terminated. */
#ifndef SIGNET_SIGNETD_VARLINK_FILES_H
#define SIGNET_SIGNETD_VARLINK_FILES_H

extern const char varlink_service[], varlink_signer[], varlink_token[], varlink_inbox[], varlink_log[],
    varlink_admin[];

#endif
